/* See wordpiece.h. */
#include "data/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "data/unicode.h"

void id_list_append(struct id_list *list, int32_t id)
{
    GROW(list->ids, list->count, &list->capacity);
    list->ids[list->count++] = id;
}

void id_list_free(struct id_list *list)
{
    free(list->ids);
    *list = (struct id_list){0};
}

void wordpiece_add(struct wordpiece *model, const char *token, int32_t id)
{
    size_t length = strlen(token), prefix = strlen(model->prefix);
    strmap_insert(&model->first, token, id);
    if (length > prefix && !memcmp(token, model->prefix, prefix))
        strmap_insert(&model->continuing, token + prefix, id);
    if (length > model->longest) model->longest = length;
}

void wordpiece_free(struct wordpiece *model)
{
    strmap_free(&model->first);
    strmap_free(&model->continuing);
    free(model->prefix);
    free(model->unknown_token);
    *model = (struct wordpiece){0};
}

/* Whether the word has more code points than the model takes. */
static bool too_long(const struct wordpiece *model, const char *word, size_t length)
{
    if (length <= model->max_chars_per_word) return false;
    size_t chars = 0;
    for (size_t i = 0; i < length; i++) chars += (word[i] & 0xc0) != 0x80;
    return chars > model->max_chars_per_word;
}

/* The longest piece at `start`, -1 if there is none; *end is the place behind it. */
static int64_t longest_piece(const struct wordpiece *model, const char *word, size_t start,
                             size_t length, size_t *end)
{
    const struct strmap *map = start ? &model->continuing : &model->first;
    size_t stop = length - start > model->longest ? start + model->longest : length;
    while (stop < length && stop > start && (word[stop] & 0xc0) == 0x80) stop--;
    while (stop > start) {
        int64_t id = strmap_find_n(map, word + start, stop - start);
        if (id >= 0) {
            *end = stop;
            return id;
        }
        stop = (size_t)(utf8_previous(word + start, word + stop) - word);
    }
    return -1;
}

static void encode_word(const struct wordpiece *model, struct id_list *out, const char *word,
                        size_t length)
{
    size_t before = out->count;
    bool unknown = too_long(model, word, length);
    for (size_t start = 0; start < length && !unknown;) {
        int64_t id = longest_piece(model, word, start, length, &start);
        unknown = id < 0;
        if (!unknown) id_list_append(out, (int32_t)id);
    }
    if (unknown) {
        out->count = before;
        id_list_append(out, model->unknown_id);
    }
}

enum part { PART_WORD, PART_SPACE, PART_PUNCTUATION };

static enum part part_at(const char *at, const char *end, size_t *size)
{
    unsigned char byte = (unsigned char)*at;
    uint32_t code = byte;
    *size = 1;
    if (byte < 128) {
        if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return PART_SPACE;
        unsigned char letter = (unsigned char)((byte | 32) - 'a'),
                      digit = (unsigned char)(byte - '0');
        return letter < 26 || digit < 10 || byte < ' ' || byte == 127 ? PART_WORD
                                                                      : PART_PUNCTUATION;
    }
    *size = utf8_decode(&code, at, end);
    if (unicode_is_space(code)) return PART_SPACE;
    return unicode_is_punctuation(code) ? PART_PUNCTUATION : PART_WORD;
}

bool wordpiece_next_word(const char **word, size_t *length, const char **text, const char *end)
{
    const char *at = *text;
    size_t size = 0;
    enum part part = PART_SPACE;
    while (at < end && (part = part_at(at, end, &size)) == PART_SPACE) at += size;
    *word = at;
    if (at < end) at += size;
    if (part == PART_WORD)
        while (at < end && part_at(at, end, &size) == PART_WORD) at += size;
    *text = at;
    *length = (size_t)(at - *word);
    return *length > 0;
}

void wordpiece_encode(const struct wordpiece *model, struct id_list *out, const char *text,
                      size_t length, size_t enough)
{
    const char *end = text + length, *word;
    size_t size;
    while (out->count < enough && wordpiece_next_word(&word, &size, &text, end))
        encode_word(model, out, word, size);
}
