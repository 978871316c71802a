/* See wordpiece_train.h. */
#include "data/wordpiece_train.h"

#include <stdlib.h>
#include <string.h>

#include "data/bert_normalizer.h"
#include "data/pair_queue.h"
#include "data/unicode.h"
#include "data/wordpiece.h"

/* ---- words ---- */

struct counted_word {
    const char *text;
    int64_t count;
};

struct wordpiece_trainer {
    struct wordpiece_training how;
    struct bert_normalizer normalizer;
    struct counted_word *words; /* all different, as first met */
    size_t num_words, capacity;
    struct strmap rows; /* text -> index of words */
    struct arena strings;
    struct text normal; /* of one text; its memory is used again */
};

struct wordpiece_trainer *wordpiece_trainer_open(const struct wordpiece_training *how)
{
    REQUIRE(how->min_frequency >= 1 && how->limit_alphabet >= 0);
    struct wordpiece_trainer *trainer = xcalloc(1, sizeof *trainer);
    trainer->how = *how;
    trainer->normalizer = (struct bert_normalizer){.clean_text = true,
                                                   .handle_chinese_chars = true,
                                                   .strip_accents = how->lowercase,
                                                   .lowercase = how->lowercase};
    bert_normalizer_init(&trainer->normalizer);
    return trainer;
}

static void count_word(struct wordpiece_trainer *trainer, const char *word, size_t length)
{
    int64_t row = strmap_find_n(&trainer->rows, word, length);
    if (row < 0) {
        REQUIRE(trainer->num_words < UINT32_MAX);
        GROW(trainer->words, trainer->num_words, &trainer->capacity);
        row = (int64_t)trainer->num_words++;
        const char *kept = arena_strndup(&trainer->strings, word, length);
        trainer->words[row] = (struct counted_word){.text = kept};
        strmap_insert(&trainer->rows, kept, row);
    }
    trainer->words[row].count++;
}

void wordpiece_trainer_add(struct wordpiece_trainer *trainer, const char *text)
{
    text_clear(&trainer->normal);
    text_puts(&trainer->normal, ""); /* never NULL */
    bert_normalize(&trainer->normalizer, &trainer->normal, text, strlen(text));
    const char *at = trainer->normal.bytes, *end = at + trainer->normal.length, *word;
    size_t length;
    while (wordpiece_next_word(&word, &length, &at, end)) count_word(trainer, word, length);
}

void wordpiece_trainer_close(struct wordpiece_trainer *trainer)
{
    if (!trainer) return;
    free(trainer->words);
    strmap_free(&trainer->rows);
    arena_free(&trainer->strings);
    text_free(&trainer->normal);
    free(trainer);
}

/* ---- the vocabulary so far ---- */

/* What the vocabulary knows of a code point. */
struct letter {
    int64_t count;
    bool inside;           /* stands inside a word */
    int32_t id, inside_id; /* 0 (a special token's) where it has none */
};
enum { NUM_CODES = 0x110000 };

/* A word as token ids: symbols[start], ... */
struct cut_word {
    size_t start;
    uint32_t length;
};

struct training {
    const struct wordpiece_trainer *trainer;
    const char **tokens;
    size_t num_tokens, capacity;
    struct arena strings;
    struct letter *letters; /* [NUM_CODES] */
    size_t num_symbols;
    int32_t *symbols;
    struct cut_word *words; /* [trainer->num_words] */
    struct pair_queue queue;
};

static void free_training(struct training *training)
{
    free(training->tokens);
    arena_free(&training->strings);
    free(training->letters);
    free(training->symbols);
    free(training->words);
    pair_queue_free(&training->queue);
}

/* The id of a new token.  Merging makes none twice: each merge is done at once wherever its pair
 * stands, from the left, so what becomes one token was cut alike wherever it does. */
static int32_t add_token(struct training *training, const char *start, const char *bytes,
                         size_t length)
{
    size_t size = strlen(start);
    char *token = arena_alloc(&training->strings, size + length + 1);
    memcpy(token, start, size);
    memcpy(token + size, bytes, length);
    token[size + length] = '\0';
    GROW(training->tokens, training->num_tokens, &training->capacity);
    training->tokens[training->num_tokens] = token;
    return (int32_t)training->num_tokens++;
}

/* ---- characters ---- */

static void count_letters(struct training *training)
{
    const struct wordpiece_trainer *trainer = training->trainer;
    training->letters = xcalloc(NUM_CODES, sizeof *training->letters);
    for (size_t i = 0; i < trainer->num_words; i++) {
        const char *text = trainer->words[i].text, *end = text + strlen(text);
        for (const char *at = text; at < end; training->num_symbols++) {
            uint32_t code;
            bool inside = at > text;
            at += utf8_decode(&code, at, end);
            training->letters[code].count += trainer->words[i].count;
            training->letters[code].inside |= inside;
        }
    }
}

struct counted_code {
    uint32_t code;
    int64_t count;
};

static int more_frequent(const void *a, const void *b)
{
    const struct counted_code *left = a, *right = b;
    if (left->count != right->count) return left->count > right->count ? -1 : 1;
    return left->code < right->code ? -1 : 1;
}

