/* data/wordpiece_train: vocabularies equal to the tokenizers library's and to those of a slow twin
 * that counts everything anew; what cannot be trained is refused. */
#include "data/wordpiece_train.h"
#include "data/output.h"
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tokenizer *trained(const char *const *texts, size_t n,
                                 const struct wordpiece_training *how)
{
    struct tokenizer *tok;
    struct error err = {0};
    struct wordpiece_trainer *trainer = wordpiece_trainer_open(how);
    for (size_t i = 0; i < n; i++) wordpiece_trainer_add(trainer, texts[i]);
    check_ok(wordpiece_trainer_train(trainer, &tok, &err), &err);
    wordpiece_trainer_close(trainer);
    return tok;
}

/* The tokens as lines, freed by the caller. */
static char *vocabulary(const char *const *texts, size_t n, const struct wordpiece_training *how)
{
    struct text lines = {0};
    struct tokenizer *tok = trained(texts, n, how);
    for (int32_t id = 0; id < tokenizer_vocab_size(tok); id++)
        text_printf(&lines, "%s\n", tokenizer_token(tok, id));
    tokenizer_close(tok);
    return lines.bytes;
}

static void check_vocabulary(const char *const *texts, size_t n,
                             const struct wordpiece_training *how, const char *expected)
{
    char *found = vocabulary(texts, n, how);
    ck_assert_str_eq(found, expected);
    free(found);
}

#define SPECIALS "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

/* ---- golden vocabulary: scripts/check_vocabulary.py write ---- */

START_TEST(golden_vocabulary)
{
    const struct wordpiece_training how = {
        .vocab_size = 400, .min_frequency = 2, .limit_alphabet = 60, .lowercase = true};
    struct text texts = {0}, expected = {0};
    struct error err = {0};
    const char *lines[100];
    size_t count = 0;
    check_ok(read_whole_file(&texts, "tests/golden/vocabulary/texts.txt", 1 << 20, &err), &err);
    check_ok(read_whole_file(&expected, "tests/golden/vocabulary/vocab.txt", 1 << 20, &err), &err);
    for (char *at = texts.bytes, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        ck_assert_uint_lt(count, 100);
        *end = '\0';
        lines[count++] = at;
    }
    check_vocabulary(lines, count, &how, expected.bytes);
    text_free(&texts), text_free(&expected);
}
END_TEST

/* ---- the twin: counts all pairs anew for each merge ---- */

enum { MAX_WORDS = 60, MAX_LENGTH = 16, MAX_TOKENS = 300 };

struct twin_word {
    char text[MAX_LENGTH + 1];
    int pieces[MAX_LENGTH];
    int length;
    int count;
};

static struct twin {
    struct twin_word words[MAX_WORDS];
    int num_words;
    char tokens[MAX_TOKENS][MAX_LENGTH + 8];
    int num_tokens;
    int pairs[MAX_TOKENS][MAX_TOKENS]; /* their counts */
} twin;

static int twin_token(const char *text)
{
    for (int i = 0; i < twin.num_tokens; i++)
        if (!strcmp(twin.tokens[i], text)) return i;
    ck_assert_int_lt(twin.num_tokens, MAX_TOKENS);
    ck_assert_uint_lt(strlen(text), sizeof *twin.tokens);
    memcpy(twin.tokens[twin.num_tokens], text, strlen(text) + 1);
    return twin.num_tokens++;
}

/* The count of the most frequent pair, the first of such. */
static int twin_best(int *left, int *right)
{
    int best = 0;
    memset(twin.pairs, 0, sizeof twin.pairs);
    for (int w = 0; w < twin.num_words; w++)
        for (int i = 0; i + 1 < twin.words[w].length; i++)
            twin.pairs[twin.words[w].pieces[i]][twin.words[w].pieces[i + 1]] += twin.words[w].count;
    for (int i = 0; i < twin.num_tokens; i++)
        for (int j = 0; j < twin.num_tokens; j++)
            if (twin.pairs[i][j] > best) best = twin.pairs[ *left = i][ *right = j];
    return best;
}

