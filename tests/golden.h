/* Golden vectors: small safetensors files written by an independent implementation
 * (scripts/golden_*.py, or the shared ones).
 *
 *     struct safetensors *st = golden_open("tests/distill/golden_losses.safetensors");
 *     float *q = golden(st, 4 * 12, "q"), *after = golden(st, 35, "w.after.%d", step);
 *     safetensors_close(st);
 */
#ifndef RETORT_TESTS_GOLDEN_H
#define RETORT_TESTS_GOLDEN_H

#include "data/safetensors.h"

/* Fails the test where the file cannot be read. */
struct safetensors *golden_open(const char *path);
/* The tensor's n values, freshly allocated; fails where it is absent or of another size. */
float *golden(const struct safetensors *st, size_t n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int *golden_ints(const struct safetensors *st, size_t n, const char *name); /* i32 */
uint8_t *golden_bytes(const struct safetensors *st, size_t n, const char *name);

#endif
