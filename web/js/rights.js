import {field, h, icon} from './dom.js';

// Rights as tags: typed, ended by Enter or a comma, suggested from those in use. What is left in the field when it is left
// waits for values(): a tag drawn during a click elsewhere would move the button from under the pointer.
export function rightsInput(start, members) {
  const known = [...new Set(members.flatMap(m => m.rights))].sort();
  let chosen = [...start];
  const input = h('input', {placeholder: 'for example: lab', maxLength: 100, autocomplete: 'off'});
  const box = field('Rights', input, 'Doors or systems that this person may use. Press Enter after each.');
  const tags = h('div', {class: 'tags'});
  const suggestions = h('datalist', {id: 'rights-in-use'}, known.map(r => h('option', {value: r})));
  input.setAttribute('list', 'rights-in-use');
  function draw() {
    tags.replaceChildren(...chosen.map(r => h('span', {class: 'tag accent'}, r,
      h('button', {type: 'button', 'aria-label': `Remove ${r}`, onclick: () => { chosen = chosen.filter(x => x !== r); draw(); input.focus(); }}, icon('cross', 'icon')))));
  }
  function take() {
    for (const word of input.value.split(',').map(w => w.trim()).filter(Boolean)) if (!chosen.includes(word)) chosen.push(word);
    input.value = '';
    draw();
  }
  input.addEventListener('keydown', event => {
    if (event.key === 'Enter' && input.value.trim()) { event.preventDefault(); take(); }
    if (event.key === ',') { event.preventDefault(); take(); }
  });
  box.append(tags, suggestions);
  box.values = () => { take(); return chosen; };
  draw();
  return box;
}

// The roles in use, offered while one is typed.
export function roleInput(value, members) {
  const role = h('input', {value, autocomplete: 'off', maxLength: 120, required: true});
  role.setAttribute('list', 'roles-in-use');
  const box = field('Role', role, 'Such as: data engineer');
  box.append(h('datalist', {id: 'roles-in-use'}, [...new Set(members.map(m => m.role))].sort().map(r => h('option', {value: r}))));
  box.value = () => role.value.trim();
  return box;
}

export function rightTags(rights) {
  return rights.length > 0 && h('ul', {class: 'tags', 'aria-label': 'Rights'}, rights.map(r => h('li', {class: 'tag accent'}, icon('key'), r)));
}
