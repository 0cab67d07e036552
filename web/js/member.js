import {call, get} from './api.js';
import {ask, field, h, icon, note, notice} from './dom.js';
import {eventList, nameKeys} from './events.js';
import {rightTags, rightsInput, roleInput} from './rights.js';
import {may} from './session.js';
import {portrait} from './team.js';
import {exactly, plural, when} from './words.js';

export const title = 'Member';
const FIRST_PICTURES = 36, RECENT = 8;

export async function show(main, go) {
  const id = Number(new URLSearchParams(location.search).get('id'));
  const [m, {sources}, {chips}, {members}] = await Promise.all([
    get(`/api/v1/members/${id}`), get(`/api/v1/members/${id}/sources`), get(`/api/v1/members/${id}/chips`), get('/api/v1/members')]);
  if (may('audit')) await nameKeys();
  const recent = may('audit') ? await get(`/api/v1/audit?member=${id}&limit=${RECENT}`).then(a => a.rows.filter(r => r.member_id === id), () => []) : [];
  document.title = `${m.name} · Facegate`;

  main.append(
    h('p', {class: 'back'}, h('a', {href: '/team'}, icon('left'), 'Team')),
    h('div', {class: 'stack'},
      h('section', {class: 'card person'}, portrait(m, 'large'),
        h('div', {class: 'tight'}, h('h1', {}, m.name), h('p', {class: 'soft'}, m.role), rightTags(m.rights),
          h('p', {class: 'soft small'}, `${plural(m.templates, 'picture')} from ${plural(sources.length, 'file')} · member since ${when(m.created)} · `,
            m.last_seen ? h('span', {title: exactly(m.last_seen)}, `last seen ${when(m.last_seen)}`) : 'not seen yet')),
        h('div', {class: 'row actions'},
          h('button', {onclick: edit}, icon('edit'), 'Edit'),
          h('a', {class: 'button', href: `/add?member=${m.id}`}, icon('video'), 'Add video'),
          h('a', {class: 'button', href: `/api/v1/members/${m.id}/chips.zip`, download: ''}, icon('down'), 'Faces'),
          h('button', {class: 'danger push', onclick: remove}, icon('bin'), 'Remove'))),
      h('div', {class: 'two'},
        h('section', {class: 'card stack'}, h('div', {class: 'row between'}, h('h2', {}, 'Pictures'), h('span', {class: 'soft small'}, 'cropped, upright, as Facegate sees them')), pictures()),
        h('div', {class: 'stack'},
          h('section', {class: 'card stack'}, h('h2', {}, 'Files'), h('ul', {class: 'plain'}, sources.map(file))),
          may('audit') && h('section', {class: 'card stack'}, h('h2', {}, 'Lately'),
            recent.length ? eventList(recent, false) : h('p', {class: 'soft'}, 'Not seen at any door yet.'))))));

  function pictures() {
    const grid = h('ul', {class: 'faces small'});
    const more = h('button', {hidden: chips.length <= FIRST_PICTURES, onclick: () => draw(chips.length)}, `Show all ${chips.length}`);
    function draw(count) {
      grid.replaceChildren(...chips.slice(0, count).map((c, i) => h('li', {}, h('a', {href: c.image, target: '_blank', 'aria-label': `Picture ${i + 1}`},
        h('img', {src: `${c.image}?thumb=1`, alt: '', loading: 'lazy', width: 96, height: 96})))));
      more.hidden = count >= chips.length;
    }
    draw(Math.min(FIRST_PICTURES, chips.length));
    return chips.length ? [grid, h('div', {class: 'row'}, more)] : h('p', {class: 'soft'}, 'The pictures are no longer kept; what was learnt from them is.');
  }

  function file(s) {
    const video = s.kind === 'video';
    const facts = [plural(s.faces_used, 'face') + (video ? ` of ${plural(s.frames_sampled, 'frame')}` : ''), video && s.every > 1 && `every ${s.every}th`,
      s.rotation && `turned by ${s.rotation}°`, s.original_kept && 'original kept'].filter(Boolean).join(' · ');
    return h('li', {class: 'item'}, icon(s.kind === 'video' ? 'video' : 'file'), h('div', {}, h('div', {class: 'name'}, s.name), h('div', {class: 'soft small'}, facts)),
      h('span', {class: 'soft small push nowrap', title: exactly(s.created)}, when(s.created)));
  }

  async function edit() {
    const name = h('input', {value: m.name, required: true, maxLength: 120});
    const role = roleInput(m.role, members);
    const rights = rightsInput(m.rights, members);
    const said = h('div', {'aria-live': 'polite'});
    const changed = await ask(`Edit ${m.name}`, close => h('form', {
      class: 'stack',
      onsubmit: async event => {
        event.preventDefault();
        try {
          close(await call('PATCH', `/api/v1/members/${m.id}`, {name: name.value.trim(), role: role.value(), rights: rights.values()}));
        } catch (problem) { said.replaceChildren(note('bad', problem.message)); }
      },
    }, field('Name', name), role, rights, said,
    h('div', {class: 'row'}, h('button', {class: 'main'}, 'Save'), h('button', {type: 'button', onclick: () => close()}, 'Cancel'))));
    if (!changed) return;
    notice('good', `${changed.name} was changed.`);
    go(`/member?id=${m.id}`, true);
  }

  async function remove() {
    const sure = await ask(`Remove ${m.name}?`, close => h('div', {class: 'stack'},
      h('p', {}, 'Their pictures, face templates and files are deleted for good, and they are not let in any more.'),
      h('div', {class: 'row'},
        h('button', {class: 'danger', onclick: () => close(true)}, icon('bin'), 'Remove for good'),
        h('button', {onclick: () => close()}, 'Keep'))));
    if (!sure) return;
    const page = document.getElementById('main');
    page.setAttribute('aria-busy', 'true'); // the others are learnt anew meanwhile
    try {
      await call('DELETE', `/api/v1/members/${m.id}`);
      notice('good', `${m.name} was removed.`);
      go('/team', true);
    } catch (problem) {
      page.removeAttribute('aria-busy');
      notice('bad', problem.message);
    }
  }
}
