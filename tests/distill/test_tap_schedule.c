/* distill/tap_schedule: each method's rows, their weights, what is drawn how often. */
#include "distill/tap_schedule.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>

enum { LAYERS = 6, WIDTH = 64 };
static int from_items[] = {1, 2, 3, 4, 5}, width_items[] = {8, 16, 32};
static const struct int_list from = {from_items, 5}, widths = {width_items, 3};

static struct tap_schedule drawing(int layers, int dims, enum full_width full_width)
{
    struct tap_schedule schedule = {.full = {LAYERS, WIDTH},
                                    .seed = 7,
                                    .total_steps = 1000,
                                    .drawn = true,
                                    .layers = layers,
                                    .from = &from,
                                    .dims = dims,
                                    .widths = &widths,
                                    .full_width = full_width};
    tap_schedule_term(&schedule, LOSS_INFO_NCE, 1, 1, 0);
    return schedule;
}

/* Rows of the tap; their weight goes to *weight. */
static int count(const struct objective *objective, int layer, int dim, double *weight)
{
    int rows = 0;
    for (size_t r = 0; r < objective->count; r++)
        if (objective->rows[r].tap.layer == layer && objective->rows[r].tap.dim == dim) {
            rows++;
            if (weight) *weight = objective->rows[r].weight;
        }
    return rows;
}

START_TEST(listed_taps_have_rows_at_every_step)
{
    const struct tap listed[] = {{2, 16}, {4, 32}, {6, WIDTH}};
    struct objective objective = {0};
    struct tap_schedule schedule = {.full = {LAYERS, WIDTH},
                                    .listed = listed,
                                    .num_listed = 3,
                                    .layer_weights = TAP_WEIGHTS_INV,
                                    .total_steps = 100};
    tap_schedule_term(&schedule, LOSS_INFO_NCE, 1, 1, 0);
    tap_schedule_term(&schedule, LOSS_SELF_KL, 0.5, 0.5, 0);
    tap_schedule_term(&schedule, LOSS_MARGIN_MSE, 0, 0, 0); /* adds nothing */
    for (uint64_t step = 0; step < 100; step += 33) {
        double weight;
        tap_schedule_rows(&objective, &schedule, step);
        ck_assert_uint_eq(objective.count, 5);
        ck_assert_int_eq(count(&objective, 2, 16, NULL), 2);
        ck_assert_int_eq(count(&objective, 4, 32, &weight), 2);
        ck_assert_double_eq_tol(weight, 0.5 / 4, 1e-12);
        ck_assert_int_eq(count(&objective, 6, WIDTH, &weight), 1); /* no copy of itself */
        ck_assert_double_eq_tol(weight, 1.0 / 6, 1e-12);
    }
    ck_assert_int_eq(tap_schedule_most_layers(&schedule), 3);
    objective_free(&objective);
}
END_TEST

START_TEST(a_weight_goes_by_a_cosine)
{
    const struct tap listed[] = {{6, WIDTH}};
    struct objective objective = {0};
    struct tap_schedule schedule = {
        .full = {LAYERS, WIDTH}, .listed = listed, .num_listed = 1, .total_steps = 100};
    tap_schedule_term(&schedule, LOSS_HPD, 1, 0.2, 3);
    for (uint64_t step = 0; step <= 100; step += 10) {
        tap_schedule_rows(&objective, &schedule, step);
        double expected = 0.2 + 0.8 * (1 + cos(acos(-1) * (double)step / 100)) / 2;
        ck_assert_double_eq_tol(objective.rows[0].weight, expected, 1e-9);
        ck_assert_int_eq(objective.rows[0].target, 3);
    }
    objective_free(&objective);
}
END_TEST

