// Choosing files: dropped anywhere on the page, chosen, or recorded; each with a small picture.
import {h, icon} from './dom.js';
import {record} from './recorder.js';
import {bytes, seconds} from './words.js';

// A still of a video or photo, as far as this browser can read it; else an icon.
function still(file) {
  const box = h('div', {class: 'still'}, icon(file.type.startsWith('image/') ? 'file' : 'video'));
  const url = URL.createObjectURL(file);
  const put = element => box.replaceChildren(element);
  if (file.type.startsWith('image/')) {
    const image = h('img', {src: url, alt: ''});
    image.addEventListener('load', () => put(image));
  } else {
    const video = h('video', {src: url, muted: true, playsInline: true, preload: 'metadata', tabIndex: -1});
    video.addEventListener('loadedmetadata', () => {
      put(video);
      if (isFinite(video.duration)) { box.title = seconds(video.duration); video.currentTime = Math.min(1, video.duration / 2); }
    });
  }
  box.release = () => URL.revokeObjectURL(url);
  return box;
}

export function filePicker(maxBytes) {
  let files = [];
  const stills = new Map();
  const input = h('input', {type: 'file', multiple: true, accept: 'video/*,image/*,.mkv,.heic', 'aria-label': 'Choose a video or photos'});
  const list = h('ul', {class: 'files'});
  const zone = h('div', {class: 'drop'}, icon('upload', 'icon big'), h('strong', {}, 'Choose or drop a video'),
    h('span', {class: 'small'}, 'MP4, MOV, WebM, MKV or photos; several are fine'), input);
  const camera = h('button', {type: 'button', class: 'drop', onclick: recordOne}, icon('camera', 'icon big'), h('strong', {}, 'Record with the camera'),
    h('span', {class: 'small'}, 'A guide shows how to turn the head'));
  const box = h('div', {class: 'stack'}, h('div', {class: 'pair wide'}, zone, camera), list);

  function draw() {
    list.replaceChildren(...files.map((f, i) => {
      if (!stills.has(f)) stills.set(f, still(f));
      return h('li', {}, stills.get(f), h('div', {}, h('div', {class: 'name'}, f.name), h('div', {class: 'soft small'}, bytes(f.size))),
        h('button', {class: 'plain push', type: 'button', 'aria-label': `Leave out ${f.name}`, onclick: () => { stills.get(f).release(); files.splice(i, 1); draw(); }}, icon('cross')));
    }));
  }

  async function recordOne() {
    const file = await record();
    camera.focus();
    if (file) box.add([file]);
  }

  box.add = more => { files = files.concat(...more); draw(); box.dispatchEvent(new Event('picked')); };
  box.files = () => files;
  box.problem = () => {
    const empty = files.find(f => !f.size), large = files.find(f => f.size > maxBytes);
    return !files.length ? 'Choose a video, or some photos.' : empty ? `${empty.name} is empty.` : large ? `${large.name} has ${bytes(large.size)}; at most ${bytes(maxBytes)} can be sent.` : '';
  };
  input.addEventListener('change', () => { box.add([...input.files]); input.value = ''; });
  box.leave = catchDrops(zone, dropped => box.add(dropped), () => !zone.closest('[hidden]') && !document.querySelector('dialog[open]'));
  box.release = () => { box.leave(); for (const [, picture] of stills) picture.release(); };
  return box;
}

// Files dropped anywhere on the page, not only where it says so; the zone shows that they are awaited.
export function catchDrops(zone, take, wanted = () => true) {
  const has = event => [...event.dataTransfer.types].includes('Files') && wanted();
  const over = event => { if (has(event)) { event.preventDefault(); zone.classList.add('over'); } };
  const out = event => { if (!event.relatedTarget) zone.classList.remove('over'); };
  const drop = event => {
    zone.classList.remove('over');
    if (!has(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  };
  const all = {dragenter: over, dragover: over, dragleave: out, drop};
  for (const [type, listener] of Object.entries(all)) document.addEventListener(type, listener);
  return () => { for (const [type, listener] of Object.entries(all)) document.removeEventListener(type, listener); };
}
