#!/usr/bin/env python3
"""The API from a first start to a verdict, and what it says to requests that make no sense."""
import base64
import json
import os
import pathlib
import re
import shutil
import tempfile
import time
import unittest

from client import PEOPLE, Server, as_json, copies, main, multipart, render

PNG = b'\x89PNG\r\n\x1a\n'
GREY = 'iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAACXBIWXMAAAABAAAAAQBPJcTWAAAAwElEQVR4nNXOQREAAAyDMKRX+kTw4BYFYc9RByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AGLOmBRByzqgEUdsKgDFnXAog5Y1AHrAB8+AWlViFU0AAAAAElFTkSuQmCC' # a picture of nothing


def setUpModule():
    """One team for all: what costs time is done once. Ada may enter the lab and the office, Bruno the lab; Otto is nobody."""
    global media, server, team
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    for name in ('ada', 'bruno', 'otto'):
        render('photo', f'{name}.jpg', media / f'{name}.jpg', 1)
    for n, name in enumerate(('ada', 'bruno')):
        render('video', f'{name}.jpg', media / f'{name}.mp4', n)
    server = Server()
    team = {}


def tearDownModule():
    server.close()
    shutil.rmtree(media)


def need_team():
    if not team:
        for name, rights in (('Ada', ('lab', 'office')), ('Bruno', ('lab',))):
            team[name] = server.enroll(name, media / f'{name.lower()}.mp4', 'engineer', rights)
        team['training'] = server.train()
    return team


def photo(name):
    return (media / f'{name}.jpg').read_bytes()


class FirstStart(unittest.TestCase):
    def test_a_fresh_server_is_healthy_and_empty(self):
        own = Server()
        try:
            self.assertRegex(own.key, r'^fg_[0-9a-f]{16}_[\w-]{43}$')
            self.assertEqual(own.get('/healthz', key=False).body, b'ok\n')
            self.assertEqual(own.get('/readyz', key=False).status, 200)
            self.assertEqual(as_json(own.get('/api/v1/members')), {'members': []})
            about = as_json(own.get('/api/v1/about'))
            self.assertIsNone(about['classifier'])
            self.assertEqual(about['threshold'], .9)
            answer = own.post('/api/v1/verify', photo('ada'))
            self.assertEqual((answer.status, as_json(answer)['code']), (409, 'wrong_state'))
            end = own.job(as_json(own.post('/api/v1/train'))['job']['id'])
            self.assertEqual((end['state'], end['problem']['code']), ('failed', 'wrong_state'))
            self.assertNotIn(own.key, own.said())
        finally:
            own.close()

    def test_the_key_is_made_once_and_a_preset_key_makes_none(self):
        own = Server()
        key = own.key
        own.stop()
        again = Server(data=own.data)
        try:
            self.assertIsNone(again.key)
            self.assertEqual(again.get('/api/v1/members', key=key).status, 200)
        finally:
            again.own = True
            again.close()
        # An access key signs requests to an endpoint, and nobody in: with it alone nobody could make a key.
        only = Server()
        made = as_json(only.post('/api/v1/keys', {'aws': True, 'scope': 'admin'}))
        self.assertEqual(only.request('DELETE', f"/api/v1/keys/{only.key.split('_')[1]}").status, 204)
        only.stop()
        again = Server(data=only.data)
        try:
            self.assertIsNotNone(again.key)
            self.assertIn(made['id'], [k['id'] for k in as_json(again.get('/api/v1/keys'))['keys']])
        finally:
            again.own = True
            again.close()
        preset = Server(env={'FACEGATE_ADMIN_KEY': 'a-preset-key-of-a-container'})
        try:
            self.assertIsNone(preset.key)
            self.assertEqual(preset.get('/api/v1/keys', key='a-preset-key-of-a-container').status, 200)
            self.assertNotIn('guessed', preset.said())
        finally:
            preset.close()
        weak = Server(env={'FACEGATE_ADMIN_KEY': 'secret'})
        try:
            self.assertIn('FACEGATE_ADMIN_KEY has 6 characters: that can be guessed', weak.said())
        finally:
            weak.close()


