// The audit's rows as a list that reads the same on a phone and on a wide screen.
import {get} from './api.js';
import {h, icon} from './dom.js';
import {may} from './session.js';
import {actions, decisions, exactly, percent, reason, when} from './words.js';

const actionIcons = {
  enroll: 'video', train: 'train', deploy: 'train', activate: 'train', member_set: 'edit', member_remove: 'bin', key_create: 'key', key_revoke: 'key',
  sign_in: 'one', settings: 'settings', reset: 'retry', export: 'down', import: 'upload', invoke: 'numbers',
};

// Keys by the names that they were given; only an admin may know them.
let labels = new Map();
export async function nameKeys() {
  labels = may('admin') ? await get('/api/v1/keys').then(a => new Map(a.keys.filter(k => k.label).map(k => [k.id, k.label])), () => labels) : new Map();
}
const keyName = id => labels.get(id) || `fg_${id.slice(0, 6)}…`;

function who(actor) {
  const [kind, id] = actor.split(':'), name = !id ? '' : id === 'preset' ? 'the preset key' : keyName(id);
  return kind === 'cli' ? 'command line' : kind === 'web' ? ['web app', name].filter(Boolean).join(', ') : kind === 'key' ? `by key: ${name}` : actor;
}

function subject(row) {
  return row.subject && ['key_create', 'key_revoke', 'sign_in'].includes(row.action) ? keyName(row.subject) : row.subject;
}

function what(row, withSubject) {
  const d = decisions[row.decision];
  if (d) return {title: withSubject && row.subject ? `${row.subject}: ${d.title.toLowerCase()}` : d.title, icon: d.icon, kind: d.tag};
  const text = actions[row.action] || row.action.replaceAll('_', ' ');
  return {title: withSubject && row.subject ? `${text}: ${subject(row)}` : text, icon: actionIcons[row.action] || 'about', kind: ''};
}

export function eventList(rows, withSubject = true) {
  return h('ul', {class: 'events'}, rows.map(r => {
    const w = what(r, withSubject);
    const more = [r.reasons && r.reasons.split(' ').map(reason).join(', '), [who(r.actor), r.source].filter(Boolean).join(' · ')].filter(Boolean);
    return h('li', {}, h('span', {class: `dot ${w.kind}`}, icon(w.icon)),
      h('div', {}, h('div', {class: 'name'}, w.title), h('div', {class: 'soft small'}, more.join(' · '))),
      h('span', {class: 'number'}, r.decision && r.probability > 0 && percent(r.probability)),
      h('time', {class: 'soft small', dateTime: r.time, title: exactly(r.time)}, when(r.time)));
  }));
}
