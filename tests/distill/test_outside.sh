#!/bin/sh
# Teachers from outside: files of scores (alone, and beside the cross-encoder), a dual encoder or a file of vectors for
# HPD, layers to align with, and no teacher at all.
. tests/distill/tiny_job.sh

run() { # run OUTPUT STAGE [OPTIONS...]: must succeed; messages in $folder/said
    output=$1 stage=$2
    shift 2
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" --until "$stage" "$@" >"$folder/out" \
        2>"$folder/said" </dev/null || wrong "run $output $*: status $?: $(cat "$folder/said")"
}

says() { # says WHAT WORDS: the last run said so
    grep -q -- "$2" "$folder/said" || wrong "$1: said $(cat "$folder/said")"
}

expect_skipped() { # expect_skipped WHAT STAGES
    got=$(sed -n 's/^retort: \([a-z]*\): done before$/\1/p' "$folder/said" | tr '\n' ' ')
    [ "$got" = "$2" ] || wrong "$1: skipped \"$got\", expected \"$2\""
}

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"
run plain train --set 'evaluate.systems=[student]'
cut -f 1,3,5 "$folder/plain/scores.trec" >"$folder/all.tsv"

# ---- what the teacher says, read from a file, is what the teacher says ----
scores="--set teacher.scores=[$folder/all.tsv]"
run same train $scores --set 'teacher.weights=[0, 1]' --set 'evaluate.systems=[student]'
cmp -s "$folder/plain/scores.trec" "$folder/same/scores.trec" || wrong "other scores from a file"
cmp -s "$folder/plain/train/distil.best.safetensors" "$folder/same/train/distil.best.safetensors" ||
    wrong "other weights from a file of the same scores"
for file in same/teachers.tsv all.tsv; do
    "$RETORT" inspect "$folder/$file" >"$folder/out" 2>&1 || wrong "inspect $file: $(cat "$folder/out")"
    grep -q '^kind .*scores' "$folder/out" || wrong "inspect $file: $(cat "$folder/out")"
done
[ "$(wc -l <"$folder/same/teachers.tsv")" -eq 3 ] || wrong "teachers.tsv: $(cat "$folder/same/teachers.tsv")"
run same score --set "teacher.scores=[$folder/plain/scores.trec]" --set 'teacher.weights=[0, 1]'
expect_skipped "another file" "embed mine "
cmp -s "$folder/plain/scores.trec" "$folder/same/scores.trec" || wrong "other scores from a run"

run same train $scores --set 'teacher.weights=[0, 1]' --set 'evaluate.systems=[student]' --set mine.refresh_steps=2
says "new candidates" 'after step 2 the student found [1-9]'

# ---- in other units, beside the cross-encoder: brought to its own ----
awk -F '\t' '{ printf "%s %s %.9g\n", $1, $2, 50 + $3 / 8 }' "$folder/all.tsv" | gzip >"$folder/scaled.gz"
run both score --set "teacher.scores=[$folder/scaled.gz]"
says "two teachers" 'times 8 -400; .* is 1.000$'
paste "$folder/plain/scores.trec" "$folder/both/scores.trec" |
    awk -F '\t' '$5 - $11 > 1e-3 || $11 - $5 > 1e-3 { print; bad = 1 } END { exit bad }' >"$folder/differ" ||
    wrong "two teachers that agree: $(head -3 "$folder/differ")"

# ---- no cross-encoder: mine, score by any program, go on ----
none="--set teacher.model=none --set distill.hpd.epochs=0"
from="--set student.init.from=$folder/plain/student --set teacher.scores=[$folder/later.tsv]"
run plain export --set 'evaluate.systems=[student]' # its student is what others start from
"$RETORT" plan --quick "$folder/job.yaml" $none $from >"$folder/plan" 2>&1 || wrong "plan: $(cat "$folder/plan")"
grep -q 'embed .* not needed' "$folder/plan" || wrong "plan: $(cat "$folder/plan")"
grep -q 'later.tsv is not there yet: the stage score' "$folder/plan" || wrong "plan: $(cat "$folder/plan")"
run outside mine $none $from
fails 1 'later.tsv: is not there; score the pairs of' run "$folder/job.yaml" --output "$folder/outside" $none $from
awk -F '\t' '{ printf "%s\t%s\t%d\n", $1, $3, length($3) * 7 % 5 + NR % 3 }' "$folder/outside/candidates.trec" |
    sed 1d >"$folder/later.tsv"
