#!/usr/bin/env python3
"""Writes data/unicode_tables.c: what the tokenizers package believes about every code point.

Its tables come from several Unicode versions (categories 8, decomposition 9, lower case 17),
so that no one version of a Unicode library agrees with it.  Needs: pip install tokenizers.

    python3 scripts/unicode_tables.py > data/unicode_tables.c
"""

import ctypes
import sys

import tokenizers
from tokenizers import normalizers
from tokenizers.pre_tokenizers import BertPreTokenizer

CODE_POINTS = [i for i in range(0x110000) if not 0xD800 <= i < 0xE000]


def ranges(points):
    out = []
    for point in points:
        if out and out[-1][1] == point - 1:
            out[-1][1] = point
        else:
            out.append([point, point])
    return out


def classes():
    """Code point -> 'D'ropped by clean_text, 'P'unctuation or nonspacing 'M'ark."""
    clean = normalizers.BertNormalizer(True, False, False, False)
    strip = normalizers.BertNormalizer(False, False, True, False)
    split = BertPreTokenizer()
    found = {}
    for i in CODE_POINTS:
        char = chr(i)
        kinds = ""
        if clean.normalize_str("a" + char + "b") == "ab":
            kinds += "D"
        if [p for p, _ in split.pre_tokenize_str("a" + char + "b")] == ["a", char, "b"]:
            kinds += "P"
        if strip.normalize_str(char) == "":
            kinds += "M"
        assert len(kinds) < 2, hex(i)
        if kinds:
            found[i] = kinds
    return found


class Property(ctypes.Structure):
    _fields_ = [("category", ctypes.c_int16), ("combining_class", ctypes.c_int16)]


def utf8proc():
    library = ctypes.CDLL("libutf8proc.so.2")
    library.utf8proc_get_property.restype = ctypes.POINTER(Property)
    return library


def unknown_to_nfd(library):
    """Code points that utf8proc reorders or decomposes and the package leaves alone."""
    nfd = normalizers.NFD()
    out = []
    buffer, boundary = (ctypes.c_int32 * 32)(), ctypes.c_int()
    for i in CODE_POINTS:
        count = library.utf8proc_decompose_char(i, buffer, 32, 1 << 4, ctypes.byref(boundary))
        theirs = nfd.normalize_str(chr(i))
        if theirs != "".join(chr(c) for c in buffer[:count]):
            assert theirs == chr(i)
            out.append(i)
        elif count == 1 and theirs == chr(i):
            known = library.utf8proc_get_property(i)[0].combining_class
            if (
                known
                and known < 240
                and nfd.normalize_str("a\u0345" + chr(i)) == "a\u0345" + chr(i)
            ):
                out.append(i)
    return out


def lower_case(library):
    """Ranges [first, last, lower case of first] where utf8proc has another; not U+0130."""
    lower = normalizers.BertNormalizer(False, False, False, True)
    out = []
    for i in CODE_POINTS:
        theirs = lower.normalize_str(chr(i))
        if i == 0x130 or theirs == chr(library.utf8proc_tolower(i)):
            continue
        to = ord(theirs)
        if out and out[-1][1] == i - 1 and to - i == out[-1][2] - out[-1][0]:
            out[-1][1] = i
        else:
            out.append([i, i, to])
    return out


def rows(items):
    line, out = "   ", []
    for item in items:
        if len(line) + 1 + len(item) > 100:
            out.append(line)
            line = "   "
        line += " " + item
    return "\n".join(out + [line])


def main():
    library, version = utf8proc(), tokenizers.__version__
    by_class = classes()
    merged = []
    for kind in "DPM":
        merged += [(a, b, kind) for a, b in ranges(i for i, k in by_class.items() if k == kind)]
    table = rows(f"{{0x{a:X}, 0x{b:X}, {k}}}," for a, b, k in sorted(merged))
    unknown = rows(f"{{0x{a:X}, 0x{b:X}}}," for a, b in ranges(unknown_to_nfd(library)))
    lower = rows(f"{{0x{a:X}, 0x{b:X}, 0x{c:X}}}," for a, b, c in lower_case(library))
    print(
        f"""/* See unicode_tables.h.  By scripts/unicode_tables.py, tokenizers {version}: no edits. */
#include "data/unicode_tables.h"

#define D UNICODE_DROPPED
#define P UNICODE_PUNCTUATION
#define M UNICODE_MARK

/* clang-format off */
const struct unicode_class_range unicode_classes[] = {{
{table}
}};
const size_t num_unicode_classes = sizeof unicode_classes / sizeof *unicode_classes;

const struct unicode_range unicode_nfd_unknown[] = {{
{unknown}
}};
const size_t num_unicode_nfd_unknown = sizeof unicode_nfd_unknown / sizeof *unicode_nfd_unknown;

const struct unicode_lower_range unicode_lower_newer[] = {{
{lower}
}};
const size_t num_unicode_lower_newer = sizeof unicode_lower_newer / sizeof *unicode_lower_newer;
/* clang-format on */"""
    )


if __name__ == "__main__":
    sys.exit(main())
