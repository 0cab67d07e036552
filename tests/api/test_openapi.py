#!/usr/bin/env python3
"""docs/openapi.yaml against the running server: the same operations, and every answer that it promises."""
import base64
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import unittest

from client import SOURCE, Server, as_json, copies, main, render, until

try:
    import jsonschema
except ImportError:
    print('[ RUN      ] openapi\n[  SKIPPED ] openapi\nskipped: python3-jsonschema is not installed')
    sys.exit(77)

TUS = {'Tus-Resumable': '1.0.0'}
KIND = {'Content-Type': 'application/offset+octet-stream'}
WEB = {'X-Facegate': 'web'}
METHODS = ('get', 'post', 'patch', 'delete', 'options')


def setUpModule():
    global media, server, document, seen
    media = pathlib.Path(tempfile.mkdtemp(prefix='facegate-media-'))
    for name in ('ada', 'bruno', 'otto'):
        render('photo', f'{name}.jpg', media / f'{name}.jpg', 1)
    for name in ('ada', 'bruno'):
        render('video', f'{name}.jpg', media / f'{name}.mp4', 0)
    server = Server()
    document = as_json(server.get('/api/v1/openapi.json', key=False))
    seen = set()


def tearDownModule():
    server.close()
    shutil.rmtree(media)


def operations():
    for path, item in document['paths'].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def resolve(node):
    while '$ref' in node:
        target = document
        for part in node['$ref'][2:].split('/'):
            target = target[part]
        node = target
    return node


def parameters(path, operation):
    """Those of its query."""
    told = map(resolve, [*document['paths'][path].get('parameters', ()), *operation.get('parameters', ())])
    return {p['name'] for p in told if p['in'] == 'query'}


def fields(operation):
    """Those of its form and keys of its JSON; '@' before those that are files."""
    out = set()

    def walk(schema):
        schema = {**schema, **resolve(schema)} if '$ref' in schema else schema
        for part in (*schema.get('allOf', ()), *schema.get('oneOf', ())):
            walk(part)
        for name, value in schema.get('properties', {}).items():
            value = resolve(value)
            out.add('@' * (value.get('items', value).get('format') == 'binary') + name)
    for kind, content in operation.get('requestBody', {}).get('content', {}).items():
        if kind in ('application/json', 'multipart/form-data'):
            walk(content['schema'])
    return out


def an_address(path):
    for name, value in (('member', '1'), ('chip', '1'), ('job', '0' * 16), ('n', '0'), ('version', '1'), ('upload', '0' * 24), ('key', '0' * 16), ('endpoint', 'facegate')):
        path = path.replace(f'{{{name}}}', value)
    return path


def find(method, path):
    """The operation of an address; a fixed part goes before a variable one."""
    path = path.split('?')[0]
    for template in sorted(document['paths'], key=lambda p: (p.count('{'), p)):
        if re.fullmatch(re.sub(r'\{\w+\}', '[^/]+', re.escape(template).replace(r'\{', '{').replace(r'\}', '}')), path):
            return template, document['paths'][template].get(method.lower())
    raise AssertionError(f'{path} is not documented')


def check(answer, method, path):
    """The answer is one that the document promises."""
    template, operation = find(method, path)
    assert operation, f'{method} {path} is not documented'
    status = str(answer.status)
    assert status in operation['responses'], f'{method} {template}: {status} is not documented: {answer.body[:300]}'
    response = resolve(operation['responses'][status])
    for name, header in response.get('headers', {}).items():
        value = answer.headers[name]
        if name in ('Link', 'Content-Disposition') and value is None:
            continue
        assert value is not None, f'{method} {template} {status}: no {name}'
        jsonschema.Draft202012Validator({**resolve(header)['schema'], 'components': document['components']}).validate(value)
    content = response.get('content')
    if not content:
        assert not answer.body, f'{method} {template} {status}: a body that is not documented'
    else:
        kind = (answer.headers['Content-Type'] or '').split(';')[0]
        assert kind in content, f'{method} {template} {status}: {kind}'
        schema = {**content[kind].get('schema', {}), 'components': document['components']}
        body = as_json(answer) if kind.endswith('json') else answer.body.decode('latin-1')
        jsonschema.Draft202012Validator(schema).validate(body)
    seen.add((method.lower(), template, status))
    return answer


