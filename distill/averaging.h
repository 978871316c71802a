/* The average of the weights along the way of training, which dev evaluates and which is kept where
 * a job asks for it.
 *
 * A mean over steps, taken at some of them: every AVERAGE_EVERY-th, and where dev is evaluated.  A
 * sample stands for the steps since the one before it, so that the spacing changes little, and the
 * embedding rows whose updates wait (nn/optimizer.h) are brought up to date at samples alone.  Let
 * t be the steps done and k those that a sample p stands for; a becomes a + w (p - a):
 *
 *     ema    w = (1 - decay^k) / (1 - decay^t): the weights of step s count as decay^(t - s), and
 *            where training began counts nothing (the bias correction of Kingma & Ba 2015, section
 *            3, in place of an average that starts at the first weights)
 *     last   w = k / (t - start): a plain mean over the last steps (Izmailov et al. 2018, SWA;
 *            Polyak & Juditsky 1992); until `start` the average is the weights themselves
 */
#ifndef RETORT_AVERAGING_H
#define RETORT_AVERAGING_H

#include "data/threads.h"
#include <stdbool.h>
#include <stdint.h>

enum average_kind { AVERAGE_NONE, AVERAGE_EMA, AVERAGE_LAST };
enum { AVERAGE_EVERY = 10 };

struct averaging {
    enum average_kind kind;
    double decay; /* ema: per step, below 1 */
    double share; /* last: of total_steps, at their end */
};
/* w of the weights after `step` steps, which were sampled before after `previous` of them (0: never
 * before); 1 at the first sample. */
double averaging_weight(const struct averaging *averaging, uint64_t previous, uint64_t step,
                        uint64_t total_steps);
/* average [n] += weight * (values - average), in double; weight 1 copies.  The same bytes for any
 * pool (NULL: this thread). */
void average_add(float *average, const float *values, size_t n, double weight, struct pool *pool);
void average_swap(float *average, float *values, size_t n, struct pool *pool);

#endif
