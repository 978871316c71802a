/* Lines of a text stream, plain or gzipped (zlib): "\n" or "\r\n" ended, the end removed,
 * NUL-terminated, checked to be UTF-8; a byte order mark at the start is skipped.  Memory: the
 * longest line.
 *
 *     struct lines *lines; char *line; size_t length; int got;
 *     if (lines_open(&lines, path, err)) return -1;
 *     while ((got = lines_next(lines, &line, &length, err)) > 0) use(line);
 *     lines_close(lines);                                                      // got: 0 or -1
 */
#ifndef RETORT_LINES_H
#define RETORT_LINES_H

#include <sys/types.h>

#include "data/base.h"

struct lines;

/* path may be "-" or NULL (stdin).  Gzip is told by content; concatenated gzip members are one
 * text. */
int lines_open(struct lines **out, const char *path, struct error *err);
/* 1: *line and *length are set until the next call; 0: end; -1: cannot be read, a gzip stream
 * that is corrupt or cut short, not UTF-8, a NUL byte, a line beyond 64 MiB, more than 64 GiB in
 * all, more than 256 MiB from a file 400 times smaller (a decompression bomb), interrupted.  The
 * line may be changed in place. */
int lines_next(struct lines *lines, char **line, size_t *length, struct error *err);
/* "scifact.tar.gz:scifact/corpus.jsonl:17", for messages; until the next call of any function of
 * lines. */
const char *lines_where(struct lines *lines);
const char *lines_name(const struct lines *lines); /* the same without the number */
size_t lines_number(const struct lines *lines);    /* of the line last returned, from 1; 0 before */
void lines_close(struct lines *lines);             /* NULL is fine */

/* Cuts the line, in place, at every tab, or at every run of spaces and tabs (none before the
 * first field, none after the last).  Returns the number of fields, of which the first max are
 * in fields. */
size_t split_tabs(char *line, char **fields, size_t max);
size_t split_white(char *line, char **fields, size_t max);

void lines_library_version(char version[VERSION_SIZE]);

/* ---- for data/source.c: texts inside folders and archives ---- */

/* What all texts of one source have given so far, after decompression. */
struct budget {
    uint64_t given;
    uint64_t
        stored; /* bytes of the file they come from; 0 where unknown (pipes): no ratio is checked */
};
/* Fails beyond the sizes that lines_next names. */
int budget_spend(struct budget *budget, uint64_t bytes, const char *name, struct error *err);

/* Up to size raw bytes; 0 at the end, -1 on error. */
typedef ssize_t byte_reader(void *arg, void *bytes, size_t size, struct error *err);
/* Lines of read(arg, ...), or, where read is NULL, of the file at path, opened when first read.
 * name is for messages; budget is the caller's. */
struct lines *lines_new(const char *path, const char *name, byte_reader *read, void *arg,
                        struct budget *budget);
/* The first bytes of the text, gunzipped, at least wanted of them unless it is shorter; before
 * lines_next. */
int lines_peek(struct lines *lines, const char **bytes, size_t *length, size_t wanted,
               struct error *err);
/* Instead of lines: the next piece of the text, gunzipped and otherwise unchecked, until the
 * next call; its length, 0 at the end, -1 on error. */
ssize_t lines_piece(struct lines *lines, const char **bytes, struct error *err);

#endif
