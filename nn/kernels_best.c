/* The run-time choice among the builds of nn/kernels.c. */
#include "nn/kernels.h"

int kernel_padded(int columns)
{
    return (columns + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

/* The sets asked for are those that the Makefile lets the compiler use. */
const struct kernels *kernels_best(void)
{
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) return &kernels_avx512_bf16;
    return avx512 ? &kernels_avx512 : avx2 ? &kernels_avx2 : &kernels_portable;
}
