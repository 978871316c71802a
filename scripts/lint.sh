#!/bin/sh
# What a reviewer should not have to look for.  Prints the offenders and fails if there are any.
#   sh scripts/lint.sh [CHECK...]      from the root; without names all checks, listed at the end
# Needs gcc, clang, clang-format and universal-ctags (sh scripts/setup.sh --dev).
export LC_ALL=C.UTF-8
unset MAKEFLAGS MFLAGS # of the make that calls this
folders='data nn teacher student distill'

sources() { # of the program
    find $folders -name '*.[ch]' 2>/dev/null | sort
}

all_c() { # with the tests
    find $folders tests -name '*.[ch]' 2>/dev/null | sort
}

# Warnings of both compilers are errors here, and only here: a new compiler must not break a build.
check_warnings() {
    bad=0
    for compiler in gcc clang; do
        make -s -k -j"$(nproc)" BUILD="build-lint-$compiler" CC="$compiler" OPTIMISE=-O2 \
            CFLAGS='-g -Werror' objects || bad=1
    done
    return $bad
}

check_format() {
    all_c | xargs clang-format --dry-run -Werror
}

check_headers() { # each compiles alone
    bad=0
    for header in $(all_c | grep '\.h$'); do
        printf '#include "%s"\nint alone;\n' "$header" |
            gcc -std=c17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I. -x c - || bad=1
    done
    return $bad
}

# What each folder may include of the others: arrows point down only, and teacher and student stand
# side by side.
check_arrows() {
    sources | xargs awk '
        BEGIN {
            below["data"] = " data "
            below["nn"] = " nn data "
            below["teacher"] = " teacher nn data "
            below["student"] = " student nn data "
            below["distill"] = " distill teacher student nn data "
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            split($0, quoted, "\"")
            split(FILENAME, from, "/")
            if (!index(quoted[2], "/")) {
                print FILENAME ":" FNR ": \"" quoted[2] "\": includes are written from the root"
                bad = 1
            } else {
                split(quoted[2], to, "/")
                if (!index(below[from[1]], " " to[1] " ")) {
                    print FILENAME ":" FNR ": " from[1] "/ may not include " quoted[2]
                    bad = 1
                }
            }
        }
        END { exit bad }'
}

# A library is known to one file, which translates its errors into ours.
check_libraries() {
    sources | xargs awk '
        BEGIN {
            owner["oneapi/dnnl"] = owner["dnnl"] = "nn/dnn.c"
            owner["archive"] = owner["archive_entry"] = "data/source.c"
            owner["zlib"] = "data/lines.c"
            owner["yaml"] = "data/yaml.c"
            owner["jansson"] = "data/json.c"
            owner["utf8proc"] = "data/unicode.c"
            owner["lapacke"] = owner["lapack"] = owner["cblas"] = "distill/moments.c"
            owner["xxhash"] = "data/base.c"
        }
        /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
            split($0, parts, /[<>"]/)
            name = parts[2]
            sub(/\.h$/, "", name)
            sub(/^oneapi\/dnnl.*/, "oneapi/dnnl", name)
            if ((name in owner) && owner[name] != FILENAME) {
                print FILENAME ":" FNR ": only " owner[name] " may include " parts[2]
                bad = 1
            }
        }
        END { exit bad }'
}

# Budgets: lines of a function, median of all, parameters.
check_functions() {
    all_c | grep '\.c$' | xargs ctags --c-kinds=f --fields=neS --excmd=number -f - | awk -F '\t' '
        function parameters(signature,    depth, count, i, c) {
            gsub(/^\(|\)$/, "", signature)
            if (signature == "" || signature == "void") return 0
            count = 1
            for (i = 1; i <= length(signature); i++) {
                c = substr(signature, i, 1)
                if (c == "(") depth++
                else if (c == ")") depth--
                else if (c == "," && !depth) count++
            }
            return count
        }
        function offence(what, most) {
            print $2 ":" start ": " name " has " what ", at most " most
            bad = 1
        }
        /^!/ { next }
        {
            start = end = signature = ""
            for (i = 4; i <= NF; i++) {
                if ($i ~ /^line:/) start = substr($i, 6)
                if ($i ~ /^end:/) end = substr($i, 5)
                if ($i ~ /^signature:/) signature = substr($i, 11)
            }
            if (end == "") next
            name = $1 == "START_TEST" ? "test " signature : $1
            lines = end - start + 1
            cap = $2 ~ /^nn\/encoder[^\/]*$/ ? 80 : 60
            if (lines > cap) offence(lines " lines", cap)
            n = parameters(signature)
            if (n > 8) offence(n " parameters", 8)
            if ($2 !~ /^tests\//) { of_length[lines]++; functions++ }
        }
        END {
            median = 1
            while (functions && seen + of_length[median] <= (functions - 1) / 2)
                seen += of_length[median++]
            if (median > 20) print "the median function has " median " lines, at most 20"
            exit bad || median > 20
        }'
}

check_files() { # at most 600 lines
    all_c | xargs awk '
        FNR == 601 { print FILENAME ": more than 600 lines"; bad = 1 }
        END { exit bad }'
}

check_width() { # at most 100 characters; 120 in scripts, where quotes are hard to break
    wide=$(
        all_c | xargs grep -nHE '^.{101}'
        find scripts tests .ci -name '*.sh' -o -name '*.py' -o -path .ci/run 2>/dev/null |
            xargs grep -nHE '^.{121}'
    )
    [ -z "$wide" ] || {
        echo "$wide"
        return 1
    }
}

check_shell() { # and that a test which counts what is wrong (tests/support.sh) can fail by it
    bad=0
    for script in $(find scripts tests -name '*.sh'); do sh -n "$script" || bad=1; done
    for script in $(find tests -name 'test_*.sh' | xargs -r grep -lw wrong); do
        [ "$(tail -n 1 "$script")" = "exit \$wrong" ] || {
            echo "$script: does not end with exit \$wrong"
            bad=1
        }
    done
    [ ! -f .ci/run ] || bash -n .ci/run || bad=1
    return $bad
}

status=0
for check in ${*:-format headers arrows libraries functions files width shell warnings}; do
    if offenders=$("check_$check" 2>&1); then
        echo "lint: $check: fine"
    else
        printf '%s\n' "$offenders"
        echo "lint: $check: FAILED"
        status=1
    fi
done
exit $status
