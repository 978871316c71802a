/* The ground that every file stands on: errors, memory, strings.
 *
 * Three kinds of failure, one treatment each:
 *   our bug (shape mismatch, library misuse)   REQUIRE(condition): prints, aborts, in release too
 *   out of memory                              xmalloc and friends leave, no caller checks: guard.h
 *   the world (files, job files, archives)     return -1 with one sentence in struct error
 *
 * Ownership, everywhere in retort: the caller owns what it passed; X_free releases what X_*
 * allocated, accepts a zeroed or half-built X, and leaves it zeroed.
 */
#ifndef RETORT_BASE_H
#define RETORT_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of the program, also carried by struct error. */
enum {
    STATUS_WORLD = 1,     /* a file, an archive, a model: the world is wrong */
    STATUS_USAGE = 2,     /* the call or the job file is wrong */
    STATUS_NO_MEMORY = 3, /* memory, or a thread, was refused; below a guard alone */
    STATUS_INTERRUPTED = 130
};

/* One sentence for the user, without newline: what is wrong, where (file:line), what to do. */
struct error {
    char message[1024];
    int status; /* 0 while nothing failed, else STATUS_* */
};

/* Fill *err (the first error is kept) and return -1, so that `return fail(err, ...)` is one
 * line. */
int fail(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int fail_usage(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* STATUS_INTERRUPTED, where a long loop saw interrupted() and has saved its work. */
int fail_interrupted(struct error *err);
/* As fail, with ": strerror(errno)" appended; ENOMEM below a guard is STATUS_NO_MEMORY. */
int fail_errno(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A broken internal invariant: prints file, line and condition, aborts. */
#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(__FILE__, __LINE__, #condition))
_Noreturn void require_failed(const char *file, int line, const char *condition);

/* Allocate, or do not return: see guard.h.  xcalloc zeroes; sizes are checked for overflow.  Free
 * with free(). */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t count, size_t size);
char *xstrdup(const char *string);
char *xstrndup(const char *bytes, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* 64-byte aligned, zeroed; for vectors and matrices.  Free with free(). */
void *xaligned(size_t count, size_t size);

/* Makes room for one more element in a growing array: doubles *capacity when count == *capacity. */
#define GROW(array, count, capacity)                                                               \
    ((count) < *(capacity) ? (void)0 : (void)((array) = grow((array), (capacity), sizeof *(array))))
void *grow(void *array, size_t *capacity, size_t size);
size_t grown(size_t *capacity); /* new capacity, also stored */

/* A growing byte string, always NUL-terminated once something was appended. */
struct text {
    char *bytes;
    size_t length, capacity;
};
void text_append(struct text *text, const char *bytes, size_t length);
void text_puts(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text *text); /* length 0, memory kept */
void text_free(struct text *text);
void text_release(void *text); /* the same, for hold (guard.h) */

/* An arena: many small allocations released at once.  Zero-initialise; 16-byte aligned pieces. */
struct arena {
    struct arena_block *blocks;
};
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strndup(struct arena *arena, const char *bytes, size_t length);
void arena_free(struct arena *arena);

/* A map from strings to non-negative integers (ids to rows).  Keys are not copied: they must
 * outlive it. */
struct strmap {
    struct strmap_slot *slots;
    size_t count, capacity;
};
/* Value of key, or -1. */
int64_t strmap_find(const struct strmap *map, const char *key);
int64_t strmap_find_n(const struct strmap *map, const char *key, size_t length);
/* Inserts key -> value unless present; the value now stored (the old one where it was present). */
int64_t strmap_insert(struct strmap *map, const char *key, int64_t value);
void strmap_free(struct strmap *map);
void strmap_release(void *map); /* the same, for hold */

/* 64- and 128-bit content hashes (XXH3). */
uint64_t hash64(const void *bytes, size_t length, uint64_t seed);
struct hash128 {
    uint64_t low, high;
};
struct hash128 hash128(const void *bytes, size_t length);
void hash_hex(char hex[33], struct hash128 hash); /* 32 hexadecimal digits and NUL */
double hash_place(uint64_t hash);                 /* in [0, 1) */
/* Sets chosen[i] for the `count` smallest of keys [n], ties to the first: with hashes, a sample
 * that does not depend on the order. */
void choose_smallest(bool *chosen, const uint64_t *keys, size_t n, size_t count);
/* Of a whole file's content. */
int hash_file(char hex[33], const char *path, struct error *err);

/* "3.1.2": of the library that a file includes, as loaded (xxHash: as compiled in).  Each file that
 * owns a library has one such function, and distill/versions.c the table of them. */
enum { VERSION_SIZE = 32 };
void hash_library_version(char version[VERSION_SIZE]);

/* Counter-based random numbers: a value depends on (seed, stream, counter) alone, never on what was
 * drawn before, so that a resumed or differently ordered run draws the same. */
uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter);
double random_uniform(uint64_t seed, uint64_t stream, uint64_t counter); /* [0, 1) */
double random_normal(uint64_t seed, uint64_t stream, uint64_t counter);  /* mean 0, deviation 1 */
/* Fisher-Yates shuffle of 0..n-1 into order. */
void random_permutation(uint32_t *order, size_t n, uint64_t seed, uint64_t stream);

double seconds_now(void); /* monotonic clock */

#endif
