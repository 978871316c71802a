/* The encoder's layers, dropout included, against a naive twin in double; its gradients against
 * finite differences of that twin. */
#include "tests/encoder_twin.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>

START_TEST(hidden_states_equal_the_twin)
{
    for (int i = 0; i < TRIALS; i++) {
        struct fixture f;
        fixture_open(&f, &trials[i], PRECISION_F32);
        float *want = xaligned(f.states, 4), *got = xaligned(f.states, 4);
        double *values = xaligned(f.params.size, sizeof *values);
        struct twin twin = twin_of(&f, values);
        struct encoder_pass *pass = encoder_pass_open(&f.encoder);
        twin_loss(&twin, f.taps, want);
        encoder_forward(pass, &f.batch, training(&f));
        collect(got, pass, &f);
        check_close(got, want, f.states, 2e-5);
        struct forward_mode scoring = training(&f);
        scoring.keep = false; /* what is kept changes no value */
        encoder_forward(pass, &f.batch, scoring);
        collect(want, pass, &f);
        ck_assert_mem_eq(got, want, f.states * sizeof *got);
        encoder_pass_close(pass);
        free(want), free(got), free(values);
        fixture_close(&f);
    }
}
END_TEST

/* d loss / d values[at], by central differences of the twin: error about 1e-8. */
static double difference(const struct twin *twin, double *values, size_t at, const float *taps)
{
    double was = values[at], step = 1e-5;
    values[at] = was + step;
    double high = twin_loss(twin, taps, NULL);
    values[at] = was - step;
    double low = twin_loss(twin, taps, NULL);
    values[at] = was;
    return (high - low) / (2 * step);
}

/* Three values of each parameter; gradients start at 1, since backward adds. */
static void check_gradients(const struct fixture *f)
{
    float *d_params = xaligned(f->params.size, sizeof *d_params);
    double *values = xaligned(f->params.size, sizeof *values);
    struct twin twin = twin_of(f, values);
    struct encoder_pass *pass = encoder_pass_open(&f->encoder);
    for (size_t i = 0; i < f->params.size; i++) d_params[i] = 1;
    encoder_forward(pass, &f->batch, training(f));
    backward(pass, f, d_params);
    for (size_t p = 0; p < f->params.count; p++) {
        const struct param *param = &f->params.list[p];
        double largest = 1;
        for (size_t i = 0; i < params_param_size(param); i++)
            largest = fmax(largest, fabs((double)d_params[param->offset + i]));
        for (uint64_t draw = 0; draw < 3; draw++) {
            size_t at = param->offset + random_bits(4, p, draw) % params_param_size(param);
            double want = 1 + difference(&twin, values, at, f->taps), got = d_params[at];
            ck_assert_msg(fabs(got - want) <= 1e-4 * largest, "%s[%zu]: %.9g, expected %.9g",
                          param->name, at - param->offset, got, want);
        }
    }
    encoder_pass_close(pass);
    free(d_params), free(values);
}

START_TEST(gradients_equal_differences_of_the_twin)
{
    for (int i = 0; i < TRIALS; i++) {
        struct fixture f;
        fixture_open(&f, &trials[i], PRECISION_F32);
        check_gradients(&f);
        fixture_close(&f);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(hidden_states_equal_the_twin),
        TEST(gradients_equal_differences_of_the_twin),
        {0},
    };
    return run_tests("nn/layer", rows);
}