class Enrolment(unittest.TestCase):
    def test_a_video_becomes_a_member(self):
        end = need_team()['Ada']
        self.assertEqual(end['state'], 'done', end)
        self.assertEqual(end['result']['member'], 'Ada')
        self.assertGreater(end['result']['faces_used'], 3)
        self.assertEqual(end['frames_sampled'], end['result']['frames_sampled'])
        members = as_json(server.get('/api/v1/members'))['members']
        self.assertEqual([m['name'] for m in members][:2], ['Ada', 'Bruno'])
        self.assertEqual(members[0]['rights'], ['lab', 'office'])
        server.cleans_up()

    def test_the_pictures_of_a_member(self):
        member = need_team()['Ada']['result']['id']
        portrait = server.get(f'/api/v1/members/{member}/portrait')
        self.assertEqual((portrait.status, portrait.headers['Content-Type'], portrait.body[:8]), (200, 'image/png', PNG))
        small = server.get(f'/api/v1/members/{member}/portrait?thumb=1')
        self.assertEqual((small.headers['Content-Type'], small.body[:2]), ('image/jpeg', b'\xff\xd8'))
        self.assertLess(len(small.body), 8000)
        chips = as_json(server.get(f'/api/v1/members/{member}/chips'))['chips']
        self.assertGreater(len(chips), 3)
        self.assertEqual(server.get(chips[0]['image']).body[:8], PNG)
        self.assertEqual(server.get(f'/api/v1/members/{member}/chips/999999').status, 404)
        sources = as_json(server.get(f'/api/v1/members/{member}/sources'))['sources']
        self.assertEqual((sources[0]['name'], sources[0]['kind']), ('ada.mp4', 'video'))

    def test_pictures_that_are_gone_or_broken_tell_no_path(self):
        member = need_team()['Ada']['result']['id']
        members = server.data / 'blobs/members'
        aside = members.rename(members.with_name('aside'))
        try:
            gone = server.get(f'/api/v1/members/{member}/portrait')
            members.write_bytes(b'')  # neither a folder nor a link
            broken = server.get(f'/api/v1/members/{member}/portrait')
        finally:
            members.unlink(missing_ok=True)
            aside.rename(members)
        self.assertEqual((gone.status, as_json(gone)['code']), (404, 'not_found'))
        self.assertEqual((broken.status, as_json(broken)['code']), (500, 'io'))
        for answer in (gone, broken):
            self.assertNotIn('/', as_json(answer)['detail'])
        self.assertIn('something else than a blob', server.said())

    def test_a_name_is_taken_once(self):
        need_team()
        answer = server.form('/api/v1/members', [('name', ' ada '), ('role', 'x'), ('video', 'a.mp4', b'x')])
        self.assertEqual((answer.status, as_json(answer)['code']), (409, 'exists'))

    def test_more_files_of_a_member(self):
        member = need_team()['Bruno']['result']['id']
        before = as_json(server.get(f'/api/v1/members/{member}'))['templates']
        busy = as_json(server.form('/api/v1/members', [('name', 'Busy'), ('role', 'x'), ('every', '1'), *[('video', 'v.mp4', v) for v in copies((media / 'ada.mp4').read_bytes(), 16)]]))['job']['id']
        answer = server.form(f'/api/v1/members/{member}/sources', [('video', 'more.jpg', photo('bruno'))])
        self.assertEqual(answer.status, 202)
        self.assertEqual(server.request('PATCH', f'/api/v1/members/{member}', {'role': 'chief'}).status, 200)  # while the order waits
        server.request('DELETE', f'/api/v1/jobs/{busy}')
        self.assertEqual(server.job(as_json(answer)['job']['id'])['state'], 'done')
        after = as_json(server.get(f'/api/v1/members/{member}'))
        self.assertEqual((after['templates'], after['role'], after['rights']), (before + 1, 'chief', ['lab']))
        server.request('PATCH', f'/api/v1/members/{member}', {'role': 'engineer'})
        answer = server.form(f'/api/v1/members/{member}/sources', [('video', 'ada.jpg', photo('ada'))])
        end = server.job(as_json(answer)['job']['id'])
        self.assertEqual((end['state'], end['problem']['code']), ('failed', 'bad_input'))
        self.assertIn('ada.jpg shows another person than the files that Bruno was enrolled from', end['problem']['detail'])
        self.assertEqual(as_json(server.get(f'/api/v1/members/{member}'))['templates'], before + 1)

    def test_forms_that_make_no_sense(self):
        video = ('video', 'v.mp4', b'not a video at all')
        for fields, status, word in [
            ([('role', 'x'), video], 422, 'name'),
            ([('name', 'X'), video], 422, 'role'),
            ([('name', 'X'), ('role', 'x')], 422, 'file'),
            ([('name', '   '), ('role', 'x'), video], 422, 'name'),
            ([('name', 'X' * 300), ('role', 'x'), video], 422, 'name'),
            ([('name', 'a\nb'), ('role', 'x'), video], 422, 'name'),
            ([('name', b'\xff\xfe'), ('role', 'x'), video], 422, 'name'),
            ([('name', 'X'), ('role', 'x'), ('every', '0'), video], 422, 'every'),
            ([('name', 'X'), ('role', 'x'), ('rotate', '45'), video], 422, 'rotate'),
            ([('name', 'X'), ('role', 'x'), ('video', 'v.mp4', b'')], 422, 'empty'),
            ([('name', 'X'), ('role', 'x'), ('video', 'a.mp4', b''), video], 422, 'a.mp4: the file is empty'),
            ([('name', 'X'), ('role', 'x'), ('video', 'a/v.mp4', b''), video], 422, 'v.mp4: the file is empty'),
            ([('name', 'X'), ('role', 'x'), ('video', 'v.mp4', b''), ('video', 'v.mp4', b'')], 422, 'empty'),
            ([('name', 'X'), ('role', 'x'), video, ('photo', 'v.mp4', b''), ('video', 'w.mp4', b'x')], 422, 'v.mp4: the file is empty'),
            ([('name', 'X'), ('role', 'x' * 5000), video], 413, 'role'),
            ([('name', 'X'), ('role', 'x'), *[('right', str(i)) for i in range(70)], video], 422, 'right'),
            ([('name', 'X'), ('role', 'x'), *[('video', f'{i}.mp4', b'x') for i in range(40)]], 413, 'files'),
        ]:
            answer = server.form('/api/v1/members', fields)
            with self.subTest(fields=str(fields)[:80]):
                self.assertEqual(answer.status, status, answer.body)
                self.assertIn(word, as_json(answer)['detail'])
        server.cleans_up()

    def test_names_that_look_like_others_are_refused_before_the_work(self):
        member = f"/api/v1/members/{need_team()['Ada']['result']['id']}"
        for n, text in enumerate(('A\u202eda', 'Ada\u0085', 'A\ufeffda', '\u2067Ada')):
            for fields in ([('name', text), ('role', 'x')], [('name', 'X'), ('role', text)], [('name', 'X'), ('role', 'x'), ('right', text)]):
                answer = server.form('/api/v1/members', [*fields, ('video', 'v.mp4', b'x')], headers={'Idempotency-Key': f'look-alike-{n}-{len(fields)}'})
                self.assertEqual(answer.status, 422, answer.body)
                self.assertIn('control character', as_json(answer)['detail'])
            for body in ({'name': text}, {'role': text}, {'rights': ['lab', text]}):
                self.assertEqual(server.request('PATCH', member, body).status, 422, body)
            self.assertEqual(server.post('/api/v1/keys', {'label': text}).status, 422)
            self.assertEqual(server.form('/api/v1/verify', [('photo', 'a.jpg', photo('ada')), ('require', text)]).status, 400)
        end = server.enroll(' Eva ', media / 'otto.jpg', '\tx', (' lab ',))
        self.assertEqual((end['state'], end['subject'], end['result']['member']), ('done', 'Eva', 'Eva'))
        self.assertEqual(as_json(server.get(f"/api/v1/members/{end['result']['id']}"))['rights'], ['lab'])
        server.request('DELETE', f"/api/v1/members/{end['result']['id']}")
        self.assertEqual(as_json(server.post('/api/v1/keys', {'label': ' door\n'}))['label'], 'door')
        need_team()  # Bruno may enter the lab, with or without spaces around it
        self.assertEqual(as_json(server.post('/api/v1/verify?require=%20lab%0a', photo('bruno')))['decision'], 'granted')

    def test_files_that_are_no_videos(self):
        for name, data, code in [('text.mp4', b'I am a text. ' * 100, ('bad_input', 'unsupported')), ('cut.mp4', b'\0\0\0\x18ftypmp42' + b'\0' * 400, ('bad_input', 'unsupported'))]:
            answer = server.form('/api/v1/members', [('name', 'Nobody'), ('role', 'x'), ('video', name, data)])
            end = server.job(as_json(answer)['job']['id'])
            self.assertEqual(end['state'], 'failed')
            self.assertIn(end['problem']['code'], code)
            self.assertIn(name, end['problem']['detail'])
            self.assertNotIn(str(server.data), end['problem']['detail'])
        self.assertNotIn('Nobody', [m['name'] for m in as_json(server.get('/api/v1/members'))['members']])

    def test_a_file_name_cannot_lead_anywhere(self):
        answer = server.form('/api/v1/members', [('name', 'Nobody'), ('role', 'x'), ('video', '../../../../tmp/evil.mp4', b'text')])
        end = server.job(as_json(answer)['job']['id'])
        self.assertIn('evil.mp4', end['problem']['detail'])
        self.assertNotIn('..', end['problem']['detail'])

    def test_the_same_order_twice_is_one_job(self):
        fields = [('name', 'Twice'), ('role', 'x'), ('video', 't.mp4', b'text')]
        first, second = (as_json(server.form('/api/v1/members', fields, headers={'Idempotency-Key': 'k1'}))['job']['id'] for _ in range(2))
        self.assertEqual(first, second)
        self.assertNotEqual(first, as_json(server.form('/api/v1/members', fields, headers={'Idempotency-Key': 'k2'}))['job']['id'])


