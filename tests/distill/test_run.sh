#!/bin/sh
# retort run, end to end on a tiny collection: every file is there, a rerun does nothing, the same
# seed gives the same bytes, also where the run is killed again and again, and a changed key redoes
# only what depends on it.
. tests/distill/tiny_job.sh

run() { # run OUTPUT [OPTIONS...]: must succeed; messages in $folder/said
    output=$1
    shift
    "$RETORT" run "$folder/job.yaml" --output "$folder/$output" "$@" \
        >"$folder/out" 2>"$folder/said" \
        </dev/null || wrong "run $output $*: status $?: $(cat "$folder/said")"
    [ ! -s "$folder/out" ] || wrong "run $output $*: wrote on standard output"
}

stages_done_before() { # the stages that the last run skipped
    sed -n 's/^retort: \([a-z]*\): done before$/\1/p' "$folder/said" | tr '\n' ' '
}

expect_skipped() { # expect_skipped WHAT STAGES
    got=$(stages_done_before)
    [ "$got" = "$2" ] || wrong "$1: skipped \"$got\", expected \"$2\""
}

# What a rerun must reproduce: everything but times, logs, paths, and the order in which a killed
# run added to its caches.
fingerprint() { # fingerprint RUN
    (cd "$folder/$1" && find . -type f ! -name '*.cache' ! -name 'grid*.tsv' ! -name log.txt \
        ! -name job.yaml ! -name manifest.json ! -name README.md ! -name report.html ! -path './stages/*' \
        ! -path './train/*.tsv' | LC_ALL=C sort | xargs sha256sum
        sed 's/^\(\([^\t]*\t\)\{9\}\).*/\1/' grid.tsv grid_dev.tsv)
}

expect_same() { # expect_same WHAT RUN
    fingerprint "$2" >"$folder/this"
    diff "$folder/expected" "$folder/this" >"$folder/diff" ||
        wrong "$1: not the same bytes: $(head -20 "$folder/diff")"
}

refuses() { # refuses STATUS WORD ARGUMENTS...: run fails so and makes nothing
    expected=$1 words=$2
    shift 2
    fails "$expected" "$words" run --output "$folder/failed" "$@"
    [ ! -e "$folder/failed" ] || wrong "run $*: left a folder"
}

make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"

# ---- everything is there ----
run one
expect_skipped "a first run" ""
for file in job.yaml manifest.json log.txt probe.tsv pca.safetensors candidates.trec scores.cache \
    scores.trec grid.tsv grid_dev.tsv differences.tsv representations/documents.npy \
    representations/queries.npy train/init.safetensors train/hpd.best.safetensors \
    train/distil.safetensors train/distil.tsv train/no-teacher.safetensors \
    trec/bm25.trec trec/teacher.trec trec/student-l2-d16.trec trec/pca-l2-d4.trec \
    student/modules.json student/2_Dense/model.safetensors export/config.json \
    export/model.safetensors export/tokenizer.json export/README.md export/1_Pooling/config.json \
    report.html; do
    [ -s "$folder/one/$file" ] || wrong "the run has no $file"
done
for stage in embed mine score train evaluate export report; do
    [ -s "$folder/one/stages/$stage" ] || wrong "stage $stage left no mark"
done
left=$(find "$folder/one" -name '*tmp*' -o -name '*.part' -o -name '*.old*')
[ -z "$left" ] || wrong "temporary files stay: $left"
# bm25, teacher, 4 grids: init, no-teacher, student and pca of 2 x 3 points each
[ "$(wc -l <"$folder/one/grid.tsv")" -eq 27 ] ||
    wrong "the grid has other rows: $(cat "$folder/one/grid.tsv")"
[ "$(wc -l <"$folder/one/grid_dev.tsv")" -eq 7 ] || wrong "the dev grid has other rows"
grep -q '^seed: 13$' "$folder/one/job.yaml" || wrong "job.yaml is not resolved"
fingerprint one >"$folder/expected"
find "$folder/one" -type f -o -path '*/[123]_*' -type d >"$folder/files"
echo "$folder/one/student" >>"$folder/files"
while read -r file; do
    "$RETORT" inspect "$file" 2>&1 | grep -q '^kind  ' || wrong "inspect $file: $("$RETORT" inspect "$file" 2>&1)"
done <"$folder/files"
"$RETORT" inspect "$folder/one" >"$folder/out"
grep -q '^picked  *2 layers, 8 dimensions' "$folder/out" || wrong "inspect: $(cat "$folder/out")"
[ "$(grep -c '^student  ' "$folder/out")" -eq 6 ] || wrong "inspect shows another grid"

