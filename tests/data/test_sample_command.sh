#!/bin/sh
# retort sample: a folder whole or not at all, and nobody's files lost.
. tests/support.sh

ok() { # ok ARGUMENTS...
    "$RETORT" sample "$@" >"$folder/out" 2>"$folder/err" ||
        wrong "sample $*: status $?: $(cat "$folder/err")"
}

ok "$folder/new/a"
[ "$(cd "$folder/new/a" && find . -type f | sort | tr '\n' ' ')" = "./corpus.jsonl ./qrels/dev.tsv \
./qrels/test.tsv ./qrels/train.tsv ./queries.jsonl ./sample.txt " ] || wrong "other files: $(ls -R "$folder")"
[ "$(wc -l <"$folder/new/a/corpus.jsonl")" -eq 4200 ] || wrong 'not 4200 documents'
[ "$(head -n 1 "$folder/new/a/qrels/dev.tsv")" = "$(printf 'query-id\tcorpus-id\tscore')" ] ||
    wrong 'the judgements have no header'
grep -q -- '--documents 4200 --seed 13' "$folder/new/a/sample.txt" || wrong 'sample.txt does not say how'
grep -q '4200 documents' "$folder/err" || wrong 'does not say what it wrote'
"$RETORT" inspect "$folder/new/a" >"$folder/out" || wrong 'inspect does not know it'

ok --quiet --documents 4200 --seed 13 "$folder/b"
[ ! -s "$folder/err" ] || wrong "not quiet: $(cat "$folder/err")"
diff -r "$folder/new/a" "$folder/b" >/dev/null || wrong 'two calls give two collections'
ok --documents 200 --seed 7 "$folder/b/" # its own folder is replaced
[ "$(wc -l <"$folder/b/corpus.jsonl")" -eq 200 ] || wrong 'its own folder is not replaced'
mkdir "$folder/empty"
ok --documents 120 "$folder/empty"

mkdir "$folder/thesis"
echo years >"$folder/thesis/corpus.jsonl"
fails 1 'not replaced' sample "$folder/thesis"
[ "$(ls "$folder/thesis")$(cat "$folder/thesis/corpus.jsonl")" = corpus.jsonlyears ] || wrong 'lost a thesis'
echo file >"$folder/file"
fails 1 file sample "$folder/file"
fails 1 file sample "$folder/file/below"
fails 2 'give one DIR' sample
fails 2 'give one DIR' sample "$folder/c" "$folder/d"
fails 2 'from 120 to 20000' sample --documents 119 "$folder/c"
fails 2 'from 120 to 20000' sample --documents 20001 "$folder/c"
fails 2 'seed' sample --seed -1 "$folder/c"
fails 2 'seed' sample --seed x "$folder/c"
fails 2 'documents' sample --document 200 "$folder/c"
[ ! -e "$folder/c" ] || wrong 'a failed call left a folder'
[ -z "$(find "$folder" -name '*.tmp.*')" ] || wrong "left: $(find "$folder" -name '*.tmp.*')"
exit $wrong
