#!/bin/sh
# Runs every scripts/check_*.py, which compare ./retort with Python's sentence-transformers,
# tokenizers and trec_eval, and open a run's page in Chromium.  A check exits 0 (passed), 77
# (skipped: what it needs is absent) or else (failed).
set -eu
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0
python=$(sh scripts/venv.sh)
unset OPENBLAS_CORETYPE
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 TOKENIZERS_PARALLELISM=false
for check in scripts/check_*.py; do
    [ -f "$check" ] || continue
    echo "== $check"
    status=0
    "$python" "$check" || status=$?
    case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) && echo "FAILED: $check (status $status)" >&2 ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
