#!/usr/bin/env python3
"""Long work: it waits in a line, can be stopped, outlives the server, and holds up nobody at the door."""
import http.client
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from client import PROGRAM, SLOW, Server, as_json, copies, main, render, until


def setUpModule():
    global media
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    for name in ('ada', 'bruno', 'otto'):
        render('photo', f'{name}.jpg', media / f'{name}.jpg', 1)
    for name in ('ada', 'bruno', 'carla'):
        render('video', f'{name}.jpg', media / f'{name}.mp4', 0)


def tearDownModule():
    shutil.rmtree(media)


def order(server, name, video, key=True, times=1, **fields):
    """An enrolment from the video, given so many times: then it lasts as long as a test wants."""
    files = [('video', video, data) for data in copies((media / video).read_bytes(), times)]
    answer = server.form('/api/v1/members', [('name', name), ('role', 'x'), *fields.items(), *files], key=key)
    assert answer.status == 202, answer
    return as_json(answer)['job']['id']


def events(server, job, key=True, **headers):
    answer = server.get(f'/api/v1/jobs/{job}/events', headers={k.replace('_', '-'): v for k, v in headers.items()}, key=key)
    out = []
    for block in answer.body.decode().split('\n\n'):
        lines = dict(line.split(': ', 1) for line in block.splitlines() if not line.startswith(':'))
        if lines:
            out.append((int(lines['id']), lines['event'], json.loads(lines['data'])))
    return out


def names(server, key=True):
    return [m['name'] for m in as_json(server.get('/api/v1/members', key=key))['members']]


