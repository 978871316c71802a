/* The run-time choice among the builds of nn/kernels.c and nn/kernels_int8.c. */
#include "nn/kernels.h"
#include "nn/kernels_int8.h"

int kernel_padded(int columns)
{
    return (columns + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

enum set { PORTABLE, AVX2, AVX512 };

/* The sets asked for are those that the Makefile lets the compiler use. */
static enum set best_set(void)
{
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return avx512 ? AVX512 : avx2 ? AVX2 : PORTABLE;
}

const struct kernels *kernels_best(void)
{
    static const struct kernels *const builds[] = {&kernels_portable, &kernels_avx2,
                                                   &kernels_avx512};
    return builds[best_set()];
}

const struct int8_kernels *int8_kernels_best(void)
{
    static const struct int8_kernels *const builds[] = {&kernels_int8_portable, &kernels_int8_avx2,
                                                        &kernels_int8_avx512};
    return builds[best_set()];
}
