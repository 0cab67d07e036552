// Records the guided turns of a head: a dialog with an oval to look into, a ring that fills, and a line that says
// what to do. A step ends when the head has turned, or after a while; while the face cannot be used, the time
// stands still, but not for ever.
import {h, icon, note, s} from './dom.js';
import {grab, hint, lookThrough, openCamera} from './camera.js';

const TURN = 14, NOD = 7; // degrees
const QUICK_MS = 1300, STEP_MS = 2300, PATIENCE_MS = 6000;
const steps = [
  {text: 'Look straight ahead', done: () => false},
  {text: 'Turn slowly to the left', done: (q, m) => { if (Math.abs(q.yaw - m.yaw) > TURN) m.side = Math.sign(q.yaw - m.yaw); return Boolean(m.side); }},
  {text: 'Back, and slowly to the right', done: (q, m) => m.side ? (q.yaw - m.yaw) * m.side < -TURN : Math.abs(q.yaw - m.yaw) > TURN},
  {text: 'Look up a little', done: (q, m) => { if (Math.abs(q.pitch - m.pitch) > NOD) m.nod = Math.sign(q.pitch - m.pitch); return Boolean(m.nod); }},
  {text: 'Look down a little', done: (q, m) => m.nod ? (q.pitch - m.pitch) * m.nod < -NOD : Math.abs(q.pitch - m.pitch) > NOD},
];

// An oval in the middle of a 4:3 picture, dark outside of it, and a ring around it that fills.
function guide() {
  const oval = 'M200 28C268 28 306 84 306 152S262 276 200 276 94 220 94 152 132 28 200 28Z';
  const ring = s('path', {d: oval, class: 'ring', pathLength: 100, 'stroke-dasharray': '0 100'});
  const svg = s('svg', {viewBox: '0 0 400 300', preserveAspectRatio: 'xMidYMid slice', class: 'overlay', 'aria-hidden': 'true'},
    s('path', {d: `M-400-300H800V600H-400Z${oval}`, class: 'dim', 'fill-rule': 'evenodd'}), s('path', {d: oval, class: 'oval'}), ring);
  svg.set = (share, good) => {
    ring.setAttribute('stroke-dasharray', `${100 * share} 100`);
    svg.classList.toggle('good', good);
  };
  return svg;
}

// Resolves to a File, or null where it was given up.
export function record() {
  return new Promise(resolve => {
    const video = h('video', {muted: true, playsInline: true, class: 'mirror', 'aria-label': 'Camera'});
    const oval = guide();
    const order = h('p', {class: 'order', role: 'status'}, 'Starting the camera…');
    const better = h('p', {class: 'better', hidden: true});
    const dots = h('ol', {class: 'dots', 'aria-hidden': 'true'}, steps.map(() => h('li')));
    const cancel = h('button', {type: 'button', onclick: () => finish(null)}, 'Cancel');
    const body = h('div', {class: 'stack'}, h('div', {class: 'stage tall'}, video, oval, h('div', {class: 'guide'}, better)), order, h('div', {class: 'row between'}, dots, cancel));
    const dialog = h('dialog', {class: 'recorder', 'aria-label': 'Record with the camera'}, body);
    let close = null, endLook = null, media = null, over = false;
    let at = -1, fine = 0, since = 0, before = 0, seen = null, answered = 0;
    const turned = {yaw: 0, pitch: 0, side: 0, nod: 0};
    document.body.append(dialog);
    dialog.addEventListener('close', () => finish(null));
    dialog.showModal();
    run();

    function finish(file) {
      if (over) return;
      over = true;
      if (endLook) endLook();
      if (media && media.state !== 'inactive') media.stop();
      if (close) close();
      dialog.close();
      dialog.remove();
      resolve(file);
    }

    async function run() {
      try {
        const opened = await openCamera(video);
        if (over) return opened();
        close = opened;
        if (!window.MediaRecorder) throw new Error('This browser cannot record video; upload a file instead.');
        await grab(video, 64);
        endLook = lookThrough(video, now => { seen = now; answered++; });
        before = since = performance.now();
        order.textContent = 'Put your face into the oval';
        requestAnimationFrame(tick);
      } catch (reason) {
        if (over) return;
        body.replaceChildren(note('bad', reason.message), h('div', {class: 'row'}, h('button', {type: 'button', onclick: () => finish(null)}, 'Close')));
      }
    }

    function startMedia() {
      const type = ['video/webm;codecs=vp8', 'video/webm;codecs=vp9', 'video/mp4'].find(t => MediaRecorder.isTypeSupported(t)) || '';
      const parts = [];
      media = new MediaRecorder(video.srcObject, {mimeType: type, videoBitsPerSecond: 4e6});
      media.addEventListener('dataavailable', e => parts.push(e.data));
      media.addEventListener('stop', () => {
        const ending = media.mimeType.startsWith('video/mp4') ? 'mp4' : 'webm';
        if (!over) finish(new File(parts, `camera-${new Date().toTimeString().slice(0, 8).replaceAll(':', '')}.${ending}`, {type: media.mimeType.split(';')[0]}));
      });
      media.start(500);
    }

    // By the clock of the screen, so that the ring moves smoothly however rarely the server answers.
    function tick(now) {
      if (over) return;
      const passed = Math.min(100, now - before), problem = hint(seen, {centred: true, mayTurn: at > 0});
      const good = !problem && (seen !== null || answered === 0);
      before = now;
      better.textContent = problem;
      better.hidden = !problem;
      if (good || now - since > PATIENCE_MS) fine += passed;
      if (at < 0) {
        if ((seen && good && fine > 500) || now - since > PATIENCE_MS) { startMedia(); next(now); }
      } else if (fine > STEP_MS || (fine > QUICK_MS && seen && seen.quality && steps[at].done(seen.quality, turned))) {
        if (at === 0 && seen && seen.quality) Object.assign(turned, {yaw: seen.quality.yaw, pitch: seen.quality.pitch});
        next(now);
      }
      oval.set(at < 0 ? 0 : (at + Math.min(1, fine / STEP_MS)) / steps.length, good);
      if (at < steps.length) return requestAnimationFrame(tick);
      order.textContent = 'Done';
      media.stop();
    }

    function next(now) {
      at++;
      fine = 0;
      since = now;
      if (at < steps.length) order.textContent = steps[at].text;
      [...dots.children].forEach((dot, i) => { dot.className = i < at ? 'done' : i === at ? 'now' : ''; });
    }
  });
}
