/* HPD targets: the teacher's vectors of single texts, compressed by PCA.
 *
 *     t = W (x / |x| - m)      W [size, width] principal components of all texts' x / |x| - m
 *
 * m is 0 (as published) or, where distill.hpd.centred, the mean of the text's own side: queries
 * less the train queries' mean, documents less the documents' (see probe.h for why each its own).
 * Documents are those that training may look at: of sentence pairs, those of train.
 * The first d values of a target are the target at d dimensions.
 *
 * Layers that the student's are aligned with (distill.align.layers) have targets of their own, made
 * the same way, in a folder LAYER/ of each.
 *
 *     runs/NAME/
 *       pca.safetensors                              W; `mean` is the documents' m
 *       targets/documents.npy, targets/queries.npy   [texts, size] float32, by row
 *       targets/LAYER/documents.npy, queries.npy     the same of an aligned layer
 */
#ifndef RETORT_TARGETS_H
#define RETORT_TARGETS_H

#include "data/npy.h"
#include "distill/job_run.h"

/* From representations/documents.npy and queries.npy, and those of aligned layers, which the caller
 * has written.  W is fitted on the documents and the train queries; test and dev queries are not
 * looked at.  *length is the mean |x| of the documents. */
int targets_make(struct job_run *run, double *length, struct error *err);
/* "SIDE", or "LAYER/SIDE" of an aligned layer; layer < 0: of HPD; below representations/ and
 * targets/; freshly allocated. */
char *targets_name(int layer, const char *side);

enum { ALIGNED_TARGETS = 1 }; /* the first that is an aligned layer's */
struct targets {
    struct text_matrix {
        struct matrix documents, queries; /* by row of the collection */
    } * all; /* HPD's, then one for each item of distill.align.layers */
    size_t count;
};
/* Errors: a file that is missing or has another number of rows than the collection. */
int targets_read(struct targets *out, const struct job_run *run, struct error *err);
void targets_free(struct targets *targets);

#endif
