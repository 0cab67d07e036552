import {get, post} from './api.js';
import {field, h, note} from './dom.js';

export const title = 'Sign in';

export async function show(main, go) {
  // A sign-in link carries its one-time token behind '#', which stays in the browser until here.
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  const key = h('input', {type: 'password', name: 'key', autocomplete: 'current-password', spellcheck: false, required: true});
  const keyField = field('Key', key, 'Shown when the server was first started, or made under Settings. It begins with fg_.');
  const said = h('div', {});
  const button = h('button', {class: 'main', type: 'submit'}, 'Sign in');
  main.append(h('div', {class: 'stack'},
    h('div', {class: 'row'}, h('img', {src: '/icon.svg', alt: '', width: 52, height: 52}),
      h('div', {}, h('h1', {}, 'Facegate'), h('p', {class: 'soft'}, 'Faces in, access decisions out.'))),
    said,
    h('form', {class: 'card stack', onsubmit: enter}, keyField, button)));

  async function open(credentials) {
    await post('/signin', credentials);
    await go('/team', true);
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
      try { await get('/api/v1/session'); return await go('/team', true); } catch { said.replaceChildren(note('unsure', problem.message)); }
    }
  }
  key.focus();
}