# ---- a second run does nothing, and its own job.yaml makes the same run ----
files_and_times() {
    (cd "$folder/one" && find . -type f ! -name log.txt ! -name job.yaml \
        -exec ls -l --time-style=full-iso {} + | sort)
}
before=$(files_and_times)
run one
after=$(files_and_times)
expect_skipped "a second run" "embed mine score train evaluate export report "
[ "$before" = "$after" ] || wrong "a second run changed files"
cp "$folder/one/job.yaml" "$folder/resolved.yaml"
"$RETORT" run "$folder/resolved.yaml" --output "$folder/one" 2>"$folder/said" ||
    wrong "the resolved job fails: $(cat "$folder/said")"
expect_skipped "the resolved job" "embed mine score train evaluate export report "

# ---- the same bytes elsewhere, in stages, and after kills ----
run two --until score
[ ! -e "$folder/two/train/init.safetensors" ] || wrong "--until score went on to train"
run two
expect_skipped "going on after --until" "embed mine score "
expect_same "another folder" two

wait=1 kills=0
while [ $kills -lt 40 ]; do
    timeout -s KILL "$(awk -v n=$wait 'BEGIN { print n * 0.083 }')" \
        "$RETORT" run "$folder/job.yaml" --output "$folder/killed" \
        >"$folder/out" 2>"$folder/said" </dev/null && break
    kills=$((kills + 1)) wait=$((wait % 7 + kills / 10 + 1))
done
[ $kills -gt 0 ] || wrong "nothing was killed"
run killed
expect_same "a run killed $kills times" killed
left=$(find "$folder/killed" -name '*.part' -o -name '*.old*')
[ -z "$left" ] || wrong "parts stay after kills: $left"

timeout -s INT 0.5 "$RETORT" run "$folder/job.yaml" --output "$folder/stopped" >"$folder/out" \
    2>"$folder/said" </dev/null
run stopped
expect_same "an interrupted run" stopped

# ---- principal axes keep every score at the widths of taps, at each layer, and turn those between ----
farthest() { # farthest POINT: the largest difference of a score to that of the run without
    for run in one plain; do
        awk '{ print $1 "/" $3, $5 }' "$folder/$run/trec/student-$1.trec" | LC_ALL=C sort >"$folder/$run.scores"
    done
    LC_ALL=C join "$folder/one.scores" "$folder/plain.scores" |
        awk '{ d = $2 - $3; if (d < 0) d = -d; if (d > most) most = d } END { print NR < 300 ? "too few" : most + 0 }'
}
run plain --set distill.principal_axes=false --until evaluate
cmp -s "$folder/one/train/distil.best.safetensors" "$folder/plain/train/distil.best.safetensors" ||
    wrong "principal axes change the training"
cmp -s "$folder/plain/train/distil.best.safetensors" "$folder/plain/train/distil.safetensors" ||
    wrong "without principal axes the student is not the best one"
for point in l1-d8 l1-d16 l2-d8 l2-d16; do
    farthest $point | awk '{ exit !($1 != "too" && $1 < 1e-5) }' || wrong "$point is turned: $(farthest $point)"
done
for point in l1-d4 l2-d4; do
    farthest $point | awk '{ exit !($1 > 0.001) }' || wrong "$point is not turned: $(farthest $point)"
done

# ---- only what depends on a key ----
run one --set evaluate.dims=[8,16]
expect_skipped "other dims" "embed mine score train "
[ "$(wc -l <"$folder/one/grid_dev.tsv")" -eq 5 ] || wrong "the grid keeps its old dims"
run one --set evaluate.dims=[8,16] --set 'export.pick=layers = 1 dim = 8'
expect_skipped "another pick" "embed mine score train evaluate "
grep -q '"num_hidden_layers": 1' "$folder/one/export/config.json" ||
    wrong "the pick was not exported"
run one --set evaluate.dims=[8,16] --set 'export.pick=layers = 1 dim = 8' \
    --set card.license=Apache-2.0 --set 'card.intended_use="Look things up. <Nothing: else>"'
expect_skipped "a licence" "embed mine score train evaluate "
sed -n '2,/^---$/p' "$folder/one/export/README.md" | grep -qx 'license: apache-2.0' ||
    wrong "the card has no licence: $(cat "$folder/one/export/README.md")"
grep -q 'The model: Apache-2.0; the teacher .*: not stated' "$folder/one/export/README.md" ||
    wrong "the card does not say what is not stated"
grep -qx 'Look things up. <Nothing: else>' "$folder/one/export/README.md" || wrong "no intended use"
grep -q 'The model: Apache-2.0; ' "$folder/one/report.html" || wrong "the report has no licence"
grep -q 'Look things up. &lt;Nothing: else&gt;' "$folder/one/report.html" || wrong "nor its use"
run one --set evaluate.dims=[8,16] --set 'export.pick=layers = 1 dim = 8' \
    --set 'card.license=My "own" terms' --set card.base_model=cross-encoder/x