def ask(method, path, body=None, on=None, **more):
    return check((on or server).request(method, path, body, **more), method, path)


def form(path, fields, on=None, **more):
    return check((on or server).form(path, fields, **more), 'POST', path)


def upload(length, **more):
    return ask('POST', '/api/v1/uploads', headers={**TUS, 'Upload-Length': str(length)}, **more).headers['Location']


class A_Document(unittest.TestCase):
    def test_is_of_this_version(self):
        self.assertEqual(document['info']['version'], as_json(server.get('/api/v1/about'))['version'])
        self.assertEqual(document['openapi'], '3.1.0')

    def test_has_the_table_of_routes(self):
        text = (SOURCE / 'src/http/routes.c').read_text()
        sets = {'0': set(), 'FG_SCOPE_ADMIN': {'admin'}, 'FG_SCOPE_VERIFY': {'verify', 'admin'}}
        for name, words in re.findall(r'#define (ANY_\w+) \((.*)\)', text):
            sets[name] = set(w.lower() for w in re.findall(r'FG_SCOPE_(\w+)', words))
        table = {}
        for method, path, scopes in re.findall(r'\{FG_(\w+),\s*"([^"]+)",\s*([^,]+),', text):
            table[(method.lower(), path)] = set().union(*(sets[s.strip()] for s in scopes.split('|')))
        self.assertGreater(len(table), 40)
        told = {(method, re.sub(r'\{\w+\}', '{}', path)): set(o.get('x-scopes', ())) for path, method, o in operations()}
        self.assertEqual(told, table)
        for path, method, o in operations():
            self.assertEqual(o.get('security') == [], not o.get('x-scopes'), (method, path))

    def test_has_the_words_that_each_route_takes(self):
        text = (SOURCE / 'src/http/routes.c').read_text()
        sets = dict(re.findall(r'#define (\w+) "(.*)"', text))

        def words(code):
            for name, value in sets.items():
                code = code.replace(name, f'"{value}"')
            return None if code == 'NULL' else set(' '.join(re.findall('"([^"]*)"', code)).split())
        table = {(method.lower(), path): (words(query), words(names))
                 for method, path, query, names in re.findall(r'\{FG_(\w+),\s*"([^"]+)",.* fg_api_\w+, (.*), (.*)\},', text)}
        self.assertGreater(len(table), 40)
        for path, method, o in operations():
            query, names = table.pop((method, re.sub(r'\{\w+\}', '{}', path)))
            with self.subTest(method=method, path=path):
                self.assertEqual(parameters(path, o), query or set())
                if names is not None:
                    self.assertEqual(fields(o), names)
        self.assertEqual(table, {})

    def test_every_operation_has_a_name_and_all_references_lead_somewhere(self):
        ids = [o['operationId'] for _, _, o in operations()]
        self.assertEqual(len(ids), len(set(ids)))
        used = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))
        for reference in used:
            resolve({'$ref': f'#/{reference}'})
        there = {f'components/{kind}/{name}' for kind in ('parameters', 'headers', 'responses', 'schemas') for name in document['components'][kind]}
        self.assertEqual(there - used, set(), 'nobody uses these')

    def test_not_sent_twice(self):
        first = ask('GET', '/api/v1/openapi.json', key=False)
        ask('GET', '/api/v1/openapi.json', key=False, headers={'If-None-Match': first.headers['ETag']})


PROBES = ('/ping', '/healthz', '/readyz')  # of platforms, which ask as they like


