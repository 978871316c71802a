/* The run-time choice among the builds of nn/kernels.c, nn/kernels_int8.c and nn/dots.c. */
#define _GNU_SOURCE /* syscall */

#include "nn/dots.h"
#include "nn/kernels.h"
#include "nn/kernels_int8.h"

#include <pthread.h>
#include <stdbool.h>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

int kernel_padded(int columns)
{
    return (columns + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

enum set { PORTABLE, AVX2, AVX512, AVX512_BF16, AMX };

#if defined(__x86_64__) && defined(__linux__)
static bool has_tiles(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25 };
    const unsigned all = AMX_BF16 | AMX_TILE | AMX_INT8;
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & all) == all;
}

/* Linux keeps 8 KiB a thread of a process that asks for it; before 5.16 it does not. */
static bool may_use_tiles(void)
{
    enum { ASK_FOR_STATE = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return syscall(SYS_arch_prctl, ASK_FOR_STATE, TILE_DATA) == 0;
}
#else
static bool has_tiles(void)
{
    return false;
}

static bool may_use_tiles(void)
{
    return false;
}
#endif

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
    /* Processors with tiles multiply bf16 without them at half the rate of f32. */
    if (bf16 && has_tiles()) return may_use_tiles() ? AMX : AVX512;
    return bf16 ? AVX512_BF16 : avx512 ? AVX512 : avx2 ? AVX2 : PORTABLE;
}

static enum set chosen;
static void choose(void)
{
    chosen = best_set();
}

static enum set chosen_set(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
    return chosen;
}

const struct kernels *kernels_best(void)
{
    static const struct kernels *const builds[] = {
        &kernels_portable, &kernels_avx2, &kernels_avx512, &kernels_avx512_bf16, &kernels_amx};
    return builds[chosen_set()];
}

const struct int8_kernels *int8_kernels_best(void)
{
    static const struct int8_kernels *const builds[] = {
        &kernels_int8_portable, &kernels_int8_avx2, &kernels_int8_avx512, &kernels_int8_avx512_bf16,
        &kernels_int8_amx};
    return builds[chosen_set()];
}

const struct dots *dots_best(void)
{
    static const struct dots *const builds[] = {&dots_portable, &dots_avx2, &dots_avx512,
                                                &dots_avx512_bf16, &dots_amx};
    return builds[chosen_set()];
}