sed -n '2,/^---$/p' "$folder/one/export/README.md" | grep -A 2 '^license: other$' >"$folder/front"
[ "$(sed -n '2,3p' "$folder/front")" = 'license_name: "My \"own\" terms"
base_model: cross-encoder/x' ] || wrong "the front matter: $(cat "$folder/front")"
run one --set 'evaluate.systems=[student, bm25, no-teacher]'
expect_skipped "other systems" "embed mine score "
grep -q ' steps in ' "$folder/said" && wrong "other systems: trained again"
run one --set distill.epochs=3 --until train
expect_skipped "more epochs" "embed mine score "
run one --set mine.scored=7 --until mine
expect_skipped "fewer candidates" "embed "

# ---- jobs of other kinds; what they start from is the run before ----
run wide --set student.projection=48 --set 'student.taps=[[1, 8], [2, 48]]' \
    --set distill.hpd.epochs=0 --until train
run bare --set student.projection=none --set 'student.taps=[]' --set 'evaluate.dims=[]' \
    --set student.pooling=cls --set 'export.pick=layers = 1 dim = 32' \
    --set 'evaluate.systems=[student]'
[ ! -e "$folder/bare/export/2_Dense" ] || wrong "a Dense module without need"
run short --set distill.epochs=0 --set 'evaluate.systems=[student]'
cmp -s "$folder/short/train/hpd.best.safetensors" "$folder/short/train/distil.best.safetensors" ||
    wrong "0 epochs change weights"
for sources in bm25 "bm25, teacher"; do # without HPD nothing of the student comes from the vectors
    run "plain $sources" --set distill.hpd.epochs=0 --set "mine.sources=[$sources]" --set distill.epochs=1 \
        --until train
done
[ ! -e "$folder/plain bm25/representations/documents.npy" ] || wrong "vectors that nothing needs are made"
cmp -s "$folder/plain bm25/train/init.safetensors" "$folder/plain bm25, teacher/train/init.safetensors" ||
    wrong "vectors that are only searched decide where the student begins"
cmp -s "$folder/plain bm25/train/init.safetensors" "$folder/one/train/init.safetensors" &&
    wrong "with HPD the student does not begin at its targets"
cp -r "$folder/two/export" "$folder/baseline"
other() {
    run other --set "student.init.from=$folder/bare/student" --set distill.similarity=dot \
        --set data.drop_same_id=true --set distill.loss.margin_mse=1 --set data.max_train_queries=5 \
        --set 'mine.sources=[bm25]' --set "evaluate.baselines=[$folder/baseline]" \
        --set 'evaluate.systems=[student]'
}
other
grep -q "^baseline	2	8	" "$folder/other/grid.tsv" || wrong "the baseline is not in the grid"
printf ' ' >>"$folder/baseline/config.json"
other
expect_skipped "another baseline in the place of the first" "embed mine score train "

# ---- the world and the call are wrong ----
refuses 1 "config.json" "$folder/job.yaml" --set teacher.model=/nowhere
refuses 1 "/nowhere" "$folder/job.yaml" --set data.collection=/nowhere
refuses 1 "split other" "$folder/job.yaml" --set data.train_split=other
refuses 1 "split other" "$folder/job.yaml" --set data.test_split=other
refuses 1 "dev_fraction" "$folder/job.yaml" --set data.dev_fraction=0
refuses 1 "missing.yaml" "$folder/missing.yaml"
refuses 2 "epochs" "$folder/job.yaml" --set distill.epoch=3
refuses 2 "did you mean train" "$folder/job.yaml" --until trian
refuses 2 "they are teach, queries, embed" "$folder/job.yaml" --until nope
refuses 2 "one job file"
refuses 2 "layers" "$folder/job.yaml" --set student.init.layers=[1,9]
refuses 2 "export.pick" "$folder/job.yaml" --set student.projection=none --set 'student.taps=[]' \
    --set 'evaluate.dims=[]' --set 'export.pick=layers = 1 dim = 7'
run sized --set 'export.pick=smallest model_parameters with ndcg@10 > 0' \
    --set 'evaluate.systems=[student]'
grep -q "layers 1, dim .*model_parameters" "$folder/said" ||
    wrong "model_parameters: $(grep picked "$folder/said")"
mkdir "$folder/busy"
flock "$folder/busy" "$RETORT" run "$folder/job.yaml" --output "$folder/busy" >"$folder/out" \
    2>"$folder/said" && wrong "ran in a folder where another process works"
grep -q "another process works" "$folder/said" || wrong "busy folder: $(cat "$folder/said")"

exit $wrong
