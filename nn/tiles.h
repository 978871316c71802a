/* Products of bf16 and of bytes by AMX, which multiplies tiles of 16 rows of 64 bytes: a part of
 * nn/kernels.c for processors that have it.
 *
 * Of eight tiles, four hold the sums of a block of c, two by two, for which two tiles of a (4, 5)
 * and two of b (6, 7) are read: one of each where no more is left. */
#ifndef RETORT_TILES_H
#define RETORT_TILES_H

#include "nn/numbers.h"

#include <immintrin.h>

enum {
    TILE = 16, /* rows of a tile, and words of 4 bytes in one */
    TILE_BYTES = 64
};

/* What the processor is told of its tiles: Intel's palette 1. */
struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Instructions read and write memory that the compiler does not know of. */
#define TILES_SEE_MEMORY() __asm__ volatile("" ::: "memory")

/* Blocks of `upper` + `lower` rows, of which lower may be 0. */
INLINE void shape_tiles(int upper, int lower)
{
    struct tile_shapes shapes = {.palette = 1};
    int rows[8] = {upper, upper, lower, lower, upper, lower, TILE, TILE};
    for (int tile = 0; tile < 8; tile++) {
        shapes.rows[tile] = (uint8_t)rows[tile];
        shapes.row_bytes[tile] = rows[tile] ? TILE_BYTES : 0;
    }
    TILES_SEE_MEMORY();
    _tile_loadconfig(&shapes);
}

INLINE size_t bytes_of(enum element element)
{
    return element == ELEMENT_INT8 ? 1 : 2;
}

/* Where the next tiles of a block's operands begin, and how many bytes their rows are apart. */
struct tile_operands {
    const char *a[2], *b;
    size_t a_row, b_row;
};

#define ADD_PRODUCT(sums, a, b)                                                                    \
    do {                                                                                           \
        if (element == ELEMENT_INT8)                                                               \
            _tile_dpbusd(sums, a, b);                                                              \
        else                                                                                       \
            _tile_dpbf16ps(sums, a, b);                                                            \
    } while (0)

INLINE void add_tiles(const struct tile_operands *from, int row_tiles, int col_tiles,
                      enum element element)
{
    _tile_loadd(6, from->b, from->b_row);
    _tile_loadd(4, from->a[0], from->a_row);
    ADD_PRODUCT(0, 4, 6);
    if (row_tiles == 2) {
        _tile_loadd(5, from->a[1], from->a_row);
        ADD_PRODUCT(2, 5, 6);
    }
    if (col_tiles == 2) {
        _tile_loadd(7, from->b + TILE_BYTES, from->b_row);
        ADD_PRODUCT(1, 4, 7);
        if (row_tiles == 2) ADD_PRODUCT(3, 5, 7);
    }
}

/* A block of c. */
struct tile_block {
    int row, col, rows; /* its first row and column; rows, in row_tiles tiles */
    int row_tiles, col_tiles;
};

/* The same from word `first` of a's rows on, for `words` <= TILE of them, where tiles as they lie
 * in memory would reach beyond the operands, or a's words are apart: by way of copies, filled up
 * with zeros. */
INLINE void add_copied_tiles(const struct product *p, const struct tile_block *block, int first,
                             int words, enum element element)
{
    uint32_t a[2 * TILE][TILE], b[TILE][2 * TILE];
    size_t bytes = (size_t)block->col_tiles * TILE_BYTES, size = bytes_of(element);
    size_t a_row = p->a_row * size, a_col = p->a_col * size, b_row = p->b_row * size;
    const char *from_a = (const char *)p->a + block->row * a_row + first * a_col;
    const char *from_b = (const char *)p->b + first * b_row + 4 * (size_t)block->col;
    for (int i = 0; i < block->rows; i++, from_a += a_row) {
        for (int l = 0; l < words; l++) memcpy(&a[i][l], from_a + l * a_col, 4);
        for (int l = words; l < TILE; l++) a[i][l] = 0;
    }
    for (int l = 0; l < TILE; l++)
        if (l < words)
            memcpy(b[l], from_b + l * b_row, bytes);
        else
            memset(b[l], 0, bytes);
    TILES_SEE_MEMORY();
    struct tile_operands copies = {
        {(char *)a[0], (char *)a[TILE]}, (char *)b, sizeof a[0], sizeof b[0]};
    add_tiles(&copies, block->row_tiles, block->col_tiles, element);
    TILES_SEE_MEMORY();
}

/* Sums begin with c, the bias in each row, or 0. */
#define BEGIN_SUMS(tile, row_tile, col_tile)                                                       \
    do {                                                                                           \
        if (p->add)                                                                                \
            _tile_loadd(tile, c + (row_tile)*TILE * p->c_row + (col_tile)*TILE, 4 * p->c_row);     \
        else if (p->bias)                                                                          \
            _tile_loadd(tile, p->bias + block->col + (col_tile)*TILE, 0);                          \
        else                                                                                       \
            _tile_zero(tile);                                                                      \
    } while (0)

INLINE void begin_sums(const struct product *p, const struct tile_block *block)
{
    const float *c = (const float *)p->c + block->row * p->c_row + block->col;
    BEGIN_SUMS(0, 0, 0);
    if (block->col_tiles == 2) BEGIN_SUMS(1, 0, 1);
    if (block->row_tiles == 2) BEGIN_SUMS(2, 1, 0);
    if (block->row_tiles == 2 && block->col_tiles == 2) BEGIN_SUMS(3, 1, 1);
}

