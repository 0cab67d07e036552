#!/usr/bin/env python3
"""Who may do what, and what a page of another site cannot."""
import http.cookies
import unittest
from concurrent.futures import ThreadPoolExecutor

from client import Server, as_json, main, until

HEADER = {'X-Facegate': 'web'}


def setUpModule():
    global server
    server = Server()


def tearDownModule():
    server.close()


def sign_in(credentials, headers=HEADER):
    return server.request('POST', '/signin', credentials, headers=headers, key=False)


def cookie_of(answer):
    jar = http.cookies.SimpleCookie(answer.headers['Set-Cookie'])
    return next(iter(jar.values()))


class Keys(unittest.TestCase):
    def make(self, **body):
        answer = server.post('/api/v1/keys', body)
        self.assertEqual(answer.status, 201, answer.body)
        return as_json(answer)

    def test_both_headers(self):
        self.assertEqual(server.get('/api/v1/keys', key=False).status, 401)
        self.assertEqual(server.get('/api/v1/keys', key=False, headers={'x-api-key': server.key}).status, 200)
        self.assertEqual(server.get('/api/v1/keys', key=False, headers={'Authorization': f'bearer  {server.key}'}).status, 200)
        refused = server.get('/api/v1/keys', key=False, headers={'Authorization': f'Basic {server.key}'})
        self.assertEqual((refused.status, refused.headers['WWW-Authenticate']), (401, 'Bearer realm="facegate"'))

    def test_scopes(self):
        allowed = {'verify': {('POST', '/api/v1/verify')}, 'enroll': {('GET', '/api/v1/members'), ('POST', '/api/v1/train'), ('GET', '/api/v1/jobs')},
                   'audit': {('GET', '/api/v1/audit'), ('GET', '/metrics')}}
        everything = set().union(*allowed.values()) | {('GET', '/api/v1/keys'), ('POST', '/api/v1/classifiers/1/activate')}
        for scope, mine in allowed.items():
            key = self.make(scope=scope, label=f'a {scope}')['key']
            for method, path in everything:
                status = server.request(method, path, key=key).status
                with self.subTest(scope=scope, path=path):
                    self.assertEqual(status == 403, (method, path) not in mine, status)
                    self.assertNotEqual(status, 401)
            self.assertEqual(as_json(server.get('/api/v1/session', key=key))['scopes'], [scope])

    def test_a_revoked_key_is_dead_and_so_are_its_sessions(self):
        made = self.make(scope='enroll', label='short')
        session = cookie_of(sign_in({'key': made['key']}))
        with_cookie = {'Cookie': f'{session.key}={session.value}'}
        self.assertEqual(server.get('/api/v1/members', key=False, headers=with_cookie).status, 200)
        self.assertEqual(server.get('/api/v1/keys', key=False, headers=with_cookie).status, 403)
        self.assertEqual(server.request('DELETE', f"/api/v1/keys/{made['id']}").status, 204)
        self.assertEqual(server.get('/api/v1/members', key=made['key']).status, 401)
        self.assertEqual(server.get('/api/v1/members', key=False, headers=with_cookie).status, 401)
        self.assertEqual(server.request('DELETE', '/api/v1/keys/0123456789abcdef').status, 404)

    def test_a_list_shows_no_secret(self):
        made = self.make(scope='verify', label='door')
        text = server.get('/api/v1/keys').body.decode()
        self.assertIn(made['id'], text)
        self.assertNotIn(made['key'].split('_', 2)[2], text)

    def test_keys_that_make_no_sense(self):
        for body in ({'scope': 'all'}, {'scope': 1}, {'expires_days': -1}, {'expires_days': 'x'}, {'label': 'a\nb'}, []):
            self.assertIn(server.post('/api/v1/keys', body).status, (400, 422), body)


