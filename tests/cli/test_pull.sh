#!/usr/bin/env bash
# facegate models pull, against an HTTPS server of its own: what arrives is the manifest's file, or nothing.
. "$(dirname "$0")/lib.sh"
if ! command -v openssl >/dev/null; then
    skip pull "no openssl to make a certificate with"
    finish
fi
mkdir files tls
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=a test's authority" -keyout tls/ca.key -out tls/ca.pem \
    -addext basicConstraints=critical,CA:TRUE >/dev/null 2>&1
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout tls/key.pem -out tls/csr.pem >/dev/null 2>&1
openssl x509 -req -in tls/csr.pem -CA tls/ca.pem -CAkey tls/ca.key -CAcreateserial -days 2 -out tls/cert.pem \
    -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1') >/dev/null 2>&1
python3 "$source_root/tests/support/https_files.py" files tls/cert.pem tls/key.pem port requests >server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
wait_for $server test -s port || { cat server.log; exit 1; }
url=https://localhost:$(cat port)
unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY CURL_CA_BUNDLE SSL_CERT_FILE AWS_CA_BUNDLE
export FACEGATE_CA_FILE=$PWD/tls/ca.pem FACEGATE_MODEL_PATH=$PWD/manifest FACEGATE_DATA=$PWD/data

# The built-in embedder under another name, in a file that only the server has, and a second small one.
{ cat "$source_root/models/vgg16.onnx"; printf '\x12\x04test'; } >files/far.onnx
head -c 3000 /dev/urandom >files/notes.bin
mkdir manifest
# manifest [HOW] [JQ]: of model "far", fetched through HOW
manifest() {
    jq --arg url "$url/${1:+$1/}" --arg sum "$(sha256sum files/far.onnx | cut -d' ' -f1)" --argjson bytes "$(stat -c%s files/far.onnx)" \
        --arg sum2 "$(sha256sum files/notes.bin | cut -d' ' -f1)" '{version: 1, models: [.models[] | select(.name == "vgg16") | .name = "far"
        | .files = [{file: "far.onnx", bytes: $bytes, sha256: $sum, url: ($url + "far.onnx")},
                    {file: "notes.bin", bytes: 3000, sha256: $sum2, url: ($url + "notes.bin")}]]} | '"${2:-.}" \
        "$source_root/models/manifest.json" >manifest/manifest.json
    : >requests
}
size=$(stat -c%s files/far.onnx)
here() { [ -e data/models/far.onnx ] && cmp -s data/models/far.onnx files/far.onnx; }
parts() { find data/models -name '*.part*' 2>/dev/null | wc -l; }
fresh() { rm -rf data; }

begin a_good_download
manifest
run 0 --json models pull far
json '.[0] | [.model, .files, .resumed_bytes] | tojson' '["far",2,0]'
json '.[0].fetched_bytes' $((size + 3000))
empty err
here || bad=1
is parts "$(parts)" 0
is mode "$(stat -c%a data/models/far.onnx)" 600
run 0 models pull far
says out "everything is here"
is requests "$(wc -l <requests)" 2
run 0 models verify far
run 0 --json models list
json 'map(select(.name == "far") | .here) | tojson' '[true]'
run 0 models use far
end

begin only_what_is_missing_or_damaged_is_fetched
printf 'x' | dd of=data/models/far.onnx bs=1 seek=7000 conv=notrunc status=none
: >requests
run 0 --json models pull far
json '.[0].files' 1
here || bad=1
is requests "$(wc -l <requests)" 1
end

begin cut_off_and_resumed
fresh
manifest cut/200000
run 1 models pull far
says err "200000 of $size bytes are kept, and the same command goes on from there"
one_line err
[ ! -e data/models/far.onnx ] || bad=1
run 1 --json models pull far # goes on, and is cut off again
json '.[0].error.code' io
says err "400000 of $size"
manifest
run 0 --json models pull far
json '.[0].resumed_bytes' 400000
json '.[0].fetched_bytes' $((size + 3000 - 400000))
says requests "bytes=400000-"
here || bad=1
is parts "$(parts)" 0
end

begin killed_and_resumed
fresh
manifest half
"$facegate" models pull far >/dev/null 2>&1 &
pid=$!
begun() { [ -s "$(echo data/models/far.onnx.*.part)" ]; }
wait_for $pid begun
run 1 models pull far
says err "another \`facegate models pull\`"
{ kill -KILL $pid && wait $pid; } 2>/dev/null
[ ! -e data/models/far.onnx ] || { bad=1; echo "  it was done before the kill"; }
manifest
run 0 --json models pull far
json '.[0].resumed_bytes > 0' true
here || bad=1
end

begin another_version_on_the_server_or_no_ranges_begin_anew
fresh
manifest changed
run 1 models pull far
run 0 --json models pull far
says requests 'bytes=5000- "'
here || bad=1
fresh
manifest cut/100000
run 1 models pull far
manifest noranges
run 0 models pull far
here || bad=1
end

begin a_part_that_is_rubbish_is_found_out
fresh
manifest cut/100000
run 1 models pull far
printf 'x' | dd of="$(echo data/models/far.onnx.*.part)" bs=1 seek=50 conv=notrunc status=none
manifest
run 1 models pull far
says err "another SHA-256"
is parts "$(parts)" 0
run 0 models pull far
here || bad=1
end

