import {call, get, post} from './api.js';
import {ask, field, h, icon, note, notice} from './dom.js';
import {exactly, when} from './words.js';

export const title = 'Settings';

const scopes = [
  ['verify', 'Verify: ask about photos (a door)'], ['enroll', 'Enroll: manage members and train'],
  ['audit', 'Audit: read the activity'], ['admin', 'Admin: everything'],
];

export async function show(main, go) {
  const session = await get('/api/v1/session');
  const admin = session.scopes.includes('admin');
  const {keys} = admin ? await get('/api/v1/keys') : {keys: []};
  const now = new Date().toISOString();
  const live = keys.filter(k => !k.revoked && (!k.expires || k.expires > now));
  main.append(h('div', {class: 'head'}, h('h1', {}, 'Settings')),
    h('div', {class: 'stack'},
      h('section', {class: 'card stack'},
        h('div', {class: 'row between'}, h('h2', {}, 'Keys'), admin && h('button', {class: 'main', onclick: make}, icon('plus'), 'Make a key')),
        h('p', {class: 'soft'}, 'A key lets a door, a script or a person in. Each is shown once, when it is made; only a fingerprint of it is stored.'),
        admin ? table() : note('info', 'Keys are managed by an admin.')),
      h('section', {class: 'card stack'}, h('h2', {}, 'This session'),
        h('p', {class: 'soft'}, `Signed in with the scopes: ${session.scopes.join(', ')}.`),
        h('div', {class: 'row'}, h('button', {onclick: leave}, icon('exit'), 'Sign out'), h('a', {class: 'button plain', href: '/about'}, icon('about'), 'About Facegate')))));

  function table() {
    if (!live.length) return h('p', {}, 'There are no keys in the store; the admin key comes from the environment.');
    return h('div', {class: 'scroll'}, h('table', {class: 'cards'},
      h('thead', {}, h('tr', {}, ['Key', 'For', 'Scope', 'Last used', 'Expires', ''].map(t => h('th', {scope: 'col'}, t || h('span', {class: 'hidden-label'}, 'Revoke'))))),
      h('tbody', {}, live.map(k => h('tr', {},
        h('td', {'data-label': 'Key', class: 'number'}, `fg_${k.id.slice(0, 6)}…`), h('td', {'data-label': 'For'}, k.label),
        h('td', {'data-label': 'Scope'}, h('span', {class: 'tag accent'}, k.scope)),
        h('td', {'data-label': 'Last used', title: exactly(k.used)}, when(k.used)),
        h('td', {'data-label': 'Expires', title: exactly(k.expires)}, k.expires ? exactly(k.expires).split(',')[0] : 'never'),
        h('td', {class: 'end', 'data-label': 'Revoke'}, h('button', {class: 'danger', onclick: () => revoke(k), 'aria-label': `Revoke ${k.label || k.id}`}, 'Revoke')))))));
  }

  async function make() {
    const label = h('input', {maxLength: 100, placeholder: 'Front door', required: true});
    const scope = h('select', {}, scopes.map(([value, text]) => h('option', {value}, text)));
    const days = h('select', {}, [['0', 'Never'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['365', 'In a year']].map(([value, text]) => h('option', {value}, text)));
    const said = h('div');
    const made = await ask('Make a key', close => h('form', {
      class: 'stack',
      onsubmit: async event => {
        event.preventDefault();
        try {
          close(await post('/api/v1/keys', {label: label.value.trim() || null, scope: scope.value, expires_days: Number(days.value)}));
        } catch (problem) { said.replaceChildren(note('bad', problem.message)); }
      },
    }, field('What is it for?', label), field('Scope', scope), field('Expires', days), said,
    h('div', {class: 'row'}, h('button', {class: 'main'}, 'Make'), h('button', {type: 'button', onclick: () => close()}, 'Cancel'))));
    if (!made) return;
    await ask('The new key', close => h('div', {class: 'stack'},
      note('unsure', 'Copy it now: it is not shown again.'), h('p', {class: 'key', tabIndex: 0}, made.key),
      h('div', {class: 'row'},
        h('button', {class: 'main', onclick: async () => { await navigator.clipboard.writeText(made.key); notice('good', 'Copied.'); }}, 'Copy'),
        h('button', {onclick: () => close()}, 'Done'))));
    go('/settings', true);
  }

  async function revoke(k) {
    const sure = await ask('Revoke this key?', close => h('div', {class: 'stack'},
      h('p', {}, `“${k.label || k.id}” stops working at once, and nobody stays signed in with it.`),
      h('div', {class: 'row'}, h('button', {class: 'danger', onclick: () => close(true)}, 'Revoke'), h('button', {onclick: () => close()}, 'Keep'))));
    if (!sure) return;
    try { await call('DELETE', `/api/v1/keys/${k.id}`); notice('good', 'The key was revoked.'); } catch (problem) { notice('bad', problem.message); }
    go('/settings', true);
  }

  async function leave() {
    await post('/signout');
    go('/signin', true);
  }
}
