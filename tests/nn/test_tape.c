/* nn/tape under a student: gradients of a random functional of z by differences; kept and
 * recomputed activations, lanes, dropout and order. */
#include "nn/tape.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAPS = 2, OUT = 5, FEW = 7, MANY = 330 }; /* MANY texts are 4 batches */
static const int layers[TAPS] = {1, 3};

struct step_case {
    struct dual_encoder de;
    struct pool *pool;
    struct tape *tape;
    size_t n;
    struct tape_text *texts;
    int32_t *ids, *types;
    float *z[TAPS], *d_z[TAPS];
    struct gradients gradients;
    uint64_t seed; /* of dropout */
};

static void step_open(struct step_case *out, size_t n, int threads, size_t keep_bytes,
                      uint64_t seed)
{
    const struct tiny_shape shape = {
        .layers = 3, .output_size = OUT, .pooling = POOLING_MEAN, .dropout = seed ? 0.2 : 0};
    *out = (struct step_case){.n = n, .seed = seed, .pool = pool_open(threads)};
    tiny_student_make(&out->de, &shape);
    out->tape = dual_encoder_tape(&out->de, out->pool, keep_bytes);
    out->texts = xcalloc(n, sizeof *out->texts);
    out->ids = xcalloc(n * TINY_STUDENT_POSITIONS, sizeof *out->ids);
    out->types = xcalloc(n * TINY_STUDENT_POSITIONS, sizeof *out->types);
    for (size_t i = 0; i < n; i++) {
        int32_t *ids = out->ids + i * TINY_STUDENT_POSITIONS;
        int length = 1 + (int)(i * 5 % (TINY_STUDENT_POSITIONS - 1));
        for (int t = 0; t < length; t++) ids[t] = (int32_t)(random_bits(3, i, (uint64_t)t) % 70);
        out->texts[i] = (struct tape_text){
            .ids = ids, .types = out->types + i * TINY_STUDENT_POSITIONS, .length = length};
    }
    for (int l = 0; l < TAPS; l++) {
        out->z[l] = xcalloc(n * OUT, sizeof(float));
        out->d_z[l] = xcalloc(n * OUT, sizeof(float));
        for (size_t i = 0; i < n * OUT; i++) out->d_z[l][i] = test_value((uint64_t)(50 + l), i);
    }
    gradients_init(&out->gradients, &out->de.params);
}

static void step_close(struct step_case *step)
{
    tape_close(step->tape);
    pool_close(step->pool);
    for (int l = 0; l < TAPS; l++) free(step->z[l]), free(step->d_z[l]);
    free(step->texts), free(step->ids), free(step->types);
    gradients_free(&step->gradients);
    dual_encoder_free(&step->de);
}

static void step_run(struct step_case *step)
{
    const float *d_z[TAPS] = {step->d_z[0], step->d_z[1]};
    gradients_clear(&step->gradients, NULL);
    tape_forward(step->tape, NULL, step->texts, step->n, layers, TAPS, step->seed, step->z);
    tape_backward(step->tape, d_z, &step->gradients);
}

/* sum of d_z z, after a forward. */
static double functional(struct step_case *step)
{
    double sum = 0;
    encoder_refresh(&step->de.encoder);
    tape_forward(step->tape, NULL, step->texts, step->n, layers, TAPS, step->seed, step->z);
    for (int l = 0; l < TAPS; l++)
        for (size_t i = 0; i < step->n * OUT; i++) sum += (double)step->d_z[l][i] * step->z[l][i];
    return sum;
}