class B_Access(unittest.TestCase):
    def test_nobody_and_whoever_may_something_else(self):
        keys = {scope: as_json(server.post('/api/v1/keys', {'scopes': [scope]}))['key'] for scope in ('verify', 'enroll', 'audit')}
        for path, method, o in operations():
            if not o.get('x-scopes'):
                continue
            address = an_address(path)
            aws = path.startswith('/endpoints/')  # AWS says 403 to whoever it does not know
            self.assertEqual(ask(method.upper(), address, key=False).status, 403 if aws else 401)
            for scope, key in keys.items():
                if scope not in o['x-scopes']:
                    self.assertEqual(ask(method.upper(), address, key=key).status, 403, (scope, path))


    def test_what_is_not_taken_is_refused_and_named(self):
        for path, method, o in operations():
            if path in PROBES:
                continue
            address, method, kinds = an_address(path), method.upper(), o.get('requestBody', {}).get('content', {})
            with self.subTest(method=method, path=path):
                answer = server.request(method, f'{address}?misspelt=1', headers=WEB)
                self.assertEqual(answer.status, 400, answer.body)
                self.assertIn('misspelt', as_json(answer).get('detail') or as_json(answer)['message'])
                if 'image/*' in kinds and path != '/api/v1/verify' or 'application/offset+octet-stream' in kinds:
                    continue
                if 'multipart/form-data' in kinds:
                    answer, word = server.form(address, [('misspelt', '1')]), 'misspelt'
                elif kinds:
                    answer, word = server.request(method, address, {'misspelt': 1}, headers=WEB), 'misspelt'
                else:
                    answer, word = server.request(method, address, {}, headers=WEB), 'no body'
                self.assertEqual(answer.status, 404 if (method, path) == ('PATCH', '/api/v1/members/{member}') else 422, answer.body)
                if answer.status == 422:
                    self.assertIn(word, as_json(answer)['detail'])
        for path in PROBES:
            self.assertEqual(server.get(f'{path}?misspelt=1', key=False).status, 200, path)


