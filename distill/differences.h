/* Paired differences between systems, query by query: whether one is really better than another.
 *
 * The file: one header line; system_a, system_b, layers, dim, measure, difference (a minus b), low,
 * high.  layers and dim are a's; empty where they do not apply.
 */
#ifndef RETORT_DIFFERENCES_H
#define RETORT_DIFFERENCES_H

#include "data/metrics.h"

struct difference {
    char *system_a, *system_b, *measure;
    int layers, dim;
    struct interval value; /* low > 0: a is better; high < 0: b is */
};
struct differences {
    struct difference *list;
    size_t count, capacity;
};
/* Appends a copy. */
void differences_add(struct differences *differences, const struct difference *difference);
/* The first with these systems, point and measure, or NULL. */
const struct difference *differences_find(const struct differences *differences,
                                          const struct difference *like);
int differences_write(const struct differences *differences, const char *path, struct error *err);
/* Errors name file and line. */
int differences_read(struct differences *out, const char *path, struct error *err);
void differences_free(struct differences *differences);

#endif
