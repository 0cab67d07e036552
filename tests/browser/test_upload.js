// A connection that breaks in the middle of an upload: the page says so, and goes on where it broke off.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import {at, render, run, told} from './app.js';

// Between browser and server; cuts each of the first `cuts` PATCHes once so many bytes of it have gone through.
function cutter(port, cuts, after) {
  const offsets = [];
  const proxy = net.createServer(client => {
    const server = net.connect(port, '127.0.0.1');
    let left = Infinity;
    const end = () => { client.destroy(); server.destroy(); };
    client.on('data', data => {
      const patch = /^PATCH [^]*?\r\nupload-offset: (\d+)/i.exec(data.subarray(0, 4096).toString('latin1'));
      if (patch) {
        offsets.push(Number(patch[1]));
        left = offsets.length <= cuts ? after : Infinity;
      }
      server.write(data.subarray(0, left), () => { if (left <= 0) setTimeout(end, 150); }); // the server reads what has come
      left -= Math.min(left, data.length);
    });
    server.on('data', data => client.write(data));
    for (const socket of [client, server]) { socket.on('error', end); socket.on('close', end); }
  });
  return new Promise(resolve => proxy.listen(0, '127.0.0.1', () => resolve({port: proxy.address().port, offsets, close: () => proxy.close()})));
}

const BREAKS = 24; // many more than it would try without getting on

await run({
  prepare: () => render('video', 'elena'),
  steps: {
    async an_upload_goes_on_where_it_broke_off({page, server, context}) {
      await page.goto(server.sign_in);
      await page.getByText('No members yet').waitFor();
      const size = fs.statSync(at('elena.mp4')).size, real = new URL(server.url);
      const proxy = await cutter(Number(real.port), BREAKS, Math.floor(size / (BREAKS + 2)));
      page.removeAllListeners('console'); // broken connections are told there
      context.removeAllListeners('request'); // and the proxy is another address
      await page.goto(`http://127.0.0.1:${proxy.port}/add`);
      await page.getByLabel('Name').fill('Elena');
      await page.getByLabel('Role', {exact: true}).fill('accountant');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('elena.mp4'));
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await told(page, 'The connection broke off. Trying again…');
      await page.getByRole('heading', {level: 1, name: 'Elena is enrolled'}).waitFor();
      // Chromium itself sends a request once more where a connection that it had kept breaks: from the same offset.
      const {offsets} = proxy, last = offsets.at(-1);
      assert.ok(offsets.length > BREAKS && offsets[0] === 0 && last > 0 && last < size && offsets.every((o, i) => i === 0 || o >= offsets[i - 1]), `${offsets} of ${size}`);
      proxy.close();
    },

    async a_name_that_is_taken_is_told_before_anything_is_sent({page, server}) {
      await page.goto(`${server.url}/add`);
      await page.getByLabel('Name').fill('elena');
      await page.getByLabel('Role', {exact: true}).fill('accountant');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('elena.mp4'));
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await page.getByText('There is a member of this name already.').waitFor();
    },

    async an_upload_goes_on_while_one_looks_elsewhere({page, context, server}) {
      await page.goto(`${server.url}/add`);
      const held = [];
      await context.route('**/api/v1/uploads/*', route => route.request().method() === 'PATCH' ? held.push(route) : route.continue());
      await page.getByLabel('Name').fill('Ella');
      await page.getByLabel('Role', {exact: true}).fill('accountant');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('elena.mp4'));
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      while (!held.length) await new Promise(resolve => setTimeout(resolve, 50));
      await page.getByRole('navigation').getByRole('link', {name: 'Team'}).click();
      await told(page, 'The upload goes on');
      for (const route of held) await route.continue();
      await context.unroute('**/api/v1/uploads/*');
      await told(page, 'Ella: the upload is through');
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await page.goto(`${server.url}/add`);
      await page.getByLabel('Name').fill('Greta');
      await page.getByLabel('Role', {exact: true}).fill('accountant');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('elena.mp4'));
    },

    async an_upload_is_stopped_while_it_waits({page, context}) {
      await page.getByLabel('Name').fill('Greta');
      await context.route('**/api/v1/uploads/*', route => route.request().method() === 'PATCH' ? route.abort() : route.continue());
      await page.evaluate(() => {
        window.laterAgain = window.setTimeout;
        window.setTimeout = () => 0; // no wait ends by itself
      });
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await told(page, 'Trying again…');
      const gone = page.waitForResponse(r => r.request().method() === 'DELETE');
      await page.getByRole('button', {name: 'Stop'}).click();
      await told(page, 'The upload was stopped.');
      assert.equal((await gone).status(), 204);
      await page.evaluate(() => { window.setTimeout = window.laterAgain; });
      await context.unroute('**/api/v1/uploads/*');
    },

    async an_upload_is_stopped_and_leaves_nothing({page, context}) {
      let release;
      const stopped = new Promise(resolve => { release = resolve; });
      await context.route('**/api/v1/uploads/*', async route => {
        if (route.request().method() === 'PATCH') await stopped; // the upload lasts until then
        await route.continue().catch(() => {});
      });
      await page.getByLabel('Name').fill('Greta');
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      const gone = page.waitForResponse(r => r.request().method() === 'DELETE');
      await page.getByRole('button', {name: 'Stop'}).click();
      await told(page, 'The upload was stopped.');
      assert.equal((await gone).status(), 204);
      release();
    },
  },
});
