/* Files that appear whole or not at all, and small helpers for paths: see output.h.
 *
 * The temporary name is ".NAME.tmp.PID" in the same folder, since rename is atomic only within a
 * file system.  The file is locked while it is written, so that the next writer of NAME can tell
 * what a killed process left behind, and removes it.
 */
#define _GNU_SOURCE
#include "data/output.h"

#include "data/guard.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- paths ---- */

char *path_join(const char *folder, const char *name)
{
    if (name[0] == '/') return xstrdup(name);
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    return xasprintf("%s%s%s", folder, slash, name);
}

/* Length of path without the slashes at its end; the root keeps one. */
static size_t trimmed_length(const char *path, size_t length)
{
    while (length > 1 && path[length - 1] == '/') length--;
    return length;
}

char *path_folder(const char *path)
{
    size_t length = trimmed_length(path, strlen(path));
    while (length > 0 && path[length - 1] != '/') length--;
    return length ? xstrndup(path, trimmed_length(path, length)) : xstrdup(".");
}

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int make_folder(const char *path, struct error *err)
{
    if (is_folder(path)) return 0;
    if (path_exists(path)) return fail(err, "%s: is a file, a folder is wanted there", path);
    char *parent = path_folder(path);
    int status = 0;
    if (strcmp(parent, ".") && strcmp(parent, path)) status = make_folder(parent, err);
    /* Another process may make the same folder between the question and the call. */
    if (status == 0 && mkdir(path, 0777) && !(errno == EEXIST && is_folder(path)))
        status = fail_errno(err, "%s: cannot create the folder", path);
    free(parent);
    return status;
}

int folder_lock(const char *path, struct error *err)
{
    enum { TRIES = 5, PAUSE = 20000000 };
    const struct timespec pause = {.tv_nsec = PAUSE};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail_errno(err, "%s: cannot open the folder", path);
    for (int i = 0; i < TRIES; i++) {
        if (i) nanosleep(&pause, NULL); /* folder_is_locked may have it, for a moment */
        /* File systems without locks do not stop the work. */
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return fd;
    }
    close(fd);
    return fail(err,
                "%s: another process works in this folder; wait for its end, or choose "
                "another folder",
                path);
}

bool folder_is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

void file_release(void *file)
{
    fclose(file);
}

int hash_if_there(char hex[33], const char *folder, const char *name, struct error *err)
{
    *hex = '\0';
    char *path = hold(path_join(folder, name), free);
    int status = path_exists(path) ? hash_file(hex, path, err) : 0;
    free(let_go(path));
    return status;
}

int read_whole_file(struct text *out, const char *path, size_t limit, struct error *err)
{
    char buffer[65536];
    int status = 0;
    size_t got;
    text_clear(out);
    FILE *file = fopen(path, "rb");
    if (!file) return fail_errno(err, "%s: cannot open", path);
    hold(file, file_release);
    text_append(out, "", 0); /* an empty file is an empty string */
    while (status == 0 && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        if (got > limit - out->length)
            status = fail(err, "%s: larger than the %zu bytes allowed here", path, limit);
        else
            text_append(out, buffer, got);
    }
    if (status == 0 && ferror(file)) status = fail_errno(err, "%s: read error", path);
    if (status) text_free(out);
    fclose(let_go(file));
    return status;
}

/* ---- the temporary file ---- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A temporary that can be locked belongs to no living process. */
static void remove_if_orphan(int folder, const char *name)
{
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) return;
    if (flock(file, LOCK_EX | LOCK_NB) == 0) unlinkat(folder, name, 0);
    close(file);
}

static bool is_number(const char *string)
{
    return *string && string[strspn(string, "0123456789")] == '\0';
}

/* Removes what killed processes left of earlier writings of path. */
static void remove_orphans(const char *path)
{
    char *folder = path_folder(path), *prefix = xasprintf(".%s.tmp.", name_of(path));
    size_t length = strlen(prefix);
    DIR *listing = opendir(folder);
    const struct dirent *entry;
    while (listing && (entry = readdir(listing)))
        if (strncmp(entry->d_name, prefix, length) == 0 && is_number(entry->d_name + length))
            remove_if_orphan(dirfd(listing), entry->d_name);
    if (listing) closedir(listing);
    free(prefix);
    free(folder);
}

