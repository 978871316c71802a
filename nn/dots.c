/* The inner products of dots.h, once for each instruction set: see the Makefile.
 *
 * One query against many rows reads each row once, and memory should be all that it waits for.  So
 * rows are walked one after the other, as they lie: one sweep, which the processor foresees
 * (several rows side by side it does not); of f32, whose rows are the longest, the next page is
 * asked for.  Of LANES rows' sums the lanes are added up together.
 */
#include "nn/dots.h"

#include <stdbool.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef TABLE
#define TABLE dots_portable
#define NAME  "portable"
#endif

#if defined(__AVX512F__)
enum { LANES = 16 };
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS  1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#elif defined(__AVX2__)
enum { LANES = 8 };
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS  1, 3, 5, 7, 9, 11, 13, 15
#else
enum { LANES = 4 };
#define EVENS 0, 2, 4, 6
#define ODDS  1, 3, 5, 7
#endif
enum {
    BYTES = 4 * LANES, /* of a vector */
    AHEAD = 4096       /* bytes of f32 asked for before they are needed: measured */
};

#define INLINE static inline __attribute__((always_inline))
#define VECTOR __attribute__((vector_size(BYTES), aligned(1), may_alias))

typedef float floats VECTOR;
typedef int32_t ints VECTOR;
typedef uint32_t words VECTOR;
typedef int16_t shorts VECTOR;

/* Of table's 16 bytes, repeated, those that at names; the bytes of a word, each times that of
 * `times`, added up. */
#if defined(__AVX512F__)
#define BYTES_AT(table, at) (words) _mm512_shuffle_epi8((__m512i)(table), (__m512i)(at))
#define ADD_BYTES(bytes, times)                                                                    \
    (words) _mm512_madd_epi16(_mm512_maddubs_epi16((__m512i)(bytes), (__m512i)(times)),            \
                              _mm512_set1_epi16(1))
#elif defined(__AVX2__)
#define BYTES_AT(table, at) (words) _mm256_shuffle_epi8((__m256i)(table), (__m256i)(at))
#define ADD_BYTES(bytes, times)                                                                    \
    (words) _mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)(bytes), (__m256i)(times)),            \
                              _mm256_set1_epi16(1))
#endif

/* ---- lanes ---- */

/* Neighbours in the lanes of 2 n vectors are added: n are left. */
#define DEFINE_TOTALS(type, totals)                                                                \
    INLINE void totals##_halve(type *sums, int n)                                                  \
    {                                                                                              \
        _Pragma("GCC unroll 8") for (int i = 0; i < n; i++) sums[i] =                              \
            __builtin_shufflevector(sums[2 * i], sums[2 * i + 1], EVENS) +                         \
            __builtin_shufflevector(sums[2 * i], sums[2 * i + 1], ODDS);                           \
    }                                                                                              \
    /* Lane i: the sum of all lanes of sums[i], of LANES vectors. */                               \
    INLINE type totals(type *sums)                                                                 \
    {                                                                                              \
        if (LANES > 8) totals##_halve(sums, 8);                                                    \
        if (LANES > 4) totals##_halve(sums, 4);                                                    \
        totals##_halve(sums, 2);                                                                   \
        totals##_halve(sums, 1);                                                                   \
        return sums[0];                                                                            \
    }
DEFINE_TOTALS(floats, float_totals)
DEFINE_TOTALS(ints, int_totals)

INLINE floats add_f32(floats sum, words row, words query)
{
    return sum + (floats)row * (floats)query;
}

/* Two in each word. */
INLINE floats add_bf16(floats sum, words row, words query)
{
#if defined(__AVX512BF16__)
    return (floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)row, (__m512bh)query);
#else
    sum += (floats)(row << 16) * (floats)(query << 16);
    return sum + (floats)(row & 0xffff0000u) * (floats)(query & 0xffff0000u);
#endif
}

/* Four in each word.  The instruction wants one side without signs: 128 is added to the row here,
 * and taken off the sum in the end (excess below).  Without it: the query's numbers are from -127
 * to 127, so that two products fit into 16 bits. */
INLINE ints add_int8(ints sum, words row, words query)
{
#if defined(__AVX512VNNI__)
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)(row ^ 0x80808080u), (__m512i)query);
#else
    shorts low = ((shorts)row << 8 >> 8) * ((shorts)query << 8 >> 8);
    shorts both = low + ((shorts)row >> 8) * ((shorts)query >> 8);
    return sum + ((ints)both << 16 >> 16) + ((ints)both >> 16);
