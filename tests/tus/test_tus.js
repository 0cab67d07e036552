// A large upload by tus-js-client over a network that breaks off three times, and that still ends as it should.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import {once} from 'node:events';

let tus;
try {
  tus = createRequire(import.meta.url)('tus-js-client');
} catch {
  console.log('[ RUN      ] tus\n[  SKIPPED ] tus\nskipped: its packages are not here; run: (cd tests/tus && npm ci)');
  process.exit(77);
}

const MB = 1 << 20, SIZE = Number(process.env.FACEGATE_TEST_TUS_MB || 200) * MB, CUTS = 3;
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'facegate-tus-'));

async function startServer() {
  const server = spawn(process.env.FACEGATE, ['--data', path.join(work, 'data'), '--json', 'serve', '--port', '0'], {stdio: ['ignore', 'pipe', 'inherit']});
  const ended = new Promise(resolve => server.on('exit', resolve));
  const line = await Promise.race([readline.createInterface({input: server.stdout})[Symbol.asyncIterator]().next(), ended]);
  if (!line || !line.value) throw new Error('facegate serve does not start');
  return {...JSON.parse(line.value), stop: () => { server.kill('SIGTERM'); return ended; }};
}

// Passes bytes on, and cuts the connection each time that another quarter of the file has gone through.
function brokenNetwork(port) {
  let seen = 0;
  const network = {cuts: 0};
  network.server = net.createServer(client => {
    const server = net.connect(port, '127.0.0.1');
    const cut = () => { client.destroy(); server.destroy(); };
    client.on('error', cut);
    server.on('error', cut);
    client.on('close', cut);
    server.pipe(client);
    client.on('data', data => {
      seen += data.length;
      if (network.cuts < CUTS && seen > SIZE / (CUTS + 1) * (network.cuts + 1)) {
        network.cuts++;
        return cut();
      }
      if (!server.write(data)) { client.pause(); server.once('drain', () => client.resume()); }
    });
  });
  return network;
}

async function makeFile(file) {
  const out = fs.createWriteStream(file), hash = crypto.createHash('sha256');
  const noise = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)), zeros = Buffer.alloc(MB);
  for (let n = 0; n < SIZE; n += MB) {
    const block = noise.update(zeros);
    hash.update(block);
    if (!out.write(block)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return hash.digest('hex');
}

async function hashOf(file) {
  const hash = crypto.createHash('sha256');
  for await (const block of fs.createReadStream(file)) hash.update(block);
  return hash.digest('hex');
}

function upload(endpoint, key, file) {
  const offsets = [];
  return new Promise((resolve, reject) => {
    const u = new tus.Upload(fs.createReadStream(file), {
      endpoint,
      headers: {'x-api-key': key},
      metadata: {filename: 'Größe – large.mp4', filetype: 'video/mp4'},
      uploadSize: SIZE,
      chunkSize: 64 * MB,
      retryDelays: [100, 200, 400, 800, 1600, 3200, 6400, 12800],
      onAfterResponse: (request, response) => { if (request.getMethod() === 'HEAD') offsets.push(Number(response.getHeader('Upload-Offset'))); },
      onError: reject,
      onSuccess: () => resolve({url: u.url, offsets}),
    });
    u.start();
  });
}

let failed = 0, server, network;
const steps = {
  async a_large_upload_cut_off_three_times_ends_byte_identical() {
    const file = path.join(work, 'large.mp4'), hash = await makeFile(file);
    const {url, offsets} = await upload(`http://127.0.0.1:${network.server.address().port}/api/v1/uploads`, server.admin_key, file);
    const id = url.split('/').pop();
    assert.equal(network.cuts, CUTS);
    // More often where the server had not yet noticed the cut.
    assert.ok(offsets.length >= CUTS, 'it asked how far it had come');
    assert.ok(offsets.every((o, i) => o > 0 && o < SIZE && (i === 0 || o >= offsets[i - 1])), `it went on, and did not begin anew: ${offsets}`);
    assert.equal(await hashOf(path.join(work, 'data/uploads', `${id}.bin`)), hash);
    const info = await (await fetch(`${server.url}/api/v1/uploads/${id}`, {headers: {'x-api-key': server.admin_key}})).json();
    assert.deepEqual([info.name, info.length, info.complete], ['Größe – large.mp4', SIZE, true]);
    console.log(`${SIZE / MB} MB, cut off at ${offsets.map(o => `${(o / MB).toFixed(1)} MB`).join(', ')}`);
  },

  async an_upload_is_terminated() {
    const endpoint = `${server.url}/api/v1/uploads`, headers = {'x-api-key': server.admin_key};
    const made = await new Promise((resolve, reject) => {
      const u = new tus.Upload(Buffer.alloc(1000, 7), {endpoint, headers, onError: reject, onSuccess: () => resolve(u.url)});
      u.start();
    });
    await tus.Upload.terminate(made, {headers});
    assert.equal((await fetch(made, {headers})).status, 404);
  },

  async a_key_that_may_not_upload_is_told_so() {
    const headers = {'x-api-key': server.admin_key, 'content-type': 'application/json'};
    const {key} = await (await fetch(`${server.url}/api/v1/keys`, {method: 'POST', headers, body: '{"scopes": ["verify"]}'})).json();
    await assert.rejects(new Promise((resolve, reject) => new tus.Upload(Buffer.alloc(10),
      {endpoint: `${server.url}/api/v1/uploads`, headers: {'x-api-key': key}, retryDelays: null, onError: reject, onSuccess: resolve}).start()), /403/);
  },
};

try {
  server = await startServer();
  network = brokenNetwork(Number(new URL(server.url).port));
  await once(network.server.listen(0, '127.0.0.1'), 'listening');
  for (const [name, step] of Object.entries(steps)) {
    console.log(`[ RUN      ] ${name}`);
    try {
      await step();
      console.log(`[       OK ] ${name}`);
    } catch (error) {
      failed++;
      console.log(`[  FAILED  ] ${name}\n${error.stack}`);
    }
  }
} catch (error) {
  failed++;
  console.log(`[ RUN      ] start\n[  FAILED  ] start\n${error.stack}`);
} finally {
  if (network) network.server.close();
  if (server && (await server.stop()) !== 0) { failed++; console.log('facegate serve ended badly'); }
  fs.rmSync(work, {recursive: true, force: true});
}
process.exit(failed ? 1 : 0);
