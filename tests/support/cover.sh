#!/bin/sh
# cover.sh PHOTO OUT: the photo with a black bar over the eyes of its one face, as dark glasses would be. $FACEGATE finds them.
set -eu
bar=$("$FACEGATE" --quiet --json detect "$1" | jq -r '.faces[0].points | (.[1][0] - .[0][0]) as $eyes |
  "x=\(.[0][0] - $eyes / 2):y=\(.[0][1] - 0.28 * $eyes):w=\(2 * $eyes):h=\(0.56 * $eyes)"')
ffmpeg -hide_banner -loglevel error -nostdin -y -i "$1" -vf "drawbox=$bar:color=black:t=fill" -q:v 3 "$2"
