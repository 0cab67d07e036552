// An enrolment while it works: what was sampled, found and refused, with pictures as they come.
import {call, follow, get} from './api.js';
import {bar, h, icon, note, notice} from './dom.js';
import {plural, reason} from './words.js';

const SHOWN = 120; // pictures; a long video has thousands

export async function watch(main, id) {
  const [job, {members}] = await Promise.all([get(`/api/v1/jobs/${id}`), get('/api/v1/members')]);
  const who = job.subject || 'This member';
  const old = members.find(m => m.name === job.subject && m.created < job.created);
  let sampled = 0, found = 0, used = 0;
  const refused = {};
  const heading = h('h1');
  name(old ? `Adding pictures of ${who}` : `Adding ${who}`);
  const status = h('p', {'aria-live': 'polite'}, 'Waiting for its turn…');
  const progress = bar('Frames');
  const count = (label, kind) => { const dd = h('dd', {}, '0'); return {dd, box: h('div', {class: kind}, h('dt', {}, label), dd)}; };
  const frames = count('Frames', ''), faces = count('Faces found', ''), good = count('Used', 'good'), bad = count('Refused', '');
  const counts = h('dl', {class: 'counts four'}, frames.box, faces.box, good.box, bad.box);
  const why = h('ul', {class: 'tags'});
  const grid = h('ul', {class: 'faces', 'aria-label': 'Faces found'});
  const pictures = h('section', {class: 'card stack', hidden: true}, h('h2', {}, 'Pictures'), grid);
  const actions = h('div', {class: 'row'}, h('button', {onclick: stop}, 'Stop'), h('a', {class: 'button plain', href: '/team'}, 'Go on elsewhere; it works by itself'));
  const outcome = h('div', {'aria-live': 'polite', class: 'stack'});
  main.append(h('div', {class: 'head'}, heading), h('div', {class: 'stack'}, outcome,
    h('section', {class: 'card stack'}, status, progress, counts, why, actions), pictures));

  function name(text) {
    heading.textContent = text;
    document.title = `${text} · Facegate`;
  }

  async function stop() {
    try { await call('DELETE', `/api/v1/jobs/${id}`); } catch (problem) { notice('bad', problem.message); }
  }

  function onFrame(f) {
    sampled++;
    if (f.faces) found++;
    if (f.used) used++;
    else refused[f.reason] = (refused[f.reason] || 0) + 1;
    frames.dd.textContent = sampled;
    faces.dd.textContent = found;
    good.dd.textContent = used;
    bad.dd.textContent = sampled - used;
    status.textContent = 'Finding faces…';
    why.replaceChildren(...Object.entries(refused).map(([word, n]) => h('li', {class: 'tag unsure'}, `${n} × ${reason(word)}`)));
    if (!f.thumb) return;
    pictures.hidden = false;
    const place = `frame ${f.frame}, ${(f.time_ms / 1000).toFixed(1)} s`;
    const image = h('img', {src: f.thumb, alt: f.used ? `Face used, ${place}` : `Refused, ${place}: ${reason(f.reason)}`, loading: 'lazy'});
    image.addEventListener('error', () => image.remove()); // the server keeps the newest pictures alone
    grid.append(h('li', {class: f.used ? '' : 'refused', title: f.used ? place : `${place}: ${f.text}`}, image, f.used ? icon('check') : h('span', {}, reason(f.reason))));
    if (grid.children.length > SHOWN) grid.firstChild.remove();
  }

  function onEnd(end) {
    progress.hidden = true;
    if (end.state === 'done') return enrolled(end.result, end.faces_found);
    const stopped = end.state === 'cancelled';
    counts.hidden = !sampled;
    name(stopped ? 'Stopped' : old ? `No pictures of ${who} were added` : `${who} was not enrolled`);
    status.textContent = 'Nothing was changed.';
    outcome.replaceChildren(note(stopped ? 'info' : 'bad', end.problem ? end.problem.detail : 'The work ended early.'));
    actions.replaceChildren(h('a', {class: 'button main', href: old ? `/add?member=${old.id}` : '/add'}, 'Try again'), h('a', {class: 'button plain', href: '/team'}, 'Back to the team'));
  }

  function enrolled(r, seen) {
    name(old ? `Pictures of ${who} were added` : `${who} is enrolled`);
    // The end knows more than who came late has seen.
    frames.dd.textContent = r.frames_sampled;
    faces.dd.textContent = seen;
    good.dd.textContent = r.faces_used;
    bad.dd.textContent = r.frames_sampled - r.faces_used;
    status.textContent = `${plural(r.faces_used, 'face')} of ${plural(r.frames_sampled, 'frame')} are used`
      + (r.odd ? `; ${plural(r.odd, 'picture')} looked like somebody else and ${r.odd === 1 ? 'was' : 'were'} dropped` : '') + '.';
    outcome.replaceChildren(note('good', h('div', {class: 'row between'}, h('span', {}, old ? 'Next: train, so that these pictures count at the door.' : 'Next: train, so that this face is known at the door.'), h('a', {class: 'button main', href: '/train'}, 'Train'))));
    if (r.mostly_unclear) outcome.append(note('unsure', 'The face can hardly be made out. If sunglasses, a mask or a hat cover it, remove the member and add them again without.'));
    if (r.look_alike) outcome.append(note('unsure', `This face is much like that of ${r.look_alike.member}. If it is the same person, remove one of the two.`));
    actions.replaceChildren(h('a', {class: 'button', href: old ? `/add?member=${old.id}` : '/add'}, icon('plus'), old ? 'Add more' : 'Add another'), h('a', {class: 'button', href: `/member?id=${r.id}`}, `See ${who}`), h('a', {class: 'button plain', href: '/team'}, 'Back to the team'));
  }

  return follow(id, {
    frame: onFrame,
    progress: p => progress.set(p.done, p.total),
    start: () => { status.textContent = 'Reading the video…'; },
    end: onEnd,
  });
}
