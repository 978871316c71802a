# What the shell tests share: the program, a folder that goes at the end, and what was wrong.
# To be sourced from the root; a test ends with `exit $wrong`.
RETORT=${RETORT:-./retort}
folder=$(mktemp -d /tmp/retort-test-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
wrong=0

wrong() {
    echo "$*"
    wrong=1
}
