import {call, follow, get, upload} from './api.js';
import {bar, field, h, icon, note} from './dom.js';
import {bytes, plural, reason} from './words.js';
import {recorder} from './camera.js';

export const title = 'Add a member';

// Rights as tags: typed, ended by Enter or a comma, suggested from those in use.
export function rightsInput(start, members) {
  const known = [...new Set(members.flatMap(m => m.rights))].sort();
  let chosen = [...start];
  const input = h('input', {placeholder: 'for example: lab', maxLength: 100, autocomplete: 'off'});
  const box = field('Rights', input, 'Doors or systems that this person may use. Press Enter after each.');
  const tags = h('div', {class: 'tags reserved'});
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
  input.addEventListener('change', take);
  box.append(tags, suggestions);
  box.values = () => { take(); return chosen; };
  draw();
  return box;
}

function filePicker(maxBytes) {
  let files = [];
  const input = h('input', {type: 'file', multiple: true, accept: 'video/*,image/*,.mkv,.heic', 'aria-label': 'Choose a video or photos'});
  const list = h('ul', {class: 'files'});
  const zone = h('div', {class: 'drop'}, icon('video', 'icon big'), h('strong', {}, 'Drop a video here, or choose one'),
    h('span', {class: 'small'}, 'MP4, MOV, WebM or MKV, also photos; several at once are fine'), input);
  const box = h('div', {class: 'stack'}, zone, list);
  function draw() {
    list.replaceChildren(...files.map((f, i) => h('li', {}, h('span', {}, f.name), h('span', {class: 'soft small push'}, bytes(f.size)),
      h('button', {class: 'plain', type: 'button', 'aria-label': `Leave out ${f.name}`, onclick: () => { files.splice(i, 1); draw(); }}, icon('cross')))));
  }
  box.add = more => { files.push(...more); draw(); };
  box.files = () => files;
  box.problem = () => !files.length ? 'Choose a video, or some photos.'
    : files.reduce((sum, f) => sum + f.size, 0) > maxBytes ? `Together at most ${bytes(maxBytes)} can be sent.` : '';
  input.addEventListener('change', () => { box.add(input.files); input.value = ''; });
  for (const type of ['dragenter', 'dragover']) zone.addEventListener(type, e => { e.preventDefault(); zone.classList.add('over'); });
  for (const type of ['dragleave', 'drop']) zone.addEventListener(type, () => zone.classList.remove('over'));
  zone.addEventListener('drop', e => { e.preventDefault(); box.add(e.dataTransfer.files); });
  return box;
}

export async function show(main, go) {
  const query = new URLSearchParams(location.search);
  if (query.get('job')) return watch(main, query.get('job'));
  const [{members}, about] = await Promise.all([get('/api/v1/members'), get('/api/v1/about')]);
  const old = members.find(m => String(m.id) === query.get('member'));
  const name = h('input', {autocomplete: 'off', maxLength: 120, required: true});
  const role = h('input', {autocomplete: 'off', maxLength: 120, required: true});
  const roles = h('datalist', {id: 'roles-in-use'}, [...new Set(members.map(m => m.role))].map(r => h('option', {value: r})));
  role.setAttribute('list', 'roles-in-use');
  const nameField = field('Name', name), roleField = field('Role', role, 'Such as: data engineer');
  const rights = rightsInput([], members);
  const picker = filePicker(about.max_upload_mb * 1048576);
  const every = h('input', {type: 'number', min: 1, max: 1000, value: about.every, inputMode: 'numeric'});
  const rotate = h('select', {}, [['auto', 'As the file says'], ['0', 'Not at all'], ['90', 'Clockwise'], ['180', 'Upside down'], ['270', 'Anticlockwise']]
    .map(([value, text]) => h('option', {value}, text)));
  const said = h('div', {'aria-live': 'polite'});
  const send = h('button', {class: 'main', type: 'submit'}, icon('upload'), old ? 'Upload' : 'Upload and find the face');
  const camera = recorder(file => picker.add([file]));
  const sending = h('div', {class: 'stack', hidden: true});

  const form = h('form', {class: 'card stack', novalidate: true, onsubmit: submit},
    !old && h('div', {class: 'pair'}, nameField, roleField), !old && rights, roles,
    h('fieldset', {class: 'stack'}, h('legend', {}, 'Video'), picker, camera),
    h('details', {}, h('summary', {}, 'More settings'),
      h('div', {class: 'pair'}, field('Use every n-th frame', every, 'Smaller: more pictures, slower.'), field('Turn the video', rotate, 'If faces come out sideways.'))),
    said, h('div', {class: 'row'}, send, h('a', {class: 'button plain', href: '/team'}, 'Cancel')), sending);

  main.append(
    h('div', {class: 'head'}, h('h1', {}, old ? `Add a video of ${old.name}` : 'Add a member'),
      h('p', {}, old ? 'More pictures, in other light or with other glasses, make the decision surer.'
        : 'A name, a role, and about ten seconds of video in which the face turns slowly from side to side.')),
    h('div', {class: 'two'}, form, tips()));

  async function submit(event) {
    event.preventDefault();
    const rightsChosen = rights.values();
    nameField.fail('');
    roleField.fail('');
    said.replaceChildren();
    if (!old && !name.value.trim()) return nameField.fail('Give a name.');
    if (!old && !role.value.trim()) return roleField.fail('Give a role.');
    if (picker.problem()) return said.replaceChildren(note('bad', picker.problem()));
    const data = new FormData();
    if (!old) {
      data.append('name', name.value.trim());
      data.append('role', role.value.trim());
      for (const right of rightsChosen) data.append('right', right);
    }
    data.append('every', every.value);
    data.append('rotate', rotate.value);
    for (const file of picker.files()) data.append('video', file, file.name);
    const progress = bar('Upload'), text = h('p', {class: 'soft number'}, 'Uploading…');
    const sent = upload(old ? `/api/v1/members/${old.id}/sources` : '/api/v1/members', data, (done, total) => {
      progress.set(done, total);
      text.textContent = total ? `Uploading: ${bytes(done)} of ${bytes(total)}` : 'Uploading…';
    });
    sending.replaceChildren(text, progress, h('div', {class: 'row'}, h('button', {type: 'button', onclick: sent.stop}, 'Stop')));
    sending.hidden = false;
    send.disabled = true;
    try {
      const {job} = await sent.done;
      await go(`/add?job=${job.id}`, true);
    } catch (problem) {
      send.disabled = false;
      sending.hidden = true;
      if (problem.code === 'exists') nameField.fail(problem.message);
      else said.replaceChildren(note(problem.code === 'cancelled' ? 'info' : 'bad', problem.message));
    }
  }
  return () => camera.stop();
}

