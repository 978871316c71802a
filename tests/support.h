/* What all test programs share.  One program a module: tests/FOLDER/test_MODULE.c, with
 *
 *     START_TEST(norm_of_ones_is_one) { ... } END_TEST
 *     int main(void)
 *     {
 *         const struct test_row rows[] = {TEST(norm_of_ones_is_one), {0}};
 *         return run_tests("nn/kernels", rows);
 *     }
 */
#ifndef RETORT_TESTS_SUPPORT_H
#define RETORT_TESTS_SUPPORT_H

#include <check.h>
#undef fail /* Check's macro; ours is a function */
#include "data/base.h"

struct test_row {
    const char *name;
    const TTest *test;
};
/* clang-format off */
#define TEST(function) {#function, function}
/* clang-format on */

/* Runs all rows with Check; EXIT_FAILURE if any failed. */
int run_tests(const char *suite, const struct test_row *rows);

/* Fails unless max |actual - expected| <= tolerance * max(1e-30, max |expected|); says the worst
 * index and both values. */
void check_close_at(const char *file, int line, const char *what, const float *actual,
                    const float *expected, size_t n, double tolerance);
#define check_close(actual, expected, n, tolerance)                                                \
    check_close_at(__FILE__, __LINE__, #actual, actual, expected, n, tolerance)

/* Asserts that a call failed with this status and a message that contains every word given (NULL
 * ends). */
void check_failed_at(const char *file, int line, int result, const struct error *err, int status,
                     ...);
#define check_failed(result, err, status, ...)                                                     \
    check_failed_at(__FILE__, __LINE__, result, err, status, __VA_ARGS__, NULL)
/* Asserts success and shows the message where it failed. */
#define check_ok(result, err) ck_assert_msg((result) == 0, "unexpected error: %s", (err)->message)

/* Path below the shared test material ($RETORT_SHARED or ../shared), in static storage, or NULL,
 * with a loud line, where it is absent:
 *     const char *path = shared("golden/bert"); if (!path) return; */
const char *shared(const char *relative);
/* True, with a loud line, where $RETORT_SKIP_SLOW is set (by make asan and make valgrind, where all
 * takes 5 and 50 times as long):
 *     if (skip_slow()) return; */
bool skip_slow(void);
/* A fresh folder that is removed when the program ends; static storage. */
const char *scratch_folder(void);
/* Writes a file into the scratch folder; its path, freshly allocated. */
char *scratch_file(const char *name, const void *bytes, size_t length);

/* Deterministic values in [-1, 1) for tests. */
float test_value(uint64_t stream, uint64_t index);

#endif