class Misspelt(unittest.TestCase):
    """A word that went unnoticed would be a wish that was not granted, and at a door a right that is not asked for."""

    def refused(self, answer, status, *words):
        self.assertEqual(answer.status, status, answer.body)
        for word in words:
            self.assertIn(word, as_json(answer)['detail'])

    def test_a_right_that_a_door_asks_for(self):
        need_team()
        self.refused(server.post('/api/v1/verify?requre=office', photo('bruno')), 400, 'requre', 'require, detail')
        self.refused(server.post('/api/v1/verify?require=lab&Require=office', photo('bruno')), 400, 'Require')
        self.refused(server.form('/api/v1/verify', [('photo', 'b.jpg', photo('bruno')), ('requre', 'office')]), 422, 'requre', 'require, photo (a file)')
        self.refused(server.form('/api/v1/verify', [('photo', 'b.jpg', photo('bruno')), ('require', 'office.txt', b'office')]), 422, 'require')
        self.refused(server.post('/invocations?requre=office', photo('bruno'), headers={'Content-Type': 'image/jpeg'}), 400, 'requre')
        answer = server.post('/endpoints/facegate/invocations?requre=office', photo('bruno'), headers={'Content-Type': 'image/jpeg'})
        self.assertEqual((answer.status, answer.headers['x-amzn-ErrorType']), (400, 'ValidationError'))
        for path in ('/invocations', '/endpoints/facegate/invocations'):
            answer = server.post(f'{path}?require=office', photo('bruno'), headers={'Content-Type': 'image/jpeg'})
            self.assertEqual([d['decision'] for d in as_json(answer)['decisions']], ['denied'])

    def test_fields_of_a_form(self):
        order, file = [('name', 'Maja'), ('role', 'x')], ('video', 'a.jpg', photo('ada'))
        for more, word in (([('rights', 'lab'), file], 'rights'), ([('film', 'a.jpg', photo('ada'))], 'film'), ([('video', 'a.jpg'), file], 'video'),
                           ([('right', 'lab.txt', b'lab'), file], 'right'), ([(b'\xff\x1b'.decode('latin-1'), 'x'), file], '?'), ([('', 'x'), file], '')):
            self.refused(server.form('/api/v1/members', [*order, *more], headers={'Idempotency-Key': f'misspelt-{word}'}), 422, word)
        self.refused(server.form('/api/v1/members', [*order, ('rights', 'lab'), file]), 422, 'taken: video (a file), photo (a file), upload, ')
        server.cleans_up()

    def test_keys_of_json(self):
        member = f"/api/v1/members/{need_team()['Ada']['result']['id']}"
        keys = len(as_json(server.get('/api/v1/keys'))['keys'])
        self.refused(server.post('/api/v1/keys', {'expire_days': 3}), 422, 'expire_days', 'expires_days')
        self.assertEqual(len(as_json(server.get('/api/v1/keys'))['keys']), keys)
        self.refused(server.request('PATCH', member, {'role': 'x', 'rigths': ['lab']}), 422, 'rigths', 'name, role, rights')
        self.assertEqual(as_json(server.get(member))['role'], 'engineer')

    def test_parameters(self):
        for path in ('audit?decison=granted', 'audit.csv?decison=granted', 'audit.csv?limit=1', 'members?limt=1', 'about?x', 'jobs?open=1&', 'jobs?=1'):
            self.assertEqual(server.get(f'/api/v1/{path}').status, 200 if path == 'jobs?open=1&' else 400, path)
        self.refused(server.get('/api/v1/about?%ff%0a' + 'x' * 5000), 400, '??xxx', 'taken: nothing')

    def test_bodies_where_none_is_taken(self):
        self.refused(server.post('/api/v1/train', {'kernel': 'foo'}), 422, 'no body')
        self.refused(server.request('GET', '/api/v1/audit', 'decision=granted'), 422, 'no body')
        self.assertEqual(server.request('POST', '/api/v1/train', iter([b'{', b'}'])).status, 422)


