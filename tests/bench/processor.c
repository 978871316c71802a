/* The processor's own peak: loops of nothing but one multiply-add instruction, on all cores.
 *
 * Twelve independent sums hide the instruction's latency and fit the sixteen registers of AVX2.
 * Each function is compiled for its own instructions and called only where the processor has them.
 */
#include "tests/bench/bench.h"

#include "data/base.h"
#include "nn/kernels.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { SUMS = 12, STEPS = 1 << 18 };

/* Runs the loop once; what it returns depends on every sum, so that none is left out. */
typedef float body(void);

struct loop {
    struct pool *pool;
    body *spin;
    double cost; /* flops of one call */
    size_t items;
    float *results; /* [items] */
};

/* Not known to the compiler, so that it cannot compute the sums itself. */
static volatile float half = 0.5f;

#ifdef __x86_64__
static volatile int one = 1;

__attribute__((target("avx512f"))) static float spin_f32_avx512(void)
{
    __m512 sums[SUMS], a = _mm512_set1_ps(half), total = _mm512_setzero_ps();
    for (int s = 0; s < SUMS; s++) sums[s] = _mm512_set1_ps((float)s);
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < SUMS; s++) sums[s] = _mm512_fmadd_ps(sums[s], a, a);
    for (int s = 0; s < SUMS; s++) total = _mm512_add_ps(total, sums[s]);
    return _mm512_reduce_add_ps(total);
}

__attribute__((target("avx2,fma"))) static float spin_f32_avx2(void)
{
    __m256 sums[SUMS], a = _mm256_set1_ps(half), total = _mm256_setzero_ps();
    for (int s = 0; s < SUMS; s++) sums[s] = _mm256_set1_ps((float)s);
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < SUMS; s++) sums[s] = _mm256_fmadd_ps(sums[s], a, a);
    for (int s = 0; s < SUMS; s++) total = _mm256_add_ps(total, sums[s]);
    return _mm256_cvtss_f32(total);
}

__attribute__((target("avx512f,avx512bf16"))) static float spin_bf16_avx512(void)
{
    __m512 sums[SUMS], total = _mm512_setzero_ps();
    __m512bh a = (__m512bh)_mm512_set1_epi16((short)(0x3f80 * one)); /* 1 */
    __m512bh b = (__m512bh)_mm512_set1_epi16((short)(0x3580 * one)); /* 2^-20 */
    for (int s = 0; s < SUMS; s++) sums[s] = _mm512_set1_ps((float)s);
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < SUMS; s++) sums[s] = _mm512_dpbf16_ps(sums[s], a, b);
    for (int s = 0; s < SUMS; s++) total = _mm512_add_ps(total, sums[s]);
    return _mm512_reduce_add_ps(total);
}

__attribute__((target("avx512f,avx512vnni"))) static float spin_int8_avx512(void)
{
    __m512i sums[SUMS], a = _mm512_set1_epi8((char)one), total = _mm512_setzero_si512();
    for (int s = 0; s < SUMS; s++) sums[s] = _mm512_set1_epi32(s);
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < SUMS; s++) sums[s] = _mm512_dpbusd_epi32(sums[s], a, a);
    for (int s = 0; s < SUMS; s++) total = _mm512_add_epi32(total, sums[s]);
    return (float)_mm512_reduce_add_epi32(total);
}

#define SPIN_AMX(name, product)                                                                    \
    __attribute__((target("amx-tile,amx-bf16,amx-int8"))) static float name(void)                  \
    {                                                                                              \
        struct {                                                                                   \
            uint8_t palette, rest[15];                                                             \
            uint16_t row_bytes[16];                                                                \
            uint8_t rows[16];                                                                      \
        } shapes = {.palette = 1};                                                                 \
        for (int tile = 0; tile < 8; tile++) shapes.rows[tile] = 16, shapes.row_bytes[tile] = 64;  \
        __asm__ volatile("" ::"r"(&shapes) : "memory");                                            \
        _tile_loadconfig(&shapes);                                                                 \
        for (int i = 0; i < STEPS / 16; i++) {                                                     \
            product(0, 4, 6);                                                                      \
            product(1, 4, 7);                                                                      \
            product(2, 5, 6);                                                                      \
            product(3, 5, 7);                                                                      \
        }                                                                                          \
        _tile_release();                                                                           \
        return 0;                                                                                  \
    }
SPIN_AMX(spin_bf16_amx, _tile_dpbf16ps)
SPIN_AMX(spin_int8_amx, _tile_dpbusd)

