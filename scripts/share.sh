#!/bin/sh
# Writes what a program installs into share/: manual pages, completions, the schema of job files.
# All of it the program prints itself, from its tables of commands, options and keys.
#   sh scripts/share.sh PROGRAM FOLDER
set -eu
umask 022
program=$1 share=$2
mkdir -p "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions" "$share/retort"
"$program" --help=man >"$share/man/man1/retort.1"
for command in $("$program" --help=commands); do
    "$program" "$command" --help=man >"$share/man/man1/retort-$command.1"
done
"$program" --help=bash >"$share/bash-completion/completions/retort"
"$program" --help=zsh >"$share/zsh/site-functions/_retort"
"$program" plan --schema >"$share/retort/job.schema.json"