/* Along a random direction in one parameter. */
static void check_direction(struct step_case *step, const struct param *param, uint64_t stream)
{
    size_t size = params_param_size(param);
    float *values = step->de.params.values + param->offset;
    float *kept = xcalloc(size, sizeof *kept);
    double analytic = 0, size_of_step = 2e-3, scale = 0;
    memcpy(kept, values, size * sizeof *kept);
    for (size_t i = 0; i < size; i++) {
        double along = (double)step->gradients.values[param->offset + i] * test_value(stream, i);
        analytic += along;
        scale += fabs(along);
        values[i] = (float)(kept[i] + size_of_step * test_value(stream, i));
    }
    double up = functional(step);
    for (size_t i = 0; i < size; i++)
        values[i] = (float)(kept[i] - size_of_step * test_value(stream, i));
    double numeric = (up - functional(step)) / (2 * size_of_step);
    memcpy(values, kept, size * sizeof *kept);
    ck_assert_msg(fabs(numeric - analytic) <= 0.01 * scale + 2e-3, "%s: %g by differences, not %g",
                  param->name, numeric, analytic);
    free(kept);
}

static void check_gradients(uint64_t seed)
{
    struct step_case step;
    step_open(&step, FEW, 2, SIZE_MAX, seed);
    step_run(&step);
    double norm = 0;
    for (size_t i = 0; i < step.de.params.size; i++) norm += fabs((double)step.gradients.values[i]);
    ck_assert(norm > 1);
    for (size_t p = 0; p < step.de.params.count; p++)
        check_direction(&step, &step.de.params.list[p], 100 + p);
    step_close(&step);
}

START_TEST(gradients_are_those_of_differences)
{
    check_gradients(0);
}
END_TEST

START_TEST(gradients_with_dropout_are_those_of_its_masks)
{
    check_gradients(77);
}
END_TEST

static void expect_same_bytes(struct step_case *a, struct step_case *b)
{
    step_run(a);
    step_run(b);
    for (int l = 0; l < TAPS; l++)
        ck_assert(memcmp(a->z[l], b->z[l], a->n * OUT * sizeof(float)) == 0);
    ck_assert(memcmp(a->gradients.values, b->gradients.values, a->de.params.size * sizeof(float)) ==
              0);
}

START_TEST(recomputed_activations_give_the_same_bytes)
{
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct step_case kept, recomputed;
        step_open(&kept, MANY, 2, SIZE_MAX, seed);
        step_open(&recomputed, MANY, 2, 0, seed);
        expect_same_bytes(&kept, &recomputed);
        expect_same_bytes(&recomputed, &kept);
        step_close(&kept);
        step_close(&recomputed);
    }
}
END_TEST

START_TEST(lanes_are_deterministic)
{
    for (int threads = 1; threads <= 3; threads++) {
        struct step_case a, b;
        step_open(&a, MANY, threads, SIZE_MAX, 5);
        step_open(&b, MANY, threads, SIZE_MAX, 5);
        for (int repeat = 0; repeat < 3; repeat++) expect_same_bytes(&a, &b);
        step_close(&a);
        step_close(&b);
    }
}
END_TEST

START_TEST(pools_agree_but_for_the_order_of_sums)
{
    struct step_case one, three;
    step_open(&one, MANY, 1, 0, 0);
    step_open(&three, MANY, 3, 0, 0);
    step_run(&one);
    step_run(&three);
    for (int l = 0; l < TAPS; l++)
        ck_assert(memcmp(one.z[l], three.z[l], MANY * OUT * sizeof(float)) == 0);
    check_close(three.gradients.values, one.gradients.values, one.de.params.size, 1e-5);
    step_close(&one);
    step_close(&three);
}
END_TEST

START_TEST(dropout_follows_its_seed)
{
    struct step_case step;
    float first[FEW * OUT];
    step_open(&step, FEW, 1, SIZE_MAX, 9);
    step_run(&step);
    memcpy(first, step.z[1], sizeof first);
    step_run(&step);
    ck_assert_mem_eq(first, step.z[1], sizeof first);
    step.seed = 10;
    step_run(&step);
    ck_assert_mem_ne(first, step.z[1], sizeof first);
    step.seed = 0;
    step_run(&step);
    ck_assert_mem_ne(first, step.z[1], sizeof first);
    step_close(&step);
}
END_TEST

