import {call, get} from './api.js';
import {grab, hint, lookThrough, openCamera, overlay} from './camera.js';
import {h, icon, note} from './dom.js';
import {catchDrops} from './picker.js';
import {may} from './session.js';
import {details, verdict} from './verdict.js';
import {decisions, percent} from './words.js';

export const title = 'Test';
const ASK_EVERY_MS = 900; // of the live camera: each question is an attempt in the activity

export async function show(main) {
  const [about, {members}] = await Promise.all([get('/api/v1/about'), may('enroll') ? get('/api/v1/members') : {members: []}]);
  const rights = [...new Set(members.flatMap(m => m.rights))].sort();
  let closeCamera = null, endLook = null, live = 0, picture = null, last = null;

  const file = h('input', {type: 'file', accept: 'image/*,.heic', 'aria-label': 'Choose a photo'});
  const zone = h('div', {class: 'drop'}, icon('face', 'icon big'), h('strong', {}, 'Choose, drop or paste a photo'), h('span', {class: 'small'}, 'JPEG, PNG, WebP or HEIC'), file);
  const stage = h('div', {class: 'stage', hidden: true});
  const require = h('select', {id: 'require', onchange: () => last && check(last)}, h('option', {value: ''}, 'any member'), rights.map(r => h('option', {value: r}, r)));
  const cameraButton = h('button', {onclick: toggleCamera}, icon('camera'), 'Use the camera');
  const outcome = h('div', {class: 'stack'}, waiting()), said = h('p', {class: 'hidden-label', role: 'status'});

  const untrained = about.classifier !== null || about.endpoint ? '' : note('info', h('div', {class: 'row between'},
    h('span', {}, members.length || !may('enroll') ? 'Nothing is trained yet.' : 'There are no members yet.'),
    may('enroll') && h('a', {class: 'button main', href: members.length ? '/train' : '/add'}, members.length ? 'Train' : 'Add the first member')));

  main.append(h('div', {class: 'head'}, h('h1', {}, 'Test'), h('a', {class: 'button', href: '/kiosk'}, icon('door'), 'Open the kiosk'),
    h('p', {}, `Who is this, and may they come in? Access needs a probability of ${percent(about.threshold, 0)} or more.`)),
  h('div', {class: 'stack'}, untrained,
    h('div', {class: 'two'},
      h('section', {class: 'card stack', 'aria-label': 'Photo'}, stage, zone,
        h('div', {class: 'row'}, cameraButton, rights.length > 0 && h('div', {class: 'row push'}, h('label', {htmlFor: 'require'}, 'Access for'), h('div', {}, require)))),
      outcome)), said);

  function waiting() {
    return h('div', {class: 'verdict waiting'}, h('div', {class: 'word'}, icon('face'), 'The decision appears here'), h('p', {}, 'With who it is, how sure that is, and why.'));
  }

  function url() {
    return `/api/v1/verify?detail=1${require.value ? `&require=${encodeURIComponent(require.value)}` : ''}`;
  }

  function draw(what) {
    const old = stage.querySelector('.overlay');
    if (old) old.remove();
    if (!what) return;
    const svg = overlay(what);
    svg.classList.toggle('mirror', Boolean(closeCamera));
    stage.append(svg);
  }

  // Why there is no answer, in the words of this page.
  function failure(problem) {
    if (problem.status !== 409) return note('bad', problem.message);
    return note('info', h('div', {class: 'row between'}, h('span', {}, 'The team has to be trained before a photo can be tested.'), may('enroll') && h('a', {class: 'button', href: '/train'}, 'Train')));
  }

  async function check(blob) {
    last = blob;
    const mine = live;
    try {
      const result = await call('POST', url(), blob);
      if (mine !== live) return null;
      if (!closeCamera) draw({width: result.detail.width, height: result.detail.height, face: result.face, kind: result.decision});
      outcome.replaceChildren(verdict(result), details(result));
      const words = [decisions[result.decision].title, result.member, ...result.detail.texts].filter(Boolean).join('. ');
      if (said.textContent !== words) said.textContent = words; // aloud once, however often the camera asks
      return result;
    } catch (problem) {
      if (mine !== live) return null;
      draw(null);
      const why = failure(problem);
      outcome.replaceChildren(why);
      said.textContent = why.textContent;
      return null;
    }
  }

  function take(blob) {
    if (!blob) return;
    stopCamera();
    last = null;
    if (!blob.size) {
      stage.hidden = true;
      zone.classList.remove('slim');
      said.textContent = 'This file is empty.';
      return outcome.replaceChildren(note('bad', 'This file is empty.'));
    }
    if (picture) URL.revokeObjectURL(picture);
    picture = URL.createObjectURL(blob);
    const image = h('img', {src: picture, alt: 'The photo that is tested'});
    image.addEventListener('error', () => { stage.hidden = true; }); // a format that only the server can read
    stage.replaceChildren(image);
    stage.hidden = false;
    zone.classList.add('slim');
    outcome.replaceChildren(h('div', {class: 'verdict waiting'}, h('div', {class: 'word'}, icon('face'), 'Looking…')));
    check(blob);
  }

  function stopCamera() {
    live++;
    if (endLook) endLook();
    if (closeCamera) closeCamera();
    closeCamera = endLook = null;
    cameraButton.replaceChildren(icon('camera'), 'Use the camera');
    zone.hidden = false;
  }

  async function toggleCamera() {
    if (closeCamera) {
      stopCamera();
      stage.hidden = true;
      zone.classList.remove('slim');
      return;
    }
    stopCamera();
    const mine = live;
    const video = h('video', {muted: true, playsInline: true, class: 'mirror', 'aria-label': 'Camera'});
    const better = h('p', {class: 'better', hidden: true});
    stage.replaceChildren(video, h('div', {class: 'guide'}, better));
    stage.hidden = false;
    cameraButton.disabled = true;
    try {
      const opened = await openCamera(video);
      if (mine !== live) return opened();
      closeCamera = opened;
    } catch (reason) {
      stage.hidden = true;
      said.textContent = reason.message;
      return outcome.replaceChildren(note('bad', reason.message));
    } finally { cameraButton.disabled = false; }
    zone.hidden = true;
    cameraButton.replaceChildren(icon('cross'), 'Stop the camera');
    let kind = 'seen', asked = 0;
    endLook = lookThrough(video, async seen => {
      const text = hint(seen);
      better.textContent = text;
      better.hidden = !text;
      draw(seen ? {...seen, kind} : null);
      if ((seen && !seen.usable) || performance.now() - asked < ASK_EVERY_MS) return;
      asked = performance.now();
      const photo = await grab(video, 1280);
      if (mine !== live || !photo) return;
      const result = await check(photo);
      kind = result ? result.decision : 'seen';
    });
  }

  file.addEventListener('change', () => { take(file.files[0]); file.value = ''; });
  const leaveDrops = catchDrops(zone, dropped => take(dropped[0]));
  const paste = e => take([...e.clipboardData.files].find(f => f.type.startsWith('image/')));
  document.addEventListener('paste', paste);
  return () => {
    stopCamera();
    leaveDrops();
    document.removeEventListener('paste', paste);
    if (picture) URL.revokeObjectURL(picture);
  };
}
