#!/bin/sh
# A job on documents alone makes its queries, runs to the export and says what it could not measure; its
# files are plain; a rerun does nothing, another folder gets the same bytes, a key redoes what depends on it.
. tests/distill/tiny_job.sh

run() { # run OUTPUT [OPTIONS...]: must succeed; messages in $folder/said
    output=$1
    shift
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" --set data.queries=made --set data.made.keep=6 \
        --set data.made.min_words=4 --set 'evaluate.systems=[student, init, bm25]' "$@" \
        >"$folder/out" 2>"$folder/said" </dev/null || wrong "run $output $*: $(cat "$folder/said")"
}

expect_skipped() { # expect_skipped WHAT STAGES
    got=$(sed -n 's/^retort: \([a-z]*\): done before$/\1/p' "$folder/said" | tr '\n' ' ')
    [ "$got" = "$2" ] || wrong "$1: skipped \"$got\", expected \"$2\""
}

said() { # said WHAT WORDS
    grep -q "$2" "$folder/said" || wrong "$1: does not say \"$2\": $(cat "$folder/said")"
}

columns() { # columns FILE: how many its lines have
    awk -F '\t' '{ print NF }' "$1" | sort -u | tr '\n' ' '
}

make_collection "$folder/labelled"
make_job "$folder/job.yaml" "$folder/documents"
mkdir "$folder/documents"
cp "$folder/labelled/corpus.jsonl" "$folder/documents"

fails 1 "data.queries to made" run "$folder/job.yaml" --output "$folder/failed"
fails 1 "no query could be made" run "$folder/job.yaml" --output "$folder/failed" --set data.queries=made \
    --set data.made.min_words=39
fails 1 "raise it" run "$folder/job.yaml" --output "$folder/failed" --set data.queries=made \
    --set data.dev_fraction=0
fails 2 "set it to all" run "$folder/job.yaml" --output "$folder/failed" --set data.queries=made \
    --set data.made.keep=9
[ ! -e "$folder/failed" ] || wrong "a refused job left a folder"

# ---- documents alone, to the export ----
run one
said "documents alone" "^retort: made [0-9]* queries from the documents: [0-9]* titles, [0-9]* sentences"
said "documents alone" "no judgements of split test: the grid is measured on the dev queries"
said "documents alone" "dev queries are made, too"
for file in made/queries.jsonl made/qrels/train.tsv made/qrels/dev.tsv made.tsv scores.trec grid.tsv grid_dev.tsv \
    export/model.safetensors report.html stages/queries; do
    [ -s "$folder/one/$file" ] || wrong "the run has no $file"
done
grep -q 'no judgements of users.* queries (split test)' "$folder/one/export/README.md" ||
    wrong "the card: $(cat "$folder/one/export/README.md")"
grep -q 'The collection has no judgements of split test' "$folder/one/report.html" || wrong "the report says nothing"
grep -q '"measured_on": "dev"' "$folder/one/manifest.json" || wrong "the manifest: $(cat "$folder/one/manifest.json")"
"$RETORT" report --output - "$folder/one" 2>"$folder/err" | cmp -s - "$folder/one/report.html" ||
    wrong "retort report writes another page"
"$RETORT" inspect "$folder/one/made.tsv" >"$folder/out" 2>&1 || wrong "inspect made.tsv: $(cat "$folder/out")"
"$RETORT" inspect "$folder/one" >"$folder/out" 2>&1 || wrong "inspect: $(cat "$folder/out")"
scores=$folder/one/made.tsv
[ "$(columns "$scores")" = "8 " ] || wrong "made.tsv: $(cat "$scores")"
kept=$(awk -F '\t' 'NR > 1 && $8 == 1 { print $1 }' "$scores" | sort)
trained=$(cut -f 1 "$folder/one/scores.trec" | sort -u)
[ -n "$kept" ] && [ "$kept" = "$trained" ] || wrong "kept $kept, but scores.trec has $trained"
awk -F '\t' 'NR > 1 && ($5 <= 6) != $8 { exit 1 }' "$scores" || wrong "kept others than the first six ranks"
"$RETORT" plan --quick --set data.queries=made --set data.made.min_words=4 "$folder/job.yaml" >"$folder/out" 2>&1
grep -q "$(sed -n 's/^retort: made \([0-9]* queries\) .*/\1/p' "$folder/said") are made" "$folder/out" ||
    wrong "plan counts others: $(cat "$folder/out")"

# The files, with the documents, are a collection like any other.
cp "$folder/documents/corpus.jsonl" "$folder/one/made"
"$RETORT" evaluate --quiet --split dev --model "$folder/one/export" "$folder/one/made" >"$folder/out" \
    2>"$folder/err" || wrong "evaluate on made/: $(cat "$folder/err")"

# ---- again, elsewhere, and with other keys ----
run one
expect_skipped "a second run" "queries embed mine score train evaluate export report "
run two
for file in made/queries.jsonl made.tsv scores.trec train/distil.best.safetensors export/model.safetensors; do
    cmp -s "$folder/one/$file" "$folder/two/$file" || wrong "another folder: another $file"
done
run two --set data.made.keep=all
expect_skipped "another rank" "queries embed mine "
said "another rank" "of the made queries 0 are dropped"
run two --set data.made.keep=all --set data.made.weight=none
expect_skipped "another weight" "queries embed mine score "
# ---- with scores from outside: whole documents hold the query's words ----
run outside --until mine
cut -f 1,3,5 "$folder/outside/candidates.trec" >"$folder/scores.tsv"
run outside --set "teacher.scores=[$folder/scores.tsv]" --set distill.teacher_temperature=0.2
expect_skipped "scores from outside" "queries embed mine "
said "scores from outside" '^retort: warning: .*set data.made.remove to 0'
"$RETORT" plan --quick --set data.queries=made --set data.made.keep=6 --set "teacher.scores=[$folder/scores.tsv]" \
    "$folder/job.yaml" 2>"$folder/err" | grep -q 'data.made.remove to 0' || wrong "plan does not warn"
run two --set data.made.remove=0 --until queries
expect_skipped "another share" ""
grep -q '"removed":true' "$folder/two/made/queries.jsonl" && wrong "remove 0 removes some"

# ---- where there are labels ----
sed -i "s|$folder/documents|$folder/labelled|" "$folder/job.yaml"
run three
grep -q "no judgements" "$folder/said" && wrong "there is a test split, but it is not used"
grep -q '"measured_on": "test"' "$folder/three/manifest.json" || wrong "the manifest says dev"
grep -q '^q[0-9]*	' "$folder/three/scores.trec" && wrong "made alone, but labelled queries are trained on"
run four --set data.queries=both --set mine.refresh_steps=1 # what the student finds joins them
grep -q '^q[0-9]*	' "$folder/four/scores.trec" || wrong "both, but no labelled query is trained on"
grep -q '^d[0-9]*#' "$folder/four/scores.trec" || wrong "both, but no made query is trained on"
[ ! -e "$folder/four/made/qrels/dev.tsv" ] || wrong "both, but made queries are dev"
exit $wrong
