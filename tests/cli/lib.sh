# The command line as scripts use it: what is printed, where, and the exit status. Sourced by the tests of this folder.
set -uo pipefail
facegate=${FACEGATE:?the program to test}
source_root=${FACEGATE_SOURCE:?the folder with the fixtures}
work=$(mktemp -d)
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# Debian's own, which has the packages that script/packages lists
python() { /usr/bin/python3 -B "$@"; }

# The words that cmocka uses, so that one reader counts both.
begin() { current=$1; bad=0; printf '[ RUN      ] %s\n' "$1"; }
end() {
    if [ $bad = 0 ]; then printf '[       OK ] %s\n' "$current"; else printf '[  FAILED  ] %s\n' "$current"; failures=$((failures + 1)); fi
}
skip() { printf '[ RUN      ] %s\n[  SKIPPED ] %s\n%s\n' "$1" "$1" "skipped: $2"; }
finish() { [ $failures = 0 ]; exit; }

# run STATUS ARG...: runs facegate, leaves out and err, and checks the exit status
run() {
    local want=$1 got
    shift
    "$facegate" "$@" >out 2>err
    got=$?
    if [ $got != "$want" ]; then
        bad=1
        printf '  facegate %s\n  exit status %s, expected %s\n' "$*" $got "$want"
        head -5 out err
    fi
}
# says FILE TEXT: the file has the text; not_says the opposite
says() { grep -qF -- "$2" "$1" || { bad=1; printf '  %s lacks: %s\n' "$1" "$2"; head -5 "$1"; }; }
empty() { [ ! -s "$1" ] || { bad=1; printf '  %s should be empty:\n' "$1"; head -5 "$1"; }; }
one_line() { [ "$(wc -l <"$1")" = 1 ] || { bad=1; printf '  %s should be one line:\n' "$1"; head -5 "$1"; }; }
# is WHAT GOT WANTED
is() { [ "$2" = "$3" ] || { bad=1; printf '  %s is %s, expected %s\n' "$1" "$2" "$3"; }; }
# wait_for PID COMMAND...: until the command succeeds; fails once the process has ended. The limit is for what hangs alone.
wait_for() {
    local pid=$1 end=$((SECONDS + 600))
    shift
    until "$@"; do
        if ! kill -0 "$pid" 2>/dev/null; then bad=1; printf '  the process ended before: %s\n' "$*"; return 1; fi
        if [ $SECONDS -ge $end ]; then bad=1; printf '  this does not happen: %s\n' "$*"; return 1; fi
        sleep 0.05
    done
}
has_line() { [ -e "$1" ] && [ "$(wc -l <"$1")" -gt 0 ]; }
# serve ARG...: a server in the background, once it is ready; its process is in server, its address in url. The file of the one
# before goes first: the shell empties it only in the new process, and until then it reads as ready.
serve() {
    rm -f ready
    "$facegate" --json serve "$@" >ready 2>log &
    server=$!
    if wait_for $server has_line ready; then url=$(jq -r .url ready); else cat log; fi
}
# json FILTER WANTED: of the last output
json() {
    local got
    got=$(jq -rs "$1" out 2>&1)
    [ "$got" = "$2" ] || { bad=1; printf '  %s is %s, expected %s\n' "$1" "$got" "$2"; head -3 out; }
}
