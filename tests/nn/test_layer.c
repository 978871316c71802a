/* The encoder's layers, dropout included, against a naive twin in double; its gradients against
 * finite differences of that twin; and the properties of a pass. */
#include "tests/support.h"

#include "data/threads.h"
#include "nn/dnn.h"
#include "nn/dropout.h"
#include "nn/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 23, MOST_TOKENS = 48, MOST_WIDTH = 40, MOST_LAYERS = 2 };

/* ---- the twin: straight from the formulas, one token and one head at a time ---- */

struct twin {
    const struct encoder_config *config;
    const struct params *params;
    const double *values; /* layout of params->values */
    const struct batch *batch;
    double dropout; /* 0: none */
    uint64_t seed;
};

typedef double table[MOST_TOKENS][3 * MOST_WIDTH];

static const double *named(const struct twin *t, const char *format, int layer, const char *end)
{
    char stem[112], name[160];
    snprintf(stem, sizeof stem, format, layer);
    snprintf(name, sizeof name, "%s%s", stem, end);
    int index = params_find(t->params, name);
    ck_assert_msg(index >= 0, "%s", name);
    return t->values + t->params->list[index].offset;
}

/* 1 / (1 - p) or 0, as the mask of `place` says for this token and element. */
static double mask(const struct twin *t, int layer, int place, int token, int element)
{
    if (t->dropout <= 0) return 1;
    struct dropout_masks masks = {t->dropout, t->seed, layer, place};
    struct dropout row = dropout_of_token(&masks, token);
    float ones[MOST_TOKENS + MOST_WIDTH], out[MOST_TOKENS + MOST_WIDTH];
    for (int i = 0; i <= element; i++) ones[i] = 1;
    kernels_portable.dropout(out, ones, (size_t)element + 1, &row);
    return out[element] == 0 ? 0 : 1 / (1 - t->dropout);
}

static void twin_linear(const struct twin *t, table y, table x, const char *name, int layer,
                        int outputs, int inputs)
{
    const double *w = named(t, name, layer, ".weight"), *b = named(t, name, layer, ".bias");
    for (int i = 0; i < t->batch->num_tokens; i++)
        for (int o = 0; o < outputs; o++) {
            y[i][o] = b[o];
            for (int j = 0; j < inputs; j++) y[i][o] += w[o * inputs + j] * x[i][j];
        }
}

static void twin_norm(const struct twin *t, table x, const char *name, int layer, int width)
{
    const double *gain = named(t, name, layer, ".weight"), *bias = named(t, name, layer, ".bias");
    for (int i = 0; i < t->batch->num_tokens; i++) {
        double mean = 0, variance = 0;
        for (int j = 0; j < width; j++) mean += x[i][j] / width;
        for (int j = 0; j < width; j++) variance += (x[i][j] - mean) * (x[i][j] - mean) / width;
        double scale = 1 / sqrt(variance + t->config->layer_norm_eps);
        for (int j = 0; j < width; j++) x[i][j] = gain[j] * (x[i][j] - mean) * scale + bias[j];
    }
}

/* Queries of one sequence, one head. */
static void twin_head(const struct twin *t, table context, table q, table k, table v, int layer,
                      int seq, int head)
{
    int size = t->config->hidden_size / t->config->num_heads, at = head * size;
    int start = t->batch->offsets[seq], end = t->batch->offsets[seq + 1];
    for (int i = start; i < end; i++) {
        double p[MOST_TOKENS], sum = 0;
        for (int j = start; j < end; j++) {
            double score = 0;
            for (int d = at; d < at + size; d++) score += q[i][d] * k[j][d];
            sum += p[j] = exp(score / sqrt(size));
        }
        for (int d = at; d < at + size; d++) context[i][d] = 0;
        for (int j = start; j < end; j++) {
            double kept = p[j] / sum * mask(t, layer, DROPOUT_PROBABILITIES + head, i, j - start);
            for (int d = at; d < at + size; d++) context[i][d] += kept * v[j][d];
        }
    }
}

