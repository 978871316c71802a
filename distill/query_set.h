/* The queries that a job trains on, chooses on and is measured on: rows of the collection's queries
 * with their judgements.  Train and dev never share a query. */
#ifndef RETORT_QUERY_SET_H
#define RETORT_QUERY_SET_H

#include "data/collection.h"
#include "distill/job.h"

struct query_set {
    uint32_t *rows;                     /* of collection->queries, in the split's order */
    const struct judged_query **judged; /* parallel; not owned */
    size_t count;
};

/* The split of queries that a job makes (made_queries.h). */
#define MADE_SPLIT "made"

/* Train and dev queries that have at least one relevant judgement.  data.queries says whether train
 * is the collection's train split, the made queries, or the one and then the other.  Where the
 * collection has no dev split, data.dev_fraction of the labelled train queries, chosen by a hash of
 * seed and query id, are dev and leave train; where there are none of these either, the queries
 * that are made from data.dev_fraction of the documents, by a hash of theirs.  None of these
 * splits: both are empty. */
void query_sets_split(struct query_set *train, struct query_set *dev,
                      const struct collection *collection, const struct job *job);
/* Whether the grid is measured on dev: the job makes queries, and the collection has no test
 * split. */
bool is_measured_on_dev(const struct collection *collection, const struct job *job);
/* The test split, or a copy of dev. */
void query_set_measured(struct query_set *out, const struct query_set *dev,
                        const struct collection *collection, const struct job *job);
/* All queries of a split that have a text and a relevant judgement (known document or not); counts
 * go to `note`. */
void query_set_of(struct query_set *out, const struct collection *collection, const char *split);
/* Fails where one of the three is empty, with the key to look at; test NULL: none is needed. */
int query_sets_check(const struct query_set *train, const struct query_set *dev,
                     const struct query_set *test, const struct collection *collection,
                     const struct job *job, struct error *err);
/* The first `count` by hash of the id: a smaller set that does not depend on file order. */
void query_set_sample(struct query_set *set, const struct collection *collection, size_t count,
                      uint64_t seed);
void query_set_copy(struct query_set *out, const struct query_set *from);
void query_set_free(struct query_set *set);

/* Rows of the documents that the query is judged relevant to (grade > 0) and that the collection
 * has, highest grade first, then file order; *rows is allocated. */
size_t relevant_rows(uint32_t **rows, const struct collection *collection,
                     const struct judged_query *judged);
/* The texts of a set, prepared for encoders: pointers into the collection, freshly allocated
 * array. */
const char **query_texts(const struct query_set *set, const struct collection *collection);

#endif
