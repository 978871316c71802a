#!/bin/sh
# A job on sentence pairs, end to end on a tiny set: the same stages but mining, correlations in the
# grid, a picked model that is read back; labels, the teacher's scores and a sentence encoder's
# vectors as what is learnt; and what is wrong with pairs is said with its place.
. tests/distill/tiny_job.sh

run() { # run OUTPUT [OPTIONS...]: must succeed; messages in $folder/said
    output=$1
    shift
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" "$@" \
        >"$folder/out" 2>"$folder/said" </dev/null ||
        wrong "run $output $*: status $?: $(cat "$folder/said")"
}

value_in() { # value_in GRID SYSTEM LAYERS DIM: Spearman's correlation
    awk -F '\t' -v s="$2" -v l="$3" -v d="$4" '$1 == s && $2 == l && $3 == d {print $4}' "$1"
}

value_of() { # value_of RUN SYSTEM LAYERS DIM: the same, on test
    value_in "$folder/$1/grid.tsv" "$2" "$3" "$4"
}

make_pairs "$folder/pairs"
make_pairs_job "$folder/job.yaml" "$folder/pairs"

# ---- everything is there ----
run one
for file in probe.tsv pca.safetensors scores.tsv scores.cache grid.tsv grid_dev.tsv \
    differences.tsv train/distil.tsv train/no-teacher.best.safetensors pairs/teacher.tsv \
    pairs/student-l2-d16.tsv pairs/pca-l2-d4.tsv export/modules.json report.html manifest.json; do
    [ -s "$folder/one/$file" ] || wrong "the run has no $file"
done
[ ! -e "$folder/one/candidates.trec" ] || wrong "pairs were mined"
[ ! -e "$folder/one/stages/mine" ] || wrong "the mine stage ran"
head -1 "$folder/one/grid.tsv" | grep -q '^system	layers	dim	spearman	spearman_low' ||
    wrong "the grid's header: $(head -1 "$folder/one/grid.tsv")"
# the teacher, 4 grids: init, no-teacher, student and pca of 2 x 3 points each
[ "$(wc -l <"$folder/one/grid.tsv")" -eq 26 ] || wrong "rows of the grid: $(cat "$folder/one/grid.tsv")"
for layer in 1 2; do # all components turn the vectors: no cosine changes
    paste "$folder/one/pairs/pca-l$layer-d16.tsv" "$folder/one/pairs/student-l$layer-d16.tsv" |
        awk -F '\t' 'NR > 1 && ($2 > $4 + 1e-4 || $2 < $4 - 1e-4) {bad = 1} END {exit bad || NR != 25}' ||
        wrong "layer $layer: a PCA that keeps everything changes cosines"
done
# cosines of a student that has hardly learnt are all near 1: six digits would make ties of them
grep -Eq '	0\.[0-9]{10,}$' "$folder/one/pairs/student-l1-d4.tsv" || wrong "scores of pairs are rounded"
cmp -s "$folder/one/pairs/pca-l1-d4.tsv" "$folder/one/pairs/student-l1-d4.tsv" && wrong "a PCA does not cut"
[ "$(wc -l <"$folder/one/scores.tsv")" -eq 61 ] || wrong "rows of scores.tsv"
[ "$(wc -l <"$folder/one/pairs/teacher.tsv")" -eq 25 ] || wrong "rows of pairs/teacher.tsv"
awk -v before="$(value_of one init 2 16)" -v labels="$(value_of one no-teacher 2 16)" \
    'BEGIN {exit !(labels > 0.45 && labels > before + 0.1)}' ||
    wrong "labels teach nothing: $(cat "$folder/one/grid.tsv")"

find "$folder/one" -type f >"$folder/files"
while read -r file; do
    "$RETORT" inspect "$file" >"$folder/out" 2>&1 || wrong "inspect $file: $(cat "$folder/out")"
done <"$folder/files"
"$RETORT" inspect "$folder/one" >"$folder/out"
grep -q 'not yet' "$folder/out" && wrong "a finished run has stages that it does not want: $(cat "$folder/out")"
"$RETORT" inspect "$folder/one/job.yaml" | grep -q "^data.pairs: .*/pairs" || wrong "inspect job.yaml: no data.pairs"
for file in pairs/teacher.tsv export/2_Dense/model.safetensors; do
    grep -q "\"$file\"" "$folder/one/manifest.json" || wrong "the manifest has no $file"
done

# ---- the picked model gives the grids' values elsewhere: on test, and on dev, by which it was picked ----
picked=$(sed -n 's/.*picked on dev by .*: layers \([0-9]*\), dim \([0-9]*\).*/\1 \2/p' "$folder/said")
[ -n "$picked" ] || wrong "nothing is picked: $(cat "$folder/said")"
for split in test dev; do
    grid=$folder/one/grid.tsv
    [ $split = test ] || grid=$folder/one/grid_dev.tsv
    # shellcheck disable=SC2086 # two numbers
    expected=$(value_in "$grid" student $picked)
    "$RETORT" evaluate --model "$folder/one/export" --precision f32 --split $split "$folder/pairs" \
        >"$folder/out" 2>/dev/null
    awk -v a="$expected" 'NR == 2 {d = $3 - a; same = d < 1e-3 && d > -1e-3} END {exit !same}' "$folder/out" ||
        wrong "evaluate says $(cat "$folder/out"), the grid of $split $expected"
