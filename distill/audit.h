/* Counts that say whether a collection is fit to learn from and to measure on: lengths, repeats,
 * empty texts, judgements that name nothing, queries in two splits.  What `retort inspect` and a
 * run's report share. */
#ifndef RETORT_AUDIT_H
#define RETORT_AUDIT_H

#include "data/collection.h"

/* How long texts are. */
struct lengths {
    double mean;
    size_t median, p90, p99, most;
};
/* Sorts values; all 0 where count is. */
struct lengths lengths_of(size_t *values, size_t count);
size_t count_words(const char *text); /* pieces between white space */

size_t count_repeated(const struct texts *texts); /* the same as an earlier one */
size_t count_empty(const struct texts *texts);

struct judgement_audit {
    size_t queries, judgements;
    size_t most_relevant; /* of one query */
    double mean_relevant;
    int lowest, highest; /* grades */
};
/* All 0 where there are none. */
struct judgement_audit audit_judgements(const struct qrels *qrels);
/* Judgements whose document, queries whose text, the collection lacks. */
size_t count_unknown_documents(const struct collection *collection, const struct qrels *qrels);
size_t count_unknown_queries(const struct collection *collection, const struct qrels *qrels);
/* Queries of `other` that have a text which a query of `one` has too. */
size_t count_shared(const struct collection *collection, const struct qrels *one,
                    const struct qrels *other);

#endif
