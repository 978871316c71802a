/* A whole file in memory, mapped: its bytes are read when they are first looked at.
 *
 * The size is the file's at opening.  A file that is replaced by renaming, as all outputs of retort
 * are, stays what it was; one that another program cuts short meanwhile ends the process (SIGBUS).
 */
#ifndef RETORT_FILE_MAP_H
#define RETORT_FILE_MAP_H

#include "data/base.h"

struct file_map {
    unsigned char *bytes; /* NULL of an empty file */
    size_t size;
};
/* Of a regular file.  writable: bytes may be written to, which changes this map alone. */
int file_map_open(struct file_map *out, const char *path, bool writable, struct error *err);
void file_map_close(struct file_map *map);
void file_map_release(void *map); /* the same, for hold (guard.h) */

#endif
