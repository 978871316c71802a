#!/bin/sh
# retort's side of scripts/bench_peers.sh answers requests, with the right results.  Training needs a model: that script
# compares it with PyTorch's.
. tests/support.sh
peers=${PEERS:-build/tests/peers/peers}

ask() { # REQUESTS ARGUMENT...: the program's answers, with "N" for numbers
    requests=$1
    shift
    printf '%b' "$requests" | "$peers" "$@" 2>"$folder/err" | sed 's/[0-9][-+.e0-9]*/N/g' | paste -sd,
}

column() { # BYTES SIZE: the first whole number, of SIZE bytes, of each so many of the kept result
    od -An -v -w"$1" -td"$2" "$folder/kept" | awk '{ print $1 }' | paste -sd' '
}

is() { # WHAT WANTED FOUND
    [ "$2" = "$3" ] || wrong "$1: $3, not $2: $(cat "$folder/err")"
}
keep="$folder/kept\n"

printf 'the quick fox\n\nhello\n' >"$folder/texts"
is 'tokenising' 'ready,N N,kept' \
    "$(ask "run tokenise\nkeep tokenise $keep" tokenise tests/golden/tokenizer "$folder/texts")"
# [CLS] is 2, [SEP] 3: three tokens, none and one.
is 'ids' '2 x x x 3 2 3 2 x 3' "$(column 4 4 | sed 's/[0-9][0-9]\+/x/g')"

printf 'a b\nb b c\nc\n' >"$folder/documents"
printf 'b\nc b\nz\n' >"$folder/queries"
is 'BM25' 'ready,N N,N N,kept' \
    "$(ask "run build\nrun query\nkeep query $keep" bm25 "$folder/documents" "$folder/queries" 2 1)"
# Two rows a query; nothing was found for the last.
is 'rows that BM25 found' '1 0 1 2 0 0' "$(column 16 8)"

# Of two dimensions: (1, 0), (0, 1), (1, 1); sixteen queries (1, 0).
printf '\0\0\200\77\0\0\0\0\0\0\0\0\0\0\200\77\0\0\200\77\0\0\200\77' >"$folder/vectors"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do printf '\0\0\200\77\0\0\0\0'; done >"$folder/queries"
for name in one many; do
    is "search, $name" 'ready,N N,kept' \
        "$(ask "run $name\nkeep $name $keep" search "$folder/vectors" "$folder/queries" 2 2 1)"
    is "rows of $name" '16 0 2' "$(column 16 8 | xargs -n 2 | uniq -c | xargs)"
done

ask 'run nothing\n' tokenise tests/golden/tokenizer "$folder/texts" >/dev/null
grep -q 'peers: nothing' "$folder/err" || wrong "an unknown work: $(cat "$folder/err")"
"$peers" >/dev/null 2>&1 && wrong 'a call without arguments passed'
exit $wrong
