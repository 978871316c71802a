/* Errors, memory, strings, hashes, random numbers: see base.h. */
#define _GNU_SOURCE
#include "data/base.h"

#include "data/guard.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static int fail_with(struct error *err, int status, const char *suffix, const char *format,
                     va_list arguments)
{
    if (err->status) return -1; /* the first error is the cause; later ones are consequences */
    int used = vsnprintf(err->message, sizeof err->message, format, arguments);
    if (suffix && used >= 0 && (size_t)used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - (size_t)used, ": %s", suffix);
    /* A message quotes names out of files: it stays one line and says nothing to the terminal. */
    for (char *c = err->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    err->status = status;
    return -1;
}

int fail(struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = fail_with(err, STATUS_WORLD, NULL, format, arguments);
    va_end(arguments);
    return result;
}

int fail_usage(struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = fail_with(err, STATUS_USAGE, NULL, format, arguments);
    va_end(arguments);
    return result;
}

int fail_errno(struct error *err, const char *format, ...)
{
    int number = errno, status = number == ENOMEM && is_guarded() ? STATUS_NO_MEMORY : STATUS_WORLD;
    va_list arguments;
    va_start(arguments, format);
    int result = fail_with(err, status, strerror(number), format, arguments);
    va_end(arguments);
    return result;
}

int fail_interrupted(struct error *err)
{
    fail(err, "interrupted; run the same command again to go on");
    err->status = STATUS_INTERRUPTED;
    return -1;
}

_Noreturn void require_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "retort: %s:%d: internal error: %s does not hold; please report this\n", file,
            line, condition);
    abort();
}

_Noreturn static void out_of_memory(size_t size)
{
    refused("out of memory (%zu bytes wanted)", size);
}

void *xmalloc(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory) out_of_memory(size);
    return memory;
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) out_of_memory(count * size);
    return memory;
}

void *xrealloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) out_of_memory(SIZE_MAX);
    void *memory = realloc(old, bytes ? bytes : 1);
    if (!memory) out_of_memory(bytes);
    return memory;
}

/* A page of 4 KiB is a fault each; where the system has pages of 2 MiB for who asks, a model's
 * weights cost some fifty faults in place of twenty thousand, and fewer look-ups of addresses. */
static void ask_for_large_pages(void *memory, size_t bytes)
{
    const size_t least = 4 << 20, page = (size_t)sysconf(_SC_PAGESIZE);
    if (bytes < least) return;
    size_t before = -(uintptr_t)memory % page; /* the pages that this memory has alone */
    madvise((char *)memory + before, (bytes - before) / page * page, MADV_HUGEPAGE);
}

void *xaligned(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 64)
        out_of_memory(SIZE_MAX);
    bytes = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes ? bytes : 64);
    if (!memory) out_of_memory(bytes);
    ask_for_large_pages(memory, bytes);
    memset(memory, 0, bytes ? bytes : 64);
    return memory;
}

