/* The temporary name is "NAME.tmp.PID" in the same folder.  It is locked while it is filled, so
 * that the next writer of NAME can tell what a killed process left. */
#define _GNU_SOURCE
#include "data/output_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/output.h"

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

void remove_folder(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool is_replaceable(const char *path, const char *marker)
{
    char *inside = path_join(path, marker);
    /* rmdir and mkdir again: succeeds only where it is empty */
    bool ours = path_exists(inside) || (rmdir(path) == 0 && mkdir(path, 0777) == 0);
    free(inside);
    return ours;
}

static int open_folder(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A temporary folder that can be locked belongs to no living process. */
static void remove_if_orphan(const char *path)
{
    int descriptor = open_folder(path);
    if (descriptor < 0) return;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) remove_folder(path);
    close(descriptor);
}

static bool is_number(const char *string)
{
    return *string && string[strspn(string, "0123456789")] == '\0';
}

static void remove_orphans(const char *parent, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *prefix = xasprintf("%s.tmp.", slash ? slash + 1 : path);
    size_t length = strlen(prefix);
    DIR *listing = opendir(parent);
    const struct dirent *entry;
    while (listing && (entry = readdir(listing)))
        if (strncmp(entry->d_name, prefix, length) == 0 && is_number(entry->d_name + length)) {
            char *orphan = path_join(parent, entry->d_name);
            remove_if_orphan(orphan);
            free(orphan);
        }
    if (listing) closedir(listing);
    free(prefix);
}

int output_folder_open(struct output_folder *out, const char *path, const char *marker,
                       struct error *err)
{
    *out = (struct output_folder){.lock = -1};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    if (path_exists(path) && !is_replaceable(path, marker))
        return fail(
            err, "%s: exists and has no %s, so it is not replaced; give another path or remove it",
            path, marker);
    out->path = xstrndup(path, length);
    char *parent = path_folder(out->path);
    int status = make_folder(parent, err);
    remove_orphans(parent, out->path);
    free(parent);
    out->temporary = xasprintf("%s.tmp.%ld", out->path, (long)getpid());
    if (!status) status = make_folder(out->temporary, err);
    if (status) {
        output_folder_abandon(out);
        return -1;
    }
    out->lock = open_folder(out->temporary);
    if (out->lock >= 0) flock(out->lock, LOCK_EX); /* where locks are not supported, orphans stay */
    return 0;
}

/* Where the file system cannot exchange two names, there is a moment without the folder. */
static int replace(const char *temporary, const char *path)
{
    if (rename(temporary, path) == 0) return 0; /* nothing there, or an empty folder */
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) return 0;
    char *old = xasprintf("%s.old", temporary);
    int status = rename(path, old);
    if (!status && (status = rename(temporary, path))) rename(old, path);
    if (!status) remove_folder(old);
    free(old);
    return status;
}

int output_folder_commit(struct output_folder *out, struct error *err)
{
    int status = 0;
    if (out->lock >= 0) fsync(out->lock);
    if (replace(out->temporary, out->path))
        status = fail_errno(err, "%s: cannot be put in place", out->path);
    output_folder_abandon(out); /* after an exchange the temporary is the old folder */
    return status;
}

void output_folder_abandon(struct output_folder *out)
{
    if (out->temporary) {
        remove_folder(out->temporary);
        if (out->lock >= 0) close(out->lock);
    }
    free(out->temporary);
    free(out->path);
    *out = (struct output_folder){0};
}
