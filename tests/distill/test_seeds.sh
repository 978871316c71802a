#!/bin/sh
# retort run --seeds: what all seeds share is made once, each seed is the run that distill.seed alone makes,
# also where the teacher's scores of what one student found serve the next; the grid over seeds is their mean,
# and kills change no byte.
. tests/distill/tiny_job.sh

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"
sed -i -e 's/^evaluate: .*/evaluate: {dims: [8, 16], resamples: 100, systems: [student, bm25, teacher]}/' \
    -e 's/^  epochs: 2/  epochs: 1/' -e 's/minutes: 0/minutes: 0.001/' \
    -e 's/^mine: {/mine: {refresh_steps: 2, refresh_depth: 5, /' "$folder/job.yaml"

run() { # run OUTPUT [OPTIONS...]: must succeed; messages in $folder/said
    output=$1
    shift
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" "$@" >"$folder/out" 2>"$folder/said" \
        </dev/null || wrong "run $output $*: status $?: $(cat "$folder/said")"
}

run many --seeds 2
for stage in embed mine score; do
    [ "$(grep -c "^retort: $stage: [0-9.]* s$" "$folder/said")" -eq 1 ] || wrong "$stage was not done once"
    [ "$(grep -c "^retort: $stage: done before$" "$folder/said")" -eq 2 ] || wrong "a seed does not find $stage"
done
[ "$(grep -c '^retort: train: [0-9.]* s$' "$folder/said")" -eq 2 ] || wrong "not two trainings"
[ "$(grep -c '^retort: refresh: after step 2 ' "$folder/said")" -eq 2 ] || wrong "not two refreshes"
grep -q '^retort: student  .* +-' "$folder/said" || wrong "no table: $(tail -n 5 "$folder/said")"
weights=train/distil.checkpoint.safetensors
cmp -s "$folder/many/seed-13/$weights" "$folder/many/seed-14/$weights" && wrong "two seeds train the same"

"$RETORT" watch "$folder/many" >"$folder/shown" 2>&1 || wrong "watch: $(cat "$folder/shown")"
for line in "$folder/many: finished; .*grid_seeds.tsv" '  score  *done ' '  seed-13  *finished' \
    '  seed-14  *finished'; do
    grep -q "^$line" "$folder/shown" || wrong "watch does not show $line: $(cat "$folder/shown")"
done
grep -q 'train\|waiting' "$folder/shown" && wrong "watch waits for what the seeds do: $(cat "$folder/shown")"

# The mean by the folders' own grids: column 4 is the first measure.
awk -F '\t' '
    FILENAME ~ /seed-/ { if (FNR > 1) { sum[$1, $2, $3] += $4; squares[$1, $2, $3] += $4 * $4 } next }
    $4 == "ndcg_cut_10" {
        mean = sum[$1, $2, $3] / 2
        variance = squares[$1, $2, $3] - 2 * mean * mean
        off = variance > 0 ? sqrt(variance) : 0
        if (($5 - mean) ^ 2 > 1e-11 || ($6 - off) ^ 2 > 1e-6) print
        count++
    }
    END { if (count != 6) print count " rows" }' "$folder/many/seed-13/grid.tsv" \
    "$folder/many/seed-14/grid.tsv" "$folder/many/grid_seeds.tsv" >"$folder/odd"
[ ! -s "$folder/odd" ] || wrong "not the mean: $(cat "$folder/odd")"

# ---- a seed by itself makes the same ----
expect_same() { # expect_same WHAT FOLDER: the weights of seed 14
    for name in init distil distil.best distil.checkpoint; do
        cmp "$folder/many/seed-14/train/$name.safetensors" "$folder/$2/train/$name.safetensors" ||
            wrong "$1: another $name"
    done
}
run alone --set distill.seed=14 --until train
expect_same "a run of one seed" alone

# ---- again, more, killed ----
run many --seeds 2
grep -q ': [0-9.]* s$' "$folder/said" && wrong "a second run does work: $(cat "$folder/said")"
kills=0
for pause in 0.1 0.2 0.3 0.3; do
    timeout -s KILL $pause "$RETORT" run "$folder/job.yaml" --output "$folder/killed" --seeds 2 \
        >"$folder/out" 2>&1 </dev/null || kills=$((kills + 1))
done
[ $kills -gt 0 ] || wrong "nothing was killed"
"$RETORT" run "$folder/job.yaml" --output "$folder/long" --seeds 2 --set distill.epochs=1000 \
    --set mine.refresh_steps=0 >"$folder/out" 2>&1 \
    </dev/null &
job=$!
tries=0
until grep -q '^train	.*distil' "$folder/long/seed-13/progress.tsv" 2>/dev/null || [ $tries -eq 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"$RETORT" watch "$folder/long" >"$folder/shown" 2>&1
for line in "$folder/long: working, seed by seed" '  seed-13  *working' "$folder/long/seed-13: working, stage" \
    '  train  *working .*distil'; do
    grep -q "^$line" "$folder/shown" || wrong "watch does not show $line: $(cat "$folder/shown")"
done
kill -9 $job
wait $job 2>/dev/null
"$RETORT" watch "$folder/long" >"$folder/shown" 2>&1
grep -q 'stopped before all seeds were done' "$folder/shown" || wrong "a killed one: $(cat "$folder/shown")"
grep -q '^  seed-13  *stopped' "$folder/shown" || wrong "a killed one: $(cat "$folder/shown")"
run killed --seeds 2
expect_same "after kills" killed/seed-14
cmp "$folder/many/grid_seeds.tsv" "$folder/killed/grid_seeds.tsv" || wrong "another grid after kills"

# ---- parts, the page, what is wrong ----
run part --seeds 2 --until mine
[ ! -e "$folder/part/seed-13" ] && [ -s "$folder/part/candidates.trec" ] || wrong "--until mine went on"
"$RETORT" report "$folder/many" --output "$folder/page.html" 2>"$folder/said" || wrong "report: $(cat "$folder/said")"
grep -q 'Over seeds' "$folder/page.html" || wrong "the page has no means"
for path in many many/grid_seeds.tsv; do
    "$RETORT" inspect "$folder/$path" | grep -q '^student .* +-' || wrong "inspect $path shows no means"
done
fails 2 "at most 100" run "$folder/job.yaml" --seeds 101
mkdir -p "$folder/part/seed-13/representations"
"$RETORT" run "$folder/job.yaml" --seeds 1 --output "$folder/part" >"$folder/out" 2>"$folder/said" </dev/null &&
    wrong "took another's folder"
grep -q 'seed-13/representations: is there already' "$folder/said" || wrong "taken: $(tail -n 1 "$folder/said")"

exit $wrong