done

# ---- a second run does nothing; another target trains again ----
run one
[ "$(grep -c 'done before' "$folder/said")" -eq 6 ] || wrong "a second run: $(cat "$folder/said")"
run one --set distill.pair_targets=[labels] --set distill.loss.cosine_mse=1
grep -q 'embed: done before' "$folder/said" || wrong "embeds again: $(cat "$folder/said")"
grep -q 'train: [0-9]' "$folder/said" || wrong "does not train again: $(cat "$folder/said")"

# ---- plan, report, inspect ----
"$RETORT" plan --quick "$folder/job.yaml" >"$folder/out" 2>"$folder/said" || wrong "plan: $(cat "$folder/said")"
grep -q '60 train, 20 dev, 24 test' "$folder/out" || wrong "plan: $(cat "$folder/out")"
grep -q 'learns from' "$folder/out" && wrong "plan: learns from all that it embeds: $(cat "$folder/out")"
"$RETORT" plan --quick --set distill.max_document_tokens=8 "$folder/job.yaml" 2>&1 |
    grep -q 'learns from 8 tokens of a document' || wrong "plan does not say what training cuts"
! grep -q '^mine' "$folder/out" || wrong "plan mines: $(cat "$folder/out")"
"$RETORT" report --output "$folder/page.html" "$folder/one" 2>"$folder/said" || wrong "report: $(cat "$folder/said")"
for words in 'Spearman' 'pairs' 'spearman'; do
    grep -q "$words" "$folder/page.html" || wrong "the page does not say $words"
done
! grep -q 'nDCG' "$folder/page.html" || wrong "the page says nDCG: $(grep -o '.\{60\}nDCG' "$folder/page.html")"

# ---- HPD as published: a sentence encoder is copied, nothing else, with a tanh ----
mv "$folder/one/student" "$folder/encoder"
run hpd --set teacher.model=none --set "distill.hpd.encoder=$folder/encoder" \
    --set "student.init.from=$folder/encoder" --set student.activation=tanh --set distill.epochs=0 \
    --set 'distill.pair_targets=[labels]' --set 'evaluate.systems=[student, init, teacher]'
grep -q Tanh "$folder/hpd/export/2_Dense/config.json" || wrong "the tanh is not exported"
[ ! -e "$folder/hpd/probe.tsv" ] || wrong "a sentence encoder was probed"
[ -s "$folder/hpd/pairs/teacher.tsv" ] || wrong "the encoder's cosines are not in the grid"

# ---- its cosines as the scores that are copied ----
run cosines --set teacher.model=none --set "distill.hpd.encoder=$folder/encoder" \
    --set "student.init.from=$folder/encoder" --set 'distill.pair_targets=[teacher]' \
    --set 'distill.loss={cosent: 0, angle: 1, cosine_mse: 1}' --set evaluate.systems=[student]
[ "$(cut -f1 "$folder/cosines/scores.tsv" | awk 'NR > 1 && ($1 > 1.0001 || $1 < -1.0001)' | wc -l)" -eq 0 ] ||
    wrong "scores.tsv has no cosines"

# ---- another head of the same encoder is another encoder ----
cosines() {
    run cosines --until embed --set teacher.model=none --set "distill.hpd.encoder=$folder/encoder" \
        --set "student.init.from=$folder/encoder" --set 'distill.pair_targets=[teacher]' \
        --set 'distill.loss={cosent: 0, angle: 1, cosine_mse: 1}' --set evaluate.systems=[student]
}
cosines
grep -q 'embed: done before' "$folder/said" || wrong "the same encoder embeds again"
cp "$folder/hpd/student/2_Dense/model.safetensors" "$folder/encoder/2_Dense"
cosines
grep -q 'embed: done before' "$folder/said" && wrong "the vectors of another head stay"

# ---- mistakes ----
fails 1 'holds no train.tsv' run --output "$folder/failed" --set "data.pairs=$folder/one/trec" "$folder/job.yaml"
fails 2 'data.collection are both' run --output "$folder/failed" --set data.collection=c "$folder/job.yaml"
printf '1\ta\tb\nx\ta\tb\n' >"$folder/pairs/test.tsv"
fails 1 'test.tsv:2: the score "x"' run --output "$folder/failed" "$folder/job.yaml"
rm "$folder/pairs/test.tsv"
fails 1 'data.test_split' run --output "$folder/failed" "$folder/job.yaml"
[ ! -e "$folder/failed" ] || wrong "a failed run left a folder"
exit $wrong
