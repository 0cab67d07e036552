"""What the tests of SageMaker stand on: two members, a real S3 service (see sagemaker.sh), and tests/support/sagemaker.py in this process."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import boto3

SOURCE = pathlib.Path(os.environ['FACEGATE_SOURCE'])
sys.path[:0] = [str(SOURCE / 'tests/api'), str(SOURCE / 'tests/support')]
from sagemaker import SageMaker  # noqa: E402

FACEGATE = os.environ['FACEGATE']
ROLE = 'arn:aws:iam::123456789012:role/facegate'
IMAGE = '123456789012.dkr.ecr.us-east-1.amazonaws.com/facegate:latest'


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.s3 = boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT'])
        cls.s3.create_bucket(Bucket='remote')  # once more does no harm
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        people = SOURCE / 'tests/fixtures/people'
        team = [line.split('\t')[0] for line in (people / 'team.tsv').read_text().splitlines()
                if not line.startswith(('#', 'stranger'))][:2]
        for i, name in enumerate(('Ada', 'Bob')):
            photos = []
            for variant in (0, 1, 2):
                photos.append(str(cls.folder / f'{name}{variant}.jpg'))
                subprocess.run([SOURCE / 'tests/support/render.sh', 'photo', people / team[i], photos[-1], str(variant)], check=True)
            subprocess.run([FACEGATE, '--data', cls.folder / 'data', 'enroll', '--name', name, '--role', 'guest', *photos], check=True,
                           capture_output=True)
        cls.photo = str(cls.folder / 'Ada1.jpg')
        cls.platform = SageMaker()

    @classmethod
    def tearDownClass(cls):
        cls.platform.close()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.platform.seen.clear()
        self.platform.faults.clear()

    def where(self):
        """Variables for the program: this S3, this SageMaker."""
        return {'FACEGATE_S3_ENDPOINT': os.environ['S3_ENDPOINT'], 'FACEGATE_SAGEMAKER_URL': self.platform.url, 'FACEGATE_BUCKET': 's3://remote/x',
                'FACEGATE_POLL_SECONDS': '0.1'}

    def facegate(self, *args, status=0, says=(), before=(), endpoint='e', **settings):
        env = dict(os.environ, **self.where(), FACEGATE_DATA=str(self.folder / 'data'))
        if args[0] == 'sagemaker':
            env['FACEGATE_ENDPOINT'] = endpoint
        env.update(settings)
        done = subprocess.run([*before, FACEGATE, '--json', *args], env=env, capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, done.stderr)
        self.assertNotIn(os.environ['AWS_SECRET_ACCESS_KEY'], done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def train(self, *more, **settings):
        return self.facegate('sagemaker', 'train', '--aws-role', ROLE, '--image', IMAGE, '--wait', *more, **settings)

    def left(self, prefix='x/'):
        return [o['Key'] for o in self.s3.list_objects_v2(Bucket='remote', Prefix=prefix).get('Contents', [])]
