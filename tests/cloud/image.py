#!/usr/bin/python3
"""Performs the Dockerfile's own steps in folders made by debootstrap, and tries the result: there is no Docker engine here.

    sudo tests/cloud/image.py [--keep] [WORK]

Needs root, debootstrap, ffmpeg and the network, 4 GB below WORK (default: a folder in /var/tmp) and up to a quarter of an hour; so it is
not part of script/test. Knows FROM ... AS, WORKDIR, COPY [--from], RUN, ENV, USER, EXPOSE, ENTRYPOINT and CMD.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# What makes debian:bookworm-slim slim, and quick to install into.
SLIM = '\n'.join(f'path-exclude {p}' for p in ('/usr/share/doc/*', '/usr/share/info/*', '/usr/share/linda/*', '/usr/share/lintian/*',
                                               '/usr/share/locale/*', '/usr/share/man/*')) + '\npath-include /usr/share/doc/*/copyright\nforce-unsafe-io\n'


# As the official image has it, with {} for the archive.
SOURCES = '\n'.join(f'''Types: deb
URIs: {{}}{archive}
Suites: {suites}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
''' for archive, suites in (('', 'bookworm bookworm-updates'), ('-security', 'bookworm-security')))
# Every kind of video that is taken; the image's FFmpeg is its own.
VIDEOS = {
    'h264.mp4': ['-c:v', 'copy'], 'h264.mov': ['-c:v', 'copy'], 'h264.mkv': ['-c:v', 'copy'], 'hevc.mp4': ['-c:v', 'libx265', '-x265-params', 'log-level=none'],
    'vp8.webm': ['-c:v', 'libvpx', '-b:v', '2M'], 'vp9.webm': ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-b:v', '2M'],
    'mpeg4.mp4': ['-c:v', 'mpeg4', '-q:v', '3'], 'av1.mp4': ['-c:v', 'libsvtav1', '-preset', '12'],
}


def instructions(text):
    text = re.sub(r'^\s*#.*\n', '', text, flags=re.M).replace('\\\n', ' ')
    return [line.split(None, 1) for line in text.splitlines() if line.strip()]


class Stage:
    def __init__(self, root):
        self.root, self.env, self.folder, self.user, self.entry, self.command = root, {}, '/', '0', [], []

    def run(self, words, user='0', check=True, **options):
        env = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/', 'DEBIAN_FRONTEND': 'noninteractive', **self.env,
               **options.pop('env', {})}
        for name in ('http_proxy', 'https_proxy'):
            if name in os.environ:
                env[name] = os.environ[name]
        return subprocess.run(self.words(words, user), env=env, check=check, **options)

    def words(self, words, user):
        # A mount and process space of its own: nothing stays mounted, and nothing goes on running, when it ends.
        inside = f'mount -t proc proc {self.root}/proc && exec /usr/sbin/chroot --userspec={user}:{user} {self.root} /bin/sh -c \'cd "$0" && exec "$@"\' "$@"'
        return ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', '/bin/sh', '-c', inside, 'sh', self.folder, *words]


def ignored(path):
    for line in (SOURCE / '.dockerignore').read_text().split():
        pattern = line.removeprefix('**/')
        if any(fnmatch.fnmatch(part, pattern) for part in (path.parts if line.startswith('**/') else path.parts[:1])):
            return True
    return False


def copy_source(name, target, many):
    base = SOURCE / name
    files = [base] if base.is_file() else [p for p in base.rglob('*') if p.is_file()]
    for path in files:
        if ignored(path.relative_to(SOURCE)):
            continue
        to = target / path.name if base.is_file() and (many or target.is_dir()) else target if base.is_file() else target / path.relative_to(base)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)


def base_system(work):
    root = work / 'base'
    if root.exists():
        return root
    subprocess.run(['debootstrap', '--variant=minbase', 'bookworm', str(root)], check=True, stdout=subprocess.DEVNULL)
    (root / 'etc/dpkg/dpkg.cfg.d/slim').write_text(SLIM)
    by_debootstrap = root / 'etc/apt/sources.list'      # deb ARCHIVE bookworm main
    (root / 'etc/apt/sources.list.d/debian.sources').write_text(SOURCES.replace('{}', by_debootstrap.read_text().split()[1].rstrip('/')))
    by_debootstrap.unlink()
    for name in ('doc', 'info', 'locale', 'man', 'lintian'):
        for path in (root / 'usr/share' / name).glob('*'):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in (root / 'var/cache/apt/archives').glob('*.deb'):
        path.unlink()
    shutil.rmtree(root / 'var/lib/apt/lists')
    (root / 'var/lib/apt/lists').mkdir()
    return root


def megabytes(root):
    return int(subprocess.run(['du', '-sxm', '--exclude=./proc/*', '.'], cwd=root, check=True, capture_output=True, text=True).stdout.split()[0])


def megabytes_of(path):
    return sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob('*')) if p.is_file()) / 1e6


def build(work):
    base, stages, stage = base_system(work), {}, None
    print(f'-- debian:bookworm-slim: {megabytes(base)} MB', flush=True)
    for word, rest in instructions((SOURCE / 'Dockerfile').read_text()):
        print('--', word, rest[:110], flush=True)
        if word == 'FROM':
            assert rest.split()[0] == 'debian:bookworm-slim', rest
            name = rest.split(' AS ')[1] if ' AS ' in rest else 'result'
            stage = stages[name] = Stage(work / name)
            if not stage.root.exists() or name == 'result':
                shutil.rmtree(stage.root, ignore_errors=True)
                subprocess.run(['cp', '-a', str(base), str(stage.root)], check=True)
            shutil.copy('/etc/resolv.conf', stage.root / 'etc/resolv.conf')
        elif word == 'WORKDIR':
            stage.folder = rest
            (stage.root / rest.lstrip('/')).mkdir(parents=True, exist_ok=True)
        elif word == 'COPY':
            words = shlex.split(rest)
            origin = words.pop(0).removeprefix('--from=') if words[0].startswith('--from=') else None
            target = stage.root / (pathlib.PurePosixPath(stage.folder) / words[-1]).relative_to('/')
            if words[-1].endswith('/') or len(words) > 2:
                target.mkdir(parents=True, exist_ok=True)
            for name in words[:-1]:
                if origin:
                    subprocess.run(['cp', '-a', f'{stages[origin].root}{name}/.', str(target)], check=True)
                else:
                    copy_source(name, target, len(words) > 2)
        elif word == 'RUN':
            with open(work / 'log', 'w+') as log:
                if stage.run(['/bin/sh', '-c', rest], check=False, stdout=log, stderr=log).returncode != 0:
                    log.seek(0)
                    sys.exit('this step failed:\n' + log.read()[-4000:])
        elif word == 'ENV':
            stage.env.update(pair.split('=', 1) for pair in shlex.split(rest))
        elif word == 'USER':
            stage.user = rest
        elif word == 'ENTRYPOINT':
            stage.entry = json.loads(rest)
        elif word == 'CMD':
            stage.command = json.loads(rest)
        else:
            assert word == 'EXPOSE', word
    return stages['result']


def get(url, data=None, headers=None, status=200):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=60) as answer:
            body, got = answer.read(), answer.status
    except urllib.error.HTTPError as e:
        body, got = e.read(), e.code
    assert got == status, (url, got, body)
    return body


def packages(root):
    """Their installed sizes in MB."""
    said = subprocess.run(['dpkg-query', f'--admindir={root}/var/lib/dpkg', '-W', '-f', '${Package} ${Installed-Size}\n'], check=True, capture_output=True, text=True)
    return {name: int(size) / 1024 for name, size in map(str.split, said.stdout.splitlines())}


def where_it_goes(image, base):
    before, largest = packages(base), packages(image.root)
    new = sorted(((size, name) for name, size in largest.items() if name not in before), reverse=True)
    own = {'models': 'usr/share/facegate', 'program': 'usr/bin/facegate'}
    print(f'-- the image: {megabytes(image.root)} MB, of which the base is {megabytes(base)};',
          ', '.join(f'{name} {megabytes_of(image.root / path):.0f}' for name, path in own.items()) + ';',
          ', '.join(f'{name} {size:.0f}' for size, name in new[:8]) + f';\n   {len(new) - 8} other packages {sum(size for size, _ in new[8:]):.0f}',
          flush=True)


def try_it(image, work):
    where_it_goes(image, work / 'base')
    for tool in ('gcc', 'cc', 'meson', 'ninja', 'make', 'ld'):
        found = image.run(['sh', '-c', f'command -v {tool} || true'], capture_output=True, text=True).stdout
        assert not found, f'{tool} is in the image: {found}'
    writable = image.run(['sh', '-c', 'find / -xdev -type d -writable -not -path "/proc/*" 2>/dev/null || true'], user=image.user, capture_output=True,
                         text=True).stdout.split()
    print('   folders that the user may write to:', ' '.join(writable))
    assert set(writable) <= {'/tmp', '/var/tmp', '/run/lock', '/var/lib/facegate', '/dev/shm'}, writable
    said = image.run([*image.entry, 'version'], user=image.user, capture_output=True, text=True).stdout
    print('  ', said.strip())
    videos(image, work)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    url = f'http://127.0.0.1:{port}'
    env = {'PATH': '/usr/bin:/bin', **image.env, 'PORT': str(port), 'FACEGATE_ADMIN_KEY': 'a-key-of-the-test-0123456789'}
    began = time.monotonic()
    with open(work / 'log', 'wb') as log:
        server = subprocess.Popen(image.words([*image.entry, *image.command], image.user), env=env, stdout=log, stderr=log)
    try:
        ask_it(image, work, server, url, began)
    finally:
        server.kill()
        server.wait()


def videos(image, work):
    source = work / 'ada.mp4'
    subprocess.run([SOURCE / 'tests/support/render.sh', 'video', SOURCE / 'tests/fixtures/people/ada.jpg', source, '0'], check=True)
    for name, words in VIDEOS.items():
        subprocess.run(['ffmpeg', '-nostdin', '-v', 'error', '-y', '-i', source, *words, '-an', work / name], check=True, stderr=subprocess.DEVNULL)
        shutil.copy(work / name, image.root / 'tmp' / name)
        said = image.run([*image.entry, '--json', 'detect', '--every', '10', f'/tmp/{name}'], user=image.user, capture_output=True, text=True)
        faces = [len(json.loads(line)['faces']) for line in said.stdout.splitlines()]
        assert faces and set(faces) == {1}, (name, faces, said.stderr)
        (image.root / 'tmp' / name).unlink()
    print('   faces found in', ', '.join(VIDEOS), flush=True)


def ask_it(image, work, server, url, began):
    while True:
        try:
            get(url + '/healthz')
            break
        except OSError:
            assert server.poll() is None and time.monotonic() - began < 60, (work / 'log').read_text()
            time.sleep(0.1)
    print(f'   ready after {time.monotonic() - began:.1f} s, on $PORT', flush=True)
    key = {'x-api-key': 'a-key-of-the-test-0123456789'}
    inside = int(subprocess.run(['pgrep', '-f', '--', f'^{image.entry[0]} serve'], capture_output=True, text=True, check=True).stdout.split()[-1])
    assert pathlib.Path(f'/proc/{inside}/status').read_text().split('Uid:')[1].split()[0] == image.user
    portrait = SOURCE / 'tests/fixtures/people/ada.jpg'
    look = json.loads(get(url + '/api/v1/look', portrait.read_bytes(), key | {'Content-Type': 'image/jpeg'}))
    print('   look at a portrait:', json.dumps(look)[:160], flush=True)
    assert look['faces'] == 1
    get(url + '/api/v1/members', status=401)
    assert b'<html' in get(url + '/').lower()
    # Under load: what has been taken in is answered, and then it ends.
    load = subprocess.Popen([sys.executable, __file__, '--load', url, str(portrait)], stdout=subprocess.PIPE, text=True)
    time.sleep(2)
    began = time.monotonic()
    os.kill(inside, signal.SIGTERM)
    status = server.wait(30)
    took = time.monotonic() - began
    answered, broken = load.communicate(timeout=60)[0].split()
    print(f'   SIGTERM under load: ended after {took:.1f} s with status {status}; {answered} answered, {broken} cut off', flush=True)
    assert status == 0 and took < 10 and int(answered) > 0 and broken == '0', (work / 'log').read_text()[-2000:]


def load(url, portrait):
    """Asks on four connections until nobody listens any more; prints how many were answered, and how many were cut off half way."""
    import http.client
    import threading
    counts = [0, 0]
    photo = pathlib.Path(portrait).read_bytes()

    def work():
        while True:
            try:
                connection = http.client.HTTPConnection(url.split('//')[1], timeout=30)
                connection.connect()
            except OSError:
                return
            sent = False
            try:
                connection.request('POST', '/api/v1/look', photo, {'x-api-key': 'a-key-of-the-test-0123456789', 'Content-Type': 'image/jpeg'})
                sent = True
                answer = connection.getresponse()
                answer.read()
                counts[0] += answer.status in (200, 429, 503)
            except (ConnectionResetError, http.client.RemoteDisconnected):
                # Reset before anything was answered: the connection was still waiting to be accepted, and is another instance's to take.
                return
            except (OSError, http.client.HTTPException):
                counts[1] += sent
                return
            finally:
                connection.close()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(*counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--keep', action='store_true', help='leave the folders there; a second run in the same WORK goes on from them')
    parser.add_argument('--load', nargs=2, help=argparse.SUPPRESS)
    parser.add_argument('work', nargs='?')
    args = parser.parse_args()
    if args.load:
        load(*args.load)
        return
    if os.geteuid() != 0 or not shutil.which('debootstrap'):
        sys.exit('skipped: needs root and debootstrap')
    work = pathlib.Path(args.work or tempfile.mkdtemp(dir='/var/tmp', prefix='facegate-image-'))
    work.mkdir(parents=True, exist_ok=True)
    work.chmod(0o755)
    try:
        try_it(build(work), work)
        print('-- all as it should be')
    finally:
        if not args.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == '__main__':
    main()
