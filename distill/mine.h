/* Candidates: per query its labelled positives and mined documents, what the teacher said of each,
 * and what became of it.
 *
 *     struct candidate_sets sets;
 *     candidate_sets_init(&sets, collection.queries.count);
 *     mine_query(&sets, query, &labels, lists, num_lists, 32);      // for every query
 *     ... each candidate's score becomes the teacher's logit ...
 *     filter_false_negatives(&sets, 1.0);
 *     candidate_sets_write(&sets, &collection, "runs/x/scores.trec", err);
 *
 * They live in TREC runs of the run folder: candidates.trec (score = 1 / rank in the best source),
 * scores.trec (score = the teacher's logit) and train/candidates.STEP.trec (the same, with what the
 * student found before that step: refresh.h).  A query's lines stand in the set's order,
 * positives first; the rank column counts them.  The tag says what became of a candidate and who
 * found it: "positive" (found by none), "positive:bm25", "negative:bm25+teacher",
 * "false-negative:teacher", "negative:student".
 */
#ifndef RETORT_MINE_H
#define RETORT_MINE_H

#include "data/collection.h"

enum candidate_kind {
    CANDIDATE_POSITIVE,
    CANDIDATE_NEGATIVE,
    CANDIDATE_FALSE_NEGATIVE /* for the teacher as good as a positive: only for listwise losses */
};
enum { /* sources, as bits; the last two are teaching's, which writes no file */
       CANDIDATE_BM25 = 1,
       CANDIDATE_TEACHER = 2,
       CANDIDATE_SCORES = 4, /* a file of teacher.scores */
       CANDIDATE_STUDENT = 8,
       CANDIDATE_GUIDE = 16,
       CANDIDATE_CHANCE = 32
};

struct candidate {
    uint32_t document; /* row of the collection's documents */
    float score; /* the teacher's logit; before scoring 1 / rank, 0 where no source found it */
    enum candidate_kind kind;
    int sources; /* bits; 0 for a positive that no source found */
};
struct candidate_set {
    uint32_t query;               /* row of the collection's queries */
    struct candidate *candidates; /* positives first */
    size_t count, capacity;
};
struct candidate_sets {
    struct candidate_set *sets; /* in the order in which they were added */
    size_t count, capacity;
    int32_t *set_of; /* [num_queries] index of the query's set, -1 */
    size_t num_queries;
};
void candidate_sets_init(struct candidate_sets *sets, size_t num_queries); /* of the collection */
const struct candidate_set *candidate_sets_find(const struct candidate_sets *sets,
                                                uint32_t query); /* or NULL */
/* A new empty set, valid until the next is added; a query has one set at most. */
struct candidate_set *candidate_sets_add(struct candidate_sets *sets, uint32_t query);
void candidate_set_add(struct candidate_set *set, struct candidate candidate);
void candidate_sets_free(struct candidate_sets *sets);

/* What is known of a query beforehand. */
struct labels {
    const uint32_t *positives; /* rows of all labelled relevant documents, best grade first */
    size_t num_positives, max_positives; /* how many there are; how many become candidates */
    int64_t
        excluded; /* row of a document that must not be a candidate (the query's own), -1: none */
};
/* Ranked document rows of one source for one query, best first, none twice. */
struct mined_list {
    const uint32_t *documents;
    size_t count;
    int source; /* CANDIDATE_* */
};
/* Adds the query's set: its first positives, then up to `scored` others, taken from the lists in
 * turn: rank 1 of each, rank 2 of each, ...; a labelled positive is never taken, also where it is
 * beyond max_positives. */
void mine_query(struct candidate_sets *sets, uint32_t query, const struct labels *labels,
                const struct mined_list *lists, size_t num_lists, size_t scored);

/* Adds to a set, as negatives without a score, what the list has more of: no labelled positive,
 * nothing that is excluded.  What is there already gets the list's source.  How many were added. */
size_t mine_more(struct candidate_set *set, const struct labels *labels,
                 const struct mined_list *list);

/* A score that is NaN is none.  It becomes the lowest of its query's, where there is one. */
void lower_unscored(struct candidate_sets *sets);
/* Removes the candidates without a score: how many; positives among them; queries that had a
 * positive and keep none. */
struct dropped {
    size_t candidates, positives, queries;
};
struct dropped drop_unscored(struct candidate_sets *sets);

/* Marks as false negatives all that are no positive and whose logit exceeds (best positive's
 * logit) - margin * (standard deviation of all logits); the others become negatives, so that
 * filtering again with another margin is fine.  The best and not the lowest: where a query has many
 * labels, the teacher hardly believes some of them, and nearly everything is near those.  Returns
 * how many.  Scores must be the teacher's.  Queries without positives keep all negatives. */
size_t filter_false_negatives(struct candidate_sets *sets, double margin);

/* Reading gives back what was written, scores to f32 exactly; empty sets leave no line.  Reading
 * fails on a query or document that the collection lacks, an unknown tag, and a positive after
 * another candidate; *sets is empty then. */
int candidate_sets_write(const struct candidate_sets *sets, const struct collection *collection,
                         const char *path, struct error *err);
int candidate_sets_read(struct candidate_sets *sets, const struct collection *collection,
                        const char *path, struct error *err);

#endif