class Jobs(unittest.TestCase):
    def events(self, job, headers=None, query='', on=None):
        answer = (on or server).get(f'/api/v1/jobs/{job}/events{query}', headers=headers)
        self.assertEqual((answer.status, answer.headers['Content-Type']), (200, 'text/event-stream'))
        out = []
        for block in answer.body.decode().split('\n\n'):
            lines = dict(line.split(': ', 1) for line in block.splitlines() if not line.startswith(':'))
            if lines:
                out.append((int(lines['id']), lines['event'], json.loads(lines['data'])))
        return out

    def test_events_tell_every_frame_and_the_end(self):
        job = need_team()['Ada']
        events = self.events(job['id'])
        self.assertEqual([e[0] for e in events], list(range(1, len(events) + 1)))
        frames = [e[2] for e in events if e[1] == 'frame']
        self.assertEqual(len(frames), job['frames_sampled'])
        self.assertEqual(sum(f['used'] for f in frames), job['faces_used'])
        self.assertEqual((events[-1][1], events[-1][2]['state']), ('end', 'done'))
        again = as_json(server.form('/api/v1/members', [('name', 'Thumb'), ('role', 'x'), ('video', 'two.jpg', photo('ada')), ('video', 'grey.mp4', b'x')]))['job']['id']
        server.job(again)  # fails at its second file, after a first thumbnail
        thumb = server.get(f'/api/v1/jobs/{again}/thumbs/0')
        self.assertEqual((thumb.headers['Content-Type'], thumb.body[:3]), ('image/jpeg', b'\xff\xd8\xff'))

    def test_what_is_done_is_told_before_its_first_percent(self):
        cohort = media / 'cohort' / 'nobody'
        cohort.mkdir(parents=True)
        for n in range(1000):
            (cohort / f'{n}.jpg').write_bytes(PNG + bytes(50))  # broken, so that none takes long
        own = Server('--cohort', str(cohort.parent), '--workers', '1')
        try:
            for name in ('ada', 'bruno'):
                own.enroll(name, media / f'{name}.mp4')
            job = own.train()
            self.assertIn('usable faces of 0 people', job['problem']['detail'])
            steps = [e[2] for e in self.events(job['id'], on=own) if e[1] == 'progress']
            self.assertEqual(steps[:2], [{'what': 'photos', 'done': done, 'total': 1000} for done in (1, 10)])
        finally:
            own.close()

    def test_events_go_on_where_they_broke_off(self):
        job = need_team()['Ada']['id']
        whole = self.events(job)
        self.assertEqual(self.events(job, {'Last-Event-ID': str(whole[4][0])}), whole[5:])
        self.assertEqual(self.events(job, query=f'?after={whole[-2][0]}'), whole[-1:])

    def test_a_job_can_be_stopped(self):
        long = [('video', 'long.mp4', video) for video in copies((media / 'ada.mp4').read_bytes(), 16)]  # nobody gets through it before it is stopped
        body, kind = multipart([('name', 'Long'), ('role', 'x'), ('every', '1'), *long])
        job = as_json(server.post('/api/v1/members', body, headers={'Content-Type': kind}))['job']['id']
        self.assertEqual(server.request('DELETE', f'/api/v1/jobs/{job}').status, 200)
        self.assertEqual(server.job(job)['state'], 'cancelled')
        self.assertNotIn('Long', [m['name'] for m in as_json(server.get('/api/v1/members'))['members']])
        server.cleans_up()

    def test_jobs_that_are_not_there(self):
        for path in ('0123456789abcdef', '0123456789abcdef/events', '0123456789abcdef/thumbs/0'):
            self.assertEqual(server.get(f'/api/v1/jobs/{path}').status, 404)
        self.assertEqual(server.get(f"/api/v1/jobs/{need_team()['Ada']['id']}/thumbs/99999").status, 404)


