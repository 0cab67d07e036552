#!/bin/sh
# Renders photos and videos of the fixture people with the ffmpeg program, the same every time.
#
#   render.sh photo PORTRAIT OUT [VARIANT]            640x480 picture; VARIANT 0..5 (default 0)
#   render.sh video PORTRAIT OUT [VARIANT] [CODEC]    640x480, 25 fps, 5 s; CODEC h264 hevc vp8 vp9 av1 mpeg4
#   render.sh two   PORTRAIT PORTRAIT OUT             both in one picture
#
# A variant moves, turns, resizes, relights and blurs the head; in a video all of that changes from frame to frame.
# RENDER_ROTATE=90|180|270 stores the video turned, with the rotation in its metadata, as a phone does.
# RENDER_SECONDS (default 5) sets the length.
set -eu

die() { echo "render.sh: $1" >&2; exit 2; }
[ $# -ge 3 ] || die "usage: render.sh photo|video PORTRAIT OUT [VARIANT] [CODEC] | two PORTRAIT PORTRAIT OUT"

#            size  x    y   angle  brightness contrast blur  background       noise
look() {
  case $1 in
    0) set -- 300  170  180  0.00   0.00  1.00  0.0  0xa8b0b8 0x687078  2 ;;
    1) set -- 230   60  120 -0.10   0.06  0.92  0.4  0x96a08c 0x50584c  4 ;;
    2) set -- 340  220  140  0.12  -0.10  1.10  0.0  0xb8a890 0x504438  6 ;;
    3) set -- 200  380  170  0.07   0.10  0.85  0.6  0x8898b0 0xc8d0d8  3 ;;
    4) set -- 260  120  200 -0.06  -0.14  0.90  0.8  0x605868 0x302c38  8 ;;
    5) set -- 380  130  100 -0.14   0.03  1.15  0.3  0xc0b8a8 0x889098  5 ;;
    *) die "variant must be 0 to 5" ;;
  esac
  size=$1 x=$2 y=$3 angle=$4 light=$5 contrast=$6 blur=$7 c0=$8 c1=$9
  shift 9
  noise=$1
}

run() { ffmpeg -hide_banner -loglevel error -nostdin -y -threads 1 -filter_threads 1 -filter_complex_threads 1 "$@"; }

# Fades a portrait's left, right and upper edge out; the shoulders stay.
soft="format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='255*clip(min(min(X,W-1-X),Y)/(W/12),0,1)'"
# Room for turning.
pad="pad=iw*1.2:ih*1.2:(ow-iw)/2:(oh-ih)/2:color=black@0"

backdrop() { echo "gradients=s=640x480:r=25:c0=$1:c1=$2:nb_colors=2:x0=0:y0=0:x1=639:y1=479:seed=1:speed=0.00001:d=$3"; }

finish() { echo "eq=brightness=$light:contrast=$contrast,gblur=sigma=$blur,noise=alls=$noise:all_seed=7"; }

photo() {
  look "${3:-0}"
  run -f lavfi -i "$(backdrop "$c0" "$c1" 1)" -i "$1" -filter_complex \
    "[1]$soft,$pad,scale=$size:-1:flags=area,rotate=$angle:c=none[p];[0][p]overlay=$x:$y:format=rgb,$(finish),format=yuvj420p" \
    -frames:v 1 -q:v 3 "$2"
}

two() {
  look 0
  run -f lavfi -i "$(backdrop "$c0" "$c1" 1)" -i "$1" -i "$2" -filter_complex \
    "[1]$soft,$pad,scale=280:-1,rotate=0.05:c=none[p];[2]$soft,$pad,scale=260:-1,rotate=-0.06:c=none[q];
     [0][p]overlay=30:200:format=rgb[o];[o][q]overlay=330:220:format=rgb,$(finish),format=yuvj420p" \
    -frames:v 1 -q:v 3 "$3"
}

video() {
  look "${3:-0}"
  s=${RENDER_SECONDS:-5}
  turn='' tag=0
  case ${RENDER_ROTATE:-0} in
    0) ;;
    90) turn=',transpose=2' tag=90 ;;
    180) turn=',hflip,vflip' tag=180 ;;
    270) turn=',transpose=1' tag=270 ;;
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
  trap 'rm -f "$tmp" "$tmp.png"' EXIT
  run -i "$1" -vf "$soft,$pad" -frames:v 1 "$tmp.png"
  # shellcheck disable=SC2086  # $enc is a list of options
  run -f lavfi -i "$(backdrop "$c0" "$c1" "$s")" -loop 1 -framerate 25 -t "$s" -i "$tmp.png" -filter_complex \
    "[1]rotate='$angle+0.12*sin(t*1.7)':c=none,scale=w='2*trunc($size*(1+0.14*sin(t*1.1+1))/2)':h=-2:eval=frame[p];
     [0][p]overlay=x='$x+40*sin(t*0.9)':y='$y+18*sin(t*1.4)':eval=frame:format=rgb,
     eq=brightness='$light+0.07*sin(t*2.3)':contrast=$contrast:eval=frame,gblur=sigma=$blur,
     noise=alls=$noise:allf=t:all_seed=7$turn,format=yuv420p" \
    -t "$s" -an -c:v $enc -threads 1 -fflags +bitexact -flags:v +bitexact -metadata:s:v:0 rotate=$tag "$2"
}

verb=$1
shift
case $verb in
  photo) photo "$@" ;;
  video) video "$@" ;;
  two) two "$@" ;;
  *) die "unknown command $verb" ;;
esac
