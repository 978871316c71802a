/* Any bytes as an archive or a text, read to the last line of every member. */
#include <string.h>

#include "data/source.h"
#include "tests/fuzz/support.h"

static int read_member(void *arg, const char *name, struct lines *lines, struct error *err)
{
    (void)arg;
    char *line;
    size_t length;
    int got;
    REQUIRE(*name && *name != '/' && *name != '.' && !strstr(name, "/../"));
    while ((got = lines_next(lines, &line, &length, err)) > 0) REQUIRE(strlen(line) == length);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    /* The content tells a zip or tar as well as a name would, and names make its errors. */
    static const char *const names[] = {"source", "source.zip", "source.tar"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error err = {0};
        int status = source_walk(fuzz_file(names[i], bytes, size), read_member, NULL, &err);
        check_answer(status, &err);
    }
    return 0;
}
