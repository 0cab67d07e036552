#!/usr/bin/env python3
"""/ping and /invocations on a server with a team of its own."""
import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import tempfile
import unittest

from client import SANITIZED, Server, as_json, main, render


def setUpModule():
    global media, server, rows
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    server = Server()
    for n, name in enumerate(('ada', 'bruno')):
        server.enroll(name.title(), render('video', f'{name}.jpg', media / f'{name}.mp4', n), 'engineer', ('lab',) if n == 0 else ())
    for name in ('ada', 'otto'):
        render('photo', f'{name}.jpg', media / f'{name}.jpg', 1)


def tearDownModule():
    server.close()
    shutil.rmtree(media)


def invoke(body, kind='application/json', path='/invocations', **more):
    return server.post(path, body, headers={'Content-Type': kind, **more.pop('headers', {})}, **more)


class Runtime(unittest.TestCase):
    def test_1_ping_needs_no_key_and_no_model(self):
        answer = server.get('/ping', key=False)
        self.assertEqual((answer.status, answer.body), (200, b''))
        self.assertEqual(as_json(invoke(json.dumps([1] + [0] * 255)))['code'], 'wrong_state')
        server.train()

    def test_2_a_photo(self):
        answer = as_json(invoke((media / 'ada.jpg').read_bytes(), 'image/jpeg'))
        self.assertEqual(answer['prediction'], ['Ada'])
        self.assertEqual(answer['classes'], ['Ada', 'Bruno'])
        self.assertGreaterEqual(answer['proba'][0][0], .9)
        decision = answer['decisions'][0]
        self.assertEqual((decision['decision'], decision['role'], decision['rights']), ('granted', 'engineer', ['lab']))
        decision = as_json(invoke((media / 'otto.jpg').read_bytes(), 'image/jpeg'))['decisions'][0]
        self.assertEqual((decision['decision'], decision['member'], decision['rights']), ('unknown', None, []))
        decision = as_json(invoke((media / 'ada.jpg').read_bytes(), 'image/jpeg', '/invocations?require=vault'))['decisions'][0]
        self.assertEqual((decision['decision'], decision['reasons']), ('denied', ['right_missing']))

    def test_3_rows_are_in_the_audit(self):
        row = [1] + [0] * 255
        before = len(as_json(server.get('/api/v1/audit'))['rows'])
        answer = as_json(invoke(json.dumps({'instances': [row, row]})))
        self.assertEqual(len(answer['prediction']), 2)
        rows = as_json(server.get('/api/v1/audit'))['rows']
        self.assertEqual(len(rows), before + 2)
        self.assertEqual((rows[0]['action'], rows[0]['decision']), ('invoke', 'unknown'))

    def test_4_names_are_those_of_now(self):
        ada = next(m for m in as_json(server.get('/api/v1/members'))['members'] if m['name'] == 'Ada')
        self.assertEqual(server.request('PATCH', f'/api/v1/members/{ada["id"]}', {'name': 'Ada L.'}).status, 200)
        answer = as_json(invoke((media / 'ada.jpg').read_bytes(), 'image/jpeg'))
        self.assertEqual((answer['prediction'], answer['decisions'][0]['member']), (['Ada L.'], 'Ada L.'))
        server.request('PATCH', f'/api/v1/members/{ada["id"]}', {'name': 'Ada'})

    def test_5_who_may(self):
        photo = (media / 'ada.jpg').read_bytes()
        self.assertEqual(invoke(photo, 'image/jpeg', key=False).status, 401)
        self.assertEqual(invoke(photo, 'image/jpeg', key='fg_0_0').status, 401)
        for scope, status in (('verify', 200), ('enroll', 403), ('audit', 403), ('admin', 200)):
            key = as_json(server.post('/api/v1/keys', {'scope': scope}))['key']
            self.assertEqual(invoke(photo, 'image/jpeg', key=key).status, status, scope)

    def test_6_bad_requests(self):
        for status, body, kind in ((415, b'x', 'text/html'), (422, b'x', 'application/x-npy'), (422, b'', 'text/csv'), (422, b'1,2,3', 'text/csv'),
                                   (422, b'[', 'application/json'), (422, b'\xff\xd8\xff', 'image/jpeg')):
            self.assertEqual(invoke(body, kind).status, status, kind)
        self.assertEqual(invoke(json.dumps([1] + [0] * 255), headers={'Accept': 'text/csv'}).status, 406)
        self.assertEqual(invoke(json.dumps([1] + [0] * 255), headers={'Accept': 'application/json, text/csv'}).status, 200)
        self.assertEqual(invoke(json.dumps([1] + [0] * 255), path='/invocations?require=%20').status, 400)
        server.cleans_up()

    def test_7_a_large_body_goes_by_the_disk(self):
        rows = json.dumps([[1] + [0] * 255] * 3000).encode()
        self.assertGreater(len(rows), 1 << 20)
        answer = invoke(rows)
        self.assertEqual(answer.status, 200)
        self.assertEqual(len(as_json(answer)['prediction']), 3000)
        server.cleans_up()

    @unittest.skipIf(SANITIZED, 'the sanitizers keep what is freed')
    def test_8_many_at_once_cost_the_memory_of_few(self):
        # Two million numbers of two bytes each are a hundred megabytes while they are read.
        body = b'[' + b','.join([b'[' + b','.join([b'0'] * 1000) + b']'] * 2000) + b']'
        with contextlib.closing(Server('--workers', '1', data=server.data)) as own, concurrent.futures.ThreadPoolExecutor(8) as pool:
            before = own.peak_kib()
            answers = list(pool.map(lambda _: own.post('/invocations', body, headers={'Content-Type': 'application/json'}, key=server.key), range(8)))
            self.assertLessEqual({a.status for a in answers}, {422, 503}, answers[0])  # 503: where the machine is slow
            self.assertLess(own.peak_kib() - before, 300 << 10)
            self.assertEqual(invoke(b'[' + b' ' * (4 << 20) + b']').status, 413)


if __name__ == '__main__':
    main()
