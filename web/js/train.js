import {call, follow, get, post} from './api.js';
import {bar, h, icon, note, notice} from './dom.js';
import {report} from './report.js';
import {may} from './session.js';
import {inUse, trained, untrained} from './trained.js';
import {exactly, percent, plural, rate, seconds, when} from './words.js';

export const title = 'Train and deploy';
const FACES = 10; // shown as a sample
const VERSIONS = 12; // shown at first

export async function show(main, go) {
  const list = limit => get(`/api/v1/classifiers?brief=1&limit=${limit}`).then(answer => answer.classifiers);
  const [{members}, newest, {jobs}, about] = await Promise.all([
    get('/api/v1/members'), list(VERSIONS), get('/api/v1/jobs?open=1').catch(() => ({jobs: []})), get('/api/v1/about')]);
  const active = await inUse(about);
  const pictures = members.reduce((sum, m) => sum + m.templates, 0);
  const known = await trained(about, active), remote = about.train_on === 'sagemaker';
  const waiting = known ? members.filter(m => untrained(m, known.created)) : members;
  const status = h('p', {'aria-live': 'polite'}), progress = bar('Training');
  const cancel = h('button', {onclick: halt}, 'Stop');
  const busy = h('div', {class: 'stack', hidden: true}, status, progress, h('div', {class: 'row'}, cancel));
  const said = h('div', {'aria-live': 'polite'});
  const button = h('button', {class: 'main', onclick: start, disabled: !members.length}, icon('train'), known ? 'Train again' : 'Train');
  const download = (href, text, more = '') => h('a', {class: `button ${more} ${pictures ? '' : 'off'}`, href: pictures ? href : null, download: '', 'aria-disabled': pictures ? null : 'true'}, !more && icon('down'), text);
  let stop = null, work = null;

  main.append(
    h('div', {class: 'head'}, h('h1', {}, title), h('p', {}, 'Teaches Facegate to tell your team apart from each other, and from everybody else.')),
    h('div', {class: 'stack'},
      h('ol', {class: 'way'},
        step(1, pictures > 0, 'Preprocess', 'Each video became pictures; in each the face was found, turned upright and cut out.',
          h('div', {class: 'sample'}, pictures ? sample() : icon('one')),
          h('p', {class: 'amount'}, plural(pictures, 'face'), ' of ', plural(members.length, 'member')),
          download('/api/v1/chips.zip', 'Faces (.zip)')),
        step(2, pictures > 0, 'Embeddings', 'A network turned each face into numbers: near for one person, far for two.',
          h('div', {class: 'sample numbers', 'aria-hidden': 'true'}, icon('numbers')),
          h('p', {class: 'amount'}, pictures.toLocaleString('en'), ' × ', plural(about.embedding_size, 'number'), h('span', {class: 'soft small'}, ` by ${about.embedder}`)),
          h('div', {class: 'row'}, download('/api/v1/dataset.npz', 'Dataset (.npz)'), download('/api/v1/dataset.pickle', 'or .pickle', 'plain small'))),
        step(3, Boolean(known) && !waiting.length, 'Train and deploy', remote ? 'From the numbers a training job on SageMaker learns your team, and an endpoint there decides. That takes some minutes.'
          : 'From the numbers a classifier learns your team, and is put to use at once.',
          h('p', {class: 'amount'}, !members.length ? 'There is nobody to learn yet.' : waiting.length && known ? `New since the last training: ${waiting.map(m => untrained(m, known.created) === 'member' ? m.name : `pictures of ${m.name}`).join(', ')}.`
            : known ? `${known.name} knows everybody.` : 'Ready for the first training.'),
          busy, said,
          h('div', {class: 'row'}, members.length ? button : h('a', {class: 'button main', href: '/add'}, icon('plus'), 'Add the first member'), known && h('a', {class: 'button', href: '/test'}, icon('face'), 'Test it')))),
      active && !about.endpoint && h('section', {class: 'card stack'},
        h('div', {class: 'row between'}, h('h2', {}, `Version ${active.version} is in use`), h('span', {class: 'soft small', title: exactly(active.created)}, `trained ${when(active.created)}`)),
        active.report && active.report.members ? report(active.report) : null),
      newest.length > 0 && versions()));
  // One that was begun elsewhere, or before this page was opened.
  const running = jobs.find(j => j.kind !== 'enroll');
  if (running) watch(running);

  function step(n, done, name, text, ...content) {
    return h('li', {class: `card stack ${done ? 'done' : ''}`}, h('div', {class: 'row'}, h('span', {class: 'count', 'aria-hidden': 'true'}, done ? icon('check') : String(n)), h('h2', {}, name)),
      h('p', {class: 'soft small'}, text), content);
  }

  function sample() {
    return members.filter(m => m.portrait).slice(0, FACES).map(m => h('img', {src: `${m.portrait}?thumb=1&of=${m.templates}`, alt: '', title: m.name, width: 44, height: 44}));
  }

  function versions() {
    const box = h('div', {}, table(newest));
    const more = h('button', {hidden: newest.length < VERSIONS, onclick: async () => {
      try {
        box.replaceChildren(table(await list(1000)));
        more.hidden = true;
      } catch (problem) { notice('bad', problem.message); }
    }}, 'Show older');
    return h('section', {class: 'card stack'}, h('h2', {}, about.endpoint ? 'Versions on this server' : 'Versions'),
      about.endpoint && h('p', {class: 'soft small'}, 'They rest while the endpoint decides.'), box, h('div', {class: 'row', hidden: more.hidden}, more));
  }

  function table(rows) {
    const use = v => {
      if (v.active) return about.endpoint ? h('span', {class: 'tag'}, 'at rest') : h('span', {class: 'tag good'}, icon('check'), 'in use');
      if (!v.report || !v.report.members) return h('span', {class: 'soft small'}, 'emptied: one of its members was removed');
      if (!may('admin')) return null;
      const back = active && v.version < active.version;
      return h('button', {onclick: () => activate(v.version), 'aria-label': `${back ? 'Roll back to' : 'Activate'} version ${v.version}`}, icon(back ? 'retry' : 'check'), back ? 'Roll back' : 'Activate');
    };
    return h('div', {class: 'scroll'}, h('table', {class: 'cards'},
      h('thead', {}, h('tr', {}, ['Version', 'Trained', 'Members', 'Pictures', 'Strangers let in', 'Members turned away', ''].map(t => h('th', {scope: 'col'}, t || h('span', {class: 'hidden-label'}, 'Use'))))),
      h('tbody', {}, rows.map(v => {
        const r = v.report || {};
        return h('tr', {}, h('td', {'data-label': 'Version'}, String(v.version)),
          h('td', {'data-label': 'Trained', title: exactly(v.created)}, when(v.created)),
          h('td', {'data-label': 'Members', class: 'number'}, String(r.members ?? '')),
          h('td', {'data-label': 'Pictures', class: 'number'}, String(r.templates ?? '')),
          h('td', {'data-label': 'Strangers let in', class: 'number'}, r.far === undefined ? '' : rate(r.far)),
          h('td', {'data-label': 'Members turned away', class: 'number'}, r.frr === undefined || r.frr === null ? '' : r.frr > 0 ? percent(r.frr) : 'none'),
          h('td', {class: 'end', 'data-label': 'Use'}, use(v)));
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
    said.replaceChildren();
    try {
      watch((await post('/api/v1/train')).job);
    } catch (problem) { end({state: 'failed', problem: {detail: problem.message}}); }
  }

  function watch(job) {
    const place = job.kind === 'sagemaker' ? 'SageMaker' : 'Learning';
    work = job.id;
    button.disabled = true;
    busy.hidden = cancel.disabled = false;
    status.textContent = 'Waiting for its turn…';
    stop = follow(job.id, {
      start: () => { status.textContent = `${place}…`; },
      progress: p => { progress.set(p.done, p.total); status.textContent = `${place}: ${p.what}${p.total ? '' : `, ${seconds(p.done)}`}`; },
      end,
    });
  }

  async function halt() {
    cancel.disabled = true;
    try { await call('DELETE', `/api/v1/jobs/${work}`); } catch (problem) { notice('bad', problem.message); }
  }

  function end(job) {
    busy.hidden = true;
    button.disabled = false;
    if (job.state === 'cancelled') return said.replaceChildren(note('info', job.problem ? job.problem.detail : 'Stopped.'));
    if (job.state !== 'done') return said.replaceChildren(note('bad', job.problem ? job.problem.detail : 'The training ended early.'));
    if (job.kind === 'sagemaker') notice('good', `Endpoint ${job.result.endpoint} is trained and in use.`);
    else if (job.result.active) notice('good', `Version ${job.result.version} is trained and in use.`);
    else notice('unsure', `Version ${job.result.version} is trained, but measured worse than the one in use; that stays. You can activate it below.`, 15);
    go('/train', true);
  }
  return () => stop && stop();
}
