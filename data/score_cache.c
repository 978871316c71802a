/* Scores on disk: see score_cache.h.
 *
 * In memory an open-addressing table of 24 bytes a slot, at most half full; the file is only ever
 * appended to, at an offset that this process keeps, so that a failed write can be taken back.
 * Where files were joined by concatenation the magic stands in the middle too: it is stepped over,
 * and it is where reading goes on after the torn end of an earlier part.
 */
#define _GNU_SOURCE
#include "data/score_cache.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_SIZE = 16, RECORD_SIZE = 24, CHECKED_SIZE = 20 };
static const char magic[MAGIC_SIZE + 1] = "retort-scores 1\n";

struct slot {
    struct hash128 key;
    float score;
    bool used;
};

struct score_cache {
    char *path;
    int file;
    off_t end; /* of what is known to be good on disk */
    struct slot *slots;
    size_t count, capacity;
    struct text pending; /* records not yet on disk */
};

/* ---- the table ---- */

static struct slot *find_slot(const struct score_cache *cache, struct hash128 key)
{
    size_t mask = cache->capacity - 1;
    size_t at = key.low & mask;
    while (cache->slots[at].used &&
           (cache->slots[at].key.low != key.low || cache->slots[at].key.high != key.high))
        at = (at + 1) & mask;
    return &cache->slots[at];
}

static void grow_table(struct score_cache *cache)
{
    struct slot *old = cache->slots;
    size_t old_capacity = cache->capacity;
    cache->capacity = old_capacity ? old_capacity * 2 : 1024;
    cache->slots = xcalloc(cache->capacity, sizeof *cache->slots);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].used) *find_slot(cache, old[i].key) = old[i];
    free(old);
}

/* False where the key is there already: the first score of a key stays. */
static bool insert(struct score_cache *cache, struct hash128 key, float score)
{
    if (cache->count * 2 >= cache->capacity) grow_table(cache);
    struct slot *slot = find_slot(cache, key);
    if (slot->used) return false;
    *slot = (struct slot){.key = key, .score = score, .used = true};
    cache->count++;
    return true;
}

/* ---- records ---- */

static uint32_t record_check(const char *record)
{
    return (uint32_t)hash64(record, CHECKED_SIZE, 0);
}

static void record_write(char record[RECORD_SIZE], struct hash128 key, float score)
{
    uint64_t words[2] = {htole64(key.low), htole64(key.high)};
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits = htole32(bits);
    memcpy(record, words, sizeof words);
    memcpy(record + sizeof words, &bits, sizeof bits);
    uint32_t check = htole32(record_check(record));
    memcpy(record + CHECKED_SIZE, &check, sizeof check);
}

/* False where the record is damaged. */
static bool record_read(const char *record, struct hash128 *key, float *score)
{
    uint64_t words[2];
    uint32_t bits, check;
    memcpy(words, record, sizeof words);
    memcpy(&bits, record + sizeof words, sizeof bits);
    memcpy(&check, record + CHECKED_SIZE, sizeof check);
    if (le32toh(check) != record_check(record)) return false;
    *key = (struct hash128){.low = le64toh(words[0]), .high = le64toh(words[1])};
    bits = le32toh(bits);
    memcpy(score, &bits, sizeof bits);
    return true;
}

/* Takes in all good records of bytes, which begin with the magic; where the last good one ends. */
static size_t read_records(struct score_cache *cache, const char *bytes, size_t size)
{
    size_t at = MAGIC_SIZE, good_end = MAGIC_SIZE;
    while (at < size) {
        struct hash128 key;
        float score;
        if (size - at >= MAGIC_SIZE && memcmp(bytes + at, magic, MAGIC_SIZE) == 0) {
            good_end = at += MAGIC_SIZE;
        } else if (size - at >= RECORD_SIZE && record_read(bytes + at, &key, &score)) {
            insert(cache, key, score);
            good_end = at += RECORD_SIZE;
        } else {
            const char *next = memmem(bytes + at, size - at, magic, MAGIC_SIZE);
            if (!next) break;
            at = (size_t)(next - bytes);
        }
    }
    return good_end;
}

/* ---- the file ---- */

static int start_file(struct score_cache *cache, struct error *err)
{
    if (ftruncate(cache->file, 0) || pwrite(cache->file, magic, MAGIC_SIZE, 0) != MAGIC_SIZE ||
        fdatasync(cache->file))
        return fail_errno(err, "%s: cannot write", cache->path);
    cache->end = MAGIC_SIZE;
    return 0;
}