char *xstrndup(const char *bytes, size_t length)
{
    char *copy = xmalloc(length + 1);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *xstrdup(const char *string)
{
    return xstrndup(string, strlen(string));
}

char *xasprintf(const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0);
    text.bytes = xmalloc((size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text.bytes, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text.bytes;
}

size_t grown(size_t *capacity)
{
    *capacity = *capacity ? *capacity * 2 : 8;
    return *capacity;
}

void *grow(void *array, size_t *capacity, size_t size)
{
    size_t wanted = *capacity;
    void *larger = xrealloc(array, grown(&wanted), size);
    *capacity = wanted;
    return larger;
}

/* ---- text ---- */

static void text_reserve(struct text *text, size_t extra)
{
    size_t wanted = text->length + extra + 1, capacity = text->capacity;
    if (wanted <= capacity) return;
    while (capacity < wanted) grown(&capacity);
    text->bytes = xrealloc(text->bytes, capacity, 1);
    text->capacity = capacity;
}

void text_append(struct text *text, const char *bytes, size_t length)
{
    text_reserve(text, length);
    if (length) memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_puts(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    REQUIRE(length >= 0);
    text_reserve(text, (size_t)length);
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void text_clear(struct text *text)
{
    text->length = 0;
    if (text->bytes) text->bytes[0] = '\0';
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

void text_release(void *text)
{
    text_free(text);
}

/* ---- arena ---- */

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + 15) / 16 * 16;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t wanted = size > 65536 ? size : 65536;
        block = xmalloc(sizeof *block + wanted);
        *block = (struct arena_block){.next = arena->blocks, .size = wanted};
        arena->blocks = block;
    }
    void *piece = block->bytes + block->used;
    block->used += size;
    return piece;
}

char *arena_strndup(struct arena *arena, const char *bytes, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

void arena_free(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

/* ---- string map: open addressing, linear probing, at most half full ---- */

struct strmap_slot {
    const char *key;
    size_t length;
    int64_t value;
};

static struct strmap_slot *strmap_slot(const struct strmap *map, const char *key, size_t length)
{
    size_t mask = map->capacity - 1;
    size_t at = XXH3_64bits(key, length) & mask;
    while (map->slots[at].key &&
           (map->slots[at].length != length || memcmp(map->slots[at].key, key, length) != 0))
        at = (at + 1) & mask;
    return &map->slots[at];
}

int64_t strmap_find_n(const struct strmap *map, const char *key, size_t length)
{
    if (!map->capacity) return -1;
    const struct strmap_slot *slot = strmap_slot(map, key, length);
    return slot->key ? slot->value : -1;
}

int64_t strmap_find(const struct strmap *map, const char *key)
{
    return strmap_find_n(map, key, strlen(key));
}

static void strmap_grow(struct strmap *map)
{
    struct strmap larger = {.count = map->count,
                            .capacity = map->capacity ? map->capacity * 2 : 64};
    larger.slots = xcalloc(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].key)
            *strmap_slot(&larger, map->slots[i].key, map->slots[i].length) = map->slots[i];
    free(map->slots);
    *map = larger;
}

int64_t strmap_insert(struct strmap *map, const char *key, int64_t value)
{
    if (map->count * 2 >= map->capacity) strmap_grow(map);
    struct strmap_slot *slot = strmap_slot(map, key, strlen(key));
    if (slot->key) return slot->value;
    *slot = (struct strmap_slot){.key = key, .length = strlen(key), .value = value};
    map->count++;
    return value;
}

void strmap_free(struct strmap *map)
{
    free(map->slots);
    *map = (struct strmap){0};
}

void strmap_release(void *map)
{
    strmap_free(map);
}

/* ---- hashes ---- */

uint64_t hash64(const void *bytes, size_t length, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, length, seed);
}

struct hash128 hash128(const void *bytes, size_t length)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, length);
    return (struct hash128){.low = hash.low64, .high = hash.high64};
}

double hash_place(uint64_t hash)
{
    return (double)(hash >> 11) * 0x1p-53;
}

struct keyed {
    uint64_t key;
    size_t index;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void choose_smallest(bool *chosen, const uint64_t *keys, size_t n, size_t count)
{
    struct keyed *order = xcalloc(n, sizeof *order);
    for (size_t i = 0; i < n; i++) order[i] = (struct keyed){keys[i], i};
    qsort(order, n, sizeof *order, by_key);
    for (size_t i = 0; i < n && i < count; i++) chosen[order[i].index] = true;
    free(order);
}

void hash_hex(char hex[33], struct hash128 hash)
{
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)hash.high,
             (unsigned long long)hash.low);
}

int hash_file(char hex[33], const char *path, struct error *err)
{
    char buffer[65536];
    XXH3_state_t state;
    FILE *file = fopen(path, "rb");
    if (!file) return fail_errno(err, "%s: cannot open", path);
    XXH3_128bits_reset(&state);
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0)
        XXH3_128bits_update(&state, buffer, got);
    int status = ferror(file) ? fail_errno(err, "%s: read error", path) : 0;
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    hash_hex(hex, (struct hash128){.low = hash.low64, .high = hash.high64});
    fclose(file);
    return status;
}

void hash_library_version(char version[VERSION_SIZE])
{
    unsigned number = XXH_versionNumber(); /* 801: 0.8.1 */
    snprintf(version, VERSION_SIZE, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
}

/* ---- random numbers ---- */

/* SplitMix64's finaliser (Steele, Lea, Flood 2014), applied to each word of the key in turn. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return mix(mix(mix(seed) ^ stream) ^ counter);
}

double random_uniform(uint64_t seed, uint64_t stream, uint64_t counter)
{
    return hash_place(random_bits(seed, stream, counter));
}

double random_normal(uint64_t seed, uint64_t stream, uint64_t counter)
{
    double radius = sqrt(-2 * log(1 - random_uniform(seed, stream, 2 * counter)));
    return radius * cos(6.283185307179586 * random_uniform(seed, stream, 2 * counter + 1));
}

void random_permutation(uint32_t *order, size_t n, uint64_t seed, uint64_t stream)
{
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(random_uniform(seed, stream, i) * (double)i);
        uint32_t other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
}

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
