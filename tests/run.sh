#!/bin/sh
# Runs test programs and scripts one after the other; ends with the count and fails if any failed.
#   sh tests/run.sh build/tests/data/test_base tests/distill/test_cli.sh ...
passed=0 failed=0
export OMP_NUM_THREADS=1
for test in "$@"; do
    case $test in
    *.sh) sh "$test" ;;
    *) "$test" ;;
    esac
    if [ $? -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $test" >&2
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
