/* See support.h. */
#define _GNU_SOURCE
#include "tests/support.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch[64];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

int run_tests(const char *suite_name, const struct test_row *rows)
{
    snprintf(scratch, sizeof scratch, "/tmp/retort-test-XXXXXX");
    REQUIRE(mkdtemp(scratch));
    Suite *suite = suite_create(suite_name);
    for (; rows->name; rows++) {
        TCase *tcase = tcase_create(rows->name);
        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, rows->test);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void check_close_at(const char *file, int line, const char *what, const float *actual,
                    const float *expected, size_t n, double tolerance)
{
    double largest = 1e-30, worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)actual[i] - (double)expected[i]);
        if (!(difference <= worst)) worst = difference, at = i; /* NaN counts as worst */
        if (fabs((double)expected[i]) > largest) largest = fabs((double)expected[i]);
    }
    if (n && !(worst <= tolerance * largest))
        ck_abort_msg(
            "%s:%d: %s[%zu] is %.9g, expected %.9g: off by %.3g of the largest, allowed %.3g", file,
            line, what, at, (double)actual[at], (double)expected[at], worst / largest, tolerance);
}

void check_failed_at(const char *file, int line, int result, const struct error *err, int status,
                     ...)
{
    ck_assert_msg(result != 0, "%s:%d: succeeded, should have failed", file, line);
    ck_assert_msg(err->status == status, "%s:%d: status %d instead of %d: %s", file, line,
                  err->status, status, err->message);
    va_list words;
    va_start(words, status);
    const char *word;
    while ((word = va_arg(words, const char *)))
        ck_assert_msg(strstr(err->message, word), "%s:%d: message lacks \"%s\": %s", file, line,
                      word, err->message);
    va_end(words);
}

const char *shared(const char *relative)
{
    static char path[4096];
    const char *root = getenv("RETORT_SHARED");
    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared", relative);
    if (access(path, R_OK) == 0) return path;
    fprintf(stderr, "SKIPPED: a test needs %s, which is absent\n", path);
    return NULL;
}

bool skip_slow(void)
{
    if (!getenv("RETORT_SKIP_SLOW")) return false;
    fprintf(stderr, "SKIPPED: a slow test, since RETORT_SKIP_SLOW is set\n");
    return true;
}

const char *scratch_folder(void)
{
    return scratch;
}

char *scratch_file(const char *name, const void *bytes, size_t length)
{
    char *path = xasprintf("%s/%s", scratch, name);
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
    return path;
}

float test_value(uint64_t stream, uint64_t index)
{
    return (float)(2 * random_uniform(7, stream, index) - 1);
}
