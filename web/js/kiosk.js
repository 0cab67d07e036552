// For a tablet at a door: full screen, one question, one answer in colour, sign and words.
import {call, get, post, whenSignedOut} from './api.js';
import {advice, grab, hint, lookThrough, openCamera} from './camera.js';
import {h, icon, note} from './dom.js';
import {forgetSession, loadSession, may} from './session.js';

export const title = 'Kiosk';

const HOLD_MS = 4000;        // an answer stays this long at least
const ADVICE_MS = 1500;      // what to do better, likewise
const GONE_MS = 1200;        // without a face: that person has left
const LINGER_MS = 9000;      // who stays after an answer is asked about again after this long
const SURE_UNKNOWN = 3;      // pictures; one bad picture turns nobody away
const RENEW_MS = 6 * 3600e3; // well before a session ends
const RETRY_MS = 3000;       // of signing in again
const OWN = 'kiosk-key';     // in this browser: the id, no secret, of the key that was made for it last

const answers = {
  granted: {icon: 'check', word: r => `Welcome, ${r.member}`, more: r => r.role},
  denied: {icon: 'cross', word: () => 'No access here', more: r => `${r.member}, you do not have the right for this door.`},
  unknown: {icon: 'cross', word: () => 'Not recognised', more: () => 'Please ask for help at the reception.'},
};

