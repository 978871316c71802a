/* distill/word_vectors: words that stand in the same places come out alike, others do not. */
#include "distill/word_vectors.h"
#include "tests/support.h"
#include "tests/tiny_model.h"

#include <math.h>
#include <stdlib.h>

enum { TEXTS = 600, DIM = 6 };

/* Two groups of words, each with its own neighbours: "cat" and "dog" are said of one, "blue" and
 * "green" of the other. */
static char *text_at(int i)
{
    static const char *const animals[] = {"cat", "dog"}, *const places[] = {"house", "tree"},
                             *const matters[] = {"blue", "green"},
                             *const others[] = {"sea", "bird"};
    bool animal = i % 2;
    const char *a = (animal ? animals : matters)[random_bits(1, 0, (uint64_t)i) % 2];
    const char *b = (animal ? places : others)[random_bits(1, 1, (uint64_t)i) % 2];
    return xasprintf(animal ? "the %s sat on the %s" : "a %s ran in a %s", a, b);
}

struct made {
    struct tokenizer *tok;
    float *vectors;
    int vocab;
};

static void make(struct made *out, int threads, double deviation)
{
    struct error err = {0};
    char *folder = tiny_model("words", &(struct tiny_model){.seed = 1}), *texts[TEXTS];
    check_ok(tokenizer_open(&out->tok, folder, &err), &err);
    out->vocab = tokenizer_vocab_size(out->tok);
    out->vectors = xcalloc((size_t)out->vocab * DIM, sizeof *out->vectors);
    for (int i = 0; i < out->vocab * DIM; i++) out->vectors[i] = 7;
    for (int i = 0; i < TEXTS; i++) texts[i] = text_at(i);
    struct pool *pool = pool_open(threads);
    const struct word_vectors how = {.vocab_size = out->vocab,
                                     .dim = DIM,
                                     .deviation = deviation,
                                     .tok = out->tok,
                                     .texts = (const char *const *)texts,
                                     .count = TEXTS,
                                     .seed = 13};
    check_ok(word_vectors_make(out->vectors, &how, pool, &err), &err);
    pool_close(pool);
    for (int i = 0; i < TEXTS; i++) free(texts[i]);
    free(folder);
}

static void made_free(struct made *made)
{
    tokenizer_close(made->tok);
    free(made->vectors);
}

static const float *vector_of(const struct made *made, const char *word)
{
    struct token_list list = {0};
    tokenizer_encode_plain(made->tok, &list, word);
    ck_assert_uint_eq(list.count, 1);
    const float *vector = made->vectors + (size_t)list.ids[0] * DIM;
    token_list_free(&list);
    return vector;
}

static double cosine(const struct made *made, const char *a, const char *b)
{
    const float *u = vector_of(made, a), *v = vector_of(made, b);
    double uv = 0, uu = 0, vv = 0;
    for (int i = 0; i < DIM; i++) uv += u[i] * v[i], uu += u[i] * u[i], vv += v[i] * v[i];
    return uv / sqrt(uu * vv);
}

START_TEST(words_of_like_places_are_alike)
{
    struct made made;
    make(&made, 2, 0.05);
    ck_assert_double_gt(cosine(&made, "cat", "dog"), 0.9);
    ck_assert_double_gt(cosine(&made, "blue", "green"), 0.9);
    ck_assert_double_lt(cosine(&made, "cat", "blue"), 0.3);
    made_free(&made);
}
END_TEST

/* Letters and [MASK] stand in no text: their rows are left as they were. */
START_TEST(scale_is_as_asked_and_absent_tokens_are_untouched)
{
    struct made made;
    make(&made, 1, 0.05);
    double squares = 0, count = 0, untouched = 0;
    for (int row = 0; row < made.vocab; row++) {
        const float *vector = made.vectors + (size_t)row * DIM;
        untouched += vector[0] == 7 && vector[DIM - 1] == 7;
        for (int i = 0; vector[0] != 7 && i < DIM; i++) squares += vector[i] * vector[i], count++;
    }
    ck_assert_double_gt(untouched, 5);
    ck_assert_double_eq_tol(sqrt(squares / count), 0.05, 1e-6);
    made_free(&made);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    struct made one, three;
    make(&one, 1, 0.05);
    make(&three, 3, 0.05);
    for (int i = 0; i < one.vocab * DIM; i++) ck_assert(one.vectors[i] == three.vectors[i]);
    made_free(&one);
    made_free(&three);
}
END_TEST

START_TEST(too_few_words_are_an_error)
{
    struct made made = {0};
    struct error err = {0};
    char *folder = tiny_model("words", &(struct tiny_model){.seed = 1});
    const char *texts[] = {"the cat"};
    float vectors[1] = {0};
    struct pool *pool = pool_open(1);
    check_ok(tokenizer_open(&made.tok, folder, &err), &err);
    const struct word_vectors how = {.vocab_size = tokenizer_vocab_size(made.tok),
                                     .dim = 100,
                                     .deviation = 1,
                                     .tok = made.tok,
                                     .texts = texts,
                                     .count = 1,
                                     .seed = 13};
    check_failed(word_vectors_make(vectors, &how, pool, &err), &err, STATUS_WORLD,
                 "2 different tokens", "100");
    pool_close(pool);
    made_free(&made);
    free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(words_of_like_places_are_alike),
                                    TEST(scale_is_as_asked_and_absent_tokens_are_untouched),
                                    TEST(threads_do_not_matter),
                                    TEST(too_few_words_are_an_error),
                                    {0}};
    return run_tests("distill/word_vectors", rows);
}