static void twin_merge(struct twin_word *word, int left, int right, int merged)
{
    for (int i = 0; i + 1 < word->length; i++) {
        if (word->pieces[i] != left || word->pieces[i + 1] != right) continue;
        word->pieces[i] = merged;
        word->length--;
        for (int j = i + 1; j < word->length; j++) word->pieces[j] = word->pieces[j + 1];
    }
}

static int twin_letter(bool inside, char letter)
{
    return twin_token((char[]){inside ? '#' : letter, inside ? '#' : '\0', letter, '\0'});
}

/* All letters, then all that stand inside words. */
static void twin_alphabet(void)
{
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 0; i < 5; i++) twin_token(specials[i]);
    for (int inside = 0; inside < 2; inside++)
        for (char letter = 'a'; letter <= 'z'; letter++)
            for (int w = 0; w < twin.num_words; w++)
                if (strchr(twin.words[w].text + inside, letter)) twin_letter(inside, letter);
}

/* The vocabulary of twin.words as lines, freed by the caller. */
static char *twin_train(int vocab_size, int min_frequency)
{
    struct text lines = {0};
    int left = 0, right = 0;
    twin_alphabet();
    for (struct twin_word *word = twin.words; word < twin.words + twin.num_words; word++)
        for (; word->text[word->length]; word->length++)
            word->pieces[word->length] = twin_letter(word->length > 0, word->text[word->length]);
    while (twin.num_tokens < vocab_size && twin_best(&left, &right) >= min_frequency) {
        const char *end = twin.tokens[right] + (*twin.tokens[right] == '#' ? 2 : 0);
        char text[2 * sizeof *twin.tokens];
        snprintf(text, sizeof text, "%s%s", twin.tokens[left], end);
        int merged = twin_token(text);
        for (int w = 0; w < twin.num_words; w++) twin_merge(&twin.words[w], left, right, merged);
    }
    for (int i = 0; i < twin.num_tokens; i++) text_printf(&lines, "%s\n", twin.tokens[i]);
    return lines.bytes;
}

/* Words of two to four syllables of one to three letters, of few letters. */
static void twin_draw_words(uint64_t seed)
{
    uint64_t drawn = 0;
    memset(&twin, 0, sizeof twin);
    twin.num_words = 2 + (int)(random_bits(seed, 0, 0) % (MAX_WORDS - 2));
    unsigned letters = 1 + (unsigned)(random_bits(seed, 0, 1) % 6);
    for (int w = 0; w < twin.num_words; w++) {
        struct twin_word *word = &twin.words[w];
        size_t length = 0;
        for (uint64_t i = random_bits(seed, 1, drawn++) % 3; i < 4; i++) {
            uint64_t syllable = random_bits(seed, 1, drawn++) % 9;
            for (uint64_t j = 0; j <= syllable % 3; j++)
                word->text[length++] = (char)('a' + random_bits(seed, 2 + syllable, j) % letters);
        }
        word->count = 1 + (int)(random_bits(seed, 1, drawn++) % 9);
    }
}

/* Every word once a time that it is counted, in an order by the seed; of equal words the twin has
 * several with counts of their own. */
static size_t twin_texts(const char **texts, uint64_t seed)
{
    uint32_t order[9 * MAX_WORDS];
    const char *sorted[9 * MAX_WORDS];
    size_t n = 0;
    for (int w = 0; w < twin.num_words; w++)
        for (int i = 0; i < twin.words[w].count; i++) sorted[n++] = twin.words[w].text;
    random_permutation(order, n, seed, 99);
    for (size_t i = 0; i < n; i++) texts[i] = sorted[order[i]];
    return n;
}

START_TEST(a_twin_that_counts_anew_trains_the_same)
{
    const char *texts[9 * MAX_WORDS];
    size_t tokens = 0;
    int rounds = skip_slow() ? 20 : 200;
    for (int round = 0; round < rounds; round++) {
        uint64_t seed = (uint64_t)round;
        const struct wordpiece_training how = {
            .vocab_size = 30 + round % 3 * 100, .min_frequency = 1 + round % 4, .lowercase = true};
        twin_draw_words(seed);
        size_t n = twin_texts(texts, seed);
        char *expected = twin_train(how.vocab_size, how.min_frequency);
        check_vocabulary(texts, n, &how, expected);
        tokens += (size_t)twin.num_tokens;
        n = twin_texts(texts, seed + 1000); /* another order of the texts */
        check_vocabulary(texts, n, &how, expected);
        free(expected);
    }
    ck_assert_uint_gt(tokens, (size_t)rounds * 30);
}
END_TEST

