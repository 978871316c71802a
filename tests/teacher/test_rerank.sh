#!/bin/sh
# retort rerank, from outside: a run's documents in the order of retort score, alone and behind retort search.
#   RETORT=./retort sh tests/teacher/test_rerank.sh        from the root
. tests/support.sh
model=tests/golden/cross_encoder
c=$folder/collection

rerank() {
    "$RETORT" rerank --teacher "$model" --precision f32 --quiet "$@"
}

mkdir "$c" "$c/qrels"
cat >"$c/corpus.jsonl" <<'EOF'
{"_id": "d1", "title": "", "text": "the cat sat on the mat"}
{"_id": "d2", "title": "Fish", "text": "a cat eats fish"}
{"_id": "d3", "text": "rain in spain"}
{"_id": "d4", "text": "spanish trains are late"}
EOF
cat >"$c/queries.jsonl" <<'EOF'
{"_id": "q1", "text": "where did the cat sit"}
{"_id": "q2", "text": "rain"}
EOF
printf 'query-id\tcorpus-id\tscore\nq1\td1\t1\n' >"$c/qrels/test.tsv"
cat >"$folder/run.trec" <<'EOF'
q1 Q0 d3 1 9.0 bm25
q1 Q0 d1 2 8.0 bm25
q1 Q0 d2 3 7.0 bm25
q2 Q0 d4 1 5.5 bm25
q2 Q0 d3 2 6.5 bm25
EOF
printf '%s\t%s\n' 'where did the cat sit' 'rain in spain' 'where did the cat sit' 'the cat sat on the mat' \
    'where did the cat sit' 'Fish a cat eats fish' rain 'spanish trains are late' rain 'rain in spain' \
    >"$folder/pairs.tsv"

# expected LINES...: of the run, as q, document, score: by score within a query.
expected() {
    "$RETORT" score --teacher "$model" --precision f32 --quiet "$folder/pairs.tsv" |
        paste "$folder/run.trec" - | awk '{ split($1, _); print $1, $3, $NF }' | sed -n "$1" | sort -k1,1 -k3,3gr
}
# same WHAT: q, document and score of what came out are as expected.
same() {
    awk '{ print $1, $3, $5 }' "$folder/out" | paste -d ' ' - "$folder/expected" | awk '
        { d = $3 - $6; if (d < 0) d = -d }
        $1 != $4 || $2 != $5 || d > 0.00001 { bad = 1 }
        END { exit bad || NR == 0 }' || wrong "$1: not in the order of retort score: $(cat "$folder/out")"
}

rerank "$c" "$folder/run.trec" >"$folder/out" || wrong "a run: status $?"
expected '1,5p' >"$folder/expected"
same "a run"
[ "$(awk '{ print $4, $6 }' "$folder/out" | tr '\n' ' ')" = "1 rerank 2 rerank 3 rerank 1 rerank 2 rerank " ] ||
    wrong "ranks or tag: $(cat "$folder/out")"
cp "$folder/out" "$folder/all"
rerank --cache "$folder/cache" "$c" - <"$folder/run.trec" | cmp -s - "$folder/all" || wrong "with a cache, from stdin"
rerank --cache "$folder/cache" --threads 1 "$c" "$folder/run.trec" | cmp -s - "$folder/all" || wrong "from the cache"

# Pairs that stand twice count as done, also where the second is in a later block of 8192 and scored no more.
seq 2100 | sed 's/$/\train/' >"$folder/twins.tsv"
awk '{ for (d = 1; d < 5; d++) print $1, "Q0", "d" d, d, 5 - d, "x" }' "$folder/twins.tsv" >"$folder/twins.trec"
"$RETORT" rerank --teacher "$model" --precision f32 --cache "$folder/new" --queries "$folder/twins.tsv" "$c" \
    "$folder/twins.trec" >"$folder/out" 2>"$folder/said" || wrong "twins: $(cat "$folder/said")"
grep -q 'scoring: 8400 pairs in' "$folder/said" || wrong "twins: $(cat "$folder/said")"

# The first of a list by its scores, not by its lines.
rerank --depth 1 --tag one "$c" "$folder/run.trec" >"$folder/out"
[ "$(awk '{ print $1, $3, $6 }' "$folder/out" | tr '\n' ' ')" = "q1 d3 one q2 d3 one " ] ||
    wrong "--depth 1: $(cat "$folder/out")"

# Queries from elsewhere, and behind retort search.
printf 'other\train\n' >"$folder/queries.tsv"
"$RETORT" index --quiet --bm25 --output "$folder/words" "$c" || wrong "no index"
"$RETORT" search --quiet --index "$folder/words" "$folder/queries.tsv" |
    rerank --queries "$folder/queries.tsv" "$c" >"$folder/out" || wrong "behind retort search: status $?"
[ "$(awk '{ print $1, $3, $4 }' "$folder/out")" = "other d3 1" ] || wrong "behind retort search: $(cat "$folder/out")"
[ -z "$(: | rerank "$c")" ] || wrong "something comes out of no run"

fails 2 "teacher DIR" rerank "$c" "$folder/run.trec"
fails 2 collection rerank --teacher $model
fails 2 "depth must" rerank --teacher $model --depth 0 "$c" "$folder/run.trec"
fails 2 "one word" rerank --teacher $model --tag 'a b' "$c" "$folder/run.trec"
fails 1 none.trec rerank --teacher $model "$c" "$folder/none.trec"
printf 'q1 Q0 d9 1 1.0 x\n' >"$folder/unknown.trec"
fails 1 '"d9" of query "q1" is not in' rerank --teacher $model "$c" "$folder/unknown.trec"
printf 'q9 Q0 d1 1 1.0 x\n' >"$folder/unknown.trec"
fails 1 '"q9" has no text in .*--queries' rerank --teacher $model "$c" "$folder/unknown.trec"
printf 'q1 Q0 d1\n' >"$folder/short.trec"
fails 1 "short.trec:1" rerank --teacher $model "$c" "$folder/short.trec"
exit $wrong
