import {get} from './api.js';
import {h, icon} from './dom.js';
import {actions, decisions, exactly, percent, reason, when} from './words.js';

export const title = 'Activity';

// A spreadsheet must not take a cell for a formula.
function cell(value) {
  const text = String(value ?? '');
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

export async function show(main) {
  let rows = [], next = null;
  const filter = h('select', {id: 'filter', onchange: draw},
    [['', 'Everything'], ['verify', 'Photos tested'], ...Object.entries(decisions).map(([k, d]) => [k, d.title]), ['change', 'Changes only']].map(([value, text]) => h('option', {value}, text)));
  const body = h('tbody'), empty = h('p', {class: 'soft'}, 'Nothing yet.');
  const more = h('button', {onclick: load}, 'Show older');
  main.append(
    h('div', {class: 'head'}, h('h1', {}, 'Activity'),
      h('div', {class: 'row'}, h('label', {htmlFor: 'filter', class: 'hidden-label'}, 'Show'), h('div', {}, filter), h('button', {onclick: save}, icon('down'), 'CSV')),
      h('p', {}, 'Who was seen, and what was changed by whom. No picture is kept of a test.')),
    h('section', {class: 'card stack'},
      h('div', {class: 'scroll'}, h('table', {class: 'cards'},
        h('thead', {}, h('tr', {}, ['Time', 'What', 'Who', 'Probability', 'By'].map(t => h('th', {scope: 'col'}, t)))), body)),
      empty, h('div', {class: 'row'}, more)));

  function shown(r) {
    const f = filter.value;
    return !f || (f === 'change' ? r.action !== 'verify' : r.action === f || r.decision === f);
  }

  function draw() {
    const visible = rows.filter(shown);
    empty.hidden = visible.length > 0;
    more.hidden = next === null;
    body.replaceChildren(...visible.map(r => {
      const d = decisions[r.decision];
      const why = r.reasons ? r.reasons.split(' ').map(reason).join(', ') : '';
      return h('tr', {},
        h('td', {'data-label': 'Time', title: exactly(r.time)}, when(r.time)),
        h('td', {'data-label': 'What'}, d ? h('span', {class: `tag ${d.tag}`}, icon(d.icon), d.title) : actions[r.action] || r.action),
        h('td', {'data-label': 'Who'}, (r.subject || why) && h('span', {}, r.subject, why && h('span', {class: 'soft small'}, r.subject ? ` (${why})` : why))),
        h('td', {'data-label': 'Probability', class: 'number'}, r.action === 'verify' && r.probability > 0 ? percent(r.probability) : ''),
        h('td', {'data-label': 'By', class: 'soft small'}, [r.actor, r.source].filter(Boolean).join(' · ')));
    }));
  }

  async function load() {
    const page = await get(`/api/v1/audit?limit=100${next ? `&before=${next}` : ''}`);
    rows = rows.concat(page.rows);
    next = page.next_before;
    draw();
  }

  function save() {
    const columns = ['time', 'action', 'subject', 'decision', 'reasons', 'probability', 'actor', 'source'];
    const text = [columns.join(','), ...rows.filter(shown).map(r => columns.map(c => cell(r[c])).join(','))].join('\r\n');
    const link = h('a', {href: URL.createObjectURL(new Blob([text], {type: 'text/csv'})), download: 'facegate-activity.csv'});
    link.click();
    URL.revokeObjectURL(link.href);
  }
  await load();
}