class Restart(unittest.TestCase):
    def again(self, own):
        server = Server(data=own.data)
        server.key = own.key
        self.addCleanup(server.close)
        return server

    def fresh(self):
        own = Server()
        self.addCleanup(shutil.rmtree, own.data)
        return own

    def run_over(self, end):
        own = self.fresh()
        own.own = False
        done = order(own, 'Ada', 'ada.mp4')
        self.assertEqual(own.job(done)['state'], 'done')
        last = events(own, done)[-1]
        running = order(own, 'Carla', 'carla.mp4', times=3, every='1')
        waiting = [order(own, 'Bruno', 'bruno.mp4'), as_json(own.post('/api/v1/train'))['job']['id']]
        cancelled = order(own, 'Otto', 'otto.jpg')
        self.assertEqual(as_json(own.request('DELETE', f'/api/v1/jobs/{cancelled}'))['state'], 'cancelled')
        own.job(running, lambda d: d['frames_sampled'] > 0)
        end(own)
        server = self.again(own)
        self.assertEqual([j['id'] for j in as_json(server.get('/api/v1/jobs'))['jobs']], [cancelled, waiting[1], waiting[0], running, done])
        ends = [server.job(j) for j in (running, *waiting)]
        self.assertEqual([e['state'] for e in ends], ['done'] * 3, ends)
        self.assertEqual([e['attempts'] for e in ends], [2, 1, 1])
        self.assertEqual(names(server), ['Ada', 'Bruno', 'Carla'])
        self.assertEqual(as_json(server.get(f'/api/v1/jobs/{cancelled}'))['state'], 'cancelled')
        # What had ended is told as it was, under the number that it had.
        last[2]['thumbs'] = []  # these were in memory alone
        self.assertEqual(events(server, done), [last])
        self.assertEqual(events(server, done, Last_Event_ID=str(last[0])), [])
        again = events(server, running, Last_Event_ID='7')
        self.assertEqual((again[0][1], again[0][2]['attempt'], again[-1][1]), ('start', 2, 'end'))
        self.assertGreater(again[0][0], 7)
        self.assertEqual(list((own.data / 'jobs').glob('*')), [])

    def test_a_server_that_is_stopped_leaves_its_work_to_the_next(self):
        self.run_over(lambda own: self.assertEqual(own.stop(), 0))

    def test_so_does_one_that_is_killed(self):
        self.run_over(lambda own: own.kill())

    def test_what_kills_the_server_again_and_again_is_given_up(self):
        server = own = self.fresh()
        own.own = False
        job = order(own, 'Carla', 'carla.mp4', times=16, every='1')
        for end in (Server.stop, Server.kill, Server.stop, Server.kill, Server.kill):  # to be stopped is no fault of the job
            server.job(job, lambda d: d['frames_sampled'] > 0, key=own.key)
            end(server)
            server = Server(data=own.data)
        self.addCleanup(server.close)
        server.key = own.key
        ended = server.job(job, lambda d: d['state'] != 'running')
        self.assertEqual((ended['state'], ended['attempts']), ('failed', 5))
        self.assertIn('killed 3 times', ended['problem']['detail'])
        self.assertEqual(events(server, job)[-1][1], 'end')
        self.assertEqual(list((server.data / 'jobs').glob('*')), [])
        self.assertEqual(server.job(order(server, 'Bruno', 'bruno.mp4'))['state'], 'done')

    def test_an_enrolment_that_was_through_is_not_done_twice(self):
        own = self.fresh()
        own.own = False
        job = order(own, 'Ada', 'ada.mp4')
        before = own.job(job)['result']
        own.stop()
        # As if killed between the enrolment and the note that it has ended.
        import sqlite3
        db = sqlite3.connect(own.data / 'facegate.db')
        db.execute("UPDATE job SET end_json = '' WHERE id = ?", (job,))
        db.commit()
        db.close()
        folder = own.data / 'jobs' / job
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(media / 'ada.mp4', folder / '00')
        server = self.again(own)
        end = server.job(job)
        self.assertEqual((end['state'], end['attempts'], end['result']['id']), ('done', 2, before['id']))
        self.assertEqual(as_json(server.get(f"/api/v1/members/{before['id']}"))['sources'], 1)

    def test_killed_in_training(self):
        own = self.fresh()
        own.own = False
        for name in ('Ada', 'Bruno'):
            self.assertEqual(own.job(order(own, name, f'{name.lower()}.mp4'))['state'], 'done')
        job = as_json(own.post('/api/v1/train'))['job']['id']
        own.job(job, lambda d: d['state'] != 'queued')
        own.kill()
        server = self.again(own)
        self.assertEqual(server.job(job)['state'], 'done')
        self.assertTrue(any(c['active'] for c in as_json(server.get('/api/v1/classifiers'))['classifiers']))
        self.assertEqual(as_json(server.post('/api/v1/verify', (media / 'ada.jpg').read_bytes()))['decision'], 'granted')

    def test_a_server_beside_another_leaves_its_jobs_alone(self):
        own = self.fresh()
        own.own = False
        running, waiting = order(own, 'Carla', 'carla.mp4', times=16, every='1'), order(own, 'Bruno', 'bruno.mp4')
        own.job(running, lambda d: d['frames_sampled'] > 0)
        second = self.again(own)
        for job in (running, waiting):
            self.assertEqual(second.get(f'/api/v1/jobs/{job}').status, 404)
        self.assertEqual(own.request('DELETE', f'/api/v1/jobs/{running}').status, 200)
        self.assertEqual(own.job(running)['state'], 'cancelled')
        end = own.job(waiting)
        self.assertEqual((end['state'], end['attempts']), ('done', 1))
        own.stop()


