#!/usr/bin/env bash
# Another embedder for the team: switched, refused, killed half way, and with a server running.
. "$(dirname "$0")/lib.sh"
people=$source_root/tests/fixtures/people
render=$source_root/tests/support/render.sh
shared=${FACEGATE_SHARED:-$source_root/../shared}

# Another embedder that exists anywhere: the built-in one with its colours exchanged, and a file of its own.
mkdir alt
{ cat "$source_root/models/vgg16.onnx"; printf '\x12\x04test'; } >alt/alt.onnx
jq --arg sum "$(sha256sum alt/alt.onnx | cut -d' ' -f1)" --argjson bytes "$(stat -c%s alt/alt.onnx)" '{version: 1, models:
    [.models[] | select(.name == "vgg16") | .name = "alt" | .input.color = "bgr" | .files = [{file: "alt.onnx", bytes: $bytes, sha256: $sum}]]}' \
    "$source_root/models/manifest.json" >alt/manifest.json
export FACEGATE_MODEL_PATH=$PWD/alt

# query SQL: of the team's database
query() { python -c 'import sqlite3, sys; print(sqlite3.connect("facegate-data/facegate.db", timeout=60).execute(sys.argv[1]).fetchone()[0])' "$1"; }
one_model="SELECT count(DISTINCT model_id) FROM template"

begin an_empty_team_remembers_its_embedder
run 0 --data empty --json models use alt
json '.[0] | [.embedder, .before, .embedded, .lost, .classifier] | tojson' '["alt",null,0,0,null]'
run 0 --data empty --json models use alt
json '.[0].before' alt
run 1 --data empty models use nosuch
says err "no embedder called 'nosuch'; there are: alt, vgg16"
one_line err
end

# What changes an embedding makes another embedder of the same weights; what does not, does not.
begin the_same_weights_after_another_preparation_are_another_embedder
mkdir twins
cp "$source_root/models/vgg16.onnx" twins
jq '(.models[] | select(.name == "vgg16")) as $m | {version: 1, models: [$m + {name: "same", description: "x", same_person: 0.9},
    ($m | .name = "bgr" | .input.color = "bgr"), ($m | .name = "mean" | .input.mean += 0.5), ($m | .name = "scale" | .input.scale *= 1.001),
    ($m | .name = "points" | .template[4][1] += 0.0001)]}' "$source_root/models/manifest.json" >twins/manifest.json
for name in vgg16 same bgr mean scale points; do
    FACEGATE_MODEL_PATH=$PWD/twins run 0 --data "of-$name" --json models use $name
    jq -r .model_hash out >>hashes
done
is "of all" "$(grep -cE '^[0-9a-f]{64}$' hashes)" 6
is "the first two" "$(head -2 hashes | sort -u | wc -l)" 1
is "the others" "$(sort -u hashes | wc -l)" 5
end

begin a_team
"$render" video "$people/ada.jpg" ada.mp4 0 && "$render" video "$people/bruno.jpg" bob.mp4 1 &&
    "$render" photo "$people/ada.jpg" ada.jpg 1 && "$render" photo "$people/carla.jpg" stranger.jpg 1 || bad=1
run 0 enroll --every 2 --name Ada --role engineer ada.mp4
run 0 enroll --every 2 --name Bob --role guest bob.mp4
run 0 train
run 0 --json verify ada.jpg
json '.[0].model' vgg16
total=$(query "SELECT count(*) FROM template")
end

begin another_embedder_is_refused_and_nothing_mixes
run 1 enroll --embedder alt --name Carla --role x stranger.jpg
says err "the team's embedder is vgg16, and alt is loaded"
one_line err
run 1 verify --embedder alt ada.jpg
says err "models use alt"
run 1 train --embedder alt
says err "models use alt"
is models "$(query "$one_model")" 1
run 0 verify ada.jpg
end

