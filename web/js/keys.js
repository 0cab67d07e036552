// API keys: made with scopes and an end, shown once, revoked.
import {call, get, post} from './api.js';
import {ask, field, h, icon, note, notice} from './dom.js';
import {date, exactly, when} from './words.js';

const scopes = [
  ['verify', 'Verify', 'ask about photos, as a door does'], ['enroll', 'Enroll', 'manage members, train'],
  ['audit', 'Audit', 'read the activity'], ['admin', 'Admin', 'everything'],
];

export async function keysSection(reload) {
  const {keys} = await get('/api/v1/keys');
  const now = new Date().toISOString();
  const live = keys.filter(k => !k.revoked && (!k.expires || k.expires > now));
  return h('section', {class: 'card stack', id: 'keys'},
    h('div', {class: 'row between'}, h('h2', {}, 'Keys'), h('button', {class: 'main', onclick: make}, icon('plus'), 'Make a key')),
    h('p', {class: 'soft'}, 'A key lets a door, a script or a person in. Each is shown once, when it is made; only a fingerprint of it is stored.'),
    live.length ? h('ul', {class: 'plain'}, live.map(row)) : h('p', {}, 'There are no keys in the store; the admin key comes from the environment.'));

  function row(k) {
    const facts = [k.access_key_id || `fg_${k.id.slice(0, 6)}…`, k.used ? `used ${when(k.used)}` : 'never used', k.expires ? `expires ${date(k.expires)}` : 'never expires'];
    return h('li', {class: 'item'}, icon('key'),
      h('div', {}, h('div', {class: 'row'}, h('span', {class: 'name'}, k.label || 'without a name'), (k.scopes || [k.scope]).map(s => h('span', {class: `tag ${s === 'admin' ? 'unsure' : 'accent'}`}, s))),
        h('div', {class: 'soft small number', title: exactly(k.used)}, facts.join(' · '))),
      h('button', {class: 'danger push', onclick: () => revoke(k), 'aria-label': `Revoke ${k.label || k.id}`}, 'Revoke'));
  }

  async function make() {
    const label = h('input', {maxLength: 100, placeholder: 'Front door', required: true});
    const boxes = scopes.map(([value, name, text]) => {
      const input = h('input', {type: 'checkbox', value, checked: value === 'verify'});
      return {input, row: h('label', {class: 'check'}, input, h('span', {}, h('strong', {}, name), h('span', {class: 'soft'}, `: ${text}`)))};
    });
    const days = h('select', {}, [['0', 'Never'], ['1', 'In a day'], ['30', 'In 30 days'], ['90', 'In 90 days'], ['365', 'In a year']].map(([value, text]) => h('option', {value}, text)));
    const said = h('div', {'aria-live': 'polite'});
    const made = await ask('Make a key', close => h('form', {
      class: 'stack',
      onsubmit: async event => {
        event.preventDefault();
        const chosen = boxes.filter(b => b.input.checked).map(b => b.input.value);
        if (!chosen.length) return said.replaceChildren(note('bad', 'Choose what the key may do.'));
        const what = chosen.length === 1 ? {scope: chosen[0]} : {scopes: chosen};
        try {
          close(await post('/api/v1/keys', {label: label.value.trim() || null, ...what, expires_days: Number(days.value)}));
        } catch (problem) { said.replaceChildren(note('bad', problem.message)); }
      },
    }, field('What is it for?', label), h('fieldset', {}, h('legend', {}, 'It may'), boxes.map(b => b.row)), field('Expires', days), said,
    h('div', {class: 'row'}, h('button', {class: 'main'}, 'Make'), h('button', {type: 'button', onclick: () => close()}, 'Cancel'))));
    if (!made) return;
    await ask('The new key', close => h('div', {class: 'stack'},
      note('unsure', 'Copy it now: it is not shown again.'), h('p', {class: 'secret', tabIndex: 0}, made.key),
      h('div', {class: 'row'},
        h('button', {class: 'main', onclick: () => copy(made.key)}, icon('copy'), 'Copy'),
        h('button', {onclick: () => close()}, 'Done'))));
    reload();
  }

  async function copy(text) {
    try { await navigator.clipboard.writeText(text); notice('good', 'Copied.'); } catch { notice('unsure', 'This browser does not let a page copy here; select the key and copy it.'); }
  }

  async function revoke(k) {
    const sure = await ask('Revoke this key?', close => h('div', {class: 'stack'},
      h('p', {}, `“${k.label || k.id}” stops working at once, and nobody stays signed in with it.`),
      h('div', {class: 'row'}, h('button', {class: 'danger', onclick: () => close(true)}, 'Revoke'), h('button', {onclick: () => close()}, 'Keep'))));
    if (!sure) return;
    try { await call('DELETE', `/api/v1/keys/${k.id}`); notice('good', 'The key was revoked.'); } catch (problem) { notice('bad', problem.message); }
    reload();
  }
}
