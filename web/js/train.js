import {follow, get, post} from './api.js';
import {bar, h, icon, note, notice} from './dom.js';
import {exactly, percent, plural, rate, when} from './words.js';

export const title = 'Train';

const warnings = {
  few_templates: w => `${w.member} has only ${plural(w.value, 'picture')}. A longer video makes the decision surer.`,
  uniform: w => `All pictures of ${w.member} are much alike. A second video in other light helps.`,
  look_alike: w => `${w.member} and ${w.other} look alike (similarity ${w.value.toFixed(2)}). Facegate asks for more certainty between them.`,
  same_face: w => `${w.member} and ${w.other} seem to be the same person. Remove one of the two.`,
  outliers: w => `${plural(w.value, 'picture')} of ${w.member} did not resemble the rest and ${w.value === 1 ? 'was' : 'were'} left out.`,
};

function report(r) {
  const facts = [
    ['Members', `${r.members}`],
    ['Pictures', `${r.templates.toLocaleString('en')} used${r.outliers ? `, ${r.outliers} left out` : ''}`],
    ['Compared with', `${r.cohort.toLocaleString('en')} faces of nobody in particular`],
    ['Strangers let in', `${rate(r.far)}${r.far_high === null ? '' : `, at most ${rate(r.far_high)} (95 % sure)`}`],
    ['Members turned away', r.frr === null ? 'not measured: needs longer videos' : rate(r.frr)],
    ['Least similarity', r.similarity_gate === null ? '' : r.similarity_gate.toFixed(3)],
  ];
  return [
    h('dl', {class: 'facts'}, facts.filter(f => f[1]).flatMap(([term, value]) => [h('dt', {}, term), h('dd', {class: 'number'}, value)])),
    ...(r.warnings || []).map(w => note('unsure', warnings[w.kind] ? warnings[w.kind](w) : w.kind)),
  ];
}

export async function show(main, go) {
  const [{members}, {classifiers}] = await Promise.all([get('/api/v1/members'), get('/api/v1/classifiers')]);
  const versions = [...classifiers].sort((a, b) => b.version - a.version);
  const active = versions.find(v => v.active);
  const pictures = members.reduce((sum, m) => sum + m.templates, 0);
  const status = h('p', {'aria-live': 'polite'}), progress = bar('Training');
  const busy = h('div', {class: 'stack', hidden: true}, status, progress);
  const said = h('div', {'aria-live': 'polite'});
  const button = h('button', {class: 'main', onclick: start, disabled: !members.length}, icon('train'), active ? 'Train again' : 'Train');
  let stop = null;

  main.append(
    h('div', {class: 'head'}, h('h1', {}, 'Train'), h('p', {}, 'Teaches Facegate to tell your team apart from each other, and from everybody else.')),
    h('div', {class: 'stack'},
      h('section', {class: 'card stack'},
        members.length
          ? h('p', {}, `${plural(members.length, 'member')} with ${plural(pictures, 'picture')} are ready.`)
          : note('info', h('div', {class: 'row between'}, h('span', {}, 'There is nobody to learn yet.'), h('a', {class: 'button main', href: '/add'}, 'Add the first member'))),
        h('div', {class: 'row'}, button, active && h('a', {class: 'button', href: '/test'}, icon('test'), 'Test it')), busy, said),
      active && h('section', {class: 'card stack'},
        h('div', {class: 'row between'}, h('h2', {}, `Version ${active.version} is in use`), h('span', {class: 'soft small', title: exactly(active.created)}, `trained ${when(active.created)}`)),
        active.report ? report(active.report) : null),
      versions.length > 0 && h('section', {class: 'card stack'}, h('h2', {}, 'Versions'), table())));

  function table() {
    return h('div', {class: 'scroll'}, h('table', {class: 'cards'},
      h('thead', {}, h('tr', {}, ['Version', 'Trained', 'Members', 'Pictures', 'Strangers let in', ''].map(t => h('th', {scope: 'col'}, t || h('span', {class: 'hidden-label'}, 'Use'))))),
      h('tbody', {}, versions.map(v => {
        const r = v.report || {};
        return h('tr', {}, h('td', {'data-label': 'Version'}, String(v.version)),
          h('td', {'data-label': 'Trained', title: exactly(v.created)}, when(v.created)),
          h('td', {'data-label': 'Members', class: 'number'}, String(r.members ?? '')),
          h('td', {'data-label': 'Pictures', class: 'number'}, String(r.templates ?? '')),
          h('td', {'data-label': 'Strangers let in', class: 'number'}, r.far === undefined ? '' : rate(r.far)),
          h('td', {class: 'end', 'data-label': 'Use'}, v.active ? h('span', {class: 'tag good'}, icon('check'), 'in use')
            : h('button', {onclick: () => activate(v.version), 'aria-label': `Use this: version ${v.version}`}, 'Use this')));
      }))));
  }

  async function activate(version) {
    try {
      await post(`/api/v1/classifiers/${version}/activate`);
      notice('good', `Version ${version} is in use now.`);
      go('/train', true);
    } catch (problem) { notice('bad', problem.message); }
  }

  async function start() {
    button.disabled = true;
    busy.hidden = false;
    said.replaceChildren();
    status.textContent = 'Waiting for its turn…';
    try {
      const {job} = await post('/api/v1/train');
      stop = follow(job.id, {
        start: () => { status.textContent = 'Learning…'; },
        progress: p => { progress.set(p.done, p.total); status.textContent = `Learning: ${p.what}`; },
        end,
      });
    } catch (problem) { end({state: 'failed', problem: {detail: problem.message}}); }
  }

  function end(job) {
    busy.hidden = true;
    button.disabled = false;
    if (job.state !== 'done') return said.replaceChildren(note('bad', job.problem ? job.problem.detail : 'The training ended early.'));
    notice('good', `Version ${job.result.version} is trained${job.result.active ? ' and in use' : ''}.`);
    go('/train', true);
  }
  return () => stop && stop();
}
