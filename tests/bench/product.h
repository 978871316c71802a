/* A matrix product y [rows, outputs] = x [rows, inputs] W^T of one thread, of any type. */
#ifndef RETORT_TESTS_BENCH_PRODUCT_H
#define RETORT_TESTS_BENCH_PRODUCT_H

#include "nn/dnn.h"

struct product_kind {
    void *(*open)(const struct dnn_shape *shape); /* NULL where the processor has no such product */
    void (*multiply)(void *product);
    void (*close)(void *product);
};
extern const struct product_kind product_f32, product_bf16; /* product.c */
extern const struct product_kind product_int8;              /* product_int8.c */

#endif
