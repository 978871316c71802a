/* The kernels of kernels_int8.h, once for each instruction set: see the Makefile.  Rows of a few
 * kilobytes stay in the first-level cache from one loop to the next. */
#include "nn/kernels_int8.h"

#include "nn/numbers.h"

#include <math.h>

#ifndef TABLE
#define TABLE kernels_int8_portable
#endif

/* Row `row` of out from in [cols].  Whole numbers come from cutting off what is at least 0.5 and
 * below 256. */
INLINE void quantize_row(const struct quantized *out, int row, const void *in, const float *factor,
                         int cols, enum element element)
{
    float low = INFINITY, high = -INFINITY, total = 0;
#pragma omp simd reduction(min : low) reduction(max : high) reduction(+ : total)
    for (int i = 0; i < cols; i++) {
        float x = get(in, i, element) * factor[i];
        low = x < low ? x : low;
        high = x > high ? x : high;
        total += x;
    }
    uint8_t *values = out->values + (size_t)row * cols;
    float range = high - low, inverse = range > 1e-30f ? 255 / range : 0;
    if (!isfinite(total) || !isfinite(range)) {
        low = NAN;
        range = 0;
        memset(values, 0, (size_t)cols);
    } else {
#pragma omp simd
        for (int i = 0; i < cols; i++)
            values[i] = (uint8_t)(int)((get(in, i, element) * factor[i] - low) * inverse + 0.5f);
    }
    out->scale[row] = inverse > 0 ? range / 255 : 0;
    out->low[row] = low;
}

INLINE void quantize_of(const struct quantized *out, const void *in, const float *factor, int rows,
                        int cols, enum element element)
{
    for (int row = 0; row < rows; row++)
        quantize_row(out, row, at(in, (size_t)row * cols, element), factor, cols, element);
}

static void quantize(const struct quantized *out, const void *in, enum element element,
                     const float *factor, int rows, int cols)
{
    BY_ELEMENT(element, quantize_of, out, in, factor, rows, cols);
}

INLINE void dequantize_of(void *out, const float *product, const struct quantized *rows_of,
                          const struct channels *channels, int rows, int cols, enum element element)
{
    const float *scale = channels->scale, *sum = channels->sum, *bias = channels->bias;
    for (int row = 0; row < rows; row++, product += cols) {
        float of_row = rows_of->scale[row], low = rows_of->low[row];
        void *to = (void *)at(out, (size_t)row * cols, element);
#pragma omp simd
        for (int i = 0; i < cols; i++)
            put(to, i, element, of_row * scale[i] * product[i] + (low * sum[i] + bias[i]));
    }
}

static void dequantize(void *out, enum element element, const float *product,
                       const struct quantized *rows_of, const struct channels *channels, int rows,
                       int cols)
{
    BY_ELEMENT(element, dequantize_of, out, product, rows_of, channels, rows, cols);
}

INLINE void activate_rows(const struct quantized *out, const float *factor, float *product,
                          const struct quantized *rows_of, const struct channels *channels,
                          int rows, int cols, enum activation activation)
{
    const float *scale = channels->scale, *sum = channels->sum, *bias = channels->bias;
    for (int row = 0; row < rows; row++, product += cols) {
        float of_row = rows_of->scale[row], low = rows_of->low[row];
#pragma omp simd
        for (int i = 0; i < cols; i++) {
            float slope, x = of_row * scale[i] * product[i] + (low * sum[i] + bias[i]);
            product[i] = activate(x, &slope, activation, ELEMENT_BF16);
        }
        quantize_row(out, row, product, factor, cols, ELEMENT_F32);
    }
}

static void activate_products(const struct quantized *out, const float *factor, float *product,
                              const struct quantized *rows_of, const struct channels *channels,
                              int rows, int cols, enum activation activation)
{
    if (activation == ACTIVATION_GELU)
        activate_rows(out, factor, product, rows_of, channels, rows, cols, ACTIVATION_GELU);
    else if (activation == ACTIVATION_GELU_TANH)
        activate_rows(out, factor, product, rows_of, channels, rows, cols, ACTIVATION_GELU_TANH);
    else
        activate_rows(out, factor, product, rows_of, channels, rows, cols, ACTIVATION_RELU);
}

const struct int8_kernels TABLE = {
    .quantize = quantize, .dequantize = dequantize, .activate = activate_products};
