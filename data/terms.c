/* See terms.h. */
#define _GNU_SOURCE
#include "data/terms.h"

#include <string.h>

#include "data/unicode.h"

/* Chinese, Japanese and Korean ideographs stand without spaces between words. */
static bool is_ideograph(uint32_t code)
{
    return (code >= 0x3400 && code <= 0x9fff) || (code >= 0xf900 && code <= 0xfaff) ||
           (code >= 0x20000 && code <= 0x323af);
}

static void append_lower(struct text *term, uint32_t code)
{
    uint32_t lower[2];
    char bytes[4];
    int count = unicode_lower(lower, code);
    for (int i = 0; i < count; i++) text_append(term, bytes, utf8_encode(bytes, lower[i]));
}

static bool is_ascii_word(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_';
}

/* Appends the run of ASCII letters and digits at text; the place behind it. */
static const char *append_ascii(struct text *term, const char *text)
{
    char run[64];
    size_t length = 0;
    for (; length < sizeof run && is_ascii_word(text[length]); length++)
        run[length] = (char)(text[length] >= 'A' && text[length] <= 'Z' ? text[length] + 'a' - 'A'
                                                                        : text[length]);
    text_append(term, run, length);
    return text + length;
}

bool next_term(const char **place, struct text *term)
{
    const char *text = *place;
    text_clear(term);
    while (*text) {
        uint32_t code;
        if (is_ascii_word(*text)) {
            text = append_ascii(term, text);
            continue;
        }
        size_t size = utf8_decode(&code, text, text + strnlen(text, 4));
        bool word = unicode_is_word(code), ideograph = word && is_ideograph(code);
        if (term->length && (!word || ideograph)) break;
        text += size;
        if (word) append_lower(term, code);
        if (ideograph) break;
    }
    *place = text;
    return term->length > 0;
}