begin killed_half_way_the_old_embedder_works_and_the_next_try_goes_on
"$facegate" models use alt >/dev/null 2>&1 &
pid=$!
python - $pid <<'PY' || bad=1
import os, signal, sqlite3, sys, time
db = sqlite3.connect("facegate-data/facegate.db", timeout=60, isolation_level=None)
pid = int(sys.argv[1])
while True:
    db.execute("BEGIN IMMEDIATE")  # so that nothing is added between the look and the kill
    if db.execute("SELECT count(*) FROM reembedding").fetchone()[0]:
        break
    db.execute("ROLLBACK")
    os.kill(pid, 0)  # raises where it has ended: then this tests nothing
    time.sleep(0.002)
os.kill(pid, signal.SIGKILL)
PY
{ wait $pid; } 2>/dev/null
staged=$(query "SELECT count(*) FROM reembedding")
[ "$staged" -gt 0 ] && [ "$staged" -lt "$total" ] || { bad=1; echo "  $staged of $total were done at the kill"; }
is models "$(query "$one_model")" 1
run 0 --json verify ada.jpg
json '.[0] | [.decision, .model, .classifier] | tojson' '["granted","vgg16",1]'
run 0 --json models use alt
json '.[0] | [.embedder, .before, .lost, .classifier] | tojson' '["alt","vgg16",0,2]'
json '.[0].resumed' "$staged"
json '.[0].embedded' "$total"
is models "$(query "$one_model")" 1
is staged "$(query "SELECT count(*) FROM reembedding")" 0
end

begin later_commands_use_it
run 3 --json verify ada.jpg stranger.jpg
json 'map(.decision) | join(",")' "granted,unknown"
json 'map(.model) | unique | join(",")' alt
json '.[0].classifier' 2
run 0 --json compare ada.jpg ada.jpg
json '.[0].model' alt
run 0 enroll --name Carla --role x stranger.jpg
run 0 --json models list
json 'map(select(.in_use) | .name) | join(",")' alt
end

