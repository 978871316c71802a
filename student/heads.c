/* From a layer's hidden states to z: pooling and projection, and their gradients.
 *
 * These are a thousandth of the encoder's work, so plain loops serve. */
#include "student/dual_encoder.h"

#include <math.h>
#include <string.h>

/* Tokens that sequence s pools: all of them (mean) or the first (CLS). */
static int pooled_tokens(const struct dual_encoder *de, const struct batch *batch, int s)
{
    return de->pooling == POOLING_CLS ? 1 : batch->offsets[s + 1] - batch->offsets[s];
}

/* pooled[s] = mean of hidden[t] over the sequence's pooled tokens */
static void pool_forward(float *pooled, const float *hidden, const struct dual_encoder *de,
                         const struct batch *batch)
{
    int width = de->encoder.config.hidden_size;
    for (int s = 0; s < batch->num_seqs; s++) {
        float *out = pooled + (size_t)s * width;
        const float *first = hidden + (size_t)batch->offsets[s] * width;
        int tokens = pooled_tokens(de, batch, s);
        memset(out, 0, (size_t)width * sizeof *out);
        for (int t = 0; t < tokens; t++)
            for (int j = 0; j < width; j++) out[j] += first[(size_t)t * width + j];
        for (int j = 0; j < width; j++) out[j] /= (float)tokens;
    }
}

/* d_hidden[t] = d_pooled[s] / tokens for pooled tokens, 0 for others */
static void pool_backward(float *d_hidden, const float *d_pooled, const struct dual_encoder *de,
                          const struct batch *batch)
{
    int width = de->encoder.config.hidden_size;
    for (int s = 0; s < batch->num_seqs; s++) {
        const float *in = d_pooled + (size_t)s * width;
        int tokens = pooled_tokens(de, batch, s);
        for (int t = batch->offsets[s]; t < batch->offsets[s + 1]; t++) {
            float *out = d_hidden + (size_t)t * width;
            bool takes_part = t - batch->offsets[s] < tokens;
            for (int j = 0; j < width; j++) out[j] = takes_part ? in[j] / (float)tokens : 0;
        }
    }
}

/* z[i] = b[i] + sum_j P[i][j] x[j], or tanh of it */
static float projected(const struct dual_encoder *de, const float *x, int i)
{
    int in = de->encoder.config.hidden_size;
    const float *row = params_values(&de->params, de->projection_weight) + (size_t)i * in;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < in; j++) sum += row[j] * x[j];
    if (de->projection_bias >= 0) sum += params_values(&de->params, de->projection_bias)[i];
    return de->activation == DENSE_TANH ? tanhf(sum) : sum;
}

static void project_forward(float *z, const float *pooled, const struct dual_encoder *de, int n)
{
    int in = de->encoder.config.hidden_size, out = de->output_size;
    for (int s = 0; s < n; s++)
        for (int i = 0; i < out; i++)
            z[(size_t)s * out + i] = projected(de, pooled + (size_t)s * in, i);
}

/* g = d_z[s][i], times 1 - z[s][i]^2 after a tanh, whose z is made again (a thousandth of the
 * work);  d_P[i][j] += g pooled[s][j];  d_b[i] += g;  d_pooled[s][j] = sum_i g P[i][j] */
static void project_backward(float *d_pooled, float *d_params, const float *d_z,
                             const float *pooled, const struct dual_encoder *de, int n)
{
    int in = de->encoder.config.hidden_size, out = de->output_size;
    const struct param *row = &de->params.list[de->projection_weight];
    const float *weight = params_values(&de->params, de->projection_weight);
    float *d_weight = d_params + row->offset;
    float *d_bias =
        de->projection_bias < 0 ? NULL : d_params + de->params.list[de->projection_bias].offset;
    memset(d_pooled, 0, (size_t)n * in * sizeof *d_pooled);
    for (int s = 0; s < n; s++)
        for (int i = 0; i < out; i++) {
            float g = d_z[(size_t)s * out + i];
            if (de->activation == DENSE_TANH) {
                float y = projected(de, pooled + (size_t)s * in, i);
                g *= 1 - y * y;
            }
            const float *w = weight + (size_t)i * in, *x = pooled + (size_t)s * in;
            float *d_w = d_weight + (size_t)i * in, *d_x = d_pooled + (size_t)s * in;
            for (int j = 0; j < in; j++) d_w[j] += g * x[j], d_x[j] += g * w[j];
            if (d_bias) d_bias[i] += g;
        }
}

void dual_encoder_heads(const struct dual_encoder *de, const struct encoder_pass *pass,
                        const struct batch *batch, int layer, float *pooled, float *z)
{
    pool_forward(pooled, encoder_hidden(pass, layer), de, batch);
    if (de->projection_weight >= 0)
        project_forward(z, pooled, de, batch->num_seqs);
    else if (z != pooled)
        memcpy(z, pooled, (size_t)batch->num_seqs * de->output_size * sizeof *z);
}

void dual_encoder_heads_backward(const struct dual_encoder *de, const struct batch *batch,
                                 const float *pooled, const float *d_z, float *d_pooled,
                                 float *d_hidden, float *d_params)
{
    if (de->projection_weight >= 0) {
        project_backward(d_pooled, d_params, d_z, pooled, de, batch->num_seqs);
        d_z = d_pooled;
    }
    pool_backward(d_hidden, d_z, de, batch);
}

static void tape_heads(const void *model, const struct encoder_pass *pass,
                       const struct batch *batch, int layer, float *kept, float *out)
{
    dual_encoder_heads(model, pass, batch, layer, kept, out);
}

static void tape_heads_backward(const void *model, const struct batch *batch, const float *kept,
                                const float *d_out, float *scratch, float *d_hidden,
                                float *d_params)
{
    dual_encoder_heads_backward(model, batch, kept, d_out, scratch, d_hidden, d_params);
}

struct tape *dual_encoder_tape(const struct dual_encoder *de, struct pool *pool, size_t keep_bytes)
{
    const struct tape_head head = {.model = de,
                                   .output_size = de->output_size,
                                   .kept_size = de->encoder.config.hidden_size,
                                   .forward = tape_heads,
                                   .backward = tape_heads_backward};
    return tape_open(&de->encoder, &head, pool, keep_bytes);
}

void vectors_cut(float *out, const float *z, size_t n, int from, int dim, bool normalize)
{
    for (size_t i = 0; i < n; i++) {
        const float *in = z + i * (size_t)from;
        float *row = out + i * (size_t)dim;
        double squares = 0;
        for (int j = 0; j < dim; j++) squares += (double)in[j] * in[j];
        double factor = normalize && squares > 0 ? 1 / sqrt(squares) : 1;
        for (int j = 0; j < dim; j++) row[j] = (float)(in[j] * factor);
    }
}