class Verification(unittest.TestCase):
    def verify(self, body, query='', **more):
        answer = server.post(f'/api/v1/verify{query}', body, **more)
        self.assertEqual(answer.status, 200, answer.body)
        return as_json(answer)

    def test_the_document(self):
        need_team()
        v = self.verify(photo('ada'))
        self.assertEqual(sorted(v), sorted('input decision member role rights probability threshold similarity reasons face classifier model elapsed_ms'.split()))
        self.assertEqual((v['decision'], v['member'], v['role'], v['rights'], v['reasons']), ('granted', 'Ada', 'engineer', ['lab', 'office'], []))
        self.assertGreaterEqual(v['probability'], .9)
        self.assertEqual(len(v['face']['points']), 5)

    def test_who_and_what(self):
        need_team()
        self.assertEqual(self.verify(photo('bruno'))['member'], 'Bruno')
        stranger = self.verify(photo('otto'))
        self.assertEqual((stranger['decision'], stranger['member']), ('unknown', None))
        self.assertEqual(self.verify(photo('bruno'), '?require=lab')['decision'], 'granted')
        denied = self.verify(photo('bruno'), '?require=office')
        self.assertEqual((denied['decision'], denied['reasons']), ('denied', ['right_missing']))

    def test_by_form(self):
        need_team()
        answer = server.form('/api/v1/verify', [('photo', 'me.jpg', photo('ada')), ('require', 'office')])
        self.assertEqual((as_json(answer)['decision'], as_json(answer)['input']), ('granted', 'me.jpg'))
        self.assertEqual(server.form('/api/v1/verify', [('photo', 'a.jpg', photo('ada')), ('photo', 'b.jpg', photo('ada'))]).status, 422)
        self.assertEqual(server.form('/api/v1/verify', [('require', 'office')]).status, 422)
        # A right that went unnoticed would open the door: of two, or of none, none is taken.
        for query, fields in (('?require=office&require=lab', []), ('?require=', []), ('?require=', [('require', 'office')]),
                              ('?require=lab', [('require', 'office')]), ('', [('require', 'lab'), ('require', 'office')])):
            answer = server.form('/api/v1/verify' + query, [('photo', 'me.jpg', photo('ada')), *fields])
            self.assertEqual(answer.status, 400, (query, fields))
        self.assertEqual(server.form('/api/v1/verify', [('photo', 'e.jpg', b'')]).status, 422)
        # A file is called as the client calls it, never as it lies here.
        detail = json.loads(server.form('/api/v1/verify', [('photo', 'notes.jpg', b'hello')]).body)['detail']
        self.assertTrue(detail.startswith('notes.jpg: not a photo'), detail)
        large = b'hello ' * 1000000
        for path in ('verify', 'look'):
            detail = json.loads(server.post(f'/api/v1/{path}', large).body)['detail']
            self.assertTrue(detail.startswith('photo: not a photo'), detail)

    def test_detail(self):
        need_team()
        v = self.verify(photo('otto'), '?detail=1')['detail']
        self.assertEqual((v['width'], v['height'], v['faces']), (640, 480, 1))
        self.assertEqual(base64.b64decode(v['chip'].split(',')[1])[:8], PNG)
        self.assertTrue(v['texts'][0])

    def test_a_look_tells_what_to_do_better_and_leaves_no_trace(self):
        need_team()
        before = as_json(server.get('/api/v1/audit?limit=1'))['rows'][0]['id']
        seen = as_json(server.post('/api/v1/look', photo('ada')))
        self.assertEqual((seen['usable'], seen['reason'], seen['width'], seen['faces']), (True, None, 640, 1))
        self.assertEqual(len(seen['face']['points']), 5)
        self.assertLess(abs(seen['quality']['yaw']), 30)
        nobody = as_json(server.post('/api/v1/look', base64.b64decode(GREY)))
        self.assertEqual((nobody['usable'], nobody['reason'], nobody['face']), (False, 'no_face', None))
        self.assertTrue(nobody['text'])
        self.assertEqual(server.post('/api/v1/look', b'').status, 422)
        self.assertEqual(server.post('/api/v1/look', b'hello').status, 422)
        self.assertEqual(server.post('/api/v1/look', photo('ada'), key=False).status, 401)
        self.assertEqual(as_json(server.get('/api/v1/audit?limit=1'))['rows'][0]['id'], before)

    def test_bodies_that_are_no_photos(self):
        need_team()
        for body, headers, status in [(b'', {}, 422), (b'hello', {}, 415), (photo('ada')[:2000], {}, 422), (PNG + b'\0' * 50, {}, 422),
                                      (b'{}', {'Content-Type': 'application/json'}, 415),
                                      (b'x', {'Content-Type': 'multipart/form-data'}, 422)]:
            answer = server.post('/api/v1/verify', body, headers=headers)
            with self.subTest(body=body[:20]):
                self.assertIn(answer.status, (status, 415, 422), answer.body)
                self.assertEqual(answer.headers['Content-Type'], 'application/problem+json')

    def test_a_photo_larger_than_memory_allows_goes_to_disk_and_away(self):
        need_team()
        padded = photo('ada') + b'\0' * (3 << 20)  # what follows a JPEG's end is no part of it
        self.assertEqual(self.verify(padded)['member'], 'Ada')
        server.cleans_up()

    def test_many_at_once(self):
        need_team()
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda i: self.verify(photo('ada' if i % 2 else 'bruno'))['member'], range(48)))
        self.assertEqual(answers, ['Bruno', 'Ada'] * 24)