class Sessions(unittest.TestCase):
    def test_the_link_works_once(self):
        token = server.link.split('#token=')[1]
        self.assertTrue(server.link.startswith(f'{server.url}/signin#'))
        first = sign_in({'token': token})
        self.assertEqual(first.status, 200)
        self.assertEqual(sign_in({'token': token}).status, 401)
        cookie = cookie_of(first)
        self.assertTrue(cookie['httponly'])
        self.assertEqual((cookie['samesite'], cookie['path']), ('Strict', '/'))
        sent = {'Cookie': f'other=1; {cookie.key}={cookie.value}', **HEADER}
        self.assertEqual(as_json(server.get('/api/v1/session', key=False, headers=sent))['scopes'], ['verify', 'enroll', 'audit', 'admin'])
        self.assertEqual(server.request('POST', '/signout', headers=sent, key=False).status, 204)
        self.assertEqual(server.get('/api/v1/session', key=False, headers=sent).status, 401)

    def test_a_new_session_ends_the_one_before(self):
        first = cookie_of(sign_in({'key': server.key}))
        planted = {'Cookie': f'{first.key}={first.value}'}
        second = cookie_of(sign_in({'key': server.key}, {**HEADER, **planted}))
        self.assertNotEqual(first.value, second.value)
        self.assertEqual(server.get('/api/v1/session', key=False, headers=planted).status, 401)
        self.assertEqual(server.get('/api/v1/session', key=False, headers={'Cookie': f'{second.key}={second.value}'}).status, 200)

    def test_only_the_session_of_a_door_goes_on(self):
        made = as_json(server.post('/api/v1/keys', {'scopes': ['verify'], 'label': 'door'}))
        cookie = cookie_of(sign_in({'key': made['key']}))
        sent = lambda c: {'Cookie': f'{c.key}={c.value}', **HEADER}
        again = sign_in({'renew': True}, sent(cookie))
        self.assertEqual((again.status, as_json(again)['scopes']), (200, ['verify']))
        new = cookie_of(again)
        self.assertEqual([server.get('/api/v1/session', key=False, headers=sent(c)).status for c in (cookie, new)], [401, 200])
        self.assertIsNotNone(next(k for k in as_json(server.get('/api/v1/keys'))['keys'] if k['id'] == made['id'])['used'])
        self.assertEqual(server.request('DELETE', f"/api/v1/keys/{made['id']}").status, 204)
        for headers in (HEADER, sent(new), sent(cookie), sent(cookie_of(sign_in({'key': server.key})))):
            self.assertEqual(sign_in({'renew': True}, headers).status, 401)
            server.get('/api/v1/session')  # a good key, so that this address is not locked out

    def test_the_audit_tells_whose_session_it_was(self):
        made = as_json(server.post('/api/v1/keys', {'scopes': ['admin'], 'label': 'Wilma'}))
        cookie = cookie_of(sign_in({'key': made['key']}))
        self.assertEqual(server.post('/api/v1/keys', {'label': 'by Wilma'}, key=False, headers={'Cookie': f'{cookie.key}={cookie.value}', **HEADER}).status, 201)
        rows = as_json(server.get('/api/v1/audit?limit=2'))['rows']
        self.assertEqual([(r['action'], r['actor']) for r in rows], [('key_create', f"web:{made['id']}"), ('sign_in', f"web:{made['id']}")])

    def test_another_site_can_change_nothing(self):
        cookie = cookie_of(sign_in({'key': server.key}))
        sent = {'Cookie': f'{cookie.key}={cookie.value}'}
        self.assertEqual(server.post('/api/v1/train', headers=sent, key=False).status, 403)
        self.assertEqual(server.post('/api/v1/train', headers={**sent, **HEADER, 'Origin': 'https://evil.example'}, key=False).status, 403)
        self.assertEqual(server.post('/api/v1/train', headers={**sent, **HEADER, 'Origin': 'null'}, key=False).status, 403)
        self.assertEqual(server.get('/api/v1/members', headers={**sent, 'Origin': 'https://evil.example'}, key=False).status, 403)
        self.assertEqual(server.post('/api/v1/train', headers={**sent, **HEADER, 'Origin': f'http://127.0.0.1:{server.port}'}, key=False).status, 202)
        self.assertEqual(sign_in({'key': server.key}, {}).status, 403)
        self.assertEqual(sign_in({'key': server.key}, {**HEADER, 'Origin': 'https://evil.example'}).status, 403)

    def test_a_made_up_cookie_is_nobody(self):
        for value in ('', 'x', 'A' * 43, 'A' * 4000):
            self.assertEqual(server.get('/api/v1/session', key=False, headers={'Cookie': f'facegate_{server.port}={value}'}).status, 401)

    def test_bodies_that_make_no_sense(self):
        for body in ({}, {'key': None}, {'key': ''}, {'token': 5}, {'key': 'fg_' + 'x' * 300}):
            self.assertEqual(sign_in(body).status, 401, body)
            sign_in({'key': server.key})  # a good one, so that this address is not locked out
        self.assertEqual(server.request('POST', '/signin', 'x' * 9000, headers={**HEADER, 'Content-Type': 'application/json'}, key=False).status, 413)


