/* The ids of an index's rows, on disk: a folder's
 *
 *     ids.txt            one id a line, in the order of the rows
 *     id_offsets.npy     uint64 [count, 1]: where in ids.txt each line ends, its newline included
 *
 * Both are mapped, so that a list of any length is open at once; what the second says of a line is
 * held against the first when the line is asked for.
 *
 *     if (id_list_open(&list, folder, count, err)) return -1;
 *     if (id_list_get(&id, &list, row, err)) ...
 *     id_list_close(&list);
 */
#ifndef RETORT_ID_LIST_H
#define RETORT_ID_LIST_H

#include "data/npy.h"
#include "data/output.h"

struct id_list {
    char *path; /* of ids.txt */
    struct file_map lines;
    struct npy_map ends;
    size_t count;
};
/* Fails where the files do not fit count or each other. */
int id_list_open(struct id_list *out, const char *folder, size_t count, struct error *err);
void id_list_close(struct id_list *list);
/* *id is the list's, until it is closed.  Fails where the line is not as it was written.  One
 * thread at a time: the newline in memory becomes the NUL. */
int id_list_get(const char **id, struct id_list *list, size_t row, struct error *err);

struct id_writer {
    struct output lines, ends;
    uint64_t end;
};
int id_writer_open(struct id_writer *out, const char *folder, size_t count, struct error *err);
/* Of a disk that is full, the outputs know. */
void id_writer_add(struct id_writer *writer, const char *id);
int id_writer_commit(struct id_writer *writer, struct error *err);
/* Accepts a zeroed or committed one. */
void id_writer_abandon(struct id_writer *writer);

#endif
