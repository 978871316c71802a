/* What retort index and retort search do where the index is one of BM25 (student/bm25.h). */
#ifndef RETORT_LEXICAL_H
#define RETORT_LEXICAL_H

#include "student/bm25.h"

/* threads as of pool_open.  Says at the end what came out. */
int lexical_index(const char *output, const char *collection, const struct bm25_settings *settings,
                  int threads, struct error *err);

struct lexical_search {
    const char *index, *tag; /* tag: the run's last column */
    size_t top;              /* documents a query */
    int threads;
};
/* A TREC run of the queries at path (NULL: stdin) to stdout. */
int lexical_search(const struct lexical_search *search, const char *path, struct error *err);

#endif
