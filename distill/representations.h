/* Vectors of all texts of a collection, on disk, at one or several layers of a model: made in
 * blocks, all layers in one pass, gone on with after a kill, reused by a rerun.
 *
 *     struct representation spec = representation_of_teacher(&source);
 *     const int layers[] = {2};
 *     const char *const bases[] = {"runs/x/documents"};
 *     if (representations_make(&spec, pool, &collection.documents, layers, bases, 1, err)) ...
 *     npy_read(&matrix, "runs/x/documents.npy", err);
 *
 * BASE.npy is float32 [texts, width], BASE.ids the ids in the same order, one a line, BASE.json
 * what both were made from (model, layer, hash of ids and texts).  Until all is done the rows are
 * in BASE.npy.part, in whole blocks of REPRESENTATION_BLOCK texts: at most one block is lost by a
 * kill, and the bytes are those of an undisturbed run.
 */
#ifndef RETORT_REPRESENTATIONS_H
#define RETORT_REPRESENTATIONS_H

#include "data/collection.h"
#include "data/npy.h"
#include "student/dual_encoder.h"
#include "teacher/cross_encoder.h"

enum { REPRESENTATION_BLOCK = 1024, MAX_REPRESENTED = 128 };

struct representation {
    /* out[i]: [n, width] of the texts at layers[i]. */
    void (*rows)(const void *source, struct pool *pool, const char *const *texts, size_t n,
                 const int *layers, int num_layers, float *const *out);
    const void *source;
    size_t width;
    char model[256]; /* JSON members that say all that rows depend on beside layer and texts */
};

/* A cross-encoder's hidden states; the embeddings are layer 0.  *source must stay. */
struct teacher_source {
    const struct cross_encoder *ce;
    struct text_input input;
};
struct representation representation_of_teacher(const struct teacher_source *source);
/* A dual encoder's vectors (neither cut nor normalised), from layer 1.  *source must stay. */
struct encoder_source {
    const struct dual_encoder *encoder;
    char fingerprint[33];
    const char *prompt; /* put before every text */
    int max_length;
};
struct representation representation_of_encoder(const struct encoder_source *source);

/* One base a layer, at most MAX_REPRESENTED.  Those that are there already are not made again.
 * Fails on what cannot be written, and with STATUS_INTERRUPTED where interrupted() was set. */
int representations_make(const struct representation *spec, struct pool *pool,
                         const struct texts *texts, const int *layers, const char *const *bases,
                         int num_layers, struct error *err);
/* The same files of rows that came from elsewhere, without BASE.json: they are always written. */
int representations_write(const struct matrix *rows, const struct texts *texts, const char *base,
                          struct error *err);

#endif
