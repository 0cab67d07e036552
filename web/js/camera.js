import {h, icon, note} from './dom.js';

export async function openCamera(video) {
  if (!navigator.mediaDevices) throw new Error('This browser gives the camera only over HTTPS, or on localhost.');
  try {
    const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user', width: {ideal: 1280}, height: {ideal: 720}}, audio: false});
    video.srcObject = stream;
    await video.play();
    return () => { for (const track of stream.getTracks()) track.stop(); video.srcObject = null; };
  } catch (reason) {
    throw new Error(reason.name === 'NotAllowedError' ? 'The camera was not allowed. Allow it in the address bar and try again.'
      : reason.name === 'NotFoundError' ? 'No camera was found.' : `The camera cannot be used: ${reason.message}`);
  }
}

const steps = ['Look straight ahead', 'Turn slowly to the left', 'Back, and slowly to the right', 'Look up a little', 'Look down a little'];
const STEP_MS = 2200;

// Records the guided turns of a head as a WebM file.
export function recorder(onFile) {
  const video = h('video', {muted: true, playsInline: true, 'aria-label': 'Camera'});
  const hint = h('p', {role: 'status'}, '');
  const stage = h('div', {class: 'stage', hidden: true}, video, h('div', {class: 'guide'}, hint));
  const said = h('div', {});
  const start = h('button', {type: 'button', onclick: run}, icon('camera'), 'Record with the camera');
  const box = h('div', {class: 'stack'}, h('div', {class: 'row'}, start), said, stage);
  let close = null, media = null, timer = 0;

  box.stop = () => {
    clearTimeout(timer);
    if (media && media.state !== 'inactive') media.stop();
    if (close) close();
    close = media = null;
    stage.hidden = true;
    start.disabled = false;
  };

  async function run() {
    start.disabled = true;
    said.replaceChildren();
    try {
      stage.hidden = false;
      close = await openCamera(video);
      if (!window.MediaRecorder) throw new Error('This browser cannot record video; upload a file instead.');
      const type = ['video/webm;codecs=vp8', 'video/mp4'].find(t => MediaRecorder.isTypeSupported(t)) || '';
      const parts = [];
      media = new MediaRecorder(video.srcObject, {mimeType: type, videoBitsPerSecond: 4e6});
      media.addEventListener('dataavailable', e => parts.push(e.data));
      media.addEventListener('stop', () => {
        const ending = type.startsWith('video/mp4') ? 'mp4' : 'webm';
        onFile(new File(parts, `camera.${ending}`, {type: type.split(';')[0]}));
      });
      media.start(1000);
      step(0);
    } catch (reason) {
      box.stop();
      said.replaceChildren(note('bad', reason.message));
    }
  }

  function step(n) {
    if (n === steps.length) return box.stop();
    hint.textContent = steps[n];
    timer = setTimeout(() => step(n + 1), STEP_MS);
  }
  return box;
}
