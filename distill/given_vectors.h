/* Vectors of a collection's texts by any program: what distill.hpd.targets names.
 *
 *     FILE.npy   float32 or float64 [rows, width], NumPy's format
 *     FILE.ids   a line a row, of whom it is: "document<TAB>ID", "query<TAB>ID", or ID alone where
 *                only one text of the collection has that id
 *
 * Rows of texts that the collection lacks are passed over, and counted.
 */
#ifndef RETORT_GIVEN_VECTORS_H
#define RETORT_GIVEN_VECTORS_H

#include "data/npy.h"
#include "distill/job_run.h"

/* FILE.ids of FILE.npy, or of any other name with ".ids" behind it; freshly allocated. */
char *given_ids_path(const char *path);
/* Rows in the order of the collection.  Test queries may have none: zeros.
 *
 * Errors, with file and line: another number of lines than rows, an id twice, one that is a
 * document's and a query's alike, a number that is not finite; documents, train or dev queries
 * without a row, how many and which is the first. */
int given_vectors_read(struct matrix *documents, struct matrix *queries, const struct job_run *run,
                       const char *path, struct error *err);

#endif
