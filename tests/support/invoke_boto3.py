"""Invokes an endpoint with the real boto3, for tests/api/test_endpoint.py. One JSON document a line on stdin: url, key, secret, and what
invoke_endpoint takes, Body in base64; clock, in seconds, sets the client's clock. One document a line on stdout."""
import base64
import datetime
import json
import sys

import boto3
import botocore.auth
import botocore.config
import botocore.exceptions

real, timezone_class = datetime.datetime, datetime.timezone


def set_clock(seconds):
    class Off(real):
        @classmethod
        def utcnow(cls):
            return real.utcnow() + datetime.timedelta(seconds=seconds)

        @classmethod
        def now(cls, tz=None):
            return real.now(tz) + datetime.timedelta(seconds=seconds)

    class Module:
        datetime = Off
        timezone = timezone_class

    botocore.auth.datetime = Module
    if 'botocore.crt.auth' in sys.modules:  # signs instead, where it is installed
        sys.modules['botocore.crt.auth'].datetime = Module
    if hasattr(botocore.auth, 'get_current_datetime'):  # newer ones
        botocore.auth.get_current_datetime = lambda remove_tzinfo=True: Off.utcnow()


for line in sys.stdin:
    order = json.loads(line)
    set_clock(order.pop('clock', 0))
    client = boto3.client('sagemaker-runtime', region_name=order.pop('region', 'eu-central-1'), endpoint_url=order.pop('url'),
                          aws_access_key_id=order.pop('key'), aws_secret_access_key=order.pop('secret'),
                          aws_session_token=order.pop('token', None),
                          config=botocore.config.Config(retries={'max_attempts': 0}))
    order['Body'] = base64.b64decode(order['Body'])
    try:
        answer = client.invoke_endpoint(**order)
        result = {'status': answer['ResponseMetadata']['HTTPStatusCode'], 'type': answer['ContentType'],
                  'variant': answer['InvokedProductionVariant'], 'body': json.load(answer['Body'])}
    except botocore.exceptions.ClientError as e:
        result = {'error': e.response['Error']['Code'], 'message': e.response['Error']['Message'],
                  'status': e.response['ResponseMetadata']['HTTPStatusCode'], 'class': type(e).__name__,
                  'original_status': e.response.get('OriginalStatusCode'), 'original_message': e.response.get('OriginalMessage')}
    print(json.dumps(result), flush=True)