/* Creates and locks the file; its descriptor, or -1 with errno.  Between the two calls another
 * process may take the new file for an orphan; then it has no name any more, and we begin again. */
static int create_locked(const char *temporary)
{
    for (;;) {
        struct stat info;
        int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file < 0) return -1;
        flock(file, LOCK_EX); /* where locks are not supported, orphans merely stay */
        if (fstat(file, &info) == 0 && info.st_nlink > 0) return file;
        close(file);
    }
}

static int open_temporary(struct output *out, struct error *err)
{
    char *folder = path_folder(out->path), *name = NULL;
    name = xasprintf(".%s.tmp.%ld", name_of(out->path), (long)getpid());
    out->temporary = path_join(folder, name);
    free(name);
    free(folder);
    remove_orphans(out->path);
    int file = create_locked(out->temporary);
    if (file < 0) return fail_errno(err, "%s: cannot be created", out->path);
    out->file = fdopen(file, "wb");
    REQUIRE(out->file);
    return 0;
}

/* ---- the interface ---- */

static void output_release(struct output *out)
{
    free(out->path);
    free(out->temporary);
    *out = (struct output){0};
}

/* The file that a symbolic link leads to is replaced, not the link. */
static char *link_target(const char *path)
{
    struct stat info;
    char *target = NULL;
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) target = realpath(path, NULL);
    return target ? target : xstrdup(path);
}

int output_open(struct output *out, const char *path, struct error *err)
{
    *out = (struct output){0};
    if (!path || strcmp(path, "-") == 0) {
        out->file = stdout;
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* readers of a pipe see each line at once */
        return 0;
    }
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (!*path || path[strlen(path) - 1] == '/' || (exists && S_ISDIR(info.st_mode)))
        return fail(err, "\"%s\": names a folder, a file is wanted", path);
    if (exists && !S_ISREG(info.st_mode)) { /* a device or pipe cannot be replaced */
        out->path = xstrdup(path);
        out->file = fopen(path, "wb");
        if (!out->file) fail_errno(err, "%s: cannot open for writing", path);
    } else {
        out->path = link_target(path);
        open_temporary(out, err);
    }
    if (out->file) return 0;
    output_release(out);
    return -1;
}

static void remember_failure(struct output *out)
{
    if (!out->failed) out->failed = errno ? errno : EIO;
}

void output_write(struct output *out, const void *bytes, size_t length)
{
    errno = 0;
    if (!out->failed && fwrite(bytes, 1, length, out->file) != length) remember_failure(out);
}

void output_printf(struct output *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    errno = 0;
    if (!out->failed && vfprintf(out->file, format, arguments) < 0) remember_failure(out);
    va_end(arguments);
}

/* A rename lasts through a power cut only once its folder is on disk. */
static void sync_folder_of(const char *path)
{
    char *folder = path_folder(path);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor); /* file systems that cannot say so need it the least */
        close(descriptor);
    }
    free(folder);
}

static int finish(struct output *out, bool sync, struct error *err)
{
    const char *shown = out->path ? out->path : "standard output";
    int status = 0;
    errno = 0;
    if (fflush(out->file) || ferror(out->file)) remember_failure(out);
    if (!out->failed && sync && out->temporary && fsync(fileno(out->file))) remember_failure(out);
    if (out->path && fclose(out->file)) remember_failure(out);
    out->file = NULL;
    if (!out->failed && out->temporary && rename(out->temporary, out->path)) remember_failure(out);
    if (out->failed) {
        errno = out->failed;
        status = fail_errno(err, "%s: cannot be written", shown);
        if (out->temporary) unlink(out->temporary);
    } else if (sync && out->temporary) {
        sync_folder_of(out->path);
    }
    output_release(out);
    return status;
}

int output_commit(struct output *out, struct error *err)
{
    return finish(out, true, err);
}

int output_replace(struct output *out, struct error *err)
{
    return finish(out, false, err);
}

void output_abandon(struct output *out)
{
    if (out->path && out->file) fclose(out->file);
    if (out->temporary) unlink(out->temporary);
    output_release(out);
}
