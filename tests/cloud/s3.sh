#!/usr/bin/env bash
# The blobs against Ceph's radosgw, and read from both sides with AWS's own clients. Starts and stops everything itself.
#   s3.sh TEST_S3 BLOB_TOOL      FACEGATE_TEST_S3_MB=500 for the large object at its full size (default 64)
set -uo pipefail
test_s3=$1 tool=$2
here=$(cd "$(dirname "$0")" && pwd)
for program in /usr/bin/aws /usr/bin/faketime; do
    [ -x $program ] || { echo "skipped: $program is not installed; script/packages lists it"; exit 77; }
done
dir=$(mktemp -d)
trap '"$here/../support/radosgw.sh" stop "$dir"' EXIT
"$here/../support/radosgw.sh" start "$dir"
status=$?
[ $status = 0 ] || exit $status
unset AWS_CA_BUNDLE AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL AWS_ENDPOINT_URL_S3
. "$dir/env"
export S3_ENDPOINT AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
/usr/bin/aws --endpoint-url "$S3_ENDPOINT" s3 mb s3://faces || exit 1
failed=0
echo "-- path style"
FACEGATE_TEST_S3_MB=${FACEGATE_TEST_S3_MB:-64} FACEGATE_TEST_S3=s3://faces/a/b FACEGATE_S3_ENDPOINT=$S3_ENDPOINT "$test_s3" || failed=1
echo "-- virtual-host style"
FACEGATE_TEST_S3=s3://faces FACEGATE_S3_STYLE=virtual FACEGATE_S3_ENDPOINT=$S3_VIRTUAL "$test_s3" || failed=1
if [ -s "$S3_CA" ]; then
    echo "-- TLS"
    AWS_CA_BUNDLE=$S3_CA FACEGATE_TEST_S3=s3://faces/tls FACEGATE_S3_STYLE=virtual FACEGATE_S3_ENDPOINT=$S3_TLS "$test_s3" || failed=1
    FACEGATE_BLOB=s3://faces/tls FACEGATE_S3_ENDPOINT=$S3_TLS "$tool" list "" 2>"$dir/error" && failed=1
    grep -q "the server is not trusted" "$dir/error" || { echo "a certificate of nobody's was taken"; cat "$dir/error"; failed=1; }
fi
echo "-- AWS's clients"
BLOB_TOOL=$tool /usr/bin/python3 "$here/test_cross_s3.py" || failed=1
exit $failed
