/* A folder or an archive (.zip, .tar, .tar.gz, .tar.zst, ...) as a stream of named text members,
 * never unpacked to disk (libarchive); members and plain files may be gzipped.
 *
 *     static int on_member(void *arg, const char *name, struct lines *lines, struct error *err);
 *     source_walk("scifact.tar.gz", on_member, arg, err);
 */
#ifndef RETORT_SOURCE_H
#define RETORT_SOURCE_H

#include "data/base.h"
#include "data/lines.h"

/* What source_walk calls for each member: 0 goes on, 1 ends the walk there, -1 fails it with
 * *err. */
typedef int member_reader(void *arg, const char *name, struct lines *lines, struct error *err);

/* Calls member for every regular file below the folder or in the archive, and once for a plain
 * file; "-" or NULL is stdin, a text or tar.  Names that begin with "." are left out.  A folder
 * is read in byte order of the names, links followed, special files left out; an archive in its
 * own order.  name is relative, with "/" and without ".gz" ("scifact/qrels/test.tsv"; the last
 * part of the path for a plain file).  Lines that member leaves unread are neither read nor
 * checked.
 *
 * An archive is told by its name or its content: zip, or tar, plain or in gzip, zstd, xz or
 * bzip2.  Refused: member names that are absolute or hold ".." or control characters, links,
 * special files, encrypted members, archives that are corrupt or cut short, and the sizes that
 * lines_next refuses, for all members together. */
int source_walk(const char *path, member_reader *member, void *arg, struct error *err);

void source_library_version(char version[VERSION_SIZE]);

#endif