#endif
}

static int32_t excess(const int8_t *query, size_t dim)
{
    int32_t sum = 0;
#if defined(__AVX512VNNI__)
    for (size_t i = 0; i < dim; i++) sum += 128 * query[i];
#else
    (void)query, (void)dim;
#endif
    return sum;
}

/* ---- one query ---- */

/* A row in vectors, of which the last is cut off by the mask. */
struct width {
    size_t bytes, whole; /* whole: vectors before the last */
    words mask;
};

/* last: the bits of the last byte that count. */
static struct width width_of(size_t bytes, unsigned char last)
{
    unsigned char mask[BYTES];
    struct width width = {.bytes = bytes, .whole = (bytes - 1) / BYTES};
    for (size_t i = 0; i < BYTES; i++) mask[i] = i < bytes - width.whole * BYTES ? 0xff : 0;
    mask[bytes - 1 - width.whole * BYTES] = last;
    memcpy(&width.mask, mask, BYTES);
    return width;
}

#define DEFINE_ROW_SUMS(type, row_sums, add, ahead)                                                \
    INLINE type row_sums(const char *row, const words *query, const struct width *width)           \
    {                                                                                              \
        type sum = {0};                                                                            \
        for (size_t i = 0; ahead > 0 && i <= width->whole; i++)                                    \
            __builtin_prefetch(row + ahead + i * BYTES);                                           \
        _Pragma("GCC unroll 8") for (size_t i = 0; i < width->whole; i++) sum =                    \
            add(sum, ((const words *)row)[i], query[i]);                                           \
        return add(sum, ((const words *)row)[width->whole] & width->mask, query[width->whole]);    \
    }
DEFINE_ROW_SUMS(floats, row_f32, add_f32, AHEAD)
DEFINE_ROW_SUMS(floats, row_bf16, add_bf16, 0)
DEFINE_ROW_SUMS(ints, row_int8, add_int8, 0)

/* whole: width.whole, a constant where it is usual: the fewer instructions a byte, the more memory
 * is on its way. */
#define DEFINE_ONE(one, row_sums, element)                                                         \
    INLINE void one##_of(float *scores, const void *query, const char *row, size_t count,          \
                         struct width width, size_t whole)                                         \
    {                                                                                              \
        width.whole = whole;                                                                       \
        for (size_t i = 0; i < count; i += LANES) {                                                \
            floats sums[LANES];                                                                    \
            _Pragma("GCC unroll 16") for (int r = 0; r < LANES; r++, row += width.bytes) sums[r] = \
                row_sums(row, query, &width);                                                      \
            *(floats *)(scores + i) = float_totals(sums);                                          \
        }                                                                                          \
    }                                                                                              \
    static void one(float *scores, const void *query, const void *rows, size_t count, size_t dim)  \
    {                                                                                              \
        const struct width width = width_of(sizeof(element) * dim, 0xff);                          \
        switch (width.whole) {                                                                     \
        case 3:                                                                                    \
            one##_of(scores, query, rows, count, width, 3);                                        \
            break;                                                                                 \
        case 7:                                                                                    \
            one##_of(scores, query, rows, count, width, 7);                                        \
            break;                                                                                 \
        default:                                                                                   \
            one##_of(scores, query, rows, count, width, width.whole);                              \
        }                                                                                          \
    }
DEFINE_ONE(one_f32, row_f32, float)
DEFINE_ONE(one_bf16, row_bf16, uint16_t)

static void one_int8(float *scores, const void *query, const void *rows, size_t count, size_t dim)
{
    const struct width width = width_of(dim, 0xff);
    const char *row = rows;
    int32_t more = excess(query, dim);
    for (size_t i = 0; i < count; i += LANES) {
        ints sums[LANES];
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++, row += width.bytes) sums[r] = row_int8(row, query, &width);
        *(floats *)(scores + i) = __builtin_convertvector(int_totals(sums) - more, floats);
    }
}

/* ---- signs ---- */

