#!/bin/sh
# Runs test programs and scripts, $TEST_JOBS at a time (one a core); ends with the count and fails
# if any failed.  What a test prints appears in one piece when it ends.
#   sh tests/run.sh build/tests/data/test_base tests/distill/test_cli.sh ...
# $RUN_WITH stands before each program: RUN_WITH='valgrind -q'.
if [ "$1" = --one ]; then
    folder=$2 test=$3 began=$(date +%s)
    log=$(mktemp "$folder/log.XXXXXX")
    case $test in
    *.sh) sh "$test" ;;
    *) $RUN_WITH "$test" ;;
    esac >"$log" 2>&1 </dev/null
    status=$?
    took=$(($(date +%s) - began))
    [ $took -lt 10 ] || echo "$test took $took s" >>"$log"
    if [ $status -eq 0 ]; then
        echo passed >>"$folder/results"
    else
        echo failed >>"$folder/results"
        echo "FAILED: $test (status $status)" >>"$log"
    fi
    flock "$folder/lock" cat "$log"
    exit 0
fi

folder=$(mktemp -d /tmp/retort-run-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
export OMP_NUM_THREADS=1
: >"$folder/results"
[ $# -eq 0 ] || printf '%s\n' "$@" |
    xargs -P "${TEST_JOBS:-$(nproc)}" -I '{}' sh "$0" --one "$folder" '{}'
passed=$(grep -c passed "$folder/results")
failed=$(($# - passed))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
