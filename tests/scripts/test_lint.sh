#!/bin/sh
# scripts/lint.sh: a clean tree passes, and each check finds what it is there to find.
for tool in gcc clang clang-format ctags pkg-config; do
    command -v $tool >/dev/null || {
        echo "SKIPPED: a test of lint needs $tool (sh scripts/setup.sh --dev)" >&2
        exit 0
    }
done
. tests/support.sh
root=$PWD
cp Makefile .clang-format "$folder"
cd "$folder" || exit 1

make_clean_tree() {
    rm -rf data nn teacher student distill scripts tests
    mkdir -p data nn teacher student distill scripts tests/data
    printf 'int answer(void);\n' >data/a.h
    printf '#include "data/a.h"\n\nint answer(void)\n{\n    return 42;\n}\n' >data/a.c
    printf '#include "data/a.h"\n\nint main(void)\n{\n    return answer();\n}\n' >distill/main.c
    printf 'echo fine\n' >scripts/a.sh
}

# expect CHECK WORDS...: the check fails and names each word.
expect() {
    check=$1
    shift
    if said=$(sh "$root/scripts/lint.sh" "$check"); then
        wrong "lint $check does not fail, it should name: $*"
    fi
    for word in "$@"; do
        case $said in
        *"$word"*) ;;
        *) wrong "lint $check does not say \"$word\" but: $said" ;;
        esac
    done
    make_clean_tree
}

# repeat COUNT TEXT
repeat() {
    awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'
}

make_clean_tree
sh "$root/scripts/lint.sh" || wrong=1

echo 'int  badly( void );' >>data/a.h
expect format data/a.h

echo 'size_t alone(void);' >>data/a.h
expect headers data/a.h size_t

echo '#include "student/x.h"' >teacher/x.c
expect arrows 'teacher/x.c:1' 'student/x.h'
echo '#include "teacher/x.h"' >student/x.h
expect arrows 'student/x.h:1'
echo '#include "distill/x.h"' >nn/x.c
expect arrows 'nn/x.c:1'
echo '  #  include "nn/x.h"' >data/x.c
expect arrows 'data/x.c:1'
echo '#include "a.h"' >data/x.c
expect arrows 'data/x.c:1' 'from the root'

for header in oneapi/dnnl/dnnl.h archive.h archive_entry.h zlib.h yaml.h jansson.h utf8proc.h \
    lapacke.h xxhash.h; do
    echo "#include <$header>" >student/x.c
    expect libraries 'student/x.c:1' $header
done

{ printf 'int f(void)\n{\n' && repeat 58 '    ;' && printf '}\n'; } >data/x.c
expect functions 'data/x.c:1: f has 61 lines'
{ printf 'int f(void)\n{\n' && repeat 78 '    ;' && printf '}\n'; } >nn/encoder_forward.c
expect functions 'nn/encoder_forward.c:1: f has 81 lines'
{ printf 'int f(void)\n{\n' && repeat 28 '    ;' && printf '}\n'; } >data/a.c
cp data/a.c data/x.c
expect functions 'median function has 31 lines'
echo 'int f(int a, int b, int c, int d, int e, int g, int h, int (*i)(int, int), int j) {}' \
    >data/x.c
expect functions 'f has 9 parameters'

repeat 601 '' >data/x.c
expect files data/x.c

printf '/* %099d */\n' 0 >data/x.c
expect width 'data/x.c:1:'
printf 'echo %0120d\n' 0 >scripts/x.sh
expect width 'scripts/x.sh:1:'

echo 'if true; then' >scripts/x.sh
expect shell scripts/x.sh
printf 'false || wrong "it"\n' >tests/test_x.sh
expect shell 'tests/test_x.sh: does not end with exit'

printf '#include "data/a.h"\n\nint answer(void)\n{\n    int unused;\n    return 42;\n}\n' >data/a.c
expect warnings data/a.c unused build-lint-gcc build-lint-clang

exit $wrong
