/* Linear layers in int8: y = x W^T + b with x [rows, inputs] quantised row by row as it comes, W
 * [outputs, inputs] once, output channel by output channel:
 *
 *     f_k x_ik ~ scale_i u_ik + low_i,   u in 0..255 (nn/kernels_int8.h)
 *     W_jk / f_k ~ s_j w_jk,             w in -127..127
 *     y_ij = scale_i s_j <u_i, w_j> + low_i s_j sum_k w_jk + b_j
 *
 * The factors f are 1 until the layer is calibrated: a channel of x that is far larger than the
 * others would cost them their bits, and is made smaller where the weights have room (SmoothQuant,
 * Xiao et al. 2022, arXiv 2211.10438, equation 4 with alpha = 1/2):
 *
 *     1 / f_k = sqrt(max_i |x_ik| / max_j |W_jk|)
 */
#ifndef RETORT_QUANTIZE_H
#define RETORT_QUANTIZE_H

#include "nn/dnn.h"
#include "nn/kernels_int8.h"

/* Of one linear layer; zeroed until quantization_of. */
struct quantization {
    float *factor;      /* [inputs]: f */
    float *scale, *sum; /* [outputs]: s_j, s_j sum_k w_jk */
    float *values;      /* all of them */
};
/* Chooses f from largest [inputs], the largest |x| of each channel, or NULL, and fills *out and
 * bytes [outputs, inputs], w, for dnn_weights_pack. */
void quantization_of(struct quantization *out, int8_t *bytes, const float *weights, int outputs,
                     int inputs, const float *largest);
void quantization_free(struct quantization *quantization);
/* largest [cols] = the larger of it and |x| in x [rows, cols]. */
void raise_largest(float *largest, const void *x, enum element element, int rows, int cols);

#endif
