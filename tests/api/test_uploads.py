#!/usr/bin/env python3
"""Resumable uploads (tus 1.0.0), byte by byte, and what becomes of them."""
import base64
import ctypes
import email.utils
import hashlib
import os
import pathlib
import shutil
import socket
import sys
import tempfile
import time
import unittest

from client import Server, as_json, main, render, until

TUS = {'Tus-Resumable': '1.0.0'}
KIND = {'Content-Type': 'application/offset+octet-stream'}


def setUpModule():
    global media, server
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    for name in ('ada', 'bruno'):
        render('photo', f'{name}.jpg', media / f'{name}.jpg', 1)
    server = Server('--max-upload-mb', '4')


def tearDownModule():
    server.close()
    shutil.rmtree(media)


def b64(data):
    return base64.b64encode(data).decode()


def create(length, name='clip.mp4', on=None, **headers):
    on = on or server
    answer = on.post('/api/v1/uploads', headers={**TUS, 'Upload-Length': str(length), 'Upload-Metadata': f'filename {b64(name.encode())},filetype {b64(b"video/mp4")}', **headers})
    assert answer.status == 201, answer
    return answer.headers['Location']


def append(path, offset, data, on=None, **headers):
    return (on or server).request('PATCH', path, data, headers={**TUS, **KIND, 'Upload-Offset': str(offset), **headers})


def offset_of(path, on=None, key=True):
    answer = (on or server).request('HEAD', path, headers=TUS, key=key)
    assert answer.status == 200, answer
    return int(answer.headers['Upload-Offset'])


