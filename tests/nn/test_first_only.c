/* nn/encoder: forward_mode.first_only gives the first tokens' rows of the whole forward. */
#include "nn/encoder.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

enum { VOCAB = 50, HIDDEN = 24, LAYERS = 3, SEQUENCES = 9 };

struct world {
    struct params params;
    struct encoder encoder;
    struct batch batch;
};

static void world_open(struct world *world, enum precision precision)
{
    const struct hf_config hf = {.model_type = "bert",
                                 .hidden_act = "gelu",
                                 .vocab_size = VOCAB,
                                 .hidden_size = HIDDEN,
                                 .num_layers = LAYERS,
                                 .num_heads = 3,
                                 .intermediate_size = 40,
                                 .max_positions = 64,
                                 .type_vocab_size = 2,
                                 .layer_norm_eps = 1e-12};
    struct error err = {0};
    struct encoder_config config;
    *world = (struct world){0};
    check_ok(encoder_config_from_hf(&config, &hf, &err), &err);
    encoder_declare(&world->encoder, &config, &world->params);
    params_alloc(&world->params);
    encoder_init(&world->encoder, precision);
    params_init_random(&world->params, 0, (int)world->params.count, 0.4, 3);
    encoder_refresh(&world->encoder);
    for (int s = 0; s < SEQUENCES; s++) {
        int32_t ids[64], types[64];
        size_t length = (size_t)(1 + s * 17 % 40); /* 1, 18, 35, 12, ... */
        for (size_t i = 0; i < length; i++) {
            ids[i] = (int32_t)(random_bits(1, (uint64_t)s, i) % VOCAB);
            types[i] = i > length / 2;
        }
        batch_add(&world->batch, ids, types, length);
    }
}

static void world_close(struct world *world)
{
    encoder_free(&world->encoder);
    params_free(&world->params);
    batch_free(&world->batch);
}

static void check_first(enum precision precision, int num_layers, double tolerance)
{
    struct world world;
    world_open(&world, precision);
    struct encoder_pass *whole = encoder_pass_open(&world.encoder),
                        *first = encoder_pass_open(&world.encoder);
    encoder_forward(whole, &world.batch, (struct forward_mode){.num_layers = num_layers});
    encoder_forward(first, &world.batch,
                    (struct forward_mode){.num_layers = num_layers, .first_only = true});
    const float *all = encoder_hidden(whole, num_layers);
    float expected[SEQUENCES * HIDDEN];
    for (int s = 0; s < SEQUENCES; s++)
        memcpy(expected + s * HIDDEN, all + world.batch.offsets[s] * HIDDEN,
               HIDDEN * sizeof(float));
    check_close(encoder_hidden(first, num_layers), expected, SEQUENCES * HIDDEN, tolerance);
    for (int l = 0; l < num_layers; l++) /* lower layers are whole */
        ck_assert_mem_eq(encoder_hidden(first, l), encoder_hidden(whole, l),
                         (size_t)world.batch.num_tokens * HIDDEN * sizeof(float));
    encoder_pass_close(whole);
    encoder_pass_close(first);
    world_close(&world);
}

START_TEST(first_tokens_alone_are_the_same)
{
    struct error err = {0};
    enum precision bf16 = PRECISION_BF16;
    bool has_bf16 = precision_resolve(&bf16, &err) == 0;
    for (int layers = 1; layers <= LAYERS; layers++) {
        check_first(PRECISION_F32, layers, 1e-6);
        if (has_bf16) check_first(PRECISION_BF16, layers, 1e-6);
    }
}
END_TEST

/* A pass may be used for both in turn. */
START_TEST(modes_may_alternate)
{
    struct world world;
    world_open(&world, PRECISION_F32);
    const size_t size = SEQUENCES * HIDDEN * sizeof(float);
    const struct forward_mode whole = {.num_layers = LAYERS},
                              first = {.num_layers = LAYERS, .first_only = true};
    struct encoder_pass *pass = encoder_pass_open(&world.encoder);
    encoder_forward(pass, &world.batch, first);
    float *before = xmalloc(size);
    memcpy(before, encoder_hidden(pass, LAYERS), size);
    encoder_forward(pass, &world.batch, whole);
    encoder_forward(pass, &world.batch, first);
    ck_assert_mem_eq(encoder_hidden(pass, LAYERS), before, size);
    free(before);
    encoder_pass_close(pass);
    world_close(&world);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(first_tokens_alone_are_the_same), TEST(modes_may_alternate), {0}};
    return run_tests("nn/first_only", rows);
}
