/* SIMD_CLONES, before a function: it is compiled for AVX-512, for AVX2 and for the portable
 * baseline, and the loader picks the one that this processor runs.  For plain loops that vectorise;
 * each clone alone is deterministic. */
#ifndef RETORT_SIMD_H
#define RETORT_SIMD_H

#include <limits.h> /* defines __GLIBC__: the loader of other C libraries cannot choose */

#if defined(__x86_64__) && defined(__GLIBC__)
#define SIMD_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SIMD_CLONES
#endif

#endif