function tips() {
  return h('aside', {class: 'card stack', 'aria-label': 'A good video'}, h('h2', {}, 'A good video'),
    h('ul', {class: 'list small soft'},
      h('li', {}, 'Light on the face, not behind it.'), h('li', {}, 'One person only, the face filling about a third of the picture.'),
      h('li', {}, 'Look ahead, then turn slowly left, right, up and down.'), h('li', {}, 'Glasses? Half with, half without.')),
    h('p', {class: 'small soft'}, 'Only the cropped faces are kept. Every picture that cannot be used is named with its reason.'));
}

// -- processing, as it happens --

async function watch(main, id) {
  const job = await get(`/api/v1/jobs/${id}`);
  let sampled = 0, used = 0;
  const refused = {};
  const heading = h('h1', {}, `Looking at ${job.subject}`);
  const status = h('p', {'aria-live': 'polite'}, 'Waiting for its turn…');
  const progress = bar('Frames');
  const count = label => { const dd = h('dd', {}, '0'); return {dd, box: h('div', {}, h('dt', {}, label), dd)}; };
  const frames = count('Frames'), good = count('Faces used'), bad = count('Refused');
  const why = h('div', {class: 'tags'});
  const grid = h('ul', {class: 'faces', 'aria-label': 'Faces found'});
  const actions = h('div', {class: 'row'}, h('button', {onclick: () => call('DELETE', `/api/v1/jobs/${id}`)}, 'Stop'));
  const outcome = h('div', {'aria-live': 'polite', class: 'stack'});
  main.append(h('div', {class: 'head'}, heading), h('div', {class: 'stack'}, outcome,
    h('section', {class: 'card stack'}, status, progress, h('dl', {class: 'counts'}, frames.box, good.box, bad.box), why, actions),
    h('section', {class: 'card stack'}, h('h2', {}, 'Pictures'), grid)));

  function onFrame(f) {
    sampled++;
    if (f.used) used++;
    else refused[f.reason] = (refused[f.reason] || 0) + 1;
    frames.dd.textContent = sampled;
    good.dd.textContent = used;
    bad.dd.textContent = sampled - used;
    status.textContent = 'Finding faces…';
    why.replaceChildren(...Object.entries(refused).map(([word, n]) => h('span', {class: 'tag unsure'}, `${n} × ${reason(word)}`)));
    if (!f.thumb) return;
    const place = `frame ${f.frame}, ${(f.time_ms / 1000).toFixed(1)} s`;
    grid.append(h('li', {class: f.used ? '' : 'refused', title: f.used ? place : `${place}: ${f.text}`},
      h('img', {src: f.thumb, alt: f.used ? `Face used, ${place}` : `Refused, ${place}: ${reason(f.reason)}`, loading: 'lazy'}),
      f.used ? icon('check') : h('span', {}, reason(f.reason))));
  }

  function onEnd(end) {
    progress.set(1, 1);
    progress.hidden = true;
    const again = h('a', {class: 'button', href: '/add'}, icon('plus'), 'Add another');
    if (end.state === 'done') {
      const r = end.result;
      heading.textContent = `${job.subject} is enrolled`;
      status.textContent = `${plural(r.faces_used, 'face')} of ${plural(r.frames_sampled, 'frame')} are used`
        + (r.odd ? `; ${plural(r.odd, 'picture')} looked like somebody else and ${r.odd === 1 ? 'was' : 'were'} dropped` : '') + '.';
      outcome.replaceChildren(note('good', h('div', {class: 'row between'}, h('span', {}, 'Next: train, so that this face is known at the door.'), h('a', {class: 'button main', href: '/train'}, 'Train'))));
      if (r.look_alike) outcome.append(note('unsure', `This face is much like that of ${r.look_alike.member}. If it is the same person, remove one of the two.`));
      actions.replaceChildren(again, h('a', {class: 'button plain', href: '/team'}, 'Back to the team'));
    } else {
      heading.textContent = end.state === 'cancelled' ? 'Stopped' : `${job.subject || 'This member'} was not enrolled`;
      status.textContent = 'Nothing was changed.';
      outcome.replaceChildren(note(end.state === 'cancelled' ? 'info' : 'bad', end.problem ? end.problem.detail : 'The work ended early.'));
      actions.replaceChildren(h('a', {class: 'button main', href: '/add'}, 'Try again'), h('a', {class: 'button plain', href: '/team'}, 'Back to the team'));
    }
  }

  return follow(id, {
    frame: onFrame,
    progress: p => progress.set(p.done, p.total),
    start: () => { status.textContent = 'Reading the video…'; },
    end: onEnd,
  });
}
