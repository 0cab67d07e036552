// Addresses and the frame around the pages. A page is a module with title and show(main, go), loaded when it is
// first opened; show may return a function that is called when the page is left.
import {whenSignedOut} from './api.js';
import {blank, h, icon, note} from './dom.js';
import {loadSession, may} from './session.js';

// What a page needs is one of these scopes; a page that needs none is there for everybody who is signed in.
const pages = {
  '/team': {load: () => import('./team.js'), scopes: ['enroll'], under: '/team'},
  '/member': {load: () => import('./member.js'), scopes: ['enroll'], under: '/team'},
  '/add': {load: () => import('./add.js'), scopes: ['enroll'], under: '/team'},
  '/train': {load: () => import('./train.js'), scopes: ['enroll'], under: '/train'},
  '/test': {load: () => import('./test.js'), scopes: ['verify'], under: '/test'},
  '/activity': {load: () => import('./activity.js'), scopes: ['audit'], under: '/activity'},
  '/settings': {load: () => import('./settings.js'), scopes: [], under: '/settings'},
  '/about': {load: () => import('./about.js'), scopes: [], under: '/about'},
  '/kiosk': {load: () => import('./kiosk.js'), scopes: ['verify'], look: 'kiosk'},
  '/signin': {load: () => import('./signin.js'), scopes: [], look: 'bare', open: true},
};
const missing = {
  load: () => ({title: 'No such page', show: body => body.append(blank('There is no such page', `Nothing is at ${location.pathname}.`, '/', 'To the start'))}),
  scopes: [], look: 'bare', open: true,
};
const links = [
  ['/team', 'Team', 'team'], ['/train', 'Train', 'train'], ['/test', 'Test', 'face'], ['/activity', 'Activity', 'activity'],
  ['/settings', 'Settings', 'settings'], ['/kiosk', 'Kiosk', 'door'], ['/about', 'About', 'about'],
];

const main = document.getElementById('main');
const frame = document.getElementById('bar');
let leave = null, turn = 0;

const allowed = ({scopes}) => !scopes.length || scopes.some(may);

function drawFrame(page) {
  const wide = ['/kiosk', '/about'];
  frame.replaceChildren(
    h('a', {class: 'brand', href: '/'}, h('img', {src: '/icon.svg', alt: ''}), 'Facegate'),
    h('nav', {'aria-label': 'Pages'}, links.filter(([path]) => allowed(pages[path])).map(([path, name, picture]) =>
      h('a', {href: path, class: `${wide.includes(path) ? 'wide' : ''} ${path === '/kiosk' ? 'end' : ''}`, 'aria-current': page.under === path ? 'page' : null},
        icon(picture), h('span', {}, name)))));
}

async function choose() {
  const page = location.pathname === '/' ? null : pages[location.pathname] || missing;
  if (page && page.open) return page;
  await loadSession();
  return page || Object.values(pages).find(allowed);
}

// The page that was there stays until the new one has what it shows, so that nothing flickers.
function put(page, body) {
  frame.hidden = Boolean(page.look);
  document.body.className = page.look || '';
  if (!page.look) drawFrame(page);
  main.replaceChildren(body);
}

async function render(moved) {
  const mine = ++turn;
  if (leave) leave();
  leave = null;
  main.setAttribute('aria-busy', 'true');
  const body = h('div');
  let page = {};
  try {
    page = await choose();
    const module = await page.load();
    if (!allowed(page)) throw new Error('Your key does not allow this page. Sign in with another key to open it.');
    document.title = `${module.title} · Facegate`;
    const left = await module.show(body, go);
    if (mine !== turn) return left && left();
    leave = left || null;
  } catch (problem) {
    if (mine !== turn || problem.status === 401) return;
    body.replaceChildren(h('h1', {class: 'hidden-label'}, 'This page cannot be shown'), h('div', {class: 'stack'}, note('bad', problem.message),
      h('div', {class: 'row'}, h('button', {onclick: () => render(true)}, icon('retry'), 'Try again'))));
  }
  put(page, body);
  main.removeAttribute('aria-busy');
  const start = body.querySelector('[autofocus]') || (moved && body.querySelector('h1'));
  if (moved) scrollTo(0, 0);
  if (!start) return;
  if (start.matches('h1')) start.tabIndex = -1;
  start.focus({preventScroll: true});
}

export function go(path, replace) {
  history[replace ? 'replaceState' : 'pushState'](null, '', path);
  return render(true);
}

document.addEventListener('click', event => {
  const link = event.target.closest('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.target || link.hasAttribute('download')) return;
  if (link.classList.contains('skip')) {
    event.preventDefault(); // no address of its own: that would be a step back to nowhere
    return main.focus();
  }
  const url = new URL(link.href);
  if (url.origin !== location.origin || !(pages[url.pathname] || url.pathname === '/')) return;
  event.preventDefault();
  go(url.pathname + url.search);
});
// A file that misses the drop zone must not replace the page.
for (const type of ['dragover', 'drop']) addEventListener(type, event => event.preventDefault());
addEventListener('popstate', () => render(true));
whenSignedOut(() => {
  if (location.pathname === '/signin') return;
  const here = location.pathname === '/' ? '' : `?next=${encodeURIComponent(location.pathname + location.search)}`;
  go(`/signin${here}`, true);
});
render(false);
