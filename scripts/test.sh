#!/bin/sh
# All tests, on a machine that has nothing but sh and apt: set-up, build, make test.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh --test
make -s -j"$(nproc)" build-tests
make -s test
