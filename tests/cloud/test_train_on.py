"""The server that trains on SageMaker: what the web app's "Train and deploy" asks for."""
import json
import os
import pathlib
import shutil
import tempfile
import threading
import time

from remote import IMAGE, ROLE, Case
from client import Server, as_json, main, render, until  # noqa: E402

THERE = ('--train-on', 'sagemaker', '--image', IMAGE, '--aws-role', ROLE)


class TrainOn(Case):
    def setUp(self):
        super().setUp()
        self.data = pathlib.Path(tempfile.mkdtemp(prefix='facegate-train-on-'))
        shutil.copytree(self.folder / 'data', self.data / 'data')
        self.key = None

    def tearDown(self):
        shutil.rmtree(self.data)

    def serve(self, *flags, endpoint='web', **env):
        server = Server('--endpoint', endpoint, *flags, data=self.data / 'data', env={**self.where(), **env})
        self.addCleanup(lambda: server.process.poll() is None and server.close())
        self.key = server.key = server.key or self.key
        return server

    def begin(self, server):
        answer = server.post('/api/v1/train')
        self.assertEqual(answer.status, 202, answer)
        return as_json(answer)['job']['id']

    def events(self, server, job):
        text = server.get(f'/api/v1/jobs/{job}/events').body.decode()
        return [(e.split('event: ')[1].split('\n')[0], json.loads(e.split('data: ')[1])) for e in text.split('\n\n') if 'event: ' in e]

    def test_train_deploy_and_decide(self):
        server = self.serve(*THERE)
        about = as_json(server.get('/api/v1/about'))
        self.assertEqual((about['train_on'], about['endpoint'], about['classifier']), ('sagemaker', 'web', None))
        photo = pathlib.Path(self.photo).read_bytes()
        before = server.post('/api/v1/verify', photo)
        self.assertEqual(before.status, 409, before)
        self.assertIn('train and deploy first', as_json(before)['detail'])
        job = self.begin(server)
        events = self.events(server, job)
        self.assertTrue({'Training', 'Creating'} <= {data['what'] for kind, data in events if kind == 'progress'}, events)
        end = as_json(server.get(f'/api/v1/jobs/{job}'))
        self.assertEqual((end['kind'], end['state'], end['problem']), ('sagemaker', 'done', None))
        self.assertEqual((end['result']['endpoint'], end['result']['status']), ('web', 'InService'))
        self.assertGreater(end['result']['templates'], 2)
        self.assertEqual([k for k in self.left('x/web/') if 'data.' in k], [])  # no face is left lying there
        decided = as_json(server.post('/api/v1/verify', photo))
        self.assertEqual((decided['decision'], decided['member'], decided['endpoint'], decided['classifier']), ('granted', 'Ada', 'web', None))
        rows = server.post('/invocations', photo, headers={'Content-Type': 'image/jpeg'})
        self.assertEqual(rows.status, 409, rows)
        audit = [(row['action'], row['subject']) for row in as_json(server.get('/api/v1/audit'))['rows']]
        self.assertIn(('deploy', 'web'), audit)
        self.assertIn(('export', 'npz'), audit)
        # Once more is an update without a gap, and a restart forgets nothing.
        answers, over = [], threading.Event()
        job = self.begin(server)

        def ask():
            while not over.is_set():
                answers.append(server.post('/api/v1/verify', photo).status)
                time.sleep(0.1)
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            self.assertEqual(server.job(job)['state'], 'done')
        finally:
            over.set()
            asking.join()
        self.assertEqual(set(answers), {200})
        self.assertEqual(self.platform.seen.count('UpdateEndpoint'), 1)
        self.assertEqual(len([n for n in self.platform.models if n.startswith('web-')]), 1)
        said = server.said() + ''.join(server.get(f'/api/v1/{p}').body.decode() for p in ('about', 'settings', 'jobs', 'audit', f'jobs/{job}/events'))
        for secret in (os.environ['AWS_SECRET_ACCESS_KEY'], os.environ['AWS_ACCESS_KEY_ID']):
            self.assertNotIn(secret, said)
        server.close()
        again = self.serve(*THERE)
        self.assertEqual(as_json(again.get('/api/v1/jobs'))['jobs'][0]['result']['endpoint'], 'web')
        self.assertEqual(as_json(again.post('/api/v1/verify', photo))['decision'], 'granted')

    def test_stopped_it_leaves_nothing(self):
        tick, self.platform.tick = self.platform.tick, 1
        try:
            server = self.serve(*THERE, endpoint='stopped')
            job = self.begin(server)
            until(lambda: 'CreateTrainingJob' in self.platform.seen)
            self.assertEqual(server.request('DELETE', f'/api/v1/jobs/{job}').status, 200)
            end = server.job(job)
        finally:
            self.platform.tick = tick
        self.assertEqual((end['state'], end['problem']['code']), ('cancelled', 'cancelled'))
        self.assertIn('was told to stop', end['problem']['detail'])
        name = next(n for n in self.platform.jobs if n.startswith('stopped-'))
        until(lambda: self.platform.jobs[name]['TrainingJobStatus'] == 'Stopped')
        self.assertEqual(self.left('x/stopped/'), [])
        self.assertNotIn('CreateEndpoint', self.platform.seen)

    def test_it_holds_nobody_up_and_outlives_the_server(self):
        tick, self.platform.tick = self.platform.tick, 3
        try:
            server = self.serve(*THERE, '--poll-seconds', '600', endpoint='patient')  # far longer than a server may take to end
            job = self.begin(server)
            until(lambda: 'DescribeTrainingJob' in self.platform.seen)
            video = render('video', 'otto.jpg', self.data / 'otto.mp4', 0)
            self.assertEqual(server.enroll('Otto', video)['state'], 'done')
            self.assertEqual(as_json(server.get(f'/api/v1/jobs/{job}'))['state'], 'running')
            began = time.monotonic()
            server.close()
            self.assertLess(time.monotonic() - began, 60)  # a tenth of what it would wait for the next look
            self.assertEqual(self.platform.seen.count('StopTrainingJob'), 1)
        finally:
            self.platform.tick = tick
        time.sleep(1.1)  # names have seconds
        again = self.serve(*THERE, endpoint='patient')
        end = again.job(job)
        self.assertEqual((end['state'], end['attempts'], end['result']['endpoint']), ('done', 2, 'patient'), end)
        photo = render('photo', 'otto.jpg', self.data / 'otto.jpg', 1).read_bytes()
        self.assertEqual(as_json(again.post('/api/v1/verify', photo))['member'], 'Otto')

    def test_failures_are_told(self):
        server = self.serve(*THERE, endpoint='failing')
        original = self.platform.train

        def spoiled(job):
            job['HyperParameters']['kernel'] = 'cubic'
            original(job)
        self.platform.train = spoiled
        try:
            end = server.job(self.begin(server))
        finally:
            self.platform.train = original
        self.assertEqual(end['state'], 'failed')
        self.assertIn('Failed: AlgorithmError: ', end['problem']['detail'])
        self.assertEqual(self.left('x/failing/'), [])
        # Nobody says any more how it goes: it is given up there, too.
        self.platform.faults[:] = [('DescribeTrainingJob', 400, 'AccessDeniedException')]
        end = server.job(self.begin(server))
        self.assertEqual(end['state'], 'failed')
        self.assertEqual(self.platform.seen.count('StopTrainingJob'), 1)
        self.assertEqual(self.left('x/failing/'), [])
        self.platform.faults[:] = [('CreateTrainingJob', 400, 'AccessDeniedException')]
        end = server.job(self.begin(server))
        self.assertEqual(end['state'], 'failed')
        self.assertIn('AccessDeniedException', end['problem']['detail'])
        self.assertEqual(self.left('x/failing/'), [])

    def test_it_is_a_setting(self):
        for missing in (2, 4):
            with self.assertRaisesRegex(RuntimeError, f'{THERE[missing]} is missing'):
                self.serve(*THERE[:missing], *THERE[missing + 2:])
        plain = Server(data=self.data / 'data', env=self.where())
        self.addCleanup(lambda: plain.process.poll() is None and plain.close())
        self.key = plain.key
        self.assertNotIn('sagemaker', as_json(plain.get('/api/v1/settings')))
        refused = plain.request('PATCH', '/api/v1/settings', {'sagemaker': True})
        self.assertEqual(refused.status, 422)
        self.assertIn('--image', as_json(refused)['detail'])
        self.assertEqual((as_json(plain.get('/api/v1/about'))['train_on'], as_json(plain.get('/api/v1/about'))['endpoint']), ('here', None))
        plain.close()
        server = Server('--image', IMAGE, data=self.data / 'data', env=self.where())
        self.addCleanup(lambda: server.process.poll() is None and server.close())
        refused = server.request('PATCH', '/api/v1/settings', {'sagemaker': True}, key=self.key)
        self.assertEqual(refused.status, 422)
        self.assertIn('--aws-role is missing', as_json(refused)['detail'])
        server.close()
        env = {**self.where(), 'FACEGATE_AWS_ROLE': ROLE}
        server = Server('--image', IMAGE, data=self.data / 'data', env=env)
        self.addCleanup(lambda: server.process.poll() is None and server.close())
        server.key = self.key
        self.assertIs(as_json(server.get('/api/v1/settings'))['sagemaker'], False)
        self.assertEqual(server.train()['kind'], 'train')
        self.assertIs(as_json(server.request('PATCH', '/api/v1/settings', {'sagemaker': True}))['sagemaker'], True)
        self.assertEqual(as_json(server.get('/api/v1/about'))['endpoint'], 'facegate')
        end = server.train()
        self.assertEqual((end['kind'], end['state']), ('sagemaker', 'done'), end)
        photo = pathlib.Path(self.photo).read_bytes()
        self.assertEqual(as_json(server.post('/api/v1/verify', photo))['endpoint'], 'facegate')
        # Back, and the classifier of before decides again.
        self.assertIs(as_json(server.request('PATCH', '/api/v1/settings', {'sagemaker': None}))['sagemaker'], False)
        here = as_json(server.post('/api/v1/verify', photo))
        self.assertEqual((here['decision'], here['classifier'], 'endpoint' in here), ('granted', 1, False))


if __name__ == '__main__':
    main()
