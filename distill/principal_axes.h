/* Coordinates in order: after training, those between two trained widths are turned to their
 * principal axes.
 *
 * A student that was trained at 32 and 64 dimensions is good at these; its first 16 are any half of
 * 32 that need each other.  A rotation of the coordinates 0..31 among themselves, and of 32..63,
 * leaves every inner product at 32 and at 64 as it is, at all layers, and may give the largest
 * share of the length to the first of each: their second moments' eigenvectors, as a PCA within a
 * block.  It goes into the projection, which all layers share, and costs nothing.
 */
#ifndef RETORT_PRINCIPAL_AXES_H
#define RETORT_PRINCIPAL_AXES_H

#include "student/dual_encoder.h"

struct axes {
    const int *widths; /* [num_widths], rising: blocks end there; what is behind is the last */
    size_t num_widths;
    const int *layers; /* [num_layers] whose vectors' second moments are added up */
    int num_layers;
    bool cosine; /* each vector counts as one of length 1 */
};
/* Turns the projection by the vectors of the texts [count], documents cut to max_length tokens.
 * Nothing changes where there is none, where an activation follows it, and without texts.  Sums in
 * double; fails where LAPACK does. */
int turn_to_principal_axes(struct dual_encoder *student, struct pool *pool,
                           const char *const *texts, size_t count, int max_length,
                           const struct axes *axes, struct error *err);

#endif
