#!/usr/bin/env python3
"""The commands of the README's section on the API, run as they are written."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from client import SOURCE, Server, main, render


class Readme(unittest.TestCase):
    def test_its_commands_do_what_they_say(self):
        if not shutil.which('jq') or not shutil.which('curl'):
            self.skipTest('needs curl and jq')
        section = re.search(r'^## The API\n(.*?)^## ', (SOURCE / 'README.md').read_text(), re.M | re.S)[1]
        lines = [line[4:] for line in section.splitlines() if line.startswith('    ')]
        commands = [line for line in lines if line and not line.startswith(('#', 'export'))]
        self.assertGreater(len(commands), 8)
        work = pathlib.Path(tempfile.mkdtemp(prefix='facegate-readme-'))
        self.addCleanup(shutil.rmtree, work)
        render('video', 'ada.jpg', work / 'ada.mp4', 0)
        render('photo', 'ada.jpg', work / 'photo.jpg', 1)
        own = Server()
        try:
            done = subprocess.run(['bash', '-euo', 'pipefail', '-c', '\n'.join(commands)], cwd=work, capture_output=True, text=True, timeout=300,
                                  env={**os.environ, 'URL': own.url, 'KEY': own.key})
            self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout[-2000:])
            self.assertEqual(done.stdout.count('event: end'), 2)
            self.assertEqual(done.stdout.count('"state":"done"'), 2)
            documents = [json.loads(part) for part in re.findall(r'^\{.*\}$', re.sub(r'\}\{', '}\n{', done.stdout), re.M)]
            self.assertEqual([d.get('decision') for d in documents if 'decision' in d], ['granted'])
            self.assertEqual(len(next(d for d in documents if 'rows' in d)['rows']), 1)
            self.assertEqual(next(d for d in documents if 'defaults' in d)['retention_attempts_days'], 90)
            self.assertEqual(documents[-1]['scopes'], ['verify'])
            self.assertTrue((work / 'audit.csv').read_text().startswith('time,action'))
            self.assertTrue((work / 'chips.zip').read_bytes().startswith(b'PK'))
        finally:
            own.close()


if __name__ == '__main__':
    main()
