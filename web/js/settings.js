import {get, post} from './api.js';
import {ask, field, h, icon, note, notice} from './dom.js';
import {keysSection} from './keys.js';
import {forgetSession, may} from './session.js';
import {tuningSections} from './tuning.js';

export const title = 'Settings';

export async function show(main, go) {
  const [session, settings] = await Promise.all([get('/api/v1/session'), may('enroll') ? get('/api/v1/settings').catch(() => null) : null]);
  const reload = () => go('/settings', true);
  main.append(h('div', {class: 'head'}, h('h1', {}, 'Settings')),
    h('div', {class: 'stack'},
      may('admin') ? await keysSection(reload) : null,
      settings && tuningSections(settings, may('admin')),
      h('section', {class: 'card stack'}, h('h2', {}, 'This session'),
        h('p', {class: 'soft'}, `Signed in with the scopes: ${session.scopes.join(', ')}.`),
        h('div', {class: 'row'}, h('button', {onclick: leave}, icon('exit'), 'Sign out'),
          may('verify') && h('a', {class: 'button', href: '/kiosk'}, icon('door'), 'Kiosk'), h('a', {class: 'button', href: '/about'}, icon('about'), 'About Facegate'))),
      may('admin') && h('section', {class: 'card stack danger'}, h('h2', {}, 'Reset'),
        h('p', {class: 'soft'}, 'Deletes every member, picture, classifier version and attempt for good. Keys and settings stay.'),
        h('div', {class: 'row'}, h('button', {class: 'danger', onclick: reset}, icon('bin'), 'Reset…')))));

  async function reset() {
    const word = h('input', {autocomplete: 'off', autocapitalize: 'characters', spellcheck: false});
    const sure = h('button', {class: 'danger', disabled: true}, icon('bin'), 'Delete everything');
    const said = h('div', {'aria-live': 'polite'});
    word.addEventListener('input', () => { sure.disabled = word.value.trim() !== 'RESET'; });
    const done = await ask('Delete the whole team?', close => h('form', {
      class: 'stack',
      onsubmit: async event => {
        event.preventDefault();
        if (sure.disabled) return;
        sure.disabled = true;
        try {
          await post('/api/v1/reset', {confirm: 'RESET'});
          close(true);
        } catch (problem) { said.replaceChildren(note('bad', problem.message)); }
      },
    }, h('p', {}, 'Nobody will be let in any more, and nothing of this can be brought back.'), field('Type RESET to confirm', word), said,
    h('div', {class: 'row'}, sure, h('button', {type: 'button', onclick: () => close()}, 'Keep everything'))));
    if (!done) return;
    notice('good', 'Everything was deleted.');
    go('/team', true);
  }

  async function leave() {
    await post('/signout');
    forgetSession();
    go('/signin', true);
  }
}
