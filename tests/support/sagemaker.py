#!/usr/bin/python3
"""A stand-in for SageMaker, as strict as botocore's own model of it.

Every request's signature is checked, and its parameters against the types, required fields, patterns, lengths and enumerations of
botocore's service model. A training job really downloads from S3, runs `facegate train` below a folder laid out like /opt/ml, and
uploads model.tar.gz; an endpoint unpacks one and runs `facegate serve`. The containers have no credentials of anybody's.

    sagemaker.py FILE      serves until it is killed, and writes its address to FILE

The environment: FACEGATE (the program), S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, SAGEMAKER_TICK (seconds that
each state lasts at least; 0.3). Used by the tests also in their own process, as a class.
"""
import datetime
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import botocore.validate

ACCOUNT = '123456789012'


class Refused(Exception):
    def __init__(self, code, message, status=400, **more):
        super().__init__(message)
        self.code, self.message, self.status, self.more = code, message, status, more


class Stopped(Exception):
    pass


class Lost(Exception):
    """What was asked for is done, and the connection is cut off before the answer."""


def check(shape, value, where=''):
    """What botocore's validator leaves to the service: patterns, lengths, enumerations."""
    limits = shape.metadata
    if shape.type_name == 'structure':
        for name, member in value.items():
            check(shape.members[name], member, f'{where}.{name}')
        return
    if shape.type_name == 'list':
        for i, member in enumerate(value):
            check(shape.member, member, f'{where}[{i}]')
    if shape.type_name == 'map':
        for key, member in value.items():
            check(shape.key, key, f'{where} (key)')
            check(shape.value, member, f'{where}.{key}')
    size = value if shape.type_name in ('integer', 'long', 'float', 'double') else len(value) if hasattr(value, '__len__') else None
    if size is not None and not limits.get('min', size) <= size <= limits.get('max', size):
        raise Refused('ValidationException', f'{where}: {value!r} is not within {limits.get("min")} to {limits.get("max")}')
    if 'enum' in limits and value not in limits['enum']:
        raise Refused('ValidationException', f'{where}: {value!r} is not one of the values of {shape.name}')
    if 'pattern' in limits:
        pattern = limits['pattern'].replace(r'\p{Alnum}', 'a-zA-Z0-9').replace(r'\p{L}\p{Z}\p{N}', r'\w\s').replace(r'\p{M}', '')
        if not re.fullmatch(pattern, value):
            raise Refused('ValidationException', f'{where}: {value!r} does not match {limits["pattern"]}')