class Team(unittest.TestCase):
    def test_change_and_remove(self):
        need_team()
        end = server.enroll('Zoe', media / 'otto.jpg', 'guest', ('hall',))
        self.assertEqual(end['state'], 'done', end)
        path = f"/api/v1/members/{end['result']['id']}"
        changed = server.request('PATCH', path, {'name': 'Zoe Z.', 'rights': ['lab', 'hall', 'lab']})
        self.assertEqual((as_json(changed)['name'], as_json(changed)['role'], as_json(changed)['rights']), ('Zoe Z.', 'guest', ['hall', 'lab']))
        self.assertEqual(as_json(server.request('PATCH', path, {'rights': []}))['rights'], [])
        for body, status in [({'name': ''}, 422), ({'rights': 'lab'}, 422), ({'rights': [1]}, 422), ([], 422), ({'name': 'Ada'}, 409)]:
            self.assertEqual(server.request('PATCH', path, body).status, status, body)
        self.assertEqual(server.request('PATCH', path, '{"name":', headers={'Content-Type': 'application/json'}).status, 422)
        self.assertEqual(server.request('PATCH', path, 'name=x', headers={'Content-Type': 'text/plain'}).status, 415)
        self.assertEqual(server.request('DELETE', path).status, 204)
        self.assertEqual(server.get(path).status, 404)
        self.assertEqual(server.request('DELETE', path).status, 404)

    def test_a_list_that_has_not_changed_is_not_sent_again(self):
        need_team()
        first = server.get('/api/v1/members')
        self.assertEqual(server.get('/api/v1/members', headers={'If-None-Match': first.headers['ETag']}).status, 304)
        self.assertEqual(server.get('/api/v1/members', headers={'If-None-Match': '"0"'}).status, 200)

    def test_ids_that_are_none(self):
        for text in ('0', '-1', 'x', '99999999999999999999', '1e3', '%31%00', '..%2f..'):
            self.assertEqual(server.get(f'/api/v1/members/{text}').status, 404, text)


