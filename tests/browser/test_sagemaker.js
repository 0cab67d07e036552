// "Train and deploy" on SageMaker: switched on, run, asked, stopped, switched off. Started by tests/cloud/web_app.sh, which gives the
// server an S3 service and a stand-in for SageMaker.
import assert from 'node:assert/strict';
import {accessible, at, enrollTeam, open, run, told} from './app.js';

await run({
  prepare: enrollTeam,
  steps: {
    async it_is_a_switch_in_the_settings({page, server}) {
      await page.goto(server.sign_in);
      await page.getByRole('heading', {level: 1, name: 'Team'}).waitFor();
      await open(page, 'Settings');
      const form = page.getByRole('form', {name: 'Train and deploy'});
      const box = form.getByLabel(/On SageMaker/);
      assert.equal(await box.isChecked(), false);
      await box.check();
      await form.getByRole('button', {name: 'Save'}).click();
      await told(page, 'Saved.');
      await accessible(page, 'settings-sagemaker');
      await open(page, 'Team');
      await page.getByText('Next: train').waitFor(); // nobody has deployed there yet
    },

    async train_and_deploy_goes_there({page}) {
      await open(page, 'Train');
      await page.getByText('a training job on SageMaker learns your team').waitFor();
      await page.getByText('Ready for the first training.').waitFor();
      await page.getByRole('button', {name: 'Train', exact: true}).click();
      await told(page, 'SageMaker: ');
      // Whoever comes back, or comes later, sees it go on, or what has come of it.
      await open(page, 'Team');
      await open(page, 'Train');
      await page.getByText('Endpoint web knows everybody.').waitFor({timeout: 300000});
      await page.getByRole('heading', {name: 'Versions on this server'}).waitFor();
      await accessible(page, 'train-sagemaker');
    },

    async the_endpoint_decides({page}) {
      await open(page, 'Test');
      await page.getByLabel('Choose a photo').setInputFiles(at('bruno.jpg'));
      await page.getByText('Access granted').first().waitFor();
      await page.getByText(/, endpoint web/).waitFor({state: 'attached'});
      await page.getByLabel('Choose a photo').setInputFiles(at('otto.jpg'));
      await page.getByText('Not recognised').first().waitFor();
      await open(page, 'Activity');
      await page.getByText('Deployed: web').first().waitFor();
    },

    async it_can_be_stopped({page}) {
      await open(page, 'Train');
      await page.getByRole('button', {name: 'Train again'}).click();
      await page.getByRole('button', {name: 'Stop'}).click();
      await page.locator('.note.info').getByText('cancelled').waitFor();
      await page.getByRole('button', {name: 'Train again'}).waitFor();
    },

    async and_switched_off({page}) {
      await open(page, 'Settings');
      const form = page.getByRole('form', {name: 'Train and deploy'});
      await form.getByRole('button', {name: 'Back to the usual'}).click();
      await told(page, 'Saved.');
      await open(page, 'Train');
      await page.getByRole('heading', {name: 'Version 1 is in use'}).waitFor();
    },
  },
});
