/* The teacher before it is taught: from teach.init's folder, or new, with a vocabulary trained on
 * the collection and word embeddings from its co-occurrence counts. */
#ifndef RETORT_TEACH_START_H
#define RETORT_TEACH_START_H

#include "data/collection.h"
#include "distill/job.h"

/* Of the collection only the documents are looked at. */
int teach_start(struct cross_encoder **out, const struct job *job,
                const struct collection *collection, struct pool *pool, struct error *err);

#endif
