#!/usr/bin/env bash
# SageMaker from the server, and its failures, with a real S3 service beside it. Starts and stops everything itself.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
/usr/bin/python3 -c 'import boto3' 2>/dev/null || { echo "skipped: python3-boto3 is not installed; script/packages lists it"; exit 77; }
dir=$(mktemp -d)
trap '"$here/../support/radosgw.sh" stop "$dir"' EXIT
"$here/../support/radosgw.sh" start "$dir"
status=$?
[ $status = 0 ] || exit $status
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
. "$dir/env"
export S3_ENDPOINT AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
failed=0
for name in train_on sagemaker; do /usr/bin/python3 "$here/test_$name.py" || failed=1; done
exit $failed
