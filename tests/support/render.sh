#!/bin/sh
# Renders photos and videos of the fixture people with the ffmpeg program, the same every time.
#
#   render.sh photo PORTRAIT OUT [VARIANT]            640x480 picture; VARIANT 0..5 (default 0)
#   render.sh video PORTRAIT OUT [VARIANT] [CODEC]    640x480, 25 fps, 5 s; CODEC h264 hevc vp8 vp9 av1 mpeg4
#   render.sh two   PORTRAIT PORTRAIT OUT             both in one picture
#
# A variant moves, turns, resizes, relights and blurs the head; in a video all of that changes from frame to frame.
# RENDER_ROTATE=90|180|270 stores the video turned, with the rotation (as ffprobe shows it) in its metadata, as a phone does.
# RENDER_SECONDS (default 5) sets the length.
# FACEGATE_RENDERED=DIR keeps what was rendered there, for whoever wants the same again.
set -eu

die() { echo "render.sh: $1" >&2; exit 2; }
[ $# -ge 3 ] || die "usage: render.sh photo|video PORTRAIT OUT [VARIANT] [CODEC] | two PORTRAIT PORTRAIT OUT"

#       size  x   down  turn light contrast blur noise   (down: pixels of the shoulders below the picture)
look() {
  case $1 in
    0) set -- 440 100    0   0.00  0.00  1.00  0.0  2 ;;
    1) set -- 330  30  -60  -0.10  0.06  0.92  0.4  4 ;;
    2) set -- 500 120   10   0.12 -0.10  1.10  0.0  6 ;;
    3) set -- 290 330  -90   0.07  0.10  0.85  0.6  3 ;;
    4) set -- 380  60    0  -0.06 -0.14  0.90  0.8  8 ;;
    5) set -- 540  40   20  -0.14  0.03  1.15  0.3  5 ;;
    *) die "variant must be 0 to 5" ;;
  esac
  size=$1 x=$2 down=$3 angle=$4 light=$5 contrast=$6 blur=$7 noise=$8
}

run() { ffmpeg -hide_banner -loglevel error -nostdin -y -threads 1 -filter_threads 1 -filter_complex_threads 1 "$@"; }

# Fades a portrait's left, right and upper edge out; the shoulders stay. Then room for turning.
soft="format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='255*clip(min(min(X,W-1-X),Y)/(W/7),0,1)'"
soft="$soft,pad=iw*1.2:ih*1.2:(ow-iw)/2:(oh-ih)/2:color=black@0"
# The wall behind a portrait, spread over the whole picture.
wall="crop=24:24:2:2,gblur=sigma=6,scale=640:480:flags=bicubic,format=rgb24"

finish() { echo "eq=brightness=$light:contrast=$contrast,gblur=sigma=$blur,noise=alls=$noise:all_seed=7"; }

photo() {
  look "${3:-0}"
  run -i "$1" -filter_complex \
    "split[a][b];[a]${wall}[w];[b]$soft,scale=$size:-1:flags=area,rotate=$angle:c=none[p];
     [w][p]overlay=$x:480-h*11/12+$down:format=rgb,$(finish),format=yuvj420p" \
    -frames:v 1 -q:v 3 "$2"
}

two() {
  look 0
  run -i "$1" -i "$2" -filter_complex \
    "[0]split[a][b];[a]${wall}[w];[b]$soft,scale=390:-1:flags=area,rotate=0.05:c=none[p];
     [1]$soft,scale=360:-1:flags=area,rotate=-0.06:c=none[q];
     [w][p]overlay=-30:480-h*11/12:format=rgb[o];[o][q]overlay=290:480-h*11/12:format=rgb,$(finish),format=yuvj420p" \
    -frames:v 1 -q:v 3 "$3"
}

