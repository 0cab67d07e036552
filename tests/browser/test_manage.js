// Running a team: members, versions, keys, settings, and what a key of one scope gets to see.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {accessible, at, enrollTeam, open, run, tabTo, told, waitTexts} from './app.js';

async function download(page, link) {
  const [file] = await Promise.all([page.waitForEvent('download'), link.click()]);
  return {name: file.suggestedFilename(), data: fs.readFileSync(await file.path())};
}

await run({
  prepare: enrollTeam,
  steps: {
    async the_team_and_its_members_are_shown({page, server}) {
      await page.goto(server.sign_in);
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await waitTexts(page.locator('.member h2'), ['Ada', 'Bruno']);
      assert.ok(await page.locator('.member img').first().evaluate(i => i.decode().then(() => i.naturalWidth > 20)));
      await accessible(page, 'team');
      await page.getByRole('link', {name: 'Ada'}).click();
      await page.getByRole('heading', {level: 1, name: 'Ada'}).waitFor();
      await page.locator('.faces li').nth(14).waitFor();
      assert.equal(await page.locator('.faces li').count(), 15);
      await page.getByText('ada.mp4').waitFor();
      await accessible(page, 'member');
      const zip = await download(page, page.getByRole('link', {name: 'Faces'}));
      assert.equal(zip.data.subarray(0, 2).toString(), 'PK');
    },

    async pictures_are_added_and_wait_for_a_training({page, server}) {
      await page.goto(`${server.url}/add?member=999`);
      await page.getByRole('heading', {level: 1, name: 'There is no such member'}).waitFor();
      await accessible(page, 'add-nobody');
      await page.getByRole('link', {name: 'To the team'}).click();
      await page.getByRole('link', {name: 'Bruno'}).click();
      await page.getByRole('link', {name: 'Add video'}).click();
      await page.getByRole('heading', {level: 1, name: 'Add a video of Bruno'}).waitFor();
      assert.equal(await page.title(), 'Add a video of Bruno · Facegate');
      await page.getByLabel('Choose a video or photos').setInputFiles(at('bruno.jpg'));
      await page.getByRole('button', {name: 'Upload'}).click();
      await page.getByRole('heading', {level: 1, name: 'Pictures of Bruno were added'}).waitFor();
      await accessible(page, 'added');
      await open(page, 'Team');
      await page.getByText('There are new pictures since the last training.').waitFor();
      await waitTexts(page.locator('.member .tag.unsure'), ['new pictures']);
      await accessible(page, 'team-added');
      await open(page, 'Train');
      await page.getByText('New since the last training: pictures of Bruno.').waitFor();
      await accessible(page, 'train-added');
    },

    async a_member_is_edited_and_removed_by_keyboard_alone({page, server}) {
      await page.goto(`${server.url}/team`);
      const card = page.getByRole('link', {name: 'Bruno'});
      await card.waitFor();
      await tabTo(page, card);
      await page.keyboard.press('Enter');
      const edit = page.getByRole('button', {name: 'Edit'});
      await edit.waitFor();
      await tabTo(page, edit);
      await page.keyboard.press('Enter');
      await tabTo(page, page.getByRole('dialog').getByLabel('Role'));
      await page.keyboard.press('Control+A');
      await page.keyboard.type('architect');
      await accessible(page, 'edit');
      await page.keyboard.press('Enter');
      await page.getByText('architect').waitFor();
      const remove = page.getByRole('button', {name: 'Remove'});
      await tabTo(page, remove);
      await page.keyboard.press('Enter');
      await page.keyboard.press('Escape');
      assert.ok(await remove.evaluate(e => e === document.activeElement), 'the focus comes back');
      await page.keyboard.press('Enter');
      await tabTo(page, page.getByRole('button', {name: 'Remove for good'}));
      await page.keyboard.press('Enter');
      await told(page, 'Bruno was removed.');
      await waitTexts(page.locator('.member h2'), ['Ada']);
    },

    async the_way_from_videos_to_a_classifier_can_be_taken_home({page}) {
      await open(page, 'Train');
      const zip = await download(page, page.getByRole('link', {name: 'Faces (.zip)'}));
      assert.equal(zip.data.subarray(0, 2).toString(), 'PK');
      const dataset = await download(page, page.getByRole('link', {name: 'Dataset (.npz)'}));
      assert.match(dataset.name, /\.npz$/);
      assert.equal(dataset.data.subarray(0, 2).toString(), 'PK');
      const pickle = await download(page, page.getByRole('link', {name: 'or .pickle'}));
      assert.match(pickle.name, /\.pickle$/);
      assert.equal(pickle.data[0], 0x80);
      assert.ok(zip.data.includes('Ada'), 'the folders are named as the members');
    },

    async a_version_is_trained_and_rolled_back({page}) {
      await page.getByRole('button', {name: 'Train again'}).click();
      await page.getByText(/Version \d+ is trained/).waitFor();
      const roll = page.getByRole('button', {name: /Roll back to|Activate/}).first();
      const version = /\d+/.exec(await roll.getAttribute('aria-label'))[0];
      await roll.click();
      await page.getByRole('heading', {name: `Version ${version} is in use`}).waitFor();
    },

    async the_activity_is_filtered_and_exported({page}) {
      await open(page, 'Activity');
      await page.getByLabel('Show', {exact: true}).selectOption('action=member_remove');
      await page.waitForFunction(() => document.querySelectorAll('.events li').length === 1);
      await page.getByText('Member removed').last().waitFor();
      const csv = await download(page, page.getByRole('link', {name: 'CSV'}));
      const lines = csv.data.toString().trim().split('\r\n');
      assert.match(lines[0], /^time,action,subject/);
      assert.equal(lines.length, 2);
      await page.getByLabel('From').fill('2999-01-01');
      await page.keyboard.press('Tab');
      await page.getByText('Nothing that fits.').waitFor();
    },

    async older_rows_come_once({page, server}) {
      const api = async (method, path, body) => (await fetch(`${server.url}/api/v1/${path}`, {method, headers: {'x-api-key': server.admin_key, 'Content-Type': 'application/json'}, body: body && JSON.stringify(body)})).json();
      const {members: [ada]} = await api('GET', 'members');
      for (let i = 0; i < 64; i++) await api('PATCH', `members/${ada.id}`, {role: `site manager ${i}`});
      await page.goto(`${server.url}/activity`);
      const more = page.getByRole('button', {name: 'Show older'}), rows = page.locator('.events li');
      await more.waitFor();
      const before = await rows.count();
      await more.evaluate(e => { e.click(); e.click(); });
      await more.waitFor({state: 'hidden'});
      await page.waitForLoadState('networkidle');
      assert.ok(before < await rows.count());
      assert.equal(await rows.count(), (await api('GET', 'audit?limit=1000')).rows.length);
    },

    async settings_are_changed_checked_and_put_back({page, server}) {
      await open(page, 'Settings');
      await accessible(page, 'settings');
      const form = page.getByRole('form', {name: 'Sampling and quality'});
      await form.getByLabel('Use every n-th frame').fill('0');
      await form.getByRole('button', {name: 'Save'}).click();
      await form.getByText('Give a number from 1 to').waitFor();
      await form.getByLabel('Use every n-th frame').fill('5');
      await form.getByLabel('Turned to the side').fill(''); // is not 0
      await form.getByRole('button', {name: 'Save'}).click();
      await form.getByText('Give a number from 0 to').waitFor();
      await form.getByLabel('Turned to the side').fill('35');
      await form.getByLabel('Use every n-th frame').fill('7');
      await form.getByRole('button', {name: 'Save'}).click();
      await told(page, 'Saved.');
      await page.goto(`${server.url}/add`);
      await page.getByText('More settings').click();
      assert.equal(await page.getByLabel('Use every n-th frame').inputValue(), '7');
      await open(page, 'Settings');
      await page.getByRole('form', {name: 'Sampling and quality'}).getByRole('button', {name: 'Back to the usual'}).click();
      await page.waitForFunction(() => [...document.querySelectorAll('label')].find(l => l.textContent === 'Use every n-th frame').nextElementSibling.value === '5');
      const keep = page.getByRole('form', {name: 'What is kept'});
      await keep.getByLabel('Attempts in the activity').fill('30');
      await keep.getByRole('button', {name: 'Save'}).click();
      await told(page, 'Saved.');
      await page.reload();
      await keep.waitFor();
      assert.equal(await keep.getByLabel('Attempts in the activity').inputValue(), '30');
    },

    async a_key_is_made_shown_once_and_revoked({page, server}) {
      await page.getByRole('button', {name: 'Make a key'}).click();
      await page.getByLabel('What is it for?').fill('Front door');
      await page.getByLabel('Audit').check();
      await accessible(page, 'key');
      await page.getByRole('button', {name: 'Make', exact: true}).click();
      const key = await page.locator('.secret').textContent();
      assert.match(key, /^fg_[0-9a-f]{16}_[\w-]{43}$/);
      const ask = () => fetch(`${server.url}/api/v1/verify`, {method: 'POST', headers: {'x-api-key': key}, body: fs.readFileSync(at('otto.jpg'))});
      assert.equal((await ask()).status, 200);
      await page.getByRole('button', {name: 'Done'}).click();
      const row = page.locator('.item', {hasText: 'Front door'});
      await waitTexts(row.locator('.tag'), ['verify', 'audit']);
      assert.ok(!(await page.content()).includes(key.slice(21)));
      await page.getByRole('button', {name: 'Revoke Front door'}).click();
      await page.getByRole('dialog').getByRole('button', {name: 'Revoke'}).click();
      await told(page, 'The key was revoked.');
      assert.equal((await ask()).status, 401);
    },

    async a_key_of_one_scope_sees_its_own_pages({page, server}) {
      const {key} = await (await fetch(`${server.url}/api/v1/keys`, {method: 'POST', headers: {'x-api-key': server.admin_key, 'Content-Type': 'application/json'},
        body: JSON.stringify({label: 'tester', scope: 'verify'})})).json();
      await page.getByRole('button', {name: 'Sign out'}).click();
      await page.getByLabel('Key').fill(key);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', {level: 1, name: 'Test'}).waitFor();
      await waitTexts(page.getByRole('navigation').getByRole('link'), ['Test', 'Settings', 'Kiosk', 'About']);
      await page.getByLabel('Choose a photo').setInputFiles(at('otto.jpg'));
      await page.locator('.verdict.unknown').waitFor();
      await page.goto(`${server.url}/team`);
      await page.getByText('Your key does not allow this page').waitFor();
    },
  },
});
