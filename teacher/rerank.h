/* Re-ranking: the first documents of every query of a run, scored again.
 *
 *     struct rerank_list list;
 *     rerank_list_of(&list, &run, 100, &queries, &documents);
 *     scorer_run(&scorer, list.count, rerank_pair, &list, scores, err);
 *     rerank_run(&reranked, &list, scores, "teacher");
 */
#ifndef RETORT_RERANK_H
#define RETORT_RERANK_H

#include "data/collection.h"
#include "data/run.h"

struct rerank_list {
    const struct texts *query_texts, *document_texts;
    uint32_t *queries, *documents; /* [count], rows of these texts */
    size_t count;
};
/* Of each query of the run the first `depth`, in the run's order.  The texts must have every id of
 * them, and live as long as the list. */
void rerank_list_of(struct rerank_list *out, const struct run *run, size_t depth,
                    const struct texts *queries, const struct texts *documents);
/* A scorer_pair (scorer.h). */
void rerank_pair(const void *list, size_t index, const char **query, const char **document);
/* The run that scores [list->count] make, sorted; a pair whose score is NaN is left out. */
void rerank_run(struct run *out, const struct rerank_list *list, const float *scores,
                const char *tag);
void rerank_list_free(struct rerank_list *list);

#endif
