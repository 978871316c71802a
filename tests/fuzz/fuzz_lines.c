/* Any bytes as a text, plain or gzipped: what lines_next gives is clean, and the same in one
 * piece. */
#include <stdlib.h>
#include <string.h>

#include "data/lines.h"
#include "tests/fuzz/support.h"

static void check_line(const char *line, size_t length)
{
    REQUIRE(strlen(line) == length);
    REQUIRE(!strchr(line, '\n'));
    char *fields[4], *copy = xstrndup(line, length);
    REQUIRE(split_tabs(copy, fields, 4) >= 1);
    free(copy);
    copy = xstrndup(line, length);
    size_t count = split_white(copy, fields, 4);
    for (size_t i = 0; i < count && i < 4; i++) REQUIRE(*fields[i] && !strpbrk(fields[i], " \t"));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct lines *lines;
    struct error err = {0};
    char *line;
    size_t length, number = 0;
    int got;
    REQUIRE(lines_open(&lines, fuzz_file("text", bytes, size), &err) == 0);
    while ((got = lines_next(lines, &line, &length, &err)) > 0) {
        check_line(line, length);
        REQUIRE(lines_number(lines) == ++number);
    }
    check_answer(got, &err);
    lines_close(lines);
    return 0;
}
