#!/usr/bin/env python3
"""Who may do what, and what a page of another site cannot."""
import http.cookies
import unittest

from client import Server, as_json, main

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
        self.assertNotIn(made['key'].split('_')[2], text)

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


class Guessing(unittest.TestCase):
    def test_wrong_keys_lock_out_for_a_while(self):
        own = Server()
        try:
            statuses = [own.get('/api/v1/members', key=f'fg_0123456789abcdef_{i:043d}').status for i in range(14)]
            self.assertEqual(statuses[:9], [401] * 9)
            self.assertEqual(statuses[-1], 429)
            answer = own.get('/api/v1/members')
            self.assertEqual(answer.status, 429)
            self.assertGreater(int(answer.headers['Retry-After']), 0)
            self.assertEqual(own.get('/healthz', key=False).status, 200)
        finally:
            own.close()


if __name__ == '__main__':
    main()
