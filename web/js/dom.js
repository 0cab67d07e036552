// Building the page without a framework: h() makes elements, and text is always text, never HTML.
import {icon, s} from './icons.js';

export {icon, s};

export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') element.className = value;
    else if (key in element && key !== 'list' && key !== 'form') element[key] = value;
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter(c => c !== null && c !== undefined && c !== false));
  return element;
}

export function notice(kind, text, seconds = 6) {
  const names = {good: 'check', bad: 'warn', unsure: 'warn', info: 'about'};
  const box = note(kind, text, names[kind]);
  document.getElementById('notices').append(box);
  setTimeout(() => box.remove(), seconds * 1000);
}

export function note(kind, content, iconName) {
  return h('div', {class: `note ${kind}`}, icon(iconName || {good: 'check', info: 'about'}[kind] || 'warn'), h('div', {}, content));
}

// Instead of a page that there is nothing to show on.
export function blank(title, text, href, link) {
  document.title = `${title} · Facegate`;
  return h('div', {class: 'card first'}, icon('unknown'), h('h1', {}, title), h('p', {}, text), h('a', {class: 'button main', href}, link));
}

// A labelled control with a hint and a place for what is wrong; read aloud together.
let fieldCount = 0;
export function field(label, control, hint) {
  const id = `field${++fieldCount}`;
  control.id = id;
  const wrong = h('p', {class: 'wrong', id: `${id}-wrong`, hidden: true});
  const parts = [h('label', {htmlFor: id}, label), control];
  if (hint) parts.push(h('p', {class: 'hint', id: `${id}-hint`}, hint));
  control.setAttribute('aria-describedby', `${id}-wrong${hint ? ` ${id}-hint` : ''}`);
  const box = h('div', {class: 'field'}, parts, wrong);
  box.fail = text => {
    wrong.textContent = text || '';
    wrong.hidden = !text;
    control.setAttribute('aria-invalid', text ? 'true' : 'false');
    if (text) control.focus();
  };
  return box;
}

// A modal question; resolves to what `close(value)` was given, or undefined.
export function ask(title, build) {
  return new Promise(resolve => {
    let value;
    const dialog = h('dialog', {'aria-label': title});
    const close = v => { value = v; dialog.close(); };
    dialog.append(h('div', {class: 'stack'}, h('h2', {}, title), build(close)));
    dialog.addEventListener('close', () => { dialog.remove(); resolve(value); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function bar(label) {
  const fill = h('div');
  const track = h('div', {class: 'progress wait', role: 'progressbar', 'aria-label': label}, fill);
  track.set = (done, total) => {
    track.classList.toggle('wait', !total);
    if (!total) return track.removeAttribute('aria-valuenow');
    const percent = Math.min(100, Math.round(100 * done / total));
    fill.style.width = `${percent}%`;
    track.setAttribute('aria-valuenow', percent);
  };
  return track;
}
