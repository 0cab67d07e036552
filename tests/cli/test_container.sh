#!/usr/bin/env bash
# The container under SageMaker's layout: what is read and written, exit statuses, signals, and the answers of the endpoint.
. "$(dirname "$0")/lib.sh"
people=$source_root/tests/fixtures/people
render=$source_root/tests/support/render.sh
export TMPDIR=$work/tmp
mkdir "$TMPDIR"

for n in 0 1; do
    name=$([ $n = 0 ] && echo ada || echo bruno)
    RENDER_SECONDS=2 "$render" video "$people/$name.jpg" $name.mp4 $n
    "$facegate" --data team --quiet enroll --name $name --role engineer --right lab $name.mp4 >/dev/null || exit 1
done
for name in ada otto; do "$render" photo "$people/$name.jpg" $name.jpg 1; done
"$facegate" --data team --quiet export >/dev/null
"$facegate" --data team --quiet export --format pickle >/dev/null

# layout: a fresh folder as the platform makes it, and its variable
layout() {
    rm -rf ml
    mkdir -p ml/input/config ml/input/data/train ml/model ml/output
    echo '{"train":{"TrainingInputMode":"File","S3DistributionType":"FullyReplicated","RecordWrapperType":"None"}}' >ml/input/config/inputdataconfig.json
    echo '{"current_host":"algo-1","hosts":["algo-1"],"network_interface_name":"eth0"}' >ml/input/config/resourceconfig.json
    echo "${1:-{\}}" >ml/input/config/hyperparameters.json
    [ -z "${2:-}" ] || cp "$2" ml/input/data/train/
}
export FACEGATE_SAGEMAKER_ROOT=$work/ml
failed() { # TEXT: the failure is told, on stderr and to the platform, and there is no model
    says err "$1"
    says ml/output/failure "$1"
    [ -z "$(ls ml/model)" ] || { bad=1; echo "  there is a model"; }
    [ -z "$(ls "$TMPDIR")" ] || { bad=1; echo "  something is left in TMPDIR"; }
}

begin train_of_npz_and_of_pickle
for file in data.npz data.pickle; do
    layout '{"C":"1","kernel":"\"linear\"","gamma":"scale","probability":"True","sagemaker_program":"x.py"}' $file
    run 0 train
    says out "2 members; far="
    [ -s ml/model/model.facegate ] || { bad=1; echo "  no model"; }
    [ "$(ls ml/model)" = model.facegate ] || { bad=1; ls ml/model; }
    [ ! -e ml/output/failure ] || { bad=1; cat ml/output/failure; }
    [ -z "$(ls "$TMPDIR")" ] || { bad=1; echo "  something is left in TMPDIR"; }
done
[ "$(unzip -p ml/model/model.facegate model.json | jq -r '[.classes[].name] | join(" ")')" = "ada bruno" ] || bad=1
layout '{"kernel":"rbf","gamma":"auto","C":10}' data.npz
run 0 --json train
json '.[0] | [.rows > 0, .classes] | map(tostring) | join(" ")' "true 2"
[ "$(unzip -p ml/model/model.facegate model.json | jq -r '.report.kernel')" = rbf ] || bad=1
end

begin train_failures_are_told
layout '{"kernel":"poly"}' data.npz
run 2 train
failed "hyperparameter kernel: poly"
layout '{"degree":"3"}' data.npz
run 2 train
failed "hyperparameter degree is not known"
layout '{}'
run 1 train
failed "there is no dataset"
# Neither of several is the usual one, in whatever order the folder gives them.
for other in a b c d e f; do
    layout '{}'
    cp data.npz ml/input/data/train/$other.npz
    cp data.pickle ml/input/data/train/data.pkl
    run 1 train
    failed "more than one dataset"
