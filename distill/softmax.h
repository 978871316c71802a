/* Softmax over a row and the divergence of two of them, for the losses.
 *
 *     double log_sum = softmax(p, x, n, 2);          // p = softmax(x / 2)
 *     double kl = softmax_kl(target, x, n, 1, 0.5, d_x, NULL);
 *
 * Entries and probabilities are f32, sums double.  The row's maximum is subtracted, so that nothing
 * overflows; e^x is within 2e-7 of it relatively and 0 below e^-88.  What is not a number stays so.
 */
#ifndef RETORT_SOFTMAX_H
#define RETORT_SOFTMAX_H

#include "data/base.h"

/* p = softmax(x / temperature) over n entries (p may be x); returns
 * log(sum of exp(x / temperature)).  Entries of -INFINITY get 0; one at least must be finite. */
double softmax(float *p, const float *x, int n, double temperature);
/* Sum of p (log p - log q), log p = x / temperature - log_x, log q = y - log_y. */
double softmax_divergence(const float *p, const float *x, double temperature, double log_x,
                          const float *y, double log_y, int n);
/* KL(softmax(target / temperature) || softmax(x / temperature)) over n finite entries; adds
 * factor * its gradient to d_x and d_target [n] (NULL: constant):
 *     d_x = (q - p) / temperature
 *     d_target = p (log p - log q - KL) / temperature */
double softmax_kl(const float *target, const float *x, int n, double temperature, double factor,
                  float *d_x, float *d_target);

#endif
