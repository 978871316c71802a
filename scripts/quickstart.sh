#!/bin/sh
# From nothing to a page that shows a re-ranker distilled into a slim retriever, on a machine that has nothing but sh
# and apt: set-up, build, a collection of our own (retort sample), retort run configs/quickstart.yaml.
#   sh scripts/quickstart.sh [--set KEY=VALUE]...     further arguments go to retort run
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
make -s -j"$(nproc)"
set -x
./retort sample build/sample
./retort run configs/quickstart.yaml "$@"
{ set +x; } 2>/dev/null
cat <<END

runs/quickstart/grid.tsv has every system's quality, runs/quickstart/export the picked model, and this page shows all:
    $PWD/runs/quickstart/report.html
END
