// Addresses and the frame around the pages. A page is a module with title and show(main, go), which may return
// a function that is called when the page is left.
import {whenSignedOut} from './api.js';
import {h, icon, note} from './dom.js';
import * as about from './about.js';
import * as activity from './activity.js';
import * as add from './add.js';
import * as settings from './settings.js';
import * as signin from './signin.js';
import * as team from './team.js';
import * as test from './test.js';
import * as train from './train.js';

const pages = {
  '/': team, '/team': team, '/add': add, '/train': train, '/test': test, '/activity': activity, '/settings': settings,
  '/about': about, '/signin': signin,
};
const links = [
  ['/team', 'Team', 'team'], ['/train', 'Train', 'train'], ['/test', 'Test', 'test'], ['/activity', 'Activity', 'activity'],
  ['/settings', 'Settings', 'settings'], ['/about', 'About', 'about'],
];

const main = document.getElementById('main');
const frame = document.getElementById('bar');
let leave = null, turn = 0;

frame.append(
  h('a', {class: 'brand', href: '/team'}, h('img', {src: '/icon.svg', alt: ''}), 'Facegate'),
  h('nav', {'aria-label': 'Pages'}, links.map(([path, name, picture]) =>
    h('a', {href: path, class: path === '/about' ? 'end' : ''}, icon(picture), h('span', {}, name)))));

function mark(path) {
  const here = path === '/' || path === '/add' ? '/team' : path;
  for (const link of frame.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

async function render(moveFocus) {
  const mine = ++turn;
  const page = pages[location.pathname] || team;
  if (leave) leave();
  leave = null;
  document.title = `${page.title} · Facegate`;
  frame.hidden = page === signin;
  document.body.classList.toggle('bare', page === signin);
  mark(location.pathname);
  const body = h('div');
  main.replaceChildren(body);
  try {
    const left = await page.show(body, go);
    if (mine === turn) leave = left || null;
    else if (left) left();
  } catch (problem) {
    if (problem.status !== 401) body.replaceChildren(note('bad', problem.message));
  }
  if (mine !== turn || !moveFocus) return;
  const heading = body.querySelector('h1');
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({preventScroll: true});
  }
  scrollTo(0, 0);
}

export function go(path, replace) {
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  return render(true);
}

document.addEventListener('click', event => {
  const link = event.target.closest('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.target || link.download) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || !pages[url.pathname] || link.classList.contains('skip')) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
addEventListener('popstate', () => render(true));
whenSignedOut(() => { if (location.pathname !== '/signin') go('/signin', true); });
render(false);