/* Takes in what the file holds; cache->end stays 0 where it is shorter than the magic. */
static int map_records(struct score_cache *cache, size_t *size, struct error *err)
{
    struct stat info;
    if (fstat(cache->file, &info)) return fail_errno(err, "%s: cannot read", cache->path);
    if (!S_ISREG(info.st_mode)) return fail(err, "%s: not a regular file", cache->path);
    *size = (size_t)info.st_size;
    if (*size == 0) return 0;

    const char *bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, cache->file, 0);
    if (bytes == MAP_FAILED) return fail_errno(err, "%s: cannot read", cache->path);
    size_t compared = *size < MAGIC_SIZE ? *size : MAGIC_SIZE;
    bool ours = memcmp(bytes, magic, compared) == 0;
    if (ours && *size >= MAGIC_SIZE) cache->end = (off_t)read_records(cache, bytes, *size);
    munmap((void *)bytes, *size);
    if (ours) return 0;
    return fail(err, "%s: not a score cache; give another path or remove it", cache->path);
}

static int read_file(struct score_cache *cache, struct error *err)
{
    size_t size;
    if (map_records(cache, &size, err)) return -1;
    if (size < MAGIC_SIZE) return start_file(cache, err); /* new, or killed while it was made */
    if (cache->end < (off_t)size && ftruncate(cache->file, cache->end))
        return fail_errno(err, "%s: cannot cut off the damaged end", cache->path);
    return 0;
}

static int lock_file(struct score_cache *cache, struct error *err)
{
    if (flock(cache->file, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EWOULDBLOCK)
        return fail(err, "%s: in use by another process; wait for it or give another path",
                    cache->path);
    return fail_errno(err, "%s: cannot lock", cache->path);
}

int score_cache_open(struct score_cache **out, const char *path, struct error *err)
{
    struct score_cache *cache = xcalloc(1, sizeof *cache);
    *out = NULL;
    cache->path = xstrdup(path);
    cache->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int status = cache->file < 0 ? fail_errno(err, "%s: cannot open", path) : 0;
    if (!status) status = lock_file(cache, err);
    if (!status) status = read_file(cache, err);
    if (status)
        score_cache_close(cache);
    else
        *out = cache;
    return status;
}

int score_cache_look(struct score_cache_facts *out, const char *path, struct error *err)
{
    struct score_cache cache = {.path = (char *)path, .file = open(path, O_RDONLY | O_CLOEXEC)};
    *out = (struct score_cache_facts){.lowest = INFINITY, .highest = -INFINITY};
    if (cache.file < 0) return fail_errno(err, "%s: cannot open", path);
    size_t size;
    int status = map_records(&cache, &size, err);
    if (!status) out->damaged = size - (size_t)cache.end;
    for (size_t i = 0; i < cache.capacity; i++)
        if (cache.slots[i].used) {
            out->lowest = fminf(out->lowest, cache.slots[i].score);
            out->highest = fmaxf(out->highest, cache.slots[i].score);
        }
    out->scores = cache.count;
    close(cache.file);
    free(cache.slots);
    return status;
}

size_t score_cache_count(const struct score_cache *cache)
{
    return cache->count;
}

bool score_cache_find(const struct score_cache *cache, struct hash128 key, float *score)
{
    if (!cache->capacity) return false;
    const struct slot *slot = find_slot(cache, key);
    if (!slot->used) return false;
    *score = slot->score;
    return true;
}

void score_cache_add(struct score_cache *cache, struct hash128 key, float score)
{
    if (!insert(cache, key, score)) return;
    char record[RECORD_SIZE];
    record_write(record, key, score);
    text_append(&cache->pending, record, RECORD_SIZE);
}

int score_cache_flush(struct score_cache *cache, struct error *err)
{
    const char *bytes = cache->pending.bytes;
    size_t left = cache->pending.length;
    off_t at = cache->end;
    if (!left) return 0;
    while (left) {
        ssize_t written = pwrite(cache->file, bytes, left, at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        bytes += written, left -= (size_t)written, at += written;
    }
    if (left || fdatasync(cache->file)) {
        int status = fail_errno(err, "%s: cannot write", cache->path);
        if (ftruncate(cache->file, cache->end)) return status; /* a torn tail: cut when read */
        return status;
    }
    cache->end = at;
    text_clear(&cache->pending);
    return 0;
}

void score_cache_close(struct score_cache *cache)
{
    if (!cache) return;
    if (cache->file >= 0) close(cache->file);
    text_free(&cache->pending);
    free(cache->slots);
    free(cache->path);
    free(cache);
}

struct hash128 score_key(struct hash128 model, int max_length, const char *query,
                         const char *document)
{
    struct hash128 first = hash128(query, strlen(query));
    struct hash128 second = hash128(document, strlen(document));
    uint64_t words[] = {model.low,  model.high, (uint64_t)max_length, first.low,
                        first.high, second.low, second.high};
    return hash128(words, sizeof words);
}
