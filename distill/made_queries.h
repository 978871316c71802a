/* Queries for a collection that has none: titles, and sentences cropped from the documents (inverse
 * cloze task, arXiv 1906.00300).
 *
 *     struct made_queries made;
 *     if (made_queries_add(&made, &collection, &job, err)) return -1;   // then query_sets_split
 *     const struct made_query *one = made_query_of(&made, row);         // row: of a query
 *     made_queries_free(&made);
 *
 * A piece of a document, its title or a sentence (sentences.h; at most data.made.max_words of its
 * words), may be a query if
 *   - it is a title, or has data.made.min_words words at least;
 *   - its words stand nowhere else in the collection as a title, a sentence or a query: what many
 *     documents have is boilerplate, and a test query must not be learnt from;
 *   - the document has other words beside it.
 * Of a document's pieces data.made.per_document are taken: the title, then sentences in the order
 * of a hash of seed and id; of all these data.made.queries, by another hash.  A third hash says
 * for each whether it is removed from the document that is its positive, which the share
 * data.made.remove of them is.  Words are those of BM25 (terms.h).
 *
 * The queries, DOCUMENT#title and DOCUMENT#sN (its Nth sentence), go behind the collection's own;
 * the split MADE_SPLIT judges each relevant to its document.  The same job and collection give the
 * same queries.
 *
 * Memory: 8 bytes a piece of the collection, while they are made.
 */
#ifndef RETORT_MADE_QUERIES_H
#define RETORT_MADE_QUERIES_H

#include "data/collection.h"
#include "data/sentences.h"
#include "distill/job.h"
#include "distill/query_set.h"

struct made_query {
    uint32_t document; /* row of the one it is made from */
    struct span span;  /* of the document's text */
    bool is_title;
    const char *remainder; /* the document's text without it, where it is removed; else NULL */
};
struct made_queries {
    struct made_query *list; /* [count] of query first + i */
    size_t count;
    size_t first; /* row of the collection's queries */
    struct arena strings;
};

/* Makes none, and changes nothing, where data.queries is labelled.  Fails where the collection has
 * a split or a query of the same name. */
int made_queries_add(struct made_queries *out, struct collection *collection, const struct job *job,
                     struct error *err);
/* NULL for a query that the collection came with. */
const struct made_query *made_query_of(const struct made_queries *made, uint32_t query);
/* How many are titles, how many are removed. */
struct made_counts {
    size_t titles, removed;
};
struct made_counts made_queries_count(const struct made_queries *made);
/* What to know where any program scores pairs (teacher.scores) of queries that are removed; NULL:
 * nothing. */
const char *made_queries_warning(const struct made_queries *made, const struct job *job);
/* The collection as made dev queries are to be searched for in: their documents lack all that was
 * removed for them.  A view: everything but documents.values, which the caller frees where it is
 * another than the collection's, is the collection's; new texts live as long as *made. */
struct collection made_queries_hidden(struct made_queries *made,
                                      const struct collection *collection,
                                      const struct query_set *dev);
/* BEIR's files: folder/queries.jsonl, folder/qrels/train.tsv and dev.tsv, of the made queries alone
 * (no file where a set has none); a line of queries.jsonl also says document, kind and removed. */
int made_queries_write(const struct made_queries *made, const struct collection *collection,
                       const struct query_set *train, const struct query_set *dev,
                       const char *folder, struct error *err);
void made_queries_free(struct made_queries *made);

#endif
