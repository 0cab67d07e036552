import {call, get} from './api.js';
import {h, icon, note, s} from './dom.js';
import {openCamera} from './camera.js';
import {decisions, percent, plural} from './words.js';

export const title = 'Test';

// Box and points over a picture that is shown as large as fits: the same viewBox rule as object-fit: contain.
function overlay(result) {
  const {width, height} = result.detail;
  const svg = s('svg', {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'xMidYMid meet', 'aria-hidden': 'true'});
  const colors = {granted: '#5fe39a', denied: '#ff8379', unknown: '#ffc857', retry: '#8ec1ff'};
  if (result.face) {
    const [x, y, w, hgt] = result.face.box;
    const box = {x, y, width: w, height: hgt, rx: w / 14};
    svg.append(s('rect', {...box, class: 'halo'}), s('rect', {...box, class: 'face-box', stroke: colors[result.decision]}));
    for (const [px, py] of result.face.points) svg.append(s('circle', {cx: px, cy: py, r: Math.max(2, w / 45), fill: colors[result.decision]}));
  }
  return svg;
}

function gauge(result) {
  const p = result.probability, enough = p >= result.threshold;
  const fill = h('div', {class: `fill ${enough ? 'enough' : ''}`}), mark = h('div', {class: 'mark'});
  fill.style.width = `${Math.max(0, Math.min(1, p)) * 100}%`;
  mark.style.left = `calc(${result.threshold * 100}% - 1.5px)`;
  return h('div', {class: 'gauge'},
    h('div', {class: 'row between'}, h('span', {}, 'Probability ', h('strong', {class: 'number'}, percent(p))), h('span', {class: 'soft small'}, `needed: ${percent(result.threshold, 0)}`)),
    h('div', {class: 'track', role: 'img', 'aria-label': `${percent(p)}, ${enough ? 'at or above' : 'below'} the ${percent(result.threshold, 0)} line`}, fill, mark));
}

function verdict(result) {
  const d = decisions[result.decision];
  return h('div', {class: `verdict ${result.decision}`}, h('div', {class: 'word'}, icon(d.icon), d.title),
    result.member && h('div', {class: 'who'}, result.member), result.role && h('p', {}, result.role),
    result.detail.texts.map(t => h('p', {}, t)));
}

function details(result) {
  const t = result.detail.timings;
  const facts = [
    ['Rights', result.rights.length ? h('span', {class: 'tags'}, result.rights.map(r => h('span', {class: 'tag accent'}, r))) : null],
    ['Similarity', result.similarity === null ? null : result.similarity.toFixed(3)],
    ['Faces in the picture', String(result.detail.faces)],
    ['Face score', result.face ? result.face.score.toFixed(3) : null],
    ['Time', `${result.elapsed_ms.toFixed(0)} ms: decode ${t.decode_ms.toFixed(1)}, find ${t.detect_ms.toFixed(1)}, compare ${(t.embed_ms + t.decide_ms).toFixed(1)}`],
    ['Model', `${result.model}, version ${result.classifier}`],
  ].filter(f => f[1]);
  return h('div', {class: 'row'}, result.detail.chip && h('img', {class: 'chip', src: result.detail.chip, alt: 'The face, cropped and turned upright'}),
    h('dl', {class: 'facts small'}, facts.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {class: 'number'}, value)])));
}

