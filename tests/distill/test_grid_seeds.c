/* distill/grid_seeds: means and deviations against the formula, the file there and back, what does
 * not fit together. */
#include "distill/grid_seeds.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

static const char *const MEASURES[] = {"ndcg_cut_10", "map"};
enum { SEEDS = 3, ROWS = 3 };

static void make(struct grid *grid, int seed)
{
    static const struct {
        const char *system;
        int layers, dim;
    } rows[ROWS] = {{"bm25", 0, 0}, {"student", 1, 16}, {"student", 2, 32}};
    grid_init(grid, MEASURES, 2);
    for (int r = 0; r < ROWS; r++) {
        /* Other rows first: it is the point that counts. */
        int at = seed == 1 ? ROWS - 1 - r : r;
        struct grid_row *row = grid_add(grid, rows[at].system, rows[at].layers, rows[at].dim);
        for (int m = 0; m < 2; m++)
            row->values[m].mean = at ? 0.5 + 0.1 * (double)test_value((uint64_t)seed, at * 2 + m)
                                     : 0.25; /* BM25 knows no seed */
        row->texts_per_s = 100;
    }
    if (seed == 2) grid->rows[2].values[1].mean = NAN; /* not measured */
}

static double value(const struct grid *grids, int seed, int r, int m)
{
    const struct grid_row *like = &grids[0].rows[r];
    return grid_find(&grids[seed], like->system, like->layers, like->dim)->values[m].mean;
}

static void check(const struct grid *mean, const struct grid *grids, double tolerance)
{
    ck_assert_int_eq(mean->seeds, SEEDS);
    ck_assert_uint_eq(mean->count, ROWS);
    for (int r = 0; r < ROWS; r++)
        for (int m = 0; m < 2; m++) {
            double a = value(grids, 0, r, m), b = value(grids, 1, r, m), c = value(grids, 2, r, m);
            double middle = (a + b + c) / 3, square = a * a + b * b + c * c - 3 * middle * middle;
            const struct grid_row *row = &mean->rows[r];
            ck_assert_str_eq(row->system, grids[0].rows[r].system);
            if (isnan(c)) {
                ck_assert(isnan(row->values[m].mean) && isnan(row->deviations[m]));
                continue;
            }
            ck_assert_double_eq_tol(row->values[m].mean, middle, tolerance);
            ck_assert_double_eq_tol(row->deviations[m], sqrt(fmax(square, 0) / 2),
                                    1e-7 + tolerance);
        }
}

START_TEST(means_and_deviations_are_those_of_a_sample)
{
    struct error err = {0};
    struct grid grids[SEEDS], mean, read;
    struct text printed = {0};
    char *path = xasprintf("%s/grid_seeds.tsv", scratch_folder());
    for (int seed = 0; seed < SEEDS; seed++) make(&grids[seed], seed);
    check_ok(grid_over_seeds(&mean, grids, SEEDS, &err), &err);
    check(&mean, grids, 1e-12);
    check_ok(grid_seeds_write(&mean, path, &err), &err);
    check_ok(grid_seeds_read(&read, path, &err), &err);
    check(&read, grids, 1e-6);
    grid_print(&read, GRID_PLAIN, false, &printed);
    ck_assert_ptr_nonnull(strstr(printed.bytes, ".2500 +-.0000"));
    ck_assert_ptr_null(strstr(printed.bytes, "texts/s"));
    text_free(&printed);
    grid_free(&mean), grid_free(&read);
    for (int seed = 0; seed < SEEDS; seed++) grid_free(&grids[seed]);
    free(path);
}
END_TEST

START_TEST(one_seed_has_no_deviation)
{
    struct error err = {0};
    struct grid one, mean;
    make(&one, 0);
    check_ok(grid_over_seeds(&mean, &one, 1, &err), &err);
    ck_assert(mean.rows[1].values[0].mean == one.rows[1].values[0].mean);
    ck_assert(isnan(mean.rows[1].deviations[0]));
    grid_free(&one), grid_free(&mean);
}
END_TEST

START_TEST(grids_that_do_not_fit_are_refused)
{
    struct error err = {0}, other = {0};
    struct grid grids[2], mean;
    make(&grids[0], 0), make(&grids[1], 1);
    grid_add(&grids[0], "student", 9, 9);
    check_failed(grid_over_seeds(&mean, grids, 2, &err), &err, STATUS_WORLD, "seed number 2",
                 "layers 9, dim 9");
    grid_free(&grids[1]);
    grid_init(&grids[1], MEASURES + 1, 1);
    check_failed(grid_over_seeds(&mean, grids, 2, &other), &other, STATUS_WORLD, "seed number 2",
                 "measures");
    ck_assert_uint_eq(mean.count, 0);
    grid_free(&grids[0]), grid_free(&grids[1]);
}
END_TEST

START_TEST(files_of_others_are_refused)
{
    static const char header[] = "system\tlayers\tdim\tmeasure\tmean\tdeviation\tseeds\n";
    struct error err = {0};
    struct grid grid;
    char *path = scratch_file("bad.tsv", "system\tlayers\n", 14);
    check_failed(grid_seeds_read(&grid, path, &err), &err, STATUS_WORLD, "bad.tsv", "header");
    free(path);
    struct error second = {0};
    char *text = xasprintf("%sstudent\t1\t16\tmap\tmany\t0\t3\n", header);
    path = scratch_file("worse.tsv", text, strlen(text));
    check_failed(grid_seeds_read(&grid, path, &second), &second, STATUS_WORLD, "worse.tsv", "many");
    ck_assert_ptr_null(grid.rows);
    free(text), free(path);
    struct error third = {0};
    check_ok(grid_seeds_read(&grid, "/absent/grid_seeds.tsv", &third), &third);
    ck_assert_uint_eq(grid.count, 0);
    grid_free(&grid);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(means_and_deviations_are_those_of_a_sample),
                                    TEST(one_seed_has_no_deviation),
                                    TEST(grids_that_do_not_fit_are_refused),
                                    TEST(files_of_others_are_refused),
                                    {0}};
    return run_tests("distill/grid_seeds", rows);
}
