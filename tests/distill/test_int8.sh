#!/bin/sh
# A job in int8: calibrated on its collection, the same bytes again; its export carries the
# calibration and is used in int8; a model exported by hand, too.
. tests/distill/tiny_job.sh
"$RETORT" --version | grep -qx 'int8 fast' || {
    echo "SKIPPED: this processor has no fast int8"
    exit 0
}
make_collection "$folder/data"
make_job "$folder/job.yaml" "$folder/data"
for run in one two; do
    "$RETORT" run --quiet --precision int8 --output "$folder/$run" "$folder/job.yaml" 2>"$folder/err" ||
        wrong "the job failed: $(cat "$folder/err")"
done
for file in scores.trec grid_dev.tsv export/model.safetensors export/int8.npy student/int8.npy; do
    [ -f "$folder/one/$file" ] || wrong "no $file"
    [ "${file%grid_dev.tsv}" != "$file" ] || cmp -s "$folder/one/$file" "$folder/two/$file" ||
        wrong "$file differs from run to run"
done
"$RETORT" inspect "$folder/one" >/dev/null || wrong 'inspect does not know the run'
grep -q '"precision": "int8"' "$folder/one/manifest.json" || wrong 'the manifest does not say int8'

"$RETORT" run --quiet --output "$folder/exact" "$folder/job.yaml" || wrong 'the job in f32 failed'
[ ! -e "$folder/exact/export/int8.npy" ] || wrong 'a calibration without int8'
cmp -s "$folder/one/scores.trec" "$folder/exact/scores.trec" && wrong 'scores in int8 are those of f32'

printf 'the cat sat by the house\na red fish\n' >"$folder/texts"
for precision in f32 int8; do
    "$RETORT" embed --quiet --precision $precision --model "$folder/one/export" \
        --output "$folder/$precision.npy" "$folder/texts" || wrong "embed in $precision failed"
done
cmp -s "$folder/f32.npy" "$folder/int8.npy" && wrong 'vectors in int8 are those of f32'
"$RETORT" export --quiet --precision int8 --texts "$folder/texts" --model "$folder/exact/student" \
    --layers 1 --output "$folder/by-hand" || wrong 'export in int8 failed'
[ -f "$folder/by-hand/int8.npy" ] || wrong 'export left no calibration'
"$RETORT" export --quiet --precision int8 --model "$folder/exact/student" --output "$folder/none" ||
    wrong 'export without texts failed'
[ ! -e "$folder/none/int8.npy" ] || wrong 'a calibration from nothing'
exit $wrong
