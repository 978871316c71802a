/* The element-wise and small-matrix work between the matrix products, for one thread.
 *
 * nn/kernels.c is compiled once for each instruction set; kernels_best chooses among the results at
 * run time.  A kernel sees pointers and sizes only.  f32 arithmetic throughout; bf16 is a storage
 * format.  NaN in gives NaN out.
 *
 * `void *` with an enum element: an array of that element.
 */
#ifndef RETORT_KERNELS_H
#define RETORT_KERNELS_H

#include "nn/element.h"

#include <stdbool.h>
#include <stdint.h>

enum activation { ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_RELU };

/* Rows that `multiply` touches are padded to a multiple of this many floats. */
enum { KERNEL_LANES = 16 };
int kernel_padded(int columns); /* columns rounded up to it */

/* out = gain * (x + y - mean) / sqrt(variance + epsilon) + bias, by row. */
struct norm_forward {
    int rows, cols;
    float *out;           /* [rows, cols] */
    uint16_t *out_bf16;   /* the same, [rows, cols]; or NULL */
    void *normal;         /* kept for backward: (x + y - mean) / deviation, [rows, cols]; or NULL */
    enum element element; /* of normal */
    float *inverse;       /* kept for backward: 1 / deviation, [rows]; or NULL */
    const float *x, *y;   /* [rows, cols]; y may be NULL */
    const float *gain, *bias; /* [cols] */
    double epsilon;
};
struct norm_backward {
    int rows, cols;
    float *d_x;             /* [rows, cols], written; may be d_out */
    float *d_gain, *d_bias; /* [cols], added to */
    const float *d_out;     /* [rows, cols] */
    const void *normal;     /* [rows, cols] */
    enum element element;   /* of normal */
    const float *inverse;   /* [rows] */
    const float *gain;      /* [cols] */
};

/* c [m, n] (+)= a [m, k] b [k, n], or c = a b + bias, sums in f32; b stays in
 * the second-level cache.
 *
 * Along k, bf16 go in pairs, as the processors that multiply them want it: b holds rows 2 l and
 * 2 l + 1 side by side, [(k + 1) / 2, n, 2], with a zero row behind an odd k, and a's pair l of row
 * i, whose second must be finite beyond an odd k, begins at a + i * a_row + l * a_col.  In f32, b
 * is [k, n] and a + i * a_row + l * a_col is a(i, l).  Bytes, of which b's are signed and a's are
 * not, go in fours in the same way; k is a multiple of 4, sums are exact, c is f32 and bias NULL.
 *
 * Rows of b and c have room for kernel_padded(n), of which c's surplus is overwritten. */
struct product {
    enum element element; /* of a and b */
    int m, n, k;
    enum element c_element;
    void *c;
    const void *a, *b;
    const float *bias;                 /* [kernel_padded(n)], or NULL */
    size_t c_row, a_row, a_col, b_row; /* in elements of theirs; b_row: as it lies in memory */
    bool add;                          /* to c in f32, without bias */
    /* What the next product reads as b, or NULL: where it waits behind the second-level cache for
     * too long, it is fetched meanwhile. */
    const void *next;
    size_t next_bytes;
};

/* Inverted dropout: an element is kept, times scale, where hash(key, its index) >= threshold, else
 * 0. */
struct dropout {
    uint64_t key;
    uint32_t threshold; /* probability of dropping, times 2^32 */
    float scale;        /* 1 / probability of keeping */
};

struct kernels {
    const char *name;     /* "portable", "avx2", "avx512", "avx512_bf16", "amx" */
    bool multiplies_bf16; /* faster than f32 */
    bool multiplies_int8; /* `multiply` does */
    int block_rows;       /* of attention: even, at most 32 */
    /* Nearest, ties to even; a denormal may become 0, as the processors' products take it. */
    void (*to_bf16)(uint16_t *out, const float *in, size_t n);
    void (*to_f32)(float *out, const void *in, enum element element, size_t n);
    void (*add)(float *sum, const float *more, size_t n); /* sum += more */
    /* d_bias [cols] += the rows of values [rows, cols] */
    void (*add_rows)(float *d_bias, const void *values, enum element element, int rows, int cols);
    void (*norm_forward)(const struct norm_forward *norm);
    void (*norm_backward)(const struct norm_backward *norm);
    /* out = f(in); may be in place.  Absolute error of GELU in f32: 2e-6. */
    void (*activation_forward)(void *out, const void *in, size_t n, enum activation activation,
                               enum element element);
    /* d_in = d_out * f'(in), and out = f(in) once more; d_in may be d_out, out may be in. */
    void (*activation_backward)(void *d_in, void *out, const void *d_out, const void *in, size_t n,
                                enum activation activation, enum element element);
    void (*dropout)(float *out, const float *in, size_t n, const struct dropout *dropout);
    void (*multiply)(const struct product *product);
    /* b of a product from the rows of in, in_row elements apart.  pack_rows: b = in [rows, cols],
     * to out [rows, kernel_padded(cols)] in f32, [(rows + 1) / 2, kernel_padded(cols), 2] in bf16.
     * pack_columns: b = in^T, to out [cols, kernel_padded(rows)] or
     * [(cols + 1) / 2, kernel_padded(rows), 2].  Padding becomes 0. */
    void (*pack_rows)(void *out, const void *in, enum element element, int rows, int cols,
                      size_t in_row);
    void (*pack_columns)(void *out, const void *in, enum element element, int rows, int cols,
                         size_t in_row);
    /* out = softmax(scale * values), row by row of n; values are overwritten, out may be they.
     * Rows of both are stride elements apart and have room for kernel_padded(n); out's surplus
     * becomes 0. */
    void (*softmax_forward)(void *out, enum element element, float *values, int rows, int n,
                            size_t stride, float scale);
    /* d_values = p * (d_p - dot), in place of d_p; dot [rows] is each row's <p, d_p>. Rows as
     * above. */
    void (*softmax_backward)(float *d_p, const float *p, const float *dot, int rows, int n,
                             size_t stride);
    /* out = scale * in [rows, cols]; rows of in are kernel_padded(cols) apart, of out out_row. */
    void (*scatter)(void *out, enum element element, const float *in, int rows, int cols,
                    size_t out_row, float scale);
    /* dot [rows] = <a, b> by row of n; rows are stride apart. */
    void (*row_dots)(float *dot, const void *a, const void *b, enum element element, int rows,
                     int n, size_t stride);
};

extern const struct kernels kernels_portable, kernels_avx2, kernels_avx512, kernels_avx512_bf16,
    kernels_amx;
/* The fastest that this processor runs. */
const struct kernels *kernels_best(void);

#endif
