// Building the page without a framework: h() makes elements, and text is always text, never HTML.

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

const SVG = 'http://www.w3.org/2000/svg';

export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Our own line icons, on a grid of 24.
const paths = {
  team: 'M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7ZM2.500 20c.4-3.800 3-6 6.500-6s6.100 2.200 6.500 6M16 4.400a3.400 3.400 0 0 1 0 6.400M18.500 14.600c1.800.9 2.800 2.700 3 5.400',
  train: 'M12 3v4M12 17v4M3 12h4M17 12h4M12 15.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7ZM5.600 5.600l2 2M16.400 16.400l2 2M18.400 5.600l-2 2M7.600 16.400l-2 2',
  test: 'M3.500 8.500V6A2.500 2.500 0 0 1 6 3.500h2.500M15.500 3.500H18A2.500 2.500 0 0 1 20.500 6v2.500M20.500 15.500V18a2.500 2.500 0 0 1-2.500 2.500h-2.500M8.500 20.500H6A2.500 2.500 0 0 1 3.500 18v-2.500M9 9.500v.8M15 9.500v.8M8.800 14.200c1.800 2 4.600 2 6.400 0',
  activity: 'M3 12h4l2.500-7 5 14L17 12h4',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 9.200a2.200 2.200 0 1 0 0-4.400 2.200 2.200 0 0 0 0 4.400ZM9 19.200a2.200 2.200 0 1 0 0-4.400 2.200 2.200 0 0 0 0 4.400Z',
  about: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5M12 7.800v.2',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  cross: 'M6.500 6.500l11 11M17.500 6.500l-11 11',
  warn: 'M12 4 2.800 20h18.400L12 4ZM12 10v4.500M12 17.200v.2',
  unknown: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.300-1 .8-1 1.700M12 16.400v.2',
  retry: 'M4 12a8 8 0 0 1 13.700-5.600L20 8.500M20 4v4.500h-4.500M20 12a8 8 0 0 1-13.700 5.600L4 15.500M4 20v-4.500h4.500',
  video: 'M4 6.500h9A2 2 0 0 1 15 8.500v7a2 2 0 0 1-2 2H4a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1ZM15 11l6-3.500v9L15 13',
  camera: 'M4 8h3l1.500-2.500h7L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1ZM12 16.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z',
  upload: 'M12 16V5M7.500 9 12 4.500 16.500 9M4.500 16v2.500a1 1 0 0 0 1 1h13a1 1 0 0 0 1-1V16',
  edit: 'M5 19l.8-3.800L16 5l3 3L8.800 18.200 5 19ZM14 7l3 3',
  bin: 'M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7M10.500 10.500v6M13.500 10.500v6',
  key: 'M8 15.500a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 11.500h9M17.500 11.500V15M21 11.500V14',
  exit: 'M10 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h4M14.500 8l4 4-4 4M9 12h9.500',
  down: 'M12 4.500v11M7.500 11.500 12 16l4.500-4.500M4.500 19.500h15',
};

export function icon(name, className = 'icon') {
  return s('svg', {viewBox: '0 0 24 24', class: className, 'aria-hidden': 'true', focusable: 'false'},
    s('path', {d: paths[name]}));
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
