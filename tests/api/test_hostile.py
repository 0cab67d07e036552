#!/usr/bin/env python3
"""Clients that are slow, rude or hostile, and a server that is killed."""
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from client import PROGRAM, SANITIZED, SLOW, Server, as_json, main, multipart, render, until


def setUpModule():
    global server, slow
    server = Server()
    slow = {name: Slow(*how) for name, how in {
        'headers': (b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', b'a'),
        'body': (head('POST', '/api/v1/verify', 'Content-Length: 100000'), b'x'),
        'form': (head('POST', '/api/v1/members', 'Content-Length: 100000', 'Content-Type: multipart/form-data; boundary=bbbb') + b'--bbbb\r\n', b'x'),
        'steady': (head('POST', '/api/v1/verify', f'Content-Length: {60 * 20000}', 'Connection: close'), b'x' * 20000, 60),
    }.items()}
    slow['reader'] = SlowReader()


def tearDownModule():
    server.close()


def head(method, path, *lines):
    return '\r\n'.join([f'{method} {path} HTTP/1.1', 'Host: localhost', f'Authorization: Bearer {server.key}', *lines, '', '']).encode()


def status(data):
    return int(data.split(b' ', 2)[1]) if data.startswith(b'HTTP/1.1 ') else 0


class Slow(threading.Thread):
    """A client that says what it has to say a little at a time; it waits while the other tests run."""

    def __init__(self, first, piece, pieces=1000):
        super().__init__(daemon=True)
        self.first, self.piece, self.pieces, self.answer, self.seconds = first, piece, pieces, b'', None
        self.start()

    def run(self):
        started = time.monotonic()
        with socket.create_connection((server.host, server.port), timeout=.4) as s:
            try:
                s.sendall(self.first)
                while True:
                    if self.pieces > 0:
                        s.sendall(self.piece)
                        self.pieces -= 1
                    try:
                        data = s.recv(4096)
                    except socket.timeout:
                        continue
                    self.answer += data
                    if not data:
                        break
            except ConnectionError:
                pass
        self.seconds = time.monotonic() - started


class SlowReader(threading.Thread):
    """A client that asks for a lot and takes a kilobyte a second of it; more than the system's own buffers hold."""

    def __init__(self):
        super().__init__(daemon=True)
        self.cut_after = None
        self.start()

    def run(self):
        own = Server()
        try:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                s.connect((own.host, own.port))
                started = time.monotonic()
                threading.Thread(target=self.ask, args=(s,), daemon=True).start()
                while time.monotonic() - started < 200 * SLOW:
                    s.recv(1000)
                    time.sleep(1)
                    connections = int(re.search(r'^facegate_connections (\d+)', own.get('/metrics').body.decode(), re.M)[1])
                    if connections == 1:  # the one that asks for it
                        self.cut_after = time.monotonic() - started
                        break
        finally:
            own.close()

    @staticmethod
    def ask(s):
        try:
            s.sendall(b'GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n' * 200)
        except OSError:
            pass


class Trickle(unittest.TestCase):
    """By their names the last: what was begun with the first test is over by now, or soon."""

    def test_whoever_takes_for_ever_to_ask_is_cut(self):
        for name in ('headers', 'body', 'form'):
            slow[name].join(120 * SLOW)
            self.assertFalse(slow[name].is_alive(), name)
            self.assertEqual(slow[name].answer, b'', name)
            self.assertGreater(slow[name].seconds, 15, name)

    def test_whoever_is_slow_but_steady_is_answered(self):
        slow['steady'].join(300 * SLOW)
        self.assertEqual(status(slow['steady'].answer) // 100, 4)
        self.assertGreater(slow['steady'].seconds, 20)

    def test_whoever_takes_for_ever_to_listen_is_cut(self):
        slow['reader'].join(300 * SLOW)
        self.assertIsNotNone(slow['reader'].cut_after)
        self.assertGreater(slow['reader'].cut_after, 20)


class Malformed(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(server.get('/healthz', key=False).status, 200)

    def test_lines_and_headers(self):
        for data in (b'\0\0\0\0\r\n\r\n', b'GET\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n', b'\x16\x03\x01\x02\x00\x01', b'GET / HTTP/1.1\r\nHost\r\n\r\n',
                     b'GET ' + b'/' * 100000 + b' HTTP/1.1\r\nHost: x\r\n\r\n', b'GET / HTTP/1.1\r\nHost: localhost\r\nX: ' + b'a' * 200000 + b'\r\n\r\n',
                     b'GET / HTTP/1.1\r\n' + b''.join(b'X-%d: y\r\n' % i for i in range(5000)) + b'\r\n'):
            with self.subTest(data=data[:40]):
                self.assertIn(status(server.raw(data, ends=True)) // 100, (0, 4, 5))

    def test_paths_that_climb(self):
        for path in ('/../../etc/passwd', '/js/%2e%2e/%2e%2e/etc/passwd', '/%00', '//etc/passwd', '/js\\..\\main.js', '/api/v1/members/../keys'):
            data = server.raw(head('GET', path, 'Connection: close'))
            self.assertIn(status(data), (400, 404), path)
            self.assertNotIn(b'root:', data)

    def test_wrong_lengths(self):
        for lines in (['Content-Length: -1'], ['Content-Length: x'], ['Content-Length: 99999999999999999999999'], ['Content-Length: 5', 'Content-Length: 6'],
                      ['Transfer-Encoding: chunked', 'Content-Length: 5']):
            data = server.raw(head('POST', '/api/v1/verify', *lines, 'Connection: close') + b'zz\r\nhello\r\n0\r\n\r\n', ends=True)
            self.assertIn(status(data) // 100, (0, 4), lines)

    def test_a_body_that_is_said_to_be_too_large_is_refused_at_once(self):
        # Not one byte of it is sent, so that only a server that neither reads nor waits for it ends this.
        data = server.raw(head('POST', '/api/v1/members', 'Content-Type: multipart/form-data; boundary=x', f'Content-Length: {600 << 20}', 'Expect: 100-continue'))
        self.assertEqual(status(data), 413)
        self.assertIn(b'500 MB', data)

    def test_a_chunked_body_that_grows_too_large(self):
        own = Server('--max-upload-mb', '1')
        try:
            connection = http.client.HTTPConnection(own.host, own.port, timeout=120 * SLOW)
            prefix = b'--bbbb\r\nContent-Disposition: form-data; name="video"; filename="v.mp4"\r\n\r\n'
            connection.request('POST', '/api/v1/members', iter([prefix] + [b'x' * 65536] * 40), {'Content-Type': 'multipart/form-data; boundary=bbbb', 'Authorization': f'Bearer {own.key}'})
            self.assertEqual(connection.getresponse().status, 413)
            connection.close()
            own.cleans_up()
        finally:
            own.close()

    def test_forms_that_break_off(self):
        whole, kind = multipart([('name', 'X'), ('role', 'x'), ('video', 'v.mp4', b'y' * 1000)])
        for body in (whole[:-10], whole[:200], b'', b'--', b'no boundary at all', whole.replace(b'name="', b'n="')):
            answer = server.post('/api/v1/members', body, headers={'Content-Type': kind})
            self.assertEqual(answer.status, 422, (body[-40:], answer.body))
        for kind in ('multipart/form-data', 'multipart/form-data; boundary=', 'application/x-www-form-urlencoded', 'text/plain'):
            self.assertIn(server.post('/api/v1/members', whole, headers={'Content-Type': kind}).status, (415, 422), kind)
        server.cleans_up()

    def test_json_that_is_deep_or_odd(self):
        for body in (b'[' * 30000, b'{"name":' * 5000, b'{"name":"\xff"}', b'{"name":"\\u0000"}', b'{"name":"a","name":"b"}', b'\0', b'""', b'nul'):
            answer = server.request('PATCH', '/api/v1/members/1', body, headers={'Content-Type': 'application/json'})
            self.assertIn(answer.status, (404, 422), body[:20])
            answer = server.post('/api/v1/keys', body, headers={'Content-Type': 'application/json'})
            self.assertEqual(answer.status, 422, body[:20])


class Clients(unittest.TestCase):
    def test_many_small_requests_on_one_connection(self):
        connection = http.client.HTTPConnection(server.host, server.port, timeout=120 * SLOW)
        for i in range(1000 if SANITIZED else 10000):
            connection.request('GET', '/healthz')
            self.assertEqual(connection.getresponse().read(), b'ok\n')
        connection.close()

    def test_more_connections_than_there_is_room_for(self):
        waiting = []
        try:
            for _ in range(300):
                waiting.append(socket.create_connection((server.host, server.port), timeout=5))  # beyond the backlog there is no answer
        except OSError:
            pass
        finally:
            for s in waiting:
                s.close()

        def answers():
            try:
                return server.get('/healthz', key=False).status == 200
            except OSError:
                return False
        until(answers, server=server)

    def test_an_upload_that_is_cut_off_leaves_nothing(self):
        with socket.create_connection((server.host, server.port)) as s:
            s.sendall(head('POST', '/api/v1/members', 'Content-Type: multipart/form-data; boundary=bbbb', 'Content-Length: 10000000'))
            s.sendall(b'--bbbb\r\nContent-Disposition: form-data; name="video"; filename="v.mp4"\r\n\r\n' + b'x' * 300000)
            until(server.leftovers, server=server)
            self.assertEqual([oct(p.stat().st_mode & 0o777) for p in server.leftovers()], ['0o600'])
        server.cleans_up()

    def test_a_client_that_says_nothing_does_not_stop_the_others(self):
        silent = [socket.create_connection((server.host, server.port)) for _ in range(20)]
        for s in silent:
            s.sendall(b'GET / HTTP/1.1\r\nHost: lo')
        self.assertEqual(server.get('/healthz', key=False).status, 200)
        for s in silent:
            s.close()

    def test_an_event_stream_that_is_left_alone(self):
        job = as_json(server.post('/api/v1/train'))['job']['id']
        for _ in range(5):
            with socket.create_connection((server.host, server.port)) as s:
                s.sendall(head('GET', f'/api/v1/jobs/{job}/events'))
                self.assertTrue(s.recv(100).startswith(b'HTTP/1.1 200'))
        self.assertEqual(server.get('/healthz', key=False).status, 200)


class Memory(unittest.TestCase):
    def test_an_upload_goes_to_disk_not_to_memory(self):
        if SANITIZED:
            self.skipTest('the sanitizers have a memory of their own')
        megabytes = int(os.environ.get('FACEGATE_TEST_UPLOAD_MB', '500'))
        own = Server()
        try:
            own.get('/api/v1/members')
            before, most, sent = own.resident_kib(), 0, 0
            prefix = b''.join(f'--bbbb\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in (('name', 'Big'), ('role', 'x')))
            prefix += b'--bbbb\r\nContent-Disposition: form-data; name="video"; filename="big.mp4"\r\n\r\n'
            suffix, chunk = b'\r\n--bbbb--\r\n', b'\0' * (1 << 20)
            size = (megabytes << 20) - 4096
            with socket.create_connection((own.host, own.port), timeout=300) as s:
                s.sendall(f'POST /api/v1/members HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {own.key}\r\n'
                          f'Content-Type: multipart/form-data; boundary=bbbb\r\nContent-Length: {len(prefix) + size + len(suffix)}\r\n\r\n'.encode() + prefix)
                while sent < size:
                    n = min(len(chunk), size - sent)
                    s.sendall(chunk[:n])
                    sent += n
                    if sent % (16 << 20) < (1 << 20):
                        most = max(most, own.resident_kib())
                s.sendall(suffix)
                answer = s.recv(4096)
            most = max(most, own.resident_kib())
            self.assertEqual(status(answer), 202, answer)
            print(f'{megabytes} MB uploaded; resident memory {before / 1024:.1f} MB before, {most / 1024:.1f} MB at most')
            self.assertLess(most - before, 20 * 1024)
        finally:
            own.close()


class Ends(unittest.TestCase):
    def test_a_killed_server_leaves_nothing_behind_for_long(self):
        own = Server()
        with socket.create_connection((own.host, own.port)) as s:
            s.sendall(f'POST /api/v1/members HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {own.key}\r\nContent-Type: multipart/form-data; boundary=bbbb\r\n'
                      'Content-Length: 10000000\r\n\r\n--bbbb\r\nContent-Disposition: form-data; name="video"; filename="v.mp4"\r\n\r\n'.encode() + b'x' * 300000)
            until(own.leftovers, server=own)
            self.assertEqual(len(own.leftovers()), 1)
            own.kill()
        self.assertEqual(len(own.leftovers()), 1)
        again = Server(data=own.data)
        try:
            self.assertEqual(again.leftovers(), [])
            self.assertEqual(as_json(again.get('/api/v1/members', key=own.key)), {'members': []})
        finally:
            again.own = True
            again.close()

    def test_a_server_beside_another_keeps_its_hands_off_its_uploads(self):
        own = Server()
        with socket.create_connection((own.host, own.port)) as s:
            s.sendall(f'POST /api/v1/members HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {own.key}\r\nContent-Type: multipart/form-data; boundary=bbbb\r\n'
                      'Content-Length: 10000000\r\n\r\n--bbbb\r\nContent-Disposition: form-data; name="video"; filename="v.mp4"\r\n\r\n'.encode() + b'x' * 300000)
            until(own.leftovers, server=own)
            second = Server(data=own.data)
            self.assertEqual(len(own.leftovers()), 1)
            second.close()
        own.close()

    def test_stopping_is_quick_and_clean(self):
        own = Server()
        idle = socket.create_connection((own.host, own.port))
        job = as_json(own.post('/api/v1/train'))['job']['id']
        stream = socket.create_connection((own.host, own.port))
        stream.sendall(f'GET /api/v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\nx-api-key: {own.key}\r\n\r\n'.encode())
        stream.recv(100)
        started = time.monotonic()
        self.assertEqual(own.stop(), 0)
        self.assertLess(time.monotonic() - started, 25)  # the idle connection alone would have been kept for 30 s
        self.assertEqual(list(own.data.glob('tmp/*')), [])
        for s in (idle, stream):
            s.close()
        own.close()

    def run_serve(self, *flags):
        data = tempfile.mkdtemp()
        done = subprocess.run([PROGRAM, '--data', data, 'serve', *flags], capture_output=True, text=True, timeout=300)
        shutil.rmtree(data)
        return done

    def test_addresses_that_cannot_be(self):
        for listen, code, word in [(f'127.0.0.1:{server.port}', 1, 'another port'), ('127.0.0.1:99999', 2, '--listen'), ('192.0.2.1:0', 2, 'not an address'),
                                   ('no.such.host.invalid:0', 2, '--listen'), ('[::1', 2, '--listen'), ('', 2, '--listen')]:
            done = self.run_serve('--listen', listen)
            with self.subTest(listen=listen):
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(word, done.stderr)
                self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)


class FullDisk(unittest.TestCase):
    """The data folder on a small disk of its own, in a namespace that goes with the server."""

    def setUp(self):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix='facegate-full-'))
        self.addCleanup(shutil.rmtree, self.data)
        self.unshare = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
        mount = f'mount -t tmpfs -o size=40m,mode=700 tmpfs {self.data}'
        if subprocess.run([*self.unshare, 'sh', '-c', mount], capture_output=True).returncode != 0:
            self.skipTest('no disk can be mounted here')
        self.wrapper = [*self.unshare, 'sh', '-c', f'{mount} && exec "$@"', 'sh']

    def test_nothing_is_granted_and_nothing_is_lost(self):
        media = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, media)
        photo = render('photo', 'ada.jpg', media / 'ada.jpg', 1).read_bytes()
        own = Server(data=self.data, wrapper=self.wrapper)
        try:
            inside = pathlib.Path(f'/proc/{own.process.pid}/root{self.data}')
            self.assertEqual(own.enroll('Ada', render('video', 'ada.jpg', media / 'ada.mp4', 0))['state'], 'done')
            self.assertEqual(own.train()['state'], 'done')
            self.assertEqual(as_json(own.post('/api/v1/verify', photo))['decision'], 'granted')
            members = own.get('/api/v1/members').body
            # One that does not fit is refused, and leaves nothing.
            big = own.form('/api/v1/members', [('name', 'Big'), ('role', 'x'), ('video', 'big.mp4', bytes(60 << 20))])
            self.assertEqual((big.status, as_json(big)['code']), (507, 'no_space'))
            self.assertNotIn(str(self.data), big.body.decode())
            tus = {'Tus-Resumable': '1.0.0', 'Upload-Length': str(100 << 20)}
            self.assertEqual(own.post('/api/v1/uploads', headers=tus).status, 507)
            # Two that would fit one by one: room is kept for what the first has announced. 16 MB stay free for the store.
            half = {**tus, 'Upload-Length': str((shutil.disk_usage(inside).free - (16 << 20)) * 2 // 3)}
            first = own.post('/api/v1/uploads', headers=half)
            self.assertEqual([first.status, own.post('/api/v1/uploads', headers=half).status], [201, 507])
            self.assertEqual(own.request('DELETE', first.headers['Location'], headers=tus).status, 204)
            self.assertEqual(own.post('/api/v1/uploads', headers=half).status, 201)
            self.assertEqual([p for p in inside.glob('tmp/spool-*/*') if p.name != 'lock'], [])
            filler = inside / 'filler'
            with open(filler, 'wb', buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(4096))
                except OSError:
                    pass
            # What cannot be recorded is not granted; what need not be written goes on.
            for _ in range(3):
                answer = own.post('/api/v1/verify', photo)
                self.assertEqual((answer.status, as_json(answer)['code']), (507, 'no_space'), answer.body)
                self.assertNotIn('granted', answer.body.decode())
                self.assertNotIn(str(self.data), answer.body.decode())
            for answer in (own.post('/api/v1/keys', {}), own.post('/api/v1/train'), own.request('PATCH', '/api/v1/settings', {'every': 9}),
                           own.form('/api/v1/members', [('name', 'Late'), ('role', 'x'), ('video', 'v.mp4', bytes(100000))])):
                self.assertEqual(answer.status, 507, answer.body)
            self.assertEqual(own.get('/healthz', key=False).status, 200)
            self.assertEqual(own.get('/readyz', key=False).status, 200)
            seen = lambda body: [{k: v for k, v in m.items() if k != 'last_seen'} for m in json.loads(body)['members']]
            self.assertEqual(seen(own.get('/api/v1/members').body), seen(members))
            filler.unlink()
            self.assertEqual(as_json(own.post('/api/v1/verify', photo))['decision'], 'granted')
            self.assertEqual(as_json(own.get('/api/v1/settings'))['every'], 5)
            self.assertEqual(own.post('/api/v1/keys', {}).status, 201)
        finally:
            own.close()


class Small(unittest.TestCase):
    def test_ten_thousand_from_many_clients(self):
        """Short requests of all kinds, from 64 clients at once: each is answered, and memory does not grow with them."""
        from concurrent.futures import ThreadPoolExecutor
        own = Server('--rate-limit', '1000000')
        kinds = [('GET', '/healthz', {}), ('GET', '/api/v1/members', {}), ('GET', '/nothing', {}), ('PUT', '/api/v1/members', {}), ('POST', '/api/v1/verify', {}),
                 ('POST', '/api/v1/keys', {'Content-Type': 'text/plain'}), ('GET', '/api/v1/jobs/0123456789abcdef', {}), ('GET', '/', {})]
        wanted = [200, 200, 404, 405, 422, 415, 404, 200]
        count = 1000 if SANITIZED else 10000

        def client(n):
            connection, wrong = http.client.HTTPConnection(own.host, own.port, timeout=120 * SLOW), 0
            for i in range(n, count, 64):
                method, path, headers = kinds[i % len(kinds)]
                connection.request(method, path, headers={'x-api-key': own.key, **headers})
                response = connection.getresponse()
                response.read()
                wrong += response.status != wanted[i % len(kinds)]
            connection.close()
            return wrong

        try:
            client(count - 64)  # what is made once is made
            before = own.resident_kib()
            with ThreadPoolExecutor(64) as pool:
                self.assertEqual(sum(pool.map(client, range(64))), 0)
            if not SANITIZED:
                self.assertLess(own.resident_kib() - before, 32 * 1024)
        finally:
            own.close()


class Tls(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        for name in ('a', 'b'):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', self.folder / f'{name}.key', '-out', self.folder / f'{name}.pem',
                            '-days', '2', '-subj', '/CN=localhost'], check=True, capture_output=True)

    def tearDown(self):
        shutil.rmtree(self.folder)

    def test_https(self):
        own = Server('--tls-cert', self.folder / 'a.pem', '--tls-key', self.folder / 'a.key')
        try:
            self.assertTrue(own.url.startswith('https://'))
            context = ssl.create_default_context(cafile=self.folder / 'a.pem')
            context.check_hostname = False
            connection = http.client.HTTPSConnection(own.host, own.port, context=context, timeout=120 * SLOW)
            connection.request('POST', '/signin', f'{{"key": "{own.key}"}}', {'X-Facegate': 'web', 'Content-Type': 'application/json', 'Host': 'localhost'})
            response = connection.getresponse()
            response.read()
            self.assertEqual(response.status, 200)
            self.assertIn('Secure', response.headers['Set-Cookie'])
            self.assertTrue(response.headers['Set-Cookie'].startswith('__Host-'))
            connection.close()
            self.assertEqual(status(own.raw(b'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', ends=True)), 0)
        finally:
            own.close()

    def test_listening_elsewhere_without_it_is_told_loudly(self):
        tls = ('--tls-cert', self.folder / 'a.pem', '--tls-key', self.folder / 'a.key')
        for flags, told in ((('--listen', '0.0.0.0:0'), True), (('--listen', '[::]:0'), True), (('--listen', '0.0.0.0:0', *tls), False), (('--listen', '127.0.0.1:0'), False)):
            own = Server(*flags)
            try:
                self.assertEqual('warning: listening on' in own.said() and 'without TLS: keys and faces cross the network in the clear' in own.said(), told, flags)
            finally:
                own.close()

    def test_pairs_that_do_not_match(self):
        for flags, word in [(('--tls-cert', 'a.pem'), '--tls-key'), (('--tls-cert', 'a.pem', '--tls-key', 'b.key'), 'match'), (('--tls-cert', 'none.pem', '--tls-key', 'a.key'), 'none.pem')]:
            flags = [self.folder / f if '.' in f else f for f in flags]
            done = Ends.run_serve(self, '--port', '0', *flags)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stderr)


if __name__ == '__main__':
    main()
