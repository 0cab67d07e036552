// The settings that are changed while the server runs: a form made from a table, limits as the server tells them.
import {call} from './api.js';
import {field, h, note, notice} from './dom.js';

const groups = [
  ['Sampling and quality', 'Which frames of a video are looked at, and what a face must be like to be used, here and at the door.', [
    ['every', 'Use every n-th frame', 'of a video; smaller means more pictures and more work'],
    ['min_face', 'Smallest face', 'pixels of its shorter side'],
    ['min_sharpness', 'Least sharpness', '8 is a little soft; 0 takes everything'],
    ['min_brightness', 'Darkest face', '0 is black, 255 white'],
    ['max_brightness', 'Brightest face', '0 is black, 255 white'],
    ['max_yaw', 'Turned to the side', 'degrees at most'],
    ['max_pitch', 'Turned up or down', 'degrees at most'],
    ['max_roll', 'Tilted', 'degrees at most'],
  ]],
  ['What is kept', 'After that many days the server deletes for good. 0 keeps it until you delete it.', [
    ['keep_originals', 'Keep uploaded videos and photos', 'beside the cropped faces'],
    ['retention_originals_days', 'Videos and photos', 'days'],
    ['retention_chips_days', 'Cropped faces', 'days; what was learnt from them stays'],
    ['retention_attempts_days', 'Attempts in the activity', 'days'],
  ]],
  ['Train and deploy', 'Where the team is learnt, and who decides at the door.', [
    ['sagemaker', 'On SageMaker', 'whose endpoint then decides; numbers leave this server, pictures do not'],
  ]],
];

export function tuningSections(settings, mayChange) {
  return groups.map(([name, text, rows]) => [name, text, rows.filter(([key]) => key in settings)]).filter(([, , rows]) => rows.length)
    .map(group => section(...group));

  function section(name, text, rows) {
    const controls = new Map();
    const fields = rows.map(([key, label, hint]) => {
      if (typeof settings[key] === 'boolean') {
        const input = h('input', {type: 'checkbox', checked: settings[key], disabled: !mayChange});
        controls.set(key, {read: () => input.checked, write: v => { input.checked = v; }, fail: () => {}});
        return h('label', {class: 'check whole'}, input, h('span', {}, label, h('span', {class: 'soft'}, `, ${hint}`)));
      }
      const [min, max] = (settings.ranges || {})[key] || [0, undefined];
      const usual = (settings.defaults || {})[key];
      const input = h('input', {type: 'number', min, max, step: 'any', value: settings[key], required: true, inputMode: 'decimal', disabled: !mayChange});
      const box = field(label, input, usual === undefined ? hint : `${hint}; usually ${usual}`);
      controls.set(key, {read: () => input.value.trim() === '' ? NaN : Number(input.value), write: v => { input.value = v; }, fail: box.fail});
      return box;
    });
    const said = h('div', {'aria-live': 'polite'});
    return h('section', {class: 'card'}, h('form', {class: 'stack', novalidate: true, 'aria-label': name, onsubmit: save},
      h('h2', {}, name), h('p', {class: 'soft'}, text), h('div', {class: 'grid'}, fields), said,
      mayChange && h('div', {class: 'row'}, h('button', {class: 'main'}, 'Save'), h('button', {type: 'button', onclick: () => send(Object.fromEntries(rows.map(([key]) => [key, null])))}, 'Back to the usual'))));

    function save(event) {
      event.preventDefault();
      const changed = {};
      for (const [key, control] of controls) {
        const [min, max] = (settings.ranges || {})[key] || [];
        const value = control.read();
        control.fail('');
        if (typeof value === 'number' && (!Number.isFinite(value) || value < min || value > max)) return control.fail(`Give a number from ${min} to ${max}.`);
        if (value !== settings[key]) changed[key] = value;
      }
      if (!Object.keys(changed).length) return notice('info', 'Nothing was changed.');
      return send(changed);
    }

    async function send(changed) {
      said.replaceChildren();
      try {
        Object.assign(settings, await call('PATCH', '/api/v1/settings', changed));
        for (const [key, control] of controls) control.write(settings[key]);
        notice('good', 'Saved.');
      } catch (problem) {
        const [key] = [...controls.keys()].filter(k => problem.message.startsWith(`${k}:`));
        if (key && controls.get(key).fail) controls.get(key).fail(problem.message.slice(key.length + 1).trim());
        else said.replaceChildren(note('bad', problem.message));
      }
    }
  }
}
