/* HPD targets: the teacher's vectors of single texts, compressed by PCA.
 *
 *     t = W (x / |x| - m)      W [size, width] principal components of all texts' x / |x| - m
 *
 * m is 0 (as published) or, where distill.hpd.centred, the mean of the text's own side: queries
 * less the train queries' mean, documents less the documents' (see probe.h for why each its own).
 * The first d values of a target are the target at d dimensions.
 *
 *     runs/NAME/
 *       pca.safetensors                              W; `mean` is the documents' m
 *       targets/documents.npy, targets/queries.npy   [texts, size] float32, by row
 */
#ifndef RETORT_TARGETS_H
#define RETORT_TARGETS_H

#include "data/npy.h"
#include "distill/job_run.h"

/* From representations/documents.npy and queries.npy, which the caller has written.  W is fitted
 * on all documents and the train queries; test and dev queries are not looked at.  *length is the
 * mean |x| of the documents. */
int targets_make(struct job_run *run, double *length, struct error *err);

struct targets {
    struct matrix documents, queries; /* by row of the collection */
};
/* Errors: a file that is missing or has another number of rows than the collection. */
int targets_read(struct targets *out, const struct job_run *run, struct error *err);
void targets_free(struct targets *targets);

#endif
