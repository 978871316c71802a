/* A retrieval collection in BEIR layout (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv), from a
 * folder or archive, in memory.
 *
 * Memory: all texts once, plus about 130 bytes a text (pointers, id, map): an explicit index, as
 * design.md allows. */
#ifndef RETORT_COLLECTION_H
#define RETORT_COLLECTION_H

#include "data/qrels.h"

/* Texts with ids, in file order. */
struct texts {
    const char **ids;
    const char **values; /* a document's: title, space, text; one alone where the other is empty */
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
    struct split *splits; /* by name */
    size_t num_splits;
    struct arena strings;
};

/* path: a folder or archive; the three names may stand at any depth in it, and end in .gz.  Only
 * the corpus must be there.  A line of JSON holds "_id" (a string, or a whole number), "text",
 * for documents "title" (may be absent or null); other keys are ignored.
 *
 * Errors, with file and line: no corpus or an empty one, two corpora, bad JSON, an _id that is
 * missing, empty, repeated or holds a tab or newline, a text that is no string, what qrels_read
 * refuses, a split none of whose judgements names a known document.  Unknown documents and
 * queries in qrels are counted and warned about once per split; the judgements stay. */
int collection_read(struct collection *out, const char *path, struct error *err);
const struct split *collection_split(const struct collection *collection,
                                     const char *name); /* or NULL */
void collection_free(struct collection *collection);

/* "id<TAB>text" lines or BEIR queries.jsonl, told apart by the first character ('{'); strings
 * are put into the arena. A line without a tab is an error; an empty text is none.  "-" or NULL
 * is stdin. */
int texts_read(struct texts *out, struct arena *strings, const char *path, struct error *err);
void texts_free(struct texts *texts);

#endif
