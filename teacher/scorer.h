/* Scores long lists of pairs with a cross-encoder so that nothing is computed twice: not after kill
 * -9, not in a rerun.
 *
 *     struct scorer scorer = {.ce = ce, .pool = pool, .max_length = 256};
 *     if (scorer_open_cache(&scorer, "runs/x/scores.cache", err)) return -1;
 *     if (scorer_run(&scorer, n, pair_of_candidate, candidates, scores, err)) return -1;
 *
 * The schedule is fixed by the list alone: blocks of SCORER_BLOCK pairs in the list's order, each
 * tokenised and cut into batches of similar length.  A batch whose pairs are all in the cache is
 * left out; any other is computed whole, as in an undisturbed run, and what the cache lacks is
 * added.  So scores are the same bytes however often the work was interrupted. The cache is flushed
 * every SCORER_FLUSH_SECONDS: that much is lost by a kill, and no more.
 */
#ifndef RETORT_SCORER_H
#define RETORT_SCORER_H

#include "data/progress.h"
#include "data/score_cache.h"
#include "teacher/cross_encoder.h"

enum { SCORER_BLOCK = 8192, SCORER_FLUSH_SECONDS = 2 };

struct scorer {
    const struct cross_encoder *ce;
    struct pool *pool;
    struct score_cache *cache; /* NULL: none; to be closed by whoever opened it */
    struct hash128 model;      /* ce's fingerprint, where there is a cache */
    int max_length;            /* as cross_encoder_max_length gives it */
    int label;                 /* which logit is the score, from 0 */
};

/* Opens the cache and asks the model for its fingerprint. */
int scorer_open_cache(struct scorer *scorer, const char *path, struct error *err);

/* Texts of pair `index` of the caller's list; must stay valid for the call of scorer_run. */
typedef void scorer_pair(const void *list, size_t index, const char **query, const char **document);

/* Raw logits of n pairs in scores [n].  Draws progress.  Fails on a full disk, on a logit that is
 * not finite, and with STATUS_INTERRUPTED where interrupted() was set; what was done is in the
 * cache then. */
int scorer_run(const struct scorer *scorer, size_t n, scorer_pair *pair, const void *list,
               float *scores, struct error *err);
/* One block, n <= SCORER_BLOCK; progress (NULL: none) counts the pairs that were not in the
 * cache. */
int scorer_block(const struct scorer *scorer, const char *const *queries,
                 const char *const *documents, size_t n, float *scores, struct progress *progress,
                 struct error *err);

#endif
