#!/bin/sh
# The bench runs, and its table has every work.  How fast they were is not asked: the machine may be
# busy with other tests.
. tests/support.sh

[ -z "$RETORT_SKIP_SLOW" ] || {
    echo "SKIPPED: a slow test, since RETORT_SKIP_SLOW is set"
    exit 0
}
bench=${BENCH:-build/tests/bench/bench}
works='peak-loop peak-product score-mix embed-64 embed-128 latency-16 train-64 train-mix score-mix-base
    score-mix-small score-command embed-command peak-read search-one search-many bm25-build bm25-query tokenise'
without_peak='bm25-build bm25-query tokenise'

ROUNDS=1 SCALE=tiny RETORT=$RETORT "$bench" "$folder/bench.tsv" >"$folder/out" 2>"$folder/err" ||
    wrong "the bench failed: $(cat "$folder/err")"
[ ! -e "$folder/bench.tsv.files" ] || wrong 'the bench left its files'
for work in $works; do
    awk -F '\t' -v work="$work" '$1 == work { found = 1 } END { exit !found }' "$folder/bench.tsv" ||
        wrong "$work is not in the table"
    grep -q "^$work " "$folder/out" || wrong "$work was not printed"
done
awk -F '\t' -v without_peak=" $without_peak " '
    function number(value) { return value ~ /^[0-9.]+(e[-+][0-9]+)?$/ && value > 0 }
    NR == 1 { bad = $0 != "work\tprecision\trate\tunit\tfraction_of_peak"; next }
    NF != 5 || !number($3) { bad = 1; print "wrong:", $0 }
    index(without_peak, " " $1 " ") ? $5 != "" : !number($5) || $5 > 20 { bad = 1; print "wrong:", $0 }
    END { exit bad }' "$folder/bench.tsv" || wrong 'the table is wrong'
grep -q '^phases of .* qkv ' "$folder/out" || wrong 'no phases were printed'

status=0
WORKS='score-mix serach-one' SCALE=tiny "$bench" "$folder/none.tsv" 2>"$folder/err" || status=$?
[ $status = 2 ] || wrong "a misspelt work: exit status $status"
grep -q '"serach-one".* search-one ' "$folder/err" || wrong "a misspelt work: $(cat "$folder/err")"
[ ! -e "$folder/none.tsv" ] || wrong 'a misspelt work left a table'

ROUNDS=1 SCALE=tiny "$bench" growth "$folder/growth.tsv" >"$folder/out" 2>"$folder/err" ||
    wrong "the growth table failed: $(cat "$folder/err")"
[ ! -e "$folder/growth.tsv.index" ] || wrong 'the growth table left its index'
awk -F '\t' '
    function number(value) { return value ~ /^[0-9.]+(e[-+][0-9]+)?$/ && value > 0 }
    NR == 1 { bad = $0 != "work\tprecision\tby\tsize\tseconds\tper\tto_first\texpected"; next }
    !seen[$1]++ { works++; if ($7 != 1 || $8 != 1) bad = 1 }
    NF != 8 || !number($4) || !number($5) || !number($7) || !number($8) { bad = 1; print "wrong:", $0 }
    END { exit bad || works != 9 || seen["embed"] != 6 }' "$folder/growth.tsv" || wrong 'the growth table is wrong'
exit $wrong
