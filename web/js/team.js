import {call, get} from './api.js';
import {ask, field, h, icon, note, notice} from './dom.js';
import {plural, when} from './words.js';
import {rightsInput} from './add.js';

export const title = 'Team';

export async function show(main, go) {
  const [{members}, {classifiers}] = await Promise.all([get('/api/v1/members'), get('/api/v1/classifiers')]);
  const active = classifiers.find(c => c.active);
  if (!members.length) return main.append(h('h1', {class: 'hidden-label'}, 'Team'), firstRun());
  const stale = active && members.some(m => m.updated ? m.updated > active.created : m.created > active.created);
  const heading = h('div', {class: 'head'}, h('h1', {}, 'Team'),
    h('a', {class: 'button main', href: '/add'}, icon('plus'), 'Add a member'),
    h('p', {}, `${plural(members.length, 'member')} whom Facegate knows by face. Each has the access rights of their role.`));
  const list = h('ul', {class: 'members'}, members.map(m => card(m)));
  main.append(heading, h('div', {class: 'stack'}, nextStep(active, stale), list));

  function reload() { return go('/team', true); }

  function card(m) {
    return h('li', {class: 'card member'},
      m.portrait ? h('img', {src: m.portrait, alt: '', loading: 'lazy'}) : h('div', {class: 'blank'}, icon('team')),
      h('div', {class: 'stack'}, h('div', {}, h('h2', {}, m.name), h('p', {class: 'soft'}, m.role)),
        m.rights.length > 0 && h('div', {class: 'tags', 'aria-label': 'Rights'}, m.rights.map(r => h('span', {class: 'tag accent'}, r))),
        h('p', {class: 'soft small'}, `${plural(m.templates, 'picture')} · last seen ${when(m.last_seen)}`)),
      h('div', {class: 'row'},
        h('button', {class: 'plain', 'aria-label': `Edit ${m.name}`, onclick: () => edit(m)}, icon('edit'), 'Edit'),
        h('a', {class: 'button plain', href: `/add?member=${m.id}`, 'aria-label': `Add video of ${m.name}`}, icon('video'), 'Add video'),
        h('button', {class: 'plain danger push', 'aria-label': `Remove ${m.name}`, onclick: () => remove(m)}, icon('bin'))));
  }

  async function edit(m) {
    const name = h('input', {value: m.name, required: true, maxLength: 120});
    const role = h('input', {value: m.role, required: true, maxLength: 120});
    const rights = rightsInput(m.rights, members);
    const said = h('div');
    const changed = await ask(`Edit ${m.name}`, close => h('form', {
      class: 'stack',
      onsubmit: async event => {
        event.preventDefault();
        try {
          close(await call('PATCH', `/api/v1/members/${m.id}`, {name: name.value.trim(), role: role.value.trim(), rights: rights.values()}));
        } catch (problem) { said.replaceChildren(note('bad', problem.message)); }
      },
    }, field('Name', name), field('Role', role), rights, said,
    h('div', {class: 'row'}, h('button', {class: 'main'}, 'Save'), h('button', {type: 'button', onclick: () => close()}, 'Cancel'))));
    if (changed) { notice('good', `${changed.name} was changed.`); reload(); }
  }

  async function remove(m) {
    const sure = await ask(`Remove ${m.name}?`, close => h('div', {class: 'stack'},
      h('p', {}, 'Their pictures, face templates and files are deleted for good, and they are not let in any more.'),
      h('div', {class: 'row'},
        h('button', {class: 'danger', onclick: () => close(true)}, icon('bin'), 'Remove for good'),
        h('button', {onclick: () => close()}, 'Keep'))));
    if (!sure) return;
    try {
      await call('DELETE', `/api/v1/members/${m.id}`);
      notice('good', `${m.name} was removed.`);
    } catch (problem) { notice('bad', problem.message); }
    reload();
  }
}

function nextStep(active, stale) {
  if (!active) return note('info', h('div', {class: 'row between'}, h('span', {}, 'Next: train, so that Facegate can tell your team apart from everybody else.'), h('a', {class: 'button main', href: '/train'}, 'Train')), 'train');
  if (stale) return note('unsure', h('div', {class: 'row between'}, h('span', {}, 'The team has changed since the last training. Train again, so that the newest members are known.'), h('a', {class: 'button', href: '/train'}, 'Train again')));
  return null;
}

function firstRun() {
  return h('div', {class: 'card first'}, icon('team'), h('h2', {}, 'No members yet: add the first'),
    h('p', {}, 'Facegate learns each person from a short video, and from then on answers for any photo: who is this, how sure are we, and what may they do.'),
    h('a', {class: 'button main', href: '/add'}, icon('plus'), 'Add the first member'),
    h('ol', {class: 'steps'},
      h('li', {class: 'now'}, h('h3', {}, 'Add members'), h('p', {class: 'soft small'}, 'A name, a role, and ten seconds of video.')),
      h('li', {}, h('h3', {}, 'Train'), h('p', {class: 'soft small'}, 'One button, a few seconds.')),
      h('li', {}, h('h3', {}, 'Test'), h('p', {class: 'soft small'}, 'Show it a photo or your camera.'))));
}
