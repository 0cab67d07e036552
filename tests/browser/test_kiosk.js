// The kiosk at a door: who stands there is let in, told why not, or told what to do.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {accessible, at, cover, enrollTeam, run, shot} from './app.js';

const screen = (page, state) => page.locator(`.screen.${state}`).waitFor();

// Never by colour alone: the sign that is seen with an answer.
const sign = async (page, state) => (await page.waitForFunction(s => {
  const e = document.querySelector(`.screen.${s} .sign`);
  return e && getComputedStyle(e).opacity === '1' && e.querySelector('path').getAttribute('d');
}, state)).jsonValue();

// Those of this kiosk that are still good.
async function keysHere(server) {
  const {keys} = await (await fetch(`${server.url}/api/v1/keys`, {headers: {'x-api-key': server.admin_key}})).json();
  return keys.filter(k => k.label === 'Kiosk: office' && !k.revoked);
}

await run({
  camera: 'door.mjpeg',
  prepare: async () => {
    await enrollTeam();
    await cover('otto.jpg', 'covered.jpg');
    // Ada comes and goes, then somebody whom nobody knows, the same with dark glasses, then Bruno, who stays far away; again and
    // again. The fake camera shows 30 pictures a second.
    const same = 'scale=640:480,setsar=1,fps=30,format=yuv420p';
    execFileSync('ffmpeg', ['-v', 'error', '-i', at('ada.mp4'), '-loop', '1', '-t', '3', '-i', at('otto.jpg'), '-f', 'lavfi', '-t', '3', '-i', 'color=gray', '-loop', '1', '-t', '6', '-i', at('bruno.jpg'), '-loop', '1', '-t', '4', '-i', at('covered.jpg'),
      '-filter_complex', `[0]${same}[a];[1]${same}[b];[2]${same},split=4[c][d][e][h];[4]${same}[g];[3]scale=240:180,pad=640:480:200:150:gray,${same}[f];[a][c][b][d][g][h][f][e]concat=n=8`, '-q:v', '3', at('door.mjpeg')]);
  },
  steps: {
    async the_kiosk_is_set_up({page, server}) {
      await page.goto(server.sign_in);
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await page.getByRole('navigation').getByRole('link', {name: 'Kiosk'}).click();
      await page.getByLabel('Right that is needed here').waitFor();
      await accessible(page, 'kiosk-setup');
    },

    async a_member_is_welcomed_and_a_stranger_is_not({page}) {
      await page.getByLabel('Right that is needed here').selectOption('lab');
      await page.getByRole('button', {name: 'Start as I am'}).click();
      await screen(page, 'granted');
      assert.equal(await page.getByRole('status').first().locator('.word').textContent(), 'Welcome, Ada');
      const yes = await sign(page, 'granted');
      await shot(page, 'kiosk-granted');
      await screen(page, 'idle');
      await accessible(page, 'kiosk-idle');
      await screen(page, 'unknown');
      await page.getByText('Not recognised').waitFor();
      const no = await sign(page, 'unknown');
      assert.notEqual(yes, no);
      await shot(page, 'kiosk-unknown');
      await page.getByText('Nothing over the face, please').waitFor();
      await page.getByText('Come closer').waitFor();
      await shot(page, 'kiosk-hint');
    },

    async locked_it_can_do_nothing_but_verify({page, server}) {
      await page.getByRole('button', {name: 'Leave the kiosk'}).click();
      await page.getByRole('heading', {level: 1, name: 'Test'}).waitFor();
      await page.goto(`${server.url}/kiosk?require=office`);
      assert.equal(await page.getByLabel('Right that is needed here').inputValue(), 'office');
      await page.getByRole('button', {name: 'Lock and start'}).click();
      await screen(page, 'granted');
      const first = await keysHere(server);
      await page.getByRole('button', {name: 'Leave the kiosk'}).click();
      await page.getByRole('heading', {level: 1, name: 'Test'}).waitFor();
      await page.goto(`${server.url}/signin?next=/kiosk`);
      await page.getByLabel('Key').fill(server.admin_key);
      await page.keyboard.press('Enter');
      await page.getByLabel('Right that is needed here').selectOption('office');
      await page.getByRole('button', {name: 'Lock and start'}).click();
      await screen(page, 'granted');
      // The key that it had before went with the page that knew it.
      const second = await keysHere(server);
      assert.ok(first.length === 1 && second.length === 1 && first[0].id !== second[0].id, JSON.stringify([first, second]));
      const may = path => page.evaluate(p => fetch(p).then(r => r.status), path);
      assert.equal(await may('/api/v1/about'), 200);
      page.removeAllListeners('console'); // the next two answers are refusals, as they should be
      assert.equal(await may('/api/v1/members'), 403);
      assert.equal(await may('/api/v1/keys'), 403);
      assert.equal(second[0].scope, 'verify');
    },

    // As after a restart of the server, which remembers no session.
    async it_signs_itself_in_again({page, context, server}) {
      const again = page.waitForResponse(r => r.url() === `${server.url}/signin` && r.status() === 200);
      await context.clearCookies();
      await again;
      await screen(page, 'granted');
      assert.equal(new URL(page.url()).pathname, '/kiosk');
      const [key] = await keysHere(server);
      const gone = page.waitForURL('**/signin*');
      await fetch(`${server.url}/api/v1/keys/${key.id}`, {method: 'DELETE', headers: {'x-api-key': server.admin_key}});
      await gone; // a revoked key is no way back
    },
  },
});
