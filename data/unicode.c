/* See unicode.h. */
#include "data/unicode.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "data/unicode_tables.h"

/* ---- UTF-8 ---- */

/* Bytes of the valid sequence at bytes, 0 if there is none.  The bounds on the second byte
 * exclude overlong forms, surrogates and code points beyond U+10FFFF (The Unicode Standard,
 * table 3-7). */
static size_t sequence_length(const unsigned char *bytes, size_t available)
{
    unsigned char first = bytes[0];
    if (first < 0x80) return 1;
    size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || available < length) return 0;
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    return length;
}

bool utf8_check(const char *bytes, size_t length, size_t *bad)
{
    for (size_t i = 0; i < length;) {
        uint64_t eight;
        if (length - i >= 8 && (memcpy(&eight, bytes + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8; /* all ASCII */
            continue;
        }
        size_t step = sequence_length((const unsigned char *)bytes + i, length - i);
        if (step == 0) {
            if (bad) *bad = i;
            return false;
        }
        i += step;
    }
    return true;
}

size_t utf8_decode(uint32_t *code, const char *bytes, const char *end)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t length = sequence_length(at, (size_t)(end - bytes));
    switch (length) {
    case 1:
        *code = at[0];
        return 1;
    case 2:
        *code = (uint32_t)(at[0] & 31) << 6 | (at[1] & 63);
        return 2;
    case 3:
        *code = (uint32_t)(at[0] & 15) << 12 | (uint32_t)(at[1] & 63) << 6 | (at[2] & 63);
        return 3;
    case 4:
        *code = (uint32_t)(at[0] & 7) << 18 | (uint32_t)(at[1] & 63) << 12 |
                (uint32_t)(at[2] & 63) << 6 | (at[3] & 63);
        return 4;
    }
    *code = 0xfffd;
    return 1;
}

size_t utf8_encode(char out[4], uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

void utf8_repair(struct text *out, const char *bytes, size_t length)
{
    const char *end = bytes + length;
    while (bytes < end) {
        uint32_t code;
        char valid[4];
        bytes += utf8_decode(&code, bytes, end);
        text_append(out, valid, utf8_encode(valid, code));
    }
}

const char *utf8_previous(const char *start, const char *bytes)
{
    do bytes--;
    while (bytes > start && (*bytes & 0xc0) == 0x80);
    return bytes;
}

/* ---- classes ---- */

static enum unicode_class class_of(uint32_t code)
{
    size_t low = 0, high = num_unicode_classes; /* the range, if any, is in low..high-1 */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > unicode_classes[middle].last)
            low = middle + 1;
        else if (code < unicode_classes[middle].first)
            high = middle;
        else
            return unicode_classes[middle].class;
    }
    return UNICODE_OTHER;
}

bool unicode_is_space(uint32_t code)
{
    if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
    return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool unicode_is_dropped(uint32_t code)
{
    return class_of(code) == UNICODE_DROPPED;
}

bool unicode_is_punctuation(uint32_t code)
{
    return class_of(code) == UNICODE_PUNCTUATION;
}

bool unicode_is_mark(uint32_t code)
{
    return class_of(code) == UNICODE_MARK;
}

bool unicode_is_word(uint32_t code)
{
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        break;
    }
    /* The joiners, and symbols that count as alphabetic: circled and squared letters. */
    return code == 0x200c || code == 0x200d || (code >= 0x24b6 && code <= 0x24e9) ||
           (code >= 0x1f130 && code <= 0x1f149) || (code >= 0x1f150 && code <= 0x1f169) ||
           (code >= 0x1f170 && code <= 0x1f189);
}

bool unicode_is_small(uint32_t code)
{
    return utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_LL;
}

/* ---- mappings ---- */

int unicode_lower(uint32_t out[2], uint32_t code)
{
    if (code == 0x130) { /* I with dot above: the one letter whose lower case is two */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    for (size_t i = 0; i < num_unicode_lower_newer; i++) {
        const struct unicode_lower_range *range = &unicode_lower_newer[i];
        if (code >= range->first && code <= range->last)
            out[0] = range->lower + (code - range->first);
    }
    return 1;
}

static bool unknown_to_nfd(uint32_t code)
{
    for (size_t i = 0; i < num_unicode_nfd_unknown && unicode_nfd_unknown[i].first <= code; i++)
        if (code <= unicode_nfd_unknown[i].last) return true;
    return false;
}

int unicode_decompose(uint32_t out[UNICODE_MAX_DECOMPOSITION], uint32_t code)
{
    utf8proc_int32_t codes[UNICODE_MAX_DECOMPOSITION];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t count =
        unknown_to_nfd(code)
            ? 0
            : utf8proc_decompose_char((utf8proc_int32_t)code, codes, UNICODE_MAX_DECOMPOSITION,
                                      UTF8PROC_DECOMPOSE, &boundary);
    REQUIRE(count <= UNICODE_MAX_DECOMPOSITION);
    for (utf8proc_ssize_t i = 0; i < count; i++) out[i] = (uint32_t)codes[i];
    if (count > 0) return (int)count;
    out[0] = code;
    return 1;
}

int unicode_combining_class(uint32_t code)
{
    if (unknown_to_nfd(code)) return 0;
    return utf8proc_get_property((utf8proc_int32_t)code)->combining_class;
}

void unicode_library_version(char version[VERSION_SIZE])
{
    snprintf(version, VERSION_SIZE, "%s", utf8proc_version());
}
