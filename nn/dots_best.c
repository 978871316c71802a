/* The run-time choice among the builds of nn/dots.c, and what is the same for all. */
#include "nn/dots.h"

#include <string.h>

/* The sets asked for are those that the Makefile lets the compiler use. */
int dots_runs(const struct dots *dots)
{
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("popcnt");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (dots == &dots_avx512_bf16)
        return avx512 && __builtin_cpu_supports("avx512bf16") &&
               __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq");
    return dots == &dots_avx512 ? avx512 : dots == &dots_avx2 ? avx2 : 1;
}

const struct dots *dots_best(void)
{
    static const struct dots *const builds[] = {&dots_avx512_bf16, &dots_avx512, &dots_avx2};
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++)
        if (dots_runs(builds[i])) return builds[i];
    return &dots_portable;
}

static size_t padded(size_t count)
{
    return (count + DOTS_ROWS - 1) / DOTS_ROWS * DOTS_ROWS;
}

size_t dots_turned_size(size_t count, size_t dim)
{
    return (dim + 31) / 32 * padded(count);
}

void dots_turn_signs(struct turned_signs *out, const void *queries)
{
    size_t bytes = (out->dim + 7) / 8, row = padded(out->count);
    memset(out->words, 0, dots_turned_size(out->count, out->dim) * sizeof *out->words);
    for (size_t q = 0; q < out->count; q++)
        for (size_t i = 0; i < out->dim; i++) {
            unsigned char byte = ((const unsigned char *)queries)[q * bytes + i / 8];
            unsigned char *word = (unsigned char *)&out->words[i / 32 * row + q];
            word[i / 8 % 4] |= (unsigned char)(byte & 0x80 >> i % 8);
        }
}
