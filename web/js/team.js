import {get} from './api.js';
import {h, icon, note} from './dom.js';
import {rightTags} from './rights.js';
import {inUse, trained, untrained} from './trained.js';
import {plural, when} from './words.js';

export const title = 'Team';
const POLL_MS = 2500; // while somebody is being enrolled
const SEARCH_FROM = 9; // members; fewer are seen at a glance

export function portrait(m, size = '') {
  return m.portrait ? h('img', {class: `portrait ${size}`, src: `${m.portrait}?${size ? '' : 'thumb=1&'}of=${m.templates}`, alt: '', loading: 'lazy', width: 96, height: 96})
    : h('div', {class: `portrait blank ${size}`}, icon('one'));
}

export async function show(main, go) {
  const [{members}, about, {jobs}] = await Promise.all([
    get('/api/v1/members'), get('/api/v1/about'), get('/api/v1/jobs?open=1').catch(() => ({jobs: []}))]);
  const working = jobs.filter(j => j.kind === 'enroll');
  const active = await trained(about, await inUse(about));
  const news = m => active ? untrained(m, active.created) : '';
  if (!members.length && !working.length) return main.append(h('h1', {class: 'hidden-label'}, 'Team'), firstRun());
  const list = h('ul', {class: 'members'}, members.map(card));
  const nobody = h('p', {class: 'soft', hidden: true}, 'Nobody fits.');
  const search = h('input', {type: 'search', 'aria-label': 'Find a member', placeholder: 'Name, role or right', oninput: find});

  main.append(
    h('div', {class: 'head'}, h('h1', {}, 'Team'),
      h('a', {class: 'button main', href: '/add'}, icon('plus'), 'Add a member'),
      h('p', {}, members.length === 1 ? 'One member whom Facegate knows by face.' : `${plural(members.length, 'member')} whom Facegate knows by face.`)),
    h('div', {class: 'stack'}, working.map(inWork), nextStep(),
      members.length >= SEARCH_FROM && h('div', {class: 'search'}, icon('search'), search), list, nobody));

  // Until one of them has ended, which changes the team.
  const timer = working.length ? setInterval(async () => {
    const now = await get('/api/v1/jobs?open=1').catch(() => null);
    const open = now && now.jobs.map(j => j.id);
    if (open && working.some(j => !open.includes(j.id))) go('/team', true);
  }, POLL_MS) : 0;

  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    members.forEach((m, i) => {
      const text = [m.name, m.role, ...m.rights].join(' ').toLowerCase();
      list.children[i].hidden = !words.every(w => text.includes(w));
      if (!list.children[i].hidden) left++;
    });
    nobody.hidden = left > 0;
  }

  function card(m) {
    return h('li', {class: 'card member'}, portrait(m),
      h('div', {class: 'tight'},
        h('h2', {}, h('a', {class: 'cover', href: `/member?id=${m.id}`}, m.name)), h('p', {class: 'soft'}, m.role), rightTags(m.rights)),
      h('p', {class: 'foot soft small'}, plural(m.templates, 'picture'), news(m) ? h('span', {class: 'tag unsure push'}, news(m) === 'member' ? 'not trained yet' : 'new pictures')
        : h('span', {class: 'push'}, m.last_seen ? `seen ${when(m.last_seen)}` : 'not seen yet')));
  }

  function nextStep() {
    if (!members.length) return null;
    if (!active) return note('info', h('div', {class: 'row between'}, h('span', {}, 'Next: train, so that Facegate can tell your team apart from everybody else.'), h('a', {class: 'button main', href: '/train'}, 'Train')), 'train');
    const grown = members.some(m => news(m) === 'member');
    if (grown || members.some(news)) return note('unsure', h('div', {class: 'row between'}, h('span', {}, grown ? 'The team has grown since the last training. Train again, so that everybody is known.'
      : 'There are new pictures since the last training. Train again, so that they count.'), h('a', {class: 'button', href: '/train'}, 'Train again')));
    return null;
  }
  return () => clearInterval(timer);
}

function inWork(job) {
  return note('info', h('div', {class: 'row between'},
    h('span', {}, job.state === 'queued' ? `${job.subject}: waiting for its turn.` : `${job.subject}: finding faces.`),
    h('a', {class: 'button', href: `/add?job=${job.id}`}, 'Watch')), 'video');
}

function firstRun() {
  return h('div', {class: 'card first'}, icon('face'), h('h2', {}, 'No members yet: add the first'),
    h('p', {}, 'Facegate learns each person from a short video, and from then on answers for any photo: who is this, how sure are we, and what may they do.'),
    h('a', {class: 'button main', href: '/add'}, icon('plus'), 'Add the first member'),
    h('ol', {class: 'steps'},
      h('li', {class: 'now'}, h('h3', {}, 'Add members'), h('p', {class: 'soft small'}, 'A name, a role, and ten seconds of video.')),
      h('li', {}, h('h3', {}, 'Train'), h('p', {class: 'soft small'}, 'One button, a few seconds.')),
      h('li', {}, h('h3', {}, 'Test'), h('p', {class: 'soft small'}, 'Show it a photo or your camera.'))));
}