# nearest_to_its_own ONE OTHER: each template of the one data folder is nearest to the other's of the same frame or variation
nearest_to_its_own() {
    python - "$@" <<'PY' || bad=1
import math, sqlite3, struct, sys
def read(data):
    rows = sqlite3.connect(data + "/facegate.db").execute("SELECT frame_index, embedding FROM template").fetchall()
    return {n: struct.unpack("%df" % (len(e) // 4), e) for n, e in rows}
def cosine(a, b): return math.fsum(x * y for x, y in zip(a, b))
one, other = (read(data) for data in sys.argv[1:])
assert one and sorted(one) == sorted(other), (sorted(one), sorted(other))
own = min(cosine(one[v], other[v]) for v in one)
rest = max(cosine(one[v], other[w]) for v in one for w in one if v != w)
print("  closest to its own by at least %.4f, to another by at most %.4f" % (own, rest))
assert all(cosine(one[v], other[v]) > cosine(one[v], other[w]) for v in one for w in one if v != w)
assert own > 0.98
PY
}

# All eight templates of a single photo, as if the new embedder had been there when it was enrolled.
begin a_single_photo_s_variations_are_made_again
run 0 --data single enroll --embedder vgg16 --name Ada --role x ada.jpg
run 0 --data fresh models use alt
run 0 --data fresh enroll --name Ada --role x ada.jpg
chip=$(echo single/blobs/members/*/*/chips/00-000004.png)
mv "$chip" kept.png
run 1 --data single models use alt
says err "the old embedder stays"
run 0 --data single --json models list
json 'map(select(.in_use) | .name) | join(",")' vgg16
mv kept.png "$chip"
run 0 --data single --json models use alt
json '.[0] | [.resumed, .embedded, .lost] | tojson' '[4,8,0]'
nearest_to_its_own single fresh
end

# Every second frame of a video is embedded mirrored; the same ones again.
begin a_video_s_frames_are_looked_at_again_as_they_were
run 0 --data video enroll --embedder vgg16 --every 3 --name Ada --role x ada.mp4
run 0 --data fresh-video models use alt
run 0 --data fresh-video enroll --every 3 --name Ada --role x ada.mp4
run 0 --data video models use alt
nearest_to_its_own video fresh-video
end

begin weights_that_are_damaged_or_gone_change_nothing
before=$(query "SELECT name || model_hash FROM embedder")
cp alt/alt.onnx keep.onnx
head -c 100000 keep.onnx >alt/alt.onnx
run 1 verify ada.jpg
says err "the team's embedder"
says err "damaged"
one_line err
printf 'x' | dd of=alt/alt.onnx bs=1 seek=5000 conv=notrunc status=none
run 1 models use alt
says err "damaged"
rm alt/alt.onnx
run 1 models use alt
says err "not on the model path"
# A file that is no network, under a manifest that says it is right
echo "not a network" >alt/alt.onnx
cp alt/manifest.json keep.json
jq --arg sum "$(sha256sum alt/alt.onnx | cut -d' ' -f1)" '.models[0].files[0] += {sha256: $sum, bytes: 14}' keep.json >alt/manifest.json
run 1 --json models use alt
json '.[0].error.code' model
# A manifest that lies about the network
cp keep.onnx alt/alt.onnx
for lie in '.models[0].dim = 128' '.models[0].input += {width: 64, height: 64}' '.models[0].files[0].bytes = 12' '.version = "one"'; do
    jq "$lie" keep.json >alt/manifest.json
    run 1 --json models use alt
    json '.[0].error.code' model
done
cp keep.json alt/manifest.json
is embedder "$(query "SELECT name || model_hash FROM embedder")" "$before"
is models "$(query "$one_model")" 1
run 0 verify ada.jpg
end

begin a_server_that_runs_notices_the_switch
serve --listen 127.0.0.1:0 --workers 1
run 0 --json keys create --scope admin
key=$(jq -r .key out)
post() { curl -sS -o body -w '%{http_code}' -H "Authorization: Bearer $key" "$@"; }
is status "$(post -F photo=@ada.jpg "$url/api/v1/verify")" 200
run 0 models use vgg16
is status "$(post -F photo=@ada.jpg "$url/api/v1/verify")" 409
says body "the team's embedder is vgg16, and alt is loaded"
post -F name=Dora -F role=x -F video=@bob.mp4 "$url/api/v1/members" >/dev/null
run 0 --json members list
json 'map(.name) | join(",")' "Ada,Bob,Carla"
is models "$(query "$one_model")" 1
kill $server
wait $server
run 0 --json verify ada.jpg
json '.[0].model' vgg16
end

begin templates_without_a_picture_are_lost_only_with_force
run 0 export --out team.npz
run 0 members remove Bob
run 1 import --role guest team.npz
says err "enrolled already"
run 0 members remove Ada
run 0 members remove Carla
run 0 import --role guest team.npz
run 0 enroll --add --name Ada ada.jpg
run 0 train
run 1 models use alt
says err "have no picture to embed again"
says err "all of: Bob, Carla"
one_line err
is models "$(query "$one_model")" 1
run 0 verify ada.jpg
run 0 --json models use --force alt
json '.[0].embedded' 1
json '.[0].lost > 50' true
says err "nothing is left to recognise Bob by"
is templates "$(query "SELECT count(*) FROM template")" 1
run 0 --data imported import --role guest team.npz
run 0 --data imported models use --force alt
says out '  0 templates embedded again, '
is 'what it says, in lines,' "$(wc -l <out)" 2
end

name=the_published_embedder_and_back
if [ -f "$shared/models/openvino/face-reidentification-retail-0095.bin" ]; then
    begin $name
    export FACEGATE_MODEL_PATH=$shared/models/openvino
    run 0 --data big enroll --name Ada --role engineer ada.mp4
    run 0 --data big enroll --name Bob --role guest bob.mp4
    run 0 --data big train
    run 0 --data big models use retail-0095
    says out "retail-0095 is now the team's embedder"
    says out "classifier 2 is trained and active"
    run 3 --data big --json verify ada.jpg stranger.jpg
    json 'map(.decision) | join(",")' "granted,unknown"
    json '.[0].similarity > 0.6' true
    run 0 --data big models use vgg16
    run 3 --data big --json verify ada.jpg stranger.jpg
    json 'map(.decision) | join(",")' "granted,unknown"
    end
else
    skip $name "no models/openvino in the development data"
fi
finish
