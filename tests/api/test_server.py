#!/usr/bin/env python3
"""What an administrator does: settings and retention, the audit and its export, the faces as .zip, keys, reset."""
import csv
import datetime
import io
import json
import pathlib
import re
import shutil
import sqlite3
import tempfile
import time
import unittest
import zipfile

from client import Server, as_json, main, render, until

DAY_MS = 86400000


def setUpModule():
    global media, server
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    for name in ('ada', 'bruno', 'otto'):
        render('photo', f'{name}.jpg', media / f'{name}.jpg', 1)
        render('video', f'{name}.jpg', media / f'{name}.mp4', 0)
    server = Server()


def tearDownModule():
    server.close()
    shutil.rmtree(media)


def photo(name):
    return (media / f'{name}.jpg').read_bytes()


class Settings(unittest.TestCase):
    def test_they_hold_for_the_next_enrolment_and_survive_a_restart(self):
        own = Server()
        try:
            first = as_json(own.get('/api/v1/settings'))
            self.assertEqual((first['every'], first['keep_originals'], first['retention_chips_days']), (5, False, 0))
            self.assertEqual(first['defaults']['min_face'], 40)
            frames = own.enroll('Ada', media / 'ada.mp4')['frames_sampled']
            changed = own.request('PATCH', '/api/v1/settings', {'every': 10, 'min_sharpness': 1e6, 'keep_originals': True})
            self.assertEqual((changed.status, as_json(changed)['every'], as_json(changed)['min_sharpness']), (200, 10, 1000000))
            end = own.enroll('Bruno', media / 'bruno.mp4')
            self.assertEqual((end['state'], end['frames_sampled'], end['refused']), ('failed', (frames + 1) // 2, {'blurred': (frames + 1) // 2}))
            own.stop()
            again = Server(data=own.data)
            try:
                kept = as_json(again.get('/api/v1/settings', key=own.key))
                self.assertEqual((kept['every'], kept['min_sharpness'], kept['keep_originals']), (10, 1000000, True))
                back = as_json(again.request('PATCH', '/api/v1/settings', {'min_sharpness': None}, key=own.key))
                self.assertEqual(back['min_sharpness'], back['defaults']['min_sharpness'])
            finally:
                again.close()
        finally:
            own.close()

    def test_values_that_make_no_sense_change_nothing(self):
        before = as_json(server.get('/api/v1/settings'))
        for body in ({'every': 0}, {'every': 1.5}, {'every': '5'}, {'every': True}, {'min_face': 5}, {'max_yaw': 91}, {'nothing': 1}, {'keep_originals': 1},
                     {'every': 7, 'max_yaw': -1}, [], {'retention_chips_days': -1}, {'min_face': 1e400}):
            self.assertEqual(server.request('PATCH', '/api/v1/settings', body).status, 422, body)
        self.assertEqual(as_json(server.get('/api/v1/settings')), before)

    def test_only_an_admin_changes_them(self):
        key = as_json(server.post('/api/v1/keys', {'scopes': ['enroll']}))['key']
        self.assertEqual(server.get('/api/v1/settings', key=key).status, 200)
        self.assertEqual(server.request('PATCH', '/api/v1/settings', {'every': 3}, key=key).status, 403)
        self.assertEqual(server.post('/api/v1/reset', {'confirm': 'RESET'}, key=key).status, 403)


class Retention(unittest.TestCase):
    def age(self, own, days):
        """Makes all that the store knows older."""
        own.stop()
        db = sqlite3.connect(own.data / 'facegate.db')
        db.execute('UPDATE source SET created_ms = created_ms - ?', (days * DAY_MS,))
        db.execute("UPDATE audit SET time_ms = time_ms - ? WHERE action = 'verify'", (days * DAY_MS,))
        db.commit()
        db.close()

    def blobs(self, own, what):
        return [p for p in own.data.glob(f'blobs/members/*/*/{what}/*') if p.is_file()]

    def test_each_goes_when_its_days_are_over(self):
        own = Server()
        again = None
        try:
            end = own.enroll('Ada', media / 'ada.mp4', keep_originals='1', keep_frames='1')
            self.assertEqual(end['state'], 'done', end)
            member, chips = end['result']['id'], len(self.blobs(own, 'chips'))
            own.train()
            self.assertEqual(as_json(own.post('/api/v1/verify', photo('ada')))['decision'], 'granted')
            self.assertEqual((len(self.blobs(own, 'originals')), chips > 3), (1, True))
            self.age(own, 10)
            again = Server(data=own.data)
            patch = lambda **v: as_json(again.request('PATCH', '/api/v1/settings', v, key=own.key))
            patch(retention_originals_days=11, retention_chips_days=11, retention_attempts_days=11)
            time.sleep(.5)  # time to do wrong; what it must do is waited for below
            self.assertEqual((len(self.blobs(own, 'originals')), len(self.blobs(own, 'chips'))), (1, chips))
            patch(retention_originals_days=9)
            until(lambda: not self.blobs(own, 'originals') and not self.blobs(own, 'frames'), server=again)
            self.assertEqual(len(self.blobs(own, 'chips')), chips)
            self.assertFalse(as_json(again.get(f'/api/v1/members/{member}/sources', key=own.key))['sources'][0]['original_kept'])
            patch(retention_chips_days=9)
            until(lambda: not self.blobs(own, 'chips'), server=again)
            until(lambda: as_json(again.get(f'/api/v1/members/{member}/chips', key=own.key)) == {'chips': []}, server=again)
            self.assertEqual(again.get(f'/api/v1/members/{member}/portrait', key=own.key).status, 404)
            self.assertEqual(again.get('/api/v1/chips.zip', key=own.key).status, 404)
            self.assertEqual(len(as_json(again.get('/api/v1/audit?decision=granted', key=own.key))['rows']), 1)
            patch(retention_attempts_days=9)
            until(lambda: not as_json(again.get('/api/v1/audit?action=verify', key=own.key))['rows'], server=again)
            # What was learnt stays: the member is still recognised, and the trail of who changed what too.
            self.assertEqual(as_json(again.post('/api/v1/verify', photo('ada'), key=own.key))['decision'], 'granted')
            self.assertTrue(as_json(again.get('/api/v1/audit?action=enroll', key=own.key))['rows'])
        finally:
            if again:
                again.close()
            own.close()


class Audit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.own = Server()
        for name in ('Ada', 'Bruno'):
            cls.own.enroll(name, media / f'{name.lower()}.mp4')
        cls.own.train()
        for name in ('ada', 'ada', 'bruno', 'otto'):
            assert cls.own.post('/api/v1/verify', photo(name)).status == 200

    @classmethod
    def tearDownClass(cls):
        cls.own.close()

    def rows(self, query):
        answer = self.own.get(f'/api/v1/audit?{query}')
        self.assertEqual(answer.status, 200, answer.body)
        return as_json(answer)['rows']

    def test_filters(self):
        self.assertEqual([r['subject'] for r in self.rows('decision=granted')], ['Bruno', 'Ada', 'Ada'])
        self.assertEqual(len(self.rows('decision=unknown')), 1)
        self.assertEqual({r['subject'] for r in self.rows('member=ada')}, {'Ada'})
        ada = next(m['id'] for m in as_json(self.own.get('/api/v1/members'))['members'] if m['name'] == 'Ada')
        self.assertEqual(self.rows(f'member={ada}&action=verify'), self.rows('member=Ada&action=verify'))
        self.assertEqual(self.rows('source=10.0.0.1'), [])
        self.assertEqual(len(self.rows('source=127.0.0.1&action=verify')), 4)
        self.assertEqual(len(self.rows('member=Ada&decision=granted&limit=1')), 1)
        for query in ('decision=perhaps', 'from=yesterday', 'to=2026-02-30', 'from=2026-01-01T25:00:00Z', 'limit=0'):
            self.assertEqual(self.own.get(f'/api/v1/audit?{query}').status, 400, query)

    def test_times(self):
        all_rows = self.rows('action=verify')
        at = lambda r: int(datetime.datetime.fromisoformat(r['time'].replace('Z', '+00:00')).timestamp() * 1000)
        middle = at(all_rows[1])
        self.assertEqual(self.rows(f'action=verify&from={middle}'), [r for r in all_rows if at(r) >= middle])
        self.assertEqual(self.rows(f'action=verify&to={middle}'), [r for r in all_rows if at(r) < middle])
        self.assertEqual(self.rows(f"action=verify&from={all_rows[1]['time']}"), [r for r in all_rows if at(r) >= middle])
        self.assertEqual(self.rows('action=verify&from=2020-01-01T00:00:00+01:00&to=2999-12-31'), all_rows)
        self.assertEqual(self.rows('to=2020-01-01'), [])

    def test_pages_by_link(self):
        path, seen = '/api/v1/audit?limit=2&action=verify', []
        while path:
            answer = self.own.get(path)
            seen += as_json(answer)['rows']
            link = answer.headers['Link']
            path = link.split('>')[0][1:] if link else None
            self.assertTrue(link is None or link.endswith('; rel="next"'))
        self.assertEqual(seen, self.rows('action=verify&limit=1000'))

    def test_csv(self):
        answer = self.own.get('/api/v1/audit.csv?decision=granted')
        self.assertTrue(answer.headers['Content-Type'].startswith('text/csv'))
        self.assertIn('attachment', answer.headers['Content-Disposition'])
        text = answer.body.decode()
        self.assertEqual(text.count('\n'), text.count('\r\n'))
        rows = list(csv.DictReader(io.StringIO(text, newline='')))
        self.assertEqual([r['subject'] for r in rows], ['Bruno', 'Ada', 'Ada'])
        self.assertEqual([int(r['id']) for r in rows], [r['id'] for r in self.rows('decision=granted')])
        everything = list(csv.reader(io.StringIO(self.own.get('/api/v1/audit.csv').body.decode(), newline='')))
        self.assertEqual(len(everything) - 1, len(self.rows('limit=1000')))
        self.assertEqual(self.own.get('/api/v1/audit.csv?limit=1').status, 400)  # all rows or none: nobody takes a part for the whole

    def test_a_name_cannot_be_a_formula(self):
        for name in ('=cmd|calc', '+1', '-1', '@sum', 'Zoe "the, cat"'):
            self.assertEqual(self.own.enroll(name, media / 'otto.jpg')['state'], 'done')
            rows = list(csv.DictReader(io.StringIO(self.own.get('/api/v1/audit.csv?action=enroll').body.decode(), newline='')))
            self.assertEqual(rows[0]['subject'], name if name[0] == 'Z' else "'" + name)
            member = next(m['id'] for m in as_json(self.own.get('/api/v1/members'))['members'] if m['name'] == name)
            self.own.request('DELETE', f'/api/v1/members/{member}')
        self.assertEqual(self.own.get('/api/v1/audit?member=Zoe').status, 200)


class Zip(unittest.TestCase):
    def test_all_faces_and_those_of_one(self):
        own = Server()
        try:
            self.assertEqual(own.get('/api/v1/chips.zip').status, 404)
            ids = {name: own.enroll(name, media / f'{portrait}.mp4')['result']['id'] for name, portrait in (('Ada', 'ada'), ('../../evil', 'bruno'))}
            chips = {name: len(as_json(own.get(f'/api/v1/members/{i}/chips'))['chips']) for name, i in ids.items()}
            answer = own.get('/api/v1/chips.zip')
            self.assertEqual((answer.status, answer.headers['Content-Type']), (200, 'application/zip'))
            archive = zipfile.ZipFile(io.BytesIO(answer.body))
            self.assertIsNone(archive.testzip())
            self.assertEqual(len(archive.namelist()), sum(chips.values()))
            for name in archive.namelist():
                self.assertRegex(name, r'^\d+-[^/\\]+/\d+\.png$')
            some = as_json(own.get(f"/api/v1/members/{ids['Ada']}/chips"))['chips'][0]
            self.assertEqual(archive.read(f"{ids['Ada']}-Ada/{some['id']}.png"), own.get(some['image']).body)
            one = zipfile.ZipFile(io.BytesIO(own.get(f"/api/v1/members/{ids['Ada']}/chips.zip").body))
            self.assertEqual(len(one.namelist()), chips['Ada'])
            self.assertEqual(own.get('/api/v1/members/999/chips.zip').status, 404)
            own.cleans_up()
        finally:
            own.close()


class Keys(unittest.TestCase):
    def brief(self):
        """A key that ends soon; None where its end was over before it was made."""
        answer = server.post('/api/v1/keys', {'scopes': ['audit'], 'expires_ms': int(time.time() * 1000) + 1000})
        return as_json(answer) if answer.status == 201 else None

    def test_several_scopes_and_an_end(self):
        made = as_json(server.post('/api/v1/keys', {'label': 'gate', 'scopes': ['verify', 'audit'], 'expires_days': 1}))
        self.assertEqual(made['scopes'], ['verify', 'audit'])
        self.assertEqual(server.get('/api/v1/audit', key=made['key']).status, 200)
        self.assertEqual(server.get('/api/v1/members', key=made['key']).status, 403)
        listed = next(k for k in as_json(server.get('/api/v1/keys'))['keys'] if k['id'] == made['id'])
        self.assertEqual((listed['scopes'], listed['revoked']), (['verify', 'audit'], None))
        self.assertIsNotNone(listed['used'])
        self.assertIsNotNone(listed['expires'])
        brief = until(self.brief, server=server)
        until(lambda: server.get('/api/v1/audit', key=brief['key']).status == 401, server=server)
        server.get('/api/v1/keys')  # a good key, so that this address is not locked out
        for body in ({'scopes': []}, {'scopes': ['root']}, {'scopes': 'verify'}, {'scopes': [1]}, {'scopes': ['verify'], 'scope': 'admin'},
                     {'expires_ms': 1}, {'expires_ms': 'x'}, {'expires_ms': -1}, {'expires_ms': 10**17}):
            self.assertIn(server.post('/api/v1/keys', body).status, (400, 422), body)


class Log(unittest.TestCase):
    def test_json_lines_with_request_ids(self):
        own = Server('--log-format', 'json', '--log-level', 'debug')
        try:
            answer = own.get('/api/v1/classifiers?brief=query')
            own.get('/nothing/Wilhelmina')
            own.enroll('Wilhelmina', media / 'ada.mp4')
            own.get('/api/v1/members', key='fg_0123456789abcdef_' + 'S' * 43)
            # A line is written once the client has its answer.
            until(lambda: re.search(r'"status": ?401\b.*\n', own.said()), server=own)
            text = own.said()
            lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith('\n')]
            line = next(l for l in lines if l.get('id') == answer.headers['X-Request-Id'])
            self.assertEqual((line['level'], line['message'], line['method'], line['route'], line['status'], line['address']),
                             ('debug', 'request', 'GET', '/api/v1/classifiers', 200, '127.0.0.1'))
            self.assertTrue(line['who'].startswith('key:'))
            self.assertGreater(line['ms'], 0)
            for secret in ('Wilhelmina', 'query', own.key, 'SSSS', str(as_json(answer))):
                self.assertNotIn(secret, text)
        finally:
            own.close()

    def test_text(self):
        own = Server()
        try:
            own.get('/nothing')
            until(lambda: '\n' in own.said(), server=own)  # it is written once the client has its answer
            self.assertRegex(own.said(), r'facegate: info: request id=\S+ method=GET route=- status=404 ms=[\d.]+ address=127.0.0.1 who=- bytes_in=0\n')
        finally:
            own.close()


class Removal(unittest.TestCase):
    def test_a_member_is_gone_for_good(self):
        own = Server()
        try:
            secret = 'Wilhelmina Unvergleichlich'
            self.assertEqual(own.enroll('Ada', media / 'ada.mp4')['state'], 'done')
            end = own.enroll(secret, media / 'bruno.mp4', role='unspeakable role', keep_originals='1', keep_frames='1')
            own.train()
            self.assertEqual(as_json(own.post('/api/v1/verify', photo('bruno')))['member'], secret)
            prefix = [p for p in own.data.glob('blobs/members/*') if list(p.glob('*/originals/*'))]
            self.assertEqual(len(prefix), 1)
            self.assertEqual(own.request('DELETE', f"/api/v1/members/{end['result']['id']}").status, 204)
            self.assertFalse(prefix[0].exists())
            self.assertEqual([m['name'] for m in as_json(own.get('/api/v1/members'))['members']], ['Ada'])
            self.assertNotIn(secret.encode(), own.get('/api/v1/audit').body + own.get('/api/v1/jobs').body + own.get('/api/v1/classifiers').body)
            v = as_json(own.post('/api/v1/verify', photo('bruno')))  # those who stay were learnt anew at once
            self.assertEqual((v['decision'], v['member']), ('unknown', None))
            self.assertEqual(as_json(own.post('/api/v1/verify', photo('ada')))['member'], 'Ada')
            own.stop()
            for path in own.data.rglob('*'):
                if path.is_file():
                    data = path.read_bytes()
                    for word in (secret.encode(), b'unspeakable role'):
                        self.assertNotIn(word, data, path)
        finally:
            own.close()


class Reset(unittest.TestCase):
    def test_everybody_is_forgotten_and_keys_stay(self):
        own = Server()
        try:
            secret = 'Wilhelmina Unvergleichlich'
            own.enroll(secret, media / 'ada.mp4', role='team lead', keep_originals='1')
            own.train()
            self.assertEqual(as_json(own.post('/api/v1/verify', photo('ada')))['member'], secret)
            for body in ({}, {'confirm': 'reset'}, {'confirm': True}):
                self.assertEqual(own.post('/api/v1/reset', body).status, 422, body)
            self.assertEqual(len(as_json(own.get('/api/v1/members'))['members']), 1)
            self.assertEqual(own.post('/api/v1/reset', {'confirm': 'RESET'}).status, 204)
            self.assertEqual(as_json(own.get('/api/v1/members')), {'members': []})
            self.assertEqual(as_json(own.get('/api/v1/classifiers')), {'classifiers': []})
            self.assertEqual(as_json(own.get('/api/v1/jobs')), {'jobs': []})
            self.assertEqual(own.post('/api/v1/verify', photo('ada')).status, 409)
            self.assertEqual({r['action'] for r in as_json(own.get('/api/v1/audit'))['rows']} - {'key_create', 'sign_in'}, {'reset'})
            self.assertEqual([p for p in own.data.glob('blobs/members/**/*') if p.is_file()], [])
            own.stop()
            for path in own.data.glob('facegate.db*'):
                self.assertNotIn(secret.encode(), path.read_bytes(), path)
            again = Server(data=own.data)
            try:
                self.assertEqual(again.get('/api/v1/keys', key=own.key).status, 200)
            finally:
                again.close()
        finally:
            own.close()


if __name__ == '__main__':
    main()
