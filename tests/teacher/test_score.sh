#!/bin/sh
# retort score, from outside: its input and output, its errors, and that a killed one goes on.
#   RETORT=./retort sh tests/teacher/test_score.sh        from the root
. tests/support.sh
model=tests/golden/cross_encoder

score() {
    "$RETORT" score --teacher "$model" --precision f32 --quiet "$@"
}

# fails STATUS WORDS...: the last command line ended so, and its message holds every word.
fails() {
    wanted=$1
    shift
    [ "$status" -eq "$wanted" ] || wrong "status $status instead of $wanted: $(cat "$folder/err")"
    for word in "$@"; do
        grep -qF -- "$word" "$folder/err" || wrong "message lacks '$word': $(cat "$folder/err")"
    done
    [ "$(wc -l <"$folder/err")" -eq 1 ] || wrong "more than one line of message: $(cat "$folder/err")"
}

try() {
    "$@" >"$folder/out" 2>"$folder/err"
    status=$?
}

# same WANTED: what came out is this file's first column, to five digits and in its order.
same() {
    paste "$folder/out" "$1" | awk -F '\t' '
        { d = $1 - $2; if (d < 0) d = -d }
        d > 0.00002 || $1 !~ /^-?[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9]$/ { bad = 1 }
        END { exit bad || NR != 20 }' || wrong "$2: not the expected logits"
}

# ---- what comes out ----

cut -f 1 $model/logits.tsv >"$folder/long"
cut -f 2 $model/logits.tsv >"$folder/short"
gzip -c $model/pairs.tsv >"$folder/pairs.tsv.gz"

try score $model/pairs.tsv
[ $status -eq 0 ] && [ ! -s "$folder/err" ] || wrong "a file: status $status, $(cat "$folder/err")"
same "$folder/long" "a file"
cp "$folder/out" "$folder/reference"
try score --max-length 20 $model/pairs.tsv
same "$folder/short" "--max-length 20"
try score --max-length 100000 $model/pairs.tsv
cmp -s "$folder/out" "$folder/reference" || wrong "--max-length beyond the model's is not the model's"
try score "$folder/pairs.tsv.gz"
cmp -s "$folder/out" "$folder/reference" || wrong "a gzipped file differs"
score <$model/pairs.tsv >"$folder/out" && cmp -s "$folder/out" "$folder/reference" || wrong "stdin differs"
score - <$model/pairs.tsv >"$folder/out" && cmp -s "$folder/out" "$folder/reference" || wrong "- differs"
score --threads 1 $model/pairs.tsv | cmp -s - "$folder/reference" || wrong "one thread differs"
score --threads 3 $model/pairs.tsv | cmp -s - "$folder/reference" || wrong "three threads differ"
sed 's/$/\r/' $model/pairs.tsv | score | cmp -s - "$folder/reference" || wrong "CRLF lines differ"
printf '%s' "$(cat $model/pairs.tsv)" | score | cmp -s - "$folder/reference" ||
    wrong "no newline at the end differs"
[ "$(: | score | wc -c)" -eq 0 ] || wrong "something comes out of nothing"
[ "$(printf '\t\n\ta\nb\t\n' | score | wc -l)" -eq 3 ] || wrong "empty fields are texts"
"$RETORT" score --help | grep -q -- --max-length || wrong "--help does not help"

# ---- what is refused ----

printf 'a\tb\nno tab here\nc\td\n' >"$folder/bad.tsv"
try score "$folder/bad.tsv"
fails 1 "bad.tsv:2" "no tab"
printf 'a\tb\n\303\050\tc\n' >"$folder/utf8.tsv"
try score "$folder/utf8.tsv"
fails 1 "utf8.tsv:2" "UTF-8"
try score "$folder/none.tsv"
fails 1 "none.tsv"
try score $model/pairs.tsv $model/pairs.tsv
fails 2 "one file"
try "$RETORT" score $model/pairs.tsv
fails 2 "--teacher"
try "$RETORT" score --teacher "$folder" --precision f32 $model/pairs.tsv
fails 1 "$folder"
try score --max-len 20 $model/pairs.tsv
fails 2 "max-len" "max-length"
try score --max-length 2 $model/pairs.tsv
fails 2 "--max-length"
try score --precision f16 $model/pairs.tsv
fails 2 "f16"
try score --label 1 $model/pairs.tsv
fails 2 "--label 1" "1 label"
[ ! -s "$folder/out" ] || wrong "a refused call printed something"

# ---- a cache, and kill -9 ----

score --cache "$folder/cache" $model/pairs.tsv | cmp -s - "$folder/reference" || wrong "a new cache"
score --cache "$folder/cache" $model/pairs.tsv | cmp -s - "$folder/reference" || wrong "a full cache"
try score --cache $model/pairs.tsv $model/pairs.tsv
fails 1 "pairs.tsv" "not a score cache"

awk 'BEGIN { split("cat dog fish bird river house tree moon sun star", w, " ")
    for (i = 0; i < 30000; i++)
        print w[i % 10 + 1], i "\tthe", w[int(i / 10) % 10 + 1], "of", w[int(i / 100) % 10 + 1]
    }' >"$folder/many.tsv"
score --cache "$folder/undisturbed" "$folder/many.tsv" >"$folder/wanted" || wrong "many pairs"
size() {
    if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi
}
for round in 1 2 3; do
    "$RETORT" score --teacher $model --precision f32 --quiet --cache "$folder/killed" \
        "$folder/many.tsv" >/dev/null 2>"$folder/err" &
    waited=0
    while [ "$(size "$folder/killed")" -le $((round * 100000)) ] && [ $waited -lt 200 ]; do
        sleep 0.05
        waited=$((waited + 1))
    done
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
done
[ "$(size "$folder/killed")" -lt "$(size "$folder/undisturbed")" ] ||
    echo "test_score: too fast to be killed halfway" >&2
score --cache "$folder/killed" "$folder/many.tsv" | cmp -s - "$folder/wanted" ||
    wrong "after kill -9 the scores differ"

exit $wrong