/* ---- settings ---- */

START_TEST(a_vocabulary_by_hand)
{
    /* The pairs: a ##b 5, ##b ##c 3, ##c ##b 2; then ab ##c 3, ... */
    static const char *const texts[] = {"abc abc", "", "abcb abcb B\xc3\x81, ab", " \t\n"};
    struct wordpiece_training how = WORDPIECE_TRAINING_DEFAULTS;
    check_vocabulary(texts, 4, &how, SPECIALS ",\na\nb\nc\n##a\n##b\n##c\nab\nabc\nabcb\n");
}
END_TEST

START_TEST(rare_pairs_stay_apart)
{
    static const char *const texts[] = {"ab ab ab cd cd"};
    struct wordpiece_training how = {.vocab_size = 99, .min_frequency = 3, .lowercase = true};
    check_vocabulary(texts, 1, &how, SPECIALS "a\nb\nc\nd\n##b\n##d\nab\n");
    how.min_frequency = 4;
    check_vocabulary(texts, 1, &how, SPECIALS "a\nb\nc\nd\n##b\n##d\n");
    how.min_frequency = 1, how.vocab_size = 12;
    check_vocabulary(texts, 1, &how, SPECIALS "a\nb\nc\nd\n##b\n##d\nab\n");
}
END_TEST

START_TEST(cased_vocabularies_keep_case_and_accents)
{
    static const char *const texts[] = {"\xc3\x89 a\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87"};
    const struct wordpiece_training how = {.vocab_size = 99, .min_frequency = 1};
    check_vocabulary(texts, 1, &how,
                     SPECIALS
                     "a\n\xc3\x89\n\xc3\xa9\n\xe4\xb8\xad\n\xe6\x96\x87\n##\xc3\xa9\na\xc3\xa9\n");
    struct tokenizer *tok = trained(texts, 1, &how);
    ck_assert(!tokenizer_lowercases(tok));
    tokenizer_close(tok);
}
END_TEST

/* The rest of a word closes up where a character is left out, as in the library: "xab" is the
 * pieces ##a ##b. */
START_TEST(rare_characters_are_left_out)
{
    static const char *const texts[] = {"aab aab xab zz", "y y"};
    struct wordpiece_training how = {
        .vocab_size = 99, .min_frequency = 3, .limit_alphabet = 2, .lowercase = true};
    check_vocabulary(texts, 2, &how, SPECIALS "a\nb\n##a\n##b\n##ab\n");
    how.limit_alphabet = 3; /* y and z are equally frequent */
    check_vocabulary(texts, 2, &how, SPECIALS "a\nb\ny\n##a\n##b\n##ab\n");
    how.limit_alphabet = 5;
    check_vocabulary(texts, 2, &how, SPECIALS "a\nb\nx\ny\nz\n##a\n##b\n##z\n##ab\n");
}
END_TEST

START_TEST(wrong_bytes_are_left_out)
{
    static const char *const texts[] = {"a\xff"
                                        "b a\xe2\x82"
                                        "b"};
    const struct wordpiece_training how = {.vocab_size = 99, .min_frequency = 2};
    check_vocabulary(texts, 1, &how, SPECIALS "a\nb\n##b\nab\n");
}
END_TEST

/* ---- the tokenizer ---- */