class Names(unittest.TestCase):
    def test_only_names_of_this_machine(self):
        for host, status in [('localhost', 200), ('LOCALHOST:99', 200), ('127.0.0.1:8080', 200), ('[::1]:80', 200), ('app.localhost', 200),
                             ('evil.example', 403), ('127.0.0.1.evil.example', 403), ('localhost.evil.example', 403), ('a b', 400), ('', 400), ('x:y', 400)]:
            with self.subTest(host=host):
                self.assertEqual(server.get('/healthz', headers={'Host': host}, key=False).status, status)

    def test_methods(self):
        answer = server.request('PUT', '/api/v1/members')
        self.assertEqual((answer.status, answer.headers['Allow']), (405, 'GET, HEAD, POST'))
        self.assertEqual(server.request('DELETE', '/team').headers['Allow'], 'GET, HEAD')
        self.assertEqual(server.request('PUT', '/signin').headers['Allow'], 'POST, GET, HEAD')
        self.assertEqual(server.request('HEAD', '/api/v1/members').status, 200)

    def test_what_is_not_there(self):
        for path in ('/api', '/api/v1', '/api/v1/', '/api/v1/members/', '/api/v1/nothing', '/x', '/.git/config'):
            answer = server.get(path)
            self.assertEqual((answer.status, as_json(answer)['status'], answer.headers['Content-Type']), (404, 404, 'application/problem+json'))

    def test_headers_of_every_answer(self):
        for path in ('/', '/api/v1/members', '/nothing'):
            headers = server.get(path).headers
            for name in ('Content-Security-Policy', 'X-Content-Type-Options', 'X-Frame-Options', 'Referrer-Policy', 'X-Request-Id'):
                self.assertIn(name, headers, path)


def lock_out(own, **headers):
    """Tries wrong keys until it is refused to try more, and tells what was said to each before."""
    statuses = []
    while len(statuses) < 20 and (status := own.get('/api/v1/members', key=f'fg_0123456789abcdef_{len(statuses):043d}', headers=headers).status) != 429:
        statuses.append(status)
    return statuses


class Guessing(unittest.TestCase):
    def test_wrong_keys_lock_out_for_a_while(self):
        own = Server()
        try:
            def locked():
                """What the right key hears after wrong ones; None where the first lock, a second, was over by then."""
                self.assertEqual(lock_out(own)[:10], [401] * 10)
                answer = own.get('/api/v1/members')
                return answer if answer.status == 429 else None
            answer = until(locked, server=own)
            self.assertGreater(int(answer.headers['Retry-After']), 0)
            self.assertEqual(own.get('/healthz', key=False).status, 200)
        finally:
            own.close()