class Training(unittest.TestCase):
    def test_versions(self):
        end = need_team()['training']
        self.assertEqual((end['state'], end['result']['active']), ('done', True))
        versions = as_json(server.get('/api/v1/classifiers'))['classifiers']
        self.assertEqual([v['version'] for v in versions if v['active']], [as_json(server.get('/api/v1/about'))['classifier']])
        second = server.train()['result']['version']
        self.assertGreater(second, end['result']['version'])
        back = as_json(server.post(f"/api/v1/classifiers/{end['result']['version']}/activate"))['classifiers']
        self.assertEqual([v['version'] for v in back if v['active']], [end['result']['version']])
        self.assertEqual(as_json(server.post('/api/v1/verify', photo('ada')))['classifier'], end['result']['version'])
        self.assertEqual(server.post('/api/v1/classifiers/9999/activate').status, 404)

    def test_the_report_tells_of_each_member(self):
        people = need_team()['training']['result']['report']['people']
        self.assertEqual(sorted(p['member'] for p in people), ['Ada', 'Bruno'])
        self.assertEqual({p['member']: p['nearest_member'] for p in people}, {'Ada': 'Bruno', 'Bruno': 'Ada'})
        self.assertEqual(people[0]['nearest'], people[1]['nearest'])
        for p in people:
            self.assertLessEqual(p['own_low'], p['own'])
            self.assertGreater(p['own'], max(p['nearest'], p['stranger']))
            self.assertGreater(p['templates'], 3)


