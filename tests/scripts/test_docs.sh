#!/bin/sh
# docs/: what docs/own-data.md and docs/only-documents.md tell to do is done, line by line, with the tiny
# cross-encoder as the re-ranker; links lead to files, and commands and options are those that the program has.
. tests/distill/tiny_job.sh
root=$PWD
RETORT=$(realpath "$RETORT")

block() { # LANGUAGE FILE: its blocks, one after the other
    awk -v start="\`\`\`$1" '$0 == "```" { on = 0 } on { print } $0 == start { on = 1 }' "$2"
}

for page in README.md docs/*.md; do
    for link in $(grep -o '](\([^)#:]*\))' "$page" | sed 's/](\(.*\))/\1/'); do
        [ -e "$(dirname "$page")/$link" ] || wrong "$page: no $link"
    done
    block sh "$page" >"$folder/commands"
    sh -n "$folder/commands" || wrong "$page: no shell"
    grep -o 'retort [a-z]* [^|>&]*' "$folder/commands" >"$folder/calls"
    while read -r _ command arguments; do
        "$RETORT" "$command" --help >"$folder/help" 2>"$folder/err" || wrong "$page: retort $command"
        for option in $(printf '%s\n' $arguments | grep '^--[a-z]'); do
            grep -q -- "^  $option" "$folder/help" || wrong "$page: no retort $command $option"
        done
    done <"$folder/calls"
done

page=$root/docs/own-data.md
mkdir -p "$folder/work/models" "$folder/bin"
ln -s "$teacher" "$folder/work/models/my-reranker"
ln -s "$RETORT" "$folder/bin/retort"
cd "$folder/work" || exit 1
block yaml "$page" >mine.yaml
block sh "$page" >commands
PATH="$folder/bin:$PATH" sh -eu commands >out 2>err </dev/null || wrong "own-data.md: $(tail -n 5 err)"
for file in runs/mine/report.html runs/mine/export/modules.json slim/modules.json idx/vectors.npy; do
    [ -s "$file" ] || wrong "own-data.md leaves no $file"
done
grep -q '^kind  *run of a job' out || wrong "own-data.md: inspect says $(cat out)"
grep -q '^license: apache-2.0$' runs/mine/export/README.md || wrong "own-data.md: no licence"
[ "$(grep -c '^q9 Q0 d' out)" -eq 3 ] || wrong "own-data.md: search finds others than three"
grep -q 'slim: read back, 9 texts' err || wrong "own-data.md: $(grep slim err)"

page=$root/docs/outside-teacher.md
if command -v python3 >/dev/null; then
    cp -r runs/mine/student models/my-encoder
    block yaml "$page" | sed '/^teacher:$/,$d' >outside.yaml
    block sh "$page" >commands
    PATH="$folder/bin:$PATH" sh -eu commands >out 2>err </dev/null || wrong "outside-teacher.md: $(tail -n 5 err)"
    grep -q '^teacher  *the scores in .*scores.tsv' out || wrong "outside-teacher.md: plan says $(cat out)"
    for file in outside/scores.trec encoder/train/hpd.best.safetensors vectors/train/hpd.best.safetensors; do
        [ -s "runs/$file" ] || wrong "outside-teacher.md leaves no runs/$file"
    done
else
    echo "SKIPPED: outside-teacher.md, no python3 here"
fi
page=$root/docs/only-documents.md
block yaml "$page" >notes.yaml
block sh "$page" >commands
PATH="$folder/bin:$PATH" sh -eu commands >out 2>err </dev/null || wrong "only-documents.md: $(tail -n 5 err)"
grep -q '^{"_id":"d1#title","text":"Boiling","document":"d1","kind":"title","removed":true}$' out ||
    wrong "only-documents.md: other queries: $(cat out)"
grep -q '"measured_on": "test"' runs/notes/manifest.json || wrong "only-documents.md: its test queries are not used"
grep -q 'do not copy' runs/notes/made/queries.jsonl && wrong "only-documents.md: boilerplate is a query"
exit $wrong
