"""What Facegate writes to S3 is what AWS's own clients read there, and the other way round; and everything that can go wrong on the way.

Run by s3.sh with Debian's own python3 and boto3. S3_ENDPOINT and the usual variables say where the service is, BLOB_TOOL is the program.
"""
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.exceptions

sys.path.insert(0, os.path.join(os.environ['FACEGATE_SOURCE'], 'tests', 'api'))
from client import main  # noqa: E402

TOOL = os.environ['BLOB_TOOL']
ENDPOINT = os.environ['S3_ENDPOINT']
SECRET = os.environ['AWS_SECRET_ACCESS_KEY']
BUCKET = 'cross'
s3 = boto3.client('s3', endpoint_url=ENDPOINT)


class Proxy:
    """Passes connections on, but treats the first ones as `faults` says: a count of bytes after which the answer is cut off, or an
    answer to give instead."""

    def __init__(self, faults):
        self.faults = list(faults)
        self.seen = 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = 'http://127.0.0.1:%d' % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.seen += 1
            fault = self.faults.pop(0) if self.faults else None
            threading.Thread(target=self.serve, args=(client, fault), daemon=True).start()

    def serve(self, client, fault):
        if isinstance(fault, bytes):
            client.recv(65536)
            client.sendall(fault)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
            client.close()
            return
        host, port = ENDPOINT.split('//')[1].split(':')
        server = socket.create_connection((host, int(port)))

        def pump(source, sink, limit):
            left = limit
            try:
                while True:
                    data = source.recv(65536 if left is None else min(65536, left))
                    if not data:
                        break
                    sink.sendall(data)
                    if left is not None:
                        left -= len(data)
                        if left == 0:
                            break
            except OSError:
                pass
            for s in (source, sink):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        up = threading.Thread(target=pump, args=(client, server, None), daemon=True)
        up.start()
        pump(server, client, fault)
        up.join()
        client.close()
        server.close()

    def close(self):
        self.listener.close()


def tool(*args, fails=None, bucket=BUCKET, prefix='t', before=(), **settings):
    env = dict(os.environ, FACEGATE_BLOB=f's3://{bucket}/{prefix}', FACEGATE_S3_ENDPOINT=ENDPOINT)
    env.update(settings)
    done = subprocess.run([*before, TOOL, *args], env=env, capture_output=True, timeout=600)
    error = done.stderr.decode()
    assert SECRET not in error and SECRET[:8] not in error
    if fails:
        assert done.returncode == 1, 'should have failed'
        assert fails in error, error
        assert error.count('\n') == 1 + error.count('note: '), error
    else:
        assert done.returncode == 0, error
    return done.stdout


