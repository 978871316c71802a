/* The element-wise work around matrix products of bytes: see nn/quantize.h for what they mean.
 *
 * nn/kernels_int8.c is compiled once for each instruction set, as nn/kernels.c is.
 */
#ifndef RETORT_KERNELS_INT8_H
#define RETORT_KERNELS_INT8_H

#include "nn/kernels.h"

/* Rows of bytes, each with a scale and a lowest value of its own: x = scale value + low.  A row
 * with NaN or Inf in it has low = NaN, so that all that is computed from it is NaN; one whose
 * values are within 1e-30 of each other has scale 0. */
struct quantized {
    uint8_t *values;    /* [rows, cols] */
    float *scale, *low; /* [rows] */
};

/* How the product of such rows by the signed bytes of a matrix becomes numbers again:
 *
 *     y = row.scale scale product + row.low sum + bias
 */
struct channels {
    const float *scale, *sum, *bias; /* [cols]: of the matrix's rows */
};

struct int8_kernels {
    /* out = in [rows, cols] times factor [cols]; the bytes of a row reach from 0, its lowest value,
     * to 255, its highest. */
    void (*quantize)(const struct quantized *out, const void *in, enum element element,
                     const float *factor, int rows, int cols);
    /* out [rows, cols] = the numbers of the products [rows, cols], whole numbers as f32, of which
     * `rows_of` were a factor; out may be product. */
    void (*dequantize)(void *out, enum element element, const float *product,
                       const struct quantized *rows_of, const struct channels *channels, int rows,
                       int cols);
    /* The same, in place, and their activation (GELU with an absolute error of 2e-5), and those
     * times factor quantised: what lies between two products. */
    void (*activate)(const struct quantized *out, const float *factor, float *product,
                     const struct quantized *rows_of, const struct channels *channels, int rows,
                     int cols, enum activation activation);
};

extern const struct int8_kernels kernels_int8_portable, kernels_int8_avx2, kernels_int8_avx512,
    kernels_int8_avx512_bf16, kernels_int8_amx;
/* The fastest that this processor runs. */
const struct int8_kernels *int8_kernels_best(void);

#endif
