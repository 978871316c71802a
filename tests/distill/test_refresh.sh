#!/bin/sh
# Mining that follows the student (mine.refresh_steps): what joins the candidates and what does not, the
# same bytes after kills, and the teacher's scores by way of the cache.
. tests/distill/tiny_job.sh

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"

run() { # run OUTPUT [OPTIONS...]: must succeed; messages in $folder/said
    output=$1
    shift
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" --until train --set mine.refresh_steps=3 \
        --set mine.refresh_depth=5 --set distill.average=ema --set distill.layer_decay=0.8 "$@" \
        >"$folder/out" 2>"$folder/said" </dev/null || wrong "run $output $*: status $?: $(cat "$folder/said")"
}

run one
steps=$(sed -n 's/^retort: distil: step [0-9]* of \([0-9]*\).*/\1/p' "$folder/said" | head -n 1)
[ "$(grep -c '^retort: refresh: after step' "$folder/said")" -eq $(((steps - 1) / 3)) ] ||
    wrong "$steps steps: $(grep refresh "$folder/said")"
[ -s "$folder/one/train/candidates.3.trec" ] || wrong "no candidates of step 3"
[ ! -e "$folder/one/train/candidates.0.trec" ] || wrong "refreshed before the first step"

# The first candidates of each query stand as in scores.trec, kinds aside; behind them at most 5 that only
# the student found, none of them labelled and none twice.
awk -F '\t' '
    FILENAME ~ /qrels/ { if ($3 > 0) label[$1, $2] = 1; next }
    FILENAME ~ /scores.trec/ { score[$1, $3] = $5; first[$1]++; next }
    ($1, $3) in seen { print "twice: " $0 }
    { seen[$1, $3] = 1; query[$1]++ }
    query[$1] <= first[$1] { if (score[$1, $3] != $5) print "not as it was: " $0; next }
    ($1, $3) in score || $6 !~ /^(false-)?negative:student$/ { print "is not new: " $0 }
    ($1, $3) in label { print "is labelled: " $0 }
    { more[$1]++; total++ }
    END {
        for (q in query) if (query[q] < first[q]) print "query " q " lost candidates"
        for (q in more) if (more[q] > 5) print "query " q " has " more[q] " more"
        if (!total) print "nothing joined"
    }' "$folder/collection/qrels/train.tsv" "$folder/one/scores.trec" "$folder/one/train/candidates.3.trec" \
    >"$folder/odd"
[ ! -s "$folder/odd" ] || wrong "candidates of step 3: $(head -5 "$folder/odd")"

# What was found first is in no cache yet: each pair of it was scored.
counts=$(sed -n 's/.*after step 3 the student found \([0-9]*\) new.*; \([0-9]*\) were scored.*/\1 \2/p' "$folder/said")
[ "${counts% *}" = "${counts#* }" ] || wrong "the first refresh: $(grep refresh "$folder/said")"

# ---- the same bytes after kills ----
fingerprint() { # fingerprint RUN
    (cd "$folder/$1" && sha256sum train/*.trec train/*.best.safetensors train/distil.checkpoint.safetensors)
}
fingerprint one >"$folder/expected"
kills=0
for pause in 0.1 0.15 0.2 0.25 0.3 0.35 0.4 0.45; do
    timeout -s KILL $pause "$RETORT" run "$folder/job.yaml" --output "$folder/killed" --until train \
        --set mine.refresh_steps=3 --set mine.refresh_depth=5 --set distill.average=ema \
        --set distill.layer_decay=0.8 >"$folder/out" 2>&1 </dev/null || kills=$((kills + 1))
done
[ $kills -gt 0 ] || wrong "killed $kills times only"
run killed
fingerprint killed >"$folder/this"
diff "$folder/expected" "$folder/this" >"$folder/diff" || wrong "after kills: $(cat "$folder/diff")"

# ---- it matters, and the control without a teacher does not see it ----
run never --set mine.refresh_steps=0
cmp -s "$folder/one/train/distil.checkpoint.safetensors" "$folder/never/train/distil.checkpoint.safetensors" &&
    wrong "what the student finds changes nothing"
cmp -s "$folder/one/train/no-teacher.best.safetensors" "$folder/never/train/no-teacher.best.safetensors" ||
    wrong "the control was refreshed"

# ---- what has no score leaves; where the job has none, what is new joins ----
run outside --set "teacher.scores=[$folder/one/scores.trec]" --set 'teacher.weights=[0, 1]' \
    --set teacher.missing=drop --set 'evaluate.systems=[student]'
counts=$(sed -n 's/.*after step 3 the student found \([0-9]*\) new.*, \([0-9]*\) left out.*/\1 \2/p' "$folder/said")
[ "${counts% *}" = "${counts#* }" ] || wrong "without a score: $(grep refresh "$folder/said")"
cut -f 1-5 "$folder/one/scores.trec" >"$folder/first"
cut -f 1-5 "$folder/outside/train/candidates.3.trec" | cmp - "$folder/first" || wrong "what has no score stays"
# ---- or gets the lowest of all that is known of its query ----
run outside --set "teacher.scores=[$folder/one/scores.trec]" --set 'teacher.weights=[0, 1]' \
    --set teacher.missing=lowest --set 'evaluate.systems=[student]'
grep -q 'after step 3 the student found [1-9].*, 0 left out' "$folder/said" ||
    wrong "lowest: $(grep refresh "$folder/said")"
awk -F '\t' '
    !($1 in lowest) || $5 < lowest[$1] { lowest[$1] = $5 }
    $6 == "negative:student" || $6 == "false-negative:student" { new++; if ($5 != lowest[$1]) print }
    END { if (!new) print "nothing new" }' "$folder/outside/train/candidates.3.trec" >"$folder/odd"
[ ! -s "$folder/odd" ] || wrong "not the lowest: $(head -5 "$folder/odd")"
run student --until export --set 'evaluate.systems=[student]'
run labels --set teacher.model=none --set distill.hpd.epochs=0 --set 'evaluate.systems=[student]' \
    --set "student.init.from=$folder/student/student" --set distill.epochs=20 --set distill.patience=4
grep -q '^retort: distil: stopped at [0-9]* of [0-9]* steps' "$folder/said" || wrong "patience without end"
grep -q '	0	negative:student$' "$folder/labels/train/candidates.3.trec" || wrong "nothing joined without scores"

exit $wrong
