#!/usr/bin/env python3
"""The team's dataset over HTTP."""
import io
import pathlib
import pickle
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from client import PROGRAM, Server, as_json, main, render


def setUpModule():
    global media, server
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    server = Server()
    for n, name in enumerate(('ada', 'bruno')):
        server.enroll(name.title(), render('video', f'{name}.jpg', media / f'{name}.mp4', n))


def tearDownModule():
    server.close()
    shutil.rmtree(media)


class Dataset(unittest.TestCase):
    def key(self, scope):
        return as_json(server.post('/api/v1/keys', {'scope': scope}))['key']

    def test_npz(self):
        answer = server.get('/api/v1/dataset.npz')
        self.assertEqual((answer.status, answer.headers['Content-Type']), (200, 'application/zip'))
        self.assertEqual(answer.headers['Content-Disposition'], 'attachment; filename="data.npz"')
        with zipfile.ZipFile(io.BytesIO(answer.body)) as z:
            self.assertEqual(z.namelist(), ['data.npy', 'label.npy', 'segment.npy', 'model.npy'])
            self.assertIsNone(z.testzip())
            self.assertIn(b"'descr': '<f4'", z.read('data.npy')[:128])
        server.cleans_up()

    def test_pickle(self):
        try:
            import numpy
        except ImportError:
            self.skipTest('no numpy')
        data = pickle.loads(server.get('/api/v1/dataset.pickle').body)
        self.assertEqual(set(data['label']), {'Ada', 'Bruno'})
        self.assertEqual(len(data['data']), len(data['label']))
        self.assertTrue(all(abs(numpy.linalg.norm(row) - 1) < 1e-3 and row.dtype == numpy.float32 for row in data['data']))

    def test_who_may(self):
        for path in ('/api/v1/dataset.npz', '/api/v1/dataset.pickle'):
            self.assertEqual(server.get(path, key=False).status, 401)
            self.assertEqual(server.get(path, key=self.key('verify')).status, 403)
            self.assertEqual(server.get(path, key=self.key('enroll')).status, 200)
            self.assertEqual(server.post(path).status, 405)
        self.assertEqual(server.get('/api/v1/dataset.csv').status, 404)
        actions = [row['action'] for row in as_json(server.get('/api/v1/audit'))['rows']]
        self.assertGreaterEqual(actions.count('export'), 2)

    def test_an_imported_member_has_no_pictures_and_troubles_nobody(self):
        (media / 'data.npz').write_bytes(server.get('/api/v1/dataset.npz').body)
        own = Server()
        try:
            subprocess.run([PROGRAM, '--data', own.data, 'import', '--role', 'engineer', media / 'data.npz'], check=True, capture_output=True)
            own.enroll('Carla', render('video', 'carla.jpg', media / 'carla.mp4', 0))
            members = as_json(own.get('/api/v1/members'))['members']
            self.assertEqual([m['name'] for m in members], ['Ada', 'Bruno', 'Carla'])
            ada = members[0]['id']
            self.assertEqual(as_json(own.get(f'/api/v1/members/{ada}/chips')), {'chips': []})
            self.assertEqual(own.get(f'/api/v1/members/{ada}/portrait').status, 404)
            self.assertEqual(own.get(f'/api/v1/members/{ada}/chips.zip').status, 404)
            with zipfile.ZipFile(io.BytesIO(own.get('/api/v1/chips.zip').body)) as z:
                self.assertEqual([r['subject'] for r in as_json(own.get('/api/v1/audit?action=export'))['rows']][:1], ['chips'])
                self.assertTrue(all('Carla' in name for name in z.namelist()))
            self.assertEqual(as_json(own.get(f'/api/v1/members/{ada}/sources'))['sources'][0]['kind'], 'dataset')
            self.assertEqual(own.train()['state'], 'done')
            photo = render('photo', 'ada.jpg', media / 'ada.jpg', 1).read_bytes()
            self.assertEqual(as_json(own.post('/api/v1/verify', photo))['member'], 'Ada')
            self.assertEqual(own.request('PATCH', '/api/v1/settings', {'retention_chips_days': 1, 'retention_originals_days': 1}).status, 200)
            self.assertEqual(own.request('DELETE', f'/api/v1/members/{ada}').status, 204)
            self.assertEqual(len(as_json(own.get('/api/v1/members'))['members']), 2)
        finally:
            own.close()

    def test_an_empty_team_has_none(self):
        own = Server()
        try:
            answer = own.get('/api/v1/dataset.npz')
            self.assertEqual((answer.status, as_json(answer)['code']), (409, 'wrong_state'))
            own.cleans_up()
        finally:
            own.close()


if __name__ == '__main__':
    main()
