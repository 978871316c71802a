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

# A command that must fail so: one sentence with the word (a pattern of grep), and nothing on
# standard output.
fails() { # STATUS WORD COMMAND ARGUMENTS...
    status=$1 word=$2
    shift 2
    "$RETORT" "$@" >"$folder/out" 2>"$folder/err" </dev/null
    got=$?
    [ $got -eq "$status" ] || wrong "$*: status $got, not $status: $(cat "$folder/err")"
    [ ! -s "$folder/out" ] || wrong "$*: printed something before it failed"
    [ "$(grep -vc '^retort: ' "$folder/err")" -eq 1 ] || wrong "$*: not one sentence: $(cat "$folder/err")"
    grep -q "^retort $1: .*$word" "$folder/err" || wrong "$*: does not say $word: $(cat "$folder/err")"
}
