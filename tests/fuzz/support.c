/* See support.h. */
#define _GNU_SOURCE
#include "tests/fuzz/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"

static char folder[64];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
    if (!*folder) {
        const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(folder, sizeof folder, "%s/retort-fuzz-XXXXXX", memory);
        REQUIRE(mkdtemp(folder));
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file(const char *name, const void *bytes, size_t size)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    struct error err = {0};
    char *parent = path_folder(path);
    REQUIRE(make_folder(parent, &err) == 0);
    free(parent);
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    return path;
}

void check_answer(int status, const struct error *err)
{
    if (status == 0) {
        REQUIRE(err->status == 0);
    } else {
        REQUIRE(status == -1 && err->status == STATUS_WORLD && *err->message);
        REQUIRE(!strchr(err->message, '\n'));
    }
}
