#!/usr/bin/env bash
# The web app on a server that trains on SageMaker, in a real browser. Starts and stops every part itself.
set -uo pipefail
: "${FACEGATE:?the program to test}" "${FACEGATE_SOURCE:?the folder with the fixtures}"
support=$FACEGATE_SOURCE/tests/support
/usr/bin/python3 -c 'import boto3' 2>/dev/null || { echo "skipped: python3-boto3 is not installed; script/packages lists it"; exit 77; }
work=$(mktemp -d) s3=$(mktemp -d)
stand_in=
# shellcheck disable=SC2329  # called by the trap
cleanup() {
    [ -z "$stand_in" ] || { kill "$stand_in"; wait "$stand_in"; } 2>/dev/null
    "$support/radosgw.sh" stop "$s3"
    rm -rf "$work"
}
trap cleanup EXIT
"$support/radosgw.sh" start "$s3"
status=$?
[ $status = 0 ] || exit $status
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
. "$s3/env"
export S3_ENDPOINT PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 "$support/sagemaker.py" "$work/url" &
stand_in=$!
until [ -s "$work/url" ]; do kill -0 $stand_in || exit 1; sleep 0.1; done
/usr/bin/python3 -c 'import boto3, os; boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"]).create_bucket(Bucket="web")' || exit 1
umask 077
cat >"$work/aws.json" <<END
{"AWS_ACCESS_KEY_ID": "$AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "$AWS_SECRET_ACCESS_KEY", "REGION_NAME": "$AWS_REGION",
 "ROLE": "arn:aws:iam::123456789012:role/service-role/facegate", "ENDPOINT_NAME": "web", "BUCKET_NAME": "web"}
END
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export FACEGATE_AWS_FILE=$work/aws.json FACEGATE_S3_ENDPOINT=$S3_ENDPOINT FACEGATE_POLL_SECONDS=0.3
FACEGATE_SAGEMAKER_URL=$(cat "$work/url") FACEGATE_IMAGE=123456789012.dkr.ecr.us-east-1.amazonaws.com/facegate:latest \
    node "$FACEGATE_SOURCE/tests/browser/test_sagemaker.js"
