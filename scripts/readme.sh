#!/bin/sh
# Fills the parts of README.md that are copies: the job file and the programs of the examples, the table of job keys,
# the table of growth (docs/growth.tsv: a copy of what make growth leaves in build/growth.tsv), that of results
# (docs/results.md).
#   sh scripts/readme.sh            rewrites README.md
#   sh scripts/readme.sh --check    fails if the job file or the table in README.md is stale (needs ./retort)
set -eu
cd "$(dirname "$0")/.."
program=${RETORT:-./retort}

# A line a work: what it takes at the first size, and then as a ratio to that, what it should be in brackets.
growth_table() {
    printf '| work | grows by | at first | then, as a ratio to it (what it should be) |\n|---|---|---|---|\n'
    awk -F '\t' 'NR > 1 {
        work = $1 ($2 == "-" ? "" : ", " $2)
        if (!(work in line)) {
            names[++count] = work
            line[work] = sprintf("| %s | %s | %.3g \302\265s a %s at %s |", work, $3, 1e6 * $5, $6, $4)
        } else {
            line[work] = line[work] sprintf("%s %s: %.2f (%.2f)", more[work]++ ? "," : "", $4, $7, $8)
        }
    } END { for (i = 1; i <= count; i++) print line[names[i]] " |" }' docs/growth.tsv
}

# The first table of the page.
results_table() {
    awk '/^\|/ { found = 1; print } found && !/^\|/ { exit }' docs/results.md | sed 's|](#|](docs/results.md#|'
}

part() { # NAME: what belongs between its markers
    case $1 in
    job) printf '```yaml\n' && cat configs/scifact.yaml && printf '```\n' ;;
    reference) "$program" plan --reference ;;
    growth) growth_table ;;
    results) results_table ;;
    c) printf '```c\n' && cat tests/student/example.c && printf '```\n' ;;
    python) printf '```python\n' && cat tests/student/ctypes_caller.py && printf '```\n' ;;
    esac
}

# README.md with the text of every "<!-- begin NAME -->" ... "<!-- end NAME -->" replaced.
filled() {
    while IFS= read -r line; do
        case $line in
        '<!-- begin '*' -->')
            name=${line#<!-- begin }
            name=${name% -->}
            printf '%s\n' "$line"
            part "$name"
            while IFS= read -r line && [ "$line" != "<!-- end $name -->" ]; do :; done
            printf '%s\n' "$line"
            ;;
        *) printf '%s\n' "$line" ;;
        esac
    done <README.md
}

if [ "${1:-}" = --check ]; then
    filled | cmp - README.md || {
        echo "README.md is stale: sh scripts/readme.sh" >&2
        exit 1
    }
else
    filled >README.md.new
    mv README.md.new README.md
fi
