// The web app in Debian's Chromium, from the first start to the audit: what a team lead does, in the order in
// which it is done. With FACEGATE_SHOTS=DIR, pictures of every page are left there.
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const root = process.env.FACEGATE_SOURCE, program = process.env.FACEGATE, shots = process.env.FACEGATE_SHOTS;
const browserPath = process.env.CHROMIUM || '/usr/bin/chromium';
const need = name => { console.log(`[ RUN      ] browser\n[  SKIPPED ] browser\nskipped: ${name}`); process.exit(77); };
const require = createRequire(import.meta.url);
let chromium, axe;
try {
  ({chromium} = require('playwright-core'));
  axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
} catch { need('its packages are not here; run: (cd tests/browser && npm ci)'); }
if (!fs.existsSync(browserPath)) need(`there is no ${browserPath}; install chromium or set CHROMIUM`);

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'facegate-browser-'));
const at = name => path.join(work, name);
function render(kind, person, name, variant, seconds = 3) {
  execFileSync(path.join(root, 'tests/support/render.sh'), [kind, path.join(root, `tests/fixtures/people/${person}.jpg`), at(name), String(variant)],
    {env: {...process.env, RENDER_SECONDS: String(seconds)}});
  return at(name);
}

async function startServer() {
  const server = spawn(program, ['--data', at('data'), '--json', 'serve', '--port', '0'], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise(resolve => server.on('exit', resolve));
  const line = await Promise.race([readline.createInterface({input: server.stdout})[Symbol.asyncIterator]().next(), ended]);
  if (!line || !line.value) throw new Error('facegate serve does not start');
  return {...JSON.parse(line.value), stop: () => { server.kill('SIGTERM'); return ended; }};
}

const problems = [];
let page, server;

async function shot(name) {
  if (!shots) return;
  fs.mkdirSync(shots, {recursive: true});
  for (const [size, width, height] of [['desktop', 1280, 800], ['phone', 360, 740]]) {
    await page.setViewportSize({width, height});
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({colorScheme: scheme});
      await page.waitForTimeout(80);
      await page.screenshot({path: path.join(shots, `${name}-${size}-${scheme}.png`), fullPage: size === 'phone'});
    }
  }
  await page.setViewportSize({width: 1280, height: 800});
  await page.emulateMedia({colorScheme: 'light'});
}

// Nothing that axe-core calls serious, in light and dark, and nothing that scrolls sideways on a small phone.
async function accessible(name) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme: scheme});
    await page.waitForTimeout(300); // colours fade
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}));
    const serious = found.violations.filter(v => ['serious', 'critical'].includes(v.impact));
    assert.deepEqual(serious.map(v => `${v.id}: ${v.nodes.map(n => n.html.slice(0, 120)).join(' | ')}`), [], `${name}, ${scheme}`);
  }
  await page.emulateMedia({colorScheme: 'light'});
  await page.setViewportSize({width: 360, height: 740});
  await page.waitForTimeout(100);
  assert.equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth)), 0, `${name} scrolls sideways at 360 px`);
  await page.setViewportSize({width: 1280, height: 800});
  await shot(name);
}

async function open(name) {
  await page.getByRole('navigation').getByRole('link', {name}).click();
  await page.getByRole('heading', {level: 1, name}).waitFor();
}

async function waitEnrolled(name) {
  await page.getByRole('heading', {level: 1, name: `${name} is enrolled`}).waitFor({timeout: 120000});
}

