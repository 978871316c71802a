#include "teacher/mimetic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAM_MIMETIC = 0xe00 };
static const double self_logit = 3, value_scale = 0.7, longest_wave = 10000;

/* A random orthogonal matrix: Gram-Schmidt on normal rows, each taken twice for accuracy. */
static double *random_orthogonal(size_t n, uint64_t seed, uint64_t stream)
{
    double *rows = xcalloc(n * n, sizeof *rows);
    for (size_t i = 0; i < n * n; i++) rows[i] = random_normal(seed, stream, i);
    for (size_t i = 0; i < n; i++) {
        double *row = rows + i * n, squares = 0;
        for (int pass = 0; pass < 2; pass++)
            for (size_t k = 0; k < i; k++) {
                double dot = 0;
                for (size_t j = 0; j < n; j++) dot += row[j] * rows[k * n + j];
                for (size_t j = 0; j < n; j++) row[j] -= dot * rows[k * n + j];
            }
        for (size_t j = 0; j < n; j++) squares += row[j] * row[j];
        for (size_t j = 0; j < n; j++) row[j] /= sqrt(squares);
    }
    return rows;
}

/* The block's matrix becomes scale * m, or its transpose. */
static void set(struct encoder *encoder, int block, const char *name, const double *m, double scale,
                bool transposed)
{
    char full[112];
    snprintf(full, sizeof full, "encoder.layer.%d.attention.%s.weight", block, name);
    int row = params_find(encoder->params, full);
    REQUIRE(row >= 0);
    float *values = params_values(encoder->params, row);
    size_t n = (size_t)encoder->config.hidden_size;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            values[i * n + j] = (float)(scale * m[transposed ? j * n + i : i * n + j]);
}

void mimetic_attention(struct encoder *encoder, uint64_t seed)
{
    const struct encoder_config *config = &encoder->config;
    size_t n = (size_t)config->hidden_size;
    double head_size = (double)config->hidden_size / config->num_heads;
    /* A head's share of |x|^2 = n is head_size; the logit is divided by sqrt(head_size). */
    double scale = sqrt(self_logit / sqrt(head_size));
    for (int block = 0; block < config->num_layers; block++) {
        uint64_t stream = STREAM_MIMETIC + 2 * (uint64_t)block;
        double *likeness = random_orthogonal(n, seed, stream),
               *value = random_orthogonal(n, seed, stream + 1);
        set(encoder, block, "self.query", likeness, scale, false);
        set(encoder, block, "self.key", likeness, scale, false);
        set(encoder, block, "self.value", value, value_scale, false);
        set(encoder, block, "output.dense", value, -value_scale, true);
        free(likeness);
        free(value);
    }
}

void mimetic_positions(struct encoder *encoder, double deviation)
{
    int row = params_find(encoder->params, "embeddings.position_embeddings.weight");
    REQUIRE(row >= 0);
    float *values = params_values(encoder->params, row);
    int positions = encoder->config.max_positions, dim = encoder->config.embedding_size;
    for (int p = 0; p < positions; p++)
        for (int i = 0; i < dim; i++) {
            double angle = p / pow(longest_wave, 2 * (i / 2) / (double)dim);
            double wave = i % 2 ? cos(angle) : sin(angle);
            values[(size_t)p * (size_t)dim + (size_t)i] = (float)(sqrt(2) * deviation * wave);
        }
}