static double twin_activation(double x, enum activation kind)
{
    if (kind == ACTIVATION_RELU) return x > 0 ? x : 0;
    if (kind == ACTIVATION_GELU) return 0.5 * x * erfc(-x / sqrt(2));
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x)));
}

/* x += drop(branch) */
static void twin_add(const struct twin *t, table x, table branch, int layer, int place)
{
    for (int i = 0; i < t->batch->num_tokens; i++)
        for (int j = 0; j < t->config->hidden_size; j++)
            x[i][j] += branch[i][j] * mask(t, layer, place, i, j);
}

static void twin_layer(const struct twin *t, table x, int layer)
{
    static table q, k, v, context, branch, inner;
    int hidden = t->config->hidden_size, size = t->config->intermediate_size;
    twin_linear(t, q, x, "encoder.layer.%d.attention.self.query", layer, hidden, hidden);
    twin_linear(t, k, x, "encoder.layer.%d.attention.self.key", layer, hidden, hidden);
    twin_linear(t, v, x, "encoder.layer.%d.attention.self.value", layer, hidden, hidden);
    for (int seq = 0; seq < t->batch->num_seqs; seq++)
        for (int head = 0; head < t->config->num_heads; head++)
            twin_head(t, context, q, k, v, layer, seq, head);
    twin_linear(t, branch, context, "encoder.layer.%d.attention.output.dense", layer, hidden,
                hidden);
    twin_add(t, x, branch, layer, DROPOUT_ATTENTION_OUTPUT);
    twin_norm(t, x, "encoder.layer.%d.attention.output.LayerNorm", layer, hidden);
    twin_linear(t, inner, x, "encoder.layer.%d.intermediate.dense", layer, size, hidden);
    for (int i = 0; i < t->batch->num_tokens; i++)
        for (int j = 0; j < size; j++)
            inner[i][j] = twin_activation(inner[i][j], t->config->activation);
    twin_linear(t, branch, inner, "encoder.layer.%d.output.dense", layer, hidden, size);
    twin_add(t, x, branch, layer, DROPOUT_OUTPUT);
    twin_norm(t, x, "encoder.layer.%d.output.LayerNorm", layer, hidden);
}

static void twin_embedding(const struct twin *t, table x)
{
    const struct encoder_config *config = t->config;
    const double *words = named(t, "embeddings.word_embeddings", 0, ".weight");
    const double *positions = named(t, "embeddings.position_embeddings", 0, ".weight");
    const double *types = NULL;
    static table narrow;
    int width = config->embedding_size;
    if (config->type_vocab_size > 0)
        types = named(t, "embeddings.token_type_embeddings", 0, ".weight");
    for (int seq = 0; seq < t->batch->num_seqs; seq++)
        for (int i = t->batch->offsets[seq]; i < t->batch->offsets[seq + 1]; i++)
            for (int j = 0; j < width; j++) {
                int position = config->first_position + i - t->batch->offsets[seq];
                x[i][j] = words[t->batch->ids[i] * width + j] + positions[position * width + j];
                if (types) x[i][j] += types[t->batch->types[i] * width + j];
            }
    twin_norm(t, x, "embeddings.LayerNorm", 0, width);
    for (int i = 0; i < t->batch->num_tokens; i++)
        for (int j = 0; j < width; j++) x[i][j] *= mask(t, 0, DROPOUT_EMBEDDINGS, i, j);
    if (width == config->hidden_size) return;
    memcpy(narrow, x, sizeof narrow);
    twin_linear(t, x, narrow, "embeddings_project", 0, config->hidden_size, width);
}

/* The loss sum over layers of <x_l, taps_l>, and x_l in states unless NULL; taps [layers + 1,
 * tokens, hidden]. */
static double twin_loss(const struct twin *t, const float *taps, float *states)
{
    static table x;
    double loss = 0;
    int hidden = t->config->hidden_size, tokens = t->batch->num_tokens;
    for (int layer = 0; layer <= t->config->num_layers; layer++) {
        if (layer == 0)
            twin_embedding(t, x);
        else
            twin_layer(t, x, layer - 1);
        for (int i = 0; i < tokens; i++)
            for (int j = 0; j < hidden; j++) {
                size_t at = ((size_t)layer * tokens + i) * hidden + j;
                loss += x[i][j] * taps[at];
                if (states) states[at] = (float)x[i][j];
            }
    }
    return loss;
}

