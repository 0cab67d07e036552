#!/usr/bin/env bash
# The whole way with the real clients, as a transcript: enrol, export to S3, train, deploy, ask by boto3 and by `aws`, verify by the
# endpoint, deploy again, delete. S3 is Ceph's radosgw; SageMaker is tests/support/sagemaker.py, which really runs the container's
# commands. Starts and stops every part itself and leaves nothing behind.
set -uo pipefail
facegate=${FACEGATE:?the program to test}
source_root=${FACEGATE_SOURCE:?the folder with the fixtures}
[ -x /usr/bin/aws ] || { echo "skipped: awscli is not installed; script/packages lists it"; exit 77; }
. "$source_root/tests/support/cloud.sh"
export HOME=$work
people=$source_root/tests/fixtures/people
mapfile -t team < <(grep -v '^#' "$people/team.tsv" | grep -v '^stranger' | cut -f1 | head -3)
stranger=$(grep '^stranger' "$people/team.tsv" | cut -f2 | head -1)
cd "$work" || exit 1
umask 077

# The credentials as the original project keeps them; nothing else knows them from here on.
cat >aws.json <<END
{"AWS_ACCESS_KEY_ID": "$AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "$AWS_SECRET_ACCESS_KEY", "REGION_NAME": "$AWS_REGION",
 "ROLE": "arn:aws:iam::123456789012:role/service-role/facegate", "ENDPOINT_NAME": "doors", "BUCKET_NAME": "faces"}
END
keys=$(declare -p AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY)
secret=$AWS_SECRET_ACCESS_KEY
aws_client() { (eval "$keys"; exec /usr/bin/aws "$@"); }
python_client() { (eval "$keys"; exec /usr/bin/python3 "$@"); }
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export FACEGATE_AWS_FILE=$work/aws.json FACEGATE_S3_ENDPOINT=$S3_ENDPOINT FACEGATE_SAGEMAKER_URL=$url FACEGATE_POLL_SECONDS=0.3
export FACEGATE_DATA=$work/data FACEGATE_BLOB=s3://faces/team

failures=0
run() { # status command...: shows it and what it says
    local want=$1 got
    shift
    printf '\n$ %s\n' "$*" | sed "s|$facegate|facegate|; s|$people/||g; s|$work/||g; s|aws_client|aws|; s|python_client|python3|"
    "$@" >out 2>err
    got=$?
    cat out err
    if [ $got != "$want" ]; then printf '** exit status %s, expected %s\n' $got "$want"; failures=$((failures + 1)); fi
}
says() { grep -qF -- "$1" out err || { printf '** lacks: %s\n' "$1"; failures=$((failures + 1)); }; }
json() { # filter wanted: of what was printed
    local got
    got=$(jq -rs "$1" out 2>&1)
    [ "$got" = "$2" ] || { printf '** %s is %s, expected %s\n' "$1" "$got" "$2"; failures=$((failures + 1)); }
}

aws_client --endpoint-url "$S3_ENDPOINT" s3 mb s3://faces >/dev/null || exit 1
for i in 0 1 2; do
    for v in 0 1 2 4; do "$support/render.sh" photo "$people/${team[i]}" "p$i-$v.jpg" $v || exit 1; done
    "$support/render.sh" photo "$people/${team[i]}" "new$i.jpg" 5 || exit 1
done
"$support/render.sh" photo "$people/$stranger" stranger.jpg 0 || exit 1
printf 'not a photo' >broken.npy

echo "== enrol: chips go to S3"
run 0 "$facegate" enroll --name Ada --role engineer --right lab p0-0.jpg p0-1.jpg p0-2.jpg p0-4.jpg
run 0 "$facegate" enroll --name Bob --role guest p1-0.jpg p1-1.jpg p1-2.jpg p1-4.jpg
run 0 "$facegate" enroll --name Carla --role engineer --right lab p2-0.jpg p2-1.jpg p2-2.jpg p2-4.jpg
run 0 aws_client --endpoint-url "$S3_ENDPOINT" s3 ls --recursive --summarize s3://faces/team/
says "Total Objects: 12"

echo "== export to S3: the original's pickle, for whoever has the keys or a link, and back"
run 0 "$facegate" export --format pickle --out s3://faces/sets/data.pickle
run 0 aws_client --endpoint-url "$S3_ENDPOINT" s3 cp s3://faces/sets/data.pickle mine.pickle
cat >load.py <<END
import pickle
dataset = pickle.load(open('mine.pickle', 'rb'))
print(sorted(dataset), len(dataset['data']), dataset['data'][0].dtype, dataset['data'][0].shape, sorted(set(dataset['label'])))
END
run 0 python_client load.py
says "['data', 'label']"
says "['Ada', 'Bob', 'Carla']"
run 0 "$facegate" --json export --out s3://faces/sets/data.npz --link-minutes 5
json '.[0].rows >= 12' true
run 0 curl -sSf -o linked.npz "$(jq -r .link out)"
run 2 "$facegate" export --out here.npz --link-minutes 5
run 0 "$facegate" --data again import --role engineer s3://faces/sets/data.npz
says "of 3 members, 3 of them new"
run 0 "$facegate" --data again export --out again.npz
run 0 python_client -c 'import numpy; a, b = numpy.load("linked.npz"), numpy.load("again.npz"); print((a["data"] == b["data"]).all())'
says True
run 1 "$facegate" --data again import --add s3://faces/sets/none.npz
says "no such"
run 0 aws_client --endpoint-url "$S3_ENDPOINT" s3 rm --recursive s3://faces/sets
if find data/tmp again/tmp -type f ! -name lock | grep -q .; then echo "** a dataset is left in the data folder"; failures=$((failures + 1)); fi