class Protocol(unittest.TestCase):
    def test_what_the_server_can(self):
        answer = server.request('OPTIONS', '/api/v1/uploads', key=False)
        self.assertEqual(answer.status, 204)
        self.assertEqual((answer.headers['Tus-Version'], answer.headers['Tus-Max-Size']), ('1.0.0', str(4 << 20)))
        self.assertEqual(set(answer.headers['Tus-Extension'].split(',')), {'creation', 'termination', 'expiration', 'checksum'})
        self.assertIn('sha1', answer.headers['Tus-Checksum-Algorithm'].split(','))

    def test_in_two_parts(self):
        path = create(10)
        self.assertRegex(path, r'^/api/v1/uploads/[0-9a-f]{24}$')
        first = append(path, 0, b'hello')
        self.assertEqual((first.status, first.headers['Upload-Offset'], first.headers['Tus-Resumable']), (204, '5', '1.0.0'))
        when = email.utils.parsedate_to_datetime(first.headers['Upload-Expires']).timestamp()
        self.assertTrue(23 * 3600 < when - time.time() < 25 * 3600)
        head = server.request('HEAD', path, headers=TUS)
        self.assertEqual((head.headers['Upload-Offset'], head.headers['Upload-Length'], head.headers['Cache-Control']), ('5', '10', 'no-store'))
        self.assertEqual(append(path, 5, b'world').headers['Upload-Offset'], '10')
        whole = as_json(server.get(path))
        self.assertEqual((whole['name'], whole['length'], whole['offset'], whole['complete']), ('clip.mp4', 10, 10, True))
        self.assertEqual((server.data / 'uploads' / f"{whole['id']}.bin").read_bytes(), b'helloworld')
        self.assertEqual(oct((server.data / 'uploads' / f"{whole['id']}.bin").stat().st_mode & 0o777), '0o600')

    def test_offsets_that_are_not_the_end(self):
        path = create(10)
        append(path, 0, b'hello')
        for offset in ('0', '4', '6', '10'):
            self.assertEqual(append(path, offset, b'x').status, 409, offset)
        for offset in ('', '-1', 'x', '5x', '99999999999999999999'):
            self.assertEqual(append(path, offset, b'x').status, 400, offset)
        self.assertEqual(append(path, 5, b'sixsix').status, 413)
        self.assertEqual(offset_of(path), 5)
        self.assertEqual(server.request('PATCH', path, b'x', headers={**TUS, 'Upload-Offset': '5', 'Content-Type': 'application/octet-stream'}).status, 415)
        for version in ({}, {'Tus-Resumable': '0.2.2'}):
            self.assertEqual(server.request('PATCH', path, b'x', headers={**KIND, **version, 'Upload-Offset': '5'}).status, 412)
            self.assertEqual(server.post('/api/v1/uploads', headers={**version, 'Upload-Length': '5'}).status, 412)
            self.assertEqual(server.request('DELETE', path, headers=version).status, 412)
        self.assertEqual(offset_of(path), 5)

    def test_a_chunked_body_cannot_grow_beyond_the_length(self):
        path = create(10)
        answer = server.request('PATCH', path, iter([b'12345678', b'9' * 100]), headers={**TUS, **KIND, 'Upload-Offset': '0'})
        self.assertEqual(answer.status, 413)
        self.assertLessEqual(offset_of(path), 10)

    def test_lengths_and_names(self):
        for length in ('', '-1', 'x', '1e3', '9' * 16):
            self.assertEqual(server.post('/api/v1/uploads', headers={**TUS, 'Upload-Length': length}).status, 400, length)
        self.assertEqual(server.post('/api/v1/uploads', headers=TUS).status, 400)
        self.assertEqual(server.post('/api/v1/uploads', headers={**TUS, 'Upload-Length': '0'}).status, 422)
        self.assertEqual(server.post('/api/v1/uploads', headers={**TUS, 'Upload-Length': str((4 << 20) + 1)}).status, 413)
        for metadata in ('filename ***', ',', 'filename', ' ', 'a b c', 'filename ' + b64(b'x') + ',,'):
            answer = server.post('/api/v1/uploads', headers={**TUS, 'Upload-Length': '5', 'Upload-Metadata': metadata})
            self.assertIn(answer.status, (201,) if metadata in ('filename', ' ') else (400,), metadata)
        for name, safe in (('../../etc/passwd', 'passwd'), ('', 'upload'), ('a\nb\0.mp4', 'a?b.mp4'), ('..', 'upload'), ('a\u202eb\u0085c\u2028\ufeff.mp4', 'a?b?c??.mp4'),
                           ('ü' * 150, 'ü' * 100)):
            self.assertEqual(as_json(server.get(create(5, name)))['name'], safe)

    def test_termination(self):
        path = create(10)
        append(path, 0, b'hello')
        self.assertEqual(server.request('DELETE', path, headers=TUS).status, 204)
        self.assertEqual(server.request('HEAD', path, headers=TUS).status, 404)
        self.assertEqual(append(path, 5, b'x').status, 404)
        self.assertEqual(list((server.data / 'uploads').glob(f'{path[-24:]}*')), [])
        for wrong in ('0' * 24, 'x', '0' * 31, '..%2f..%2fsecret'):
            self.assertEqual(server.request('HEAD', f'/api/v1/uploads/{wrong}', headers=TUS).status, 404)

    def test_methods_by_another_name(self):
        path = create(5)
        answer = server.post(path, b'hello', headers={**TUS, **KIND, 'Upload-Offset': '0', 'X-HTTP-Method-Override': 'PATCH'})
        self.assertEqual(answer.status, 204)
        self.assertEqual(server.post(path, headers={**TUS, 'X-HTTP-Method-Override': 'DELETE'}).status, 204)
        self.assertEqual(server.post('/api/v1/members/1', headers={'X-HTTP-Method-Override': 'DELETE'}).status, 405)

    def test_only_who_may_enroll(self):
        path = create(5)
        key = as_json(server.post('/api/v1/keys', {'scopes': ['verify']}))['key']
        for method, address in (('POST', '/api/v1/uploads'), ('HEAD', path), ('PATCH', path), ('DELETE', path)):
            self.assertEqual(server.request(method, address, headers={**TUS, **KIND, 'Upload-Offset': '0', 'Upload-Length': '5'}, key=key).status, 403)
            self.assertEqual(server.request(method, address, headers=TUS, key=False).status, 401)