done
layout '{}' data.npz
echo '{"validation":{}}' >ml/input/config/inputdataconfig.json
run 1 train
failed 'there is no channel "train"'
layout '{}' data.npz
echo '{"train":{"TrainingInputMode":"Pipe"}}' >ml/input/config/inputdataconfig.json
run 1 train
failed "comes as a pipe"
layout '{}' data.npz
echo '{' >ml/input/config/inputdataconfig.json
run 1 train
failed "malformed JSON"
layout '{}' data.npz
head -c 5000 data.npz >ml/input/data/train/data.npz
run 1 train
failed "damaged"
layout '{}'
python -c "
import numpy
numpy.savez('ml/input/data/train/data.npz', data=numpy.eye(8, dtype='f4'), label=numpy.array(['a'] * 8))"
run 1 train
failed "its rows have 8 numbers"
[ "$(wc -c <ml/output/failure)" -le 1024 ] || bad=1
end

begin the_second_host_leaves_it_to_the_first
layout '{}' data.npz
echo '{"current_host":"algo-2","hosts":["algo-1","algo-2"]}' >ml/input/config/resourceconfig.json
run 0 train
[ -z "$(ls ml/model ml/output | grep -v :)" ] || { bad=1; ls ml/model ml/output; }
end

begin sigterm_ends_a_training_without_a_model
layout '{}' data.npz
"$facegate" train >out 2>err &
pid=$!
sleep 0.15
kill -TERM $pid
wait $pid
status=$?
# It may have been too early to be heard or too late to matter, but never half done.
case $status in
143) [ -z "$(ls ml/model)" ] || { bad=1; echo "  there is a model"; } ;;
0) [ -s ml/model/model.facegate ] || { bad=1; echo "  no model"; } ;;
*) bad=1; echo "  exit status $status"; cat err ;;
esac
end

begin without_the_layout_nothing_changes
FACEGATE_SAGEMAKER_ROOT=$work/none run 0 --data team train
says out "classifier 1 is trained"
FACEGATE_SAGEMAKER_ROOT= run 0 --data team train
says out "classifier 2 is trained"
end

begin serve_without_a_model
layout '{}'
run 1 serve
says err "model.facegate: cannot open"
echo broken >ml/model/model.facegate
run 1 serve
says err "model.facegate: the archive is damaged"
end

layout '{"probability":"True"}' data.npz
"$facegate" train >/dev/null 2>&1
SAGEMAKER_BIND_TO_PORT=0 serve --workers 1
url=http://127.0.0.1:${url##*:}
python - <<'PY'
import json, numpy
d = numpy.load('data.npz')['data']
numpy.save('one.npy', d[0])
numpy.save('row.npy', d[:1])
numpy.save('many.npy', numpy.asfortranarray(d[[0, -1]].astype('>f8')))
numpy.save('half.npy', d[[0, -1]].astype('f2'))
numpy.save('objects.npy', numpy.array([None, 1], dtype=object), allow_pickle=True)
numpy.save('short.npy', d[:, :9])
numpy.save('long.npy', d[:2] * 3)
bad = d[:2].copy(); bad[1, 4] = numpy.nan
numpy.save('nan.npy', bad)
numpy.savetxt('many.csv', d[[0, -1]], delimiter=',')
json.dump({'instances': d[[0, -1]].tolist()}, open('many.json', 'w'))
PY
# ask TYPE FILE: posts to /invocations; the answer is in out, the status in status
ask() { status=$(curl -s -o out -w '%{http_code}' -H "Content-Type: $1" --data-binary @"$2" "$url/invocations"); }
expect() { [ "$status" = "$1" ] || { bad=1; printf '  status %s, expected %s\n' "$status" "$1"; head -c 300 out; echo; }; }

begin ping
[ "$(curl -s -o out -w '%{http_code} %{size_download}' "$url/ping")" = "200 0" ] || { bad=1; cat out; }
end

begin answers_as_the_original_does
for file in one.npy row.npy; do
    ask application/x-npy $file
    expect 200
    json '.[0] | [.prediction[0], (.proba | length), (.proba[0] | length), .classes[1], .decisions[0].decision] | map(tostring) | join(" ")' \
        "ada 1 2 bruno granted"
done
for pair in application/x-npy:many.npy application/x-npy:half.npy text/csv:many.csv application/json:many.json; do
    ask "${pair%%:*}" "${pair#*:}"
    expect 200
    json '.[0] | [.prediction[], (.decisions[] | .decision), (.proba[0][0] > 0.9), (.proba[1][1] > 0.9)] | map(tostring) | join(" ")' \
        "ada bruno granted granted true true"
