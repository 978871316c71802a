#!/bin/sh
# scripts/experiments.py with two rows on the tiny collection, killed and gone on with, and measured on dev and on test;
# the rows that are written are those of scripts/experiment_jobs.py; scripts/results.py with made-up results.
command -v python3 >/dev/null || {
    echo "SKIPPED: a test of scripts/experiments.py needs python3" >&2
    exit 0
}
. tests/distill/tiny_job.sh
python3 scripts/experiment_jobs.py --check || wrong "configs/experiments is stale"

export RETORT CONFIGS="$folder/configs" RUNS="$folder/runs" RESULTS="$folder/results"
mkdir "$CONFIGS"
make_collection "$folder/tiny"
cp "$folder/tiny/qrels/test.tsv" "$folder/tiny/qrels/dev.tsv"
make_job "$CONFIGS/tiny-retort.yaml" "$folder/tiny"
sed 's/epochs: 2/epochs: 0/; s/epochs: 1,/epochs: 1, max_texts: 1, learning_rate: 0,/' "$CONFIGS/tiny-retort.yaml" \
    >"$CONFIGS/tiny-start.yaml"
printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' row collection group system program seeds minutes \
    tiny-start tiny baseline start retort 13 1 tiny-retort tiny recipe retort retort '13 14' 1 >"$CONFIGS/rows.tsv"
printf '# taps\t1,8\t2,16\n# teacher\ttiny\tnothing\n' >>"$CONFIGS/rows.tsv"

said() { # WORD: the driver, which says it
    python3 scripts/experiments.py $options 2>"$folder/err" >"$folder/out" || wrong "experiments: $(cat "$folder/err")"
    grep -q -- "$1" "$folder/err" || wrong "experiments does not say $1: $(cat "$folder/err")"
}

options='--split dev --set evaluate.systems=[student,bm25]'
said 'dev/tiny-retort.tsv'
[ ! -e "$RESULTS/tiny-retort.tsv" ] || wrong "the test split was measured"
grep -q 'score: done before' "$RUNS/dev/tiny-retort/14/log.txt" || wrong "pairs are scored again"
rm "$RESULTS/dev/tiny-retort.tsv"
options="--seeds 13 $options"
said 'dev/tiny-retort.tsv'
grep -q '^fact	seeds	13$' "$RESULTS/dev/tiny-retort.tsv" || wrong "--seeds is not what was run"
options='--set evaluate.systems=[student,bm25]'
said 'tiny-retort.tsv'
[ ! -e "$RUNS/tiny-retort/13/train/distil.best.safetensors" ] || wrong "weights of a finished row are kept"
before=$(ls -l "$RESULTS/tiny-retort.tsv")
python3 scripts/experiments.py 2>"$folder/err" || wrong "experiments: $(cat "$folder/err")"
[ "$before" = "$(ls -l "$RESULTS/tiny-retort.tsv")" ] && [ ! -s "$folder/err" ] || wrong "a finished row is run again"

# The mean over seeds is the mean of the runs' grids, query by query or not.
awk -F '\t' '
    $1 == "value" && $2 == "student" { sum[$3, $4] += $7; count[$3, $4]++ }
    $1 == "queries" && $2 == "student" {
        all = 0
        for (i = 6; i <= NF; i++) all += $i
        off = all / (NF - 5) - sum[$3, $4] / count[$3, $4]
        points++
        if (off > 2e-4 || off < -2e-4 || count[$3, $4] != 2) print "at " $3 ", " $4 " the mean is off by " off
    }
    END { if (points != 2) print points " points, not 2" }' "$RESULTS/tiny-retort.tsv" >"$folder/off"
[ ! -s "$folder/off" ] || wrong "$(cat "$folder/off")"
for word in 'fact	collection	tiny' 'fact	pairs_scored	[1-9]' 'fact	peak_megabytes	[1-9]' \
    'queries	bm25	0	0	ndcg_cut_10'; do
    grep -q "^$word" "$RESULTS/tiny-retort.tsv" || wrong "tiny-retort.tsv has no $word"
done

# What is killed is gone on with, and its time is counted.
rm -r "$RUNS/tiny-retort" "$RESULTS/tiny-retort.tsv"
python3 scripts/experiments.py tiny-retort 2>"$folder/err" &
driver=$!
while kill -0 $driver 2>"$folder/gone" && [ ! -e "$RUNS/tiny-retort/13/train/hpd.checkpoint.safetensors" ]; do
    sleep 0.02
done
kill -INT $driver
wait $driver
[ $? -eq 130 ] || [ -e "$RESULTS/tiny-retort.tsv" ] || wrong "interrupted: $(cat "$folder/err")"
options=tiny-retort
[ -e "$RESULTS/tiny-retort.tsv" ] || said 'tiny-retort.tsv'
exit $wrong
