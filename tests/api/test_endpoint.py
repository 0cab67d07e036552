#!/usr/bin/env python3
"""SageMaker's runtime protocol, spoken by AWS's own clients: boto3 and the aws command line, as the distribution's packages have them."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from client import PROGRAM, SOURCE, Server, as_json, main, render

PYTHON, AWS = '/usr/bin/python3', '/usr/bin/aws'
ENVIRONMENT = {**os.environ, 'AWS_EC2_METADATA_DISABLED': 'true', 'AWS_CONFIG_FILE': '/dev/null', 'AWS_SHARED_CREDENTIALS_FILE': '/dev/null'}


def setUpModule():
    global media, server, photo
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    server = Server('--endpoint-name', 'door-1')
    for n, name in enumerate(('ada', 'bruno')):
        server.enroll(name.title(), render('video', f'{name}.jpg', media / f'{name}.mp4', n), 'engineer', ('lab',))
    server.train()
    photo = render('photo', 'ada.jpg', media / 'ada.jpg', 1).read_bytes()


def tearDownModule():
    server.close()
    shutil.rmtree(media)


def create(**more):
    answer = server.post('/api/v1/keys', {'aws': True, **more})
    assert answer.status == 201, answer
    return as_json(answer)


def order(key, body=b'', name='door-1', kind='image/jpeg', **more):
    return {'url': server.url, 'key': key['access_key_id'], 'secret': key['secret_access_key'], 'EndpointName': name, 'ContentType': kind,
            'Body': base64.b64encode(body).decode(), **more}


def boto3(*orders):
    done = subprocess.run([PYTHON, '-B', SOURCE / 'tests/support/invoke_boto3.py'], input='\n'.join(map(json.dumps, orders)), env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@unittest.skipIf(subprocess.run([PYTHON, '-c', 'import boto3'], capture_output=True).returncode, f'{PYTHON} has no boto3')
class Boto3(unittest.TestCase):
    def test_a_photo_and_rows(self):
        key = create()
        row = json.dumps([[1] + [0] * 255] * 1500).encode()  # beyond a megabyte: hashed from the disk
        self.assertGreater(len(row), 1 << 20)
        results = boto3(order(key, photo), order(key, row, kind='application/json'), order(key, b','.join([b'1'] + [b'0'] * 255), kind='text/csv',
                                                                                         region='us-west-2', Accept='application/json',
                                                                                         CustomAttributes='c000b4f9-df62-4c85-a0bf-7c525f9104a4'))
        self.assertEqual([(r['status'], r['type'], r['variant']) for r in results], [(200, 'application/json', 'AllTraffic')] * 3)
        self.assertEqual(results[0]['body']['prediction'], ['Ada'])
        self.assertEqual(results[0]['body']['decisions'][0]['rights'], ['lab'])
        self.assertEqual(len(results[1]['body']['prediction']), 1500)
        rows = as_json(server.get('/api/v1/audit?limit=1'))['rows']
        self.assertEqual((rows[0]['action'], rows[0]['actor']), ('invoke', f'key:{key["id"]}'))
        server.cleans_up()

    def test_errors_have_the_names_of_aws(self):
        key, revoked, audit = create(), create(), create(scope='audit')
        self.assertEqual(server.request('DELETE', f'/api/v1/keys/{revoked["id"]}').status, 204)
        cases = [
            (order({**key, 'secret_access_key': 'x' * 40}, photo), 'InvalidSignatureException', 403),
            (order({**key, 'access_key_id': 'FGAK0123456789ABCDEF'}, photo), 'UnrecognizedClientException', 403),
            (order({**key, 'access_key_id': 'AKIAIOSFODNN7EXAMPLE'}, photo), 'UnrecognizedClientException', 403),
            (order(revoked, photo), 'UnrecognizedClientException', 403),
            (order(key, photo, token='a-session-token'), 'UnrecognizedClientException', 403),
            (order(audit, photo), 'AccessDeniedException', 403),
            (order(key, photo, clock=-1200), 'InvalidSignatureException', 403),
            (order(key, photo, clock=1200), 'InvalidSignatureException', 403),
            (order(key, photo, name='door-2'), 'ValidationError', 400),
            (order(key, b'x', kind='text/html'), 'ModelError', 424),
            (order(key, b'x', kind='application/x-npy'), 'ModelError', 424),
            (order(key, photo, clock=-240), None, 200),
        ]
        for (asked, code, status), result in zip(cases, boto3(*[c[0] for c in cases])):
            self.assertEqual((result.get('error'), result['status']), (code, status), result)
            self.assertNotIn(key['secret_access_key'], json.dumps(result))
            # a right one forgives the wrong ones: this address is not to be locked out
            server.get('/api/v1/session')
        results = boto3(cases[6][0], cases[7][0], cases[9][0])
        self.assertRegex(results[0]['message'], r'^Signature expired: \d{8}T\d{6}Z is now earlier than .* - 5 min\.\)$')
        self.assertRegex(results[1]['message'], r'^Signature not yet current: ')
        self.assertEqual((results[2]['class'], results[2]['original_status']), ('ModelError', 415))
        self.assertIn('text/html is not taken', results[2]['original_message'])
        self.assertNotIn(key['secret_access_key'], server.said())


@unittest.skipUnless(os.access(AWS, os.X_OK), f'there is no {AWS}')
class Command(unittest.TestCase):
    def aws(self, key, *more):
        return subprocess.run([AWS, 'sagemaker-runtime', 'invoke-endpoint', '--endpoint-url', server.url, '--region', 'eu-central-1',
                               '--endpoint-name', 'door-1', '--content-type', 'image/jpeg', '--body', f'fileb://{media / "ada.jpg"}', *more, media / 'out.json'],
                              env={**ENVIRONMENT, 'AWS_ACCESS_KEY_ID': key['access_key_id'], 'AWS_SECRET_ACCESS_KEY': key['secret_access_key']},
                              capture_output=True, text=True, timeout=600)

    def test_invoke_endpoint(self):
        key = create(label='by hand')
        done = self.aws(key)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)['InvokedProductionVariant'], 'AllTraffic')
        self.assertEqual(json.loads((media / 'out.json').read_text())['prediction'], ['Ada'])
        done = self.aws({**key, 'secret_access_key': 'wrong'})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('InvalidSignatureException', done.stderr)


class ByHand(unittest.TestCase):
    def post(self, path='/endpoints/door-1/invocations', body=None, **more):
        return server.post(path, photo if body is None else body, headers={'Content-Type': 'image/jpeg', **more.pop('headers', {})}, **more)

    def test_a_bearer_key_will_do(self):
        answer = self.post()
        self.assertEqual((answer.status, as_json(answer)['prediction']), (200, ['Ada']))
        self.assertEqual(answer.headers['x-Amzn-Invoked-Production-Variant'], 'AllTraffic')

    def test_without_or_with_a_broken_signature(self):
        for headers, code in (({}, 'MissingAuthenticationTokenException'), ({'Authorization': 'AWS4-HMAC-SHA256'}, 'IncompleteSignatureException'),
                              ({'Authorization': 'AWS4-HMAC-SHA256 Credential=a/b'}, 'IncompleteSignatureException'),
                              ({'Authorization': 'Bearer fg_1_2'}, 'UnrecognizedClientException'),
                              ({'Authorization': 'AWS4-HMAC-SHA256 Credential=FGAK0123456789ABCDEF/20150830/us-east-1/sagemaker/aws4_request, '
                                                 'SignedHeaders=host, Signature=' + '0' * 64}, 'IncompleteSignatureException')):
            answer = self.post(headers=headers, key=False)
            self.assertEqual((answer.status, answer.headers['x-amzn-ErrorType']), (403, code))
            self.assertIn('message', as_json(answer))
            server.get('/api/v1/session')

    def test_a_query_that_is_too_long_to_sign(self):
        key, now = create(), time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
        headers = {'X-Amz-Date': now, 'Authorization': f'AWS4-HMAC-SHA256 Credential={key["access_key_id"]}/{now[:8]}/us-east-1/sagemaker/aws4_request, '
                                                       f'SignedHeaders=content-type;host;x-amz-date, Signature={"0" * 64}'}
        for size, code, message in ((100, 'InvalidSignatureException', 'signature'), (22000, 'ValidationError', 'the query is too long')):
            answer = self.post(f'/endpoints/door-1/invocations?require={"/" * size}', headers=headers, key=False)
            self.assertEqual(answer.headers['x-amzn-ErrorType'], code)
            self.assertIn(message, as_json(answer)['message'])
            server.get('/api/v1/session')

    def test_too_large(self):
        answer = server.raw(f'POST /endpoints/door-1/invocations HTTP/1.1\r\nHost: localhost\r\nx-api-key: {server.key}\r\n'
                            f'Content-Type: image/jpeg\r\nContent-Length: {7 << 20}\r\nConnection: close\r\n\r\n'.encode())
        self.assertTrue(answer.startswith(b'HTTP/1.1 400 '), answer)
        self.assertIn(b'x-amzn-ErrorType: ValidationError', answer)

    def test_the_key_is_no_key_of_the_api(self):
        key = create(scope='admin')
        for header in ({'x-api-key': key['access_key_id']}, {'x-api-key': key['secret_access_key']}, {'Authorization': f'Bearer {key["secret_access_key"]}'}):
            self.assertEqual(server.get('/api/v1/members', key=False, headers=header).status, 401)
            server.get('/api/v1/session')

    def test_keys_are_listed_without_secrets(self):
        key = create(label='listed', expires_days=1)
        listed = next(k for k in as_json(server.get('/api/v1/keys'))['keys'] if k['id'] == key['id'])
        self.assertEqual((listed['access_key_id'], listed['label']), (key['access_key_id'], 'listed'))
        self.assertNotIn(key['secret_access_key'], server.get('/api/v1/keys').body.decode())
        self.assertEqual(server.post('/api/v1/keys', {'aws': 'yes'}).status, 422)

    def test_on_the_command_line(self):
        run = lambda *words: subprocess.run([PROGRAM, '--data', server.data, '--json', *words], capture_output=True, text=True, check=True)
        key = json.loads(run('keys', 'create', '--aws', '--label', 'cli').stdout)
        self.assertRegex(key['access_key_id'], r'^FGAK[0-9A-F]{16}$')
        listed = [json.loads(line) for line in run('keys', 'list').stdout.splitlines()]
        self.assertIn(key['access_key_id'], [k['access_key_id'] for k in listed])
        run('keys', 'revoke', key['access_key_id'])
        listed = [json.loads(line) for line in run('keys', 'list').stdout.splitlines()]
        self.assertTrue(next(k for k in listed if k['access_key_id'] == key['access_key_id'])['revoked'])


if __name__ == '__main__':
    main()
