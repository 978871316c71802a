/* The sentence pairs that a job trains on, chooses on and is measured on: what query_set.h is for a
 * collection's queries.  Train and dev never share a pair. */
#ifndef RETORT_PAIR_SET_H
#define RETORT_PAIR_SET_H

#include "data/collection.h"
#include "distill/job.h"

struct pair_set {
    struct scored_pair *pairs; /* rows of the collection's documents, in the split's order */
    size_t count;
};

/* What data.pairs or data.collection names. */
int job_collection_read(struct collection *out, const struct job *job, struct error *err);

/* The pairs of a split; none where the collection lacks it. */
void pair_set_of(struct pair_set *out, const struct collection *collection, const char *split);
/* Where the collection has no dev split, data.dev_fraction of the train pairs, chosen by a hash of
 * seed and sentences, are dev and leave train. */
void pair_sets_split(struct pair_set *train, struct pair_set *dev,
                     const struct collection *collection, const struct job *job);
/* Keeps `count` pairs (0: all), chosen by a hash, in their order. */
void pair_set_sample(struct pair_set *set, const struct collection *collection, size_t count,
                     uint64_t seed);
/* Whether all have one score, which nothing can be correlated with. */
bool pair_set_uniform(const struct pair_set *set);
/* Fails where one of the three is empty or uniform, and says which key to look at; test NULL: none
 * is needed. */
int pair_sets_check(const struct pair_set *train, const struct pair_set *dev,
                    const struct pair_set *test, const struct job *job, struct error *err);
void pair_set_copy(struct pair_set *out, const struct pair_set *from);
void pair_set_free(struct pair_set *set);

/* Rows of the documents that stand in a pair of the set, rising, each once; *rows is allocated. */
size_t pair_set_documents(uint32_t **rows, const struct pair_set *set, size_t num_documents);
/* Makes *out a collection of the texts in the sets alone, whose pairs then name its rows; it
 * borrows the texts, and is released by pair_sets_texts_free. */
void pair_sets_texts(struct collection *out, struct pair_set *const *sets, size_t num_sets,
                     const struct collection *from);
void pair_sets_texts_free(struct collection *texts);
/* Scores mapped so that the lowest is 0 and the highest 1; all alike: 0.  out may be scores. */
void scores_to_unit(float *out, const float *scores, size_t n);

#endif