export async function show(main, go) {
  const [about, {members}] = await Promise.all([get('/api/v1/about'), get('/api/v1/members').catch(() => ({members: []}))]);
  const rights = [...new Set(members.flatMap(m => m.rights))].sort();
  let closeCamera = null, live = 0, picture = null, last = null;

  const file = h('input', {type: 'file', accept: 'image/*,.heic', 'aria-label': 'Choose a photo'});
  const zone = h('div', {class: 'drop'}, icon('test', 'icon big'), h('strong', {}, 'Drop a photo here, or choose one'), h('span', {class: 'small'}, 'You can also paste one'), file);
  const stage = h('div', {class: 'stage', hidden: true});
  const require = h('select', {id: 'require', onchange: () => last && check(last)}, h('option', {value: ''}, 'any member'), rights.map(r => h('option', {value: r}, r)));
  const cameraButton = h('button', {onclick: toggleCamera}, icon('camera'), 'Use the camera');
  const outcome = h('div', {class: 'stack', 'aria-live': 'polite'}, h('div', {class: 'card soft'}, 'The decision appears here, with its reasons.'));

  const untrained = about.classifier !== null ? '' : note('info', h('div', {class: 'row between'},
    h('span', {}, members.length ? 'Nothing is trained yet.' : 'There are no members yet.'),
    h('a', {class: 'button main', href: members.length ? '/train' : '/add'}, members.length ? 'Train' : 'Add the first member')));

  main.className = 'stack';
  main.append(h('div', {class: 'head'}, h('h1', {}, 'Test'), h('p', {}, `Who is this, and may they come in? Access needs a probability of ${percent(about.threshold, 0)} or more.`)),
    untrained,
    h('div', {class: 'two'},
      h('section', {class: 'card stack', 'aria-label': 'Photo'}, zone, stage,
        h('div', {class: 'row'}, cameraButton, rights.length > 0 && h('div', {class: 'row push'}, h('label', {htmlFor: 'require'}, 'Access for'), h('div', {}, require)))),
      outcome));

  function url() {
    return `/api/v1/verify?detail=1${require.value ? `&require=${encodeURIComponent(require.value)}` : ''}`;
  }

  function draw(result) {
    stage.querySelectorAll('svg').forEach(x => x.remove());
    if (result && result.detail.width) stage.append(overlay(result));
    if (result) outcome.replaceChildren(verdict(result), ...(result.probability === null ? [] : [h('div', {class: 'card'}, gauge(result))]), h('div', {class: 'card'}, details(result)));
  }

  async function check(blob) {
    last = blob;
    try {
      draw(await call('POST', url(), blob));
    } catch (problem) {
      draw(null);
      outcome.replaceChildren(note('bad', problem.message));
    }
  }

  function take(blob) {
    if (!blob) return;
    stopCamera();
    if (picture) URL.revokeObjectURL(picture);
    picture = URL.createObjectURL(blob);
    const image = h('img', {src: picture, alt: 'The photo that is tested'});
    image.addEventListener('error', () => { stage.hidden = true; }); /* a format that only the server can read */
    stage.replaceChildren(image);
    stage.hidden = false;
    outcome.replaceChildren(h('div', {class: 'card soft'}, 'Looking…'));
    check(blob);
  }

  function stopCamera() {
    live++;
    if (closeCamera) closeCamera();
    closeCamera = null;
    cameraButton.replaceChildren(icon('camera'), 'Use the camera');
    zone.hidden = false;
  }

  async function toggleCamera() {
    if (closeCamera) { stopCamera(); stage.hidden = true; return; }
    const video = h('video', {muted: true, playsInline: true, 'aria-label': 'Camera'});
    stage.replaceChildren(video);
    stage.hidden = false;
    try {
      closeCamera = await openCamera(video);
    } catch (reason) {
      stage.hidden = true;
      return outcome.replaceChildren(note('bad', reason.message));
    }
    zone.hidden = true;
    cameraButton.replaceChildren(icon('cross'), 'Stop the camera');
    const mine = ++live, canvas = h('canvas');
    while (mine === live && video.isConnected) {
      if (video.videoWidth) {
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
        canvas.getContext('2d').drawImage(video, 0, 0);
        const blob = await new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', .9));
        if (mine !== live) break;
        await check(blob);
      }
      await new Promise(resolve => setTimeout(resolve, 600));
    }
  }

  file.addEventListener('change', () => { take(file.files[0]); file.value = ''; });
  for (const type of ['dragenter', 'dragover']) zone.addEventListener(type, e => { e.preventDefault(); zone.classList.add('over'); });
  for (const type of ['dragleave', 'drop']) zone.addEventListener(type, () => zone.classList.remove('over'));
  zone.addEventListener('drop', e => { e.preventDefault(); take(e.dataTransfer.files[0]); });
  const paste = e => take([...e.clipboardData.files].find(f => f.type.startsWith('image/')));
  document.addEventListener('paste', paste);
  return () => {
    stopCamera();
    document.removeEventListener('paste', paste);
    if (picture) URL.revokeObjectURL(picture);
  };
}