class Proxy(unittest.TestCase):
    def source(self, own, **headers):
        own.get('/api/v1/audit', headers=headers)
        own.post('/api/v1/keys', {'scopes': ['verify']}, headers=headers)
        return as_json(own.get('/api/v1/audit?action=key_create&limit=1'))['rows'][0]['source']

    def test_only_a_trusted_proxy_is_believed(self):
        self.assertEqual(self.source(server, **{'X-Forwarded-For': '203.0.113.9'}), '127.0.0.1')
        own = Server('--trust-proxy')
        try:
            for header, source in (('203.0.113.9', '203.0.113.9'), ('10.0.0.1, 203.0.113.9', '203.0.113.9'), ('evil, 2001:db8::7', '2001:db8::7'),
                                   ('203.0.113.9, evil', '127.0.0.1'), ('', '127.0.0.1'), (',', '127.0.0.1'), ('x' * 5000, '127.0.0.1')):
                self.assertEqual(self.source(own, **{'X-Forwarded-For': header}), source, header)
            self.assertEqual(own.get('/healthz', headers={'Host': 'faces.example'}, key=False).status, 200)
            sent = {**HEADER, 'Host': 'faces.example', 'X-Forwarded-Proto': 'https'}
            first = own.request('POST', '/signin', {'key': own.key}, headers={**sent, 'Origin': 'https://faces.example'}, key=False)
            self.assertEqual(first.status, 200)
            self.assertTrue(cookie_of(first)['secure'])
            self.assertEqual(own.request('POST', '/signin', {'key': own.key}, headers={**sent, 'Origin': 'http://faces.example'}, key=False).status, 403)
            self.assertEqual(lock_out(own, **{'X-Forwarded-For': '198.51.100.1'})[:10], [401] * 10)
            self.assertEqual(own.get('/api/v1/members', headers={'X-Forwarded-For': '198.51.100.2'}).status, 200)  # the others are not locked out
            # Of IPv6 one has a whole network, and does not get away with another address of it.
            guess = lambda i: own.get('/api/v1/members', key='fg_0123456789abcdef_' + 'x' * 43, headers={'X-Forwarded-For': f'2001:db8:0:1::{i:x}'}).status
            self.assertEqual([guess(i) for i in range(1, 13)][-1], 429)
            self.assertEqual(own.get('/api/v1/members', headers={'X-Forwarded-For': '2001:db8:0:1:ffff::1'}).status, 429)
            self.assertEqual(own.get('/api/v1/members', headers={'X-Forwarded-For': '2001:db8:0:2::1'}).status, 200)
            mapped = [own.get('/api/v1/members', key='fg_0123456789abcdef_' + 'x' * 43, headers={'X-Forwarded-For': '::ffff:198.51.100.3'}).status for _ in range(12)]
            self.assertEqual(mapped[-1], 429)
            self.assertEqual(own.get('/api/v1/members', headers={'X-Forwarded-For': '::ffff:198.51.100.4'}).status, 200)
        finally:
            own.close()


class Cors(unittest.TestCase):
    def test_off_unless_it_is_asked_for(self):
        preflight = {'Origin': 'https://app.example', 'Access-Control-Request-Method': 'POST'}
        self.assertEqual(server.request('OPTIONS', '/api/v1/verify', headers=preflight, key=False).status, 403)
        self.assertIsNone(server.get('/api/v1/members', headers={'Origin': 'https://app.example'}).headers['Access-Control-Allow-Origin'])
        own = Server('--cors-origin', 'https://app.example', '--cors-origin', 'http://localhost:3000')
        try:
            answer = own.request('OPTIONS', '/api/v1/verify', headers=preflight, key=False)
            self.assertEqual((answer.status, answer.headers['Access-Control-Allow-Origin'], answer.headers['Vary']), (204, 'https://app.example', 'Origin'))
            self.assertIn('POST', answer.headers['Access-Control-Allow-Methods'])
            self.assertIn('X-Api-Key', answer.headers['Access-Control-Allow-Headers'])
            answer = own.get('/api/v1/members', headers={'Origin': 'http://localhost:3000'})
            self.assertEqual((answer.status, answer.headers['Access-Control-Allow-Origin']), (200, 'http://localhost:3000'))
            self.assertIsNone(answer.headers['Access-Control-Allow-Credentials'])
            refused = own.get('/api/v1/members', key='x', headers={'Origin': 'https://app.example'})
            self.assertEqual((refused.status, refused.headers['Access-Control-Allow-Origin']), (401, 'https://app.example'))
            for origin in ('https://evil.example', 'https://app.example.evil.example', 'null', 'http://app.example', 'https://app.example:444'):
                self.assertEqual(own.request('OPTIONS', '/api/v1/verify', headers={**preflight, 'Origin': origin}, key=False).status, 403, origin)
                self.assertIsNone(own.get('/api/v1/members', headers={'Origin': origin}).headers['Access-Control-Allow-Origin'], origin)
            # A cookie is not for other sites, be they listed or not.
            cookie = cookie_of(own.request('POST', '/signin', {'key': own.key}, headers=HEADER, key=False))
            sent = {'Cookie': f'{cookie.key}={cookie.value}', 'Origin': 'https://app.example', **HEADER}
            self.assertEqual(own.get('/api/v1/members', headers=sent, key=False).status, 403)
        finally:
            own.close()

    def test_origins_that_are_none(self):
        for origin in ('*', 'app.example', 'https://', 'https://app.example/', 'https://*.example', 'ftp://app.example'):
            with self.assertRaisesRegex(RuntimeError, '--cors-origin'):
                Server('--cors-origin', origin)


