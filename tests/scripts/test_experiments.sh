#!/bin/sh
# scripts/experiments.py with rows on the tiny collection, killed and gone on with, and measured on dev and on test, and
# with a row of sentence pairs; the rows that are written are those of scripts/experiment_jobs.py.
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
for word in 'fact	collection	tiny' 'fact	pairs_scored	[1-9]' 'fact	peak_megabytes	[1-9]' 'fact	processor	.*, [a-z]' \
    'queries	bm25	0	0	ndcg_cut_10'; do
    grep -q "^$word" "$RESULTS/tiny-retort.tsv" || wrong "tiny-retort.tsv has no $word"
done

# A row of pairs: resamples of the correlation in place of queries, and a naive twin of what makes them.
make_pairs "$folder/pairs"
make_pairs_job "$CONFIGS/pairs-retort.yaml" "$folder/pairs"
cp "$CONFIGS/pairs-retort.yaml" "$CONFIGS/pairs-start.yaml"
cp "$CONFIGS/rows.tsv" "$folder/rows.tsv"
printf 'pairs-retort\tpairs\trecipe\tretort\tretort\t13\t1\n' >>"$CONFIGS/rows.tsv"
options='--set evaluate.systems=[student] pairs-retort'
DRAWS=100 said 'pairs-retort.tsv'
awk -F '\t' '
    $1 == "value" { low[$3, $4] = $8; high[$3, $4] = $9 }
    $1 == "draws" {
        for (i = 6; i <= NF; i++) outside += $i < low[$3, $4] || $i > high[$3, $4]
        if (NF != 105 || outside > 20) print NF - 5 " resamples, " outside " outside of the interval"
        outside = 0
        points++
    }
    END { if (points != 2) print points " points, not 2" }' "$RESULTS/pairs-retort.tsv" >"$folder/off"
[ ! -s "$folder/off" ] || wrong "$(cat "$folder/off")"
PYTHONPATH=scripts python3 - <<'END' || wrong "spearman.py is not its naive twin"
import random
import spearman

def ranks(values):
    return [sum(u < v for u in values) + (sum(u == v for u in values) + 1) / 2 for v in values]

def naive(x, y):
    x, y = ranks(x), ranks(y)
    mean = (len(x) + 1) / 2
    xy, xx, yy = (sum((a - mean) * (b - mean) for a, b in zip(*two)) for two in ((x, y), (x, x), (y, y)))
    return xy / (xx * yy) ** 0.5 if xx * yy else 0

draw = random.Random(1)
labels = [draw.randrange(4) for _ in range(20)]
systems = [[label + draw.randrange(3) for label in labels], [draw.random() for _ in labels], [1.0] * 20]
drawn = spearman.resampled(labels, systems, 30, 13)
for k, times in enumerate(spearman.resamples(20, 30, 13)):
    rows = [i for i, count in enumerate(times) for _ in range(count)]
    assert len(rows) == 20
    for scores, values in zip(systems, drawn):
        assert abs(values[k] - naive([scores[i] for i in rows], [labels[i] for i in rows])) < 1e-12
END
mv "$folder/rows.tsv" "$CONFIGS/rows.tsv"

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
