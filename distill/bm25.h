/* BM25 over an inverted index in memory (Robertson & Zaragoza 2009, with Lucene's non-negative
 * idf); k1 0.9 and b 0.4 are Anserini's defaults.
 *
 *     idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))
 *     score  = sum over the query's distinct terms of
 *              idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
 *
 * Terms as in distill/terms.h.  There is no stop list: frequent words weigh next to nothing by
 * their idf, and questions lose by it (Lucene's English list changes nDCG@10 by +0.002 on scifact
 * and by -0.02 on wikiqa).  A term that stands twice in the query counts once.
 *
 * Memory: 8 bytes a posting, and each distinct term once.
 */
#ifndef RETORT_BM25_H
#define RETORT_BM25_H

#include "data/threads.h"
#include "student/top_k.h"

struct bm25; /* immutable after building: may be searched by many threads */

/* pool NULL: one thread.  Same index for any pool. */
struct bm25 *bm25_build(const char *const *documents, size_t n, double k1, double b,
                        struct pool *pool);
/* The top k documents with a positive score, best first, ties by smaller row, into hits [k];
 * returns how many. */
size_t bm25_search(const struct bm25 *index, const char *query, size_t k, struct hit *hits);
void bm25_free(struct bm25 *index);

#endif
