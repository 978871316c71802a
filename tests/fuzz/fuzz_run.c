/* Any bytes as a run: refused, or read and written such that it reads back the same. */
#include <string.h>

#include "data/run.h"
#include "tests/fuzz/support.h"

static void check_same(const struct run *run, const struct run *back)
{
    REQUIRE(run->count == back->count);
    for (size_t q = 0; q < run->count; q++) {
        const struct ranked_query *a = &run->queries[q], *b = run_find(back, a->id);
        REQUIRE(b && a->count == b->count);
        for (size_t i = 0; i < a->count; i++) {
            REQUIRE(strcmp(a->documents[i].document, b->documents[i].document) == 0);
            REQUIRE(strcmp(a->documents[i].tag, b->documents[i].tag) == 0);
            REQUIRE((float)a->documents[i].score == (float)b->documents[i].score);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct run run, back;
    struct error err = {0};
    int status = run_read(&run, fuzz_file("run", bytes, size), &err);
    check_answer(status, &err);
    if (status == 0) {
        const char *path = fuzz_file("written", "", 0);
        status = run_write(&run, path, &err);
        check_answer(status, &err);
        if (status == 0) {
            REQUIRE(run_read(&back, path, &err) == 0);
            check_same(&run, &back);
            run_free(&back);
        }
    }
    run_free(&run);
    return 0;
}