/* Bits of each word. */
INLINE words bit_counts(words v)
{
#if defined(__AVX512VPOPCNTDQ__)
    return (words)_mm512_popcnt_epi32((__m512i)v);
#elif defined(__AVX2__)
    static const uint32_t counts[] = {0x02010100, 0x03020201, 0x03020201, 0x04030302};
    words of_half_bytes, ones = (words){0} + 0x01010101u, low = (words){0} + 0x0f0f0f0fu;
    for (int i = 0; i < LANES; i++) of_half_bytes[i] = counts[i % 4];
    words of_bytes = BYTES_AT(of_half_bytes, v & low) + BYTES_AT(of_half_bytes, v >> 4 & low);
    return ADD_BYTES(of_bytes, ones);
#else
    v -= v >> 1 & 0x55555555u;
    v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
    v = (v + (v >> 4)) & 0x0f0f0f0fu;
    v += v >> 8;
    return (v + (v >> 16)) & 0x3fu;
#endif
}

INLINE ints add_signs(ints differ, words row, words query)
{
    return differ + (ints)bit_counts(row ^ query);
}
DEFINE_ROW_SUMS(ints, row_signs, add_signs, 0)

/* Of the last `size` bytes, the bits that are of the first dim signs. */
static uint32_t sign_mask(size_t dim, size_t size)
{
    uint32_t mask = 0;
    unsigned char bytes[4] = {0};
    size_t bits = (dim - 1) % (8 * size) + 1;
    for (size_t i = 0; i < bits; i++) bytes[i / 8] |= (unsigned char)(0x80 >> i % 8);
    memcpy(&mask, bytes, sizeof mask);
    return mask;
}

/* Rows of size words, a power of two and at most LANES: neighbours are added until a lane is a
 * row. */
INLINE void whole_signs(float *scores, const uint32_t *query, const char *row, size_t count,
                        int size)
{
    words repeated;
    for (int i = 0; i < LANES; i++) repeated[i] = query[i % size];
    for (size_t i = 0; i < count; i += LANES) {
        ints differ[LANES];
        _Pragma("GCC unroll 16") for (int v = 0; v < size; v++, row += BYTES) differ[v] =
            (ints)bit_counts(*(const words *)row ^ repeated);
        for (int n = size / 2; n > 0; n /= 2) int_totals_halve(differ, n);
        *(floats *)(scores + i) = __builtin_convertvector(32 * size - 2 * differ[0], floats);
    }
}

/* Rows of any length.  Of the last byte's bits behind the last sign, a row's are cut off, and the
 * query's, which differ from them, taken off the count. */
static void signs_of(float *scores, const void *query, const char *row, size_t count, size_t dim)
{
    const unsigned char mask = (unsigned char)sign_mask(dim, 1);
    const struct width width = width_of((dim + 7) / 8, mask);
    unsigned last = ((const unsigned char *)query)[width.bytes - 1];
    int32_t same = (int32_t)dim + 2 * __builtin_popcount(last & ~(unsigned)mask);
    for (size_t i = 0; i < count; i += LANES) {
        ints differ[LANES];
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++, row += width.bytes)
            differ[r] = row_signs(row, query, &width);
        *(floats *)(scores + i) = __builtin_convertvector(same - 2 * int_totals(differ), floats);
    }
}

static void one_binary(float *scores, const void *query, const void *rows, size_t count, size_t dim)
{
    if (dim == 32)
        whole_signs(scores, query, rows, count, 1);
    else if (dim == 64)
        whole_signs(scores, query, rows, count, 2);
    else if (dim == 128)
        whole_signs(scores, query, rows, count, 4);
    else if (dim == 256 && LANES >= 8)
        whole_signs(scores, query, rows, count, 8);
    else if (dim == 512 && LANES >= 16)
        whole_signs(scores, query, rows, count, 16);
    else
        signs_of(scores, query, rows, count, dim);
}

/* A bit for each lane. */
INLINE uint32_t lanes_below(words values, words limits)
{
#if defined(__AVX512F__)
    /* By _cvtmask16_u32: with few registers gcc 12 stores 16 bits of a mask and loads 32. */
    return _cvtmask16_u32(_mm512_cmplt_epi32_mask((__m512i)values, (__m512i)limits));
#else
    ints below = (ints)values < (ints)limits;
    int32_t any = 0;
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) any |= below[i];
    for (int i = 0; any && i < LANES; i++) bits |= (uint32_t)(below[i] & 1) << i;
    return bits;
#endif
}

