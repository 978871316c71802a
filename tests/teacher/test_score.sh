#!/bin/sh
# retort score, from outside: its input and output, its errors, and that a killed one goes on.
#   RETORT=./retort sh tests/teacher/test_score.sh        from the root
RETORT=${RETORT:-./retort}
model=tests/golden/cross_encoder
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

wrong() {
    echo "test_score: $*" >&2
    failures=$((failures + 1))
}

score() {
    "$RETORT" score --teacher "$model" --precision f32 --quiet "$@"
}

# fails STATUS WORDS...: the last command line ended so, and its message holds every word.
fails() {
    wanted=$1
    shift
    [ "$status" -eq "$wanted" ] || wrong "status $status instead of $wanted: $(cat "$tmp/err")"
    for word in "$@"; do
        grep -qF -- "$word" "$tmp/err" || wrong "message lacks '$word': $(cat "$tmp/err")"
    done
    [ "$(wc -l <"$tmp/err")" -eq 1 ] || wrong "more than one line of message: $(cat "$tmp/err")"
}

try() {
    "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
}

# same WANTED: what came out is this file's first column, to five digits and in its order.
same() {
    paste "$tmp/out" "$1" | awk -F '\t' '
        { d = $1 - $2; if (d < 0) d = -d }
        d > 0.00002 || $1 !~ /^-?[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9]$/ { bad = 1 }
        END { exit bad || NR != 20 }' || wrong "$2: not the expected logits"
}

# ---- what comes out ----

cut -f 1 $model/logits.tsv >"$tmp/long"
cut -f 2 $model/logits.tsv >"$tmp/short"
gzip -c $model/pairs.tsv >"$tmp/pairs.tsv.gz"

try score $model/pairs.tsv
[ $status -eq 0 ] && [ ! -s "$tmp/err" ] || wrong "a file: status $status, $(cat "$tmp/err")"
same "$tmp/long" "a file"
cp "$tmp/out" "$tmp/reference"
try score --max-length 20 $model/pairs.tsv
same "$tmp/short" "--max-length 20"
try score --max-length 100000 $model/pairs.tsv
cmp -s "$tmp/out" "$tmp/reference" || wrong "--max-length beyond the model's is not the model's"
try score "$tmp/pairs.tsv.gz"
cmp -s "$tmp/out" "$tmp/reference" || wrong "a gzipped file differs"
score <$model/pairs.tsv >"$tmp/out" && cmp -s "$tmp/out" "$tmp/reference" || wrong "stdin differs"
score - <$model/pairs.tsv >"$tmp/out" && cmp -s "$tmp/out" "$tmp/reference" || wrong "- differs"
score --threads 1 $model/pairs.tsv | cmp -s - "$tmp/reference" || wrong "one thread differs"
score --threads 3 $model/pairs.tsv | cmp -s - "$tmp/reference" || wrong "three threads differ"
sed 's/$/\r/' $model/pairs.tsv | score | cmp -s - "$tmp/reference" || wrong "CRLF lines differ"
printf '%s' "$(cat $model/pairs.tsv)" | score | cmp -s - "$tmp/reference" ||
    wrong "no newline at the end differs"
[ "$(: | score | wc -c)" -eq 0 ] || wrong "something comes out of nothing"
[ "$(printf '\t\n\ta\nb\t\n' | score | wc -l)" -eq 3 ] || wrong "empty fields are texts"
"$RETORT" score --help | grep -q -- --max-length || wrong "--help does not help"

# ---- what is refused ----

printf 'a\tb\nno tab here\nc\td\n' >"$tmp/bad.tsv"
try score "$tmp/bad.tsv"
fails 1 "bad.tsv:2" "no tab"
printf 'a\tb\n\303\050\tc\n' >"$tmp/utf8.tsv"
try score "$tmp/utf8.tsv"
fails 1 "utf8.tsv:2" "UTF-8"
try score "$tmp/none.tsv"
fails 1 "none.tsv"
try score $model/pairs.tsv $model/pairs.tsv
fails 2 "one file"
try "$RETORT" score $model/pairs.tsv
fails 2 "--teacher"
try "$RETORT" score --teacher "$tmp" --precision f32 $model/pairs.tsv
fails 1 "$tmp"
try score --max-len 20 $model/pairs.tsv
fails 2 "max-len" "max-length"
try score --max-length 2 $model/pairs.tsv
fails 2 "--max-length"
try score --precision f16 $model/pairs.tsv
fails 2 "f16"
try score --label 1 $model/pairs.tsv
fails 2 "--label 1" "1 label"
[ ! -s "$tmp/out" ] || wrong "a refused call printed something"

# ---- a cache, and kill -9 ----

score --cache "$tmp/cache" $model/pairs.tsv | cmp -s - "$tmp/reference" || wrong "a new cache"
score --cache "$tmp/cache" $model/pairs.tsv | cmp -s - "$tmp/reference" || wrong "a full cache"
try score --cache $model/pairs.tsv $model/pairs.tsv
fails 1 "pairs.tsv" "not a score cache"

awk 'BEGIN { split("cat dog fish bird river house tree moon sun star", w, " ")
    for (i = 0; i < 30000; i++)
        print w[i % 10 + 1], i "\tthe", w[int(i / 10) % 10 + 1], "of", w[int(i / 100) % 10 + 1]
    }' >"$tmp/many.tsv"
score --cache "$tmp/undisturbed" "$tmp/many.tsv" >"$tmp/wanted" || wrong "many pairs"
size() {
    if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi
}
for round in 1 2 3; do
    "$RETORT" score --teacher $model --precision f32 --quiet --cache "$tmp/killed" \
        "$tmp/many.tsv" >/dev/null 2>"$tmp/err" &
    waited=0
    while [ "$(size "$tmp/killed")" -le $((round * 100000)) ] && [ $waited -lt 200 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
done
[ "$(size "$tmp/killed")" -lt "$(size "$tmp/undisturbed")" ] ||
    echo "test_score: too fast to be killed halfway" >&2
score --cache "$tmp/killed" "$tmp/many.tsv" | cmp -s - "$tmp/wanted" ||
    wrong "after kill -9 the scores differ"

[ $failures -eq 0 ]
