// What the browser tests share: a server of their own on an empty folder, Debian's Chromium with a fake camera,
// and steps that stand one on the other. With FACEGATE_SHOTS=DIR, pictures of every page are left there.
import assert from 'node:assert/strict';
import {execFile, spawn} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import {promisify} from 'node:util';

const root = process.env.FACEGATE_SOURCE, program = process.env.FACEGATE, shots = process.env.FACEGATE_SHOTS;
const flags = (process.env.FACEGATE_FLAGS || '').split(' ').filter(Boolean);
const browserPath = process.env.CHROMIUM || '/usr/bin/chromium';
const name = path.basename(process.argv[1], '.js').replace(/^test_/, '');
const exec = promisify(execFile);

function skip(why) {
  console.log(`[ RUN      ] ${name}\n[  SKIPPED ] ${name}\nskipped: ${why}`);
  process.exit(77);
}

const require = createRequire(import.meta.url);
let chromium, axe;
try {
  ({chromium} = require('playwright-core'));
  axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
} catch { skip('its packages are not here; run: (cd tests/browser && npm ci)'); }
if (!fs.existsSync(browserPath)) skip(`there is no ${browserPath}; install chromium or set CHROMIUM`);

export const DESKTOP = {width: 1280, height: 800}, PHONE = {width: 360, height: 740};
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'facegate-browser-'));
export const at = file => path.join(work, file);

// A photo or video of a fixture person: at(`${person}.jpg`), at(`${person}.mp4`).
export async function render(kind, person, {variant = 0, seconds = 3, file = `${person}.${kind === 'photo' ? 'jpg' : 'mp4'}`} = {}) {
  await exec(path.join(root, 'tests/support/render.sh'), [kind, path.join(root, `tests/fixtures/people/${person}.jpg`), at(file), String(variant)],
    {env: {...process.env, RENDER_SECONDS: String(seconds)}});
  return at(file);
}

// The same photo with something dark over the eyes.
export const cover = (from, to) => exec(path.join(root, 'tests/support/cover.sh'), [at(from), at(to)]);

export const facegate = (...words) => exec(program, ['--data', at('data'), '--quiet', ...words, ...flags]);

// Two people who do not exist, enrolled and trained by the command line: what a test is not about costs it no time.
export async function enrollTeam() {
  await Promise.all([render('video', 'ada'), render('video', 'bruno', {variant: 1}), render('photo', 'bruno', {variant: 1}), render('photo', 'otto', {variant: 1})]);
  await facegate('enroll', '--name', 'Ada', '--role', 'site manager', '--right', 'lab', '--right', 'office', at('ada.mp4'));
  await facegate('enroll', '--name', 'Bruno', '--role', 'electrician', '--right', 'lab', at('bruno.mp4'));
  await facegate('train');
}

async function startServer() {
  const server = spawn(program, ['--data', at('data'), '--json', 'serve', '--port', '0', ...flags], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise(resolve => server.on('exit', resolve));
  const line = await Promise.race([readline.createInterface({input: server.stdout})[Symbol.asyncIterator]().next(), ended]);
  if (!line || !line.value) throw new Error('facegate serve does not start');
  return {...JSON.parse(line.value), stop: () => { server.kill('SIGTERM'); return ended; }};
}

// Colours fade and dialogs open; what is judged or kept is the end of it.
async function settled(page) {
  await page.evaluate(() => Promise.all(document.getAnimations().filter(a => a.effect.getComputedTiming().iterations !== Infinity).map(a => a.finished.catch(() => {}))));
}

export async function shot(page, what) {
  if (!shots) return;
  fs.mkdirSync(shots, {recursive: true});
  for (const [size, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
    await page.setViewportSize(viewport);
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({colorScheme: scheme});
      await settled(page);
      await page.screenshot({path: path.join(shots, `${what}-${size}-${scheme}.png`), fullPage: size === 'phone' && !await page.locator('dialog[open], .screen:not([hidden])').count()});
    }
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({colorScheme: 'light'});
}

// Nothing that axe-core calls serious, in light and dark, and nothing that scrolls sideways on a small phone.
export async function accessible(page, what) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme: scheme});
    await settled(page);
    if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}));
    const serious = found.violations.filter(v => ['serious', 'critical'].includes(v.impact));
    assert.deepEqual(serious.map(v => `${v.id}: ${v.nodes.map(n => n.html.slice(0, 140)).join(' | ')}`), [], `${what}, ${scheme}`);
  }
  await page.emulateMedia({colorScheme: 'light'});
  await page.setViewportSize(PHONE);
  await settled(page);
  assert.equal(await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth)), 0, `${what} scrolls sideways at 360 px`);
  await page.setViewportSize(DESKTOP);
  await shot(page, what);
}

