/* Pairs for semantic textual similarity: score<TAB>sentence1<TAB>sentence2, header optional. */
#ifndef RETORT_STS_H
#define RETORT_STS_H

#include "data/collection.h"

struct sts_pairs {
    const char **first, **second;
    double *scores;
    size_t count, capacity;
    struct arena strings;
};
/* path: a .tsv(.gz), or a folder or archive that holds SPLIT.tsv(.gz) outside of qrels/.
 * Errors, with file and line: other columns, a score that is not a finite number, no pairs, no
 * such split.  Empty sentences are texts. */
int sts_read(struct sts_pairs *out, const char *path, const char *split, struct error *err);
void sts_free(struct sts_pairs *pairs);
/* The splits that a folder or archive holds, of those named (a .tsv(.gz) is the first), as a
 * collection without queries: its documents are the distinct sentences in order of appearance, each
 * its own id.  Errors: those of sts_read; a split of a name may be missing, but not all. */
int sts_read_collection(struct collection *out, const char *path, const char *const *splits,
                        size_t num_splits, struct error *err);
/* Whether path looks like STS (a .tsv, or a folder or archive with a .tsv outside of qrels/ and
 * no corpus.jsonl) rather than a collection. */
int sts_detect(bool *is_sts, const char *path, struct error *err);

#endif