class Audit(unittest.TestCase):
    def test_pages(self):
        need_team()
        for _ in range(5):
            server.post('/api/v1/verify', photo('bruno'))
        whole = as_json(server.get('/api/v1/audit?limit=1000'))
        self.assertIsNone(whole['next_before'])
        row = whole['rows'][0]
        self.assertEqual((row['action'], row['decision'], row['subject'], row['source']), ('verify', 'granted', 'Bruno', '127.0.0.1'))
        self.assertTrue(row['actor'].startswith('key:'))
        paged, before = [], 0
        while before is not None:
            page = as_json(server.get(f'/api/v1/audit?limit=3&before={before}'))
            paged += page['rows']
            before = page['next_before']
        self.assertEqual(paged, whole['rows'])
        for query in ('limit=0', 'limit=1001', 'limit=x', 'before=-1'):
            self.assertEqual(server.get(f'/api/v1/audit?{query}').status, 400, query)
        self.assertNotIn(server.key, json.dumps(whole))


class Metrics(unittest.TestCase):
    def test_prometheus_text(self):
        need_team()
        server.post('/api/v1/verify', photo('ada'))
        answer = server.get('/metrics')
        self.assertTrue(answer.headers['Content-Type'].startswith('text/plain; version=0.0.4'))
        values = {}
        for line in answer.body.decode().splitlines():
            if not line.startswith('#'):
                match = re.fullmatch(r'(facegate_[a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+)', line)
                self.assertTrue(match, line)
                values[match[1]] = float(match[2])
        self.assertGreater(values['facegate_decisions_total{decision="granted"}'], 0)
        of = lambda what, stage: values[f'facegate_stage_seconds_{what}{{stage="{stage}"}}']
        for stage in ('decode', 'detect', 'embed', 'decide', 'record', 'server'):
            buckets = [v for k, v in values.items() if k.startswith(f'facegate_stage_seconds_bucket{{stage="{stage}"')]
            self.assertEqual((buckets, buckets[-1]), (sorted(buckets), of('count', stage)))
            self.assertGreater(buckets[-1], 0)
        self.assertEqual(of('count', 'record'), sum(v for k, v in values.items() if k.startswith('facegate_decisions_total')))
        self.assertGreaterEqual(of('sum', 'server'), of('sum', 'record'))  # a decision without its line in the audit would be none


class WebApp(unittest.TestCase):
    def test_the_first_view(self):
        page = server.get('/', key=False)
        self.assertIn("script-src 'self'", page.headers['Content-Security-Policy'])
        sizes, todo = {}, ['/']
        while todo:
            path = todo.pop()
            if path in sizes:
                continue
            answer = server.get(path, key=False)
            self.assertEqual(answer.status, 200, path)
            sizes[path] = len(answer.body)
            text = answer.body.decode()
            self.assertNotRegex(text.replace('http://www.w3.org/2000/svg', ''), r'https?://', path)
            todo += re.findall(r'(?:href|src)="(/[^"]+\.(?:css|js|svg))"', text)
            todo += [os.path.normpath('/js/' + m) for m in re.findall(r"(?:from |import\()'(\./\w+\.js)'", text)]
        self.assertGreater(len(sizes), 20)
        self.assertLess(max(sizes.values()), 40 * 1024) # tests/browser weighs what one page fetches

    def test_pages_and_caching(self):
        for path in ('/team', '/add', '/train', '/test', '/activity', '/settings', '/about', '/signin', '/member', '/kiosk'):
            self.assertIn(b'<title>Facegate</title>', server.get(path, key=False).body)
        first = server.get('/app.css', key=False)
        self.assertEqual(server.get('/app.css', key=False, headers={'If-None-Match': first.headers['ETag']}).status, 304)
        for known, status in (('*', 304), (f'"x", W/{first.headers["ETag"]}', 304), (f'"x{first.headers["ETag"]}', 200)):
            self.assertEqual(server.get('/app.css', key=False, headers={'If-None-Match': known}).status, status, known)
        self.assertEqual(server.get('/js/../../etc/passwd', key=False).status, 404)


if __name__ == '__main__':
    main()
