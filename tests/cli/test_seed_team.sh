#!/usr/bin/env bash
# The team of the original project: two phone videos, three photos. Skips where the development data is absent.
. "$(dirname "$0")/lib.sh"
shared=${FACEGATE_SHARED:-$source_root/../shared}
seed=$shared/data/seed
published=${FACEGATE_PUBLISHED:-/nowhere}
if [ -d "$seed" ]; then
    begin the_seed_team_with_the_built_in_models
    run 0 --data built-in enroll --name Joaquin --role "data engineer" "$seed/Joaquin.mp4"
    run 0 --data built-in enroll --name Julia --role "data science manager" "$seed/Iuliia.mp4"
    run 0 --data built-in train
    run 0 --data built-in --json verify "$seed/joaquin.png"
    json '.[0].member' Joaquin
    run 0 --data built-in --json verify "$seed/julia.png"
    json '.[0].member' Julia
    run 3 --data built-in --json verify "$seed/azucena.png"
    json '.[0].decision' unknown
    json '.[0].probability < 0.5' true
    # Nobody of the clips is enrolled: no frame of theirs may be let in.
    for clip in "$seed"/../videos/*.mp4; do
        ffmpeg -loglevel error -y -i "$clip" -vf fps=2 -frames:v 6 "$(basename "$clip" .mp4)-%d.jpg" || bad=1
    done
    run 3 --data built-in --json verify ./*-*.jpg
    json 'map(select(.decision != "unknown" and .decision != "retry")) | length' 0
    end
fi
if [ ! -d "$seed" ] || [ ! -d "$published" ]; then
    skip the_seed_team "no $seed, or no published detector"
    finish
fi
for embedder in retail-0095; do
    begin "the_seed_team_with_$embedder"
    flags=(--data "$embedder" --model-path "$published:$shared/models/openvino" --detector mtcnn-published --embedder "$embedder" --json)
    run 0 "${flags[@]}" enroll --name Joaquin --role "data engineer" --right lab "$seed/Joaquin.mp4"
    json '.[0].faces_used' 70
    json '.[0].files[0].height > .[0].files[0].width' true
    run 0 "${flags[@]}" enroll --name Julia --role "data science manager" --right lab --right office "$seed/Iuliia.mp4"
    json '.[0].faces_used' 36
    json '.[0].files[0].height > .[0].files[0].width' true
    run 0 "${flags[@]}" train
    run 3 "${flags[@]}" verify "$seed/joaquin.png" "$seed/julia.png" "$seed/azucena.png"
    json 'map(.decision) | join(",")' granted,granted,unknown
    json 'map(.member // "-") | join(",")' Joaquin,Julia,-
    json '.[2].probability < 0.5' true
    run 3 "${flags[@]}" verify --require office "$seed/joaquin.png"
    json '.[0].decision' denied
    json '.[0].reasons | join(",")' right_missing
    end
done
finish
