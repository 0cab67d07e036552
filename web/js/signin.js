import {get, post} from './api.js';
import {field, h, note} from './dom.js';
import {forgetSession} from './session.js';

export const title = 'Sign in';

export async function show(main, go) {
  // A sign-in link carries its one-time token behind '#', which stays in the browser until here.
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  const wanted = new URLSearchParams(location.search).get('next') || '/';
  const next = /^\/[a-z]*(\?|$)/.test(wanted) ? wanted : '/'; // a page of ours, never another address
  const key = h('input', {type: 'password', name: 'key', autocomplete: 'current-password', spellcheck: false, required: true, autofocus: true});
  const keyField = field('Key', key, 'Shown when the server was first started, or made under Settings. It begins with fg_.');
  const said = h('div', {'aria-live': 'polite'});
  const button = h('button', {class: 'main', type: 'submit'}, 'Sign in');
  forgetSession();
  main.append(h('div', {class: 'stack'},
    h('div', {class: 'row'}, h('img', {src: '/icon.svg', alt: '', width: 52, height: 52}),
      h('div', {}, h('h1', {}, 'Facegate'), h('p', {class: 'soft'}, 'Faces in, access decisions out.'))),
    said,
    h('form', {class: 'card stack', onsubmit: enter}, keyField, button),
    h('p', {class: 'soft small'}, 'On the server itself, facegate serve prints a sign-in link at every start.')));

  async function open(credentials) {
    await post('/signin', credentials);
    await go(next, true);
  }

  async function enter(event) {
    event.preventDefault();
    button.disabled = true;
    keyField.fail('');
    try {
      await open({key: key.value.trim()});
    } catch (problem) {
      button.disabled = false;
      keyField.fail(problem.message);
    }
  }

  if (token) {
    history.replaceState(null, '', '/signin');
    try { return await open({token}); } catch (problem) {
      // Perhaps the link was opened twice by the same person, who is signed in already.
      try { await get('/api/v1/session'); return await go(next, true); } catch { said.replaceChildren(note('unsure', problem.message)); }
    }
  }
}