class Rates(unittest.TestCase):
    def test_a_key_and_a_session_may_ask_so_often(self):
        own = Server('--rate-limit', '2')
        try:
            with ThreadPoolExecutor(20) as pool:  # at once, however slow the machine
                answers = list(pool.map(lambda _: own.get('/api/v1/session'), range(60)))
            self.assertEqual({a.status for a in answers}, {200, 429})
            refused = next(a for a in answers if a.status == 429)
            self.assertGreater(int(refused.headers['Retry-After']), 0)
            self.assertEqual(as_json(refused)['code'], 'busy')
            self.assertEqual(own.get('/healthz', key=False).status, 200)
        finally:
            own.close()


class Repeats(unittest.TestCase):
    def test_a_key_is_made_once(self):
        made = [server.post('/api/v1/keys', {'label': 'once'}, headers={'Idempotency-Key': 'abc-1'}) for _ in range(3)]
        self.assertEqual(len({a.body for a in made}), 1)
        self.assertEqual([a.status for a in made], [201] * 3)
        self.assertEqual([a.headers['Idempotency-Replayed'] for a in made], [None, 'true', 'true'])
        self.assertEqual(sum(k['label'] == 'once' for k in as_json(server.get('/api/v1/keys'))['keys']), 1)
        other = server.post('/api/v1/keys', {'label': 'twice'}, headers={'Idempotency-Key': 'abc-1'})
        self.assertEqual((other.status, as_json(other)['code']), (422, 'bad_input'))
        elsewhere = server.post('/api/v1/train', headers={'Idempotency-Key': 'abc-1'})
        self.assertEqual(elsewhere.status, 422)
        mine = as_json(made[0])['key']
        admin = as_json(server.post('/api/v1/keys', {'scopes': ['admin']}))['key']
        theirs = server.post('/api/v1/keys', {'label': 'once'}, headers={'Idempotency-Key': 'abc-1'}, key=admin)
        self.assertEqual(theirs.status, 201)
        self.assertNotEqual(as_json(theirs)['key'], mine)  # another client's key is another key

    def test_a_failure_is_not_remembered(self):
        headers = {'Idempotency-Key': 'abc-2'}
        self.assertEqual(server.post('/api/v1/keys', {'scopes': ['root']}, headers=headers).status, 400)
        self.assertEqual(server.post('/api/v1/keys', {'scopes': ['verify']}, headers=headers).status, 201)

    def test_keys_that_are_none(self):
        for key in ('', ' ', 'x' * 80, 'a b', 'ü'):
            self.assertEqual(server.post('/api/v1/keys', {}, headers={'Idempotency-Key': key.encode('latin-1')}).status, 400, key)

    def test_training_is_ordered_once_and_other_forms_are_told_apart(self):
        jobs = {as_json(server.post('/api/v1/train', headers={'Idempotency-Key': 'abc-3'}))['job']['id'] for _ in range(3)}
        self.assertEqual(len(jobs), 1)
        form = lambda name, video=b'text': server.form('/api/v1/members', [('name', name), ('role', 'x'), ('video', 'v.mp4', video)], headers={'Idempotency-Key': 'abc-4'})
        self.assertEqual([form('A').status, form('A').status, form('B').status, form('A', b'tent').status], [202, 202, 422, 422])
        large = bytes(1 << 20)
        others = [large + b'a' + large, large + b'b' + large]  # that begin and end alike
        answers = [server.form('/api/v1/members', [('name', 'C'), ('role', 'x'), ('video', 'v.mp4', v)], headers={'Idempotency-Key': 'abc-5'}) for v in (*others, others[0])]
        self.assertEqual([a.status for a in answers], [202, 422, 202])
        self.assertEqual(answers[0].body, answers[2].body)


if __name__ == '__main__':
    main()
