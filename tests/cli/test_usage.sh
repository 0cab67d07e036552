#!/usr/bin/env bash
# Wrong flags, wrong words, missing things: a clear line on stderr, the right status, nothing on stdout.
. "$(dirname "$0")/lib.sh"

begin usage_errors_are_one_line_and_status_2
while read -r words; do
    # shellcheck disable=SC2086
    run 2 $words
    one_line err
    empty out
done <<'LIST'

frobnicate
members
members frobnicate
verify
verify --every 5 x.jpg
enroll --every 0 --name A --role B x.mp4
enroll --every five --name A --role B x.mp4
enroll --rotate 45 --name A --role B x.mp4
train --kernel cubic
train extra
compare one.jpg
detect --nothing x
detect --min-face
verify --threshold 1.5 x.jpg
serve --admin-key secret
keys create --scope everything
sagemaker status --wait
sagemaker invoke --poll-seconds 1 x.npy
LIST
end

begin help_lists_every_command
run 0 --help
for word in enroll members train verify detect compare embed models eval bench keys serve version; do says out "  $word"; done
run 0 verify --help
says out "--require RIGHT"
run 0 help members list
says out "usage: facegate members list"
end

begin help_of_a_group_lists_its_commands
for words in "members --help" "members -h" "help members"; do
    # shellcheck disable=SC2086
    run 0 $words
    says out "  members remove NAME"
    empty err
done
run 2 members
is message "$(cat err)" "facegate: members: say what to do: list, show, set, remove"
run 2 members lsit
is message "$(cat err)" "facegate: members lsit: no such command; there are list, show, set, remove"
run 2 members lsit --help
says err "members lsit"
end

begin nothing_is_made_for_what_cannot_be
run 2 --data none enroll --name '  ' --role x x.jpg
says err "the name is empty"
run 1 --data none enroll --name Ada --role x x.jpg
run 2 --data none enroll --name Ada --role x --right lab,office x.jpg
[ ! -e none ] || { bad=1; echo "  a data folder was made"; }
timeout 60 "$facegate" --data none serve --port 0 --web nosuchdir >out 2>err
is status $? 1
says err "nosuchdir"
end

begin version
run 0 version
says out "facegate 0."
run 0 --version
run 0 --json version
json '.[0].version | type' string
end

begin no_team_yet
run 1 --data nowhere members list
says err "nowhere: no team here yet"
[ ! -e nowhere ] || { bad=1; echo "  a folder was made"; }
end

# A folder that may not be looked into is no folder without a team.
begin a_team_out_of_sight_is_no_team_yet
ln -s loop loop
run 1 --data loop/team members list
one_line err
says err "symbolic links"
end

begin a_full_disk_behind_stdout_is_an_error
"$facegate" version >/dev/full 2>err
[ $? = 1 ] || { bad=1; echo "  success although nothing was written"; }
says err "cannot write to standard output"
end

begin a_reader_that_left_is_no_full_disk
(sleep 0.2; "$facegate" help 2>err; echo $? >status) | true
[ "$(cat status)" = 1 ] || { bad=1; echo "  success although nobody read it"; }
empty err
end

begin json_errors_are_documents
run 1 --json --data nowhere verify x.jpg
json '.[0].error.code' wrong_state
end
finish