class Line(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_the_line_has_an_end_and_photos_do_not_stand_in_it(self):
        server = self.server
        self.assertEqual(server.job(order(server, 'Ada', 'ada.mp4'))['state'], 'done')
        server.train()
        running = order(server, 'Carla', 'carla.mp4', times=16, every='1')
        server.job(running, lambda d: d['state'] == 'running')
        waiting = [as_json(server.post('/api/v1/train'))['job']['id'] for _ in range(16)]
        full = server.post('/api/v1/train')
        self.assertEqual((full.status, as_json(full)['code']), (429, 'busy'))
        self.assertGreater(int(full.headers['Retry-After']), 0)
        body = server.form('/api/v1/members', [('name', 'Late'), ('role', 'x'), ('video', 'l.jpg', b'x')])
        self.assertEqual(body.status, 429)
        # Nobody at the door waits for any of this.
        for _ in range(5):
            self.assertEqual(as_json(server.post('/api/v1/verify', (media / 'ada.jpg').read_bytes()))['decision'], 'granted')
        self.assertEqual(as_json(server.get(f'/api/v1/jobs/{running}'))['state'], 'running')
        for job in waiting:
            self.assertEqual(as_json(server.request('DELETE', f'/api/v1/jobs/{job}'))['state'], 'cancelled')
        self.assertEqual(as_json(server.request('DELETE', f'/api/v1/jobs/{running}'))['id'], running)
        self.assertEqual(server.job(running)['state'], 'cancelled')
        self.assertNotIn('Carla', names(server))
        self.assertEqual(list((server.data / 'jobs').glob('*')), [])
        server.cleans_up()

    def test_what_a_job_tells(self):
        server = self.server
        job = order(server, 'Bruno', 'bruno.mp4')
        end = server.job(job)
        frames = [e[2] for e in events(server, job) if e[1] == 'frame']
        self.assertEqual((end['frames_sampled'], end['faces_found']), (len(frames), sum(f['faces'] > 0 for f in frames)))
        self.assertEqual(end['faces_used'] + sum(end['refused'].values()), end['frames_sampled'])
        self.assertEqual(end['thumbs'], [f['thumb'] for f in frames][-12:])
        self.assertEqual(server.get(end['thumbs'][-1]).body[:3], b'\xff\xd8\xff')

    def test_a_list_that_has_not_changed_is_not_sent_again(self):
        for path in ('/api/v1/jobs', '/api/v1/classifiers', '/api/v1/keys', '/api/v1/settings', '/api/v1/audit?action=nothing'):
            first = self.server.get(path)
            self.assertEqual(self.server.get(path, headers={'If-None-Match': first.headers['ETag']}).status, 304, path)
            self.assertEqual(self.server.get(path, headers={'If-None-Match': f'"x", W/{first.headers["ETag"]}'}).status, 304, path)
            self.assertEqual(self.server.get(path, headers={'If-None-Match': '"0"'}).status, 200, path)

    def test_a_stream_ends_with_the_key_or_the_session(self):
        server = self.server
        made = [as_json(server.post('/api/v1/keys', {'label': 'x', 'scope': 'enroll'})) for _ in range(2)]
        answer = server.post('/signin', {'key': made[1]['key']}, key=False, headers={'X-Facegate': '1'})
        cookie = answer.headers['Set-Cookie'].split(';')[0]
        ways = (({'Authorization': f"Bearer {made[0]['key']}"}, lambda: server.request('DELETE', f"/api/v1/keys/{made[0]['id']}")),
                ({'Cookie': cookie}, lambda: server.post('/signout', key=False, headers={'Cookie': cookie, 'X-Facegate': '1'})))
        for headers, end in ways:
            job = order(server, 'Ines', 'carla.mp4', times=16, every='1')
            connection = http.client.HTTPConnection(server.host, server.port, timeout=120 * SLOW)
            connection.request('GET', f'/api/v1/jobs/{job}/events', headers=headers)
            stream = connection.getresponse()
            self.assertEqual(stream.status, 200)
            while stream.readline() != b'event: frame\n':
                pass
            self.assertIn(end().status, (200, 204))
            rest = stream.read()
            self.assertNotIn(b'event: end', rest)
            self.assertEqual(as_json(server.request('DELETE', f'/api/v1/jobs/{job}'))['state'], 'running')
            server.job(job)
            connection.close()

    def test_who_is_removed_is_in_no_job(self):
        server = self.server
        job = order(server, 'Wilma Unvergleichlich', 'otto.jpg')
        member = server.job(job)['result']['id']
        self.assertEqual(server.request('DELETE', f'/api/v1/members/{member}').status, 204)
        self.is_gone(job, 'Wilma')

    def is_gone(self, job, name):
        for path in ('', '/thumbs/0', '/events'):
            self.assertEqual(self.server.get(f'/api/v1/jobs/{job}{path}').status, 404, path)
        self.assertNotIn(name, self.server.get('/api/v1/jobs').body.decode())

    def test_a_removal_that_cannot_delete_the_files_tries_again(self):
        server = self.server
        members = server.data / 'blobs/members'
        before = set(members.glob('*'))
        job = order(server, 'Gerda', 'otto.jpg')
        member = server.job(job)['result']['id']
        folder, = set(members.glob('*')) - before
        aside = folder.rename(members.with_name('aside'))
        folder.symlink_to(aside)  # which nothing follows
        answer = server.request('DELETE', f'/api/v1/members/{member}')
        self.assertEqual((answer.status, as_json(answer)['code']), (500, 'io'))
        self.assertIn('the member is removed', as_json(answer)['detail'])
        self.assertNotIn('/', as_json(answer)['detail'])
        self.assertIn(str(folder.name), server.said())
        self.is_gone(job, 'Gerda')
        self.assertEqual(server.request('DELETE', f'/api/v1/members/{member}').status, 404)
        self.assertEqual(as_json(server.get('/api/v1/audit?limit=1'))['rows'][0]['action'], 'member_remove')
        folder.unlink()
        aside.rename(folder)
        server.request('PATCH', '/api/v1/settings', {})  # wakes who sweeps
        until(lambda: not folder.exists(), server=server)

    def test_so_does_an_enrolment_that_came_to_nothing(self):
        server = self.server
        members = server.data / 'blobs/members'
        before = set(members.glob('*/*'))
        job = order(server, 'Hanna', 'carla.mp4', times=16, every='1')
        folder, = until(lambda: set(members.glob('*/*')) - before, server=server)
        folder.joinpath(*'d' * 150).mkdir(parents=True)  # deeper than anything goes
        self.assertEqual(server.request('DELETE', f'/api/v1/jobs/{job}').status, 200)
        self.assertEqual(server.job(job)['state'], 'cancelled')
        self.assertIn('will be tried again', server.said())
        shutil.rmtree(folder / 'd')
        server.request('PATCH', '/api/v1/settings', {})
        until(lambda: not folder.exists(), server=server)

    def broken(self, name):
        """An enrolment that fails after its first face."""
        files = [('video', 'a.jpg', (media / 'otto.jpg').read_bytes()), ('video', 'b.mp4', b'x')]
        job = as_json(self.server.form('/api/v1/members', [('name', name), ('role', 'x'), *files]))['job']['id']
        self.assertEqual(self.server.job(job)['state'], 'failed')
        self.assertEqual(self.server.get(f'/api/v1/jobs/{job}/thumbs/0').status, 200)
        return job

    def test_nor_who_had_another_name_then(self):
        server = self.server
        failed = self.broken('Dario')
        job = order(server, 'Dario', 'otto.jpg')
        member = server.job(job)['result']['id']
        self.assertEqual(server.get(f'/api/v1/jobs/{job}/thumbs/0').status, 200)
        for name in ('Dario Rossi', 'Dario Bianchi'):
            self.assertEqual(server.request('PATCH', f'/api/v1/members/{member}', {'name': name}).status, 200)
        self.assertEqual(server.request('DELETE', f'/api/v1/members/{member}').status, 204)
        for each in (job, failed):
            self.is_gone(each, 'Dario')

    def test_nor_who_is_removed_on_the_command_line(self):
        server = self.server
        job = order(server, 'Elena', 'otto.jpg')
        member = server.job(job)['result']['id']
        more = server.form(f'/api/v1/members/{member}/sources', [('every', '1'), *[('video', 'b.mp4', (media / 'bruno.mp4').read_bytes())] * 16])
        more = as_json(more)['job']['id']
        server.job(more, lambda d: d['frames_sampled'] > 0)
        subprocess.run([PROGRAM, '--data', server.data, 'members', 'remove', 'Elena'], check=True, capture_output=True)
        for each in (job, more):
            self.is_gone(each, 'Elena')

    def test_what_has_ended_can_be_erased(self):
        server = self.server
        job = self.broken('Frida')
        last = as_json(server.request('DELETE', f'/api/v1/jobs/{job}'))
        self.assertEqual((last['state'], last['thumbs']), ('failed', []))
        self.is_gone(job, 'Frida')
        for file in server.data.glob('facegate.db*'):
            self.assertNotIn(b'Frida', file.read_bytes(), file)
        self.assertEqual(server.request('DELETE', f'/api/v1/jobs/{job}').status, 404)


if __name__ == '__main__':
    main()