/* Each layer that a step trains comes near to its own targets, at full width. */
START_TEST(aligned_layers_have_targets_of_their_own)
{
    const struct tap listed[] = {{2, 8}, {2, 16}, {6, 16}, {6, WIDTH}};
    struct objective objective = {0};
    struct tap_schedule schedule = {
        .full = {LAYERS, WIDTH}, .listed = listed, .num_listed = 4, .total_steps = 100};
    tap_schedule_term(&schedule, LOSS_ALIGN, 3, 1, 5);
    tap_schedule_rows(&objective, &schedule, 50);
    ck_assert_uint_eq(objective.count, 2);
    for (size_t r = 0; r < 2; r++) {
        const struct objective_row *row = &objective.rows[r];
        ck_assert(row->kind == LOSS_ALIGN && row->tap.dim == WIDTH);
        ck_assert_int_eq(row->tap.layer, r ? 6 : 2);
        ck_assert_int_eq(row->target, 5 + row->tap.layer - 1);
        ck_assert_double_eq_tol(row->weight, 2, 1e-9);
    }
    objective_free(&objective);
}
END_TEST

/* 2DMSE: one layer, one width, both at full width too. */
START_TEST(one_layer_and_one_width_at_four_taps)
{
    struct objective objective = {0};
    struct tap_schedule schedule = drawing(1, 1, FULL_WIDTH_ALL);
    int layers[LAYERS] = {0}, dims[3] = {0};
    schedule.same_widths = true;
    for (uint64_t step = 0; step < 3000; step++) {
        tap_schedule_rows(&objective, &schedule, step);
        ck_assert_uint_eq(objective.count, 4);
        struct tap low = objective.rows[0].tap;
        layers[low.layer]++;
        for (int i = 0; i < 3; i++) dims[i] += low.dim == width_items[i];
        ck_assert_int_eq(count(&objective, low.layer, low.dim, NULL), 1);
        ck_assert_int_eq(count(&objective, low.layer, WIDTH, NULL), 1);
        ck_assert_int_eq(count(&objective, LAYERS, low.dim, NULL), 1);
        ck_assert_int_eq(count(&objective, LAYERS, WIDTH, NULL), 1);
    }
    for (int l = 1; l < LAYERS; l++) ck_assert(abs(layers[l] - 600) < 100);
    for (int i = 0; i < 3; i++) ck_assert(abs(dims[i] - 1000) < 120);
    ck_assert_int_eq(tap_schedule_most_layers(&schedule), 2);
    objective_free(&objective);
}
END_TEST

/* Matryoshka2dLoss: each layer draws its own width. */
START_TEST(widths_of_two_layers_are_drawn_apart)
{
    struct objective objective = {0};
    struct tap_schedule schedule = drawing(1, 1, FULL_WIDTH_NONE);
    int same = 0;
    for (uint64_t step = 0; step < 3000; step++) {
        tap_schedule_rows(&objective, &schedule, step);
        ck_assert_uint_eq(objective.count, 2);
        ck_assert_int_eq(objective.rows[1].tap.layer, LAYERS);
        same += objective.rows[0].tap.dim == objective.rows[1].tap.dim;
    }
    ck_assert_msg(abs(same - 1000) < 120, "%d of 3000 steps drew the same width", same);
    objective_free(&objective);
}
END_TEST

/* ESE: every layer, weighted by its depth and shared; the full width at the last alone. */
START_TEST(all_layers_share_the_weight)
{
    struct objective objective = {0};
    struct tap_schedule schedule = drawing(EVERY, EVERY, FULL_WIDTH_LAST);
    schedule.layer_weights = TAP_WEIGHTS_LOG;
    tap_schedule_rows(&objective, &schedule, 3);
    ck_assert_uint_eq(objective.count, 5 * 3 + 3 + 1);
    for (int l = 1; l < LAYERS; l++) {
        double weight;
        ck_assert_int_eq(count(&objective, l, 16, &weight), 1);
        ck_assert_double_eq_tol(weight, 1 / (1 + log(l)) / 5, 1e-12);
        ck_assert_int_eq(count(&objective, l, WIDTH, NULL), 0);
    }
    ck_assert_int_eq(tap_schedule_most_layers(&schedule), LAYERS);
    objective_free(&objective);
}
END_TEST

