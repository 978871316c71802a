/* BM25 over an inverted index in memory (Robertson; Lucene's non-negative idf), k1 0.9, b 0.4 as Anserini's default.
 *
 *     idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5));   score += idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
 *
 * Terms: maximal runs of letters and digits (Unicode categories), lower-cased, without English stop words, no stemming.
 */
#ifndef RETORT_BM25_H
#define RETORT_BM25_H

#include "data/base.h"
#include "data/threads.h"

struct bm25;

struct bm25 *bm25_build(const char *const *documents, size_t n, double k1, double b);
struct bm25_hit {
    size_t row;
    double score;
};
/* The top k documents with a positive score, best first, ties by smaller row; returns how many. */
size_t bm25_search(const struct bm25 *index, const char *query, size_t k, struct bm25_hit *hits);
void bm25_free(struct bm25 *index);

#endif
