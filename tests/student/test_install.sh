#!/bin/sh
# make install, as a stranger uses it: a C program through pkg-config, shared and static, and a
# Python program get the values that `retort embed` and `retort search` print.
. tests/distill/tiny_job.sh
[ "$RETORT" = ./retort ] || { echo "SKIPPED: the install of another build than ./retort" && exit 0; }

die() {
    echo "$*"
    exit 1
}

unset MAKEFLAGS MFLAGS MAKELEVEL
make -s install DESTDIR="$folder/root" PREFIX=/opt/retort >"$folder/log" 2>&1 ||
    die "make install: $(cat "$folder/log")"
prefix=$folder/root/opt/retort
[ "$("$prefix/bin/retort" --version)" = "$(./retort --version)" ] || wrong "another program"
version=$(./retort --version | sed 's/^retort \([0-9.]*\).*/\1/;q')
[ "$(readlink "$prefix/lib/libretort.so")" = libretort.so.0 ] || wrong "libretort.so"
[ "$(readlink "$prefix/lib/libretort.so.0")" = "libretort.so.$version" ] || wrong "libretort.so.0"
readelf -d "$prefix/lib/libretort.so" | grep -q 'soname: \[libretort.so.0\]' || wrong "no soname"

share=$prefix/share
for file in man/man1/retort.1 bash-completion/completions/retort zsh/site-functions/_retort \
    retort/job.schema.json; do
    [ -s "$share/$file" ] || wrong "no share/$file"
done
[ "$(ls "$share/man/man1" | wc -l)" -eq "$(($(./retort --help=commands | wc -l) + 1))" ] ||
    wrong "manual pages: $(ls "$share/man/man1")"

# What is declared in retort.h is what is there.
sed -n 's/^RETORT_API .*\(retort_[a-z_]*\)(.*/\1/p' "$prefix/include/retort.h" | sort >"$folder/declared"
[ -s "$folder/declared" ] || wrong "retort.h declares nothing"
nm -D --defined-only "$prefix/lib/libretort.so" | awk '{ print $3 }' | sort >"$folder/shared"
nm -g --defined-only "$prefix/lib/libretort.a" | awk 'NF == 3 { print $3 }' | sort >"$folder/static"
diff "$folder/declared" "$folder/shared" || wrong "libretort.so has other symbols than retort.h"
diff "$folder/declared" "$folder/static" || wrong "libretort.a has other symbols than retort.h"
for language in c c++; do
    command -v g++ >/dev/null || [ $language = c ] || continue
    printf '#include <retort.h>\nint alone;\n' |
        cc -x $language -I"$prefix/include" -Wall -Wextra -Wpedantic -Werror -fsyntax-only - ||
        wrong "retort.h is no $language"
done

# What the program prints for the same query.
query='where is the cat of the river'
make_collection "$folder/collection"
make_job "$folder/job.yaml" "$folder/collection"
./retort run --quiet "$folder/job.yaml" --output "$folder/run" || die "no model"
model=$folder/run/export
./retort index --quiet --model "$model" --output "$folder/index" "$folder/collection" || die "no index"
printf '%s\n' "$query" | ./retort embed --quiet --model "$model" | tail -c 32 |
    od -A n -v -t f4 -w4 | awk '{ printf "%.6f\n", $1 }' >"$folder/expected"
printf 'q\t%s\n' "$query" | ./retort search --quiet --index "$folder/index" --top 3 |
    awk '{ print $3, $5 }' >>"$folder/expected"
[ "$(wc -l <"$folder/expected")" -eq 11 ] || die "not 8 values and 3 documents"

same() { # WHO: what it printed is in $folder/got
    awk 'NF == 1 { printf "%.6f\n", $1; next } { print }' "$folder/got" |
        diff "$folder/expected" - || wrong "$1 gets other values than retort embed and search"
}

export PKG_CONFIG_SYSROOT_DIR="$folder/root" PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
strict='-std=c17 -Wall -Wextra -Wpedantic -Werror'
[ "$(pkg-config --modversion retort)" = "$version" ] || wrong "retort.pc has another version"
cc $strict $(pkg-config --cflags retort) -o "$folder/shared-example" tests/student/example.c \
    $(pkg-config --libs retort) || die "the example does not compile"
LD_LIBRARY_PATH=$prefix/lib "$folder/shared-example" "$model" "$folder/index" "$query" >"$folder/got" ||
    wrong "the example fails"
same "the example"
LD_LIBRARY_PATH=$prefix/lib "$folder/shared-example" "$folder" "$folder/index" "$query" \
    >"$folder/got" 2>"$folder/err"
[ $? -eq 1 ] && grep -q "^example: $folder" "$folder/err" && [ ! -s "$folder/got" ] ||
    wrong "the example takes a folder that is no model: $(cat "$folder/err")"

mv "$prefix/lib/libretort.so" "$folder/away"
cc $strict $(pkg-config --cflags retort) -o "$folder/static-example" tests/student/example.c \
    $(pkg-config --static --libs retort) || wrong "the example does not link statically"
mv "$folder/away" "$prefix/lib/libretort.so"
! readelf -d "$folder/static-example" | grep -q libretort || wrong "the static example is shared"
"$folder/static-example" "$model" "$folder/index" "$query" >"$folder/got" || wrong "it fails"
same "the static example"

if command -v python3 >/dev/null; then
    LD_LIBRARY_PATH=$prefix/lib python3 tests/student/ctypes_caller.py "$model" "$folder/index" \
        "$query" >"$folder/got" || wrong "the Python program fails"
    same "the Python program"
    LD_LIBRARY_PATH=$prefix/lib python3 tests/student/ctypes_caller.py "$folder" "$folder/index" \
        "$query" 2>"$folder/err" && wrong "the Python program takes a folder that is no model"
    grep -q "^$folder" "$folder/err" || wrong "the Python program says: $(cat "$folder/err")"
else
    echo "SKIPPED: the Python program, no python3 here"
fi
exit $wrong
