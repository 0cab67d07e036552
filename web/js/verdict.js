// A verdict as people read it: the word, who, how sure, why.
import {h, icon} from './dom.js';
import {rightTags} from './rights.js';
import {decisions, percent} from './words.js';

function gauge(result) {
  const p = result.probability, enough = p >= result.threshold;
  const fill = h('div', {class: `fill ${enough ? 'enough' : ''}`}), mark = h('div', {class: 'at'}), label = h('span', {class: 'needed soft small'}, `${percent(result.threshold, 0)} line`);
  fill.style.width = `${Math.max(0, Math.min(1, p)) * 100}%`;
  mark.style.left = label.style.left = `${result.threshold * 100}%`;
  return h('div', {class: 'gauge'},
    h('div', {class: 'row between'}, h('span', {}, 'Probability'), h('strong', {class: 'number'}, percent(p))),
    h('div', {class: 'track', role: 'img', 'aria-label': `${percent(p)}, ${enough ? 'at or above' : 'below'} the ${percent(result.threshold, 0)} line`}, fill, mark), label);
}

export function verdict(result) {
  const d = decisions[result.decision], {detail} = result;
  return h('div', {class: `verdict ${result.decision}`},
    h('div', {class: 'row'}, detail.chip && h('img', {class: 'chip', src: detail.chip, alt: 'The face, cropped and turned upright'}),
      h('div', {class: 'tight'}, h('div', {class: 'word'}, icon(d.icon), d.title), result.member && h('div', {class: 'who'}, result.member), result.role && h('p', {}, result.role), rightTags(result.rights))),
    detail.texts.map(t => h('p', {}, t)), result.probability !== null && gauge(result));
}

export function details(result) {
  const t = result.detail.timings, stages = [['Decode', t.decode_ms], ['Find the face', t.detect_ms], ['Embed', t.embed_ms], ['Decide', t.decide_ms], ['Write down', t.record_ms]];
  const all = Math.max(1e-6, stages.reduce((sum, [, ms]) => sum + ms, 0));
  const strip = h('div', {class: 'strip', 'aria-hidden': 'true'}, stages.map(([, ms], i) => {
    const part = h('span', {class: `part${i}`});
    part.style.width = `${100 * ms / all}%`;
    return part;
  }));
  const facts = [
    ['Similarity', result.similarity === null ? null : result.similarity.toFixed(3)], ['Faces', String(result.detail.faces)],
    ['Face score', result.face ? result.face.score.toFixed(3) : null], ['Model', `${result.model}, ${result.endpoint ? `endpoint ${result.endpoint}` : `version ${result.classifier}`}`],
  ].filter(f => f[1]);
  return h('div', {class: 'card stack'},
    h('div', {class: 'row between'}, h('h2', {}, 'Answered in'), h('strong', {class: 'number big'}, `${result.elapsed_ms.toFixed(result.elapsed_ms < 10 ? 1 : 0)} ms`)),
    strip, h('ul', {class: 'legend small'}, stages.map(([name, ms], i) => h('li', {}, h('span', {class: `key part${i}`}), `${name} ${ms.toFixed(1)}`))),
    h('dl', {class: 'facts small'}, facts.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {class: 'number'}, value)])));
}