INLINE void store_tiles(float *c, size_t c_row, const struct tile_block *block)
{
    _tile_stored(0, c, 4 * c_row);
    if (block->col_tiles == 2) _tile_stored(1, c + TILE, 4 * c_row);
    if (block->row_tiles == 2) _tile_stored(2, c + TILE * c_row, 4 * c_row);
    if (block->row_tiles == 2 && block->col_tiles == 2)
        _tile_stored(3, c + TILE * c_row + TILE, 4 * c_row);
}

/* Whole numbers become floats, in place. */
INLINE void float_sums(float *c, size_t c_row, const struct tile_block *block)
{
    for (int i = 0; i < block->rows; i++)
        for (int j = 0; j < block->col_tiles * TILE; j += TILE) {
            float *sums = c + i * c_row + j;
            _mm512_storeu_ps(sums, _mm512_cvtepi32_ps(_mm512_loadu_si512(sums)));
        }
}

INLINE void end_sums(const struct product *p, const struct tile_block *block, enum element element)
{
    size_t at = block->row * p->c_row + block->col;
    if (p->c_element == ELEMENT_F32) {
        store_tiles((float *)p->c + at, p->c_row, block);
        if (element == ELEMENT_INT8) float_sums((float *)p->c + at, p->c_row, block);
        return;
    }
    float sums[2 * TILE][2 * TILE];
    store_tiles(sums[0], 2 * TILE, block);
    for (int i = 0; i < block->rows; i++)
        for (int j = 0; j < block->col_tiles * TILE; j += TILE) {
            __m256bh narrowed = _mm512_cvtneps_pbh(_mm512_loadu_ps(&sums[i][j]));
            memcpy((uint16_t *)p->c + at + i * p->c_row + j, &narrowed, sizeof narrowed);
        }
}

/* The part of p->next that a block fetches: so many lines of the cache in each of its steps. */
struct tile_ahead {
    const char *at;
    size_t lines;
};
enum {
    LINE = 64,    /* bytes */
    FEW_ROWS = 64 /* of c: less time than fetching takes */
};

INLINE struct tile_ahead part_of_next(const struct product *p, int row, int col, int steps)
{
    size_t side = 2 * TILE, across = (p->n + side - 1) / side, down = (p->m + side - 1) / side;
    size_t all = across * down * (size_t)steps;
    if (!p->next || p->m < FEW_ROWS || all == 0) return (struct tile_ahead){0};
    size_t lines = (p->next_bytes / LINE + all - 1) / all;
    size_t before = (row / side * across + col / side) * (size_t)steps;
    return (struct tile_ahead){(const char *)p->next + before * lines * LINE, lines};
}

INLINE void fetch(struct tile_ahead *ahead)
{
    for (size_t i = 0; i < ahead->lines; i++, ahead->at += LINE)
        _mm_prefetch(ahead->at, _MM_HINT_T1);
}

/* row_tiles, col_tiles and element: constants where this is inlined. */
INLINE void multiply_tiles(const struct product *p, int row, int rows, int col, int row_tiles,
                           int col_tiles, enum element element)
{
    struct tile_block block = {row, col, rows, row_tiles, col_tiles};
    int together = 4 / (int)bytes_of(element); /* numbers of a word */
    int words = (p->k + together - 1) / together, first = 0;
    size_t a_row = bytes_of(element) * p->a_row, b_row = bytes_of(element) * p->b_row;
    const char *a = (const char *)p->a + row * a_row;
    struct tile_operands next = {
        {a, a + TILE * a_row}, (const char *)p->b + 4 * (size_t)col, a_row, b_row};
    struct tile_ahead ahead = part_of_next(p, row, col, words / TILE);
    begin_sums(p, &block);
    if (p->a_col == (size_t)together)
        for (; first + TILE <= words; first += TILE) {
            fetch(&ahead);
            add_tiles(&next, row_tiles, col_tiles, element);
            next.a[0] += TILE_BYTES;
            next.a[1] += TILE_BYTES;
            next.b += TILE * b_row;
        }
    for (; first < words; first += TILE)
        add_copied_tiles(p, &block, first, words - first < TILE ? words - first : TILE, element);
    end_sums(p, &block, element);
}

/* `rows` rows from `row` on, of all columns. */
INLINE void multiply_tile_rows(const struct product *p, int row, int rows, int row_tiles,
                               enum element element)
{
    int end = (p->n + TILE - 1) / TILE * TILE, col = 0;
    for (; col + 2 * TILE <= end; col += 2 * TILE)
        multiply_tiles(p, row, rows, col, row_tiles, 2, element);
    if (col < end) multiply_tiles(p, row, rows, col, row_tiles, 1, element);
}

INLINE void multiply_all_tiles(const struct product *p, enum element element)
{
    int most = 2 * TILE, row = 0;
    if (p->m >= most) shape_tiles(TILE, TILE);
    for (; row + most <= p->m; row += most) multiply_tile_rows(p, row, most, 2, element);
    int rest = p->m - row;
    if (rest > TILE) {
        shape_tiles(TILE, rest - TILE);
        multiply_tile_rows(p, row, rest, 2, element);
    } else if (rest > 0) {
        shape_tiles(rest, 0);
        multiply_tile_rows(p, row, rest, 1, element);
    }
    if (p->m > 0) _tile_release();
}

static void multiply_by_tiles(const struct product *p)
{
    if (p->element == ELEMENT_INT8)
        multiply_all_tiles(p, ELEMENT_INT8);
    else
        multiply_all_tiles(p, ELEMENT_BF16);
}

#endif
