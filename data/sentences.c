/* See sentences.h. */
#include "data/sentences.h"

#include <string.h>
#include <strings.h>

#include "data/unicode.h"

/* Words with a full stop that a capital or a number often follows within the sentence. */
static const char *const abbreviations[] = {
    "mr",  "mrs", "ms", "dr",     "prof", "st",   "jr",  "sr", "vs",  "al",  "fig", "figs",
    "eqs", "eq",  "cf", "approx", "ref",  "refs", "vol", "pp", "inc", "ltd", "corp"};
enum { LONGEST_ABBREVIATION = 6 };

static bool is_full_width_stop(uint32_t code)
{
    return code == 0x3002 || code == 0xff01 || code == 0xff1f || code == 0xff61;
}

static bool is_stop(uint32_t code)
{
    return code == '.' || code == '!' || code == '?' || code == 0x2026;
}

/* A closing bracket or quote. */
static bool is_closer(uint32_t code)
{
    return code == '"' || code == '\'' || code == ')' || code == ']' || code == '}' ||
           code == 0x2019 || code == 0x201d || code == 0xbb || code == 0x300d || code == 0x300f ||
           code == 0xff09;
}

static const char *skip(const char *at, const char *end, bool (*is)(uint32_t code))
{
    uint32_t code;
    while (at < end) {
        size_t length = utf8_decode(&code, at, end);
        if (!is(code)) break;
        at += length;
    }
    return at;
}

/* Whether the word that ends before `stop` is one that a full stop belongs to. */
static bool is_abbreviation(const char *start, const char *stop)
{
    const char *word = stop;
    uint32_t code = 0;
    while (word > start) {
        const char *before = utf8_previous(start, word);
        utf8_decode(&code, before, stop);
        if (!unicode_is_word(code)) break;
        word = before;
    }
    size_t length = (size_t)(stop - word);
    if (!length) return false;
    bool one = utf8_decode(&code, word, stop) == length;
    if (one) return !(code >= '0' && code <= '9');
    for (size_t a = 0; a < sizeof abbreviations / sizeof *abbreviations; a++)
        if (length <= LONGEST_ABBREVIATION && strlen(abbreviations[a]) == length &&
            strncasecmp(word, abbreviations[a], length) == 0)
            return true;
    return false;
}

/* Whether the white space at `at` holds a blank line; *next: what follows it. */
static bool has_blank_line(const char *at, const char *end, const char **next)
{
    int newlines = 0;
    *next = skip(at, end, unicode_is_space);
    for (; at < *next; at++) newlines += *at == '\n';
    return newlines > 1;
}

static bool begins_small(const char *at, const char *end)
{
    uint32_t code;
    if (at == end) return false;
    utf8_decode(&code, at, end);
    return unicode_is_small(code);
}

/* The end of the sentence whose stop begins at `at`; NULL: the stop ends none, and *behind is where
 * it is over. */
static const char *end_at_stop(const char *start, const char *at, const char *end,
                               const char **behind)
{
    const char *stop = skip(at, end, is_stop), *closed = skip(stop, end, is_closer), *next;
    bool one = *at == '.' && stop == at + 1;
    *behind = stop;
    has_blank_line(closed, end, &next);
    if (closed < end && next == closed) return NULL; /* 3.14, www.example.org */
    if (begins_small(next, end) || (one && is_abbreviation(start, at) && next < end)) return NULL;
    return closed;
}

struct sentences sentences_of(const char *text)
{
    return (struct sentences){.text = text, .at = text, .end = text + strlen(text)};
}

bool sentences_next(struct sentences *sentences, struct span *out)
{
    const char *end = sentences->end, *start = skip(sentences->at, end, unicode_is_space);
    const char *at = start, *stop = NULL, *next;
    uint32_t code;
    while (!stop && at < end) {
        size_t length = utf8_decode(&code, at, end);
        if (is_full_width_stop(code))
            stop = skip(skip(at, end, is_full_width_stop), end, is_closer);
        else if (is_stop(code))
            stop = end_at_stop(start, at, end, &at);
        else if (!unicode_is_space(code))
            at += length;
        else if (has_blank_line(at, end, &next) || next == end)
            stop = at;
        else
            at = next;
    }
    if (!stop) stop = end;
    sentences->at = stop;
    *out = (struct span){(size_t)(start - sentences->text), (size_t)(stop - start)};
    return stop > start;
}