run outside evaluate $none $from --set 'evaluate.systems=[student, bm25, teacher]'
expect_skipped "going on" "mine "
says "a missing score" '1 of .* candidates have no score in teacher.scores: they are left out'
says "a positive without one" '1 candidates are left out, 1 of them labelled positives; so are 1 of 14'
says "no test scores" 'that the teacher re-ranks have no score in teacher.scores: it is left out'
grep -q '^teacher' "$folder/outside/grid.tsv" && wrong "a teacher without scores is in the grid"
sed '1,9d' "$folder/later.tsv" >"$folder/fewer" && mv "$folder/fewer" "$folder/later.tsv"
run outside score $none $from --set teacher.missing=lowest
expect_skipped "another content" "mine "
says "lowest" '10 of .* they get the lowest score of their query'
awk 'BEGIN { for (q = 20; q < 28; q++) for (d = 0; d < 40; d++) print "q" q, "d" d, (q * d) % 7 }' >>"$folder/later.tsv"
run outside evaluate $none $from --set 'evaluate.systems=[student, teacher]'
grep -q '^teacher' "$folder/outside/grid.tsv" || wrong "a teacher with scores is not in the grid"
run outside report $none $from --set 'evaluate.systems=[student, teacher]' --set data.max_train_queries=9
for words in 'Trained on 9 queries of the collection (content ' ', by the scores [0-9a-f]*;'; do
    grep -q "$words" "$folder/outside/export/README.md" || wrong "the card does not say $words"
done
grep -q 'hash none\|content none' "$folder/outside/export/README.md" "$folder/outside/report.html" &&
    wrong "a teacher that is none has a hash"
run held mine $none $from --set 'mine.sources=[scores]'
cut -f 6 "$folder/held/candidates.trec" | sort -u >"$folder/tags"
grep -qx 'negative:scores' "$folder/tags" || wrong "mined by scores: $(cat "$folder/tags")"
grep -q bm25 "$folder/tags" && wrong "mined by scores: $(cat "$folder/tags")"
printf 'q0\td0\tgood\n' >>"$folder/later.tsv"
fails 1 "later.tsv:$(wc -l <"$folder/later.tsv")" run "$folder/job.yaml" --output "$folder/outside" $none $from

# ---- no scores at all: labels, and another encoder's vectors ----
start="--set student.init.from=$folder/plain/student"
run labels evaluate $none $start --set 'evaluate.systems=[student, teacher]'
says "no teacher" 'no teacher scores pairs'
[ ! -e "$folder/labels/scores.trec" ] || wrong "scored without a teacher"
narrow="--set student.projection=8 --set student.taps=[[2,8]] --set evaluate.dims=[8]"
vectors="--set teacher.model=none $start $narrow --set distill.loss.listwise_kl=0"
run encoder train $vectors --set "distill.hpd.encoder=$folder/plain/export"
[ -s "$folder/encoder/train/hpd.best.safetensors" ] || wrong "no HPD by an encoder"
grep -q '^negative:.*teacher' "$folder/encoder/candidates.trec" || cut -f 6 "$folder/encoder/candidates.trec" |
    grep -q teacher || wrong "no candidates by the encoder's vectors"

# The same vectors from a file: the same targets, but for the unit length that they have there.
texts() { # FILE: its texts, title first
    sed 's/.*"_id": "\([^"]*\)"\(, "title": "\([^"]*\)"\)\{0,1\}, "text": "\([^"]*\)".*/\1\t\3 \4/' "$1" |
        sed 's/\t /\t/'
}
texts "$folder/collection/corpus.jsonl" >"$folder/texts.tsv"
texts "$folder/collection/queries.jsonl" >>"$folder/texts.tsv"
cut -f 2 "$folder/texts.tsv" |
    "$RETORT" embed --quiet --precision f32 --model "$folder/plain/export" --output "$folder/given.npy" -
cut -f 1 "$folder/texts.tsv" >"$folder/given.ids"
run file train $vectors --set "distill.hpd.targets=$folder/given.npy"
[ -s "$folder/file/train/hpd.best.safetensors" ] || wrong "no HPD by a file"
sed 5d "$folder/texts.tsv" | cut -f 1 >"$folder/given.ids"
fails 1 'given.ids: 67 lines for the 68 rows' run "$folder/job.yaml" --output "$folder/file" $vectors \
    --set "distill.hpd.targets=$folder/given.npy"

# ---- layers ----
run aligned train --set 'distill.align.layers=[2, 3]' --set distill.loss.align=1 --set 'evaluate.systems=[student]'
for layer in 2 3; do
    [ -s "$folder/aligned/targets/$layer/queries.npy" ] || wrong "no targets of layer $layer"
done
grep -q '	align	' "$folder/aligned/train/distil.tsv" || wrong "no layer is aligned"
run aligned train --set 'distill.align.layers=[3, 3]' --set distill.loss.align=1 --set 'evaluate.systems=[student]'
expect_skipped "other layers" ""
exit $wrong
