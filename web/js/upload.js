// Sending files so that a broken connection costs nothing: by the tus protocol (1.0.0), each goes on where it
// broke off. What comes of them is ordered with their ids, in a form.
import {call, parse, Problem, signedOut} from './api.js';

const UPLOADS = '/api/v1/uploads', TUS = {'Tus-Resumable': '1.0.0', 'X-Facegate': 'web'};
const TRIES = 8, WAIT_MS = 500; // doubled each time: about two minutes without a server
const PIECE = 24 * 1024 * 1024; // of one request: what stands in front of a server may take no more than 32 MB
const BROKEN = 'The connection broke off.';

const base64 = text => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const stopped = () => new Problem(0, {code: 'cancelled', detail: 'The upload was stopped.'});

// A request with progress, which fetch does not tell. Rejects only where no answer comes.
function send(method, path, headers, body, state, onProgress) {
  return new Promise((resolve, reject) => {
    const request = state.request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries({...TUS, ...headers})) request.setRequestHeader(name, value);
    if (onProgress) request.upload.addEventListener('progress', e => onProgress(e.loaded));
    request.addEventListener('load', () => resolve(request));
    for (const type of ['error', 'timeout']) request.addEventListener(type, () => reject(new Problem(0, {detail: BROKEN})));
    request.addEventListener('abort', () => reject(stopped()));
    request.send(body || null);
  });
}

function check(request) {
  if (request.status < 300) return request;
  if (request.status === 401) signedOut();
  throw new Problem(request.status, parse(request.status, request.responseText));
}

// What is worth trying again: no answer, or a server that is busy or restarting; of a file also an offset that the
// server knows otherwise, or has not yet noticed to be broken off.
const PASSING = [0, 429, 502, 503, 504], OFFSET = [409, 423];

// Tries until it works, or cannot. Whatever got through meanwhile gives it all its tries again.
async function insist(state, onBroken, also, work) {
  for (let tries = 0, again = false; ; tries++, again = true) {
    const before = state.offset;
    try {
      if (state.over) throw stopped();
      return await work(again);
    } catch (problem) {
      if (state.offset > before) tries = 0;
      if (problem.code === 'cancelled' || ![...PASSING, ...also].includes(problem.status) || tries === TRIES) throw problem;
      onBroken(problem.status === 0 || also.includes(problem.status) ? BROKEN : problem.message);
      await new Promise(resolve => { state.wake = resolve; setTimeout(resolve, WAIT_MS * 2 ** tries); });
    }
  }
}

function sendFile(file, state, onProgress, onBroken) {
  let address = null;
  state.offset = 0;
  return insist(state, onBroken, OFFSET, async again => {
    if (!address) {
      const made = check(await send('POST', UPLOADS, {'Upload-Length': file.size, 'Upload-Metadata': `filename ${base64(file.name)}`}, null, state));
      address = new URL(made.getResponseHeader('Location'), location.href).pathname;
      state.made.push(address);
    } else if (again) {
      state.offset = Number(check(await send('HEAD', address, {}, null, state)).getResponseHeader('Upload-Offset'));
    }
    while (state.offset < file.size) {
      const from = state.offset, piece = file.slice(from, from + PIECE);
      check(await send('PATCH', address, {'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': from}, piece, state, loaded => onProgress(from + loaded)));
      state.offset += piece.size;
    }
    return address.split('/').pop();
  });
}

// form: the order's other fields. onProgress(done, total) in bytes; onBroken(text) when it has to try again.
export function upload(path, form, files, onProgress, onBroken) {
  const state = {over: false, request: null, wake: () => {}, offset: 0, made: []};
  const total = files.reduce((sum, file) => sum + file.size, 0);
  async function all() {
    let before = 0;
    try {
      for (const file of files) {
        form.append('upload', await sendFile(file, state, sent => onProgress(before + sent, total), onBroken));
        before += file.size;
      }
      onProgress(total, total);
      // The same key each time: should the answer alone be lost, the order is not given twice.
      const key = [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('');
      return await insist(state, onBroken, [], () => call('POST', path, form, {'Idempotency-Key': key}));
    } catch (problem) {
      for (const address of state.made) send('DELETE', address, {}, null, {}).catch(() => {}); // else the server forgets them in time
      throw problem;
    }
  }
  return {done: all(), stop: () => { state.over = true; if (state.request) state.request.abort(); state.wake(); }};
}
