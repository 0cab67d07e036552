// Who is signed in, and what they may do; asked once, and again after each sign-in.
import {get} from './api.js';

let scopes = null;

export async function loadSession() {
  if (!scopes) scopes = (await get('/api/v1/session')).scopes;
  return scopes;
}

export function forgetSession() { scopes = null; }
export const may = scope => Boolean(scopes) && (scopes.includes(scope) || scopes.includes('admin'));
