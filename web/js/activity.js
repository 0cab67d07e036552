import {get} from './api.js';
import {h, icon, note} from './dom.js';
import {eventList, nameKeys} from './events.js';
import {may} from './session.js';
import {actions, decisions, day} from './words.js';

export const title = 'Activity';
const PAGE = 60, POLL_MS = 4000;

export async function show(main) {
  const [{members}] = await Promise.all([may('enroll') ? get('/api/v1/members') : {members: []}, nameKeys()]);
  const start = new URLSearchParams(location.search);
  let next = null, lastDay = '', turn = 0, newest = 0, loading = 0;
  const option = ([value, text]) => h('option', {value}, text);
  const group = (label, options) => h('optgroup', {label}, options.map(option));
  const kind = h('select', {id: 'kind', onchange: again}, option(['', 'Everything']),
    group('Photos tested', [['action=verify', 'All of them'], ...Object.entries(decisions).map(([k, d]) => [`decision=${k}`, d.title])]),
    group('Changes', Object.entries(actions).filter(([k]) => k !== 'verify').map(([k, text]) => [`action=${k}`, text])));
  const who = h('select', {id: 'who', onchange: again}, option(['', 'Anybody']), members.map(m => option([String(m.id), m.name])));
  who.value = start.get('member') || '';
  const from = h('input', {id: 'from', type: 'date', onchange: again}), to = h('input', {id: 'to', type: 'date', onchange: again});
  const source = h('input', {id: 'source', type: 'search', placeholder: 'Address', onchange: again, maxLength: 64});
  const csv = h('a', {class: 'button', download: ''}, icon('down'), 'CSV');
  const list = h('div', {class: 'stack'}), said = h('div', {'aria-live': 'polite'});
  const more = h('button', {onclick: () => loading || load(turn), hidden: true}, 'Show older');
  const labelled = (label, control) => h('div', {class: 'field'}, h('label', {htmlFor: control.id}, label), control);

  main.append(
    h('div', {class: 'head'}, h('h1', {}, 'Activity'), csv, h('p', {}, 'Who was seen, and what was changed by whom. No picture is kept of a test.')),
    h('div', {class: 'stack'},
      h('section', {class: 'card filters', 'aria-label': 'Filters'}, labelled('Show', kind), members.length > 0 && labelled('Who', who), labelled('From', from), labelled('To', to), labelled('Source', source)),
      said, list, h('div', {class: 'row'}, more)));

  // Days as they are here, in the reader's own time.
  function query() {
    const q = new URLSearchParams(kind.value);
    if (who.value) q.set('member', who.value);
    if (source.value.trim()) q.set('source', source.value.trim());
    if (from.value) q.set('from', new Date(`${from.value}T00:00`).getTime());
    if (to.value) {
      const end = new Date(`${to.value}T00:00`);
      end.setDate(end.getDate() + 1);
      q.set('to', end.getTime());
    }
    return q;
  }

  function again() {
    next = null;
    lastDay = '';
    csv.href = `/api/v1/audit.csv?${query()}`;
    return load(++turn, true);
  }

  async function load(mine, fresh) {
    const q = query();
    q.set('limit', PAGE);
    if (next) q.set('before', next);
    let page;
    loading++;
    try { page = await get(`/api/v1/audit?${q}`); } catch (problem) { return said.replaceChildren(note('bad', problem.message)); } finally { loading--; }
    if (mine !== turn) return;
    if (fresh) {
      list.replaceChildren();
      newest = page.rows.length ? page.rows[0].id : 0;
    }
    said.replaceChildren(...(fresh && !page.rows.length ? [h('p', {class: 'card soft'}, 'Nothing that fits.')] : []));
    for (const row of page.rows) {
      if (day(row.time) !== lastDay) {
        lastDay = day(row.time);
        list.append(h('section', {class: 'card'}, h('h2', {class: 'day'}, lastDay)));
      }
      const card = list.lastChild, events = card.querySelector('ul');
      if (events) events.append(...eventList([row]).children);
      else card.append(eventList([row]));
    }
    next = page.next_before;
    more.hidden = next === null;
  }
  await again();

  // What is new comes by itself while one reads the top of the list.
  const timer = setInterval(async () => {
    if (document.hidden || scrollY > 200 || list.contains(document.activeElement)) return;
    const q = query();
    q.set('limit', 1);
    const top = await get(`/api/v1/audit?${q}`).catch(() => null);
    if (top && top.rows.length && top.rows[0].id > newest) again();
  }, POLL_MS);
  return () => clearInterval(timer);
}
