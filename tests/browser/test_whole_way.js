// What a team lead does, in the order in which it is done: from the first start to an empty server again.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {accessible, at, open, render, run, shot, told, waitTexts} from './app.js';

async function waitEnrolled(page, name) {
  await page.getByRole('heading', {level: 1, name: `${name} is enrolled`}).waitFor();
}

await run({
  camera: 'ada.mp4',
  prepare: async () => {
    await Promise.all([render('video', 'bruno', {variant: 1}), render('photo', 'bruno', {variant: 1}), render('photo', 'otto', {variant: 1}), render('video', 'ada', {seconds: 4})]);
    fs.writeFileSync(at('text.mp4'), 'I am a text. '.repeat(100));
  },
  steps: {
    async sign_in_by_link_works_once({page, server, expected}) {
      expected.add(401);
      await page.goto(server.sign_in);
      await page.getByText('No members yet: add the first').waitFor();
      assert.equal(new URL(page.url()).hash, '');
      await accessible(page, 'first-run');
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

    async a_form_says_what_is_missing({page}) {
      await page.getByRole('link', {name: 'Add the first member'}).click();
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await page.getByText('Give a name.').waitFor();
      await page.getByLabel('Name').fill('Bruno');
      await page.getByLabel('Role', {exact: true}).fill('electrician');
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await page.getByText('Choose a video, or some photos.').waitFor();
      await accessible(page, 'add');
    },

    async a_text_is_no_video({page}) {
      await page.getByLabel('Choose a video or photos').setInputFiles(at('text.mp4'));
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await page.getByRole('heading', {name: 'Bruno was not enrolled'}).waitFor();
      assert.match(await page.locator('.note.bad').textContent(), /text\.mp4/);
      await accessible(page, 'refused');
      await page.getByRole('link', {name: 'Try again'}).click();
    },

    async a_video_is_uploaded_and_its_faces_are_shown({page}) {
      await page.getByLabel('Name').fill('Bruno');
      await page.getByLabel('Role', {exact: true}).fill('electrician');
      await page.getByLabel('Rights').fill('lab');
      await page.keyboard.press('Enter');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('bruno.mp4'));
      await page.locator('.still video').waitFor();
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await waitEnrolled(page, 'Bruno');
      await page.locator('.faces li').first().waitFor();
      const shown = await page.locator('.faces li').count();
      assert.equal(String(shown), await page.locator('.counts dd').first().textContent());
      assert.ok(shown > 5);
      assert.ok(await page.locator('.faces img').first().evaluate(i => i.decode().then(() => i.naturalWidth > 20)));
      await accessible(page, 'enrolled');
    },

    async a_member_is_recorded_by_the_camera({page}) {
      await page.getByRole('link', {name: 'Add another'}).click();
      await page.getByLabel('Name').fill('Ada');
      await page.getByLabel('Role', {exact: true}).fill('site manager');
      await page.getByLabel('Rights').fill('lab, office,');
      await page.getByRole('button', {name: 'Record with the camera'}).click();
      await told(page, 'Turn slowly to the left');
      await shot(page, 'recording');
      await page.locator('.files li').waitFor();
      await page.getByRole('button', {name: 'Upload and find the face'}).click();
      await waitEnrolled(page, 'Ada');
      await page.getByRole('link', {name: 'Back to the team'}).click();
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await waitTexts(page.locator('.member h2'), ['Ada', 'Bruno']);
    },

    async one_button_trains_and_the_report_is_shown({page}) {
      await open(page, 'Train');
      await accessible(page, 'train-first');
      await page.getByRole('button', {name: 'Train'}).click();
      await page.getByText('Version 1 is in use').waitFor();
      assert.deepEqual((await page.locator('.lines .name').allTextContents()).sort(), ['Ada', 'Bruno']);
      await accessible(page, 'train');
    },

    async a_photo_is_tested({page, expected}) {
      expected.add(422).add(415);
      await open(page, 'Test');
      await accessible(page, 'test-empty');
      const input = page.getByLabel('Choose a photo');
      await input.setInputFiles(at('bruno.jpg'));
      await page.locator('.verdict.granted').waitFor();
      assert.equal(await page.locator('.verdict .who').textContent(), 'Bruno');
      assert.equal(await page.locator('.overlay circle').count(), 5);
      const [box, photo] = [await page.locator('.overlay .face-box').boundingBox(), await page.locator('.stage img').boundingBox()];
      assert.ok(box.x > photo.x && box.y > photo.y && box.x + box.width < photo.x + photo.width, 'the box is on the photo');
      assert.ok(await page.getByAltText('The face, cropped').evaluate(i => i.naturalWidth > 50));
      assert.match(await page.locator('.gauge .track').getAttribute('aria-label'), /at or above the 90 % line/);
      await accessible(page, 'test-granted');
      await page.getByLabel('Access for').selectOption('office');
      await page.locator('.verdict.denied').waitFor();
      await accessible(page, 'test-denied');
      await input.setInputFiles(at('otto.jpg'));
      await page.locator('.verdict.unknown').waitFor();
      await accessible(page, 'test-unknown');
      await input.setInputFiles(at('text.mp4'));
      await page.locator('.note.bad').waitFor();
    },

    async a_photo_is_dropped_and_pasted({page}) {
      const give = (type, file) => page.evaluate(async ([type, bytes, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, {type: 'image/jpeg'}));
        const event = type === 'drop' ? new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}) : new ClipboardEvent(type, {clipboardData: data, bubbles: true});
        document.querySelector('main').dispatchEvent(event);
      }, [type, fs.readFileSync(at(file)).toString('base64'), file]);
      await page.getByLabel('Access for').selectOption('');
      await give('drop', 'bruno.jpg');
      await page.locator('.verdict.granted').waitFor();
      await give('paste', 'otto.jpg');
      await page.locator('.verdict.unknown').waitFor();
    },

    async the_camera_is_tested_live({page}) {
      await page.getByRole('button', {name: 'Use the camera'}).click();
      await page.locator('.verdict.granted .who', {hasText: 'Ada'}).waitFor();
      await page.locator('.overlay .face-box').waitFor();
      await shot(page, 'test-camera');
      await page.getByRole('button', {name: 'Stop the camera'}).click();
    },

    async the_activity_tells_it_all({page}) {
      await open(page, 'Activity');
      const rows = await page.locator('.events li').allTextContents();
      for (const word of ['Bruno: access granted', 'Bruno: access denied', 'Not recognised', 'Ada: access granted', 'Trained', 'Member enrolled: Ada'])
        assert.ok(rows.some(r => r.includes(word)), `${word} in ${rows.join(' / ')}`);
      await accessible(page, 'activity');
    },

    async a_member_is_removed_and_all_is_reset({page}) {
      await open(page, 'Team');
      await page.getByRole('link', {name: 'Bruno'}).click();
      await page.getByRole('button', {name: 'Remove'}).click();
      await page.getByRole('button', {name: 'Remove for good'}).click();
      await told(page, 'Bruno was removed.');
      await waitTexts(page.locator('.member h2'), ['Ada']);
      await open(page, 'Settings');
      await page.getByRole('button', {name: 'Reset…'}).click();
      const sure = page.getByRole('button', {name: 'Delete everything'});
      await page.getByLabel('Type RESET to confirm').fill('reset');
      assert.ok(await sure.isDisabled());
      await page.getByLabel('Type RESET to confirm').fill('RESET');
      await accessible(page, 'reset');
      await sure.click();
      await page.getByText('No members yet: add the first').waitFor();
    },

    async signing_out_ends_it({page, server}) {
      await open(page, 'Settings');
      await page.getByRole('button', {name: 'Sign out'}).click();
      await page.getByRole('button', {name: 'Sign in'}).waitFor();
      await accessible(page, 'signin');
      await page.goto(`${server.url}/activity`);
      await page.getByLabel('Key').fill(server.admin_key);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', {level: 1, name: 'Activity'}).waitFor(); // where one wanted to go
    },
  },
});
