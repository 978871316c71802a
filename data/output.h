/* Files that appear whole or not at all: written beside their place under a temporary name, synced,
 * renamed.
 *
 *     struct output out = {0};
 *     if (output_open(&out, "runs/x/grid.tsv", err)) return -1;
 *     output_printf(&out, "%s\t%d\n", name, n);        // errors are remembered
 *     if (output_commit(&out, err)) return -1; // and reported here; the old file stays
 *
 * Path "-" or NULL is stdout: nothing to rename, lines appear as they are written.
 */
#ifndef RETORT_OUTPUT_H
#define RETORT_OUTPUT_H

#include "data/base.h"
#include <stdio.h>

struct output {
    FILE *file;
    char *path, *temporary; /* NULL for stdout */
    int failed;             /* errno of the first failed write, 0 if none */
};

int output_open(struct output *out, const char *path, struct error *err);
void output_write(struct output *out, const void *bytes, size_t length);
void output_printf(struct output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Flush, sync, rename; releases *out in every case. */
int output_commit(struct output *out, struct error *err);
/* The same without waiting for the disk: what is written again every second may be lost with its
 * power. */
int output_replace(struct output *out, struct error *err);
/* Remove what was written; for error paths.  Accepts a zeroed or committed *out. */
void output_abandon(struct output *out);

/* Creates a folder and its parents; an existing one is fine. */
int make_folder(const char *path, struct error *err);
/* Locks a folder against other processes (flock on the folder itself): a descriptor that holds the
 * lock until it is closed or the process ends, or -1 where another has it or it cannot be opened.
 */
int folder_lock(const char *path, struct error *err);
/* Whether a process holds that lock now; asking never gets in the way of one that wants it. */
bool folder_is_locked(const char *path);
/* folder + "/" + name, freshly allocated; name alone where it is absolute. */
char *path_join(const char *folder, const char *name);
/* The folder part of a path ("." where there is none), freshly allocated. */
char *path_folder(const char *path);
bool path_exists(const char *path);
/* Whole file in *out (NUL-terminated); fails beyond limit bytes. */
int read_whole_file(struct text *out, const char *path, size_t limit, struct error *err);
/* hash_file of folder/name; "" where there is none. */
int hash_if_there(char hex[33], const char *folder, const char *name, struct error *err);
void file_release(void *file); /* fclose, for hold (guard.h) */

#endif
