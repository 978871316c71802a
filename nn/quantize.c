/* Quantising weights: see quantize.h. */
#include "nn/quantize.h"

#include "data/guard.h"

#include <math.h>
#include <stdlib.h>

/* factor [inputs] from what the channels reach.  A channel that was not seen to reach a thousandth
 * of the mean is taken to: another text may.  Where no weight reads a channel, 0: it does not
 * matter. */
static void choose_factors(float *factor, const float *weights, int outputs, int inputs,
                           const float *largest)
{
    double mean = 0;
    for (int k = 0; k < inputs; k++) mean += (double)largest[k] / inputs;
    for (int k = 0; k < inputs; k++) {
        double weight = 0, x = fmax(largest[k], 1e-3 * mean);
        for (int j = 0; j < outputs; j++)
            weight = fmax(weight, fabs((double)weights[(size_t)j * inputs + k]));
        factor[k] = x > 0 ? (float)sqrt(weight / x) : 1;
    }
}

/* One output channel: its scale; bytes [inputs]. */
static float quantize_channel(int8_t *bytes, const float *weights, const float *factor, int inputs,
                              float *sum)
{
    float largest = 0;
    int total = 0;
    for (int k = 0; k < inputs; k++) {
        float weight = factor[k] > 0 ? weights[k] / factor[k] : 0;
        largest = fmaxf(largest, fabsf(weight));
    }
    float scale = largest / 127, inverse = largest > 1e-30f ? 127 / largest : 0;
    for (int k = 0; k < inputs; k++) {
        float weight = factor[k] > 0 ? weights[k] / factor[k] : 0;
        bytes[k] = (int8_t)lrintf(weight * inverse);
        total += bytes[k];
    }
    *sum = scale * (float)total;
    return scale;
}

void quantization_of(struct quantization *out, int8_t *bytes, const float *weights, int outputs,
                     int inputs, const float *largest)
{
    if (!out->values) {
        out->values = xaligned((size_t)inputs + 2 * (size_t)outputs, sizeof *out->values);
        out->factor = out->values;
        out->scale = out->values + inputs;
        out->sum = out->scale + outputs;
    }
    for (int k = 0; k < inputs; k++) out->factor[k] = 1;
    if (largest) choose_factors(out->factor, weights, outputs, inputs, largest);
    for (int j = 0; j < outputs; j++) {
        size_t at = (size_t)j * inputs;
        out->scale[j] =
            quantize_channel(bytes + at, weights + at, out->factor, inputs, &out->sum[j]);
    }
}

void quantization_free(struct quantization *quantization)
{
    free(quantization->values);
    *quantization = (struct quantization){0};
}

void raise_largest(float *largest, const void *x, enum element element, int rows, int cols)
{
    const struct kernels *kernels = kernels_best();
    float *row = hold(xmalloc((size_t)cols * sizeof *row), free);
    for (int i = 0; i < rows; i++) {
        const char *from = (const char *)x + (size_t)i * cols * element_size(element);
        kernels->to_f32(row, from, element, (size_t)cols);
        for (int k = 0; k < cols; k++) largest[k] = fmaxf(largest[k], fabsf(row[k]));
    }
    free(let_go(row));
}