/* A bit is a sign: signs are multiplied by xor, and products added up by counting bits. */
__attribute__((target("avx512f,avx512vpopcntdq"))) static float spin_binary_avx512(void)
{
    __m512i sums[SUMS], a = _mm512_set1_epi8((char)one), total = _mm512_setzero_si512();
    for (int s = 0; s < SUMS; s++) sums[s] = _mm512_set1_epi32(s);
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < SUMS; s++)
            sums[s] = _mm512_add_epi32(sums[s], _mm512_popcnt_epi32(_mm512_xor_si512(sums[s], a)));
    for (int s = 0; s < SUMS; s++) total = _mm512_add_epi32(total, sums[s]);
    return (float)_mm512_reduce_add_epi32(total);
}
#endif

/* Where no vector counts bits. */
static float spin_binary(void)
{
    uint64_t sums[SUMS], total = 0, a = (uint64_t)(half * 4);
    for (int s = 0; s < SUMS; s++) sums[s] = (uint64_t)s;
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < SUMS; s++) sums[s] += (uint64_t)__builtin_popcountll(sums[s] ^ a);
    for (int s = 0; s < SUMS; s++) total += sums[s];
    return (float)total;
}

/* Any processor; as many sums as 128-bit registers hold. */
static float spin_f32(void)
{
    float sums[4 * SUMS], a = half, total = 0;
    for (int s = 0; s < 4 * SUMS; s++) sums[s] = (float)s;
    for (int i = 0; i < STEPS; i++)
        for (int s = 0; s < 4 * SUMS; s++) sums[s] = sums[s] * a + a;
    for (int s = 0; s < 4 * SUMS; s++) total += sums[s];
    return total;
}

static void spin_item(void *arg, size_t item, int worker)
{
    struct loop *loop = arg;
    (void)worker;
    loop->results[item] = loop->spin();
}

static void run_loop(void *arg)
{
    struct loop *loop = arg;
    pool_run(loop->pool, loop->items, spin_item, loop);
}

static void release_loop(void *object)
{
    struct loop *loop = object;
    free(loop->results);
    free(loop);
}

/* multiply_adds: of one call. */
static void add_loop(struct bench *bench, const char *precision, enum peak peak, body *spin,
                     double multiply_adds)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    *loop = (struct loop){.pool = bench->pool,
                          .spin = spin,
                          .cost = 2 * multiply_adds,
                          .items = bench_size(bench, 128, 8) * (size_t)pool_size(bench->pool)};
    loop->results = xcalloc(loop->items, sizeof *loop->results);
    double cost = loop->cost * (double)loop->items;
    bench_own(bench, loop, release_loop);
    bench_add(bench, &(struct work){.name = "peak-loop",
                                    .precision = precision,
                                    .units = {{"Gflop/s", 1e-9 * cost}},
                                    .peak = peak,
                                    .is_peak = true,
                                    .cost = cost,
                                    .run = run_loop,
                                    .arg = loop});
}

void add_processor(struct bench *bench)
{
    const double in_all = (double)SUMS * STEPS; /* instructions of one call */
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        add_loop(bench, "f32", PEAK_F32, spin_f32_avx512, 16 * in_all);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        add_loop(bench, "f32", PEAK_F32, spin_f32_avx2, 8 * in_all);
    else
        add_loop(bench, "f32", PEAK_F32, spin_f32, 4 * in_all);
    if (strcmp(kernels_best()->name, "amx") == 0) { /* tiles of 16 by 16, and 64 bytes deep */
        add_loop(bench, "bf16", PEAK_BF16, spin_bf16_amx, 16 * 16 * 32 * (STEPS / 4.0));
        add_loop(bench, "int8", PEAK_INT8, spin_int8_amx, 16 * 16 * 64 * (STEPS / 4.0));
    }
    if (__builtin_cpu_supports("avx512bf16"))
        add_loop(bench, "bf16", PEAK_BF16, spin_bf16_avx512, 32 * in_all);
    if (__builtin_cpu_supports("avx512vnni"))
        add_loop(bench, "int8", PEAK_INT8, spin_int8_avx512, 64 * in_all);
    if (__builtin_cpu_supports("avx512vpopcntdq"))
        add_loop(bench, "binary", PEAK_BINARY, spin_binary_avx512, 512 * in_all);
    else
        add_loop(bench, "binary", PEAK_BINARY, spin_binary, 64 * in_all);
#else
    add_loop(bench, "binary", PEAK_BINARY, spin_binary, 64 * in_all);
    add_loop(bench, "f32", PEAK_F32, spin_f32, 4 * in_all);
#endif
}