class Checksums(unittest.TestCase):
    def test_bytes_that_do_not_match_are_thrown_away(self):
        path, data = create(20), os.urandom(20)
        for name in ('sha1', 'sha256'):
            wrong = append(path, 0, data[:10], **{'Upload-Checksum': f'{name} {b64(hashlib.new(name, b"else").digest())}'})
            self.assertEqual((wrong.status, as_json(wrong)['title']), (460, 'Checksum Mismatch'))
            self.assertEqual(offset_of(path), 0)
        self.assertEqual(append(path, 0, data[:10], **{'Upload-Checksum': f'sha1 {b64(hashlib.sha1(data[:10]).digest())}'}).status, 204)
        self.assertEqual(append(path, 10, data[10:], **{'Upload-Checksum': f'sha256 {b64(hashlib.sha256(data[10:]).digest())}'}).status, 204)
        self.assertEqual((server.data / 'uploads' / f'{path[-24:]}.bin').read_bytes(), data)
        for header in ('md5 ' + b64(b'x' * 16), 'sha1', 'sha1 ***', 'sha1 ' + b64(b'short'), 'sha1 ' + b64(b'x' * 32), ''):
            self.assertEqual(append(create(5), 0, b'hello', **{'Upload-Checksum': header}).status, 400, header)


class CutOff(unittest.TestCase):
    def send_half(self, on, path, size, data, *lines):
        s = socket.create_connection((on.host, on.port))
        s.sendall('\r\n'.join([f'PATCH {path} HTTP/1.1', 'Host: localhost', f'x-api-key: {on.key}', 'Tus-Resumable: 1.0.0', 'Upload-Offset: 0',
                               'Content-Type: application/offset+octet-stream', f'Content-Length: {size}', *lines, '', '']).encode() + data)
        return s

    def wait_offset(self, on, path, offset):
        until(lambda: offset_of(path, on) == offset, lambda: f'{offset_of(path, on)}, not {offset}', server=on)

    def test_what_has_come_stays(self):
        path = create(100000)
        s = self.send_half(server, path, 100000, b'x' * 40000)
        self.wait_offset(server, path, 40000)
        self.assertEqual(append(path, 40000, b'y').status, 423)  # still being written to
        s.close()

        def rest():
            answer = append(path, 40000, b'y' * 60000)
            return answer if answer.status != 423 else None
        answer = until(rest, server=server)
        self.assertEqual((answer.status, answer.headers['Upload-Offset']), (204, '100000'))

    def test_with_a_checksum_nothing_stays(self):
        path = create(100000)
        s = self.send_half(server, path, 100000, b'x' * 40000, 'Upload-Checksum: sha1 ' + b64(b'x' * 20))
        self.wait_offset(server, path, 40000)
        s.close()
        self.wait_offset(server, path, 0)

    def test_a_killed_server_goes_on_where_it_was(self):
        own = Server()
        data = os.urandom(3 << 20)
        path = create(len(data), on=own)
        s = self.send_half(own, path, len(data), data[:1 << 20])
        self.wait_offset(own, path, 1 << 20)
        own.kill()
        s.close()
        again = Server(data=own.data)
        again.key = own.key
        try:
            self.assertEqual(offset_of(path, again), 1 << 20)
            self.assertEqual(append(path, 1 << 20, data[1 << 20:], again).status, 204)
            self.assertEqual((own.data / 'uploads' / f'{path[-24:]}.bin').read_bytes(), data)
        finally:
            again.own = True
            again.close()

    def test_what_a_kill_leaves_of_a_beginning_is_found(self):
        own = Server()
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            watch = libc.inotify_init()
            self.assertGreater(libc.inotify_add_watch(watch, bytes(own.data / 'uploads'), 0x180), 0)  # made or renamed here
            path = create(5, on=own)
            seen, told = os.read(watch, 4096), []
            os.close(watch)
            while seen:
                size = int.from_bytes(seen[12:16], sys.byteorder)
                told.append(seen[16:16 + size].rstrip(b'\0').decode())
                seen = seen[16 + size:]
            self.assertEqual(told[0], f'{path[-24:]}.bin')  # by which the sweep finds it
            cut = own.data / 'uploads' / f'{"a" * 24}.bin'
            cut.touch()
            own.request('PATCH', '/api/v1/settings', {})  # wakes who sweeps
            until(lambda: not cut.exists(), server=own)
            self.assertEqual(offset_of(path, own), 0)
        finally:
            own.close()

    def test_expiry(self):
        own = Server()
        try:
            path = create(5, on=own)
            append(path, 0, b'he', own)
            file = own.data / 'uploads' / f'{path[-24:]}.bin'
            os.utime(file, (time.time() - 86500,) * 2)
            self.assertEqual(own.request('HEAD', path, headers=TUS).status, 404)
            own.request('PATCH', '/api/v1/settings', {})  # wakes who sweeps
            until(lambda: not file.exists(), server=own)
            self.assertEqual(list(file.parent.glob('*')), [])
        finally:
            own.close()

    def test_not_too_many(self):
        own = Server()
        try:
            statuses = [own.post('/api/v1/uploads', headers={**TUS, 'Upload-Length': '5'}) for _ in range(130)]
            self.assertEqual([a.status for a in statuses], [201] * 128 + [429] * 2)
            self.assertGreater(int(statuses[-1].headers['Retry-After']), 0)
        finally:
            own.close()