/* ---- small encoders of every shape ---- */

struct trial {
    const char *family;
    enum activation activation;
    int hidden, embedding, heads, inner, layers;
    int lengths[4]; /* ended by 0 */
    double dropout;
};

static const struct trial trials[] = {
    {"bert", ACTIVATION_GELU, 12, 12, 3, 20, 2, {5, 3}, 0},
    {"bert", ACTIVATION_GELU, 12, 12, 3, 20, 2, {5, 3}, 0.2},
    {"electra", ACTIVATION_GELU_TANH, 14, 9, 2, 17, 1, {1}, 0.1},
    {"roberta", ACTIVATION_RELU, 15, 15, 3, 7, 2, {17, 1, 4}, 0},
    {"distilbert", ACTIVATION_GELU, 34, 34, 2, 33, 1, {17}, 0.3},
    {"electra", ACTIVATION_GELU, 8, 40, 1, 40, 1, {2, 26, 9}, 0},
};
enum { TRIALS = sizeof trials / sizeof *trials };

struct fixture {
    struct encoder_config config;
    struct params params;
    struct encoder encoder;
    struct batch batch;
    float *taps; /* [layers + 1, tokens, hidden] */
    size_t states;
};

static void fixture_open(struct fixture *f, const struct trial *trial, enum precision precision)
{
    struct hf_config hf = {.vocab_size = VOCAB,
                           .hidden_size = trial->hidden,
                           .embedding_size = trial->embedding,
                           .num_layers = trial->layers,
                           .num_heads = trial->heads,
                           .intermediate_size = trial->inner,
                           .max_positions = 30,
                           .type_vocab_size = 2,
                           .pad_token_id = 1,
                           .layer_norm_eps = 1e-5,
                           .hidden_dropout = trial->dropout,
                           .attention_dropout = trial->dropout,
                           .hidden_act = "gelu"};
    struct error err = {0};
    *f = (struct fixture){0};
    strcpy(hf.model_type, trial->family);
    check_ok(encoder_config_from_hf(&f->config, &hf, &err), &err);
    f->config.activation = trial->activation;
    encoder_declare(&f->encoder, &f->config, &f->params);
    params_alloc(&f->params);
    for (size_t i = 0; i < f->params.size; i++) f->params.values[i] = 0.7f * test_value(1, i);
    encoder_init(&f->encoder, precision);
    encoder_refresh(&f->encoder);
    for (int s = 0; s < 4 && trial->lengths[s]; s++) {
        int32_t ids[32], types[32];
        for (int i = 0; i < trial->lengths[s]; i++) {
            ids[i] = (int32_t)(random_bits(2, (uint64_t)s, (uint64_t)i) % VOCAB);
            types[i] = i % 3 == 1;
        }
        batch_add(&f->batch, ids, types, (size_t)trial->lengths[s]);
    }
    f->states = (size_t)(trial->layers + 1) * f->batch.num_tokens * trial->hidden;
    f->taps = xaligned(f->states, sizeof *f->taps);
    for (size_t i = 0; i < f->states; i++) f->taps[i] = test_value(3, i);
}

static void fixture_close(struct fixture *f)
{
    encoder_free(&f->encoder);
    params_free(&f->params);
    batch_free(&f->batch);
    free(f->taps);
}

static struct forward_mode training(const struct fixture *f)
{
    return (struct forward_mode){.num_layers = f->config.num_layers,
                                 .keep = true,
                                 .dropout = f->config.hidden_dropout > 0,
                                 .dropout_seed = 99};
}

/* Hidden states of all layers, end to end. */
static void collect(float *states, const struct encoder_pass *pass, const struct fixture *f)
{
    size_t one = (size_t)f->batch.num_tokens * f->config.hidden_size;
    for (int layer = 0; layer <= f->config.num_layers; layer++)
        memcpy(states + (size_t)layer * one, encoder_hidden(pass, layer), one * sizeof *states);
}

