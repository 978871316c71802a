/* Vectors in the types that an index stores them as: see nn/dots.h for how a row lies.
 *
 *     type     bytes a row      a row's values
 *     f32      4 dim            its floats
 *     bf16     2 dim            its floats, rounded
 *     int8     dim + 4          whole numbers from -127 to 127 times its scale, the largest value
 *                               by magnitude / 127
 *     binary   (dim + 7) / 8    +1 where the value was above 0, else -1
 */
#ifndef RETORT_STORED_VECTORS_H
#define RETORT_STORED_VECTORS_H

#include "data/base.h"
#include "nn/dots.h"

struct stored_vectors {
    enum vector_type type;
    size_t count;
    int dim;
    const void *values;  /* [count, dim] */
    const float *scales; /* [count] of int8, else NULL */
};

const char *vector_type_name(enum vector_type type);
/* -1 where no type has this name. */
int vector_type_find(enum vector_type *out, const char *name);
/* Of a row's values, without its scale. */
size_t stored_bytes(enum vector_type type, int dim);

/* values [n, dim] into out [n, dim] of the type, and scales [n] of int8.  All finite. */
void store_vectors(void *out, float *scales, const float *values, size_t n, int dim,
                   enum vector_type type);
/* out [dim]: a row's values. */
void stored_row(float *out, const struct stored_vectors *vectors, size_t row);
/* <query, row>: query [dim] f32 as it is, the row's values as stored. */
double stored_dot(const struct stored_vectors *vectors, size_t row, const float *query);

#endif
