#!/bin/sh
# How fast retort is beside others: PyTorch, ONNX Runtime, OpenVINO, tokenizers, faiss and bm25s, with the same weights,
# texts and threads, in turns; their results are compared, too, and a difference makes it fail.
#   sh scripts/bench_peers.sh [PART...]      parts: encode tokenise train search lexical; without names all
#   sh scripts/bench_peers.sh --into FILE.md   puts build/bench_peers.tsv between FILE's marks "speed"
# The table is left in build/bench_peers.tsv, a row for each work, system and precision; rows of works that were not
# run stay.
#   ROUNDS=3      rounds in which all sides take turns; the best counts
#   LEAST_SECONDS=1     of a side in a round: short works are repeated
#   WORKS="..."   these works alone, named as in the table
# Needs what scripts/venv.sh needs, 12 GB of memory and, with the packages, 8 GB of disk; takes about a quarter of an
# hour on two cores with nothing else to do.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --into ]; then
    exec python3 scripts/bench_peers/table.py "${2:?--into needs a file}"
fi
python=$(sh scripts/venv.sh onnxruntime==1.32.0 onnx==1.23.2 onnxscript==0.7.2 openvino==2026.4.1 bm25s==0.3.16 \
    faiss-cpu==1.15.1 numba==0.68.1)
make -s -j"$(nproc)" shared-library build/tests/peers/peers
PYTHONDONTWRITEBYTECODE=1 exec "$python" scripts/bench_peers "$@"