static void backward(struct encoder_pass *pass, const struct fixture *f, float *d_params)
{
    size_t one = (size_t)f->batch.num_tokens * f->config.hidden_size;
    const float *taps[MOST_LAYERS + 1] = {NULL};
    for (int layer = 0; layer <= f->config.num_layers; layer++)
        taps[layer] = f->taps + (size_t)layer * one;
    encoder_backward(pass, &f->batch, taps, d_params);
}

static struct twin twin_of(const struct fixture *f, double *values)
{
    for (size_t i = 0; i < f->params.size; i++) values[i] = f->params.values[i];
    return (struct twin){.config = &f->config,
                         .params = &f->params,
                         .values = values,
                         .batch = &f->batch,
                         .dropout = f->config.hidden_dropout,
                         .seed = 99};
}

/* Observed: 3e-6. */
START_TEST(hidden_states_equal_the_twin)
{
    for (int i = 0; i < TRIALS; i++) {
        struct fixture f;
        fixture_open(&f, &trials[i], PRECISION_F32);
        float *want = xaligned(f.states, 4), *got = xaligned(f.states, 4);
        double *values = xaligned(f.params.size, sizeof *values);
        struct twin twin = twin_of(&f, values);
        struct encoder_pass *pass = encoder_pass_open(&f.encoder);
        twin_loss(&twin, f.taps, want);
        encoder_forward(pass, &f.batch, training(&f));
        collect(got, pass, &f);
        check_close(got, want, f.states, 2e-5);
        struct forward_mode scoring = training(&f);
        scoring.keep = false; /* what is kept changes no value */
        encoder_forward(pass, &f.batch, scoring);
        collect(want, pass, &f);
        ck_assert_mem_eq(got, want, f.states * sizeof *got);
        encoder_pass_close(pass);
        free(want), free(got), free(values);
        fixture_close(&f);
    }
}
END_TEST

/* d loss / d values[at], by central differences of the twin: error about 1e-8. */
static double difference(const struct twin *twin, double *values, size_t at, const float *taps)
{
    double was = values[at], step = 1e-5;
    values[at] = was + step;
    double high = twin_loss(twin, taps, NULL);
    values[at] = was - step;
    double low = twin_loss(twin, taps, NULL);
    values[at] = was;
    return (high - low) / (2 * step);
}

/* Three values of each parameter; gradients start at 1, since backward adds.  Observed: 4e-6. */
static void check_gradients(const struct fixture *f)
{
    float *d_params = xaligned(f->params.size, sizeof *d_params);
    double *values = xaligned(f->params.size, sizeof *values);
    struct twin twin = twin_of(f, values);
    struct encoder_pass *pass = encoder_pass_open(&f->encoder);
    for (size_t i = 0; i < f->params.size; i++) d_params[i] = 1;
    encoder_forward(pass, &f->batch, training(f));
    backward(pass, f, d_params);
    for (size_t p = 0; p < f->params.count; p++) {
        const struct param *param = &f->params.list[p];
        double largest = 1;
        for (size_t i = 0; i < params_param_size(param); i++)
            largest = fmax(largest, fabs((double)d_params[param->offset + i]));
        for (uint64_t draw = 0; draw < 3; draw++) {
            size_t at = param->offset + random_bits(4, p, draw) % params_param_size(param);
            double want = 1 + difference(&twin, values, at, f->taps), got = d_params[at];
            ck_assert_msg(fabs(got - want) <= 1e-4 * largest, "%s[%zu]: %.9g, expected %.9g",
                          param->name, at - param->offset, got, want);
        }
    }
    encoder_pass_close(pass);
    free(d_params), free(values);
}

START_TEST(gradients_equal_differences_of_the_twin)
{
    for (int i = 0; i < TRIALS; i++) {
        struct fixture f;
        fixture_open(&f, &trials[i], PRECISION_F32);
        check_gradients(&f);
        fixture_close(&f);
    }
}
END_TEST

/* ---- properties of a pass ---- */

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
        TEST(hidden_states_equal_the_twin),
        TEST(gradients_equal_differences_of_the_twin),
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
    return run_tests("nn/layer", rows);
}
