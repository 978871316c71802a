#!/bin/sh
# retort teach: a cross-encoder from nothing, from an encoder, from scored pairs; the same bytes also
# where it is killed; a run goes on from it; what is wrong is one sentence.
. tests/support.sh
. tests/distill/tiny_job.sh

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"
sed 's/^teacher: .*/teacher: {model: teach, max_length: 40}/' "$folder/job.yaml" >"$folder/teach.yaml"
cat >>"$folder/teach.yaml" <<END
teach:
  shape: {layers: 2, hidden_size: 32, heads: 2, intermediate_size: 64, positions: 64}
  vocabulary_size: 120
  negatives_per_query: 3
  epochs: 2
  batch_queries: 4
  learning_rate: 1e-3
END

teach() { # teach OUTPUT [OPTIONS...]: must succeed; messages in $folder/said
    output=$1
    shift
    "$RETORT" teach "$folder/teach.yaml" --output "$folder/$output" "$@" \
        >"$folder/out" 2>"$folder/said" </dev/null ||
        wrong "teach $output $*: status $?: $(cat "$folder/said")"
    [ ! -s "$folder/out" ] || wrong "teach $output $*: wrote on standard output"
}

teacher_bytes() { # teacher_bytes OUTPUT: of the files that it left
    (cd "$folder/$1/teacher" && sha256sum config.json model.safetensors tokenizer.json vocab.txt \
        tokenizer_config.json special_tokens_map.json)
}

# ---- from nothing ----
teach one
for file in config.json model.safetensors tokenizer.json vocab.txt; do
    [ -s "$folder/one/teacher/$file" ] || wrong "teach left no $file"
done
grep -q BertForSequenceClassification "$folder/one/teacher/config.json" || wrong "no re-ranker's class"
[ "$(awk -F '\t' '$2 == "dev" && $4 == "dev_mean"' "$folder/one/train/teach.tsv" | wc -l)" -ge 4 ] ||
    wrong "dev was not evaluated twice an epoch"
printf 'where is the cat\tthe cat sat by the house\n' |
    "$RETORT" score --teacher "$folder/one/teacher" >"$folder/scored" 2>"$folder/err" ||
    wrong "its teacher cannot score: $(cat "$folder/err")"
[ "$(wc -l <"$folder/scored")" -eq 1 ] || wrong "no logit"
teacher_bytes one >"$folder/expected"

# ---- the same bytes: again, and killed at many moments ----
teach two
teacher_bytes two | diff "$folder/expected" - || wrong "another run of the same seed gives other bytes"
for pause in 0.05 0.1 0.15 0.2 0.3 0.4; do
    "$RETORT" teach "$folder/teach.yaml" --output "$folder/killed" >/dev/null 2>&1 &
    child=$!
    sleep $pause
    kill -9 $child 2>/dev/null
    wait $child 2>/dev/null
done
teach killed
teacher_bytes killed | diff "$folder/expected" - || wrong "after kills it gives other bytes"
teach one
grep -q '^retort: teach: done before$' "$folder/said" || wrong "a finished teacher is taught again"
teach other --set seed=14
teacher_bytes other | diff -q "$folder/expected" - >/dev/null && wrong "another seed gives the same bytes"

# ---- a run goes on from it ----
"$RETORT" run "$folder/teach.yaml" --output "$folder/one" >"$folder/out" 2>"$folder/said" ||
    wrong "run: status $?: $(cat "$folder/said")"
grep -q '^retort: teach: done before$' "$folder/said" || wrong "run teaches again"
for file in grid.tsv export/model.safetensors report.html; do
    [ -s "$folder/one/$file" ] || wrong "the run has no $file"
done
grep -q '^teacher' "$folder/one/grid.tsv" || wrong "the grid has no taught teacher"
grep -q '"teacher/model.safetensors"' "$folder/one/manifest.json" || wrong "the manifest has no hash of the teacher"
"$RETORT" run "$folder/one/job.yaml" --output "$folder/one" >"$folder/out" 2>"$folder/said" ||
    wrong "the resolved job: status $?: $(cat "$folder/said")"
[ "$(grep -c 'done before' "$folder/said")" -eq 8 ] || wrong "the resolved job does work again: $(cat "$folder/said")"
"$RETORT" watch --once "$folder/one" 2>/dev/null | grep -q '^  teach ' || wrong "watch shows no stage teach"
"$RETORT" plan "$folder/teach.yaml" --quick 2>/dev/null | grep -q '^teach ' || wrong "plan shows no stage teach"
"$RETORT" plan "$folder/teach.yaml" --quick --set data.test_split=none --until teach >"$folder/out" 2>&1 ||
    wrong "plan --until teach: $(cat "$folder/out")"
