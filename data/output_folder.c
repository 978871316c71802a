#define _GNU_SOURCE
#include "data/output_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int output_folder_open(struct output_folder *out, const char *path, const char *marker,
                       struct error *err)
{
    *out = (struct output_folder){0};
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    if (path_exists(path) && !is_replaceable(path, marker))
        return fail(
            err, "%s: exists and has no %s, so it is not replaced; give another path or remove it",
            path, marker);
    out->path = xstrndup(path, length);
    char *parent = path_folder(out->path);
    int status = make_folder(parent, err);
    free(parent);
    out->temporary = xasprintf("%s.tmp.%ld", out->path, (long)getpid());
    remove_folder(out->temporary);
    if (!status) status = make_folder(out->temporary, err);
    if (status) output_folder_abandon(out);
    return status;
}

static void sync_folder(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) return;
    fsync(descriptor);
    close(descriptor);
}

int output_folder_commit(struct output_folder *out, struct error *err)
{
    int status = 0;
    char *old = xasprintf("%s.old.%ld", out->path, (long)getpid());
    sync_folder(out->temporary);
    bool had_old = rename(out->path, old) == 0;
    if (rename(out->temporary, out->path)) {
        status = fail_errno(err, "%s: cannot be put in place", out->path);
        if (had_old) rename(old, out->path);
    } else if (had_old) {
        remove_folder(old);
    }
    free(old);
    if (!status) {
        free(out->temporary);
        out->temporary = NULL;
    }
    output_folder_abandon(out);
    return status;
}

void output_folder_abandon(struct output_folder *out)
{
    if (out->temporary) remove_folder(out->temporary);
    free(out->temporary);
    free(out->path);
    *out = (struct output_folder){0};
}
