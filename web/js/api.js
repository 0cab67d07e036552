// The one way to the server. Changes carry a header that no other site's page can set.

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.status = status;
    this.code = document.code;
    this.retryAfter = document.retryAfter;
  }
}

let onSignedOut = () => {};
// Returns what was done so far, to be put back.
export function whenSignedOut(action) {
  const before = onSignedOut;
  onSignedOut = action;
  return before;
}
export function signedOut() { onSignedOut(); }

export function parse(status, text) {
  try { return JSON.parse(text); } catch { return {detail: text.slice(0, 200) || `The server answered ${status}.`}; }
}

export async function call(method, path, body, headers = {}) {
  const options = {method, headers: {'X-Facegate': 'web', ...headers}, credentials: 'same-origin'};
  if (body instanceof Blob || body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers['Content-Type'] = 'application/json';
  }
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch { throw new Problem(0, {detail: 'The server cannot be reached. Is it running?'}); }
  if (response.status === 401 && path !== '/signin') onSignedOut();
  if (!response.ok) throw new Problem(response.status, {...parse(response.status, text), retryAfter: Number(response.headers.get('Retry-After')) || 0});
  return text ? JSON.parse(text) : null;
}

export const get = path => call('GET', path);
export const post = (path, body) => call('POST', path, body);

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