[ "$(grep -c '^teach \|^mine \|^train ' "$folder/out")" = 1 ] || wrong "plan --until teach: $(cat "$folder/out")"
fails 1 "split none" plan "$folder/teach.yaml" --quick --set data.test_split=none --until export
fails 2 "did you mean mine" plan "$folder/teach.yaml" --until mina

# ---- from a re-ranker, with a guide, all sources ----
teach init --set teach.init="$teacher" --set teach.epochs=1 --set teach.loss.bce=0.5 \
    --set "teach.sources=[bm25, guide, random]" --set teach.guide="$folder/one/export" \
    --set teach.found_positives=true --set teach.average=last --set teach.layer_decay=0.9
cmp -s "$folder/init/teacher/vocab.txt" "$teacher/vocab.txt" || [ ! -f "$teacher/vocab.txt" ] ||
    wrong "it has another vocabulary than it began with"

# ---- a share of what it began from: all of it gives its scores again, none those of the taught one ----
scores_of() { # scores_of MODEL
    printf 'where is the cat\tthe cat sat by the house\n' | "$RETORT" score --quiet --teacher "$1"
}
for share in 0 0.25 1; do
    teach share-$share --set teach.init="$teacher" --set teach.epochs=1 --set teach.init_share=$share
    scores_of "$folder/share-$share/teacher" >"$folder/scores-$share"
done
grep -q "^retort: teach: dev .* with 1 of teach.init's weights" "$folder/said" ||
    wrong "init_share: not said what dev thinks of it: $(cat "$folder/said")"
scores_of "$teacher" | cmp -s - "$folder/scores-1" || wrong "init_share 1 does not give the first weights"
cmp -s "$folder/scores-0" "$folder/scores-1" && wrong "a teacher that was taught scores as before"
cmp -s "$folder/scores-0.25" "$folder/scores-0" && wrong "init_share 0.25 changes nothing"
cmp -s "$folder/scores-0.25" "$folder/scores-1" && wrong "init_share 0.25 leaves nothing of what was taught"

# ---- from scored pairs ----
mkdir "$folder/scored-pairs"
for split in train dev; do
    for subject in cat dog bird fish horse; do
        printf '3.5\twhere is the %s\tthe %s is in the house\n' $subject $subject
        printf -- '-2\twhere is the %s\tthe cell is old\n' $subject
        printf -- '0.5\twhere is the %s\tthe %s ran\n' $subject $subject
    done >"$folder/scored-pairs/$split.tsv"
done
teach pairs --set teach.pairs="$folder/scored-pairs" --set teach.loss.softmax=0 --set teach.loss.mse=1 \
    --set teach.loss.margin_mse=0.5 --set teach.epochs=10
[ "$(awk -F '\t' '$4 == "dev_mean" { last = $5 } END { print (last > 0.5) }' "$folder/pairs/train/teach.tsv")" = 1 ] ||
    wrong "scored pairs were not learnt: $(grep dev "$folder/pairs/train/teach.tsv")"

# ---- what is wrong ----
refuses() { # refuses STATUS WORD ARGUMENTS...: teach fails so and leaves no teacher
    expected=$1 words=$2
    shift 2
    fails "$expected" "$words" teach --output "$folder/failed" "$@"
    [ ! -e "$folder/failed/teacher" ] || wrong "teach $*: left a teacher"
    rm -rf "$folder/failed"
}
refuses 2 "wants it to be: teach" "$folder/job.yaml"
refuses 2 "one job file" "$folder/teach.yaml" "$folder/job.yaml"
refuses 2 "teach.loss.mse" "$folder/teach.yaml" --set teach.loss.mse=1
refuses 2 "does not divide" "$folder/teach.yaml" --set teach.shape.heads=3
refuses 2 "teach.guide is none" "$folder/teach.yaml" --set "teach.sources=[guide]"
refuses 2 "teach.shape.positions" "$folder/teach.yaml" --set teach.shape.positions=32
refuses 2 "teach.init is random" "$folder/teach.yaml" --set teach.init_share=0.3
refuses 1 "no/such" "$folder/teach.yaml" --set teach.init=no/such
refuses 1 "no/such" "$folder/teach.yaml" --set teach.guide=no/such
refuses 1 "no/such.tsv" "$folder/teach.yaml" --set teach.pairs=no/such.tsv
refuses 1 "no label from 0 to 1" "$folder/teach.yaml" --set teach.pairs="$folder/scored-pairs" --set teach.loss.bce=1
refuses 2 "vocab" "$folder/teach.yaml" --set teach.vocabulary_size=32

exit $wrong
