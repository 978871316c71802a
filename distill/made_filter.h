/* What the teacher says of made queries: which are kept to train on, and how much each weighs.
 *
 * A made query has no label but where it comes from.  The teacher reads it with each candidate, its
 * own document among them (without the query, where that is removed).  It is kept if no more than
 * data.made.keep - 1 candidates score higher than the document; it weighs the document's share of
 * the softmax over all candidates' scores / distill.teacher_temperature. */
#ifndef RETORT_MADE_FILTER_H
#define RETORT_MADE_FILTER_H

#include "distill/made_queries.h"
#include "distill/mine.h"

struct made_score {
    size_t rank; /* of the document among the candidates, from 1; ties are for it */
    double probability;
};
/* set: scored; its first candidate is the document; the softmax is over scores / temperature. */
struct made_score made_score_of(const struct candidate_set *set, double temperature);
/* Moves to *kept, which is initialised, the sets of labelled queries, and of those made ones whose
 * document ranks `keep` or higher (0: at all).  How many were dropped. */
size_t made_filter(struct candidate_sets *kept, struct candidate_sets *scored,
                   const struct made_queries *made, int keep);
/* A line for each made query of `scored`: query, document, kind, removed, rank, candidates,
 * probability, kept; rank and probability 0 where the document has no score.  Before
 * made_filter. */
int made_scores_write(const struct candidate_sets *scored, const struct made_queries *made,
                      const struct collection *collection, const struct job *job, const char *path,
                      struct error *err);

#endif