done
ask image/jpeg ada.jpg
expect 200
json '.[0] | [.prediction[0], .decisions[0].decision, .decisions[0].member] | join(" ")' "ada granted ada"
ask image/jpeg otto.jpg
expect 200
json '.[0].decisions[0] | [.decision, (.member | tostring), .reasons[0]] | join(" ")' "unknown null not_a_member"
json '.[0].proba[0] | max < 0.5' true
ffmpeg -v error -f lavfi -i color=gray:s=320x240 -frames:v 1 gray.png </dev/null
ask image/png gray.png
expect 200
json '.[0] | [(.prediction[0] | tostring), .proba[0][0], .decisions[0].decision, .decisions[0].reasons[0]] | map(tostring) | join(" ")' "null 0 retry no_face"
end

begin bad_requests_are_told_why
while read -r want type file text; do
    ask "$type" "$file"
    expect "$want"
    says out "$text"
done <<'LIST'
415 text/plain many.csv text/plain is not taken
422 application/x-npy many.csv not a NumPy array
415 application/x-npy objects.npy no object arrays
422 application/x-npy short.npy rows of 9 numbers
422 application/x-npy long.npy row 0 is not of unit length
422 application/x-npy nan.npy row 1 has a number that is not finite
422 text/csv many.json not a number
422 application/json many.csv malformed
422 image/jpeg many.csv photo
422 application/x-npy /dev/null the body is empty
LIST
[ "$(curl -s -o out -w '%{http_code}' "$url/invocations")" = 405 ] || bad=1
for path in /api/v1/members /signin /metrics / /endpoints/x/invocations; do
    [ "$(curl -s -o out -w '%{http_code}' "$url$path")" = 404 ] || { bad=1; echo "  $path is there"; }
done
[ "$(head -c 33600000 /dev/zero | curl -s -o out -w '%{http_code}' -H 'Content-Type: text/csv' --data-binary @- "$url/invocations")" = 413 ] || { bad=1; head -c 300 out; }
end

begin ping_while_photos_wait
# Behind twelve photos for one worker it would be the last. Where it is, they may have been quick: then once more.
for try in 1 2 3 4 5; do
    : >answered
    for _ in $(seq 12); do
        (curl -s -o /dev/null -H "Content-Type: image/jpeg" --data-binary @ada.jpg "$url/invocations" && echo photo >>answered) &
    done
    is ping "$(curl -s -o out -w '%{http_code}' "$url/ping")" 200
    before=$(wc -l <answered)
    for job in $(jobs -p); do [ "$job" = $server ] || wait "$job"; done
    is photos "$(wc -l <answered)" 12
    [ "$before" = 12 ] || break
done
[ "$before" -lt 12 ] || { bad=1; echo "  the ping came after the photos, each of $try times"; }
end

begin sigterm_ends_the_server_and_leaves_nothing
kill -TERM $server
wait $server
[ $? = 0 ] || { bad=1; cat log; }
[ -z "$(ls "$TMPDIR")" ] || { bad=1; ls "$TMPDIR"; }
end

begin probability_false_has_no_proba
layout '{"probability":"False"}' data.npz
"$facegate" train >/dev/null 2>&1
serve --port 0 --listen 127.0.0.1
ask application/x-npy one.npy
json '.[0] | [has("proba"), .prediction[0]] | map(tostring) | join(" ")' "false ada"
case $url in http://127.0.0.1:*) ;; *) bad=1; echo "  $url, although --listen was given" ;; esac
kill -TERM $server
wait $server || bad=1
end

begin a_model_of_another_embedder_is_not_served
python - <<'PY'
import json, zipfile
z = zipfile.ZipFile('ml/model/model.facegate')
files = {n: z.read(n) for n in z.namelist()}
z.close()
d = json.loads(files['model.json'])
d['model_hash'] = '0' * 64
files['model.json'] = json.dumps(d)
with zipfile.ZipFile('ml/model/model.facegate', 'w') as z:
    for n, data in files.items():
        z.writestr(n, data)
PY
run 1 serve --port 0
says err "train again"
end
finish
