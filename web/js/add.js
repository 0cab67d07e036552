import {get} from './api.js';
import {bar, blank, field, h, icon, note, notice} from './dom.js';
import {filePicker} from './picker.js';
import {rightsInput, roleInput} from './rights.js';
import {upload} from './upload.js';
import {watch} from './watch.js';
import {bytes} from './words.js';

export const title = 'Add a member';

export async function show(main, go) {
  const query = new URLSearchParams(location.search);
  if (query.get('job')) return watch(main, query.get('job'));
  const [{members}, about] = await Promise.all([get('/api/v1/members'), get('/api/v1/about')]);
  const settings = await get('/api/v1/settings').catch(() => ({every: about.every}));
  const old = members.find(m => String(m.id) === query.get('member'));
  if (query.has('member') && !old) return main.append(blank('There is no such member', 'Perhaps they were removed meanwhile.', '/team', 'To the team'));
  if (old) document.title = `Add a video of ${old.name} · Facegate`;
  const name = h('input', {autocomplete: 'off', maxLength: 120, required: true});
  const nameField = field('Name', name, 'As it is to be shown at the door');
  const roleField = roleInput('', members);
  const rights = rightsInput([], members);
  const picker = filePicker(about.max_upload_mb * 1048576);
  const every = h('input', {type: 'number', min: 1, max: 1000, value: settings.every, inputMode: 'numeric'});
  const rotate = h('select', {}, [['auto', 'As the file says'], ['0', 'Not at all'], ['90', 'Clockwise'], ['180', 'Upside down'], ['270', 'Anticlockwise']]
    .map(([value, text]) => h('option', {value}, text)));
  const said = h('div', {'aria-live': 'polite'});
  const send = h('button', {class: 'main', type: 'submit'}, icon('upload'), old ? 'Upload' : 'Upload and find the face');
  const sending = h('div', {class: 'stack', hidden: true});
  let sent = null, left = false;
  picker.addEventListener('picked', () => said.replaceChildren());

  const form = h('form', {class: 'card stack', novalidate: true, onsubmit: submit},
    !old && h('div', {class: 'pair'}, nameField, roleField), !old && rights,
    h('fieldset', {class: 'stack'}, h('legend', {}, 'Video'), picker),
    h('details', {}, h('summary', {}, 'More settings'),
      h('div', {class: 'pair'}, field('Use every n-th frame', every, 'Smaller: more pictures, slower.'), field('Turn the video', rotate, 'If faces come out sideways.'))),
    said, h('div', {class: 'row'}, send, h('a', {class: 'button plain', href: old ? `/member?id=${old.id}` : '/team'}, 'Cancel')), sending);

  main.append(
    h('div', {class: 'head'}, h('h1', {}, old ? `Add a video of ${old.name}` : 'Add a member'),
      h('p', {}, old ? 'More pictures, in other light or with other glasses, make the decision surer.'
        : 'A name, a role, and about ten seconds of video in which the face turns slowly from side to side.')),
    h('div', {class: 'two'}, form, tips()));

  function order() {
    const data = new FormData();
    if (!old) {
      data.append('name', name.value.trim());
      data.append('role', roleField.value());
      for (const right of rights.values()) data.append('right', right);
    }
    data.append('every', every.value);
    data.append('rotate', rotate.value);
    return data;
  }

  async function submit(event) {
    event.preventDefault();
    rights.values();
    nameField.fail('');
    roleField.fail('');
    said.replaceChildren();
    if (!old && !name.value.trim()) return nameField.fail('Give a name.');
    if (!old && members.some(m => fold(m.name) === fold(name.value.trim()))) return nameField.fail('There is a member of this name already. Choose another, or add the video on that member’s page.');
    if (!old && !roleField.value()) return roleField.fail('Give a role.');
    if (picker.problem()) return said.replaceChildren(note('bad', picker.problem()));
    const progress = bar('Upload'), text = h('p', {class: 'soft number'}, 'Uploading…');
    const began = performance.now();
    sent = upload(old ? `/api/v1/members/${old.id}/sources` : '/api/v1/members', order(), picker.files(), (done, total) => {
      progress.set(done, total);
      const rest = (performance.now() - began) / 1000 * (total - done) / Math.max(1, done);
      text.textContent = total ? `Uploading: ${bytes(done)} of ${bytes(total)}${rest > 3 ? `, about ${Math.ceil(rest)} s left` : ''}` : 'Uploading…';
    }, broken => { text.textContent = `${broken} Trying again…`; });
    sending.replaceChildren(text, progress, h('div', {class: 'row'}, h('button', {type: 'button', onclick: sent.stop}, 'Stop')));
    sending.hidden = false;
    send.disabled = true;
    const who = old ? old.name : name.value.trim();
    addEventListener('beforeunload', unfinished);
    try {
      const {job} = await sent.done.finally(() => {
        sent = null;
        removeEventListener('beforeunload', unfinished);
        if (left) picker.release();
      });
      if (left) notice('info', `${who}: the upload is through, and the faces are being found.`);
      else await go(`/add?job=${job.id}`, true);
    } catch (problem) {
      if (left) return notice('bad', `${who}: ${problem.message}`, 15);
      sending.hidden = true;
      send.disabled = false;
      said.replaceChildren(note(problem.code === 'cancelled' ? 'info' : 'bad', problem.message));
    }
  }

  // An upload goes on while one looks at other pages of ours.
  return () => {
    left = true;
    if (sent) notice('info', 'The upload goes on; this tab must stay open.');
    else picker.release();
  };
}

// As the server compares names: the letters A to Z alone.
const fold = text => text.replace(/[A-Z]/g, letter => letter.toLowerCase());

const unfinished = event => event.preventDefault();

function tips() {
  const tip = (picture, head, text) => h('li', {}, h('span', {class: 'dot'}, icon(picture)), h('div', {}, h('h3', {}, head), h('p', {class: 'soft small'}, text)));
  return h('aside', {class: 'card stack'}, h('h2', {}, 'A good video'),
    h('ul', {class: 'tips'},
      tip('sun', 'Light on the face', 'A window in front, not behind.'),
      tip('one', 'One person, close', 'The face fills about a third of the picture.'),
      tip('turn', 'Slow turns', 'Ahead, then left, right, up and down: ten seconds.'),
      tip('face', 'As at the door', 'Glasses? Half with, half without.')),
    h('p', {class: 'small soft'}, 'Only the cropped faces are kept, unless Settings say otherwise. Every picture that cannot be used is named with its reason.'));
}
