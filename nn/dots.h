/* Inner products of stored vectors, as search needs them, for one thread.
 *
 * nn/dots.c is compiled once for each instruction set; dots_best chooses among the results at run
 * time.  Rows are stored without gaps, as
 *
 *     VECTOR_F32      float [dim]
 *     VECTOR_BF16     uint16_t [dim], upper halves of floats
 *     VECTOR_INT8     int8_t [dim]
 *     VECTOR_BINARY   signs, 1 for +1 and 0 for -1: eight to a byte, the first in the highest bit,
 *                     the last byte filled up
 */
#ifndef RETORT_DOTS_H
#define RETORT_DOTS_H

#include <stddef.h>
#include <stdint.h>

enum vector_type { VECTOR_F32, VECTOR_BF16, VECTOR_INT8, VECTOR_BINARY, VECTOR_TYPES };

/* Bytes that may be read behind a row's end, and rows and queries that are worked on at once. */
enum { DOTS_SLACK = 64, DOTS_ROWS = 16 };

/* scores [count] = rows [count, dim] query [dim], of one type.  query is aligned to DOTS_SLACK
 * bytes and followed by zeros up to the next multiple of so many.  Scores have room for, and may be
 * read rows up to, the next multiple of DOTS_ROWS; DOTS_SLACK bytes behind these are read too.
 * What is read in excess touches no score.  Added up in f32; whole numbers of int8 (dim <= 65536)
 * and signs are exact. */
typedef void dots_one(float *scores, const void *query, const void *rows, size_t count, size_t dim);

/* Signs of many queries, 32 of each side by side. */
struct turned_signs {
    size_t count, dim;
    uint32_t *words; /* [(dim + 31) / 32, count rounded up to DOTS_ROWS] */
    int32_t *limits; /* [count rounded up to DOTS_ROWS], above the count 0 */
};

struct dots {
    const char *name; /* "portable", "avx2", "avx512", "avx512_bf16", "amx" */
    dots_one *one[VECTOR_TYPES];
    /* Of signs: where fewer differ between a row of [count, dim] and one of many queries than its
     * limit.  places: row * queries + query, rising by row; differ: how many do; both have room for
     * all.  Returns how many there are.  Rows may be read as above. */
    size_t (*signs_below)(uint32_t *places, uint32_t *differ, const struct turned_signs *queries,
                          const void *rows, size_t count);
    /* Where scores [rows, cols], each times its row's scale (scales NULL: 1), are above their
     * column's bar: row * cols + col, rising, in places [rows * cols].  Returns how many. */
    size_t (*above)(uint32_t *places, const float *scores, const float *scales, const float *bars,
                    size_t rows, size_t cols);
};

extern const struct dots dots_portable, dots_avx2, dots_avx512, dots_avx512_bf16, dots_amx;
/* The fastest that this processor runs. */
const struct dots *dots_best(void);

/* Fills out->words from queries [out->count, out->dim]. */
void dots_turn_signs(struct turned_signs *out, const void *queries);
size_t dots_turned_size(size_t count, size_t dim); /* of words */

#endif
