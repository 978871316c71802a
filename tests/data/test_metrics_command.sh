#!/bin/sh
# retort metrics: values, order, averaging, stdin, errors.
. tests/support.sh

check() { # check WHAT EXPECTED GOT
    [ "$2" = "$3" ] && return
    printf '%s: expected\n%s\ngot\n%s\n' "$1" "$2" "$3"
    wrong=1
}

# q1: relevant at ranks 2 (grade 2; a tie, which the larger id wins) of 3; q2: nothing relevant;
# q3 is not in the run, q4 not judged.
printf 'query-id\tcorpus-id\tscore\nq2\td1\t0\nq1\td2\t2\nq1\td9\t1\nq3\td1\t1\n' \
    >"$folder/qrels.tsv"
printf 'q1 0 d2 2\nq2 0 d1 0\nq1 0 d9 1\nq3 0 d1 1\n' >"$folder/qrels.trec"
printf '%s\n' 'q2 Q0 d1 1 1 t' 'q1 Q0 d2 1 5 t' 'q1 Q0 d3 2 5 t' 'q1 Q0 d1 3 1 t' 'q4 Q0 d1 1 1 t' \
    >"$folder/run"

tab=$(printf '\t')
expected="recip_rank${tab}q1${tab}0.5000000000
num_ret${tab}q1${tab}3
ndcg_cut_2${tab}q1${tab}0.4796249331
recip_rank${tab}q2${tab}0.0000000000
num_ret${tab}q2${tab}1
ndcg_cut_2${tab}q2${tab}0.0000000000
recip_rank${tab}all${tab}0.2500000000
num_ret${tab}all${tab}4
ndcg_cut_2${tab}all${tab}0.2398124666
num_q${tab}all${tab}2"
set -- -q -m mrr -m num_ret -m ndcg@2 -m num_q
check 'BEIR qrels' "$expected" \
    "$("$RETORT" metrics "$@" "$folder/qrels.tsv" "$folder/run" 2>"$folder/warnings")"
check warnings 2 "$(grep -c 'do not count' "$folder/warnings")"
check 'TREC qrels, run on stdin' "$expected" \
    "$("$RETORT" metrics "$@" "$folder/qrels.trec" <"$folder/run" 2>/dev/null)"
gzip -k "$folder/run" "$folder/qrels.tsv"
check 'gzipped, qrels on stdin' "$expected" \
    "$("$RETORT" metrics "$@" - "$folder/run.gz" <"$folder/qrels.tsv.gz" 2>/dev/null)"

names=$("$RETORT" metrics "$folder/qrels.tsv" "$folder/run" 2>/dev/null | cut -f 1 | tr '\n' ' ')
check 'usual measures' "num_q num_ret num_rel num_rel_ret map recip_rank P_1 P_5 P_10 recall_10 \
recall_100 recall_1000 ndcg ndcg_cut_5 ndcg_cut_10 ndcg_cut_100 success_1 success_5 success_10 " \
    "$names"
"$RETORT" metrics --help | grep -q 'QRELS' || { echo 'no help' && wrong=1; }

fails 2 'give QRELS' metrics
fails 2 'give QRELS' metrics a b c
fails 2 'both be stdin' metrics - -
fails 2 'both be stdin' metrics -
fails 2 'unknown measure "ndgc@10"' metrics -m ndgc@10 "$folder/qrels.tsv" "$folder/run"
fails 1 'cannot open' metrics "$folder/nothing" "$folder/run"
printf 'q9\td1\t1\n' >"$folder/other.tsv"
fails 1 'no query is in both' metrics "$folder/other.tsv" "$folder/run"
printf 'q1 Q0 d2 1 5 t\nq1 Q0 d2 2 5 t\n' >"$folder/twice"
fails 1 'twice:2: .*d2 stands twice' metrics "$folder/qrels.tsv" "$folder/twice"
[ -e /dev/full ] &&
    "$RETORT" metrics "$folder/qrels.tsv" "$folder/run" >/dev/full 2>"$folder/err" &&
    echo 'a full disk is not noticed' && wrong=1

# The shared reference, where it is there: every query and the means.
golden=${RETORT_SHARED:-../shared}/golden/metrics
if [ -r "$golden/expected.tsv" ]; then
    measures=$(head -n 1 "$golden/expected.tsv" | cut -f 2- | sed 's/[^\t]*/-m &/g')
    for qrels in qrels.tsv qrels.trec; do
        # shellcheck disable=SC2086 # the measures are words
        "$RETORT" metrics -q $measures "$golden/$qrels" "$golden/run.trec" 2>/dev/null |
            awk -F '\t' '
                NR == FNR && FNR == 1 { for (i = 2; i <= NF; i++) name[i] = $i; next }
                NR == FNR {
                    query = $1 ~ /^mean over/ ? "all" : $1
                    for (i = 2; i <= NF; i++) want[name[i], query] = $i
                    next
                }
                {
                    count = $2 == "all" && $1 ~ /^num_/ ? 38 : 1 # counts are summed, not averaged
                    off = $3 / count - want[$1, $2]
                    if (off > 1e-9 || off < -1e-9 || !(($1, $2) in want))
                        print "golden: " $1 " of " $2 " is " $3 ", expected " want[$1, $2]
                    seen++
                }
                END { if (seen != 20 * 39) print "golden: " seen " values" }
            ' "$golden/expected.tsv" - >"$folder/differences"
        [ ! -s "$folder/differences" ] || { cat "$folder/differences" && wrong=1; }
    done
else
    echo "SKIPPED: a test needs $golden, which is absent" >&2
fi
exit $wrong