/* size: (dim + 31) / 32, a constant where it is small. */
INLINE size_t below_of(uint32_t *places, uint32_t *differ, const struct turned_signs *queries,
                       const char *row, size_t count, size_t size)
{
    size_t bytes = (queries->dim + 7) / 8, found = 0;
    size_t padded = (queries->count + DOTS_ROWS - 1) / DOTS_ROWS * DOTS_ROWS;
    uint32_t mask = sign_mask(queries->dim, 4);
    for (size_t i = 0; i < count; i++, row += bytes)
        for (size_t q = 0; q < queries->count; q += LANES) {
            words sum = {0};
            for (size_t w = 0; w < size; w++) {
                uint32_t word;
                memcpy(&word, row + sizeof word * w, sizeof word);
                if (w + 1 == size) word &= mask;
                sum += bit_counts(*(const words *)(queries->words + w * padded + q) ^ word);
            }
            for (uint32_t bits = lanes_below(sum, *(const words *)(queries->limits + q)); bits;
                 bits &= bits - 1) {
                uint32_t lane = (uint32_t)__builtin_ctz(bits), sums[LANES];
                memcpy(sums, &sum, sizeof sums);
                places[found] = (uint32_t)(i * queries->count + q) + lane;
                differ[found++] = sums[lane];
            }
        }
    return found;
}

static size_t signs_below(uint32_t *places, uint32_t *differ, const struct turned_signs *queries,
                          const void *rows, size_t count)
{
    size_t size = (queries->dim + 31) / 32;
    switch (size) {
    case 1:
        return below_of(places, differ, queries, rows, count, 1);
    case 2:
        return below_of(places, differ, queries, rows, count, 2);
    case 4:
        return below_of(places, differ, queries, rows, count, 4);
    case 8:
        return below_of(places, differ, queries, rows, count, 8);
    default:
        return below_of(places, differ, queries, rows, count, size);
    }
}

/* ---- scores above a bar ---- */

enum { STEP = 64 /* columns looked at together */ };

/* A bit for each of 64 columns; seldom is there any. */
INLINE uint64_t columns_above(const float *scores, const float *scale, const float *bars)
{
    uint64_t above = 0;
#if defined(__AVX512F__)
    __mmask16 masks[STEP / LANES];
    for (int i = 0; i < STEP / LANES; i++) {
        __m512 score = _mm512_loadu_ps(scores + i * LANES);
        if (scale) score = _mm512_mul_ps(score, _mm512_set1_ps(*scale));
        masks[i] = _mm512_cmp_ps_mask(score, _mm512_loadu_ps(bars + i * LANES), _CMP_GT_OQ);
    }
    __mmask16 low = _kor_mask16(masks[0], masks[1]), high = _kor_mask16(masks[2], masks[3]);
    if (_kortestz_mask16_u8(low, high)) return 0;
    for (int i = 0; i < STEP / LANES; i++) above |= (uint64_t)_cvtmask16_u32(masks[i]) << i * LANES;
#else
    ints any = {0};
    int32_t lanes = 0;
    for (int i = 0; i < STEP; i += LANES) {
        floats score = *(const floats *)(scores + i);
        if (scale) score *= *scale;
        any |= score > *(const floats *)(bars + i);
    }
    for (int i = 0; i < LANES; i++) lanes |= any[i];
    for (int i = 0; lanes && i < STEP; i++)
        above |= (uint64_t)((scale ? scores[i] * *scale : scores[i]) > bars[i]) << i;
#endif
    return above;
}

INLINE size_t row_above(uint32_t *places, const float *scores, const float *scale,
                        const float *bars, size_t first, size_t cols)
{
    size_t found = 0, col = 0;
    for (; col + STEP <= cols; col += STEP)
        for (uint64_t bits = columns_above(scores + col, scale, bars + col); bits; bits &= bits - 1)
            places[found++] = (uint32_t)(first + col + (size_t)__builtin_ctzll(bits));
    for (; col < cols; col++)
        if ((scale ? scores[col] * *scale : scores[col]) > bars[col])
            places[found++] = (uint32_t)(first + col);
    return found;
}

static size_t above(uint32_t *places, const float *scores, const float *scales, const float *bars,
                    size_t rows, size_t cols)
{
    size_t found = 0, end = rows * cols;
    if (scales)
        for (size_t at = 0; at < end; at += cols, scales++)
            found += row_above(places + found, scores + at, scales, bars, at, cols);
    else
        for (size_t at = 0; at < end; at += cols)
            found += row_above(places + found, scores + at, NULL, bars, at, cols);
    return found;
}

const struct dots TABLE = {.name = NAME,
                           .one = {one_f32, one_bf16, one_int8, one_binary},
                           .signs_below = signs_below,
                           .above = above};
