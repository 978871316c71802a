/* Candidates: per query its labelled positives and mined documents, what the teacher said of each, and what became of it.
 *
 * (Contract by the lead; the implementation may extend it.)
 *
 * Lives in two TREC runs of the run folder: candidates.trec (mined; score = 1 / rank of the best source, tag = where it came from:
 * "positive", "bm25", "teacher", "bm25+teacher") and scores.trec (score = the teacher's logit, tag = its fate and source: "positive",
 * "negative:bm25", "false-negative:teacher", ...).
 */
#ifndef RETORT_MINE_H
#define RETORT_MINE_H

#include "data/collection.h"

enum candidate_kind {
    CANDIDATE_POSITIVE,
    CANDIDATE_NEGATIVE,
    CANDIDATE_FALSE_NEGATIVE /* the teacher rates it as high as a positive: no negative for InfoNCE, kept for listwise losses */
};
enum { CANDIDATE_BM25 = 1, CANDIDATE_TEACHER = 2 }; /* sources, as bits */

struct candidate {
    uint32_t document; /* row of the collection's documents */
    float score;       /* the teacher's logit; 1 / rank before scoring */
    enum candidate_kind kind;
    int sources; /* bits; 0 for a positive that no source found */
};
struct candidate_set {
    uint32_t query;               /* row of the collection's queries */
    struct candidate *candidates; /* positives first */
    size_t count, capacity;
};
struct candidate_sets {
    struct candidate_set *sets;
    size_t count, capacity;
    int32_t *set_of; /* [queries of the collection] index of the query's set, -1 */
    size_t num_queries;
};
const struct candidate_set *candidate_sets_find(const struct candidate_sets *sets,
                                                uint32_t query); /* or NULL */
void candidate_sets_free(struct candidate_sets *sets);

/* Ranked document rows of one source for one query, best first. */
struct mined_list {
    const uint32_t *documents;
    size_t count;
    int source; /* CANDIDATE_BM25 or CANDIDATE_TEACHER */
};
/* Adds the query's set: at most max_positives of `positives` (rows of labelled relevant documents, best grade first; num_positives may be
 * larger), then up to `scored` documents taken round-robin from the lists by rank, never one of `positives`, never `excluded` (-1: none). */
void mine_query(struct candidate_sets *sets, uint32_t query, const uint32_t *positives,
                size_t num_positives, size_t max_positives, const struct mined_list *lists,
                size_t num_lists, size_t scored, int64_t excluded);
void candidate_sets_init(struct candidate_sets *sets, size_t num_queries);

/* Marks negatives whose logit exceeds (lowest positive's logit) - margin * (standard deviation of all logits) as false negatives;
 * returns how many.  Scores must be the teacher's. */
size_t filter_false_negatives(struct candidate_sets *sets, double margin);

/* Reading gives back what was written, scores to f32 exactly. */
int candidate_sets_write(const struct candidate_sets *sets, const struct collection *collection,
                         const char *path, struct error *err);
int candidate_sets_read(struct candidate_sets *sets, const struct collection *collection,
                        const char *path, struct error *err);

#endif
