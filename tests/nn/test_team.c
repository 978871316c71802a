/* A team's pass: the bytes of one thread's, whatever the shape and however many threads. */
#include "tests/support.h"

#include "data/threads.h"
#include "nn/dnn.h"
#include "nn/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 50, POSITIONS = 320, LAYERS = 2, MOST_THREADS = 7 };

/* Widths with whole and broken blocks of columns, fewer heads or columns than threads, a
 * projection of the embeddings. */
static const struct shape {
    int hidden, embedding, heads, inner;
    const char *model_type;
} shapes[] = {
    {140, 140, 5, 200, "bert"},
    {64, 64, 1, 128, "roberta"},
    {12, 12, 3, 20, "distilbert"},
    {96, 40, 4, 330, "electra"},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Tokens of each sequence, ended by 0; 300 are several blocks of rows. */
static const int batches[][6] = {{1, 0},        {2, 0},   {15, 0},
                                 {16, 0},       {17, 0},  {1, 1, 1, 0},
                                 {40, 3, 9, 0}, {300, 0}, {130, 1, 77, 25, 33, 0}};
enum { BATCHES = sizeof batches / sizeof *batches };

struct world {
    struct params params;
    struct encoder encoder;
    struct batch batch;
};

static void world_open(struct world *world, const struct shape *shape, enum precision precision)
{
    struct error err = {0};
    struct encoder_config config;
    struct hf_config hf = {.hidden_act = "gelu",
                           .vocab_size = VOCAB,
                           .hidden_size = shape->hidden,
                           .embedding_size = shape->embedding,
                           .num_layers = LAYERS,
                           .num_heads = shape->heads,
                           .intermediate_size = shape->inner,
                           .max_positions = POSITIONS,
                           .type_vocab_size = 2,
                           .pad_token_id = 1,
                           .layer_norm_eps = 1e-12,
                           .hidden_dropout = 0.2,
                           .attention_dropout = 0.1};
    snprintf(hf.model_type, sizeof hf.model_type, "%s", shape->model_type);
    *world = (struct world){0};
    check_ok(encoder_config_from_hf(&config, &hf, &err), &err);
    encoder_declare(&world->encoder, &config, &world->params);
    params_alloc(&world->params);
    encoder_init(&world->encoder, precision);
    params_init_random(&world->params, 0, (int)world->params.count, 0.4, 3);
    encoder_refresh(&world->encoder);
}

static void world_close(struct world *world)
{
    encoder_free(&world->encoder);
    params_free(&world->params);
    batch_free(&world->batch);
}

static void fill(struct batch *batch, const int *lengths)
{
    int32_t ids[POSITIONS], types[POSITIONS];
    batch_clear(batch);
    for (uint64_t s = 0; lengths[s]; s++) {
        for (int i = 0; i < lengths[s]; i++) {
            ids[i] = (int32_t)(random_bits(1, s, (uint64_t)i) % VOCAB);
            types[i] = i > lengths[s] / 2;
        }
        batch_add(batch, ids, types, (size_t)lengths[s]);
    }
}

struct forward {
    struct encoder_pass *pass;
    struct pool *pool;
};

static void forward_share(void *arg, size_t item, int worker)
{
    const struct forward *forward = arg;
    (void)worker;
    encoder_forward_share(forward->pass, (int)item, pool_team(forward->pool, 0));
}

static void check_hidden(const struct encoder_pass *actual, const struct encoder_pass *expected,
                         const struct world *world, struct forward_mode mode)
{
    size_t row = (size_t)world->encoder.config.hidden_size * sizeof(float);
    for (int l = 0; l <= mode.num_layers; l++) {
        bool first = mode.first_only && l == mode.num_layers;
        size_t rows = (size_t)(first ? world->batch.num_seqs : world->batch.num_tokens);
        ck_assert_mem_eq(encoder_hidden(actual, l), encoder_hidden(expected, l), rows * row);
    }
}

/* One after the other by the same pass, so that what the batch before left is there. */
static void check_mode(struct world *world, int threads, struct forward_mode mode)
{
    struct forward forward = {encoder_pass_open(&world->encoder), pool_open(threads)};
    struct encoder_pass *alone = encoder_pass_open(&world->encoder);
    for (int b = 0; b < BATCHES; b++) {
        fill(&world->batch, batches[b]);
        encoder_forward(alone, &world->batch, mode);
        encoder_forward_begin(forward.pass, &world->batch, mode, threads);
        pool_run_teams(forward.pool, 1, threads, forward_share, &forward);
        check_hidden(forward.pass, alone, world, mode);
    }
    encoder_pass_close(alone), encoder_pass_close(forward.pass);
    pool_close(forward.pool);
}

static bool is_fast(enum precision precision)
{
    return precision == PRECISION_BF16   ? dnn_has_fast_bf16()
           : precision == PRECISION_INT8 ? dnn_has_fast_int8()
                                         : true;
}

static void check_precision(enum precision precision)
{
    static const int threads[] = {1, 2, 3, MOST_THREADS};
    if (!is_fast(precision)) return;
    for (int s = 0; s < SHAPES; s++) {
        struct world world;
        world_open(&world, &shapes[s], precision);
        for (int t = 0; t < 4; t++) {
            check_mode(&world, threads[t], (struct forward_mode){.num_layers = 0});
            check_mode(&world, threads[t], (struct forward_mode){.num_layers = LAYERS});
            check_mode(&world, threads[t],
                       (struct forward_mode){.num_layers = LAYERS, .first_only = true});
            if (precision != PRECISION_INT8)
                check_mode(
                    &world, threads[t],
                    (struct forward_mode){
                        .num_layers = LAYERS, .keep = true, .dropout = true, .dropout_seed = 5});
        }
        world_close(&world);
    }
}

START_TEST(f32_has_the_bytes_of_one_thread)
{
    check_precision(PRECISION_F32);
}
END_TEST

START_TEST(bf16_has_the_bytes_of_one_thread)
{
    check_precision(PRECISION_BF16);
}
END_TEST

START_TEST(int8_has_the_bytes_of_one_thread)
{
    check_precision(PRECISION_INT8);
}
END_TEST

/* What a team kept, one thread goes down through. */
START_TEST(gradients_after_a_team_are_those_after_one_thread)
{
    struct world world;
    world_open(&world, &shapes[0], PRECISION_F32);
    struct forward_mode mode = {.num_layers = LAYERS, .keep = true};
    struct forward forward = {encoder_pass_open(&world.encoder), pool_open(2)};
    struct encoder_pass *alone = encoder_pass_open(&world.encoder);
    size_t size = world.params.size;
    float *by_team = xaligned(size, sizeof *by_team), *by_one = xaligned(size, sizeof *by_one);
    fill(&world.batch, batches[BATCHES - 1]);
    size_t count = (size_t)world.batch.num_tokens * (size_t)shapes[0].hidden;
    float *tap = xaligned(count, sizeof *tap);
    for (size_t i = 0; i < count; i++) tap[i] = test_value(5, i);
    encoder_forward(alone, &world.batch, mode);
    encoder_backward(alone, &world.batch, (const float *const[]){NULL, NULL, tap}, by_one);
    encoder_forward_begin(forward.pass, &world.batch, mode, 2);
    pool_run_teams(forward.pool, 1, 2, forward_share, &forward);
    encoder_backward(forward.pass, &world.batch, (const float *const[]){NULL, NULL, tap}, by_team);
    ck_assert_mem_eq(by_team, by_one, size * sizeof *by_one);
    encoder_pass_close(alone), encoder_pass_close(forward.pass);
    pool_close(forward.pool);
    free(by_team), free(by_one), free(tap);
    world_close(&world);
}
END_TEST

/* ---- a list with fewer batches than workers ---- */

struct taken {
    float *hidden; /* [tokens, hidden] */
    const struct sequences *sequences;
    int width;
};

static void take(void *arg, int worker, const struct encoder_pass *pass, const struct batch *batch,
                 const uint32_t *items)
{
    const struct taken *taken = arg;
    (void)worker;
    for (int s = 0; s < batch->num_seqs; s++)
        memcpy(taken->hidden + taken->sequences->offsets[items[s]] * (size_t)taken->width,
               encoder_hidden(pass, LAYERS) + (size_t)batch->offsets[s] * (size_t)taken->width,
               (size_t)(batch->offsets[s + 1] - batch->offsets[s]) * (size_t)taken->width *
                   sizeof(float));
}

/* 1, 2 and 5 batches of 300 tokens for 1 to 5 workers: teams of 5, 2 and 1. */
START_TEST(a_list_has_the_same_bytes_for_any_pool)
{
    enum { MOST = 5, LENGTH = 300 };
    struct world world;
    int32_t ids[MOST * LENGTH], types[MOST * LENGTH] = {0};
    size_t offsets[MOST + 1];
    int lengths[MOST];
    for (int i = 0; i < MOST * LENGTH; i++) ids[i] = i * 7 % VOCAB;
    for (size_t s = 0; s <= MOST; s++) offsets[s] = s * LENGTH;
    for (int s = 0; s < MOST; s++) lengths[s] = LENGTH;
    world_open(&world, &shapes[0], PRECISION_F32);
    size_t size = (size_t)MOST * LENGTH * (size_t)shapes[0].hidden;
    float *expected = xaligned(size, sizeof *expected), *actual = xaligned(size, sizeof *actual);
    for (size_t count = 1; count <= MOST; count += count == 1 ? 1 : 3)
        for (int threads = 1; threads <= 5; threads++) {
            struct sequences sequences = {
                .ids = ids, .types = types, .offsets = offsets, .lengths = lengths, .count = count};
            struct taken taken = {threads == 1 ? expected : actual, &sequences, shapes[0].hidden};
            struct pool *pool = pool_open(threads);
            struct encode_workers *workers = encode_workers_open(&world.encoder, pool);
            for (int again = 0; again < 2; again++)
                encode_sequences(workers, &sequences, LAYERS, take, &taken);
            if (threads > 1)
                ck_assert_mem_eq(actual, expected,
                                 count * LENGTH * (size_t)shapes[0].hidden * sizeof *actual);
            encode_workers_close(workers);
            pool_close(pool);
        }
    free(expected), free(actual);
    world_close(&world);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(f32_has_the_bytes_of_one_thread),
        TEST(bf16_has_the_bytes_of_one_thread),
        TEST(int8_has_the_bytes_of_one_thread),
        TEST(gradients_after_a_team_are_those_after_one_thread),
        TEST(a_list_has_the_same_bytes_for_any_pool),
        {0},
    };
    return run_tests("nn/team", rows);
}
