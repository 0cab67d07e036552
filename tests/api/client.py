"""A server to test, and a client of it over real sockets; only Python's standard library.

Environment: FACEGATE, the program; FACEGATE_SOURCE, the folder with the fixtures. The models are those that the
program finds by itself, or by FACEGATE_MODEL_PATH.
"""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

PROGRAM = os.environ['FACEGATE']
SOURCE = pathlib.Path(os.environ['FACEGATE_SOURCE'])
PEOPLE = SOURCE / 'tests/fixtures/people'
RENDER = SOURCE / 'tests/support/render.sh'
SANITIZED = 'asan' in os.environ.get('FACEGATE_BUILD', '') or bool(os.environ.get('ASAN_OPTIONS'))
SLOW = 8 if SANITIZED else 1

Answer = collections.namedtuple('Answer', 'status headers body')


def as_json(answer):
    return json.loads(answer.body)


def until(what, told=lambda: 'it does not come to that', seconds=120, server=None):
    """Waits until what() is true, and returns it. The limit is there for what hangs: no busy machine should reach it."""
    end = time.monotonic() + seconds * SLOW
    while not (result := what()):
        if server and server.process.poll() is not None:
            raise AssertionError(f'facegate serve has ended: {server.said()[-2000:]}')
        if time.monotonic() > end:
            raise AssertionError(told())
        time.sleep(.05)
    return result


def render(kind, portrait, out, variant=0, seconds=2):
    subprocess.run([RENDER, kind, PEOPLE / portrait, out, str(variant)], check=True, env={**os.environ, 'RENDER_SECONDS': str(seconds)})
    return out


def copies(video, count):
    """The video that many times, each further one with an end of its own: the same file twice is refused."""
    return [video + (struct.pack('>I4sI', 12, b'free', n) if n else b'') for n in range(count)]


def multipart(fields):
    """fields: (name, text) or (name, filename, bytes). Returns the body and its Content-Type."""
    boundary = '----facegate-test-boundary'
    out = bytearray()
    for name, *rest in fields:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if len(rest) == 2:
            out += f'; filename="{rest[0]}"\r\nContent-Type: application/octet-stream'.encode()
        value = rest[-1]
        out += b'\r\n\r\n' + (value if isinstance(value, bytes) else str(value).encode()) + b'\r\n'
    return bytes(out + f'--{boundary}--\r\n'.encode()), f'multipart/form-data; boundary={boundary}'


class Server:
    """facegate serve on a free port, in a data folder of its own."""

    def __init__(self, *flags, data=None, env=None, wrapper=()):
        self.own = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix='facegate-api-'))
        self.log = open(self.data.parent / f'{self.data.name}.log', 'a+')
        self.process = subprocess.Popen([*wrapper, PROGRAM, '--data', self.data, '--json', 'serve', '--port', '0', *flags], stdout=subprocess.PIPE,
                                        stderr=self.log, env={**os.environ, **(env or {})})
        line = self.process.stdout.readline()
        ready = json.loads(line) if line else {}
        if 'url' not in ready:
            self.process.wait()
            self.process.stdout.close()
            said = self.said().strip()
            self.log.close()
            raise RuntimeError(f'facegate serve does not start: {said}')
        self.url, self.key, self.link = ready['url'], ready['admin_key'], ready['sign_in']
        self.host, self.port = '127.0.0.1', urllib.parse.urlsplit(self.url).port

    def request(self, method, path, body=None, headers=None, key=True):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120 * SLOW)
        send = dict(headers or {})
        if key:
            send.setdefault('Authorization', f'Bearer {self.key if key is True else key}')
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            send.setdefault('Content-Type', 'application/json')
        try:
            connection.request(method, path, body, send)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request('GET', path, **more)

    def post(self, path, body=None, **more):
        return self.request('POST', path, body, **more)

    def form(self, path, fields, **more):
        body, kind = multipart(fields)
        headers = {'Content-Type': kind, **more.pop('headers', {})}
        return self.request('POST', path, body, headers=headers, **more)

    def raw(self, data, ends=False):
        """Sends bytes as they are, and says with `ends` that no more will come; returns what comes back until the server
        closes, which it has to do by itself."""
        with socket.create_connection((self.host, self.port), timeout=120 * SLOW) as s:
            out = b''
            try:
                s.sendall(data)
                if ends:
                    with contextlib.suppress(OSError):  # the server may have closed already: what it said is still to be read
                        s.shutdown(socket.SHUT_WR)
                while chunk := s.recv(65536):
                    out += chunk
            except ConnectionError:
                pass
            return out

    def job(self, job_id, what=lambda d: d['state'] in ('done', 'failed', 'cancelled'), **more):
        """The job once it has ended, or once what(document) is true."""
        document = None

        def there():
            nonlocal document
            document = as_json(self.get(f'/api/v1/jobs/{job_id}', **more))
            return what(document)
        until(there, lambda: f'job {job_id} does not come to that: {document}', 300, self)
        return document

    def enroll(self, name, video, role='engineer', rights=(), **fields):
        answer = self.form('/api/v1/members', [('name', name), ('role', role), *(('right', r) for r in rights), *fields.items(),
                                               ('video', os.path.basename(video), open(video, 'rb').read())])
        assert answer.status == 202, answer
        return self.job(as_json(answer)['job']['id'])

    def train(self):
        return self.job(as_json(self.post('/api/v1/train'))['job']['id'])

    def resident_kib(self, which='VmRSS'):
        for line in open(f'/proc/{self.process.pid}/status'):
            if line.startswith(which):
                return int(line.split()[1])

    def peak_kib(self):
        return self.resident_kib('VmHWM')

    def leftovers(self):
        """Files of uploads that are there now."""
        return [p for p in self.data.glob('tmp/spool-*/*') if p.name != 'lock']

    def cleans_up(self):
        """Waits until no upload's file is left: the server answers first, and removes it then."""
        until(lambda: not self.leftovers(), told=lambda: f'uploads stay: {self.leftovers()}', server=self)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Ends it as an administrator would; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=120 * SLOW)
        finally:
            self.process.kill()
        self.process.stdout.close()
        return status

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def close(self):
        status = self.stop()
        text = self.said()
        self.log.close()
        pathlib.Path(self.log.name).unlink(missing_ok=True)  # two servers of one folder share it
        if self.own:
            shutil.rmtree(self.data)
        if status != 0:
            raise AssertionError(f'facegate serve ended with {status}: {text[-4000:]}')


class Result(unittest.TextTestResult):
    """cmocka's words, so that one reader counts both."""

    def startTest(self, test):
        super().startTest(test)
        print(f'[ RUN      ] {test.id()}', flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        print(f'[       OK ] {test.id()}', flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f'[  SKIPPED ] {test.id()}\n{reason}', flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(f'[  FAILED  ] {test.id()}', flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print(f'[  FAILED  ] {test.id()}', flush=True)


def main():
    sys.exit(not unittest.main('__main__', exit=False, testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=0)).result.wasSuccessful())