class SageMaker:
    def __init__(self, keys=None, tick=0.3):
        self.region = os.environ['AWS_REGION']
        self.keys = keys or {os.environ['AWS_ACCESS_KEY_ID']: (os.environ['AWS_SECRET_ACCESS_KEY'], None)}
        self.expired = set()  # session tokens
        self.faults = []  # (operation or None, HTTP status, code): given instead of an answer, once each
        self.seen = []  # operations
        self.tick = tick
        self.jobs, self.models, self.configs, self.endpoints = {}, {}, {}, {}
        self.lock = threading.RLock()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='sagemaker-'))
        session = botocore.session.get_session()
        self.model = session.get_service_model('sagemaker')
        self.validator = botocore.validate.ParamValidator()
        self.s3 = boto3.client('s3', endpoint_url=os.environ['S3_ENDPOINT'])
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.url = f'http://127.0.0.1:{self.server.server_address[1]}'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for endpoint in list(self.endpoints.values()):
            self.stop_container(endpoint.get('container'))
        for job in self.jobs.values():
            job['thread'].join(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- requests --

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers.get('Content-Length', 0)))
        try:
            invoked = re.fullmatch(r'/endpoints/([^/?]+)/invocations', handler.path)
            operation = 'InvokeEndpoint' if invoked else handler.headers.get('X-Amz-Target', '').removeprefix('SageMaker.')
            self.check_signature(handler, body)
            self.seen.append(operation)
            for fault in self.faults:
                if fault[0] in (None, operation):
                    self.faults.remove(fault)
                    raise Refused(fault[2], 'Rate exceeded' if 'hrottl' in fault[2] else 'On purpose', fault[1])
            if invoked:
                self.send(handler, *self.invoke(invoked[1], handler.headers, body))
                return
            if handler.path != '/' or handler.headers.get('Content-Type') != 'application/x-amz-json-1.1':
                raise Refused('SerializationException', 'not the protocol')
            if operation not in self.model.operation_names or not hasattr(self, operation):
                raise Refused('UnknownOperationException', operation)
            shape = self.model.operation_model(operation).input_shape
            params = json.loads(body)
            report = self.validator.validate(params, shape)
            if report.has_errors():
                raise Refused('ValidationException', report.generate_report().replace('\n', ' '))
            check(shape, params, operation)
            with self.lock:
                result = getattr(self, operation)(**params)
            self.send(handler, 200, json.dumps(result).encode() if result is not None else b'', 'application/x-amz-json-1.1')
        except Lost:
            handler.close_connection = True
        except Refused as e:
            document = {'__type': e.code, 'message': e.message, **e.more}
            self.send(handler, e.status, json.dumps(document).encode(), 'application/x-amz-json-1.1', {'x-amzn-ErrorType': e.code})
        except json.JSONDecodeError as e:
            self.send(handler, 400, json.dumps({'__type': 'SerializationException', 'message': str(e)}).encode(), 'application/json')

    @staticmethod
    def send(handler, status, body, content_type, headers=None):
        handler.send_response(status)
        handler.send_header('Content-Type', content_type)
        handler.send_header('Content-Length', str(len(body)))
        handler.send_header('x-amzn-RequestId', hashlib.md5(os.urandom(8)).hexdigest())
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def check_signature(self, handler, body):
        header = handler.headers.get('Authorization')
        if not header:
            raise Refused('MissingAuthenticationTokenException', 'Missing Authentication Token', 403)
        parts = re.fullmatch(r'AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})', header)
        if not parts:
            raise Refused('IncompleteSignatureException', 'not an Authorization header', 403)
        key, day, region, service, names, signature = parts.groups()
        when = handler.headers.get('X-Amz-Date', '')
        if key not in self.keys:
            raise Refused('UnrecognizedClientException', 'The security token included in the request is invalid.', 403)
        secret, token = self.keys[key]
        if handler.headers.get('X-Amz-Security-Token') != token:
            raise Refused('UnrecognizedClientException', 'The security token included in the request is invalid.', 403)
        if token in self.expired:
            raise Refused('ExpiredTokenException', 'The security token included in the request is expired', 403)
        if (region, service) != (self.region, 'sagemaker') or day != when[:8]:
            raise Refused('InvalidSignatureException', 'Credential should be scoped to a valid region.', 403)
        for needed in ('host', 'x-amz-date'):
            if needed not in names.split(';'):
                raise Refused('IncompleteSignatureException', f'{needed} is not signed', 403)
        for name in handler.headers:
            if name.lower().startswith('x-amz-') and name.lower() not in names.split(';'):
                raise Refused('IncompleteSignatureException', f'{name} is not signed', 403)
        request = botocore.awsrequest.AWSRequest(handler.command, f'http://{handler.headers["Host"]}{handler.path}',
                                                 {n: handler.headers[n] for n in names.split(';')}, body)
        request.context['timestamp'] = when
        auth = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret, token), service, region)
        canonical = auth.canonical_request(request)
        if auth.signature(auth.string_to_sign(request, canonical), request) != signature:
            raise Refused('InvalidSignatureException', 'The request signature we calculated does not match the signature you provided.\n'
                          f'The Canonical String for this request should have been\n{canonical}', 403)
        now = datetime.datetime.utcnow()
        signed = datetime.datetime.strptime(when, '%Y%m%dT%H%M%SZ')
        if abs((now - signed).total_seconds()) > 300:
            raise Refused('InvalidSignatureException', f'Signature {"expired" if signed < now else "not yet current"}: {when}', 403)

    # -- operations --

    @staticmethod
    def arn(kind, name):
        return f'arn:aws:sagemaker:us-east-1:{ACCOUNT}:{kind}/{name.lower()}'

    def add(self, things, name, kind, thing):
        if name in things:
            raise Refused('ValidationException' if kind != 'training-job' else 'ResourceInUse', f'Cannot create already existing {kind} "{name}".')
        things[name] = dict(thing, CreationTime=time.time())

    def find(self, things, name, kind):
        if name not in things:
            raise Refused('ValidationException', f'Could not find {kind} "{self.arn(kind, name)}".')
        return things[name]

    @staticmethod
    def page(things, field, contains, status=None, status_field=None, NextToken='0', MaxResults=10, **_):
        chosen = [(n, t) for n, t in things.items() if contains in n and status in (None, t.get(status_field))]
        chosen.sort(key=lambda item: -item[1]['CreationTime'])
        start = int(NextToken)
        rows = [{field: n, 'CreationTime': t['CreationTime'], **({status_field: t[status_field]} if status_field else {})}
                for n, t in chosen[start:start + min(MaxResults, 2)]]  # small pages: what continues is to be asked for
        more = {'NextToken': str(start + len(rows))} if start + len(rows) < len(chosen) else {}
        return rows, more

    def CreateTrainingJob(self, **p):
        name = p['TrainingJobName']
        self.add(self.jobs, name, 'training-job', dict(p, TrainingJobStatus='InProgress', SecondaryStatus='Starting'))
        thread = threading.Thread(target=self.train, args=(self.jobs[name],), daemon=True)
        self.jobs[name]['thread'] = thread
        thread.start()
        return {'TrainingJobArn': self.arn('training-job', name)}

    def DescribeTrainingJob(self, TrainingJobName):
        job = self.find(self.jobs, TrainingJobName, 'training-job')
        return {k: v for k, v in job.items() if k != 'thread'} | {'TrainingJobArn': self.arn('training-job', TrainingJobName)}

    def StopTrainingJob(self, TrainingJobName):
        job = self.find(self.jobs, TrainingJobName, 'training-job')
        if job['TrainingJobStatus'] not in ('InProgress', 'Stopping'):
            raise Refused('ValidationException', f'The request was rejected because the training job is in status {job["TrainingJobStatus"]}.')
        job.update(TrainingJobStatus='Stopping', SecondaryStatus='Stopping')

    def ListTrainingJobs(self, NameContains='', StatusEquals=None, **p):
        rows, more = self.page(self.jobs, 'TrainingJobName', NameContains, StatusEquals, 'TrainingJobStatus', **p)
        for row in rows:
            row['TrainingJobArn'] = self.arn('training-job', row['TrainingJobName'])
        return {'TrainingJobSummaries': rows, **more}

    def CreateModel(self, **p):
        bucket, key = self.split(p['PrimaryContainer']['ModelDataUrl'])
        try:
            self.s3.head_object(Bucket=bucket, Key=key)
        except Exception as e:
            raise Refused('ValidationException', f'Could not find model data at {p["PrimaryContainer"]["ModelDataUrl"]}.') from e
        self.add(self.models, p['ModelName'], 'model', p)
        return {'ModelArn': self.arn('model', p['ModelName'])}

    def DeleteModel(self, ModelName):
        self.find(self.models, ModelName, 'model')
        del self.models[ModelName]

    def ListModels(self, NameContains='', **p):
        rows, more = self.page(self.models, 'ModelName', NameContains, **p)
        return {'Models': [dict(r, ModelArn=self.arn('model', r['ModelName'])) for r in rows], **more}

    def CreateEndpointConfig(self, **p):
        for variant in p['ProductionVariants']:
            self.find(self.models, variant['ModelName'], 'model')
        self.add(self.configs, p['EndpointConfigName'], 'endpoint-config', p)
        return {'EndpointConfigArn': self.arn('endpoint-config', p['EndpointConfigName'])}

    def DeleteEndpointConfig(self, EndpointConfigName):
        self.find(self.configs, EndpointConfigName, 'endpoint-config')
        del self.configs[EndpointConfigName]

    def ListEndpointConfigs(self, NameContains='', **p):
        rows, more = self.page(self.configs, 'EndpointConfigName', NameContains, **p)
        return {'EndpointConfigs': [dict(r, EndpointConfigArn=self.arn('endpoint-config', r['EndpointConfigName'])) for r in rows], **more}

    def CreateEndpoint(self, EndpointName, EndpointConfigName, **_):
        self.find(self.configs, EndpointConfigName, 'endpoint-config')
        self.add(self.endpoints, EndpointName, 'endpoint', {'EndpointStatus': 'Creating', 'EndpointConfigName': EndpointConfigName})
        threading.Thread(target=self.start, args=(self.endpoints[EndpointName], EndpointConfigName), daemon=True).start()
        return {'EndpointArn': self.arn('endpoint', EndpointName)}

    def UpdateEndpoint(self, EndpointName, EndpointConfigName, **_):
        endpoint = self.find(self.endpoints, EndpointName, 'endpoint')
        self.find(self.configs, EndpointConfigName, 'endpoint-config')
        if endpoint['EndpointStatus'] != 'InService':
            raise Refused('ValidationException', f'Cannot update {endpoint["EndpointStatus"]} endpoint.')
        endpoint['EndpointStatus'] = 'Updating'
        threading.Thread(target=self.start, args=(endpoint, EndpointConfigName), daemon=True).start()
        return {'EndpointArn': self.arn('endpoint', EndpointName)}

    def DescribeEndpoint(self, EndpointName):
        endpoint = self.find(self.endpoints, EndpointName, 'endpoint')
        shown = {k: v for k, v in endpoint.items() if k != 'container'}
        return shown | {'EndpointName': EndpointName, 'EndpointArn': self.arn('endpoint', EndpointName), 'LastModifiedTime': time.time()}

    def DeleteEndpoint(self, EndpointName):
        endpoint = self.find(self.endpoints, EndpointName, 'endpoint')
        endpoint['EndpointStatus'] = 'Deleting'

        def work():
            time.sleep(self.tick)
            self.stop_container(endpoint.pop('container', None))
            with self.lock:
                self.endpoints.pop(EndpointName, None)
        threading.Thread(target=work, daemon=True).start()

    # -- what the platform does --

    @staticmethod
    def split(url):
        bucket, _, key = url.removeprefix('s3://').partition('/')
        return bucket, key

    @staticmethod
    def environment(root, **more):
        keep = ('PATH', 'LANG', 'TMPDIR', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'FACEGATE_MODEL_PATH')
        return {k: os.environ[k] for k in keep if k in os.environ} | {'FACEGATE_SAGEMAKER_ROOT': str(root), 'HOME': str(root)} | more

    @staticmethod
    def next(job, secondary):
        if job['TrainingJobStatus'] == 'Stopping':
            raise Stopped
        job['SecondaryStatus'] = secondary

    def run_container(self, job, root):
        """`facegate train`, ended by SIGTERM where the job is stopped."""
        with open(root / 'log', 'w') as log:
            process = subprocess.Popen([os.environ['FACEGATE'], 'train'], env=self.environment(root), stdout=log, stderr=log, cwd=root)
            while process.poll() is None:
                if job['TrainingJobStatus'] == 'Stopping':
                    process.terminate()
                    process.wait()
                    raise Stopped
                time.sleep(0.02)
        return process.returncode

    def train(self, job):
        name = job['TrainingJobName']
        root = self.folder / 'jobs' / name
        try:
            time.sleep(self.tick)
            self.next(job, 'Downloading')
            channels = {}
            for channel in job['InputDataConfig']:
                source = channel['DataSource']['S3DataSource']
                bucket, prefix = self.split(source['S3Uri'])
                target = root / 'input/data' / channel['ChannelName']
                target.mkdir(parents=True)
                found = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get('Contents', [])
                if not found:
                    raise Refused('ClientError', f'Data download failed:Failed to download data. No S3 objects found under S3 URL "{source["S3Uri"]}"')
                for item in found:
                    self.s3.download_file(bucket, item['Key'], str(target / item['Key'][len(prefix):].lstrip('/')))
                channels[channel['ChannelName']] = {'TrainingInputMode': 'File', 'S3DistributionType': 'FullyReplicated', 'RecordWrapperType': 'None'}
            config = root / 'input/config'
            config.mkdir()
            (config / 'hyperparameters.json').write_text(json.dumps(job.get('HyperParameters', {})))
            (config / 'inputdataconfig.json').write_text(json.dumps(channels))
            (config / 'resourceconfig.json').write_text(json.dumps({'current_host': 'algo-1', 'hosts': ['algo-1'], 'network_interface_name': 'eth0'}))
            for folder in ('model', 'output'):
                (root / folder).mkdir()
            time.sleep(self.tick)
            self.next(job, 'Training')
            status = self.run_container(job, root)
            if status != 0:
                failure = root / 'output/failure'
                said = failure.read_text() if failure.exists() else ''
                raise Refused('AlgorithmError', f'{said[:900].strip()}, exit code: {status}')
            self.next(job, 'Uploading')
            archive = root / 'model.tar.gz'
            with tarfile.open(archive, 'w:gz') as tar:
                for item in (root / 'model').iterdir():
                    tar.add(item, item.name)
            url = f'{job["OutputDataConfig"]["S3OutputPath"].rstrip("/")}/{name}/output/model.tar.gz'
            self.s3.upload_file(str(archive), *self.split(url))
            job.update(ModelArtifacts={'S3ModelArtifacts': url}, TrainingJobStatus='Completed', SecondaryStatus='Completed')
        except Stopped:
            job.update(TrainingJobStatus='Stopped', SecondaryStatus='Stopped')
        except Refused as e:
            job.update(FailureReason=f'{e.code}: {e.message}', TrainingJobStatus='Failed', SecondaryStatus='Failed')
        except Exception as e:
            job.update(FailureReason=f'InternalServerError: {e}', TrainingJobStatus='Failed', SecondaryStatus='Failed')
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def start(self, endpoint, config_name):
        container = None
        try:
            time.sleep(self.tick)
            model = self.models[self.configs[config_name]['ProductionVariants'][0]['ModelName']]['PrimaryContainer']
            root = self.folder / 'endpoints' / f'{config_name}-{time.time_ns()}'
            (root / 'model').mkdir(parents=True)
            archive = root / 'model.tar.gz'
            self.s3.download_file(*self.split(model['ModelDataUrl']), str(archive))
            with tarfile.open(archive) as tar:
                tar.extractall(root / 'model')
            with socket.socket() as free:
                free.bind(('127.0.0.1', 0))
                port = free.getsockname()[1]
            env = self.environment(root, SAGEMAKER_BIND_TO_PORT=str(port), **model.get('Environment', {}))
            log = open(root / 'log', 'w')
            process = subprocess.Popen([os.environ['FACEGATE'], 'serve'], env=env, stdout=log, stderr=log, cwd=root)
            container = {'process': process, 'port': port, 'root': root}
            end = time.monotonic() + 300
            while process.poll() is None and time.monotonic() < end:
                try:
                    with urllib.request.urlopen(f'http://127.0.0.1:{port}/ping', timeout=2) as answer:
                        if answer.status == 200:
                            break
                except OSError:
                    pass
                time.sleep(0.2)
            else:
                process.kill()
                process.wait()
                raise Refused('', 'The primary container for production variant all did not pass the ping health check. Please check the CloudWatch logs.')
            old = endpoint.get('container')
            endpoint.update(container=container, EndpointStatus='InService', EndpointConfigName=config_name)
            self.stop_container(old)
        except Exception as e:
            self.stop_container(container)
            endpoint['FailureReason'] = str(e)
            endpoint['EndpointStatus'] = 'InService' if endpoint.get('container') else 'Failed'  # an update is rolled back

    def stop_container(self, container):
        if not container:
            return
        container['process'].send_signal(signal.SIGTERM)
        try:
            container['process'].wait(30)
        except subprocess.TimeoutExpired:
            container['process'].kill()
        shutil.rmtree(container['root'], ignore_errors=True)

    def invoke(self, name, headers, body):
        endpoint = self.endpoints.get(name)
        if not endpoint or not endpoint.get('container') or endpoint['EndpointStatus'] == 'Deleting':
            raise Refused('ValidationError', f'Endpoint {name} of account {ACCOUNT} not found.')
        if len(body) > 6 << 20:
            raise Refused('ValidationError', 'Request body is too large', 413)
        request = urllib.request.Request(f'http://127.0.0.1:{endpoint["container"]["port"]}/invocations', body, method='POST',
                                         headers={k: headers[k] for k in ('Content-Type', 'Accept') if headers.get(k)})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read(), answer.headers['Content-Type'], {'x-Amzn-Invoked-Production-Variant': 'all'}
        except urllib.error.HTTPError as e:
            text = e.read().decode(errors='replace')
            kind = 'client' if e.code < 500 else 'server'
            raise Refused('ModelError', f'Received {kind} error ({e.code}) from primary with message "{text[:200]}".', 424,
                          OriginalStatusCode=e.code, OriginalMessage=text[:1000], LogStreamArn='') from e
        except OSError as e:
            raise Refused('ModelError', f'Received server error (0) from primary with message "{e}".', 424) from e


if __name__ == '__main__':
    stand_in = SageMaker(tick=float(os.environ.get('SAGEMAKER_TICK', 0.3)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        pathlib.Path(sys.argv[1]).write_text(stand_in.url)
        while True:
            time.sleep(3600)
    finally:
        stand_in.close()
