/* The properties of an encoder's pass: repeatable, independent of neighbours and threads. */
#include "tests/encoder_twin.h"
#include "tests/support.h"

#include "data/threads.h"
#include "nn/dnn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const enum precision both[] = {PRECISION_F32, PRECISION_BF16};

static int num_precisions(void)
{
    return dnn_has_fast_bf16() ? 2 : 1;
}

/* A used pass, whose surplus rows (37 tokens are 40 rows) were tokens of the batch before, gives
 * the bytes of a fresh one. */
START_TEST(the_same_batch_gives_the_same_bytes)
{
    for (int p = 0; p < num_precisions(); p++) {
        struct fixture f, longer;
        fixture_open(&f, &trials[5], both[p]);
        fixture_open(&longer, &trials[5], both[p]);
        batch_add(&longer.batch, (int32_t[]){7, 8, 9}, NULL, 3);
        longer.states += 3 * (size_t)f.config.hidden_size * 2;
        free(longer.taps);
        longer.taps = xaligned(longer.states, sizeof *longer.taps);
        for (size_t i = 0; i < longer.states; i++) longer.taps[i] = 1;
        size_t size = f.params.size;
        float *first = xaligned(size, 4), *second = xaligned(size, 4), *spoiled = xaligned(size, 4);
        struct encoder_pass *pass = encoder_pass_open(&f.encoder);
        encoder_forward(pass, &f.batch, training(&f));
        backward(pass, &f, first);
        encoder_forward(pass, &longer.batch, training(&f));
        backward(pass, &longer, spoiled);
        encoder_forward(pass, &f.batch, training(&f));
        backward(pass, &f, second);
        ck_assert_mem_eq(first, second, size * 4);
        encoder_pass_close(pass);
        free(first), free(second), free(spoiled);
        fixture_close(&f), fixture_close(&longer);
    }
}
END_TEST

START_TEST(a_sequence_does_not_see_its_neighbours)
{
    for (int p = 0; p < num_precisions(); p++) {
        struct fixture f;
        fixture_open(&f, &trials[5], both[p]);
        struct encoder_pass *pass = encoder_pass_open(&f.encoder), *alone;
        struct batch single = {0};
        int start = f.batch.offsets[1], end = f.batch.offsets[2], hidden = f.config.hidden_size;
        batch_add(&single, f.batch.ids + start, f.batch.types + start, (size_t)(end - start));
        alone = encoder_pass_open(&f.encoder);
        encoder_forward(pass, &f.batch, (struct forward_mode){.num_layers = 1});
        encoder_forward(alone, &single, (struct forward_mode){.num_layers = 1});
        check_close(encoder_hidden(pass, 1) + (size_t)start * hidden, encoder_hidden(alone, 1),
                    (size_t)(end - start) * hidden, p ? 0.02 : 2e-6);
        encoder_pass_close(pass), encoder_pass_close(alone);
        batch_free(&single);
        fixture_close(&f);
    }
}
END_TEST

/* 300 tokens go by several blocks of rows; the parts by one each. */
START_TEST(gradients_of_a_batch_are_the_sum_of_its_parts)
{
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_F32);
    size_t size = f.params.size, hidden = 12;
    float *whole = xaligned(size, 4), *parts = xaligned(size, 4), *tap = xaligned(300 * hidden, 4);
    for (size_t i = 0; i < 300 * hidden; i++) tap[i] = test_value(5, i);
    struct encoder_pass *pass = encoder_pass_open(&f.encoder);
    struct encoder_pass *alone = encoder_pass_open(&f.encoder);
    struct batch all = {0}, one = {0};
    int32_t ids[15];
    struct forward_mode mode = {.num_layers = 2, .keep = true};
    for (int s = 0; s < 20; s++) {
        for (int i = 0; i < 15; i++)
            ids[i] = (int32_t)(random_bits(6, (uint64_t)s, (uint64_t)i) % VOCAB);
        batch_add(&all, ids, NULL, 15);
    }
    encoder_forward(pass, &all, mode);
    encoder_backward(pass, &all, (const float *const[]){NULL, NULL, tap}, whole);
    for (int s = 0; s < 20; s++) {
        const float *part = tap + (size_t)s * 15 * hidden;
        batch_clear(&one);
        batch_add(&one, all.ids + s * 15, NULL, 15);
        encoder_forward(alone, &one, mode);
        check_close(encoder_hidden(pass, 2) + (size_t)s * 15 * hidden, encoder_hidden(alone, 2),
                    15 * hidden, 2e-6);
        encoder_backward(alone, &one, (const float *const[]){NULL, NULL, part}, parts);
    }
    check_close(whole, parts, size, 1e-5);
    encoder_pass_close(pass), encoder_pass_close(alone);
    batch_free(&all), batch_free(&one);
    free(whole), free(parts), free(tap);
    fixture_close(&f);
}
END_TEST

START_TEST(stopping_early_gives_the_lower_layers)
{
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_F32);
    struct encoder_pass *whole = encoder_pass_open(&f.encoder);
    struct encoder_pass *part = encoder_pass_open(&f.encoder);
    size_t bytes = (size_t)f.batch.num_tokens * f.config.hidden_size * sizeof(float);
    encoder_forward(whole, &f.batch, (struct forward_mode){.num_layers = 2});
    encoder_forward(part, &f.batch, (struct forward_mode){.num_layers = 1});
    ck_assert_mem_eq(encoder_hidden(whole, 1), encoder_hidden(part, 1), bytes);
    encoder_pass_close(whole), encoder_pass_close(part);
    fixture_close(&f);
}
END_TEST

