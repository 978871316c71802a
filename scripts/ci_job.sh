#!/bin/sh
# One short real job: the shared teacher and the wikiqa collection, cut down until it takes a minute
# or two; every file of the run is looked for, and a second run must find nothing left to do.
# Skips, loudly, where the material is absent.
#   sh scripts/ci_job.sh [PROGRAM]
set -eu
program=${1:-./retort}
shared=${RETORT_SHARED:-../shared}
if [ ! -d "$shared/models/minilm-l6-ce" ] || [ ! -f "$shared/datasets/wikiqa.tar.gz" ]; then
    echo "SKIPPED: the real job needs models/minilm-l6-ce and datasets/wikiqa.tar.gz in $shared"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
job() {
    "$program" run configs/wikiqa.yaml --output "$folder/run" \
        --set data.collection="$shared/datasets/wikiqa.tar.gz" \
        --set teacher.model="$shared/models/minilm-l6-ce" \
        --set data.max_train_queries=100 --set data.max_document_tokens=32 \
        --set mine.scored=8 --set teacher.max_length=64 \
        --set probe.queries=20 --set probe.documents=500 \
        --set distill.hpd.max_texts=1000 --set distill.hpd.epochs=1 --set distill.epochs=1 \
        --set evaluate.rerank_depth=5 --set evaluate.baselines=[] --set evaluate.dims=[32,128] \
        --set "evaluate.systems=[student, init, no-teacher, bm25, teacher, pca]"
}
job
for file in job.yaml manifest.json log.txt probe.tsv pca.safetensors representations/documents.npy \
    candidates.trec scores.trec scores.cache train/distil.safetensors grid.tsv grid_dev.tsv \
    differences.tsv trec/student-l3-d128.trec student/modules.json export/modules.json \
    export/model.safetensors export/tokenizer.json report.html; do
    [ -s "$folder/run/$file" ] || { echo "ci_job: $file is missing" >&2; exit 1; }
done
job 2>&1 | tee "$folder/second" >/dev/null
[ "$(grep -c 'done before' "$folder/second")" -eq 7 ] || {
    echo "ci_job: a second run did work again" >&2
    cat "$folder/second" >&2
    exit 1
}
"$program" export --model "$folder/run/student" --layers 2 --dim 64 --output "$folder/small"
printf 'a text\nanother\n' | "$program" embed --model "$folder/small" --output "$folder/e.npy"
[ "$(wc -c <"$folder/e.npy")" -eq $((128 + 2 * 64 * 4)) ]
echo "ci_job: the job's files are all there"
