/* The run-time choice among the builds of nn/kernels.c, nn/kernels_int8.c and nn/dots.c. */
#include "nn/dots.h"
#include "nn/kernels.h"
#include "nn/kernels_int8.h"

int kernel_padded(int columns)
{
    return (columns + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

enum set { PORTABLE, AVX2, AVX512, AVX512_BF16 };

/* The sets asked for are those that the Makefile lets the compiler use. */
static enum set best_set(void)
{
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("popcnt");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16") &&
                __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq");
    return bf16 ? AVX512_BF16 : avx512 ? AVX512 : avx2 ? AVX2 : PORTABLE;
}

const struct kernels *kernels_best(void)
{
    static const struct kernels *const builds[] = {&kernels_portable, &kernels_avx2,
                                                   &kernels_avx512, &kernels_avx512_bf16};
    return builds[best_set()];
}

const struct int8_kernels *int8_kernels_best(void)
{
    static const struct int8_kernels *const builds[] = {&kernels_int8_portable, &kernels_int8_avx2,
                                                        &kernels_int8_avx512,
                                                        &kernels_int8_avx512_bf16};
    return builds[best_set()];
}

const struct dots *dots_best(void)
{
    static const struct dots *const builds[] = {&dots_portable, &dots_avx2, &dots_avx512,
                                                &dots_avx512_bf16};
    return builds[best_set()];
}
