#!/bin/sh
# The program beside which scripts/bench_peers.sh puts others answers requests, with the right results.  Training needs a
# model, and is compared with PyTorch's by that script.
. tests/support.sh
peers=${PEERS:-build/tests/peers/peers}

# ask REQUESTS ARGUMENT...: the program's answers, numbers as "N".
ask() {
    requests=$1
    shift
    printf "$requests" | "$peers" "$@" 2>"$folder/err" | sed 's/[0-9][-+.e0-9]*/N/g' | paste -sd, ||
        wrong "$*: $(cat "$folder/err")"
}

is() { # WANTED FOUND WHAT
    [ "$1" = "$2" ] || wrong "$3: $2, not $1"
}

printf 'the quick fox\n\nhello\n' >"$folder/texts"
is 'ready,N N,kept' "$(ask "run tokenise\nkeep tokenise $folder/ids\n" tokenise tests/golden/tokenizer "$folder/texts")" \
    'tokenise answers'
# [CLS] 2 and [SEP] 3: three, none and one token between them.
is '2 x x x 3 2 3 2 x 3' "$(od -An -v -w4 -td4 "$folder/ids" | awk '{ print $1 == 2 || $1 == 3 ? $1 : "x" }' | paste -sd' ')" \
    'ids'

printf 'a b\nb b c\nc\n' >"$folder/documents"
printf 'b\nc b\nz\n' >"$folder/queries"
is 'ready,N N,N N,kept' \
    "$(ask "run build\nrun query\nkeep query $folder/hits\n" bm25 "$folder/documents" "$folder/queries" 2 1)" 'bm25 answers'
# Rows, then the same with the places that nothing was found for.
is '1 0 1 2 0 0' "$(od -An -v -w16 -td8 "$folder/hits" | awk '{ print $1 }' | paste -sd' ')" 'rows that BM25 found'

# Two dimensions: (1, 0), (0, 1), (1, 1); sixteen queries (1, 0).
printf '\0\0\200\77\0\0\0\0''\0\0\0\0\0\0\200\77''\0\0\200\77\0\0\200\77' >"$folder/vectors"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf '\0\0\200\77\0\0\0\0'; done >"$folder/vectors.queries"
for name in one many; do
    is 'ready,N N,kept' "$(ask "run $name\nkeep $name $folder/hits\n" search "$folder/vectors" "$folder/vectors.queries" \
        2 2 1)" "search answers $name"
    is '16 0 2' "$(od -An -v -w32 -td8 "$folder/hits" | awk '{ print $1, $3 }' | uniq -c | awk '{ print $1, $2, $3 }')" \
        "rows that $name found"
done

echo 'run nothing' | "$peers" tokenise tests/golden/tokenizer "$folder/texts" >/dev/null 2>&1 && wrong 'an unknown work passed'
"$peers" >/dev/null 2>&1 && wrong 'a call without arguments passed'
exit $wrong
