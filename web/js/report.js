// What a training found, in words and pictures.
import {h, note} from './dom.js';
import {percent, plural, rate} from './words.js';

const warnings = {
  few_templates: w => `${w.member} has only ${plural(w.value, 'picture')}. A longer video makes the decision surer.`,
  uniform: w => `All pictures of ${w.member} are much alike. A second video in other light helps.`,
  look_alike: w => `${w.member} and ${w.other} look alike (similarity ${w.value.toFixed(2)}). Facegate asks for more certainty between them.`,
  same_face: w => `${w.member} and ${w.other} seem to be the same person. Remove one of the two.`,
  outliers: w => `${plural(w.value, 'picture')} of ${w.member} did not resemble the rest and ${w.value === 1 ? 'was' : 'were'} left out.`,
  in_cohort: w => `${plural(w.value, 'face')} of ${w.member} ${w.value === 1 ? 'was' : 'were'} among the strangers to learn from (--cohort), and left out there. Strangers are people in no team.`,
};

export function report(r) {
  return [tiles(r), ...(r.warnings || []).map(w => note('unsure', warnings[w.kind] ? warnings[w.kind](w) : w.kind.replaceAll('_', ' '))),
    r.people && r.people.length > 0 && people(r)];
}

function tiles(r) {
  const tile = (label, value, more) => h('div', {}, h('dt', {}, label), h('dd', {}, value), more && h('dd', {class: 'more'}, more));
  const strangers = r.far > 0 ? rate(r.far) : 'none';
  return h('dl', {class: 'counts'},
    tile('Learnt', plural(r.members, 'member'), `${plural(r.templates, 'picture')}${r.outliers ? `, ${r.outliers} left out` : ''}, in ${r.seconds < 1 ? `${Math.ceil(1000 * r.seconds)} ms` : `${r.seconds.toFixed(1)} s`}`),
    tile('Strangers let in', strangers, `of ${r.cohort.toLocaleString('en')} tried${r.far_high === null ? '' : `; with 95 % certainty at most ${rate(r.far_high)}`}`),
    tile('Members turned away', r.frr === null ? 'not measured' : r.frr > 0 ? percent(r.frr) : 'none', r.frr === null ? 'needs longer videos' : 'of pictures that were held back to try'));
}

// How much room is between a member's own pictures and the nearest other face.
function room(p) {
  const other = Math.max(p.nearest ?? 0, p.stranger ?? 0);
  if (p.own_low === null) return {word: 'one picture', kind: 'unsure'};
  const free = p.own_low - other;
  return free > .25 ? {word: 'clear', kind: 'good'} : free > .1 ? {word: 'enough', kind: 'info'} : {word: 'narrow', kind: 'unsure'};
}

const place = value => `${100 * Math.max(0, Math.min(1, value))}%`;

function mark(kind, value, title) {
  if (value === null || value === undefined) return null;
  const element = h('span', {class: `mark ${kind}`, title: `${title}: ${value.toFixed(2)}`});
  element.style.left = place(value);
  return element;
}

function people(r) {
  const gate = r.similarity_gate;
  const line = p => {
    const free = room(p), own = h('span', {class: 'own', title: `Own pictures: ${(p.own_low ?? 0).toFixed(2)} to 1, ${(p.own ?? 0).toFixed(2)} on average`});
    if (p.own_low !== null) { own.style.left = place(p.own_low); own.style.right = '0'; } else own.hidden = true;
    const below = h('span', {class: 'below'});
    below.style.width = place(gate);
    const text = [p.own_low !== null && `own pictures from ${p.own_low.toFixed(2)}`, p.nearest_member && `nearest member ${p.nearest_member} at ${p.nearest.toFixed(2)}`,
      p.stranger !== null && `nearest stranger at ${p.stranger.toFixed(2)}`].filter(Boolean).join(', ');
    return h('li', {},
      h('div', {class: 'row between'}, h('span', {class: 'name'}, p.member || 'removed'), h('span', {class: `tag ${free.kind}`}, free.word)),
      h('div', {class: 'line', role: 'img', 'aria-label': text}, below, own, mark('stranger', p.stranger, 'Nearest stranger'),
        mark('member', p.nearest, `Nearest member, ${p.nearest_member}`), mark('mean', p.own, 'Own pictures, on average')),
      h('p', {class: 'soft small'}, text));
  };
  return h('details', {class: 'people', open: r.people.length <= 12}, h('summary', {}, 'How well each face stands apart'),
    h('p', {class: 'soft small'}, `From 0 (nothing in common) to 1 (the same picture). Below ${gate.toFixed(2)} nobody is recognised.`),
    h('ul', {class: 'legend small', 'aria-hidden': 'true'}, h('li', {}, h('span', {class: 'key own'}), 'own pictures'), h('li', {}, h('span', {class: 'key member'}), 'nearest member'),
      h('li', {}, h('span', {class: 'key stranger'}), 'nearest stranger'), h('li', {}, h('span', {class: 'key below'}), 'not recognised')),
    h('ul', {class: 'lines'}, r.people.map(line)), r.members > r.people.length && h('p', {class: 'soft small'}, `The ${r.people.length} with the least room, of ${r.members}.`));
}
