/* What documents hold, sorted outside of memory: runs of posting lists, each run in the order of
 * its terms' bytes, merged into one.  (Sort-based inversion: Witten, Moffat & Bell, Managing
 * Gigabytes, 5.4; single-pass in memory: Heinz & Zobel 2003.)
 *
 *     struct runs runs = {.memory = 256 << 20, .folder = "."};
 *     run_append(&bytes, "cat", 3, occurrences, n); run_append(&bytes, "dog", ...);
 *     if (runs_add(&runs, &bytes, err)) ...            // rows of later runs are larger
 *     if (runs_merge(&runs, on_list, arg, err)) ...
 *     runs_free(&runs);
 *
 * A run is for each term: length of its name, name, number of rows, and for each row the distance
 * from the one before (from -1 the first) and the times, all numbers in 7 bits a byte, low ones
 * first.
 */
#ifndef RETORT_RUNS_H
#define RETORT_RUNS_H

#include "data/base.h"

struct occurrences { /* of a term in a document */
    uint32_t row, times;
};
/* The first 8 bytes of a name as a number, zeros behind its end: smaller names have no larger ones,
 * and most comparisons end there. */
uint64_t name_start(const char *name, size_t length);
/* The next term of a run; rows rise. */
void run_append(struct text *run, const char *name, size_t length, const struct occurrences *rows,
                size_t count);

struct runs {
    size_t memory;      /* bytes of runs kept; when there are more, they are merged to a file */
    const char *folder; /* of that file, which has no name */
    struct run *items;
    size_t count, capacity;
    size_t in_file; /* items 0 .. in_file - 1 */
    size_t held;    /* bytes of the others */
    int file;       /* where in_file > 0 */
    uint64_t file_size;
};
/* Takes *bytes. */
int runs_add(struct runs *runs, struct text *bytes, struct error *err);
/* 0 goes on, -1 ends it with *err.  name, NUL-terminated, and rows [count] until it returns. */
typedef int list_reader(void *arg, const struct text *name, const struct occurrences *rows,
                        size_t count, struct error *err);
/* Each term once, in the order of bytes, with all its rows.  Once. */
int runs_merge(struct runs *runs, list_reader *list, void *arg, struct error *err);
void runs_free(struct runs *runs);

#endif