export async function show(main, go) {
  const query = new URLSearchParams(location.search);
  const video = h('video', {muted: true, playsInline: true, class: 'mirror', 'aria-label': 'Camera'});
  const sign = h('div', {class: 'sign', 'aria-hidden': 'true'}, icon('face'));
  const word = h('p', {class: 'word'}), more = h('p', {class: 'more'});
  const clock = h('p', {class: 'clock number'});
  const door = h('p', {class: 'door'});
  const screen = h('div', {class: 'screen idle', hidden: true}, h('div', {class: 'top'}, clock, door), h('div', {class: 'eye'}, video, sign),
    h('div', {class: 'said', role: 'status', 'aria-live': 'assertive'}, word, more),
    h('button', {class: 'leave', onclick: () => go('/test')}, 'Leave the kiosk'));
  const setup = h('div', {class: 'card stack setup'});
  let right = query.get('require') || '', key = null, closeCamera = null, endLook = null, lock = null, left = false, signedOut = null, returning = false;
  const timers = [setInterval(tell, 1000), setInterval(renew, RENEW_MS)];
  main.append(screen, setup);
  tell();
  await prepare();

  function tell() {
    clock.textContent = new Date().toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
  }

  async function prepare() {
    const {members} = may('enroll') ? await get('/api/v1/members') : {members: []};
    const rights = [...new Set([...members.flatMap(m => m.rights), right].filter(Boolean))].sort();
    const select = h('select', {id: 'door'}, h('option', {value: ''}, 'none, for any member'), rights.map(r => h('option', {value: r, selected: r === right}, r)));
    const said = h('div', {'aria-live': 'polite'});
    const go1 = h('button', {class: 'main', onclick: () => begin(select.value, false, said)}, icon('full'), 'Start');
    setup.replaceChildren(
      h('div', {class: 'row'}, icon('door', 'icon big'), h('h1', {}, 'Kiosk')),
      h('p', {class: 'soft'}, 'For a tablet at a door: it looks through the camera and says, in colour, sign and words, who may enter.'),
      h('div', {class: 'field'}, h('label', {htmlFor: 'door'}, 'Right that is needed here'), select),
      may('admin') && note('unsure', 'You are signed in with all rights. Lock the kiosk, so that who leaves it finds nothing but a test: it gets a key of its own that can only verify.'),
      said,
      h('div', {class: 'row'}, may('admin') && h('button', {class: 'main', onclick: () => begin(select.value, true, said)}, icon('key'), 'Lock and start'),
        may('admin') ? h('button', {onclick: () => begin(select.value, false, said)}, icon('full'), 'Start as I am') : go1,
        h('a', {class: 'button plain', href: '/test'}, 'Cancel')));
  }

  // From here on this browser is signed in with a key that may verify and nothing else.
  async function lockIn() {
    const made = await post('/api/v1/keys', {label: `Kiosk${right ? `: ${right}` : ''}`, scope: 'verify', expires_days: 0});
    key = made.key;
    // The secret of the one before was in a page that is gone: nobody can use it any more.
    const before = localStorage.getItem(OWN);
    localStorage.setItem(OWN, made.id);
    if (before) await call('DELETE', `/api/v1/keys/${before}`).catch(() => {});
    await post('/signout');
    await post('/signin', {key});
    forgetSession();
    await loadSession();
  }

  // A kiosk's session is renewed for as long as it runs: with the key of its own, else as the session of a door.
  const credentials = () => key ? {key} : {renew: true};

  async function renew() {
    if (key || !(may('enroll') || may('audit'))) await post('/signin', credentials()).catch(() => {});
  }

  async function stayAwake() {
    if (!document.hidden && navigator.wakeLock) lock = await navigator.wakeLock.request('screen').catch(() => null);
  }

  // The server was started anew, and remembers no session: a door must not wait for somebody to sign in.
  async function comeBack() {
    if (returning || left) return;
    returning = true;
    if (endLook) endLook();
    put('down');
    for (let done = false; !done && !left;) {
      try {
        await post('/signin', credentials());
        done = true;
      } catch (problem) {
        if (problem.status === 401 || problem.status === 403) return signedOut(); // that key is no more
        await new Promise(resolve => setTimeout(resolve, RETRY_MS));
      }
    }
    returning = false;
    if (!left) watch();
  }

  async function begin(chosen, locked, said) {
    right = chosen;
    try {
      const full = document.documentElement.requestFullscreen; // asked for at once, while the click still counts
      if (full) full.call(document.documentElement).catch(() => {});
      closeCamera = await openCamera(video);
      if (left) return closeCamera();
      if (locked) await lockIn();
      await stayAwake();
    } catch (problem) {
      if (closeCamera) closeCamera();
      return said.replaceChildren(note('bad', problem.message));
    }
    history.replaceState(null, '', `/kiosk${right ? `?require=${encodeURIComponent(right)}` : ''}`);
    door.textContent = right;
    setup.hidden = true;
    screen.hidden = false;
    signedOut = whenSignedOut(comeBack);
    document.addEventListener('visibilitychange', stayAwake); // the lock ends with each look elsewhere
    put('idle');
    watch();
  }

  function put(state, result) {
    const answer = answers[state];
    screen.className = `screen ${state}`;
    sign.replaceChildren(icon(answer ? answer.icon : 'face'));
    const text = answer ? answer.word(result) : state === 'idle' ? 'Look into the camera' : state === 'down' ? 'One moment, please' : result;
    const second = answer ? answer.more(result) : state === 'down' ? 'The server does not answer.' : '';
    if (word.textContent !== text) word.textContent = text; // said aloud once
    if (more.textContent !== second) more.textContent = second;
  }

  function watch() {
    let seenAt = 0, holdUntil = 0, answeredAt = 0, misses = 0;
    endLook = lookThrough(video, async seen => {
      const now = performance.now();
      if (seen && seen.face) seenAt = now;
      const gone = seen && now - seenAt > GONE_MS;
      if (gone) misses = answeredAt = 0; // whoever comes next is somebody else
      if (now < holdUntil) return;
      if (!seen) return put('down');
      if (gone) return put('idle');
      if (!seen.face) return;
      if (answeredAt && now - answeredAt < LINGER_MS) return put('idle');
      const problem = hint(seen);
      if (problem) return put('looking', problem);
      put('looking', 'One moment…');
      const photo = await grab(video, 1280);
      let result;
      try { result = await post(`/api/v1/verify${right ? `?require=${encodeURIComponent(right)}` : ''}`, photo); } catch (failed) {
        return failed.status === 409 ? put('looking', 'Nothing is trained yet') : put('down');
      }
      if (result.decision === 'retry') {
        holdUntil = performance.now() + ADVICE_MS;
        return put('looking', advice(result.reasons[0]) || 'One moment…');
      }
      if (result.decision === 'unknown' && ++misses < SURE_UNKNOWN) return;
      misses = 0;
      answeredAt = performance.now();
      holdUntil = answeredAt + HOLD_MS;
      put(result.decision, result);
    });
  }

  return () => {
    left = true;
    if (signedOut) whenSignedOut(signedOut);
    document.removeEventListener('visibilitychange', stayAwake);
    timers.forEach(clearInterval);
    if (endLook) endLook();
    if (closeCamera) closeCamera();
    if (lock) lock.release();
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  };
}