video() {
  look "${3:-0}"
  s=${RENDER_SECONDS:-5}
  turn='' tag=0
  case ${RENDER_ROTATE:-0} in
    0) ;;
    90) turn=',transpose=1' tag=90 ;;
    180) turn=',hflip,vflip' tag=180 ;;
    270) turn=',transpose=2' tag=270 ;;
    *) die "RENDER_ROTATE must be 90, 180 or 270" ;;
  esac
  case ${4:-h264} in
    h264) enc='libx264 -preset veryfast -crf 23' ;;
    hevc) enc='libx265 -preset ultrafast -crf 24 -x265-params log-level=error:pools=none:frame-threads=1 -tag:v hvc1' ;;
    vp8) enc='libvpx -b:v 1200k -deadline realtime -cpu-used 8' ;;
    vp9) enc='libvpx-vp9 -b:v 1200k -deadline realtime -cpu-used 8' ;;
    av1) enc='libsvtav1 -preset 12 -crf 35' ;;
    mpeg4) enc='mpeg4 -q:v 4' ;;
    *) die "codec must be h264, hevc, vp8, vp9, av1 or mpeg4" ;;
  esac
  tmp=$(mktemp "${TMPDIR:-/tmp}/render.XXXXXX") || die "no temporary file"
  flat=$2
  [ "$tag" = 0 ] || flat=$tmp.${2##*.}
  trap 'rm -f "$tmp" "$tmp.p.png" "$tmp.w.png" "$tmp.${2##*.}"' EXIT
  run -i "$1" -filter_complex "split[a][b];[a]${wall}[w];[b]${soft}[p]" \
    -map '[p]' -frames:v 1 "$tmp.p.png" -map '[w]' -frames:v 1 "$tmp.w.png"
  # shellcheck disable=SC2086  # $enc is a list of options
  run -loop 1 -framerate 25 -t "$s" -i "$tmp.w.png" -loop 1 -framerate 25 -t "$s" -i "$tmp.p.png" -filter_complex \
    "[1]rotate='$angle+0.12*sin(t*1.7)':c=none,scale=w='2*trunc($size*(1+0.12*sin(t*1.1+1))/2)':h=-2:eval=frame[p];
     [0][p]overlay=x='$x+35*sin(t*0.9)':y='480-h*11/12+$down+14*sin(t*1.4)':eval=frame:format=rgb,
     eq=brightness='$light+0.07*sin(t*2.3)':contrast=$contrast:eval=frame,gblur=sigma=$blur,
     noise=alls=$noise:allf=t:all_seed=7$turn,format=yuv420p" \
    -t "$s" -an -c:v $enc -threads 1 -fflags +bitexact -flags:v +bitexact "$flat"
  # FFmpeg 5 writes the display matrix only when it copies.
  [ "$tag" = 0 ] || run -i "$flat" -c copy -fflags +bitexact -metadata:s:v:0 rotate="$tag" "$2"
}

# What the result depends on: this script, the portraits, and every word but the name of the output.
if [ -n "${FACEGATE_RENDERED:-}" ] && command -v flock >/dev/null; then
  case $1 in two) out=$4 words="two" portraits="$2 $3" ;; *) out=$3 words="$1 ${4:-} ${5:-}" portraits=$2 ;; esac
  # shellcheck disable=SC2086  # $portraits is one file or two
  key=$({ echo "$words ${RENDER_SECONDS:-} ${RENDER_ROTATE:-}"; cat "$0" $portraits; } | sha256sum | cut -c1-40).${out##*.}
  mkdir -p "$FACEGATE_RENDERED"
  kept=$FACEGATE_RENDERED/$key
  (
    flock 9
    if [ ! -s "$kept" ]; then
      FACEGATE_RENDERED='' "$0" "$@"
      cp "$out" "$kept.new"
      mv "$kept.new" "$kept"
    fi
    cp "$kept" "$out"
  ) 9>>"$kept.lock"
  exit
fi

verb=$1
shift
case $verb in
  photo) photo "$@" ;;
  video) video "$@" ;;
  two) two "$@" ;;
  *) die "unknown command $verb" ;;
esac
