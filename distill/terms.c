/* See terms.h. */
#include "distill/terms.h"

static bool in_term(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

bool next_term(const char **place, struct text *term)
{
    const char *text = *place;
    text_clear(term);
    while (*text && !in_term((unsigned char)*text)) text++;
    for (; in_term((unsigned char)*text); text++) {
        char lower = (char)(*text >= 'A' && *text <= 'Z' ? *text + 'a' - 'A' : *text);
        text_append(term, &lower, 1);
    }
    *place = text;
    return term->length > 0;
}