class Use(unittest.TestCase):
    def upload(self, name, data):
        path = create(len(data), name)
        self.assertEqual(append(path, 0, data).status, 204)
        return path[-24:]

    def test_an_upload_becomes_a_member(self):
        upload = self.upload('ada.jpg', (media / 'ada.jpg').read_bytes())
        answer = server.form('/api/v1/members', [('name', 'Ada'), ('role', 'engineer'), ('upload', upload), ('video', 'more.jpg', (media / 'ada.jpg').read_bytes() + b'2')])
        self.assertEqual(answer.status, 202, answer.body)
        end = server.job(as_json(answer)['job']['id'])
        self.assertEqual((end['state'], end['faces_used'], end['faces_found']), ('done', 2, 2), end)
        member = end['result']['id']
        self.assertEqual([s['name'] for s in as_json(server.get(f'/api/v1/members/{member}/sources'))['sources']], ['ada.jpg', 'more.jpg'])
        self.assertEqual(server.get(f'/api/v1/uploads/{upload}').status, 404)
        again = self.upload('third.jpg', (media / 'ada.jpg').read_bytes() + b'3')
        answer = server.form(f'/api/v1/members/{member}/sources', [('upload', again), ('every', '3'), ('rotate', '0')])
        self.assertEqual(server.job(as_json(answer)['job']['id'])['state'], 'done')

    def test_an_upload_that_is_not_taken_stays(self):
        upload = self.upload('bruno.jpg', (media / 'bruno.jpg').read_bytes())
        for fields, status in (([('name', 'Bruno')], 422), ([('role', 'x')], 422), ([('name', 'Bruno'), ('role', 'x'), ('every', '0')], 422),
                               ([('name', 'Bruno'), ('role', 'x'), ('upload', '0' * 24)], 422), ([('name', 'Bruno'), ('role', 'x'), ('upload', '../x')], 422)):
            answer = server.form('/api/v1/members', [*fields, ('upload', upload)])
            self.assertEqual(answer.status, status, answer.body)
        self.assertTrue(as_json(server.get(f'/api/v1/uploads/{upload}'))['complete'])
        half = create(100)[-24:]
        answer = server.form('/api/v1/members', [('name', 'Bruno'), ('role', 'x'), ('upload', half)])
        self.assertEqual((answer.status, as_json(answer)['code']), (409, 'wrong_state'))


if __name__ == '__main__':
    main()
