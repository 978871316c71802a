/* See encoder_twin.h. */
#include "tests/encoder_twin.h"
#include "tests/support.h"

#include "nn/dropout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 48, MOST_WIDTH = 40 };

/* ---- the twin ---- */

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

double twin_loss(const struct twin *t, const float *taps, float *states)
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

const struct trial trials[TRIALS] = {
    {"bert", ACTIVATION_GELU, 12, 12, 3, 20, 2, {5, 3}, 0},
    {"bert", ACTIVATION_GELU, 12, 12, 3, 20, 2, {5, 3}, 0.2},
    {"electra", ACTIVATION_GELU_TANH, 14, 9, 2, 17, 1, {1}, 0.1},
    {"roberta", ACTIVATION_RELU, 15, 15, 3, 7, 2, {17, 1, 4}, 0},
    {"distilbert", ACTIVATION_GELU, 34, 34, 2, 33, 1, {17}, 0.3},
    {"electra", ACTIVATION_GELU, 8, 40, 1, 40, 1, {2, 26, 9}, 0},
};
void fixture_open(struct fixture *f, const struct trial *trial, enum precision precision)
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

void fixture_close(struct fixture *f)
{
    encoder_free(&f->encoder);
    params_free(&f->params);
    batch_free(&f->batch);
    free(f->taps);
}

struct forward_mode training(const struct fixture *f)
{
    return (struct forward_mode){.num_layers = f->config.num_layers,
                                 .keep = true,
                                 .dropout = f->config.hidden_dropout > 0,
                                 .dropout_seed = 99};
}

void collect(float *states, const struct encoder_pass *pass, const struct fixture *f)
{
    size_t one = (size_t)f->batch.num_tokens * f->config.hidden_size;
    for (int layer = 0; layer <= f->config.num_layers; layer++)
        memcpy(states + (size_t)layer * one, encoder_hidden(pass, layer), one * sizeof *states);
}

void backward(struct encoder_pass *pass, const struct fixture *f, float *d_params)
{
    size_t one = (size_t)f->batch.num_tokens * f->config.hidden_size;
    const float *taps[MOST_LAYERS + 1] = {NULL};
    for (int layer = 0; layer <= f->config.num_layers; layer++)
        taps[layer] = f->taps + (size_t)layer * one;
    encoder_backward(pass, &f->batch, taps, d_params);
}

struct twin twin_of(const struct fixture *f, double *values)
{
    for (size_t i = 0; i < f->params.size; i++) values[i] = f->params.values[i];
    return (struct twin){.config = &f->config,
                         .params = &f->params,
                         .values = values,
                         .batch = &f->batch,
                         .dropout = f->config.hidden_dropout,
                         .seed = 99};
}