/* Only the most frequent characters keep a count. */
static void limit_letters(struct training *training)
{
    size_t limit = (size_t)training->trainer->how.limit_alphabet, count = 0, capacity = 0;
    struct counted_code *codes = NULL;
    for (uint32_t code = 0; limit && code < NUM_CODES; code++) {
        if (!training->letters[code].count) continue;
        GROW(codes, count, &capacity);
        codes[count++] = (struct counted_code){code, training->letters[code].count};
    }
    if (count > limit) qsort(codes, count, sizeof *codes, more_frequent);
    for (size_t i = limit; i < count; i++) training->letters[codes[i].code].count = 0;
    free(codes);
}

static void add_letters(struct training *training)
{
    char bytes[4];
    for (uint32_t code = 0; code < NUM_CODES; code++) {
        struct letter *letter = &training->letters[code];
        if (letter->count) letter->id = add_token(training, "", bytes, utf8_encode(bytes, code));
    }
    for (uint32_t code = 0; code < NUM_CODES; code++) {
        struct letter *letter = &training->letters[code];
        if (letter->count && letter->inside)
            letter->inside_id = add_token(training, "##", bytes, utf8_encode(bytes, code));
    }
}

static int make_alphabet(struct training *training, struct error *err)
{
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    int vocab_size = training->trainer->how.vocab_size;
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        add_token(training, "", specials[i], strlen(specials[i]));
    count_letters(training);
    if (training->num_symbols == 0) return fail(err, "no words to train a vocabulary on");
    limit_letters(training);
    add_letters(training);
    if (training->num_tokens <= (size_t)(vocab_size > 0 ? vocab_size : 0)) return 0;
    return fail_usage(err,
                      "a vocabulary of %d tokens is too small: the special tokens and the "
                      "characters of these texts alone are %zu",
                      vocab_size, training->num_tokens);
}

/* ---- merges ---- */

/* Words as ids of characters, and the counts of their pairs. */
static void cut_words(struct training *training)
{
    const struct wordpiece_trainer *trainer = training->trainer;
    int32_t *next = training->symbols = xcalloc(training->num_symbols, sizeof *next);
    training->words = xcalloc(trainer->num_words, sizeof *training->words);
    for (size_t i = 0; i < trainer->num_words; i++) {
        const char *text = trainer->words[i].text, *end = text + strlen(text);
        int32_t *first = next;
        for (const char *at = text; at < end;) {
            uint32_t code;
            bool inside = at > text;
            at += utf8_decode(&code, at, end);
            const struct letter *letter = &training->letters[code];
            if (letter->count) *next++ = inside ? letter->inside_id : letter->id;
        }
        training->words[i].start = (size_t)(first - training->symbols);
        training->words[i].length = (uint32_t)(next - first);
        for (; first + 1 < next; first++)
            pair_queue_change(&training->queue, first[0], first[1], trainer->words[i].count,
                              (uint32_t)i);
    }
    pair_queue_commit(&training->queue);
}

/* The token of two neighbours. */
static int32_t merged_token(struct training *training, int32_t left, int32_t right)
{
    const char *end = training->tokens[right];
    if (!strncmp(end, "##", 2)) end += 2;
    return add_token(training, training->tokens[left], end, strlen(end));
}

/* Puts `merged` where left and right stand side by side in a word, from the left, and counts what
 * that changes of the pairs around.  The pair itself, which is nowhere then, counts no more. */
static void merge_in_word(struct training *training, int32_t left, int32_t right, int32_t merged,
                          uint32_t index)
{
    struct pair_queue *queue = &training->queue;
    struct cut_word *word = &training->words[index];
    int32_t *symbols = training->symbols + word->start;
    int64_t count = training->trainer->words[index].count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < word->length; i++) {
        if (i + 1 == word->length || symbols[i] != left || symbols[i + 1] != right) {
            symbols[kept++] = symbols[i];
            continue;
        }
        if (kept) {
            pair_queue_change(queue, symbols[kept - 1], left, -count, index);
            pair_queue_change(queue, symbols[kept - 1], merged, count, index);
        }
        i++;
        if (i + 1 < word->length) {
            pair_queue_change(queue, right, symbols[i + 1], -count, index);
            pair_queue_change(queue, merged, symbols[i + 1], count, index);
        }
        symbols[kept++] = merged;
    }
    word->length = kept;
}

static void merge_pairs(struct training *training)
{
    const struct wordpiece_training *how = &training->trainer->how;
    struct pair pair;
    while (training->num_tokens < (size_t)how->vocab_size &&
           pair_queue_pop(&training->queue, &pair) && pair.count >= how->min_frequency) {
        int32_t merged = merged_token(training, pair.left, pair.right);
        uint32_t word;
        for (uint32_t at = pair.words; pair_queue_word(&training->queue, &at, &word);)
            merge_in_word(training, pair.left, pair.right, merged, word);
        pair_queue_commit(&training->queue);
    }
}

int wordpiece_trainer_train(const struct wordpiece_trainer *trainer, struct tokenizer **out,
                            struct error *err)
{
    struct training training = {.trainer = trainer};
    *out = NULL;
    int status = make_alphabet(&training, err);
    if (status == 0) {
        cut_words(&training);
        merge_pairs(&training);
        status =
            tokenizer_make(out, training.tokens, training.num_tokens, trainer->how.lowercase, err);
    }
    free_training(&training);
    return status;
}
