/* A folder or an archive (.zip, .tar, .tar.gz, .tar.zst, ...) as a stream of named text members, never unpacked to
 * disk (libarchive); members and plain files may be gzipped (zlib).  The only file that includes either.
 *
 *     int on_member(void *arg, const char *name, struct lines *lines, struct error *err);
 *     source_walk("scifact.tar.gz", on_member, arg, err);
 */
#ifndef RETORT_SOURCE_H
#define RETORT_SOURCE_H

#include "data/base.h"

/* Lines of a text stream: "\n" or "\r\n" ended, the end removed, NUL-terminated, checked to be UTF-8. */
struct lines;

/* path may be "-" or NULL (stdin), plain or gzipped. */
int lines_open(struct lines **out, const char *path, struct error *err);
/* 1: *line and *length are set until the next call; 0: end; -1: error (read error, not UTF-8, NUL byte, line > 64 MiB). */
int lines_next(struct lines *lines, char **line, size_t *length, struct error *err);
/* "scifact.tar.gz:scifact/corpus.jsonl:17", for messages. */
const char *lines_where(struct lines *lines);
size_t lines_number(const struct lines *lines); /* of the line last returned, from 1 */
void lines_close(struct lines *lines);

/* Calls member for every regular file below the folder or in the archive (and once for a plain file), in sorted
 * order for a folder, archive order otherwise; name is relative ("scifact/qrels/test.tsv", ".gz" removed).  Unread
 * lines are skipped.  Member names with ".." or an absolute path, links and a total size beyond 64 GiB are refused. */
int source_walk(const char *path,
                int (*member)(void *arg, const char *name, struct lines *lines, struct error *err),
                void *arg, struct error *err);

#endif
