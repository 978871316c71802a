/* Any bytes as a job file: refused with a place and a usage status, or read and printed such that
 * the print reads back to itself. */
#include <stdlib.h>
#include <string.h>

#include "distill/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_print(const struct job *job)
{
    struct text first = {0}, second = {0};
    struct error err = {0};
    struct job again;
    job_print(job, &first);
    REQUIRE(job_read_string(&again, "fuzz.yaml", first.bytes, NULL, &err) == 0);
    job_print(&again, &second);
    REQUIRE(strcmp(first.bytes, second.bytes) == 0);
    job_free(&again);
    text_free(&first);
    text_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = xstrndup((const char *)bytes, size);
    struct job job;
    struct error err = {0};
    if (job_read_string(&job, "fuzz.yaml", text, NULL, &err) == 0) {
        check_print(&job);
        job_free(&job);
    } else {
        REQUIRE(err.status == STATUS_USAGE);
        REQUIRE(strncmp(err.message, "fuzz.yaml:", 10) == 0);
    }
    free(text);
    return 0;
}
