/* See added_tokens.h. */
#include "data/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "data/unicode.h"

void added_tokens_add(struct added_tokens *added, const struct added_token *token)
{
    if (token->length == 0) return;
    size_t at = 0;
    while (at < added->count && added->items[at].id != token->id) at++;
    if (at == added->count) {
        GROW(added->items, added->count, &added->capacity);
        added->items[added->count++] = (struct added_token){0};
    }
    char *pattern = xstrndup(token->pattern, token->length);
    free(added->items[at].pattern);
    added->items[at] = *token;
    added->items[at].pattern = pattern;
    added->begins[token->normalized][(unsigned char)token->pattern[0]] = true;
}

void added_tokens_free(struct added_tokens *added)
{
    for (size_t i = 0; i < added->count; i++) free(added->items[i].pattern);
    free(added->items);
    *added = (struct added_tokens){0};
}

static const struct added_token *longest_at(const struct added_scan *scan, size_t at)
{
    const struct added_token *longest = NULL;
    for (size_t i = 0; i < scan->added->count; i++) {
        const struct added_token *token = &scan->added->items[i];
        if (token->normalized == scan->normalized && token->length <= scan->length - at &&
            (!longest || token->length > longest->length) &&
            !memcmp(scan->text + at, token->pattern, token->length))
            longest = token;
    }
    return longest;
}

/* The next match at or behind scan->next; scan->next is moved behind it. */
static const struct added_token *find(struct added_scan *scan, size_t *at)
{
    const bool *begins = scan->added->begins[scan->normalized];
    for (; scan->next < scan->length; scan->next++) {
        if (!begins[(unsigned char)scan->text[scan->next]]) continue;
        const struct added_token *token = longest_at(scan, scan->next);
        if (token) {
            *at = scan->next;
            scan->next += token->length;
            return token;
        }
    }
    return NULL;
}

static bool word_before(const struct added_scan *scan, size_t at)
{
    uint32_t code;
    if (at == 0) return false;
    const char *end = scan->text + at;
    utf8_decode(&code, utf8_previous(scan->text, end), end);
    return unicode_is_word(code);
}

static bool word_behind(const struct added_scan *scan, size_t at)
{
    uint32_t code;
    if (at == scan->length) return false;
    utf8_decode(&code, scan->text + at, scan->text + scan->length);
    return unicode_is_word(code);
}

static size_t without_space_before(const struct added_scan *scan, size_t at)
{
    while (at > scan->done) {
        uint32_t code;
        const char *end = scan->text + at, *last = utf8_previous(scan->text, end);
        utf8_decode(&code, last, end);
        if (!unicode_is_space(code)) break;
        at = (size_t)(last - scan->text);
    }
    return at > scan->done ? at : scan->done; /* spaces that the token before took are gone */
}

static size_t without_space_behind(const struct added_scan *scan, size_t at)
{
    while (at < scan->length) {
        uint32_t code;
        size_t size = utf8_decode(&code, scan->text + at, scan->text + scan->length);
        if (!unicode_is_space(code)) break;
        at += size;
    }
    return at;
}

static bool give(struct added_scan *scan, const struct added_token *token, size_t begin, size_t end)
{
    scan->token = token;
    scan->begin = begin;
    scan->end = scan->done = end;
    return true;
}

bool added_next(struct added_scan *scan)
{
    const struct added_token *token = scan->pending;
    size_t begin = scan->done, end;
    if (token) {
        scan->pending = NULL;
        return give(scan, token, begin, scan->pending_end);
    }
    do {
        token = find(scan, &begin);
        if (!token && scan->done >= scan->length) return false;
        if (!token) return give(scan, NULL, scan->done, scan->length);
    } while (token->single_word && (word_before(scan, begin) || word_behind(scan, scan->next)));
    end = token->rstrip ? without_space_behind(scan, scan->next) : scan->next;
    if (token->lstrip) begin = without_space_before(scan, begin);
    if (begin <= scan->done) return give(scan, token, begin, end);
    scan->pending = token;
    scan->pending_end = end;
    return give(scan, NULL, scan->done, begin);
}
