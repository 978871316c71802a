/* The index folder: the vectors of a collection's documents, their ids, and what they were made
 * with.
 *
 *     INDEX/vectors.npy    f32 [count, dim]
 *     INDEX/ids.txt        one document id a line, in the order of the rows
 *     INDEX/index.json     struct index_info, written last
 *
 *     if (index_writer_open(&writer, path, &info, err)) return -1;
 *     ... index_writer_add(&writer, ids, vectors, n, err) ...
 *     if (index_writer_commit(&writer, err)) return -1;
 *     if (vector_index_open(&index, path, err)) return -1;
 *     ... index.ids, index.vectors.values ...
 *     vector_index_free(&index);
 *
 * A folder appears whole or not at all; one that is there is replaced only if it is an index.
 */
#ifndef RETORT_INDEX_H
#define RETORT_INDEX_H

#include "data/npy.h"
#include "data/output.h"
#include "data/output_folder.h"

struct index_info {
    char *model;          /* absolute path of the model's folder */
    char fingerprint[33]; /* embedder_fingerprint of it */
    int layers, dim;
    bool normalized;
    size_t count;
};

struct vector_index {
    struct index_info info; /* owned */
    struct matrix vectors;  /* [count, dim], all finite */
    const char **ids;       /* [count] */
    struct text id_bytes;
};
/* Errors name the file: one is missing, of another version, or does not fit the others. */
int vector_index_open(struct vector_index *out, const char *folder, struct error *err);
void vector_index_free(struct vector_index *index);

struct index_writer {
    struct output_folder folder;
    struct output vectors, ids;
    struct index_info info; /* model is the caller's */
    size_t written;
};
int index_writer_open(struct index_writer *out, const char *folder, const struct index_info *info,
                      struct error *err);
/* The next n documents: ids [n], vectors [n, dim].  Fails on an id that is empty or holds a tab or
 * newline (no run could name it), on a vector that is not finite, and soon after the disk is full.
 */
int index_writer_add(struct index_writer *writer, const char *const *ids, const float *vectors,
                     size_t n, struct error *err);
/* After info.count documents.  Releases *writer in every case. */
int index_writer_commit(struct index_writer *writer, struct error *err);
/* Removes what was written; for error paths.  Accepts a zeroed or committed *writer. */
void index_writer_abandon(struct index_writer *writer);

#endif
