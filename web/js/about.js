import {get} from './api.js';
import {h, icon} from './dom.js';
import {percent} from './words.js';

export const title = 'About';

export async function show(main) {
  const a = await get('/api/v1/about');
  const facts = [
    ['Version', a.version], ['Face finder', a.detector], ['Embedder', `${a.embedder}, ${a.embedding_size} numbers, ${a.precision}`],
    ['Model', a.model_hash.slice(0, 16)], ['Decided by', a.endpoint ? `endpoint ${a.endpoint} on SageMaker` : a.classifier === null ? 'nobody yet' : `version ${a.classifier}`],
    ['Access at', `${percent(a.threshold, 0)} probability or more`], ['Threads', String(a.workers)],
  ];
  const answers = [
    ['good', 'check', 'Granted', 'a member, sure enough, with the right that is asked for'], ['bad', 'cross', 'Denied', 'a member, but without that right'],
    ['unsure', 'unknown', 'Not recognised', 'a face, but no member, or not surely one'], ['info', 'retry', 'Try again', 'no face that can be used: too small, too dark, blurred, turned away, covered'],
  ];
  main.append(h('div', {class: 'head'}, h('h1', {}, 'About')),
    h('div', {class: 'stack'},
      h('section', {class: 'card stack'}, h('h2', {}, 'How it works'),
        h('p', {}, 'A video becomes pictures; in each, the face is found, turned upright and cut out. A network turns it into a list of numbers that is close for two pictures of one person and far for two people. From these a classifier learns your team. A photo at the door goes the same way, and the answer is a probability.'),
        h('p', {}, a.endpoint ? 'Pictures stay on this server, unless whoever runs it keeps them in S3. The lists of numbers go to SageMaker, to learn from and to decide. No page asks any other host for anything.'
          : 'Everything happens on this server, unless whoever runs it keeps the pictures in S3. No page asks any other host for anything.')),
      h('section', {class: 'card stack'}, h('h2', {}, 'Four answers'),
        h('ul', {class: 'tips'}, answers.map(([kind, picture, name, text]) => h('li', {}, h('span', {class: `dot ${kind}`}, icon(picture)), h('div', {}, h('h3', {}, name), h('p', {class: 'soft small'}, text)))))),
      h('section', {class: 'card stack'}, h('h2', {}, 'This server'),
        h('dl', {class: 'facts'}, facts.flatMap(([term, value]) => [h('dt', {}, term), h('dd', {class: 'number'}, value)])),
        h('p', {class: 'soft small'}, 'Facegate is free software under the Apache License 2.0.'))));
}
