#!/bin/sh
# The commands that use what a run made: embed, evaluate, index, search, export, metrics, score, on
# the tiny model.  They must agree with each other and with the run's grid.
. tests/distill/tiny_job.sh

ok() { # ok ARGUMENTS...: must succeed; standard output in $folder/out
    "$RETORT" "$@" >"$folder/out" 2>"$folder/err" </dev/null ||
        wrong "$*: status $?: $(cat "$folder/err")"
}

expect() { # expect WHAT EXPECTED GOT
    [ "$2" = "$3" ] || wrong "$1: expected $2, got $3"
}

shape() { # shape FILE.npy: "rows columns"
    head -c 128 "$1" | tr -d '\000' | LC_ALL=C sed -n "s/.*'<f4'.*'shape': (\([0-9]*\), \([0-9]*\)).*/\1 \2/p"
}

cell() { # cell FILE.tsv COLUMN CONDITION: the named column of the row, to 6 places
    awk -F '\t' -v name="$2" "NR == 1 { for (i = 1; i <= NF; i++) column[\$i] = i }
        NR > 1 && ($3) { printf \"%.6f\", \$column[name] }" "$1"
}

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"
ok run "$folder/job.yaml" --output "$folder/run"
student=$folder/run/student exported=$folder/run/export common="--threads 2 --precision f32"

# ---- embed ----
printf '%s\n' 'the cat sat by the river' 'a horse' '' 'the cat sat by the river' >"$folder/texts"
ok embed $common --model "$student" --output "$folder/full.npy" "$folder/texts"
expect "embed's shape" "4 16" "$(shape "$folder/full.npy")"
ok embed $common --model "$student" --layers 1 --dim 5 --output "$folder/cut.npy" "$folder/texts"
expect "a cut shape" "4 5" "$(shape "$folder/cut.npy")"
ok embed $common --model "$exported" --output "$folder/exported.npy" "$folder/texts"
expect "the export's shape" "4 8" "$(shape "$folder/exported.npy")"
"$RETORT" embed $common --model "$exported" <"$folder/texts" >"$folder/stdout.npy" 2>"$folder/err"
cmp -s "$folder/exported.npy" "$folder/stdout.npy" || wrong "embed writes other bytes to a pipe"
tail -c 64 "$folder/stdout.npy" | cut -c1-32 | head -c 32 >"$folder/last"
tail -c 32 "$folder/stdout.npy" >"$folder/fourth"
tail -c 128 "$folder/stdout.npy" | head -c 32 >"$folder/first"
cmp -s "$folder/first" "$folder/fourth" || wrong "equal texts have other vectors"
ok embed $common --model "$teacher" --teacher-layer 1 --form pair --output "$folder/early.npy" \
    "$folder/texts"
expect "the teacher's shape" "4 32" "$(shape "$folder/early.npy")"
fails 2 "16 dimensions" embed --model "$student" --dim 17 "$folder/texts"
fails 2 "2 layers, not 3" embed --model "$student" --layers 3 "$folder/texts"
fails 2 "\-\-model" embed "$folder/texts"
fails 2 "teacher-layer" embed --model "$teacher" --teacher-layer 4 "$folder/texts"
fails 1 "nowhere" embed --model "$student" "$folder/nowhere"
fails 1 "nowhere" embed --model "$folder/nowhere" "$folder/texts"

# ---- evaluate: the numbers of the run's grid ----
ok evaluate $common --model "$student" --layers 1,2 --dims 4,8,16 -m ndcg_cut_10 -m map \
    --trec "$folder/trec" --output "$folder/grid.tsv" "$folder/collection"
expect "evaluate's rows" 7 "$(wc -l <"$folder/grid.tsv")"
for point in "1 4" "1 16" "2 8" "2 16"; do
    layers=${point% *} dim=${point#* }
    for measure in ndcg_cut_10 map; do
        expect "$measure at $point" \
            "$(cell "$folder/run/grid.tsv" $measure "\$1 == \"student\" && \$2 == $layers && \$3 == $dim")" \
            "$(cell "$folder/grid.tsv" $measure "\$1 == $layers && \$2 == $dim")"
    done
    cut -f1-5 "$folder/run/trec/student-l$layers-d$dim.trec" >"$folder/expected"
    cut -f1-5 "$folder/trec/retort-l$layers-d$dim.trec" | diff -q - "$folder/expected" >/dev/null ||
        wrong "evaluate ranks otherwise at $point"
done
fails 2 "\-\-dims" evaluate --model "$student" --dims 8,4 "$folder/collection"
fails 2 "\-\-layers" evaluate --model "$student" --layers 1,9 "$folder/collection"
fails 1 "split dev" evaluate --model "$student" --split dev "$folder/collection"
fails 2 "measure" evaluate --model "$student" -m nonsense "$folder/collection"
printf '%s\t%s\t%s\n' 4.5 "the cat sat" "a cat sat" 0.2 "the cat sat" "the old drug trial" \
    5 "rain" "rain" >"$folder/pairs.tsv"
ok evaluate $common --model "$student" --layers all --dims 8,16 "$folder/pairs.tsv"
expect "rows of pairs" 5 "$(wc -l <"$folder/out")"
expect "columns of pairs" "layers	dim	spearman	pearson" "$(head -1 "$folder/out")"
cp "$folder/out" "$folder/both"
ok evaluate $common --model "$student" --dims 8,16 -m pearson --trec "$folder/cosines" "$folder/pairs.tsv"
expect "pearson alone" "$(awk -F '\t' 'NR == 1 || $1 == 2 { print $1, $2, $4 }' "$folder/both")" \
    "$(tr '\t' ' ' <"$folder/out")"
expect "the pairs' labels" "label 4.5 0.2 5 " "$(cut -f 1 "$folder/cosines/retort-l2-d8.tsv" | tr '\n' ' ')"
fails 2 "spearman" evaluate --model "$student" -m map "$folder/pairs.tsv"
fails 2 "cosines" evaluate --model "$student" --dot "$folder/pairs.tsv"
head -1 "$folder/pairs.tsv" >"$folder/one.tsv"
fails 1 "correlated" evaluate --model "$student" "$folder/one.tsv"

# ---- index, search, metrics: the picked point once more ----
ok index $common --model "$exported" --output "$folder/index" "$folder/collection"
awk -F '"' '{ print $4 "\t" $8 }' "$folder/collection/queries.jsonl" | tail -8 >"$folder/queries.tsv"
ok search $common --index "$folder/index" --top 100 "$folder/queries.tsv"
expect "search's lines" 320 "$(wc -l <"$folder/out")"
mv "$folder/out" "$folder/found.trec"
ok metrics -m ndcg_cut_10 "$folder/collection/qrels/test.tsv" "$folder/found.trec"
expect "nDCG of index and search" \
    "$(cell "$folder/run/grid.tsv" ndcg_cut_10 '$1 == "student" && $2 == 2 && $3 == 8' | cut -c1-6)" \
    "$(awk '$2 == "all" { print substr($3, 1, 6) }' "$folder/out")"
ok metrics -m ndcg_cut_10 "$folder/collection/qrels/test.tsv" "$folder/run/trec/bm25.trec"
expect "nDCG of BM25's run" \
    "$(cell "$folder/run/grid.tsv" ndcg_cut_10 '$1 == "bm25"' | cut -c1-6)" \
    "$(awk '$2 == "all" { print substr($3, 1, 6) }' "$folder/out")"

# ---- an index of words, without a model: the same as the run's BM25 ----
ok index --bm25 --threads 2 --output "$folder/words" "$folder/collection"
ok search --threads 2 --index "$folder/words" --top 100 "$folder/queries.tsv"
mv "$folder/out" "$folder/found.trec"
ok metrics -m ndcg_cut_10 "$folder/collection/qrels/test.tsv" "$folder/found.trec"
expect "nDCG of an index of words" \
    "$(cell "$folder/run/grid.tsv" ndcg_cut_10 '$1 == "bm25"' | cut -c1-6)" \
    "$(awk '$2 == "all" { print substr($3, 1, 6) }' "$folder/out")"
ok inspect "$folder/words"
grep -q "k1 0.9, b 0.4" "$folder/out" || wrong "inspect does not know an index of words"
cp "$folder/words" "$folder/words.before"
ok index --bm25 --threads 1 --memory 0 --output "$folder/words" "$folder/collection"
cmp -s "$folder/words" "$folder/words.before" || wrong "another memory writes another index"
head -c 1000 "$folder/words.before" >"$folder/words"
fails 1 "cut off" search --index "$folder/words" "$folder/queries.tsv"
fails 1 "cut off" inspect "$folder/words"
fails 2 "which has none" search --index "$folder/words" --model "$exported" "$folder/queries.tsv"
fails 2 "no part" index --bm25 --model "$exported" --output "$folder/words" "$folder/collection"
fails 2 "\-\-bm25" index --output "$folder/words" "$folder/collection"
fails 2 "bm25-b" index --bm25 --bm25-b 2 --output "$folder/words" "$folder/collection"
fails 1 "folder" index --bm25 --output "$folder/index" "$folder/collection"

# ---- export: the same model from the student, by hand ----
ok export --model "$student" --layers 2 --dim 8 --output "$folder/again"
cmp -s "$folder/again/model.safetensors" "$exported/model.safetensors" || wrong "another encoder"
cmp -s "$folder/again/2_Dense/model.safetensors" "$exported/2_Dense/model.safetensors" ||
    wrong "another Dense module"
ok export --model "$folder/again" --layers 1 --dim 3 --output "$folder/again"
expect "layers of an export of an export" 1 \
    "$(sed -n 's/.*"num_hidden_layers": \([0-9]*\).*/\1/p' "$folder/again/config.json")"
mkdir "$folder/mine" && echo thesis >"$folder/mine/notes"
fails 1 "not replaced" export --model "$student" --output "$folder/mine"
expect "files of a foreign folder" notes "$(ls "$folder/mine")"
fails 2 "\-\-dim" export --model "$student" --dim 99 --output "$folder/other"
fails 2 "\-\-output" export --model "$student"
fails 2 "format" export --model "$student" --format onyx --output "$folder/other"
[ ! -e "$folder/other" ] || wrong "a failed export left a folder"

# ---- score: the logits of the run ----
awk 'NR == 1 { print $1, $3, $5 }' "$folder/run/trec/teacher.trec" >"$folder/best"
read -r query document logit <"$folder/best"
text() { # text FILE ID
    sed -n "s/^{\"_id\": \"$2\", \(\"title\": \"\([^\"]*\)\", \)\{0,1\}\"text\": \"\([^\"]*\)\"}$/\2 \3/p" \
        "$folder/collection/$1.jsonl" | sed 's/^ *//'
}
printf '%s\t%s\n' "$(text queries "$query")" "$(text corpus "$document")" >"$folder/pair"
ok score $common --teacher "$teacher" --max-length 40 "$folder/pair"
expect "the teacher's logit of $query and $document" 1 \
    "$(awk -v expected="$logit" '{ print ($1 - expected < 1e-4 && expected - $1 < 1e-4) ? 1 : $1 }' "$folder/out")"
fails 1 "tab" score --teacher "$teacher" "$folder/texts"

exit $wrong
