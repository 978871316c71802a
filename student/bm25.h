/* BM25 over an inverted index (Robertson & Zaragoza 2009, with Lucene's non-negative idf); k1 0.9
 * and b 0.4 are Anserini's defaults.
 *
 *     idf(t) = ln(1 + (N - df + 0.5) / (df + 0.5))
 *     score  = sum over the query's distinct terms of
 *              idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
 *
 * Terms as in data/terms.h.  There is no stop list: frequent words weigh next to nothing by
 * their idf, and questions lose by it (Lucene's English list changes nDCG@10 by +0.002 on scifact
 * and by -0.02 on wikiqa).  A term that stands twice in the query counts once.
 *
 *     if (bm25_index_collection("x.bm25", "scifact.tar.gz", &settings, pool, err)) return -1;
 *     if (bm25_open(&index, "x.bm25", err)) return -1;
 *     size_t found = bm25_search(index, "vitamin D", 10, hits);
 *     ... bm25_id(index, hits[i].row), hits[i].score ...
 *     bm25_free(index);
 *
 * An index is one file, mapped and not read (its layout: student/bm25_file.h), or the same bytes in
 * memory.  It takes 8 bytes a posting and up to an eighth more, about 60 a term, and 8 and its id a
 * document.  Equal documents and settings give equal bytes, whatever the pool and the memory were.
 */
#ifndef RETORT_BM25_H
#define RETORT_BM25_H

#include "data/base.h"
#include "data/threads.h"
#include "student/top_k.h"

struct bm25; /* immutable: may be searched by many threads */

struct bm25_settings {
    double k1, b;  /* 0 .. BM25_MOST_K1, 0 .. 1 */
    size_t memory; /* bytes of postings that wait to be merged; what is more waits on disk */
};
enum { BM25_MOST_K1 = 1000 };
/* k1 0.9, b 0.4, 256 MiB. */
struct bm25_settings bm25_defaults(void);

/* Of documents [n] in memory, whose ids are empty.  pool NULL: one thread. */
struct bm25 *bm25_build(const char *const *documents, size_t n, double k1, double b,
                        struct pool *pool);
/* Writes the index of a collection's documents to the file at path, whole or not at all.  The
 * collection is streamed: beside settings->memory this takes about 80 MiB a thread, 30 bytes and an
 * id a document, 70 a term, and 20 for each document of the longest list, whatever the size of all
 * texts; on disk, beside the index, about 3 bytes a posting.  Errors as of collection_walk, and an
 * id that stands twice. */
int bm25_index_collection(const char *path, const char *collection,
                          const struct bm25_settings *settings, struct pool *pool,
                          struct error *err);

/* Whether there is a file at path that begins as an index does, of whatever version. */
bool bm25_is_index(const char *path);
/* Looks at the file's ends alone: its version, and that it has the size that they tell.  What a
 * search uses of the rest is checked when it is used: a damaged file gives wrong hits, and no
 * more. */
int bm25_open(struct bm25 **out, const char *path, struct error *err);
/* Reads all of it: its checksum, and that everything is in its place and order. */
int bm25_verify(const struct bm25 *index, struct error *err);
void bm25_free(struct bm25 *index);

struct bm25_facts {
    size_t documents, terms, postings, bytes;
    double k1, b, mean_length; /* of a document, in terms */
};
struct bm25_facts bm25_facts(const struct bm25 *index);
/* The document's id; "" where a damaged file has none. */
const char *bm25_id(const struct bm25 *index, size_t row);

/* The top k documents with a positive score, best first, ties by smaller row, into hits [k];
 * returns how many. */
size_t bm25_search(const struct bm25 *index, const char *query, size_t k, struct hit *hits);

#endif