const steps = {
  async sign_in_by_link_works_once() {
    await page.goto(server.sign_in);
    await page.getByText('No members yet: add the first').waitFor();
    assert.equal(new URL(page.url()).hash, '');
    await accessible('first-run');
    const other = await page.context().browser().newContext();
    const stranger = await other.newPage();
    await stranger.goto(server.sign_in);
    await stranger.getByText('was used already').waitFor();
    await stranger.getByLabel('Key').fill('fg_wrong');
    await stranger.getByRole('button', {name: 'Sign in'}).click();
    await stranger.locator('.wrong:not([hidden])').waitFor();
    await stranger.getByLabel('Key').fill(server.admin_key);
    await stranger.keyboard.press('Enter');
    await stranger.getByText('No members yet').waitFor();
    await other.close();
  },

  async a_form_says_what_is_missing() {
    await page.getByRole('link', {name: 'Add the first member'}).click();
    await page.getByRole('button', {name: 'Upload and find the face'}).click();
    await page.getByText('Give a name.').waitFor();
    await page.getByLabel('Name').fill('Bruno');
    await page.getByLabel('Role', {exact: true}).fill('engineer');
    await page.getByRole('button', {name: 'Upload and find the face'}).click();
    await page.getByText('Choose a video, or some photos.').waitFor();
    await accessible('add');
  },

  async a_text_is_no_video() {
    fs.writeFileSync(at('text.mp4'), 'I am a text. '.repeat(100));
    await page.getByLabel('Choose a video or photos').setInputFiles(at('text.mp4'));
    await page.getByRole('button', {name: 'Upload and find the face'}).click();
    await page.getByRole('heading', {name: 'Bruno was not enrolled'}).waitFor({timeout: 30000});
    assert.match(await page.locator('.note.bad').textContent(), /text\.mp4/);
    await accessible('refused');
    await page.getByRole('link', {name: 'Try again'}).click();
  },

  async a_video_is_uploaded_and_its_faces_are_shown() {
    await page.getByLabel('Name').fill('Bruno');
    await page.getByLabel('Role', {exact: true}).fill('engineer');
    await page.getByLabel('Rights').fill('lab');
    await page.keyboard.press('Enter');
    await page.getByLabel('Choose a video or photos').setInputFiles(at('bruno.mp4'));
    await page.getByRole('button', {name: 'Upload and find the face'}).click();
    await waitEnrolled('Bruno');
    const shown = await page.locator('.faces li').count();
    assert.equal(String(shown), await page.locator('.counts dd').first().textContent());
    assert.ok(shown > 5);
    assert.ok(await page.locator('.faces img').first().evaluate(i => i.decode().then(() => i.naturalWidth > 20)));
    await accessible('enrolled');
  },

  async a_member_is_recorded_by_the_camera() {
    await page.getByRole('link', {name: 'Add another'}).click();
    await page.getByLabel('Name').fill('Ada');
    await page.getByLabel('Role', {exact: true}).fill('team lead');
    await page.getByLabel('Rights').fill('lab, office,');
    await page.getByRole('button', {name: 'Record with the camera'}).click();
    await page.getByText('Turn slowly to the left').waitFor({timeout: 30000});
    await shot('recording');
    await page.locator('.files li').waitFor({timeout: 60000});
    await page.getByRole('button', {name: 'Upload and find the face'}).click();
    await waitEnrolled('Ada');
    await page.getByRole('link', {name: 'Back to the team'}).click();
    await page.getByText('Next: train').waitFor();
    assert.deepEqual(await page.locator('.member h2').allTextContents(), ['Ada', 'Bruno']);
    await accessible('team');
  },

  async one_button_trains() {
    await open('Train');
    await page.getByRole('button', {name: 'Train'}).click();
    await page.getByText('Version 1 is in use').waitFor({timeout: 240000});
    await accessible('train');
  },

  async a_photo_is_tested() {
    await open('Test');
    await accessible('test-empty');
    const input = page.getByLabel('Choose a photo');
    await input.setInputFiles(at('bruno.jpg'));
    await page.locator('.verdict.granted').waitFor({timeout: 60000});
    assert.equal(await page.locator('.verdict .who').textContent(), 'Bruno');
    assert.equal(await page.locator('.stage svg circle').count(), 5);
    const [box, photo] = [await page.locator('.stage .face-box').boundingBox(), await page.locator('.stage img').boundingBox()];
    assert.ok(box.x > photo.x && box.y > photo.y && box.x + box.width < photo.x + photo.width, 'the box is on the photo');
    assert.ok(await page.getByAltText('The face, cropped').evaluate(i => i.naturalWidth > 50));
    await accessible('test-granted');
    await page.getByLabel('Access for').selectOption('office');
    await page.locator('.verdict.denied').waitFor({timeout: 60000});
    await accessible('test-denied');
    await input.setInputFiles(at('otto.jpg'));
    await page.locator('.verdict.unknown').waitFor({timeout: 60000});
    await accessible('test-unknown');
    await input.setInputFiles(at('text.mp4'));
    await page.locator('.note.bad').waitFor();
  },

  async the_camera_is_tested() {
    await page.getByRole('button', {name: 'Use the camera'}).click();
    await page.locator('.verdict.granted .who', {hasText: 'Ada'}).waitFor({timeout: 60000});
    await shot('test-camera');
    await page.getByRole('button', {name: 'Stop the camera'}).click();
  },

  async a_member_is_edited_and_removed_by_keyboard_alone() {
    await page.goto(`${server.url}/team`);
    const edit = page.getByRole('button', {name: 'Edit Bruno'});
    await edit.waitFor();
    for (let i = 0; i < 60 && !(await edit.evaluate(e => e === document.activeElement)); i++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Role').focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('architect');
    await shot('edit');
    await page.keyboard.press('Enter');
    await page.locator('.member', {hasText: 'architect'}).waitFor();
    await page.getByRole('button', {name: 'Remove Bruno'}).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', {name: 'Remove for good'}).focus();
    await page.keyboard.press('Enter');
    await page.getByText('Bruno was removed.').waitFor();
    assert.deepEqual(await page.locator('.member h2').allTextContents(), ['Ada']);
  },

  async the_activity_tells_it_all() {
    await open('Activity');
    const rows = await page.locator('tbody tr').allTextContents();
    for (const word of ['Access granted', 'Access denied', 'Not recognised', 'Member removed', 'Trained', 'Member enrolled'])
      assert.ok(rows.some(r => r.includes(word)), word);
    await accessible('activity');
    await page.getByLabel('Show', {exact: true}).selectOption('denied');
    assert.ok((await page.locator('tbody tr').allTextContents()).every(r => r.includes('Access denied')));
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', {name: 'CSV'}).click()]);
    assert.match(fs.readFileSync(await download.path(), 'utf8'), /^time,action,subject/);
  },

  async a_key_is_made_shown_once_and_revoked() {
    await open('Settings');
    await page.getByRole('button', {name: 'Make a key'}).click();
    await page.getByLabel('What is it for?').fill('Front door');
    await page.getByRole('button', {name: 'Make', exact: true}).click();
    const key = await page.locator('.key').textContent();
    assert.match(key, /^fg_[0-9a-f]{16}_[\w-]{43}$/);
    await shot('key');
    const answer = await fetch(`${server.url}/api/v1/verify`, {method: 'POST', headers: {'x-api-key': key}, body: fs.readFileSync(at('otto.jpg'))});
    assert.ok([200, 409].includes(answer.status), String(answer.status));
    await page.getByRole('button', {name: 'Done'}).click();
    await page.getByText('Front door').waitFor();
    assert.ok(!(await page.content()).includes(key.split('_')[2]));
    await accessible('settings');
    await page.getByRole('button', {name: 'Revoke Front door'}).click();
    await page.getByRole('dialog').getByRole('button', {name: 'Revoke'}).click();
    await page.getByText('The key was revoked.').waitFor();
    const refused = await fetch(`${server.url}/api/v1/verify`, {method: 'POST', headers: {'x-api-key': key}, body: 'x'});
    assert.equal(refused.status, 401);
  },

  async signing_out_ends_it() {
    await open('About');
    await accessible('about');
    await open('Settings');
    await page.getByRole('button', {name: 'Sign out'}).click();
    await page.getByRole('button', {name: 'Sign in'}).waitFor();
    await accessible('signin');
    await page.goto(`${server.url}/team`);
    await page.getByRole('button', {name: 'Sign in'}).waitFor();
  },
};

let failed = 0, browser;
try {
  render('video', 'bruno', 'bruno.mp4', 1);
  render('photo', 'bruno', 'bruno.jpg', 1);
  render('photo', 'otto', 'otto.jpg', 1);
  render('video', 'ada', 'ada.mp4', 0, 4);
  execFileSync('ffmpeg', ['-v', 'error', '-i', at('ada.mp4'), '-c:v', 'mjpeg', '-q:v', '3', '-an', at('camera.mjpeg')]);
  server = await startServer();
  browser = await chromium.launch({executablePath: browserPath, args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    `--use-file-for-fake-video-capture=${at('camera.mjpeg')}`]});
  const context = await browser.newContext({viewport: {width: 1280, height: 800}, acceptDownloads: true});
  page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on('pageerror', e => problems.push(`error in the page: ${e.message}`));
  page.on('console', m => { if (m.type() === 'error' && !/status of (401|409|415|422)/.test(m.text())) problems.push(`console: ${m.text()}`); });
  page.on('request', r => { if (!r.url().startsWith(server.url) && !/^(data|blob):/.test(r.url())) problems.push(`asked another host: ${r.url()}`); });
  for (const [name, step] of Object.entries(steps)) {
    console.log(`[ RUN      ] ${name}`);
    try {
      await step();
      assert.deepEqual(problems.splice(0), []);
      console.log(`[       OK ] ${name}`);
    } catch (error) {
      failed++;
      console.log(`[  FAILED  ] ${name}\n${error.stack}`);
      await page.screenshot({path: path.join(shots || os.tmpdir(), `facegate-failed-${name}.png`)});
      break; // each step stands on the one before
    }
  }
} catch (error) {
  failed++;
  console.log(`[ RUN      ] start\n[  FAILED  ] start\n${error.stack}`);
} finally {
  if (browser) await browser.close();
  if (server && (await server.stop()) !== 0) { failed++; console.log('facegate serve ended badly'); }
  fs.rmSync(work, {recursive: true, force: true});
}
process.exit(failed ? 1 : 0);
