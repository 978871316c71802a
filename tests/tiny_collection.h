/* A tiny collection of sentences from the tiny student's words, for tests: documents d0, d1, ...;
 * queries q0, q1, ..., of which query q is relevant to document q (grade 2) and, where q is even,
 * to document q + 1 (grade 1). */
#ifndef RETORT_TESTS_TINY_COLLECTION_H
#define RETORT_TESTS_TINY_COLLECTION_H

#include "data/collection.h"

struct tiny_split {
    const char *name;  /* NULL ends a list */
    int first, behind; /* queries first .. behind - 1 */
};
/* Written to a fresh place in the scratch folder and read back.  One document has the id of query
 * 1. */
void tiny_collection_read(struct collection *out, int documents, int queries,
                          const struct tiny_split *splits);

#endif