START_TEST(nothing_drawn_is_the_full_model)
{
    struct objective objective = {0};
    struct tap_schedule schedule = drawing(0, 0, FULL_WIDTH_LAST);
    tap_schedule_rows(&objective, &schedule, 0);
    ck_assert_uint_eq(objective.count, 1);
    ck_assert_int_eq(count(&objective, LAYERS, WIDTH, NULL), 1);
    ck_assert_int_eq(tap_schedule_most_layers(&schedule), 1);
    objective_free(&objective);
}
END_TEST

static void check_list(const struct int_list *list, const int *wanted, size_t count)
{
    ck_assert_uint_eq(list->count, count);
    for (size_t i = 0; i < count; i++) ck_assert_int_eq(list->items[i], wanted[i]);
    free(list->items);
}

START_TEST(what_is_trained_is_listed_or_may_be_drawn)
{
    const struct tap listed[] = {{2, 16}, {2, 32}, {4, 16}, {6, WIDTH}};
    const int listed_layers[] = {2, 4, 6}, listed_widths[] = {16, 32, WIDTH};
    const int all_layers[] = {1, 2, 3, 4, 5, 6}, below[] = {0, 3}, below_layers[] = {3, 6};
    const struct int_list with_embeddings = {(int *)below, 2};
    struct tap_schedule schedule = {.full = {LAYERS, WIDTH},
                                    .listed = listed,
                                    .num_listed = 4,
                                    .from = &from,
                                    .widths = &widths};
    struct int_list layers, dims;
    tap_schedule_trained(&layers, &dims, &schedule);
    check_list(&layers, listed_layers, 3);
    check_list(&dims, listed_widths, 3);
    schedule = drawing(1, EVERY, FULL_WIDTH_LAST);
    tap_schedule_trained(&layers, &dims, &schedule);
    check_list(&layers, all_layers, 6);
    check_list(&dims, width_items, 3);
    schedule = drawing(0, 0, FULL_WIDTH_LAST);
    tap_schedule_trained(&layers, &dims, &schedule);
    check_list(&layers, all_layers + 5, 1);
    check_list(&dims, NULL, 0);
    schedule = drawing(EVERY, 0, FULL_WIDTH_LAST);
    schedule.from = &with_embeddings; /* the embeddings are no block */
    tap_schedule_trained(&layers, &dims, &schedule);
    check_list(&layers, below_layers, 2);
    check_list(&dims, NULL, 0);
}
END_TEST

START_TEST(a_step_is_drawn_the_same_again)
{
    struct objective first = {0}, again = {0};
    struct tap_schedule schedule = drawing(2, 2, FULL_WIDTH_ALL);
    for (uint64_t step = 0; step < 50; step++) {
        tap_schedule_rows(&first, &schedule, step);
        tap_schedule_rows(&again, &schedule, step + 1);
        tap_schedule_rows(&again, &schedule, step);
        ck_assert_uint_eq(first.count, 3 * 3);
        ck_assert_uint_eq(again.count, first.count);
        for (size_t r = 0; r < first.count; r++) {
            ck_assert_int_eq(first.rows[r].tap.layer, again.rows[r].tap.layer);
            ck_assert_int_eq(first.rows[r].tap.dim, again.rows[r].tap.dim);
        }
        for (size_t r = 1; r < first.count; r++) {
            struct tap a = first.rows[r - 1].tap, b = first.rows[r].tap;
            ck_assert(a.layer < b.layer || (a.layer == b.layer && a.dim < b.dim));
        }
    }
    objective_free(&first), objective_free(&again);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(listed_taps_have_rows_at_every_step),
                                    TEST(a_weight_goes_by_a_cosine),
                                    TEST(aligned_layers_have_targets_of_their_own),
                                    TEST(one_layer_and_one_width_at_four_taps),
                                    TEST(widths_of_two_layers_are_drawn_apart),
                                    TEST(all_layers_share_the_weight),
                                    TEST(nothing_drawn_is_the_full_model),
                                    TEST(what_is_trained_is_listed_or_may_be_drawn),
                                    TEST(a_step_is_drawn_the_same_again),
                                    {0}};
    return run_tests("distill/tap_schedule", rows);
}
