#!/usr/bin/env bash
# How well teams are told from strangers, on people who do not exist; one photo is enough to enrol from.
. "$(dirname "$0")/lib.sh"
people=$source_root/tests/fixtures/people
render=$source_root/tests/support/render.sh
mkdir all
n=0
for portrait in "$people"/*.jpg; do
    name=$(basename "$portrait" .jpg)
    mkdir -p "all/$name"
    n=$((n + 1))
    for variant in 0 1 2; do "$render" photo "$portrait" "all/$name/$variant.jpg" $variant; done
    [ $n -lt 8 ] || break
done
echo 'no photo' >all/ada/notes.txt

begin teams_are_told_from_strangers
printf '{"ada": "first", "bruno": "second"}' >all/groups.json
run 0 --json eval openset --images all --photos 2 --perturb --plots plots
json '.[0].people' 8
json '.[0].photos' 24
json '.[0].unreadable' 1
json '.[0].teams | map(.members) | join(",")' 1,2,5
json '.[0].teams | map(.far.share < 0.05 and .frr.share < 0.1 and .wrong_member.hits == 0) | all' true
json '.[0].teams | map(.far.low <= .far.share and .far.share <= .far.high) | all' true
json '.[0].teams[0].far.tries' 2800
json '.[0].groups | keys | join(",")' first,second
json '.[0].groups.first.far.tries > 0' true
json '.[0].perturbed | keys | join(",")' crop,flip,jpeg
json '.[0].perturbed.flip | .attempts > 0 and .changed * 4 < .attempts' true
for plot in det reliability scores; do says plots/$plot.svg '</svg>'; done
end

# A few people are enough to see that neither the faces nor the teams depend on which thread took them.
begin the_number_of_threads_changes_nothing
mkdir few
cp -r all/ada all/bruno "all/$(ls all | grep -v 'ada\|bruno\|json' | head -1)" few/
run 0 --json eval openset --images few --photos 2 --workers 3
cp out first
run 0 --json eval openset --images few --photos 2 --workers 1
[ "$(jq -cS '[.teams[] | del(.train_ms, .decide_ms)]' first)" = "$(jq -cS '[.teams[] | del(.train_ms, .decide_ms)]' out)" ] ||
    { bad=1; echo "  another number of threads, another result"; }
end

begin one_photo_is_enough
run 0 eval openset --images few --photos 1
says out "and its variations"
says out "members refused"
says err "too few for teams of 5"
end

# What a result has of the teams but times, and whom it asked again, which a file of embeddings cannot tell
same_of() { jq -cS '[.teams[] | del(.train_ms, .decide_ms, .asked_again)]' "$1"; }

begin photos_looked_at_once_serve_again
run 0 --json eval openset --images few --photos 1 --out few.npz
json '[.[0].teams[] | .asked_again.tries == .frr.tries] | all' true
cp out first
run 0 --json eval openset --images few.npz --photos 1
json '[.[0].teams[].asked_again] | unique | tojson' '[null]'
[ "$(same_of first)" = "$(same_of out)" ] || { bad=1; echo "  the file gives another result than the photos"; }
run 0 --json eval openset --images few --photos 2 --out plain.npz
cp out first
run 0 --json eval openset --images few.npz --photos 2
[ "$(same_of first)" = "$(same_of out)" ] || { bad=1; echo "  with more photos the variations are not left out"; }
run 1 eval openset --images plain.npz --photos 1
one_line err
says err "variations"
run 1 --embedder vgg16-half-int8 eval openset --images few.npz
one_line err
says err "another embedder"
run 2 eval openset --images few.npz --perturb
one_line err
head -c 1000 few.npz >cut.npz
run 1 eval openset --images cut.npz
one_line err
says err cut.npz
end

begin bad_folders_are_said_in_one_line
run 2 eval openset
one_line err
run 1 eval openset --images nowhere
one_line err
says err nowhere
mkdir empty
run 1 eval openset --images empty
one_line err
says err empty
run 1 eval openset --images all --photos 3
one_line err
says err "too few people"
run 1 eval openset --images all --cohort ./all
one_line err
says err "a cohort needs 50"
printf '{' >all/groups.json
run 1 eval openset --images all
one_line err
says err groups.json
end

begin one_photo_enrols_with_its_variations
run 0 --json enroll --name Ada --role engineer all/ada/0.jpg
json '.[0].faces_used' 1
run 0 --json train --dry-run
json '.[0].version' null
json '.[0].report.templates' 8
run 0 classifiers list
empty out
run 0 --json train
json '.[0].active' true
json '.[0].report.far_low <= .[0].report.far and .[0].report.far <= .[0].report.far_high' true
run 0 --json classifiers show 1
json '.[0].settings.far' 0.001
json '.[0].settings.cohort' cohort
run 0 --json verify all/ada/1.jpg
json '.[0].member' Ada
run 3 --json verify all/bruno/0.jpg
json '.[0].probability < 0.5' true
end

# The sheet's first 75 people as photos, one each.
begin photos_can_be_the_cohort_but_for_the_team_s_own
mkdir strangers
ffmpeg -v error -i "$source_root/models/cohort.jpg" -q:v 2 \
    -vf 'crop=3200:384:0:0,untile=25x3,scale=320:320,pad=480:480:80:80:gray' strangers/%02d.jpg
run 0 --data photos enroll --name Ada --role engineer all/ada/0.jpg
run 0 --data photos --json train --cohort ./strangers
json '.[0].report.cohort' 75
json '.[0].report.warnings | length' 0
run 0 --data photos --json classifiers show 1
json '.[0].settings.cohort' ./strangers
run 0 --data photos verify all/ada/1.jpg
run 3 --data photos --json verify all/bruno/0.jpg
json '.[0].probability < 0.5' true
cp all/ada/2.jpg strangers
run 0 --data photos --json train --cohort ./strangers --dry-run
json '.[0].report.cohort' 75
json '.[0].report.warnings | map("\(.kind) \(.member) \(.value)") | join(",")' "in_cohort Ada 1"
json '.[0].report.people | map(.stranger < 0.6) | join(",")' true
run 0 --data photos train --cohort ./strangers --dry-run
says err "of the cohort, of Ada"
end

# The background cohort comes embedded for the default embedder; what is made anew for it says the same.
begin the_cohort_comes_embedded_for_the_default_embedder
shipped=$(jq -r '.models[] | select(.kind == "cohort") | .files[1].file' "$source_root/models/manifest.json")
[ ! -e "facegate-data/cache/$shipped" ] || { bad=1; echo "  training with the default embedder embedded the cohort"; }
mkdir bare spoilt
for folder in bare spoilt; do
    jq '{version, models: (.models | map(select(.kind == "cohort")))}' "$source_root/models/manifest.json" >$folder/manifest.json
    cp "$source_root/models/cohort.jpg" $folder
done
jq '.models[0].files |= .[:1]' bare/manifest.json >bare/new && mv bare/new bare/manifest.json
run 0 --model-path bare train --dry-run
python - "$source_root/models/$shipped" "facegate-data/cache/$shipped" <<'END' || bad=1
import sys
import numpy
shipped, made = map(numpy.load, sys.argv[1:])
cosine = (shipped * made).sum(1)
if shipped.shape != made.shape or not (cosine > 0.98).all():
    sys.exit(f'  shipped {shipped.shape} and made {made.shape}: cosine down to {cosine.min()}')
END
rm -r facegate-data/cache
head -c -1 "$source_root/models/$shipped" >"spoilt/$shipped"
run 1 --model-path spoilt train --dry-run
one_line err
says err "$shipped"
end

begin versions_can_be_rolled_back
run 0 enroll --name Bruno --role guard all/bruno/0.jpg all/bruno/1.jpg
run 0 train --force
run 0 --json classifiers list
json 'map(select(.active)) | map(.version) | join(",")' 2
run 0 classifiers activate 1
run 0 --json classifiers list
json 'map(select(.active)) | map(.version) | join(",")' 1
run 1 classifiers activate 99
one_line err
run 2 classifiers activate first
end
finish