export async function open(page, link) {
  await page.getByRole('navigation').getByRole('link', {name: link, exact: true}).click();
  await page.getByRole('heading', {level: 1}).filter({hasText: link}).waitFor();
}

// A list on the page, once it is as it should be.
export async function waitTexts(locator, texts) {
  for (let i = 0; i < 1200; i++) {
    if (JSON.stringify(await locator.allTextContents()) === JSON.stringify(texts)) return;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  assert.deepEqual(await locator.allTextContents(), texts);
}

// In the page: keeps what comes to be seen, since some of it goes again by itself.
function keepTexts() {
  window.seenTexts = [];
  const keep = element => { if (element && element.checkVisibility()) window.seenTexts.push(element.textContent.slice(0, 1000)); };
  new MutationObserver(changes => {
    for (const {type, target, addedNodes} of changes) {
      if (type === 'attributes') keep(target);
      else if (type === 'characterData') keep(target.parentElement);
      else for (const node of addedNodes) keep(node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement);
    }
  }).observe(document, {subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['hidden', 'open']});
}

// Waits for a text that stays for a moment only, be it gone already. Each showing counts once.
export async function told(page, text) {
  await page.waitForFunction(t => {
    const at = window.seenTexts.findIndex(seen => seen.includes(t));
    return at >= 0 && window.seenTexts.splice(0, at + 1);
  }, text);
}

// Tab until the element has the focus, as one does without a mouse.
export async function tabTo(page, locator) {
  for (let i = 0; i < 80; i++) {
    if (await locator.evaluate(e => e === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not lead to ${locator}`);
}

// prepare(): before the server starts; steps: {name: async ({page, server, context}) => ...}, in order. camera: a
// video of at() that the fake camera shows. A step that hears of answers that are errors says so in
// `expected`, a set of statuses.
export async function run({prepare = async () => {}, camera = null, steps}) {
  const problems = [], expected = new Set();
  let failed = 0, browser, server, page;
  const say = (what, step) => console.log(`[${what}] ${step}`);
  try {
    await prepare();
    const args = ['--no-sandbox', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
    if (camera) {
      if (!camera.endsWith('.mjpeg')) await exec('ffmpeg', ['-v', 'error', '-i', at(camera), '-c:v', 'mjpeg', '-q:v', '3', '-an', at(`${camera}.mjpeg`)]);
      args.push(`--use-file-for-fake-video-capture=${at(camera.endsWith('.mjpeg') ? camera : `${camera}.mjpeg`)}`);
    }
    [server, browser] = await Promise.all([startServer(), chromium.launch({executablePath: browserPath, args})]);
    const context = await browser.newContext({viewport: DESKTOP, acceptDownloads: true, reducedMotion: 'reduce'});
    await context.addInitScript(keepTexts);
    page = await context.newPage();
    page.setDefaultTimeout(120000); // for what hangs: no busy machine should reach it
    context.on('request', r => { if (!r.url().startsWith(server.url) && !/^(data|blob):/.test(r.url())) problems.push(`asked another host: ${r.url()}`); });
    page.on('pageerror', e => problems.push(`error in the page: ${e.message}`));
    page.on('console', m => {
      const status = Number((/status of (\d+)/.exec(m.text()) || [])[1]);
      if (m.type() === 'error' && !expected.has(status)) problems.push(`console: ${m.text()} ${m.location().url || ''}`);
    });
    for (const [step, work] of Object.entries(steps)) {
      say(' RUN      ', step);
      const began = performance.now();
      try {
        await work({page, server, context, expected});
        assert.deepEqual(problems.splice(0), []);
        say('       OK ', `${step} (${Math.round(performance.now() - began)} ms)`);
      } catch (error) {
        failed++;
        say('  FAILED  ', `${step}\n${error.stack}\nat ${page.url()}; meanwhile: ${problems.join('; ') || 'nothing'}\n${(await page.locator('main').innerText().catch(() => '')).slice(0, 1500)}`);
        await page.screenshot({path: path.join(shots || os.tmpdir(), `facegate-failed-${name}-${step}.png`)}).catch(() => {});
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
}
