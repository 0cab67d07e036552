// Every page as such: small, its own, strict, usable empty and with odd names, on a phone and by screen readers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {accessible, at, DESKTOP, open, PHONE, render, run, shot} from './app.js';

const LIMIT = 100 * 1024; // bytes of a first view, pictures and data and all

// The bytes that a fresh browser fetches until the page is quiet.
async function weigh(context, url, ready) {
  const fresh = await context.browser().newContext({storageState: await context.storageState(), viewport: PHONE});
  const page = await fresh.newPage();
  const sizes = {};
  page.on('requestfinished', async request => {
    const {responseBodySize, responseHeadersSize} = await request.sizes();
    sizes[new URL(request.url()).pathname] = responseBodySize + responseHeadersSize;
  });
  await page.goto(url);
  await ready(page);
  await page.waitForLoadState('networkidle');
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  assert.ok(Object.keys(sizes).length > 4 && total > 20000, 'it was weighed');
  assert.ok(total < LIMIT, `${url}: ${total} bytes: ${JSON.stringify(sizes)}`);
  await fresh.close();
}

await run({
  prepare: () => render('photo', 'carla'),
  steps: {
    async the_page_is_strict({page, server, expected}) {
      expected.add(401);
      const answer = await page.goto(server.url);
      const policy = answer.headers()['content-security-policy'];
      for (const word of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) assert.ok(policy.includes(word), word);
      assert.ok(!/unsafe|\*/.test(policy), policy);
      const html = await answer.text();
      assert.ok(!/<script>|<style|style=|onclick/i.test(html));
      await page.getByRole('button', {name: 'Sign in'}).waitFor();
      assert.equal(await page.locator('[style]').count(), 0);
      await weigh(page.context(), server.url, p => p.getByRole('button', {name: 'Sign in'}).waitFor());
    },

    async an_address_of_nothing_says_so({page, server, expected}) {
      expected.add(404);
      const answer = await page.goto(`${server.url}/no/such`);
      assert.equal(answer.status(), 404);
      await page.getByRole('heading', {level: 1, name: 'There is no such page'}).waitFor();
      await accessible(page, 'missing');
      await page.getByRole('link', {name: 'To the start'}).click();
      await page.getByRole('button', {name: 'Sign in'}).waitFor();
      for (const [path, accept] of [['/no/such', '*/*'], ['/api/v1/nosuch', 'text/html']]) {
        const problem = await fetch(server.url + path, {headers: {accept}});
        assert.equal(problem.status, 404);
        assert.equal(problem.headers.get('content-type'), 'application/problem+json');
      }
    },

    async an_empty_server_shows_what_comes_next({page, server, expected}) {
      await page.goto(server.sign_in);
      await page.getByText('No members yet: add the first').waitFor();
      await open(page, 'Train');
      await page.getByText('There is nobody to learn yet.').waitFor();
      await accessible(page, 'train-empty');
      await open(page, 'Test');
      await page.getByText('There are no members yet.').waitFor();
      expected.add(409);
      await page.getByLabel('Choose a photo').setInputFiles(at('carla.jpg'));
      await page.locator('.note').getByText('The team has to be trained before a photo can be tested.').waitFor();
      await accessible(page, 'test-untrained');
      fs.writeFileSync(at('empty.jpg'), '');
      await page.getByLabel('Choose a photo').setInputFiles(at('empty.jpg'));
      await page.locator('.note').getByText('This file is empty.').waitFor();
      await accessible(page, 'test-nothing');
      await open(page, 'Activity');
      await page.getByText('Signed in').last().waitFor();
      await open(page, 'About');
      await accessible(page, 'about');
      await page.goto(`${server.url}/kiosk`);
      await page.getByLabel('Right that is needed here').waitFor();
    },

    async a_right_that_was_typed_is_no_hindrance({page, server}) {
      for (const size of [DESKTOP, PHONE]) {
        await page.setViewportSize(size);
        await page.goto(`${server.url}/add`);
        await page.getByLabel('Rights').pressSequentially(`${'first '.repeat(14)},${'second '.repeat(12)}`);
        await page.getByRole('button', {name: 'Upload and find the face'}).click();
        await page.getByText('Give a name.').waitFor();
        assert.equal(await page.locator('.field .tag').count(), 2);
      }
      await page.setViewportSize(DESKTOP);
    },

    async odd_names_are_text({page, server}) {
      const name = '<img src=x onerror=alert(1)> & "Ünï" השם', role = 'r'.repeat(200);
      await page.goto(`${server.url}/add`);
      await page.getByLabel('Name').fill(name);
      await page.getByLabel('Role', {exact: true}).evaluate((e, text) => { e.maxLength = 200; e.value = text; }, role);
      await page.getByLabel('Rights').fill('<b>lab</b>,');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('carla.jpg'));
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await page.getByRole('heading', {level: 1, name: `${name} is enrolled`}).waitFor();
      await page.goto(`${server.url}/add`);
      const add = () => page.getByRole('button', {name: 'Upload and find the face'}).click();
      await page.getByLabel('Role', {exact: true}).fill('intern');
      await page.getByLabel('Name').fill(name.replace('Ü', 'ü')); // another name, to the server
      await add();
      await page.getByText('Choose a video, or some photos.').waitFor();
      await page.getByLabel('Name').fill(name.replace('alert', 'ALERT'));
      await add();
      await page.getByText('There is a member of this name already.').waitFor();
      await open(page, 'Team');
      assert.deepEqual(await page.locator('.member h2').allTextContents(), [name]);
      assert.deepEqual(await page.locator('.member .tag.accent').allTextContents(), ['<b>lab</b>']);
      await accessible(page, 'team-odd');
      await page.locator('.member a').click();
      await page.getByRole('heading', {level: 1, name}).waitFor();
      await accessible(page, 'member-odd');
    },

    async every_first_view_is_light({page, server}) {
      const heading = name => p => p.getByRole('heading', {level: 1, name}).waitFor();
      const all = [['/team', heading('Team')], ['/add', heading('Add')], ['/train', heading('Train')], ['/test', heading('Test')], ['/activity', heading('Activity')],
        ['/settings', heading('Settings')], ['/kiosk', heading('Kiosk')]];
      await Promise.all(all.map(([path, ready]) => weigh(page.context(), server.url + path, ready)));
    },

    async keys_lead_through_the_page({page, server}) {
      await page.goto(`${server.url}/team`);
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the page');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      await page.keyboard.press('Tab');
      assert.match(await page.evaluate(() => document.activeElement.textContent), /Add a member/);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', {level: 1, name: 'Add a member'}).waitFor();
      assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
      await page.goBack();
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
    },

    async a_camera_that_cannot_be_used_is_told({page, server}) {
      await page.addInitScript(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
      });
      const told = () => page.getByText('The camera was not allowed.').filter({visible: true}).last().waitFor();
      await page.goto(`${server.url}/test`);
      await page.getByRole('button', {name: 'Use the camera'}).click();
      await told();
      await page.goto(`${server.url}/add`);
      await page.getByRole('button', {name: 'Record with the camera'}).click();
      await told();
      await page.getByRole('dialog').getByRole('button', {name: 'Close'}).click();
      assert.ok(await page.getByRole('button', {name: 'Record with the camera'}).evaluate(e => e === document.activeElement));
      await page.goto(`${server.url}/kiosk`);
      await page.getByRole('button', {name: 'Start as I am'}).click();
      await told();
    },

    async a_camera_that_does_not_start_is_let_go({page}) {
      assert.deepEqual(await page.evaluate(async () => {
        const {openCamera} = await import('/js/camera.js');
        const canvas = document.createElement('canvas'), video = document.createElement('video');
        canvas.getContext('2d');
        const stream = canvas.captureStream();
        navigator.mediaDevices.getUserMedia = async () => stream;
        video.play = () => Promise.reject(new Error('no'));
        const said = await openCamera(video).catch(reason => reason.message);
        return [said, ...stream.getTracks().map(track => track.readyState)];
      }), ['The camera cannot be used: no', 'ended']);
    },

    async hints_say_what_to_do_better({page}) {
      const hints = await page.evaluate(async () => {
        const {hint} = await import('/js/camera.js');
        const seen = (box, reason = null) => ({width: 640, height: 480, face: {box}, reason, text: 'as the server says'});
        const middle = [220, 120, 200, 240];
        return [hint(null), hint({face: null}), hint(seen(middle)), hint(seen(middle, 'too_dark')), hint(seen(middle, 'blurred')), hint(seen(middle, 'several_faces')), hint(seen(middle, 'liveness_failed')),
          hint(seen([300, 200, 50, 60])), hint(seen([0, 120, 200, 240])), hint(seen([0, 120, 200, 240]), {centred: true}), hint(seen([120, 10, 400, 460]), {centred: true}), hint(seen(middle, 'pose'), {mayTurn: true})];
      });
      assert.deepEqual(hints, ['', 'Show your face', '', 'More light on the face, please', 'Hold still', 'One person at a time', 'as the server says',
        'Come closer', '', 'Move to the middle', 'A little further away', 'Not quite so far']);
    },

    async without_the_server_the_page_says_so({page, server, context}) {
      await page.goto(`${server.url}/team`);
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await context.route('**/api/v1/classifiers*', route => route.abort());
      page.removeAllListeners('console'); // a broken connection is told there
      await page.getByRole('navigation').getByRole('link', {name: 'Train'}).click();
      await page.getByText('The server cannot be reached.').waitFor();
      await shot(page, 'unreachable');
      await context.unroute('**/api/v1/classifiers*');
      await page.getByRole('button', {name: 'Try again'}).click();
      await page.getByRole('heading', {level: 1, name: 'Train and deploy'}).waitFor();
    },
  },
});
