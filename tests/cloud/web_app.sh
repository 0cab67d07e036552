#!/usr/bin/env bash
# The web app on a server that trains on SageMaker, in a real browser. Starts and stops every part itself.
set -uo pipefail
export SAGEMAKER_TICK=1.5 # time to press Stop
. "${FACEGATE_SOURCE:?the folder with the fixtures}/tests/support/cloud.sh"
/usr/bin/python3 -c 'import boto3, os; boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"]).create_bucket(Bucket="web")' || exit 1
umask 077
cat >"$work/aws.json" <<END
{"AWS_ACCESS_KEY_ID": "$AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "$AWS_SECRET_ACCESS_KEY", "REGION_NAME": "$AWS_REGION",
 "ROLE": "arn:aws:iam::123456789012:role/service-role/facegate", "ENDPOINT_NAME": "web", "BUCKET_NAME": "web"}
END
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export FACEGATE_AWS_FILE=$work/aws.json FACEGATE_S3_ENDPOINT=$S3_ENDPOINT FACEGATE_POLL_SECONDS=0.3
FACEGATE_SAGEMAKER_URL=$url FACEGATE_IMAGE=123456789012.dkr.ecr.us-east-1.amazonaws.com/facegate:latest \
    node "$FACEGATE_SOURCE/tests/browser/test_sagemaker.js"
