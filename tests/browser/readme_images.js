// Makes the README's pictures anew, no test:
//   FACEGATE=build/facegate FACEGATE_SOURCE=. node tests/browser/readme_images.js
import {execFileSync} from 'node:child_process';
import path from 'node:path';
import {at, facegate, open, PHONE, render, run} from './app.js';

// With 256 colours, a third of the bytes.
async function keep(page, name) {
  await page.screenshot({path: at(name)});
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-i', at(name), '-vf', 'split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=sierra2_4a', path.join(process.env.FACEGATE_SOURCE, 'docs/images', name)]);
}

const team = [['carla', 'Carla', 'data engineer', ['lab', 'office']], ['dario', 'Dario', 'team lead', ['office']], ['hugo', 'Hugo', 'intern', []]];
const QUICK_MS = 25, TRIES = 20; // a machine that does something else meanwhile is not what is to be shown

await run({
  camera: 'carla.mp4',
  prepare: async () => {
    await Promise.all([render('photo', 'carla', {variant: 2}), ...team.map(([file]) => render('video', file))]);
    for (const [file, name, role, rights] of team)
      await facegate('enroll', '--name', name, '--role', role, ...rights.flatMap(right => ['--right', right]), at(`${file}.mp4`));
    await facegate('train');
  },
  steps: {
    async test_desktop({page, server}) {
      await page.goto(server.sign_in);
      await open(page, 'Test');
      for (let i = 0; i < TRIES; i++) {
        const answer = page.waitForResponse(r => r.url().includes('/api/v1/verify'));
        await page.getByLabel('Choose a photo').setInputFiles(at('carla.jpg'));
        await answer;
        await page.locator('.verdict.granted').waitFor();
        if (parseFloat(await page.locator('.number.big').textContent()) < QUICK_MS) break;
      }
      await page.mouse.move(0, 0);
      await keep(page, 'test-desktop.png');
    },

    async kiosk_phone({context, server}) {
      const phone = await context.browser().newContext({viewport: PHONE, deviceScaleFactor: 2, reducedMotion: 'reduce', storageState: await context.storageState()});
      const page = await phone.newPage();
      await page.goto(`${server.url}/kiosk`);
      await page.getByRole('button', {name: 'Start as I am'}).click();
      await page.locator('.screen.granted').waitFor({timeout: 60000});
      await keep(page, 'kiosk-phone.png');
      await phone.close();
    },
  },
});
