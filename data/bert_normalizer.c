/* See bert_normalizer.h.
 *
 * The library runs four passes over the whole text.  Here each code point goes through all of them
 * at once, which is the same but for one thing: decomposition sorts combining marks within a run,
 * so marks that stay wait until the run ends.
 */
#include "data/bert_normalizer.h"

#include "data/guard.h"

#include <stdlib.h>

#include "data/unicode.h"

struct mark {
    uint32_t code;
    int class;
    size_t index; /* makes the order by class stable */
};

struct writer {
    const struct bert_normalizer *normalizer;
    struct text *out;
    struct mark *marks; /* of the current run */
    size_t num_marks, capacity;
};

static bool is_ideograph(uint32_t code)
{
    return (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) ||
           (code >= 0x20000 && code <= 0x2a6df) || (code >= 0x2a700 && code <= 0x2b73f) ||
           (code >= 0x2b740 && code <= 0x2b81f) ||
           (code >= 0x2b920 && code <= 0x2ceaf) || /* 0x2b820 is meant; the library has it so */
           (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f);
}

void bert_normalizer_init(struct bert_normalizer *normalizer)
{
    for (uint32_t code = 0; code < 128; code++) {
        char as = (char)code;
        if (normalizer->clean_text && (code == '\t' || code == '\n' || code == '\r'))
            as = ' ';
        else if (normalizer->clean_text && unicode_is_dropped(code))
            as = '\0';
        if (normalizer->lowercase && as >= 'A' && as <= 'Z') as = (char)(as + 32);
        normalizer->ascii[code] = as;
    }
}

static void put(struct writer *writer, uint32_t code)
{
    uint32_t codes[2] = {code};
    int count = writer->normalizer->lowercase ? unicode_lower(codes, code) : 1;
    for (int i = 0; i < count; i++) {
        char bytes[4];
        text_append(writer->out, bytes, utf8_encode(bytes, codes[i]));
    }
}

static int compare_marks(const void *a, const void *b)
{
    const struct mark *left = a, *right = b;
    if (left->class != right->class) return left->class < right->class ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static void end_run(struct writer *writer)
{
    if (writer->num_marks > 1)
        qsort(writer->marks, writer->num_marks, sizeof *writer->marks, compare_marks);
    for (size_t i = 0; i < writer->num_marks; i++) put(writer, writer->marks[i].code);
    writer->num_marks = 0;
}

/* Writes one code point of the decomposed text. */
static void put_ordered(struct writer *writer, uint32_t code)
{
    int class = unicode_combining_class(code);
    if (class == 0) {
        end_run(writer);
        put(writer, code);
        return;
    }
    GROW(writer->marks, writer->num_marks, &writer->capacity);
    writer->marks[writer->num_marks] = (struct mark){code, class, writer->num_marks};
    writer->num_marks++;
}

static void put_stripped(struct writer *writer, uint32_t code)
{
    uint32_t codes[UNICODE_MAX_DECOMPOSITION];
    int count = unicode_decompose(codes, code);
    for (int i = 0; i < count; i++)
        if (!unicode_is_mark(codes[i])) put_ordered(writer, codes[i]);
}

/* A code point beyond ASCII. */
static void put_wide(struct writer *writer, uint32_t code)
{
    const struct bert_normalizer *normalizer = writer->normalizer;
    if (normalizer->clean_text) {
        if (unicode_is_dropped(code)) return;
        if (unicode_is_space(code)) code = ' ';
    }
    bool apart = normalizer->handle_chinese_chars && is_ideograph(code);
    if (apart) put_ordered(writer, ' ');
    if (normalizer->strip_accents)
        put_stripped(writer, code);
    else
        put(writer, code);
    if (apart) put_ordered(writer, ' ');
}

/* Writes the ASCII characters at bytes; the place behind them. */
static const char *put_ascii(struct writer *writer, const char *bytes, const char *end)
{
    char chunk[256];
    while (bytes < end && (unsigned char)*bytes < 128) {
        size_t count = 0;
        for (; bytes < end && (unsigned char)*bytes < 128 && count < sizeof chunk; bytes++) {
            chunk[count] = writer->normalizer->ascii[(unsigned char)*bytes];
            count += chunk[count] != '\0';
        }
        if (count) end_run(writer); /* a removed character ends no run */
        text_append(writer->out, chunk, count);
    }
    return bytes;
}

static void release_marks(void *writer)
{
    free(((struct writer *)writer)->marks);
}

void bert_normalize(const struct bert_normalizer *normalizer, struct text *out, const char *bytes,
                    size_t length)
{
    struct writer writer = {.normalizer = normalizer, .out = out};
    const char *end = bytes + length;
    hold(&writer, release_marks);
    while (bytes < end) {
        uint32_t code;
        if ((unsigned char)*bytes < 128) {
            bytes = put_ascii(&writer, bytes, end);
        } else {
            bytes += utf8_decode(&code, bytes, end);
            put_wide(&writer, code);
        }
    }
    end_run(&writer);
    release_marks(let_go(&writer));
}
