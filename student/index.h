/* The index folder: the vectors of a collection's documents, their ids, and what they were made
 * with.
 *
 *     INDEX/vectors.npy      [count, dim] float32 (f32), uint16 (bf16: upper halves of floats) or
 *                            int8; binary: uint8 [count, (dim + 7) / 8], numpy.packbits(v > 0)
 *     INDEX/scales.npy       int8: float32 [count, 1], by which a row's numbers are multiplied
 *     INDEX/ids.txt          one document id a line, in the order of the rows
 *     INDEX/id_offsets.npy   where each line ends (data/id_list.h)
 *     INDEX/index.json       struct index_info, written last
 *
 *     if (index_writer_open(&writer, path, &info, err)) return -1;
 *     ... index_writer_add(&writer, ids, vectors, n, err) ...
 *     if (index_writer_commit(&writer, err)) return -1;
 *     if (vector_index_open(&index, path, err)) return -1;
 *     ... index.vectors, id_list_get(&id, &index.ids, row, err) ...
 *     vector_index_free(&index);
 *
 * A folder appears whole or not at all; one that is there is replaced only if it is an index.
 * Opening maps the files, and looks at index.json, headers and sizes: values are finite because the
 * writer has seen to it, and one that is not, in a damaged file, makes its own row's score one (NaN
 * comes last, see search.h).
 */
#ifndef RETORT_INDEX_H
#define RETORT_INDEX_H

#include "data/id_list.h"
#include "data/npy.h"
#include "data/output.h"
#include "data/output_folder.h"
#include "student/stored_vectors.h"

struct index_info {
    char *model;          /* absolute path of the model's folder */
    char fingerprint[33]; /* embedder_fingerprint of it */
    int layers, dim;      /* dim <= 65536 */
    enum vector_type type;
    bool normalized;
    size_t count;
};

struct vector_index {
    struct index_info info; /* owned */
    struct stored_vectors vectors;
    struct id_list ids;
    struct npy_map values, scales; /* the files of vectors */
};
/* Errors name the file: one is missing, of another version, or does not fit the others. */
int vector_index_open(struct vector_index *out, const char *folder, struct error *err);
void vector_index_free(struct vector_index *index);

struct index_writer {
    struct output_folder folder;
    struct output vectors, scales;
    struct id_writer ids;
    struct index_info info; /* model is the caller's */
    size_t written;
};
int index_writer_open(struct index_writer *out, const char *folder, const struct index_info *info,
                      struct error *err);
/* The next n documents: ids [n], vectors [n, dim] f32.  Fails on an id that is empty or holds a tab
 * or newline (no run could name it), on a vector that is not finite, and soon after the disk is
 * full. */
int index_writer_add(struct index_writer *writer, const char *const *ids, const float *vectors,
                     size_t n, struct error *err);
/* After info.count documents.  Releases *writer in every case. */
int index_writer_commit(struct index_writer *writer, struct error *err);
/* Removes what was written; for error paths.  Accepts a zeroed or committed *writer. */
void index_writer_abandon(struct index_writer *writer);

#endif
