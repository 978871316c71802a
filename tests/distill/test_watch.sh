#!/bin/sh
# retort watch on a tiny run: at work, killed, stopped on purpose, finished; on a terminal and off
# it; and what is no run.
. tests/distill/tiny_job.sh
job=
trap '[ -z "$job" ] || kill -9 "$job" 2>/dev/null; rm -rf "$folder"' EXIT

run() { # run OUTPUT [OPTIONS...]
    output=$1
    shift
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" "$@" >"$folder/out" \
        2>"$folder/said" </dev/null || wrong "run $output $*: $(cat "$folder/said")"
}

watch() { # watch OUTPUT: must succeed; what it shows in $folder/shown
    "$RETORT" watch "$folder/$1" >"$folder/shown" 2>"$folder/err" </dev/null ||
        wrong "watch $1: status $?: $(cat "$folder/err")"
    [ ! -s "$folder/err" ] || wrong "watch $1: says $(cat "$folder/err")"
    grep -q "$(printf '\033')" "$folder/shown" && wrong "watch $1: escapes off a terminal"
}

shows() { # shows WHAT PATTERN...: each in some line of it
    what=$1
    shift
    for pattern in "$@"; do
        grep -Eq -- "$pattern" "$folder/shown" ||
            wrong "$what: does not show \"$pattern\": $(cat "$folder/shown")"
    done
}

shows_not() { # shows_not WHAT PATTERN
    grep -Eq -- "$2" "$folder/shown" && wrong "$1: shows \"$2\": $(cat "$folder/shown")"
}

ten_steps_of() { # ten_steps_of OUTPUT PHASE: waits until the run has done so many
    tries=0
    until awk -F '\t' -v phase="$2" 'NR == 2 && $3 == phase && $5 >= 10 { found = 1 }
        END { exit !found }' "$folder/$1/progress.tsv" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { wrong "$1 does not come to $2" && return; }
        sleep 0.1
    done
}

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"

# ---- finished ----
run done
watch "done"
shows "a finished run" "^$folder/done: finished; $folder/done/report.html" \
    "^  embed +done +[0-9.]+ s$" "^  train +done +[0-9.]+ s$" "^  report +done +[0-9.]+ s$" \
    "^training" "^  hpd +step [0-9]+; done$" "^  no-teacher +step [0-9]+; best dev 0\.[0-9]{4} at step" \
    "^log$" "T[0-9:]+Z report: [0-9.]+ s$"
shows_not "a finished run" "waiting|stopped|working"
[ ! -e "$folder/done/progress.tsv" ] || wrong "a finished run leaves progress.tsv"
grep -q progress.tsv "$folder/done/manifest.json" && wrong "progress.tsv is in the manifest"
"$RETORT" watch "$folder/done" | head -1 | grep -q finished || wrong "nothing through a pipe"

# ---- stopped on purpose, and going on with another job ----
run part --until train
watch part
shows "--until train" "^$folder/part: nobody works here; stopped after stage train$" \
    "^retort run $folder/part/job.yaml --output $folder/part goes on$" "^  train +done" \
    "^  evaluate +waiting$" "^  hpd +step [0-9]+" "^  report +waiting$"
cp -r "$folder/done" "$folder/other"
run other --set mine.scored=7 --until mine
watch other
shows "other candidates" "stopped after stage mine" "^  mine +done" "^  score +waiting$" \
    "^  report +waiting$"
shows_not "other candidates" "^training"
run other --set mine.scored=7
watch other
shows "all of the other job" "other: finished"
run other --set mine.scored=7 --until mine
watch other
shows "--until in a finished run" "other: finished"

# ---- at work, and killed ----
"$RETORT" run "$folder/job.yaml" --output "$folder/killed" --set distill.epochs=1000 \
    >"$folder/out" 2>"$folder/said" </dev/null &
job=$!
ten_steps_of killed distil
watch killed
shows "a run at work" "^$folder/killed: working, stage 4 of 7$" "^  score +done" \
    "^  train +working +[0-9.]+ s so far   distil: [0-9]+ of [0-9]+ steps \([0-9]+%\), [0-9.]+/s, .* left$" \
    "^  evaluate +waiting$" "^  distil +step [0-9]+; losses, .*: info_nce [0-9.]+ .* loss [0-9.]+$" \
    "best 0\.[0-9]{4} at step [0-9]+; last:$" "\(1, 8\) 0\.[0-9]{4}  .*mean of the taps 0\.[0-9]+" \
    "distil: step [0-9]+ of [0-9]+, dev"
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    watching="timeout --preserve-status --foreground -s INT 3 $RETORT watch $folder/killed"
    TERM=xterm script -qec "$watching; echo status \$?" "$folder/typed" >"$folder/shown" 2>&1 \
        </dev/null
    tr -d '\r' <"$folder/shown" >"$folder/plain" && mv "$folder/plain" "$folder/shown"
    shows "on a terminal" "$(printf '\033')\[\?1049h" "$(printf '\033')\[\?1049l" \
        "$(printf '\033')\[H.*working" "retort watch: interrupted" \
        "^status 130"
    [ "$(grep -c "$(printf '\033')\[H" "$folder/shown")" -ge 2 ] ||
        wrong "it is not drawn again: $(cat "$folder/shown")"
else
    echo "SKIPPED: watch on a terminal, which script cannot make here" >&2
fi
kill -9 "$job"
wait "$job" 2>/dev/null
job=
watch killed
shows "a killed run" "^$folder/killed: nobody works here; stopped in stage train$" \
    "^  train +stopped   distil: [0-9]+ of [0-9]+ steps \([0-9]+%\)$" "^  evaluate +waiting$"
shows_not "a killed run" " left$"

# ---- what is not as it should be ----
fails 1 "not the folder of a run" watch "$folder/collection"
fails 1 "not the folder of a run" watch "$folder/nowhere"
fails 2 "give one RUN" watch
fails 2 "give one RUN" watch "$folder/done" "$folder/part"
fails 2 "did you mean --once" watch "$folder/done" --onec
cp -r "$folder/part" "$folder/odd"
printf 'phase\n' >"$folder/odd/progress.tsv"
fails 1 "progress.tsv" watch "$folder/odd"
printf 'stage\tsince\twhat\tunit\tdone\ttotal\tper_second\ntrain\t1\tdistil\tsteps\tx\t\t\n' \
    >"$folder/odd/progress.tsv"
fails 1 "progress.tsv:2" watch "$folder/odd"
rm "$folder/odd/progress.tsv"
printf 'a file named \033[2J\n' >>"$folder/odd/log.txt"
watch odd
shows "a log with escapes" "a file named \?\[2J$"

exit $wrong
