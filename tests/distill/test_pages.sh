#!/bin/sh
# The manual pages, completions and schema that are installed: complete, and good for their readers.
. tests/support.sh

sh scripts/share.sh "$RETORT" "$folder" || exit 1
sh scripts/share.sh "$RETORT" "$folder/again" || exit 1
mv "$folder/again" "$folder.again"
diff -r "$folder" "$folder.again" >/dev/null || wrong "two calls give two results"
rm -rf "$folder.again"
man=$folder/man/man1 bash=$folder/bash-completion/completions/retort
zsh=$folder/zsh/site-functions/_retort
commands=$("$RETORT" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$commands" = "$("$RETORT" --help=commands)" ] || wrong "--help=commands lists others than --help"

# Every command, and every option of its --help, in each of the three.
for command in $commands; do
    grep -qF "retort\\-$command (1)" "$man/retort.1" || wrong "retort(1) does not name $command"
    options=$("$RETORT" "$command" --help | sed -n '/^Options:/,/^$/s/^  \(--*[a-z0-9-]*\).*/\1/p')
    [ "$(echo "$options" | wc -w)" -ge 3 ] || wrong "$command: too few options: $options"
    sed -n "/^    ($command)\$/,/;;/p" "$zsh" >"$folder/part"
    for option in $options; do
        escaped=$(printf '%s' "$option" | sed 's/-/\\-/g')
        grep -qF "\\fB$escaped\\fR" "$man/retort-$command.1" || wrong "retort-$command(1): no $option"
        grep "^    $command) " "$bash" | grep -qE "[' ]$option[' ]" || wrong "bash: no $command $option"
        grep -qF -- "$option[" "$folder/part" || wrong "zsh: no $command $option"
    done
done
rm "$folder/part"

grep -qF "'index:embed a collection'\\''s documents for search'" "$zsh" || wrong "zsh: quotes of summaries"

if command -v mandoc >/dev/null; then
    for page in "$man"/*.1; do
        mandoc -T lint -W warning "$page" | grep -v 'missing date' && wrong "mandoc warns of $page"
    done
else
    echo "SKIPPED: no mandoc here"
fi
if command -v man >/dev/null && command -v groff >/dev/null; then
    for page in "$man"/*.1; do
        said=$(LC_ALL=C.UTF-8 MANWIDTH=80 man -l --warnings "$page" 2>&1 >"$folder/text")
        [ -z "$said" ] || wrong "man warns of $page: $said"
        grep -q '^NAME' "$folder/text" || wrong "$page has no NAME"
    done
else
    echo "SKIPPED: no man with groff here"
fi

# What a bash user sees: complete WORDS... prints what the last word may become.
if command -v bash >/dev/null; then
    complete() {
        bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _retort; echo "${COMPREPLY[@]}"' \
            "$bash" "$@"
    }
    bash -n "$bash" || wrong "bash cannot read its completion"
    [ "$(complete retort ins)" = inspect ] || wrong "retort ins: $(complete retort ins)"
    [ "$(complete retort --v)" = --version ] || wrong "retort --v: $(complete retort --v)"
    [ "$(complete retort search --t)" = "--top --tag --threads" ] ||
        wrong "retort search --t: $(complete retort search --t)"
    [ -z "$(complete retort search --index x)" ] || wrong "files are left to bash"
else
    echo "SKIPPED: no bash here"
fi
if command -v zsh >/dev/null; then
    zsh -n "$zsh" || wrong "zsh cannot read its completion"
else
    echo "SKIPPED: no zsh here"
fi

"$RETORT" --help=pdf >"$folder/out" 2>"$folder/err"
[ $? -eq 2 ] && [ ! -s "$folder/out" ] && grep -q '^retort: --help=pdf is unknown' "$folder/err" ||
    wrong "--help=pdf: $(cat "$folder/err")"
"$RETORT" "plan" --schema | cmp - "$folder/retort/job.schema.json" || wrong "another schema"
exit $wrong
