#!/usr/bin/env bash
# The dataset on the command line: out, in, and what is refused without a trace.
. "$(dirname "$0")/lib.sh"
people=$source_root/tests/fixtures/people
render=$source_root/tests/support/render.sh

for n in 0 1; do
    name=$([ $n = 0 ] && echo ada || echo bruno)
    RENDER_SECONDS=2 "$render" video "$people/$name.jpg" $name.mp4 $n
done
"$render" photo "$people/ada.jpg" ada.jpg 1
"$render" photo "$people/otto.jpg" otto.jpg 1

begin a_failed_import_leaves_no_team
run 1 --data none import --role x none.npz
one_line err
[ ! -e none ] || { bad=1; echo "  a data folder was made"; }
end

begin export_of_nobody
run 1 --data empty export
says err "no team here yet"
[ ! -e data.npz ] || { bad=1; echo "  a file was made"; }
end

for name in ada bruno; do "$facegate" --data one --quiet enroll --name $name --role engineer $name.mp4 >/dev/null || exit 1; done

begin export_both_forms
run 0 --data one --json export
json '.[0] | [.out, .format, .members] | join(" ")' "data.npz npz 2"
rows=$(jq .rows out)
run 0 --data one --json export --out team.pickle
json '.[0].format' pickle
run 2 --data one export --format npz --out team.pickle
one_line err
run 2 --data one export --out -
[ ! -e - ] || { bad=1; echo "  a file called -"; }
run 0 --data one export --format pickle --out team.pickle
says out "team.pickle: $rows templates of 2 members"
[ "$(stat -c %a data.npz team.pickle | sort -u)" = 600 ] || { bad=1; echo "  others can read it"; }
run 1 --data one export --out nowhere/data.npz
says err "nowhere/data.npz: cannot write"
run 2 --data one export --format csv
[ "$(ls | grep -c '^data.npz')" = 1 ] || { bad=1; echo "  remains of a temporary file"; }
end

begin numpy_agrees_on_both
npz=$(python "$source_root/tests/support/datasets.py" check data.npz)
pickle=$(python "$source_root/tests/support/datasets.py" check team.pickle)
[ -n "$npz" ] && [ "$npz" = "$pickle" ] || { bad=1; printf '  %s\n  %s\n' "$npz" "$pickle"; }
end

begin a_full_disk_leaves_the_old_file
cp data.npz full && cp data.npz before
for format in npz pickle; do
    (ulimit -f 4; "$facegate" --data one export --format $format --out full >out 2>err)
    [ $? = 1 ] || { bad=1; echo "  no error"; }
    one_line err
    cmp -s full before || { bad=1; echo "  the old file is gone"; }
done
[ "$(ls | grep -c "full\\.")" = 0 ] || { bad=1; echo "  remains of a temporary file"; }
rm full before
end

begin import_gives_the_same_team
run 0 --data two --json import --role guest --right lab data.npz
json '.[0] | [.rows, .members, .new_members] | map(tostring) | join(" ")' "$rows 2 2"
run 0 --data two --json members list
json '[.[] | .name + ":" + .role + ":" + .rights[0]] | join(" ")' "ada:guest:lab bruno:guest:lab"
run 0 --data two --json members show ada
json '.[0].files | map(.kind + " " + .name) | join(" ")' "dataset data.npz"
run 0 --data two export --out again.npz
cmp -s data.npz again.npz || { bad=1; echo "  the round trip changed the dataset"; }
run 0 --data two --quiet train
run 0 --data two verify ada.jpg
run 3 --data two verify otto.jpg
end

begin import_of_a_pickle
run 0 --data three import --role guest team.pickle
run 0 --data three --json export --format pickle --out again.pickle
cmp -s team.pickle again.pickle || { bad=1; echo "  the round trip changed the dataset"; }
end

begin import_is_all_or_nothing
run 1 --data two import --role guest data.npz
says err "ada is enrolled already"
run 2 --data four import data.npz
says err "ada is new"
run 0 --data two import --add data.npz
run 0 --data two --json members show ada
json '.[0].templates' "$rows"
json '.[0].role' guest
run 0 --data two import --add --role chief --right vault data.npz
run 0 --data two --json members show ada
json '.[0] | [.role, .rights[0]] | join(" ")' "guest lab"
"$facegate" --data five --quiet enroll --name bruno --role engineer bruno.mp4 >/dev/null
run 1 --data five import --role guest data.npz
run 0 --data five --json members list
json '[.[].name] | join(" ")' bruno
end

begin bad_datasets_are_refused_by_name
python - <<'PY'
import numpy, pickle, os
z = numpy.load('data.npz')
d, l, m = z['data'].copy(), z['label'], z['model']
numpy.savez('short.npz', data=d[:, :100] / numpy.linalg.norm(d[:, :100], axis=1, keepdims=True), label=l)
bad = d.copy(); bad[3, 5] = numpy.nan
numpy.savez('nan.npz', data=bad, label=l)
numpy.savez('long.npz', data=d * 2, label=l)
numpy.savez('other.npz', data=d, label=l, model=numpy.array(['0' * 64]))
numpy.savez('name.npz', data=d, label=numpy.array(['a\x01b'] * len(l)))
class Evil:
    def __reduce__(self): return os.system, ('touch executed',)
pickle.dump({'data': Evil(), 'label': ['a']}, open('evil.pickle', 'wb'), 4)
open('text.npz', 'w').write('data\n')
open('cut.npz', 'wb').write(open('data.npz', 'rb').read()[:-40])
PY
while read -r file text; do
    run 1 --data six import --role guest "$file"
    says err "$file"
    says err "$text"
    one_line err
done <<'LIST'
short.npz its rows have 100 numbers
nan.npz row 3 has a number that is not finite
long.npz row 0 is not of unit length
other.npz made with another embedder
evil.pickle nothing in it was executed
text.npz neither an .npz nor a pickle
cut.npz damaged
none.npz cannot open
LIST
run 2 --data six import --role guest name.npz
says err "control character"
[ ! -e executed ] || { bad=1; echo "  it was executed"; }
run 0 --data six members list
empty out
end
finish
