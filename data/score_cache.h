/* Scores that cost something to compute, kept in an append-only file: safe after kill -9, mergeable
 * by concatenation.
 *
 *     struct score_cache *cache;
 *     if (score_cache_open(&cache, "runs/x/scores.bin", err)) return -1;
 *     struct hash128 key = score_key(model, 256, query, document);
 *     if (!score_cache_find(cache, key, &score)) score_cache_add(cache, key, score = compute(...));
 *     if (score_cache_flush(cache, err)) return -1;
 *     score_cache_close(cache);
 *
 * Layout: 16 bytes magic "retort-scores 1\n", then records of 24 bytes: key (two little-endian
 * u64), score (f32), check (u32, low half of hash64 of the first 20 bytes).  A torn or damaged
 * record ends the reading there: the tail is cut off and computed again; only a further magic (the
 * next of several files joined by cat) is looked for behind it.
 *
 * Memory: all records, 48 to 96 bytes each: an explicit index.
 */
#ifndef RETORT_SCORE_CACHE_H
#define RETORT_SCORE_CACHE_H

#include "data/base.h"

struct score_cache;

/* Opens or creates; an exclusive lock (flock) makes a second writer fail.  A file that is no score
 * cache is left alone: an error. */
int score_cache_open(struct score_cache **out, const char *path, struct error *err);
size_t score_cache_count(const struct score_cache *cache);
bool score_cache_find(const struct score_cache *cache, struct hash128 key, float *score);
/* Remembered at once, on disk after score_cache_flush.  A key that is there keeps its first
 * score. */
void score_cache_add(struct score_cache *cache, struct hash128 key, float score);
/* Appends what is new and syncs.  Where that fails the file is as before, and what is new stays to
 * be written. */
int score_cache_flush(struct score_cache *cache, struct error *err);
void score_cache_close(struct score_cache *cache); /* without flushing */

/* What a file holds, without becoming its writer and without mending it. */
struct score_cache_facts {
    size_t scores;
    size_t damaged; /* bytes at the end that are no record */
    float lowest, highest;
};
int score_cache_look(struct score_cache_facts *out, const char *path, struct error *err);

/* Key of a pair: model fingerprint, maximum length, both texts. */
struct hash128 score_key(struct hash128 model, int max_length, const char *query,
                         const char *document);

#endif
