/* distill/principal_axes: what it must not change, and what it is for, by naive sums in double. */
#include "distill/principal_axes.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS = 60, OUT = 12, WORDS = 16, LAYERS = 2 };
static const int layers[LAYERS] = {1, 3}, widths[] = {4, 9};

static const char *const *texts(void)
{
    static const char *const words[WORDS] = {"cat",  "dog", "fish", "bird", "house", "river",
                                             "moon", "sun", "red",  "blue", "old",   "new",
                                             "sat",  "ran", "ate",  "saw"};
    static char bytes[TEXTS][64];
    static const char *list[TEXTS];
    for (int i = 0; i < TEXTS; i++) {
        snprintf(bytes[i], sizeof bytes[i], "the %s %s a %s", words[i % WORDS],
                 words[i * 7 / 3 % WORDS], words[i * i % WORDS]);
        list[i] = bytes[i];
    }
    return list;
}

static void embed(float *z, const struct dual_encoder *de, int layer)
{
    const struct embed_request request = {
        .texts = texts(), .count = TEXTS, .prompt = "", .layers = &layer, .num_layers = 1};
    struct pool *pool = pool_open(1);
    dual_encoder_embed(de, pool, &request, &z);
    pool_close(pool);
}

static void make(struct dual_encoder *out)
{
    const struct tiny_shape shape = {.layers = 3, .output_size = OUT, .pooling = POOLING_MEAN};
    tiny_student_make(out, &shape);
    float *bias = params_values(&out->params, out->projection_bias);
    for (int i = 0; i < OUT; i++) bias[i] = test_value(5, (uint64_t)i) / 20;
}

static int turn(struct dual_encoder *de, bool cosine, struct error *err)
{
    const struct axes axes = {widths, 2, layers, LAYERS, cosine};
    struct pool *pool = pool_open(1);
    int status = turn_to_principal_axes(de, pool, texts(), TEXTS, 0, &axes, err);
    pool_close(pool);
    return status;
}

static double dot(const float *a, const float *b, int from, int to)
{
    double sum = 0;
    for (int i = from; i < to; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* [OUT, OUT], of both layers, each row divided by its length if cosine. */
static void moments_of(double moments[OUT][OUT], float z[LAYERS][TEXTS][OUT], bool cosine)
{
    memset(moments, 0, sizeof(double[OUT][OUT]));
    for (int l = 0; l < LAYERS; l++)
        for (int t = 0; t < TEXTS; t++) {
            const float *row = z[l][t];
            double square = cosine ? dot(row, row, 0, OUT) : 1;
            for (int i = 0; i < OUT; i++)
                for (int j = 0; j < OUT; j++)
                    moments[i][j] += (double)row[i] * (double)row[j] / square;
        }
}

static void check_turned(bool cosine)
{
    static float before[LAYERS][TEXTS][OUT], after[LAYERS][TEXTS][OUT];
    const int ends[] = {4, 9, OUT};
    struct dual_encoder de;
    struct error err = {0};
    double moments[OUT][OUT], largest = 0;
    make(&de);
    for (int l = 0; l < LAYERS; l++) embed(before[l][0], &de, layers[l]);
    check_ok(turn(&de, cosine, &err), &err);
    for (int l = 0; l < LAYERS; l++) embed(after[l][0], &de, layers[l]);
    dual_encoder_free(&de);
    /* Inner products at the widths stay. */
    for (int l = 0; l < LAYERS; l++)
        for (int a = 0; a < TEXTS; a++)
            for (int e = 0; e < 3; e++) {
                double scale = dot(before[l][a], before[l][a], 0, OUT);
                double change = dot(after[l][a], after[l][7], 0, ends[e]) -
                                dot(before[l][a], before[l][7], 0, ends[e]);
                ck_assert_double_le(fabs(change), 2e-6 * scale);
            }
    /* Within a block nothing is left beside the diagonal, which falls. */
    moments_of(moments, after, cosine);
    for (int i = 0; i < OUT; i++) largest = fmax(largest, moments[i][i]);
    for (int e = 0, begin = 0; e < 3; begin = ends[e++])
        for (int i = begin; i < ends[e]; i++) {
            if (i > begin)
                ck_assert_double_ge(moments[i - 1][i - 1], moments[i][i] - 1e-6 * largest);
            for (int j = begin; j < i; j++)
                ck_assert_double_le(fabs(moments[i][j]), 2e-6 * largest);
        }
    /* It did something: the first dimension has more than before. */
    double first = moments[0][0];
    moments_of(moments, before, cosine);
    ck_assert_double_gt(first, 1.05 * moments[0][0]);
}

START_TEST(trained_widths_keep_their_products_and_blocks_are_in_order)
{
    check_turned(true);
    check_turned(false);
}
END_TEST

/* What is in order stays. */
START_TEST(twice_is_once)
{
    struct dual_encoder de;
    struct error err = {0};
    make(&de);
    check_ok(turn(&de, true, &err), &err);
    float *weight = params_values(&de.params, de.projection_weight),
          once[OUT * TINY_STUDENT_HIDDEN];
    memcpy(once, weight, sizeof once);
    check_ok(turn(&de, true, &err), &err);
    for (int i = 0; i < OUT; i++) {
        const float *a = once + i * TINY_STUDENT_HIDDEN, *b = weight + i * TINY_STUDENT_HIDDEN;
        double along = dot(a, b, 0, TINY_STUDENT_HIDDEN),
               length = dot(a, a, 0, TINY_STUDENT_HIDDEN);
        ck_assert_double_ge(fabs(along), 0.999 * length);
    }
    dual_encoder_free(&de);
}
END_TEST

/* A tanh does not turn; a model without projection has nothing to turn. */
START_TEST(what_cannot_turn_stays)
{
    const struct tiny_shape bare = {.layers = 3, .output_size = 0, .pooling = POOLING_MEAN};
    struct dual_encoder de;
    struct error err = {0};
    make(&de);
    de.activation = DENSE_TANH;
    float *before = xcalloc(de.params.size, sizeof *before);
    memcpy(before, de.params.values, de.params.size * sizeof *before);
    check_ok(turn(&de, true, &err), &err);
    ck_assert_mem_eq(before, de.params.values, de.params.size * sizeof *before);
    free(before);
    dual_encoder_free(&de);
    tiny_student_make(&de, &bare);
    check_ok(turn(&de, true, &err), &err);
    dual_encoder_free(&de);
}
END_TEST

START_TEST(not_a_number_is_refused)
{
    struct dual_encoder de;
    struct error err = {0};
    make(&de);
    params_values(&de.params, de.projection_bias)[5] = NAN;
    check_failed(turn(&de, true, &err), &err, STATUS_WORLD, "principal axes");
    dual_encoder_free(&de);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(trained_widths_keep_their_products_and_blocks_are_in_order),
        TEST(twice_is_once),
        TEST(what_cannot_turn_stays),
        TEST(not_a_number_is_refused),
        {0}};
    return run_tests("distill/principal_axes", rows);
}
