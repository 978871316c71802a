#!/bin/sh
# Every recipe of the README runs from end to end, and its log has the losses that it is about.
. tests/distill/tiny_job.sh
make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"

trains() { # trains RECIPE LOSSES...: no others in the log of the last phase
    recipe=$1
    shift
    "$RETORT" run "$folder/job.yaml" --until train --set student.recipe="$recipe" \
        --set distill.sample.widths="[4, 8]" --output "$folder/run" >"$folder/said" 2>&1 ||
        wrong "$recipe: $(cat "$folder/said")"
    log=$folder/run/train/distil.tsv
    [ "$recipe" != hpd ] || log=$folder/run/train/hpd.tsv
    got=$(awk -F '\t' '$2 == "train" { print $4 }' "$log" | grep -vx 'loss\|gradient_norm\|learning_rate' |
        LC_ALL=C sort -u | tr '\n' ' ')
    [ "$got" = "$* " ] || wrong "$recipe trains $got"
}

trains retort hpd info_nce listwise_kl self_kl # the job has HPD
trains 2dmse coordinate_kl info_nce
trains ese compress info_nce
trains adaptive-layer coordinate_kl info_nce
trains matryoshka info_nce
trains matryoshka2d coordinate_kl info_nce
trains starbucks info_nce self_kl
trains hpd hpd
trains de2ce info_nce
trains margin-mse margin_mse
named=$("$RETORT" plan --reference | sed -n 's/^| `student.recipe` .*one of \([^|]*\) |.*/\1/p' | tr -d ',' | wc -w)
[ "$named" = 10 ] || wrong "there are $named recipes"
"$RETORT" plan --quick "$folder/job.yaml" --set student.recipe=2dmse >"$folder/said" 2>&1
grep -q 'recipe 2dmse' "$folder/said" && grep -q 'taps that distill.sample gives each step' "$folder/said" ||
    wrong "plan says of recipe 2dmse: $(cat "$folder/said")"
"$RETORT" plan --resolved "$folder/job.yaml" --set student.recipe=2dmse | grep -q '^  taps: drawn$' ||
    wrong "plan --resolved lacks what recipe 2dmse sets"
exit $wrong