class C_Use(unittest.TestCase):
    """In the order of the names: from an empty server to one that is reset."""

    def test_a_nothing_is_there_yet(self):
        ask('GET', '/healthz', key=False)
        ask('GET', '/readyz', key=False)
        ask('GET', '/metrics')
        ask('GET', '/api/v1/about')
        ask('GET', '/api/v1/session')
        ask('GET', '/ping', key=False)
        self.assertEqual(ask('POST', '/api/v1/verify', (media / 'ada.jpg').read_bytes()).status, 409)
        self.assertEqual(ask('POST', '/invocations', [[1] + [0] * 255]).status, 409)
        for path in ('/api/v1/dataset.npz', '/api/v1/dataset.pickle'):
            self.assertEqual(ask('GET', path).status, 409)
        self.assertEqual(ask('GET', '/api/v1/chips.zip').status, 404)

    def test_b_members(self):
        for name in ('Ada', 'Bruno'):
            fields = [('name', name), ('role', 'engineer'), ('right', 'lab'), ('every', '5'), ('video', 'v.mp4', (media / f'{name.lower()}.mp4').read_bytes())]
            job = as_json(form('/api/v1/members', fields, headers={'Idempotency-Key': name}))['job']
            self.assertEqual(server.job(job['id'])['state'], 'done')
        listed = ask('GET', '/api/v1/members?limit=1')
        self.assertEqual(as_json(ask('GET', re.match('<(.*)>', listed.headers['Link'])[1]))['members'][0]['name'], 'Bruno')
        ask('GET', '/api/v1/members', headers={'If-None-Match': ask('GET', '/api/v1/members').headers['ETag']})
        ask('GET', '/api/v1/members?limit=0')
        video = ('video', 'v.mp4', b'text')
        for fields, status in (([('name', 'Ada'), ('role', 'x'), video], 409), ([('name', 'X'), video], 422), ([('name', 'X'), ('role', 'x' * 5000), video], 413)):
            self.assertEqual(form('/api/v1/members', fields).status, status)
        self.assertEqual(form('/api/v1/members', [video], headers={'Idempotency-Key': 'a b'}).status, 400)
        self.assertEqual(ask('POST', '/api/v1/members', {}).status, 415)
        ask('GET', '/api/v1/members/1')
        ask('GET', '/api/v1/members/9')
        for body, status in (({'role': 'chief'}, 200), ({'name': 'Bruno'}, 409), ({'name': ''}, 422)):
            self.assertEqual(ask('PATCH', '/api/v1/members/1', body).status, status)
        self.assertEqual(ask('PATCH', '/api/v1/members/1', 'x', headers={'Content-Type': 'text/plain'}).status, 415)
        self.assertEqual(ask('PATCH', '/api/v1/members/9', {}).status, 404)

    def test_c_pictures_and_sources(self):
        ask('GET', '/api/v1/members/1/sources')
        ask('GET', '/api/v1/members/9/sources')
        self.assertEqual(ask('GET', '/api/v1/members/1/sources?offset=x').status, 400)
        chips = as_json(ask('GET', '/api/v1/members/1/chips?limit=2'))['chips']
        ask('GET', '/api/v1/members/1/chips?offset=x')
        ask('GET', '/api/v1/members/9/chips')
        for suffix in ('', '?thumb=1'):
            ask('GET', chips[0]['image'] + suffix)
            ask('GET', '/api/v1/members/1/portrait' + suffix)
        ask('GET', '/api/v1/members/1/chips/999999')
        ask('GET', '/api/v1/members/9/portrait')
        ask('GET', '/api/v1/members/1/chips.zip')
        ask('GET', '/api/v1/members/9/chips.zip')
        ask('GET', '/api/v1/chips.zip')
        photo = ('video', 'p.jpg', (media / 'ada.jpg').read_bytes())
        self.assertEqual(server.job(as_json(form('/api/v1/members/1/sources', [photo]))['job']['id'])['state'], 'done')
        for fields, status in (([], 422), ([('every', '0'), photo], 422), ([('role', 'x'), photo], 422), ([('right', 'x'), photo], 422), ([('x' * 50, '1'), photo], 422), ([('right', 'x' * 5000), photo], 413),
                               ([('upload', upload(5)[-24:])], 409)):
            self.assertEqual(form('/api/v1/members/1/sources', fields).status, status, fields)
        self.assertEqual(form('/api/v1/members', [('name', 'X'), ('role', 'x'), ('upload', upload(5)[-24:])]).status, 409)
        self.assertEqual(form('/api/v1/members/1/sources', [photo], headers={'Idempotency-Key': ' '}).status, 400)
        self.assertEqual(form('/api/v1/members/9/sources', [photo]).status, 404)
        self.assertEqual(ask('POST', '/api/v1/members/1/sources', {}).status, 415)

    def test_d_uploads(self):
        ask('OPTIONS', '/api/v1/uploads', key=False)
        path = upload(10)
        for headers, status in (({}, 400), ({'Upload-Length': '0'}, 422), ({'Upload-Length': str(600 << 20)}, 413)):
            self.assertEqual(ask('POST', '/api/v1/uploads', headers={**TUS, **headers}).status, status)
        self.assertEqual(ask('POST', '/api/v1/uploads', headers={'Upload-Length': '5'}).status, 412)
        send = lambda offset, data, path=path, **more: ask('PATCH', path, data, headers={**TUS, **KIND, 'Upload-Offset': offset, **more}).status
        self.assertEqual([send('x', b''), send('3', b'x'), send('0', b'x' * 11), send('0', b'hello')], [400, 409, 413, 204])
        self.assertEqual(send('5', b'world', **{'Upload-Checksum': 'sha1 ' + base64.b64encode(bytes(20)).decode()}), 460)
        self.assertEqual(send('0', b'x', path=path[:-24] + '0' * 24), 404)
        self.assertEqual(ask('PATCH', path, b'x', headers={**KIND, 'Upload-Offset': '5'}).status, 412)
        self.assertEqual(ask('PATCH', path, b'x', headers={**TUS, 'Upload-Offset': '5'}).status, 415)
        with socket.create_connection((server.host, server.port)) as s:
            s.sendall(f'PATCH {path} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {server.key}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 5\r\n'
                      'Content-Type: application/offset+octet-stream\r\nContent-Length: 5\r\n\r\nw'.encode())
            until(lambda: as_json(ask('GET', path))['offset'] == 6, server=server)
            self.assertEqual(send('6', b'orld'), 423)
        ask('GET', path[:-1] + ('0' if path[-1] != '0' else '1'))
        self.assertEqual(ask('DELETE', path).status, 412)
        self.assertEqual(ask('DELETE', path, headers=TUS).status, 204)
        self.assertEqual(ask('DELETE', path, headers=TUS).status, 404)

    def test_e_training_and_jobs(self):
        versions = []
        for _ in range(2):
            job = as_json(ask('POST', '/api/v1/train', headers={'Idempotency-Key': f'train-{len(versions)}'}))['job']['id']
            versions.append(server.job(job)['result']['version'])
        self.assertEqual(ask('POST', '/api/v1/train', headers={'Idempotency-Key': ''}).status, 400)
        path = f'/api/v1/classifiers/{versions[0]}/activate'
        self.assertEqual(ask('POST', path, headers={'Idempotency-Key': 'activate'}).status, 200)
        self.assertEqual(ask('POST', path, headers={'Idempotency-Key': 'train-1'}).status, 422)
        self.assertEqual(ask('POST', '/api/v1/train', headers={'Idempotency-Key': 'activate'}).status, 422)
        self.assertEqual(ask('POST', path, headers={'Idempotency-Key': ''}).status, 400)
        self.assertEqual(ask('POST', '/api/v1/classifiers/999/activate').status, 404)
        first = ask('GET', '/api/v1/classifiers')
        ask('GET', '/api/v1/classifiers', headers={'If-None-Match': first.headers['ETag']})
        self.assertEqual(ask('GET', '/api/v1/classifiers?limit=0').status, 400)
        page = ask('GET', '/api/v1/classifiers?limit=1&brief')
        self.assertNotIn('people', as_json(page)['classifiers'][0]['report'])
        after = as_json(ask('GET', re.match('<(.*)>', page.headers['Link'])[1]))['classifiers']
        self.assertEqual([v['version'] for v in after], [v['version'] for v in as_json(first)['classifiers']][1:2])
        self.assertNotIn('people', after[0]['report'])
        one = ask('GET', f'/api/v1/classifiers/{versions[0]}')
        self.assertEqual(as_json(one), next(v for v in as_json(first)['classifiers'] if v['version'] == versions[0]))
        self.assertEqual(len(as_json(one)['report']['people']), 2)
        ask('GET', f'/api/v1/classifiers/{versions[0]}', headers={'If-None-Match': one.headers['ETag']})
        self.assertEqual(ask('GET', '/api/v1/classifiers/999').status, 404)
        ask('GET', '/api/v1/dataset.npz')
        ask('GET', '/api/v1/dataset.pickle')
        jobs = ask('GET', '/api/v1/jobs?limit=2')
        ask('GET', '/api/v1/jobs?limit=2', headers={'If-None-Match': jobs.headers['ETag']})
        ask('GET', '/api/v1/jobs?limit=x')
        one = ask('GET', f'/api/v1/jobs/{job}')
        ask('GET', f'/api/v1/jobs/{job}', headers={'If-None-Match': one.headers['ETag']})
        ask('GET', f'/api/v1/jobs/{job}/events')
        ask('GET', f'/api/v1/jobs/{job}/events?after=x')
        enrolment = next(j for j in as_json(ask('GET', '/api/v1/jobs'))['jobs'] if j['thumbs'])
        ask('GET', enrolment['thumbs'][0])
        ask('DELETE', f'/api/v1/jobs/{job}')
        for method, path in (('GET', ''), ('DELETE', ''), ('GET', '/events'), ('GET', '/thumbs/0')):
            self.assertEqual(ask(method, f'/api/v1/jobs/{"0" * 16}{path}').status, 404)

    def test_f_verify_and_look(self):
        photo = (media / 'ada.jpg').read_bytes()
        for query in ('', '?detail', '?require=lab', '?require=nothing'):
            self.assertEqual(ask('POST', f'/api/v1/verify{query}', photo).status, 200)
        ask('POST', '/api/v1/verify', (media / 'otto.jpg').read_bytes())
        form('/api/v1/verify', [('photo', 'p.jpg', photo)])
        self.assertEqual(ask('POST', '/api/v1/verify?require=%01', photo).status, 400)
        self.assertEqual(ask('POST', '/api/v1/look', photo).status, 200)
        for path in ('/api/v1/verify', '/api/v1/look'):
            self.assertEqual(ask('POST', path, b'').status, 422)
            self.assertEqual(ask('POST', path, {}).status, 415)
            self.assertEqual(ask('POST', path, headers={'Content-Length': str(65 << 20)}).status, 413)

    def test_fa_invocations(self):
        size = as_json(server.get('/api/v1/about'))['embedding_size']
        row = [1] + [0] * (size - 1)
        for body, headers, status in (([row, row], {}, 200), (b'', {'Content-Type': 'text/csv'}, 422), (b'x', {'Content-Type': 'text/html'}, 415),
                                      ([row], {'Accept': 'text/csv'}, 406), (None, {'Content-Length': str(64 << 20), 'Content-Type': 'text/csv'}, 413)):
            self.assertEqual(ask('POST', '/invocations', body, headers=headers).status, status)
        self.assertEqual(ask('POST', '/invocations', (media / 'ada.jpg').read_bytes(), headers={'Content-Type': 'image/jpeg'}).status, 200)
        self.assertEqual(ask('POST', '/invocations?require=%01', [row]).status, 400)
        self.assertEqual(ask('POST', '/endpoints/facegate/invocations', [row]).status, 200)
        self.assertEqual(ask('POST', '/endpoints/another/invocations', [row]).status, 400)
        self.assertEqual(ask('POST', '/endpoints/facegate/invocations', b'x', headers={'Content-Type': 'text/html'}).status, 424)

    def test_g_audit(self):
        first = ask('GET', '/api/v1/audit?decision=granted&limit=1')
        ask('GET', '/api/v1/audit?decision=granted&limit=1', headers={'If-None-Match': first.headers['ETag']})
        ask('GET', '/api/v1/audit?action=&decision=&member=Ada&source=127.0.0.1&from=2020-01-01&to=2999-01-01T00:00:00Z&before=0')
        ask('GET', '/api/v1/audit.csv')
        for path in ('/api/v1/audit', '/api/v1/audit.csv'):
            self.assertEqual(ask('GET', f'{path}?from=then').status, 400)

    def test_h_settings_and_keys(self):
        first = ask('GET', '/api/v1/settings')
        ask('GET', '/api/v1/settings', headers={'If-None-Match': first.headers['ETag']})
        self.assertEqual(ask('PATCH', '/api/v1/settings', {'every': 5, 'min_sharpness': 0.123}).status, 200)
        self.assertEqual(ask('PATCH', '/api/v1/settings', {'every': 0}).status, 422)
        listed = ask('GET', '/api/v1/keys')
        ask('GET', '/api/v1/keys', headers={'If-None-Match': listed.headers['ETag']})
        made = as_json(ask('POST', '/api/v1/keys', {'label': 'x', 'scopes': ['verify', 'audit'], 'expires_days': 3}))
        self.assertIn('secret_access_key', as_json(ask('POST', '/api/v1/keys', {'aws': True})))
        first = ask('GET', '/api/v1/keys?limit=1')
        self.assertEqual(len(as_json(ask('GET', re.match('<(.*)>', first.headers['Link'])[1]))['keys']), 1)
        self.assertEqual(ask('GET', '/api/v1/keys?limit=0').status, 400)
        for body, status in (({'scopes': ['all']}, 400), ({'label': '\n'}, 422), ({'label': 'x' * 70000}, 413)):
            self.assertEqual(ask('POST', '/api/v1/keys', body).status, status)
        for path in ('/api/v1/keys', '/api/v1/reset'):
            self.assertEqual(ask('POST', path, 'x', headers={'Content-Type': 'text/plain'}).status, 415)
        self.assertEqual(ask('PATCH', '/api/v1/settings', 'x', headers={'Content-Type': 'text/plain'}).status, 415)
        self.assertEqual(ask('DELETE', f"/api/v1/keys/{made['id']}").status, 204)
        self.assertEqual(ask('DELETE', f"/api/v1/keys/{'0' * 16}").status, 404)

    def test_i_signing_in(self):
        kind = {'Content-Type': 'application/json'}
        signed = ask('POST', '/signin', {'key': server.key}, headers=WEB, key=False)
        cookie = signed.headers['Set-Cookie'].split(';')[0]
        ask('GET', '/api/v1/session', headers={'Cookie': cookie}, key=False)
        for body, headers, status in (({'key': 'x'}, WEB, 401), ({'key': server.key}, {}, 403), ({'key': 'x' * 5000}, WEB, 413), ('{', {**WEB, **kind}, 422), ('{}', WEB, 415)):
            self.assertEqual(ask('POST', '/signin', body, headers=headers, key=False).status, status)
        self.assertEqual(ask('POST', '/signout', headers={'Cookie': cookie}, key=False).status, 403)
        self.assertEqual(ask('POST', '/signout', headers={'Cookie': cookie, **WEB}, key=False).status, 204)

    def test_j_removal(self):
        versions = as_json(ask('GET', '/api/v1/classifiers'))['classifiers']
        self.assertEqual(ask('DELETE', '/api/v1/members/2').status, 204)
        self.assertEqual(ask('DELETE', '/api/v1/members/2').status, 404)
        self.assertEqual(ask('POST', f"/api/v1/classifiers/{versions[0]['version']}/activate").status, 409)
        ask('GET', '/api/v1/classifiers')  # with a report that is empty now

    def test_k_too_much(self):
        files = [('video', 'b.mp4', video) for video in copies((media / 'bruno.mp4').read_bytes(), 32)]  # enough to be busy with to the end
        running = as_json(form('/api/v1/members', [('name', 'Carla'), ('role', 'x'), ('every', '1'), *files]))['job']['id']
        server.job(running, lambda d: d['state'] != 'queued')
        for _ in range(16):
            ask('POST', '/api/v1/train')
        self.assertTrue({j['state'] for j in as_json(ask('GET', '/api/v1/jobs?open=1'))['jobs']} <= {'queued', 'running'})
        self.assertIn(running, [j['id'] for j in as_json(ask('GET', '/api/v1/jobs?open'))['jobs']])
        self.assertEqual(ask('POST', '/api/v1/train').status, 429)
        photo = ('video', 'p.jpg', (media / 'ada.jpg').read_bytes())
        self.assertEqual(form('/api/v1/members', [('name', 'Late'), ('role', 'x'), photo]).status, 429)
        self.assertEqual(form('/api/v1/members/1/sources', [photo]).status, 429)
        while ask('POST', '/api/v1/uploads', headers={**TUS, 'Upload-Length': '1'}).status == 201:
            pass
        self.assertIn(('post', '/api/v1/uploads', '429'), seen)

    def test_l_reset(self):
        for body, status in (({}, 422), ({'confirm': 'R' * 5000}, 413)):
            self.assertEqual(ask('POST', '/api/v1/reset', body).status, status)
        self.assertEqual(ask('POST', '/api/v1/reset', {'confirm': 'RESET'}, headers={'Idempotency-Key': ''}).status, 400)
        self.assertEqual(ask('POST', '/api/v1/reset', {'confirm': 'RESET'}).status, 204)
        self.assertEqual(as_json(ask('GET', '/api/v1/members')), {'members': []})

    def test_m_guessing(self):
        own = Server()
        try:
            guess = lambda: ask('POST', '/signin', {'key': 'wrong'}, on=own, headers=WEB, key=False).status
            self.assertEqual(guess(), 401)
            until(lambda: guess() == 429, server=own)
        finally:
            own.close()


class D_Everything(unittest.TestCase):
    def test_that_is_documented_was_seen(self):
        told = {(method, path, status) for path, method, o in operations() for status in o['responses']}
        self.assertEqual(sorted(told - seen), [])


if __name__ == '__main__':
    main()
