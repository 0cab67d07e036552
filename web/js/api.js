// The one way to the server. Changes carry a header that no other site's page can set.

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.status = status;
    this.code = document.code;
  }
}

let onSignedOut = () => {};
export function whenSignedOut(action) { onSignedOut = action; }

function parse(status, text) {
  try { return JSON.parse(text); } catch { return {detail: text.slice(0, 200) || `The server answered ${status}.`}; }
}

export async function call(method, path, body) {
  const options = {method, headers: {'X-Facegate': 'web'}, credentials: 'same-origin'};
  if (body instanceof Blob || body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  let response;
  try { response = await fetch(path, options); } catch { throw new Problem(0, {detail: 'The server cannot be reached. Is it running?'}); }
  const text = await response.text();
  if (response.status === 401 && path !== '/signin') onSignedOut();
  if (!response.ok) throw new Problem(response.status, parse(response.status, text));
  return text ? JSON.parse(text) : null;
}

export const get = path => call('GET', path);
export const post = (path, body) => call('POST', path, body);

// With progress, which fetch does not tell for uploads.
export function upload(path, form, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open('POST', path);
    request.setRequestHeader('X-Facegate', 'web');
    request.upload.addEventListener('progress', e => onProgress(e.loaded, e.lengthComputable ? e.total : 0));
    request.addEventListener('load', () => {
      const document = parse(request.status, request.responseText);
      if (request.status === 401) onSignedOut();
      if (request.status >= 200 && request.status < 300) resolve(document);
      else reject(new Problem(request.status, document));
    });
    request.addEventListener('error', () => reject(new Problem(0, {detail: 'The upload broke off. Check the connection and try again.'})));
    request.addEventListener('abort', () => reject(new Problem(0, {code: 'cancelled', detail: 'The upload was stopped.'})));
    request.send(form);
  });
  return {done, stop: () => request.abort()};
}

// Follows a job to its end; the browser reconnects by itself, from the last event seen.
export function follow(id, handlers) {
  const source = new EventSource(`/api/v1/jobs/${id}/events`);
  for (const type of ['start', 'frame', 'progress'])
    source.addEventListener(type, e => handlers[type] && handlers[type](JSON.parse(e.data)));
  source.addEventListener('end', e => { source.close(); handlers.end(JSON.parse(e.data)); });
  source.addEventListener('error', async () => {
    if (source.readyState !== EventSource.CLOSED) return;
    try { handlers.end(await get(`/api/v1/jobs/${id}`)); } catch (problem) { handlers.end({state: 'failed', problem: {detail: problem.message}}); }
  });
  return () => source.close();
}