class Cross(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        s3.create_bucket(Bucket=BUCKET)
        cls.folder = tempfile.mkdtemp()
        cls.big = os.path.join(cls.folder, 'big')
        cls.back = os.path.join(cls.folder, 'back')
        with open(cls.big, 'wb') as f:
            f.write(os.urandom(20 * 1024 * 1024 + 17))
        cls.sum = cls.hash(cls.big)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @staticmethod
    def hash(path):
        with open(path, 'rb') as f:
            return hashlib.sha256(f.read()).hexdigest()

    def setUp(self):
        if os.path.exists(self.back):
            os.remove(self.back)

    def test_they_read_what_we_write(self):
        tool('put', 'chips/1.png', self.big)
        head = s3.head_object(Bucket=BUCKET, Key='t/chips/1.png')
        self.assertEqual(head['Metadata']['sha256'], self.sum)
        self.assertTrue(head['ETag'].endswith('-3"'))  # in three parts
        s3.download_file(BUCKET, 't/chips/1.png', self.back)
        self.assertEqual(self.hash(self.back), self.sum)
        os.remove(self.back)
        subprocess.run(['/usr/bin/aws', '--endpoint-url', ENDPOINT, 's3', 'cp', '--quiet', f's3://{BUCKET}/t/chips/1.png', self.back],
                       check=True)
        self.assertEqual(self.hash(self.back), self.sum)
        listed = subprocess.run(['/usr/bin/aws', '--endpoint-url', ENDPOINT, 's3', 'ls', f's3://{BUCKET}/t/chips/'], check=True,
                                capture_output=True).stdout.decode()
        self.assertIn('1.png', listed)
        tool('delete-prefix', 'chips/')
        self.assertNotIn('Contents', s3.list_objects_v2(Bucket=BUCKET, Prefix='t/chips/'))

    def test_we_read_what_they_write(self):
        s3.upload_file(self.big, BUCKET, 't/theirs')
        tool('get', 'theirs', self.back)
        self.assertEqual(self.hash(self.back), self.sum)
        with open(self.big, 'rb') as f:
            self.assertEqual(tool('range', 'theirs', '0', '10'), f.read(10))
        s3.put_object(Bucket=BUCKET, Key='odd/with space+and%2F/x', Body=b'1')
        s3.put_object(Bucket=BUCKET, Key='odd/Upper', Body=b'1')
        s3.put_object(Bucket=BUCKET, Key='odd/lower', Body=b'12')
        self.assertEqual(tool('list', '', prefix='odd'), b'lower 2\n')  # the others have no name of ours
        self.assertEqual(tool('list', '', prefix='odd/with space+and%2F'), b'x 1\n')

    def test_damage_is_noticed(self):
        s3.put_object(Bucket=BUCKET, Key='t/damaged', Body=b'smile', Metadata={'sha256': hashlib.sha256(b'frown').hexdigest()})
        tool('get', 'damaged', self.back, fails='damaged: its SHA-256')

    def test_uploads_that_never_ended_are_swept(self):
        s3.create_multipart_upload(Bucket=BUCKET, Key='sweep/left/over')
        keep = s3.create_multipart_upload(Bucket=BUCKET, Key='sweep/other/one')
        tool('delete-prefix', 'left/', prefix='sweep')
        left = [u['Key'] for u in s3.list_multipart_uploads(Bucket=BUCKET, Prefix='sweep/').get('Uploads', [])]
        self.assertEqual(left, ['sweep/other/one'])
        s3.abort_multipart_upload(Bucket=BUCKET, Key='sweep/other/one', UploadId=keep['UploadId'])

    def test_delete_is_for_good_where_versions_are_kept(self):
        s3.create_bucket(Bucket='versions')
        s3.put_bucket_versioning(Bucket='versions', VersioningConfiguration={'Status': 'Enabled'})
        for key in ('a', 'm/b', 'm/b', 'ab'):
            tool('put', key, __file__, bucket='versions')
        s3.delete_object(Bucket='versions', Key='t/m/b')  # hidden, not gone
        tool('delete', 'a', bucket='versions')
        tool('delete-prefix', 'm/', bucket='versions')
        left = s3.list_object_versions(Bucket='versions')
        self.assertEqual([v['Key'] for v in left.get('Versions', [])], ['t/ab'])
        self.assertEqual(left.get('DeleteMarkers', []), [])

    def test_encryption_is_asked_for(self):
        settings = {'FACEGATE_S3_SSE': 'aws:kms', 'FACEGATE_S3_KMS_KEY': 'testkey-1'}
        for key, path in (('small', __file__), ('large', self.big)):
            tool('put', key, path, **settings)
            head = s3.head_object(Bucket=BUCKET, Key='t/' + key)
            self.assertEqual((head['ServerSideEncryption'], head['SSEKMSKeyId']), ('aws:kms', 'testkey-1'))
            tool('get', key, self.back)
            self.assertEqual(self.hash(self.back), self.hash(path))

    def test_links(self):
        tool('put', 'linked', __file__)
        url = tool('link', 'linked').decode()
        with urllib.request.urlopen(url) as answer, open(__file__, 'rb') as f:
            self.assertEqual(answer.read(), f.read())
        for spoiled in (url.replace('linked', 'other'), url.replace('X-Amz-Expires=60', 'X-Amz-Expires=600')):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(spoiled)
            self.assertEqual(caught.exception.code, 403)
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(url.split('?')[0])

    def test_a_bad_network_is_put_up_with(self):
        slow = b'HTTP/1.1 503 Slow Down\r\nConnection: close\r\n\r\n<Error><Code>SlowDown</Code></Error>'
        proxy = Proxy([slow, 100, slow, 0])
        tool('put', 'net', self.big, FACEGATE_S3_ENDPOINT=proxy.url)
        self.assertGreaterEqual(proxy.seen, 5)
        proxy.close()
        # The download is cut again and again and goes on where it was.
        proxy = Proxy([5_000_000, slow, 6_000_000, 1000])
        tool('get', 'net', self.back, FACEGATE_S3_ENDPOINT=proxy.url)
        self.assertEqual(proxy.seen, 5)
        self.assertEqual(self.hash(self.back), self.sum)
        proxy.close()
        proxy = Proxy([slow] * 9)
        tool('get', 'net', self.back, FACEGATE_S3_ENDPOINT=proxy.url, fails='SlowDown')
        self.assertEqual(proxy.seen, 5)
        proxy.close()
        tool('get', 'net', self.back, FACEGATE_S3_ENDPOINT='http://127.0.0.1:9', fails='cannot connect')

    def test_wrong_keys_and_places(self):
        tool('list', '', AWS_SECRET_ACCESS_KEY='wrong', fails='unauthorized: s3://cross/t/: the signature does not match')
        tool('list', '', AWS_ACCESS_KEY_ID='NOBODY', fails='unauthorized: s3://cross/t/: the access key is not known')
        tool('list', '', bucket='not-there', fails='not_found: s3://not-there/t/: there is no such bucket')
        tool('get', 'nothing', self.back, fails='not_found: s3://cross/t/nothing: there is no such object')
        s3.put_object(Bucket=BUCKET, Key='closed/x', Body=b'')
        s3.put_bucket_policy(Bucket=BUCKET, Policy='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", '
                             '"Action": "s3:GetObject", "Resource": "arn:aws:s3:::cross/closed/*"}]}')
        tool('get', 'x', self.back, prefix='closed', fails='forbidden: s3://cross/closed/x: access denied')
        s3.delete_bucket_policy(Bucket=BUCKET)

    @unittest.skipUnless(shutil.which('faketime'), 'faketime is not installed')
    def test_a_clock_twenty_minutes_off(self):
        tool('list', '', before=['faketime', '-f', '+20m'], fails="this machine's clock is 20 minutes fast; set it")
        tool('list', '', before=['faketime', '-f', '-20m'], fails="this machine's clock is 20 minutes slow; set it")


if __name__ == '__main__':
    main()