START_TEST(trained_tokenizers_encode_and_come_back_from_an_export)
{
    static const char *const texts[] = {
        "The quick brown fox jumps over the lazy dog", "the quickest foxes jumped",
        "dogs and foxes are quick; jumping dogs [SEP] jump, Z\xc3\xbcrich!"};
    const struct wordpiece_training how = WORDPIECE_TRAINING_DEFAULTS;
    struct tokenizer *tok = trained(texts, 3, &how), *back;
    struct token_list ids = {0}, again = {0};
    struct error err = {0};
    char *folder = xasprintf("%s/trained", scratch_folder());
    check_ok(tokenizer_export(tok, folder, 64, &err), &err);
    check_ok(tokenizer_open(&back, folder, &err), &err);
    ck_assert(tokenizer_lowercases(tok) && tokenizer_lowercases(back));
    ck_assert_int_eq(tokenizer_vocab_size(tok), tokenizer_vocab_size(back));
    ck_assert_int_eq(tokenizer_model_max_length(tok), 0);
    for (int i = 0; i < 3; i++) {
        tokenizer_encode(tok, &ids, texts[i], texts[0], 50);
        tokenizer_encode(back, &again, texts[i], texts[0], 50);
        ck_assert_uint_eq(ids.count, again.count);
        ck_assert_mem_eq(ids.ids, again.ids, ids.count * sizeof *ids.ids);
        ck_assert_mem_eq(ids.types, again.types, ids.count * sizeof *ids.types);
        for (size_t j = 0; j < ids.count; j++) ck_assert_int_ne(ids.ids[j], 1); /* [UNK] */
        ck_assert(ids.ids[0] == 2 && ids.ids[ids.count - 1] == 3);
    }
    for (int id = 0; id < 6; id++) ck_assert_int_eq(tokenizer_is_special(tok, id), id < 5);
    tokenizer_encode_plain(tok, &ids, "\xe4\xb8\xad [PAD]");
    ck_assert(ids.count == 2 && ids.ids[0] == 1 && ids.ids[1] == 0);
    tokenizer_close(tok), tokenizer_close(back);
    token_list_free(&ids), token_list_free(&again);
    free(folder);
}
END_TEST

START_TEST(a_trainer_goes_on_after_training)
{
    const struct wordpiece_training how = WORDPIECE_TRAINING_DEFAULTS;
    struct wordpiece_trainer *trainer = wordpiece_trainer_open(&how);
    struct tokenizer *first, *second;
    struct error err = {0};
    wordpiece_trainer_add(trainer, "ab ab");
    check_ok(wordpiece_trainer_train(trainer, &first, &err), &err);
    wordpiece_trainer_add(trainer, "abc abc");
    check_ok(wordpiece_trainer_train(trainer, &second, &err), &err);
    ck_assert_int_eq(tokenizer_vocab_size(first), 9);   /* a b ##b ab */
    ck_assert_int_eq(tokenizer_vocab_size(second), 12); /* and c ##c abc */
    tokenizer_close(first), tokenizer_close(second);
    wordpiece_trainer_close(trainer);
    wordpiece_trainer_close(NULL);
}
END_TEST

static void check_refused(const char *text, int vocab_size, int status, const char *word,
                          const char *other)
{
    const struct wordpiece_training how = {.vocab_size = vocab_size, .min_frequency = 2};
    struct wordpiece_trainer *trainer = wordpiece_trainer_open(&how);
    struct tokenizer *tok;
    struct error err = {0};
    if (text) wordpiece_trainer_add(trainer, text);
    check_failed(wordpiece_trainer_train(trainer, &tok, &err), &err, status, word, other);
    ck_assert_ptr_null(tok);
    wordpiece_trainer_close(trainer);
}

START_TEST(what_cannot_be_trained_is_refused)
{
    check_refused(NULL, 100, STATUS_WORLD, "no words", NULL);
    check_refused("", 100, STATUS_WORLD, "no words", NULL);
    check_refused(" \t\n \xc2\xa0\xff", 100, STATUS_WORLD, "no words", NULL);
    check_refused("ab cd", 10, STATUS_USAGE, "a vocabulary of 10 tokens", "are 11");
    check_refused("ab cd", -1, STATUS_USAGE, "a vocabulary of -1 tokens", "are 11");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(golden_vocabulary),
                                    TEST(a_twin_that_counts_anew_trains_the_same),
                                    TEST(a_vocabulary_by_hand),
                                    TEST(rare_pairs_stay_apart),
                                    TEST(cased_vocabularies_keep_case_and_accents),
                                    TEST(rare_characters_are_left_out),
                                    TEST(wrong_bytes_are_left_out),
                                    TEST(trained_tokenizers_encode_and_come_back_from_an_export),
                                    TEST(a_trainer_goes_on_after_training),
                                    TEST(what_cannot_be_trained_is_refused),
                                    {0}};
    return run_tests("data/wordpiece_train", rows);
}
