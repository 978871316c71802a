/* How retort search answers a file of queries, whatever the index is. */
#ifndef RETORT_QUERY_BLOCKS_H
#define RETORT_QUERY_BLOCKS_H

#include "data/collection.h"
#include "data/output.h"

enum { QUERY_BLOCK = 512 }; /* queries answered between two looks at the clock and at signals */

/* Writes what was found for n <= QUERY_BLOCK queries. */
typedef int query_block(void *arg, struct output *out, const char *const *ids,
                        const char *const *texts, size_t n, struct error *err);
/* Reads the queries at path (NULL: stdin) and has them answered, in order, to stdout. */
int answer_queries(const char *path, query_block *answer, void *arg, struct error *err);

#endif
