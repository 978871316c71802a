/* Early-layer representations of all texts of a collection, on disk: made in blocks, gone on with
 * after a kill, reused by a rerun.
 *
 *     struct representation spec = {ce, cross_encoder_text_input(ce, FORM_PAIR, 200), .layer = 2};
 *     if (representations_make(&spec, pool, &collection.documents, "runs/x/documents", err)) ...
 *     npy_read(&matrix, "runs/x/documents.npy", err);
 *
 * BASE.npy is float32 [texts, hidden_size], BASE.ids the ids in the same order, one a line,
 * BASE.json what both were made from (teacher, form, layer, maximum length, hash of ids and
 * texts).  Until all is done the rows are in BASE.npy.part, in whole blocks of REPRESENTATION_BLOCK
 * texts: at most one block is lost by a kill, and the bytes are those of an undisturbed run.
 */
#ifndef RETORT_REPRESENTATIONS_H
#define RETORT_REPRESENTATIONS_H

#include "data/collection.h"
#include "teacher/cross_encoder.h"

enum { REPRESENTATION_BLOCK = 1024 };

struct representation {
    const struct cross_encoder *ce;
    struct text_input input;
    int layer; /* 0: embeddings */
};

/* Fails on what cannot be written, and with STATUS_INTERRUPTED where interrupted() was set. */
int representations_make(const struct representation *spec, struct pool *pool,
                         const struct texts *texts, const char *base, struct error *err);

#endif
