/* Scores that cost something to compute, kept in an append-only file: safe after kill -9, mergeable by concatenation.
 *
 * Layout: 16 bytes magic "retort-scores 1\n", then records of 24 bytes: key (two little-endian u64), score (f32), check (u32, low half of
 * hash64 of the first 20 bytes).  A torn or damaged record ends the reading there: the tail is cut off and computed again.
 */
#ifndef RETORT_SCORE_CACHE_H
#define RETORT_SCORE_CACHE_H

#include "data/base.h"

struct score_cache;

/* Opens or creates; an exclusive lock (flock) makes a second writer fail. */
int score_cache_open(struct score_cache **out, const char *path, struct error *err);
size_t score_cache_count(const struct score_cache *cache);
bool score_cache_find(const struct score_cache *cache, struct hash128 key, float *score);
/* Remembered at once, on disk after score_cache_flush. */
void score_cache_add(struct score_cache *cache, struct hash128 key, float score);
/* Appends what is new and syncs. */
int score_cache_flush(struct score_cache *cache, struct error *err);
void score_cache_close(struct score_cache *cache);

/* Key of a pair: model fingerprint, maximum length, both texts. */
struct hash128 score_key(struct hash128 model, int max_length, const char *query,
                         const char *document);

#endif
