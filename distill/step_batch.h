/* One step's queries and documents: which texts, which columns are positive, allowed, scored.
 *
 * An epoch draws each query once, in an order of its own; a query whose weight w is less than 1
 * only in so many of all epochs, which in the mean gives its losses that weight.  An epoch has as
 * many queries as the weights sum to.  Each query brings one labelled positive and some of its
 * mined candidates, drawn anew each epoch; a document that several queries bring stands once.
 * Everything depends on (seed, epoch, place in the epoch) alone.
 *
 * A document may have versions (without the sentence that is the query, say), which are texts of
 * their own, with rows behind the collection's: all that is known of the document, that it is
 * relevant to a query or no negative of it, holds for its versions; the teacher's score of one does
 * not.
 */
#ifndef RETORT_STEP_BATCH_H
#define RETORT_STEP_BATCH_H

#include "distill/losses.h"
#include "distill/mine.h"
#include "distill/query_set.h"

/* A train query as the sampler sees it. */
struct train_query {
    uint32_t query;                     /* row of the collection's queries */
    const struct candidate *candidates; /* scored; positives first; not owned */
    size_t num_candidates;
    uint32_t
        *relevant; /* rows of all labelled relevant documents, also those that are no candidates */
    size_t num_relevant;
    uint32_t version; /* row of the version that is read for the first candidate; 0: the document */
    double weight;    /* above 0, at most 1: how often it is drawn in an epoch, on average */
};

struct train_set {
    struct train_query *queries;
    size_t count;
    size_t num_documents; /* of the collection, and the versions behind them */
    /* [num_documents] row of the document that each is a version of, its own where it is none;
     * NULL: there are no versions */
    const uint32_t *document_of;
    int negatives;    /* candidates drawn per query */
    bool use_teacher; /* false: labels only, no teacher score is looked at */
    uint64_t seed;
};

struct step_batch {
    int num_queries, num_documents;
    uint32_t *queries, *documents; /* rows of the collection, or of versions */
    int *positive;                 /* [num_queries] column */
    /* [num_queries, num_documents] columns that InfoNCE may count as negatives, or the positive */
    uint8_t *mask;
    int *starts, *columns; /* candidate lists, positive first */
    float *teacher;
    size_t query_capacity, drawn_capacity;
    uint32_t *drawn; /* scratch: an order of one query's negatives */
    int *column_of;  /* [documents] a column with a version of the document, -1 outside the step */
    int *next;       /* [num_documents] the column with another version of it, -1 */
    uint64_t epoch;  /* of `order` */
    uint32_t *order; /* [epoch's queries] */
    bool has_order;
};

/* Queries of one epoch. */
size_t queries_per_epoch(const struct train_set *set);
/* Step `step` of `batch_queries` queries each; the last step of an epoch takes what is left. */
void step_batch_fill(struct step_batch *batch, const struct train_set *set, int batch_queries,
                     uint64_t step);
uint64_t steps_per_epoch(const struct train_set *set, int batch_queries);
void step_batch_free(struct step_batch *batch);

#endif
