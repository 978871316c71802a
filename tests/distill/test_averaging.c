/* distill/averaging: what each sample counts in the end, against the means written out; the same
 * bytes for any pool. */
#include "distill/averaging.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of `count` samples after steps[i], what each counts after all of them. */
static void shares(double *out, const struct averaging *averaging, const uint64_t *steps,
                   size_t count, uint64_t total)
{
    for (size_t i = 0; i < count; i++) {
        double weight = averaging_weight(averaging, i ? steps[i - 1] : 0, steps[i], total);
        for (size_t j = 0; j < i; j++) out[j] *= 1 - weight;
        out[i] = weight;
    }
}

static const uint64_t steps[] = {10, 20, 25, 30, 40, 50, 60};
enum { SAMPLES = sizeof steps / sizeof *steps };

/* Every step counts decay^(age), and a sample for all steps since the one before. */
START_TEST(ema_is_the_mean_with_weights_that_fade)
{
    const double decays[] = {0, 0.5, 0.9, 0.999, 0.999999};
    for (size_t d = 0; d < sizeof decays / sizeof *decays; d++) {
        const struct averaging averaging = {.kind = AVERAGE_EMA, .decay = decays[d]};
        double got[SAMPLES], sum = 0, expected[SAMPLES] = {0};
        shares(got, &averaging, steps, SAMPLES, 60);
        for (uint64_t step = 1, i = 0; step <= 60; step++) {
            double weight = pow(decays[d], (double)(60 - step));
            while (step > steps[i]) i++;
            expected[i] += weight;
            sum += weight;
        }
        for (int i = 0; i < SAMPLES; i++) ck_assert_double_eq_tol(got[i], expected[i] / sum, 1e-9);
    }
}
END_TEST

START_TEST(last_is_the_plain_mean_of_the_last_steps)
{
    const double ends[] = {0, 0.01, 0.25, 0.5, 0.6, 1};
    for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
        const struct averaging averaging = {.kind = AVERAGE_LAST, .share = ends[e]};
        double got[SAMPLES], expected[SAMPLES] = {0};
        uint64_t counted = (uint64_t)(ends[e] * 60), start = 60 - counted;
        shares(got, &averaging, steps, SAMPLES, 60);
        for (uint64_t step = start + 1, i = 0; step <= 60; step++) {
            while (step > steps[i]) i++;
            expected[i] += 1.0 / (double)counted;
        }
        if (!counted) expected[SAMPLES - 1] = 1; /* the weights themselves */
        for (int i = 0; i < SAMPLES; i++) ck_assert_double_eq_tol(got[i], expected[i], 1e-12);
    }
}
END_TEST

START_TEST(adding_equals_a_naive_twin_for_any_pool)
{
    const size_t sizes[] = {0, 1, 15, 17, 65535, 65536, 65537, 200003};
    struct pool *pool = pool_open(3);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        float *average = xcalloc(n + 1, sizeof *average), *values = xcalloc(n + 1, sizeof *values),
              *alone = xcalloc(n + 1, sizeof *alone), *expected = xcalloc(n + 1, sizeof *expected);
        for (size_t i = 0; i <= n; i++) {
            average[i] = alone[i] = test_value(1, i) * (i % 5 ? 1 : 1e-42f);
            values[i] = test_value(2, i);
            expected[i] =
                i < n ? (float)(0.7 * (double)average[i] + 0.3 * (double)values[i]) : average[i];
        }
        average_add(average, values, n, 0.3, pool);
        average_add(alone, values, n, 0.3, NULL);
        check_close(average, expected, n + 1, 1e-7); /* seen: 0 */
        ck_assert_mem_eq(average, alone, (n + 1) * sizeof *alone);
        average_add(average, values, n, 1, pool);
        ck_assert_mem_eq(average, values, n * sizeof *values);
        average_swap(alone, values, n, pool);
        ck_assert_mem_eq(alone, average, n * sizeof *values);
        check_close(values, expected, n, 1e-7);
        free(average), free(values), free(alone), free(expected);
    }
    float average = 1, value = NAN;
    average_add(&average, &value, 1, 0.5, NULL);
    ck_assert(isnan(average));
    pool_close(pool);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(ema_is_the_mean_with_weights_that_fade),
                                    TEST(last_is_the_plain_mean_of_the_last_steps),
                                    TEST(adding_equals_a_naive_twin_for_any_pool),
                                    {0}};
    return run_tests("distill/averaging", rows);
}