echo "== train and deploy"
run 1 "$facegate" sagemaker status
run 1 "$facegate" sagemaker deploy --wait
says "no completed training job"
run 0 "$facegate" sagemaker train --image 123456789012.dkr.ecr.us-east-1.amazonaws.com/facegate:latest --wait
says ": Training"
says "Completed"
run 0 aws_client --endpoint-url "$S3_ENDPOINT" s3 ls --recursive s3://faces/facegate/
says "model.tar.gz"
if grep -q data.npz out; then echo "** the dataset is still in the bucket"; failures=$((failures + 1)); fi
run 0 "$facegate" sagemaker deploy --wait
says InService
run 0 "$facegate" --json sagemaker status
json '.[0].endpoint.status' InService
json '.[0].job.status' Completed

echo "== ask the endpoint: our client, boto3, aws"
run 0 "$facegate" embed --out query.npy new0.jpg
run 0 "$facegate" sagemaker invoke query.npy
json '.[0].prediction[0]' Ada
run 0 "$facegate" sagemaker invoke new1.jpg
json '.[0].prediction[0]' Bob
run 1 "$facegate" sagemaker invoke broken.npy
says "ModelError"
cat >ask.py <<END
import boto3, io, json, numpy
body = io.BytesIO()
numpy.save(body, numpy.load('query.npy'))
answer = boto3.client('sagemaker-runtime', endpoint_url='$url').invoke_endpoint(
    EndpointName='doors', ContentType='application/x-npy', Accept='application/json', Body=body.getvalue())
print(json.dumps(json.load(answer['Body'])))
END
run 0 python_client ask.py
json '.[0].prediction[0]' Ada
json '.[0].proba[0] | max >= 0.9' true
run 0 aws_client --endpoint-url "$url" sagemaker-runtime invoke-endpoint --endpoint-name doors --content-type application/x-npy \
    --body fileb://query.npy answer.json
run 0 cat answer.json
json '.[0].prediction[0]' Ada
run 0 aws_client --endpoint-url "$url" sagemaker list-training-jobs --query 'TrainingJobSummaries[].TrainingJobStatus' --output text
says Completed

echo "== verify by the endpoint: no classifier is here"
run 1 "$facegate" verify new0.jpg
says "facegate train"
run 0 "$facegate" --json verify --endpoint doors --require lab new0.jpg
json '.[0].decision' granted
json '.[0].member' Ada
json '.[0].endpoint' doors
json '.[0].probability >= 0.9' true
run 3 "$facegate" --json verify --endpoint doors --require lab new0.jpg new1.jpg new2.jpg stranger.jpg
json 'map(.decision) | join(",")' granted,denied,granted,unknown
json '.[3].member' null
run 1 "$facegate" verify --endpoint windows new0.jpg
says "not found"

echo "== train without one member, and update the endpoint without a gap"
run 0 "$facegate" members remove Bob
run 0 "$facegate" sagemaker train --image 123456789012.dkr.ecr.us-east-1.amazonaws.com/facegate:latest --wait
run 0 "$facegate" sagemaker deploy --wait
run 3 "$facegate" --json verify --endpoint doors new0.jpg new1.jpg
json 'map(.decision) | join(",")' granted,unknown
run 0 aws_client --endpoint-url "$url" sagemaker list-models --query 'length(Models)'
says 1

echo "== delete"
run 0 "$facegate" sagemaker delete --wait
run 0 aws_client --endpoint-url "$url" sagemaker list-models --query 'length(Models)'
says 0
run 1 aws_client --endpoint-url "$S3_ENDPOINT" s3 ls --recursive --summarize s3://faces/facegate/ # 1: nothing there
says "Total Objects: 0"
run 0 "$facegate" members remove Ada
run 0 "$facegate" members remove Carla
run 0 aws_client --endpoint-url "$S3_ENDPOINT" s3 ls --recursive --summarize s3://faces/
says "Total Objects: 0"
if grep -rqF "$secret" data; then echo "** the secret key is in the data folder"; failures=$((failures + 1)); fi
[ $failures = 0 ] && echo "-- all as it should be"
exit $((failures > 0))
