/* See file_map.h. */
#define _GNU_SOURCE
#include "data/file_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_bytes(struct file_map *out, int file, const char *path, bool writable,
                     struct error *err)
{
    struct stat info;
    if (fstat(file, &info) != 0) return fail_errno(err, "%s: cannot stat", path);
    if (!S_ISREG(info.st_mode)) return fail(err, "%s: not a regular file", path);
    if (info.st_size == 0) return 0;
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *bytes = mmap(NULL, (size_t)info.st_size, protection, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) return fail_errno(err, "%s: cannot map", path);
    *out = (struct file_map){bytes, (size_t)info.st_size};
    return 0;
}

int file_map_open(struct file_map *out, const char *path, bool writable, struct error *err)
{
    *out = (struct file_map){0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return fail_errno(err, "%s: cannot open", path);
    int status = map_bytes(out, file, path, writable, err);
    close(file);
    return status;
}

void file_map_close(struct file_map *map)
{
    if (map->bytes) munmap(map->bytes, map->size);
    *map = (struct file_map){0};
}

void file_map_release(void *map)
{
    file_map_close(map);
}
