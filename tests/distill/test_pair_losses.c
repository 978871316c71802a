/* distill/pair_losses: values by hand, a naive twin, gradients by differences. */
#include "distill/pair_losses.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>

enum { LISTS = 4, PAIRS = 11 };
static const int starts[LISTS + 1] = {0, 4, 5, 5, PAIRS}; /* one of one pair, one empty */

typedef double loss_function(const struct pair_lists *lists, const float *target, double weight,
                             float *d_logits);

static double twin_softmax(const double *x, const float *target)
{
    double loss = 0;
    for (int i = 0; i < LISTS; i++)
        for (int j = starts[i]; j < starts[i + 1]; j++) {
            double sum = 0;
            for (int k = starts[i]; k < starts[i + 1]; k++) sum += exp(x[k]);
            loss -= target[j] * log(exp(x[j]) / sum);
        }
    return loss / LISTS;
}

static double twin_bce(const double *x, const float *labels)
{
    double loss = 0;
    for (int j = 0; j < PAIRS; j++) {
        double p = 1 / (1 + exp(-x[j]));
        loss -= labels[j] * log(p) + (1 - labels[j]) * log(1 - p);
    }
    return loss / PAIRS;
}

static double twin_margin(const double *x, const float *scores)
{
    double loss = 0;
    int count = 0;
    for (int i = 0; i < LISTS; i++)
        for (int b = starts[i]; b < starts[i + 1]; b++) {
            bool best = true;
            for (int k = starts[i]; k < starts[i + 1]; k++)
                best = best && (scores[k] < scores[b] || (scores[k] == scores[b] && k >= b));
            for (int j = starts[i]; best && j < starts[i + 1]; j++) {
                if (j == b) continue;
                loss += pow((x[b] - x[j]) - ((double)scores[b] - scores[j]), 2);
                count++;
            }
        }
    return loss / count;
}

static double twin_mse(const double *x, const float *scores)
{
    double loss = 0;
    for (int j = 0; j < PAIRS; j++) loss += pow(x[j] - scores[j], 2);
    return loss / PAIRS;
}

static const struct {
    loss_function *loss;
    double (*twin)(const double *x, const float *target);
    bool is_distribution, is_label;
} losses[] = {{pair_softmax, twin_softmax, true, false},
              {pair_bce, twin_bce, false, true},
              {pair_margin_mse, twin_margin, false, false},
              {pair_mse, twin_mse, false, false}};
enum { LOSSES = sizeof losses / sizeof *losses };

static void make_target(float *target, size_t which)
{
    for (int j = 0; j < PAIRS; j++) {
        target[j] = test_value(2, (uint64_t)j);
        if (losses[which].is_label) target[j] = 0.5f + 0.5f * target[j];
    }
    if (!losses[which].is_distribution) return;
    for (int i = 0; i < LISTS; i++) {
        float sum = 0;
        for (int j = starts[i]; j < starts[i + 1]; j++) sum += target[j] += 1.5f;
        for (int j = starts[i]; j < starts[i + 1]; j++) target[j] /= sum;
    }
}

START_TEST(values_and_gradients_are_the_twins)
{
    float logits[PAIRS], target[PAIRS], d_logits[PAIRS];
    double x[PAIRS];
    const double step = 1e-5, weight = 0.7;
    const struct pair_lists lists = {LISTS, starts, logits};
    for (size_t l = 0; l < LOSSES; l++) {
        make_target(target, l);
        for (int j = 0; j < PAIRS; j++) {
            x[j] = logits[j] = 3 * test_value(1, (uint64_t)j);
            d_logits[j] = 0.25f; /* gradients are added */
        }
        double value = losses[l].loss(&lists, target, weight, d_logits);
        ck_assert_double_eq_tol(value, losses[l].twin(x, target), 1e-6);
        ck_assert_double_eq(value, losses[l].loss(&lists, target, weight, NULL));
        for (int j = 0; j < PAIRS; j++) {
            x[j] += step;
            double high = losses[l].twin(x, target);
            x[j] -= 2 * step;
            double low = losses[l].twin(x, target);
            x[j] += step;
            ck_assert_double_eq_tol(d_logits[j] - 0.25, weight * (high - low) / (2 * step), 1e-6);
        }
    }
}
END_TEST

START_TEST(large_logits_do_not_overflow)
{
    float logits[PAIRS], target[PAIRS] = {0}, d_logits[PAIRS] = {0};
    const struct pair_lists lists = {LISTS, starts, logits};
    for (int j = 0; j < PAIRS; j++) logits[j] = j % 2 ? 1e4f : -1e4f;
    target[0] = target[4] = target[5] = 1;
    for (size_t l = 0; l < LOSSES; l++) {
        ck_assert(isfinite(losses[l].loss(&lists, target, 1, d_logits)));
        for (int j = 0; j < PAIRS; j++) ck_assert(isfinite(d_logits[j]));
    }
}
END_TEST

START_TEST(one_pair_each_has_no_margin)
{
    const float logits[2] = {1, 2}, scores[2] = {3, 5};
    const struct pair_lists lists = {2, (const int[]){0, 1, 2}, logits};
    ck_assert_double_eq(pair_margin_mse(&lists, scores, 1, NULL), 0);
    ck_assert_double_eq(pair_mse(&lists, scores, 1, NULL), (4 + 9) / 2.0);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(values_and_gradients_are_the_twins),
                                    TEST(large_logits_do_not_overflow),
                                    TEST(one_pair_each_has_no_margin),
                                    {0}};
    return run_tests("distill/pair_losses", rows);
}