START_TEST(permuted_texts_permute_z)
{
    struct step_case step;
    uint32_t order[MANY];
    step_open(&step, MANY, 2, SIZE_MAX, 0);
    step_run(&step);
    float *expected = xcalloc(MANY * OUT, sizeof *expected);
    struct tape_text *texts = xcalloc(MANY, sizeof *texts);
    random_permutation(order, MANY, 1, 2);
    for (size_t i = 0; i < MANY; i++) {
        texts[i] = step.texts[order[i]];
        memcpy(expected + i * OUT, step.z[1] + order[i] * OUT, OUT * sizeof *expected);
    }
    memcpy(step.texts, texts, MANY * sizeof *texts);
    step_run(&step);
    check_close(step.z[1], expected, MANY * OUT, 1e-5);
    free(expected), free(texts);
    step_close(&step);
}
END_TEST

START_TEST(backward_adds)
{
    struct step_case step;
    const float *d_z[TAPS];
    step_open(&step, FEW, 1, SIZE_MAX, 0);
    step_run(&step);
    float *twice = xcalloc(step.de.params.size, sizeof *twice);
    for (size_t i = 0; i < step.de.params.size; i++) twice[i] = 2 * step.gradients.values[i];
    for (int l = 0; l < TAPS; l++) d_z[l] = step.d_z[l];
    tape_forward(step.tape, NULL, step.texts, step.n, layers, TAPS, 0, step.z);
    tape_backward(step.tape, d_z, &step.gradients);
    check_close(step.gradients.values, twice, step.de.params.size, 1e-6);
    free(twice);
    step_close(&step);
}
END_TEST

START_TEST(steps_of_other_sizes_may_follow)
{
    struct step_case large, small;
    step_open(&large, MANY, 2, SIZE_MAX, 0);
    step_open(&small, FEW, 2, SIZE_MAX, 0);
    step_run(&large);
    large.n = FEW;
    expect_same_bytes(&large, &small);
    step_close(&large);
    step_close(&small);
}
END_TEST

/* A few steps of AdamW, each on one text of its own. */
static void train_apart(struct step_case *step, bool by_rows)
{
    struct params *params = &step->de.params;
    const float *d_z[TAPS] = {step->d_z[0], step->d_z[1]};
    struct adamw adamw;
    for (size_t p = 0; p < params->count; p++) params->list[p].by_rows &= by_rows;
    tape_close(step->tape); /* its gradients have rows already */
    step->tape = dual_encoder_tape(&step->de, step->pool, SIZE_MAX);
    adamw_init(&adamw, params);
    ck_assert((adamw.gradients.table != NULL) == by_rows);
    for (size_t t = 0; t < 3 * FEW; t++) {
        gradients_clear(&adamw.gradients, step->pool);
        tape_forward(step->tape, &adamw, step->texts + t % FEW, 1, layers, TAPS, 0, step->z);
        tape_backward(step->tape, d_z, &adamw.gradients);
        adamw_step(&adamw, params, 1, 0.01, step->pool);
        encoder_refresh_by(&step->de.encoder, step->pool);
    }
    adamw_settle(&adamw, params, step->pool);
    adamw_free(&adamw);
}

START_TEST(training_by_rows_is_training_them_all)
{
    struct step_case some, all;
    step_open(&some, FEW, 2, SIZE_MAX, 0);
    step_open(&all, FEW, 2, SIZE_MAX, 0);
    train_apart(&some, true);
    train_apart(&all, false);
    ck_assert(memcmp(some.de.params.values, all.de.params.values,
                     all.de.params.size * sizeof(float)) == 0);
    step_close(&some);
    step_close(&all);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(gradients_are_those_of_differences),
                                    TEST(gradients_with_dropout_are_those_of_its_masks),
                                    TEST(recomputed_activations_give_the_same_bytes),
                                    TEST(lanes_are_deterministic),
                                    TEST(pools_agree_but_for_the_order_of_sums),
                                    TEST(dropout_follows_its_seed),
                                    TEST(permuted_texts_permute_z),
                                    TEST(backward_adds),
                                    TEST(steps_of_other_sizes_may_follow),
                                    TEST(training_by_rows_is_training_them_all),
                                    {0}};
    return run_tests("nn/tape", rows);
}
