#!/bin/sh
# The program's manners: help everywhere, exit statuses, the error line, a full disk, a closed pipe.
#   RETORT=./retort sh tests/distill/test_cli.sh
. tests/support.sh
retort=$RETORT

# expect STATUS WORDS COMMAND...: runs it, compares the status, looks for WORDS in what it printed
# on stderr (stdout where the status is 0).
expect() {
    status=$1 words=$2
    shift 2
    "$@" >"$folder/out" 2>"$folder/err" </dev/null
    got=$?
    [ "$got" -eq "$status" ] || wrong "$*: exit status $got instead of $status"
    said=$folder/err
    [ "$status" -ne 0 ] || said=$folder/out
    grep -qF -- "$words" "$said" || wrong "$*: did not say \"$words\" but: $(cat "$said")"
    [ "$status" -eq 0 ] || [ ! -s "$folder/out" ] || wrong "$*: failed, but printed on stdout"
}

# The general part.
expect 2 'Usage: retort COMMAND' "$retort"
expect 0 'Usage: retort COMMAND' "$retort" --help
expect 0 'Usage: retort COMMAND' "$retort" -h
expect 0 'retort 0.' "$retort" --version
for name in oneDNN libarchive zlib libyaml jansson utf8proc LAPACK xxHash; do
    grep -qE "^$name [1-9]?[0-9]\.[0-9.]+$" "$folder/out" || wrong "--version does not name $name"
done
grep -qxE 'kernels (portable|avx2|avx512(_bf16)?|amx)' "$folder/out" || wrong '--version: no instruction set'
grep -qxE 'bf16 (fast|slow)' "$folder/out" || wrong '--version: no bf16'
grep -qxE 'int8 (fast|slow)' "$folder/out" || wrong '--version: no int8'
[ "$(wc -l <"$folder/out")" -eq 12 ] || wrong "--version: other lines: $(cat "$folder/out")"
expect 2 'retort: unknown command bananas; retort --help lists them' "$retort" bananas
expect 2 'retort: unknown option --bananas' "$retort" --bananas
expect 2 'did you mean plan?' "$retort" pln

# Every command: help, its name in errors, the nearest option.
commands=$("$retort" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || wrong 'retort --help lists no command'
for command in $commands; do
    expect 0 "Usage: retort $command " "$retort" "$command" --help
    expect 0 '--help' "$retort" "$command" -h
    ! grep -qE '.{81}| $' "$folder/out" || wrong "$command --help: long lines, or blanks at ends"
    expect 2 "retort $command: unknown option --bananas; see retort $command --help" \
        "$retort" "$command" --bananas
    expect 2 'did you mean --help?' "$retort" "$command" --hepl
    [ "$(wc -l <"$folder/err")" -eq 1 ] || wrong "$command: an error of more than one line"
done

# The job file: mistakes are status 2 with their place, a missing file is status 1.
cat >"$folder/job.yaml" <<'END'
data: {collection: none.tar.gz}
teacher: {model: nowhere}
distill:
  epoch: 3
END
expect 2 "retort plan: $folder/job.yaml:4:3: unknown key distill.epoch; did you mean" \
    "$retort" plan "$folder/job.yaml"
expect 2 'retort plan: --set seed=x: seed wants a whole number' \
    "$retort" plan --set seed=x configs/scifact.yaml
expect 1 "retort plan: $folder/none.yaml: " "$retort" plan "$folder/none.yaml"
expect 2 'JOB.yaml' "$retort" plan
sed -i 's/epoch:/epochs:/' "$folder/job.yaml"
expect 1 "$folder/nowhere" "$retort" plan "$folder/job.yaml"
[ "$(ls "$folder" | sort | tr '\n' ' ')" = 'err job.yaml out ' ] || wrong 'plan left files behind'
expect 0 '| `data.collection` | required, or `data.pairs` |' "$retort" plan --reference

expect 1 "retort inspect: $folder/none: " "$retort" inspect "$folder/none"
expect 2 'PATH' "$retort" inspect

# What is it?
printf 'q1 Q0 d1 1 0.5 x\n' >"$folder/a.run"
printf 'q1\td1\t1\n' >"$folder/a.tsv"
printf 'q1 0 d1 1\n' >"$folder/a.qrels"
printf '1\tsome text\n' >"$folder/texts.tsv"
printf '4.5\tone text\tanother\n' >"$folder/sts.tsv"
printf '{"_id": "1", "text": "x"}\n' >"$folder/queries.jsonl"
printf 'what\n' >"$folder/what"
: >"$folder/nothing"
expect 0 'run (TREC)' "$retort" inspect "$folder/a.run"
expect 0 'judgements' "$retort" inspect "$folder/a.tsv"
expect 0 'judgements' "$retort" inspect "$folder/a.qrels"
expect 0 'texts with ids' "$retort" inspect "$folder/texts.tsv"
expect 0 'sentence pairs' "$retort" inspect "$folder/sts.tsv"
expect 0 'texts with ids' "$retort" inspect "$folder/queries.jsonl"
expect 0 'name: scifact' "$retort" inspect configs/scifact.yaml
mkdir -p "$folder/empty" "$folder/run/stages"
cp configs/scifact.yaml "$folder/run/job.yaml"
printf '%032d\t2.5\n' 7 >"$folder/run/stages/mine"
printf 'system\tlayers\n' >"$folder/run/grid.tsv"
expect 0 'run of a job' "$retort" inspect "$folder/run"
grep -q 'mine *done in 2.5 s' "$folder/out" || wrong 'inspect: a stage that is done'
grep -q 'train *not yet' "$folder/out" || wrong 'inspect: a stage that is not done'
grep -q 'grid.tsv *.*the header has 2 columns' "$folder/out" || wrong 'inspect: a grid that is none'
expect 0 'mark of a finished stage' "$retort" inspect "$folder/run/stages/mine"
printf 'what\n' >"$folder/pytorch_model.bin"
expect 1 'is a pickle' "$retort" inspect "$folder/pytorch_model.bin"
expect 0 'tokenizer without a model' "$retort" inspect tests/golden/tokenizer
expect 1 'no corpus.jsonl' "$retort" inspect "$folder/empty"
expect 1 'neither model' "$retort" inspect "$folder/what"
expect 1 'is empty' "$retort" inspect "$folder/nothing"
expect 2 'give one PATH' "$retort" inspect a b

# A full disk behind stdout is an error, a closed pipe is not worth a word.
if [ -w /dev/full ]; then
    for arguments in '--version' '--help' 'plan --reference' 'plan --help'; do
        # shellcheck disable=SC2086
        "$retort" $arguments >/dev/full 2>"$folder/err"
        [ $? -eq 1 ] || wrong "retort $arguments >/dev/full: exit status is not 1"
        grep -q 'standard output: cannot be written: No space left' "$folder/err" ||
            wrong "retort $arguments >/dev/full: $(cat "$folder/err")"
    done
fi
"$retort" plan --reference 2>"$folder/err" | head -1 >/dev/null
[ ! -s "$folder/err" ] || wrong "a closed pipe: $(cat "$folder/err")"

exit $wrong
