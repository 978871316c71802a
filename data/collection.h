/* A collection in BEIR layout (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv), from a folder or archive, in memory; and
 * pairs for semantic textual similarity.
 *
 * Memory: all texts once, plus about 60 bytes a document: an explicit index, as design.md allows.
 */
#ifndef RETORT_COLLECTION_H
#define RETORT_COLLECTION_H

#include "data/qrels.h"

/* Texts with ids, in file order. */
struct texts {
    const char **ids,
        **values; /* a document's value is title, space, text; the text alone where the title is empty */
    size_t count, capacity;
    struct strmap rows; /* id -> index */
};
int64_t texts_find(const struct texts *texts, const char *id); /* index or -1 */

struct split {
    char name[32]; /* "train", "dev", "test", ... from qrels/NAME.tsv */
    struct qrels qrels;
};

struct collection {
    struct texts documents, queries;
    struct split *splits;
    size_t num_splits;
    struct arena strings;
};

/* Errors: no corpus, empty corpus, bad JSON, a missing or repeated _id (file:line), a split none of whose judgements names a
 * known document.  Unknown documents and queries in qrels are counted and warned about once per split; the
 * judgements stay. */
int collection_read(struct collection *out, const char *path, struct error *err);
const struct split *collection_split(const struct collection *collection,
                                     const char *name); /* or NULL */
void collection_free(struct collection *collection);

/* "id<TAB>text" lines or BEIR queries.jsonl, told apart by the first character ('{'). */
int texts_read(struct texts *out, struct arena *strings, const char *path, struct error *err);
void texts_free(struct texts *texts);

/* STS: score<TAB>sentence1<TAB>sentence2, header optional. */
struct sts_pairs {
    const char **first, **second;
    double *scores;
    size_t count, capacity;
    struct arena strings;
};
/* path: a .tsv(.gz), or a folder/archive that holds SPLIT.tsv. */
int sts_read(struct sts_pairs *out, const char *path, const char *split, struct error *err);
void sts_free(struct sts_pairs *pairs);
/* Whether path looks like STS (a .tsv, or an archive with test.tsv and no corpus) rather than BEIR. */
int sts_detect(bool *is_sts, const char *path, struct error *err);

#endif
