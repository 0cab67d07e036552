"""Training and deciding on SageMaker when things go wrong: jobs and endpoints that fail, throttling, expired credentials, a wrong clock,
no network."""
import json
import os
import shutil
import tempfile
import time
import unittest

from remote import IMAGE, ROLE, Case
from client import main, until  # noqa: E402
from sagemaker import Lost, Refused  # noqa: E402


class Remote(Case):
    def test_a_job_that_fails_says_why(self):
        self.train('--c', '1e-6', endpoint='c', status=0)  # the smallest C that is taken
        original = self.platform.train
        try:
            def spoiled(job):
                job['HyperParameters']['kernel'] = 'cubic'
                original(job)
            self.platform.train = spoiled
            self.train(endpoint='fails', status=1, says=['job fails-', 'Failed: AlgorithmError: ', 'kernel', 'exit code: 2'])
        finally:
            self.platform.train = original
        self.assertEqual(self.left('x/fails/'), [])  # no face is left lying there
        self.facegate('sagemaker', 'deploy', '--wait', endpoint='fails', status=1, says='no completed training job')
        job = self.facegate('sagemaker', 'status', endpoint='fails')[0]['job']
        self.assertEqual(job['status'], 'Failed')
        self.facegate('sagemaker', 'deploy', '--job', job['job'], endpoint='fails', status=1, says='only a completed one')

    def test_a_job_without_permission_or_role(self):
        self.facegate('sagemaker', 'train', '--image', IMAGE, status=2, says='--aws-role is missing')
        self.facegate('sagemaker', 'train', '--aws-role', ROLE, status=2, says='--image is missing')
        self.facegate('sagemaker', 'train', '--aws-role', ROLE, '--image', IMAGE, FACEGATE_BUCKET='s3://nowhere', status=1,
                      says='there is no such bucket')
        self.facegate('sagemaker', 'train', '--aws-role', 'me', '--image', IMAGE, status=2, says='ValidationException')
        self.assertEqual(self.left('x/e/e-'), [])
        self.facegate('sagemaker', 'status', endpoint='no_name', status=2, says='not a name')

    def test_an_endpoint_that_fails_and_recovers(self):
        self.train(endpoint='door')
        keep = os.environ['FACEGATE']
        os.environ['FACEGATE'] = '/bin/false'  # a container that ends at once
        try:
            self.facegate('sagemaker', 'deploy', '--wait', endpoint='door', status=1, says='endpoint door: Failed: The primary container')
        finally:
            os.environ['FACEGATE'] = keep
        self.facegate('verify', '--endpoint', 'door', self.photo, status=1, says='not found')
        time.sleep(1.1)  # names have seconds
        self.facegate('sagemaker', 'deploy', '--wait', endpoint='door')  # deleted first, since it cannot be updated
        self.assertIn('DeleteEndpoint', self.platform.seen)
        self.assertEqual(self.facegate('verify', '--endpoint', 'door', self.photo)[0]['member'], 'Ada')

        # An update that fails is rolled back: the old one goes on.
        time.sleep(1.1)
        os.environ['FACEGATE'] = '/bin/false'
        try:
            self.facegate('sagemaker', 'deploy', '--wait', endpoint='door', status=1, says='the update was rolled back')
        finally:
            os.environ['FACEGATE'] = keep
        self.assertEqual(self.facegate('verify', '--endpoint', 'door', self.photo)[0]['decision'], 'granted')
        self.facegate('sagemaker', 'delete', '--wait', endpoint='door')
        self.assertEqual([n for n in self.platform.models if n.startswith('door-')], [])
        self.facegate('sagemaker', 'delete', endpoint='door')  # once more does no harm
        self.assertEqual(self.left('x/door/'), [])

    def test_throttling_and_servers_that_stumble(self):
        self.platform.faults[:] = [('CreateTrainingJob', 400, 'ThrottlingException'), ('DescribeTrainingJob', 500, 'InternalFailure'),
                                   ('DescribeTrainingJob', 400, 'ThrottlingException'), ('DescribeTrainingJob', 503, 'ServiceUnavailable')]
        self.train(endpoint='slow', says='trying again')
        self.assertEqual(self.platform.seen.count('CreateTrainingJob'), 2)
        self.assertEqual(self.platform.faults, [])
        self.platform.faults[:] = [('DescribeEndpoint', 400, 'ThrottlingException')] * 9
        self.facegate('sagemaker', 'status', endpoint='slow', status=1, says='ThrottlingException: Rate exceeded')
        self.assertEqual(self.platform.seen.count('DescribeEndpoint'), 5)
        # What may have been carried out is not sent again.
        self.platform.seen.clear()
        self.platform.faults[:] = [('CreateTrainingJob', 500, 'InternalFailure')] * 2
        self.train(endpoint='twice', status=1, says='InternalFailure')
        self.assertEqual(self.platform.seen.count('CreateTrainingJob'), 1)
        self.assertEqual(self.left('x/twice/'), [])

    def test_a_job_whose_beginning_nobody_hears_of_is_stopped(self):
        original = self.platform.CreateTrainingJob

        def lost(**p):
            original(**p)
            raise Lost
        self.platform.CreateTrainingJob = lost
        try:
            self.train(endpoint='lost', status=1, says='sagemaker CreateTrainingJob: the connection failed')
        finally:
            del self.platform.CreateTrainingJob
        job = next(j for n, j in self.platform.jobs.items() if n.startswith('lost-'))
        self.assertEqual(self.platform.seen.count('CreateTrainingJob'), 1)
        until(lambda: job['TrainingJobStatus'] == 'Stopped')
        self.assertEqual(self.left('x/lost/'), [])

    def test_credentials_that_end(self):
        self.platform.keys['ASIATEMP'] = ('temporary-secret', 'token-1')
        temporary = {'AWS_ACCESS_KEY_ID': 'ASIATEMP', 'AWS_SECRET_ACCESS_KEY': 'temporary-secret', 'AWS_SESSION_TOKEN': 'token-1'}
        self.facegate('sagemaker', 'status', endpoint='none', status=1, says='Could not find', **temporary)
        self.platform.expired.add('token-1')
        self.facegate('sagemaker', 'status', endpoint='none', status=1, says='the credentials have expired; get new ones', **temporary)
        self.facegate('sagemaker', 'status', status=1, says='the signature does not match', AWS_SECRET_ACCESS_KEY='wrong')
        self.facegate('sagemaker', 'status', status=1, says='not known there', AWS_ACCESS_KEY_ID='AKNOBODY')
        self.facegate('--region', 'eu-west-1', 'sagemaker', 'status', status=1, says='check the secret key, the region', FACEGATE_ENDPOINT='e')

    @unittest.skipUnless(shutil.which('faketime'), 'faketime is not installed')
    def test_a_clock_twenty_minutes_off(self):
        self.facegate('sagemaker', 'status', status=1, says='20 minutes slow; set it', before=['faketime', '-f', '-20m'])
        self.facegate('sagemaker', 'status', status=1, says='20 minutes fast; set it', before=['faketime', '-f', '+20m'])

    def test_no_network(self):
        self.facegate('sagemaker', 'status', status=1, says='cannot connect', FACEGATE_SAGEMAKER_URL='http://127.0.0.1:9')
        self.facegate('verify', '--endpoint', 'e', self.photo, status=1, says='cannot connect', FACEGATE_SAGEMAKER_URL='http://127.0.0.1:9')
        self.facegate('sagemaker', 'status', status=2, says='in the clear', FACEGATE_SAGEMAKER_URL='http://sagemaker.example')

    def test_a_name_that_is_somebody_elses_now_is_nobodys_until_the_next_training(self):
        data = tempfile.mkdtemp(prefix='facegate-names-')
        self.addCleanup(shutil.rmtree, data)
        shutil.copytree(self.folder / 'data', f'{data}/data')
        team = {'FACEGATE_DATA': f'{data}/data'}
        there = dict(team, endpoint='names')

        def expect(*members):
            for photo, member in zip(('Ada1.jpg', 'Bob1.jpg'), members):
                status, decision = (0, 'granted') if member else (3, 'unknown')
                seen = self.facegate('verify', '--endpoint', 'names', str(self.folder / photo), status=status, **team)[0]
                self.assertEqual((seen['decision'], seen['member']), (decision, member))
        self.train(**there)
        old = self.facegate('sagemaker', 'status', **there)[0]['job']['job']
        self.facegate('sagemaker', 'deploy', '--wait', **there)
        expect('Ada', 'Bob')
        self.facegate('members', 'set', 'Ada', '--name', 'ADA', **team)  # the same name
        expect('ADA', 'Bob')

        self.facegate('members', 'remove', 'Ada', **team)
        self.facegate('members', 'set', 'Bob', '--name', 'Ada', **team)
        expect(None, None)
        time.sleep(1.1)  # names have seconds
        self.facegate('sagemaker', 'deploy', '--wait', **there)  # what knows the names as they were
        expect(None, None)

        self.train(**there)
        time.sleep(1.1)
        self.facegate('sagemaker', 'deploy', **there)
        until(lambda: self.facegate('sagemaker', 'status', **there)[0]['endpoint']['status'] == 'InService')
        expect(None, 'Ada')

        time.sleep(1.1)
        self.facegate('sagemaker', 'deploy', '--wait', '--job', old, **there)
        expect(None, None)
        self.facegate('sagemaker', 'delete', '--wait', **there)

    def test_an_endpoint_that_lies_lets_nobody_in(self):
        ada = {'decision': 'granted', 'similarity': 0.9}
        lies = [b'', b'{}', b'[]', b'{"prediction":["Ada"],"proba":[[1.5]],"classes":["Ada"]}',
                b'{"prediction":["Ada"],"proba":[[1.0, 1.0]],"classes":["Ada","Bob"]}', b'{"prediction":["Ada"],"proba":[["1"]],"classes":["Ada"]}',
                b'{"prediction":["Ada"],"proba":[[0.1,0.9]],"classes":["Ada","Bob"]}', b'{"prediction":["Ada"],"proba":[[NaN]],"classes":["Ada"]}',
                b'{"prediction":["Ada","Ada"],"proba":[[1.0],[1.0]],"classes":["Ada"]}', b'{"prediction":["Ada"],"proba":[[1.0]],"classes":["Ada"],"decisions":[]}',
                json.dumps({'prediction': ['Ada'], 'proba': [[0.99, 0.01]], 'classes': ['Ada', 'Ada'], 'decisions': [ada]}).encode()]
        answers = [(b'{"prediction":["Ada"],"proba":[[0.97, 0.01]],"classes":["Ada","Bob"]}', 0, 'granted'),  # as the original's endpoint
                   (b'{"prediction":["Ada"],"proba":[[0.97]]}', 0, 'granted'),
                   (b'{"prediction":["Ada"],"proba":[[0.89, 0.01]],"classes":["Ada","Bob"]}', 3, 'unknown'),
                   (b'{"prediction":["Eve"],"proba":[[0.99, 0.01]],"classes":["Eve","Bob"]}', 3, 'unknown'),  # nobody's name here
                   (b'{"prediction":["Ada"],"proba":[[0.99]],"classes":["Ada"],"decisions":[{"decision":"unknown","reasons":["not_a_member"]}]}', 3, 'unknown')]
        original = self.platform.invoke
        try:
            for lie in lies:
                self.platform.invoke = lambda *_: (200, lie, 'application/json')
                self.facegate('verify', '--endpoint', 'e', self.photo, status=1, says='endpoint e: the answer is not')
            for answer, status, decision in answers:
                self.platform.invoke = lambda *_: (200, answer, 'application/json')
                self.assertEqual(self.facegate('verify', '--endpoint', 'e', self.photo, status=status)[0]['decision'], decision)

            def broken(*_):
                raise Refused('ModelError', 'Received server error (500) from primary', 424)
            self.platform.invoke = broken
            self.facegate('verify', '--endpoint', 'e', self.photo, status=1, says='ModelError')
        finally:
            self.platform.invoke = original


if __name__ == '__main__':
    main()
