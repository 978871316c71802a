/* A retrieval collection in BEIR layout (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv), from a
 * folder or archive, in memory; or its documents alone, streamed.  Or texts with scored pairs of
 * them (data/sts.h), which has no queries.
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
    uint32_t *title_lengths; /* bytes of the value that are a document's title; 0 of queries */
    size_t count, capacity;
    struct strmap rows; /* id -> index */
};
int64_t texts_find(const struct texts *texts, const char *id); /* index or -1 */

struct split {
    char name[32]; /* "train", "dev", "test", ... from qrels/NAME.tsv */
    struct qrels qrels;
};

/* Two documents and how alike people say they are. */
struct scored_pair {
    uint32_t first, second; /* rows */
    double score;
};
struct pair_split {
    char name[32];
    struct scored_pair *pairs; /* in file order */
    size_t count;
};

struct collection {
    struct texts documents, queries;
    struct split *splits; /* by name */
    size_t num_splits;
    struct pair_split *pair_splits; /* of sentence pairs */
    size_t num_pair_splits;
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
/* For queries that no file holds.  Strings are copied; fails where the id is there already. */
int collection_add_query(struct collection *collection, const char *id, const char *text,
                         struct error *err);
/* An empty split, to be filled by qrels_add, valid until the next one is added; fails where there
 * is one of the name.  Pointers to other splits are no longer good. */
struct qrels *collection_add_split(struct collection *collection, const char *name,
                                   struct error *err);
const struct pair_split *collection_pairs(const struct collection *collection,
                                          const char *name); /* or NULL */
void collection_free(struct collection *collection);

/* ---- documents alone, for what need not hold them all ---- */

/* Lines of a corpus that hold a document each. */
struct document_block {
    const char *name; /* where they come from, for messages */
    struct text bytes;
    struct document_line {
        size_t start, length; /* in bytes */
        size_t number;        /* from 1 */
    } * lines;
    size_t count;
};
/* 0 goes on, -1 ends the walk with *err. */
typedef int block_reader(void *arg, const struct document_block *block, struct error *err);
/* Calls read for the corpus of the collection, in file order, in blocks of about so many bytes; the
 * block is gone after each call.  Errors as of collection_read, but for repeated ids, which are not
 * told here, and what stands in other files, which are not read. */
int collection_walk(const char *path, size_t bytes, block_reader *read, void *arg,
                    struct error *err);

struct document {
    struct text id, text; /* text: title, space, text, as in struct texts */
    size_t title_length;  /* bytes of text */
};
/* The block's document i; *out is reused from call to call.  May be called by many threads. */
int block_document(struct document *out, const struct document_block *block, size_t i,
                   struct error *err);
void document_free(struct document *document);

/* "id<TAB>text" lines or BEIR queries.jsonl, told apart by the first character ('{'); strings
 * are put into the arena. A line without a tab is an error; an empty text is none.  "-" or NULL
 * is stdin. */
int texts_read(struct texts *out, struct arena *strings, const char *path, struct error *err);
void texts_free(struct texts *texts);

#endif
