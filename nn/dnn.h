/* Matrix products, by oneDNN: the only file that knows it.  Forward through linear layers it is
 * nn/kernels.h that multiplies, where the layout of the packed weights allows it.
 *
 * A struct dnn is one thread's: its primitives (made once per shape), memory handles and
 * scratchpad.  Products run on the calling thread alone; parallel work runs several threads, each
 * with its own struct dnn, and may divide a product by columns.
 *
 *     struct dnn *dnn = dnn_open();
 *     struct dnn_weights *w = dnn_weights_open(1536, 384, ELEMENT_BF16, DNN_FORWARD);
 *     dnn_weights_pack(dnn, w, values);                               // [1536, 384] f32
 *     dnn_linear_forward(dnn, y, x, w, bias, 57, DNN_WRITE_BF16); // y [57, 1536] = x W^T + bias
 *
 * All matrices are row-major without gaps.  bf16 products accumulate in f32, those of bytes in
 * whole numbers of 32 bits, which is exact and the same however many rows there are.
 */
#ifndef RETORT_DNN_H
#define RETORT_DNN_H

#include "data/base.h"
#include "data/threads.h"
#include "nn/element.h"

#include <stdbool.h>

struct dnn;
struct dnn *dnn_open(void);
void dnn_close(struct dnn *dnn);
/* Whether this processor has a bf16 product that is worth using (not an emulation, which is slower
 * than f32). */
bool dnn_has_fast_bf16(void);
/* The same for layers of int8.  Where it is false they may be wrong as well: older instructions cut
 * sums of two products off at 16 bits.  And whether dnn_multiply of int8 is exact. */
bool dnn_has_fast_int8(void);
bool dnn_has_exact_int8(void);
void dnn_library_version(char version[VERSION_SIZE]);

enum dnn_direction {
    DNN_FORWARD, /* packed for x W^T */
    DNN_BACKWARD /* packed for d_y W */
};
/* How a product is stored.  Adding is to f32 only. */
enum dnn_store { DNN_WRITE_F32, DNN_WRITE_BF16, DNN_ADD_F32 };

/* A matrix W [outputs, inputs], reordered once into the layout that products like best. */
struct dnn_weights;
struct dnn_weights *dnn_weights_open(int outputs, int inputs, enum element element,
                                     enum dnn_direction direction);
/* values [outputs, inputs] f32, or int8_t for ELEMENT_INT8; not while another thread multiplies by
 * these weights. */
void dnn_weights_pack(struct dnn *dnn, struct dnn_weights *weights, const void *values);
void dnn_weights_close(struct dnn_weights *weights);

/* y = x W^T + bias.  x [rows, inputs] of the weights' element, bias [outputs] f32 or NULL, y [rows,
 * outputs].  For weights of ELEMENT_INT8, x is
 * uint8_t: forward only, without bias, written as f32. */
void dnn_linear_forward(struct dnn *dnn, void *y, const void *x, const struct dnn_weights *weights,
                        const float *bias, int rows, enum dnn_store store);
/* The same for a share of y's columns alone, whole blocks of the packed layout: all shares together
 * give the bytes of the whole. */
void dnn_linear_forward_share(struct dnn *dnn, void *y, const void *x,
                              const struct dnn_weights *weights, const float *bias, int rows,
                              enum dnn_store store, struct team_share share);
/* d_x = d_y W.  d_y [rows, outputs] of the weights' element (packed with DNN_BACKWARD), d_x [rows,
 * inputs]. */
void dnn_linear_backward(struct dnn *dnn, void *d_x, const void *d_y,
                         const struct dnn_weights *weights, int rows, enum dnn_store store);
/* d_w += d_y^T x.  d_y [rows, outputs], x [rows, inputs] of one element; d_w [outputs, inputs]
 * f32. */
struct dnn_shape {
    int rows, outputs, inputs;
};
void dnn_linear_gradient(struct dnn *dnn, float *d_w, const void *d_y, const void *x,
                         struct dnn_shape shape, enum element element);

/* c [m, n] (+)= op(a) op(b) in f32, where op(a) is [m, k] and op(b) is [k, n], both of one element:
 * a is stored [k, m] if transpose_a, b [n, k] if transpose_b.  For products of activations; the
 * layouts of weights above are faster. */
struct dnn_product {
    int m, n, k;
    bool transpose_a, transpose_b, add;
    enum element element;
};
void dnn_multiply(struct dnn *dnn, float *c, const void *a, const void *b,
                  const struct dnn_product *product);

#endif