/* Blocks above the highest tap get no gradient; without any tap nothing changes. */
START_TEST(untapped_layers_get_no_gradient)
{
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_F32);
    struct encoder_pass *pass = encoder_pass_open(&f.encoder);
    float *d_params = xaligned(f.params.size, 4), *zeros = xaligned(f.params.size, 4);
    encoder_forward(pass, &f.batch, training(&f));
    encoder_backward(pass, &f.batch, (const float *const[]){NULL, NULL, NULL}, d_params);
    ck_assert_mem_eq(d_params, zeros, f.params.size * 4);
    encoder_backward(pass, &f.batch, (const float *const[]){NULL, f.taps, NULL}, d_params);
    size_t upper =
        f.params.list[params_find(&f.params, "encoder.layer.1.attention.self.query.weight")].offset;
    ck_assert_mem_eq(d_params + upper, zeros, (f.params.size - upper) * 4);
    ck_assert(d_params[upper - 1] != 0);
    encoder_pass_close(pass);
    free(d_params), free(zeros);
    fixture_close(&f);
}
END_TEST

/* ---- several threads on one encoder ---- */

enum { ROUNDS = 12 };

struct shared_work {
    const struct fixture *f;
    float *grads[ROUNDS];
};

static void work(void *arg, size_t item, int worker)
{
    struct shared_work *shared_work = arg;
    (void)worker;
    struct encoder_pass *pass = encoder_pass_open(&shared_work->f->encoder);
    encoder_forward(pass, &shared_work->f->batch, training(shared_work->f));
    backward(pass, shared_work->f, shared_work->grads[item]);
    encoder_pass_close(pass);
}

START_TEST(threads_share_an_encoder)
{
    for (int p = 0; p < num_precisions(); p++) {
        struct fixture f;
        fixture_open(&f, &trials[1], both[p]);
        struct shared_work all = {.f = &f};
        struct pool *pool = pool_open(3);
        for (int i = 0; i < ROUNDS; i++) all.grads[i] = xaligned(f.params.size, 4);
        pool_run(pool, ROUNDS, work, &all);
        for (int i = 1; i < ROUNDS; i++)
            ck_assert_mem_eq(all.grads[i], all.grads[0], f.params.size * 4);
        for (int i = 0; i < ROUNDS; i++) free(all.grads[i]);
        pool_close(pool);
        fixture_close(&f);
    }
}
END_TEST

/* ---- dropout ---- */

START_TEST(dropout_follows_its_seed)
{
    struct fixture f;
    fixture_open(&f, &trials[1], PRECISION_F32);
    float *plain = xaligned(f.states, 4), *dropped = xaligned(f.states, 4);
    float *again = xaligned(f.states, 4);
    struct forward_mode mode = training(&f);
    struct encoder_pass *pass = encoder_pass_open(&f.encoder);
    encoder_forward(pass, &f.batch, mode);
    collect(dropped, pass, &f);
    mode.dropout_seed++;
    encoder_forward(pass, &f.batch, mode);
    collect(again, pass, &f);
    ck_assert_mem_ne(dropped, again, f.states * 4);
    mode.dropout = false;
    encoder_forward(pass, &f.batch, mode);
    collect(plain, pass, &f);
    ck_assert_mem_ne(dropped, plain, f.states * 4);
    size_t one = (size_t)f.batch.num_tokens * f.config.hidden_size, zeros = 0;
    for (size_t i = 0; i < one; i++) { /* the embeddings are scaled or zero, nothing else */
        zeros += dropped[i] == 0;
        ck_assert(dropped[i] == 0 || fabsf(dropped[i] - plain[i] / 0.8f) < 1e-6f);
    }
    ck_assert_uint_gt(zeros, 5); /* of 96, 19 expected */
    ck_assert_uint_lt(zeros, 36);
    encoder_pass_close(pass);
    free(plain), free(dropped), free(again);
    fixture_close(&f);
}
END_TEST

START_TEST(memory_plans_grow_with_tokens_and_layers)
{
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_F32);
    size_t two = encoder_kept_bytes(&f.config, 2, 1000, PRECISION_F32);
    size_t half = encoder_kept_bytes(&f.config, 2, 500, PRECISION_F32);
    size_t one = encoder_kept_bytes(&f.config, 1, 1000, PRECISION_F32);
    ck_assert_uint_lt(encoder_kept_bytes(&f.config, 2, 1000, PRECISION_BF16), two);
    ck_assert_double_eq_tol((double)two / (double)half, 2, 0.1);
    /* one block: hidden 4 (qkv 3, context, attended, two normals, output) and inner, of f32 */
    ck_assert_double_eq_tol((double)(two - one), 1000 * 4 * (8 * 12 + 20 + 2), 2000);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(the_same_batch_gives_the_same_bytes),
        TEST(a_sequence_does_not_see_its_neighbours),
        TEST(gradients_of_a_batch_are_the_sum_of_its_parts),
        TEST(stopping_early_gives_the_lower_layers),
        TEST(untapped_layers_get_no_gradient),
        TEST(threads_share_an_encoder),
        TEST(dropout_follows_its_seed),
        TEST(memory_plans_grow_with_tokens_and_layers),
        {0},
    };
    return run_tests("nn/pass", rows);
}
