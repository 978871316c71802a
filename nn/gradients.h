/* The gradient of a step: a block of the parameters' layout, in which one parameter, the table of
 * word embeddings, is visited by rows.
 *
 * A step reads few of the table's rows, and only those have a gradient: they alone are zeroed,
 * summed, measured and given to the optimiser.  Whoever writes to a row says so first.
 *
 *     struct gradients d = {0};
 *     gradients_init(&d, &params);                         // zero, no rows
 *     gradients_touch(&d, batch.ids, batch.num_tokens);
 *     encoder_backward(pass, &batch, d_hidden, d.values);
 *     double norm = gradients_norm(&d, pool);
 *     gradients_clear(&d, pool);
 *
 * Everything is cut into pieces that depend on the sizes alone: the same bytes for any pool (NULL:
 * this thread).
 */
#ifndef RETORT_GRADIENTS_H
#define RETORT_GRADIENTS_H

#include "data/threads.h"
#include "nn/params.h"

struct gradients {
    const struct params *params; /* borrowed */
    const struct param *table;   /* what is visited by rows; NULL: nothing is */
    float *values;               /* [params->size]; zero in rows of the table that are not listed */
    int32_t *rows;               /* [num_rows], in the order of their first touch */
    size_t num_rows;
    uint64_t *is_listed; /* bits [rows of the table] */
};
/* After params_alloc. */
void gradients_init(struct gradients *gradients, const struct params *params);
void gradients_free(struct gradients *gradients);
/* Lists the rows of the table; some may be listed already. */
void gradients_touch(struct gradients *gradients, const int32_t *rows, size_t count);
/* Zeroes what may be other than zero; no row is listed after it. */
void gradients_clear(struct gradients *gradients, struct pool *pool);
/* sum += each of more[count] in turn; lists their rows. */
void gradients_add(struct gradients *sum, const struct gradients *const *more, size_t count,
                   struct pool *pool);
/* Euclidean norm, accumulated in double; NaN or infinity where a gradient is. */
double gradients_norm(const struct gradients *gradients, struct pool *pool);

/* Visits everything outside the table and the listed rows: visit(arg, piece, first, last) for
 * stretches of the block, piece < gradients_pieces; those of one piece in order, on one worker. */
typedef void gradients_visit(void *arg, size_t piece, size_t first, size_t last);
size_t gradients_pieces(const struct gradients *gradients);
void gradients_each(const struct gradients *gradients, struct pool *pool, gradients_visit *visit,
                    void *arg);

#endif