begin what_is_not_the_manifests_file_is_refused
for how in altered longer shorter endless; do
    fresh
    manifest $how
    run 1 --json models pull far
    json '.[0].error.code' model
    says err "the manifest says"
    one_line err
    [ ! -e data/models/far.onnx ] || { bad=1; echo "  $how was taken"; }
    is "parts after $how" "$(parts)" 0
done
# and what was there stays
manifest
run 0 models pull far
manifest altered '.models[0].files[0].sha256 = ("0" * 64)'
run 1 models pull far
here || { bad=1; echo "  the old file is gone"; }
end

begin redirects
fresh
manifest moved
run 0 models pull far
here || bad=1
for how in http elsewhere loop; do
    fresh
    manifest $how
    run 1 models pull far
    says err "redirect"
    one_line err
    [ ! -e data/models/far.onnx ] || bad=1
done
manifest http
run 1 models pull far
says err "not https"
manifest elsewhere
run 1 models pull far
says err "another host"
end

begin no_such_file_model_or_address
fresh
manifest nowhere '.models[0].files[0].url += ".no"'
run 1 --json models pull far
json '.[0].error.code' not_found
says err "status 404"
run 1 --json models pull frobnicate
json '.[0].error.code' not_found
run 0 models pull vgg16 # built in: here
manifest "" 'del(.models[0].files[0].url)'
run 1 --json models pull far
json '.[0].error.code' model
says err "no address"
manifest "" 'del(.models[0].files[0].sha256)'
run 1 models pull far
says err "cannot be checked"
manifest "" 'del(.models[0].files[0].bytes)'
run 1 models pull far
manifest "" '.models[0].files[0].url |= sub("https"; "http")'
run 1 models pull far
says err "https address"
run 2 models pull
end

begin a_server_that_is_not_trusted_or_not_there
manifest
FACEGATE_CA_FILE='' run 1 models pull far
says err "not trusted"
CURL_CA_BUNDLE=$PWD/tls/ca.pem FACEGATE_CA_FILE='' run 0 models pull far
fresh
run 0 models pull --ca-file tls/ca.pem far
fresh
FACEGATE_CA_FILE=$PWD/tls/none.pem run 1 models pull far
manifest "" '.models[0].files[0].url = "https://localhost:1/far.onnx"'
run 1 models pull far
says err "cannot connect"
manifest
https_proxy=http://127.0.0.1:1 run 1 models pull far
says err "cannot connect"
end

# The part's name can be guessed: what is put there beforehand is neither followed nor kept open to others.
begin a_part_of_somebody_elses
manifest
part=data/models/far.onnx.$(sha256sum files/far.onnx | cut -c1-12).part
for trap in link mode second fifo; do
    fresh
    mkdir -p data/models
    chmod 700 data data/models
    echo precious >precious
    case $trap in
    link) ln -s "$PWD/precious" "$part" ;;
    mode) echo x >"$part" && chmod 666 "$part" && ln -s "$PWD/precious" "$part.tag" ;;
    second) ln precious "$part" ;;
    fifo) mkfifo "$part" ;;
    esac
    run 0 models pull far
    here || { bad=1; echo "  $trap: not pulled"; }
    is "precious after $trap" "$(cat precious)" precious
    is "mode after $trap" "$(stat -c%a data/models/far.onnx)" 600
    [ ! -L data/models/far.onnx ] || { bad=1; echo "  $trap: a link was taken"; }
    is parts "$(parts)" 0
done
fresh
mkdir -p data/models
ln -s "$PWD/made" data/models/.pull.lock
run 1 models pull far
[ ! -e made ] || { bad=1; echo "  a file was made elsewhere"; }
end

begin file_names_that_lead_elsewhere
for name in ../far.onnx /far.onnx .. .far manifest.json -far 'a b' ''; do
    fresh
    manifest "" ".models[0].files[0].file = \"$name\""
    run 1 --json models pull far
    json '.[0].error.code' model
    one_line err
    [ ! -e data ] || is "files of $name" "$(find data -type f | wc -l)" 0
done
end

begin a_long_page_that_says_no
fresh
manifest page
run 1 --json models pull far
json '.[0].error.code' not_found
end

begin a_full_disk
fresh
manifest
(ulimit -f 1000 && "$facegate" models pull far >out 2>err)
is status $? 1
says err "free some space"
one_line err
[ ! -e data/models/far.onnx ] || bad=1
run 0 --json models pull far
json '.[0].resumed_bytes' 1024000
here || bad=1
if [ "$(id -u)" = 0 ] && mkdir tiny && mount -t tmpfs -o size=2m tmpfs tiny 2>/dev/null; then
    run 1 --data tiny models pull far
    says err "do not fit on the disk; free some space"
    is "parts on a full disk" "$(find tiny -size +0 -type f | wc -l)" 0
    umount tiny
fi
end

begin a_data_folder_that_cannot_be_written
manifest
: >plain
run 0 --json --data plain/x models pull far # into the model path instead
json '.[0].folder' "$PWD/manifest"
cmp -s manifest/far.onnx files/far.onnx || bad=1
end
finish
