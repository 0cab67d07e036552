# Sourced: an S3 service and the stand-in for SageMaker, which are stopped, and leave nothing behind, when the script ends.
# Wants FACEGATE and FACEGATE_SOURCE; gives work (a folder of its own), url (SageMaker's), S3_ENDPOINT and the variables of AWS's clients.
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
# shellcheck disable=SC1091
. "$s3/env"
export S3_ENDPOINT FACEGATE PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 "$support/sagemaker.py" "$work/url" &
stand_in=$!
until [ -s "$work/url" ]; do kill -0 $stand_in || exit 1; sleep 0.1; done
url=$(cat "$work/url")
