/* The grid and the differences: exact files, read back, refused where malformed; tables. */
#include "distill/grid.h"
#include "data/output.h"
#include "distill/differences.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const MEASURES[] = {"ndcg_cut_10", "spearman"};

static const char GRID_FILE[] =
    "system\tlayers\tdim\tndcg_cut_10\tndcg_cut_10_low\tndcg_cut_10_high\t"
    "spearman\tspearman_low\tspearman_high\ttexts_per_s\tbytes_per_vector\tms_per_query\n"
    "student\t1\t16\t0.500000\t0.450000\t0.550000\t-0.125000\t-0.250000\t0.000000\t2048\t64\t0."
    "125\n"
    "student\t3\t128\t0.651235\t0.620000\t0.682000\t\t\t\t512.25\t512\t1.5\n"
    "bm25\t\t\t1.000000\t1.000000\t1.000000\t\t\t\t\t\t0.01\n"
    "a b\t12\t384\t0.000000\t0.000000\t0.000000\t\t\t\t\t\t\n";

static struct grid make_grid(void)
{
    struct grid grid = {0};
    grid_init(&grid, MEASURES, 2);
    struct grid_row *row = grid_add(&grid, "student", 1, 16);
    row->values[0] = (struct interval){0.5, 0.45, 0.55};
    row->values[1] = (struct interval){-0.125, -0.25, 0};
    row->texts_per_s = 2048, row->bytes_per_vector = 64, row->ms_per_query = 0.125;
    row = grid_add(&grid, "student", 3, 128);
    row->values[0] = (struct interval){0.6512346, 0.62, 0.682};
    row->texts_per_s = 512.25, row->bytes_per_vector = 512, row->ms_per_query = 1.5;
    row = grid_add(&grid, "bm25", 0, 0);
    row->values[0] = (struct interval){1, 1, 1};
    row->ms_per_query = 0.01;
    row = grid_add(&grid, "a\tb", 12, 384);
    row->values[0] = (struct interval){0, 0, 0};
    return grid;
}

static char *scratch_path(const char *name)
{
    return xasprintf("%s/%s", scratch_folder(), name);
}

static void check_file(const char *path, const char *expected)
{
    struct text text = {0};
    struct error err = {0};
    check_ok(read_whole_file(&text, path, 1 << 20, &err), &err);
    ck_assert_str_eq(text.bytes, expected);
    text_free(&text);
}

START_TEST(file_is_exact)
{
    struct grid grid = make_grid();
    struct error err = {0};
    char *path = scratch_path("grid.tsv");
    check_ok(grid_write(&grid, path, &err), &err);
    check_file(path, GRID_FILE);
    grid_free(&grid);
    ck_assert_ptr_null(grid.rows);
    free(path);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    struct grid grid;
    struct error err = {0};
    char *path = scratch_file("grid.tsv", GRID_FILE, strlen(GRID_FILE));
    check_ok(grid_read(&grid, path, &err), &err);
    ck_assert_int_eq(grid.num_measures, 2);
    ck_assert_uint_eq(grid.count, 4);
    ck_assert_int_eq(grid_measure(&grid, "spearman"), 1);
    ck_assert_int_eq(grid_measure(&grid, "map"), -1);
    const struct grid_row *row = grid_find(&grid, "student", 3, 128);
    ck_assert_ptr_nonnull(row);
    ck_assert_double_eq(row->values[0].mean, 0.651235);
    ck_assert_double_eq(row->values[0].high, 0.682);
    ck_assert(isnan(row->values[1].mean) && isnan(row->values[1].low));
    ck_assert_double_eq(row->texts_per_s, 512.25);
    ck_assert(isnan(row->model_parameters));
    row = grid_find(&grid, "bm25", 0, 0);
    ck_assert_ptr_nonnull(row);
    ck_assert(isnan(row->bytes_per_vector));
    ck_assert_double_eq(row->ms_per_query, 0.01);
    ck_assert_ptr_null(grid_find(&grid, "student", 3, 16));
    check_ok(grid_write(&grid, path, &err), &err);
    check_file(path, GRID_FILE);
    grid_free(&grid);
    free(path);
}
END_TEST

/* GRID_FILE with the first `from` replaced is refused with both words. */
static void check_refused(const char *from, const char *to, const char *word, const char *other)
{
    struct grid grid;
    struct error err = {0};
    const char *at = strstr(GRID_FILE, from);
    ck_assert_ptr_nonnull(at);
    char *text = xasprintf("%.*s%s%s", (int)(at - GRID_FILE), GRID_FILE, to, at + strlen(from));
    char *path = scratch_file("bad.tsv", text, strlen(text));
    check_failed(grid_read(&grid, path, &err), &err, STATUS_WORLD, word, other);
    ck_assert_ptr_null(grid.rows);
    free(text);
    free(path);
}

START_TEST(malformed_grids_are_refused)
{
    check_refused("0.651235", "0.65x", "bad.tsv:3", "\"0.65x\" is not a number");
    check_refused("0.651235", "nan", "bad.tsv:3", "\"nan\"");
    check_refused("0.651235", "1e999", "bad.tsv:3", "\"1e999\"");
    check_refused("\t3\t128", "\t1.5\t128", "bad.tsv:3", "\"1.5\"");
    check_refused("\t3\t128", "\t-3\t128", "bad.tsv:3", "\"-3\"");
    check_refused("\t3\t128", "\t1\t16", "bad.tsv:3", "second time");
    check_refused("\t512\t1.5", "\t512", "bad.tsv:3", "11 columns");
    check_refused("\tdim", "\tdims", "bad.tsv:1", "column 3 is \"dims\"");
    check_refused("_10_high", "_10_max", "bad.tsv:1", "ndcg_cut_10_high");
    check_refused("\tms_per_query", "\tms", "bad.tsv:1", "\"ms\"");
    check_refused("\tms_per_query", "", "bad.tsv:1", "11 columns");
    struct grid grid;
    struct error err = {0};
    char *path = scratch_file("empty.tsv", "", 0);
    check_failed(grid_read(&grid, path, &err), &err, STATUS_WORLD, "empty.tsv", "header");
    err = (struct error){0};
    check_failed(grid_read(&grid, "no/such.tsv", &err), &err, STATUS_WORLD, "no/such.tsv");
    free(path);
}
END_TEST

START_TEST(measure_names_are_canonical)
{
    char name[32] = "untouched";
    ck_assert_int_eq(grid_measure_name(name, "no-such"), -1);
    ck_assert_str_eq(name, "untouched");
    ck_assert_int_eq(grid_measure_name(name, "ndcg@10"), 0);
    ck_assert_str_eq(name, "ndcg_cut_10");
    ck_assert_int_eq(grid_measure_name(name, "mrr@10"), 0);
    ck_assert_str_eq(name, "recip_rank_cut_10");
    ck_assert_int_eq(grid_measure_name(name, "spearman"), 0);
    ck_assert_str_eq(name, "spearman");
}
END_TEST

/* ---- tables ---- */

START_TEST(plain_table_is_aligned)
{
    struct grid grid = make_grid();
    struct text text = {0};
    grid_print(&grid, GRID_PLAIN, false, &text);
    ck_assert_str_eq(
        text.bytes,
        "system   layers  dim  ndcg_cut_10  spearman  texts/s  bytes/vector  ms/query\n"
        "student       1   16        .5000    -.1250     2048            64     0.125\n"
        "student       3  128        .6512                512           512       1.5\n"
        "bm25                       1.0000                                       0.01\n"
        "a b          12  384        .0000                                           \n");
    text_free(&text);
    grid_free(&grid);
}
END_TEST

START_TEST(markdown_table_has_intervals)
{
    struct grid grid = {0};
    struct text text = {0};
    grid_init(&grid, MEASURES, 1);
    grid_add(&grid, "student", 3, 128)->values[0] = (struct interval){0.65124, 0.62, 0.6821};
    grid_print(&grid, GRID_MARKDOWN, true, &text);
    ck_assert_str_eq(
        text.bytes,
        "| system  | layers | dim |       ndcg_cut_10 | texts/s | bytes/vector | ms/query |\n"
        "| ------- | -----: | --: | ----------------: | ------: | -----------: | -------: |\n"
        "| student |      3 | 128 | .6512 [.620 .682] |         |              |          |\n");
    text_free(&text);
    grid_free(&grid);
}
END_TEST

START_TEST(matrix_has_layers_and_dims_in_order)
{
    struct grid grid = {0};
    struct text text = {0};
    const int points[][2] = {{3, 128}, {1, 16}, {3, 16}, {2, 128}};
    grid_init(&grid, MEASURES, 2);
    for (int i = 0; i < 4; i++)
        grid_add(&grid, "student", points[i][0], points[i][1])->values[1].mean = 0.1 * (i + 1);
    grid_add(&grid, "init", 9, 999)->values[1].mean = 0.9;
    grid_print_matrix(&grid, "student", "spearman", true, &text);
    ck_assert_str_eq(text.bytes, "| layers \\ dim |    16 |   128 |\n"
                                 "| ------------ | ----: | ----: |\n"
                                 "| 1            | .2000 |       |\n"
                                 "| 2            |       | .4000 |\n"
                                 "| 3            | .3000 | .1000 |\n");
    text_clear(&text);
    grid_print_matrix(&grid, "bm25", "spearman", true, &text);
    ck_assert_uint_eq(text.length, 0);
    text_free(&text);
    grid_free(&grid);
}
END_TEST

/* ---- differences ---- */

static const char DIFFERENCES_FILE[] =
    "system_a\tsystem_b\tlayers\tdim\tmeasure\tdifference\tlow\thigh\n"
    "student\tinit\t3\t128\tndcg_cut_10\t0.025000\t0.010000\t0.040000\n"
    "teacher\tbm25\t\t\tmap\t-0.500000\t-0.600000\t-0.400000\n";

START_TEST(differences_are_written_and_read)
{
    struct differences differences = {0}, read;
    struct error err = {0};
    char *path = scratch_path("differences.tsv");
    differences_add(&differences, &(struct difference){.system_a = "student",
                                                       .system_b = "init",
                                                       .measure = "ndcg_cut_10",
                                                       .layers = 3,
                                                       .dim = 128,
                                                       .value = {0.025, 0.01, 0.04}});
    differences_add(&differences, &(struct difference){.system_a = "teacher",
                                                       .system_b = "bm25",
                                                       .measure = "map",
                                                       .value = {-0.5, -0.6, -0.4}});
    check_ok(differences_write(&differences, path, &err), &err);
    check_file(path, DIFFERENCES_FILE);
    check_ok(differences_read(&read, path, &err), &err);
    ck_assert_uint_eq(read.count, 2);
    const struct difference *found = differences_find(&read, &differences.list[1]);
    ck_assert_ptr_eq(found, &read.list[1]);
    ck_assert_double_eq(found->value.low, -0.6);
    ck_assert_int_eq(read.list[0].dim, 128);
    struct difference other = differences.list[0];
    other.dim = 64;
    ck_assert_ptr_null(differences_find(&read, &other));
    differences_free(&differences);
    differences_free(&read);
    free(path);
}
END_TEST

START_TEST(malformed_differences_are_refused)
{
    static const char *const cases[][3] = {
        {"", "bad.tsv", "header"},
        {"system_a\tsystem_b\n", "bad.tsv", "header"},
        {"system_a\tsystem_b\tlayers\tdim\tmeasure\tdifference\tlow\thigh\na\tb\t1\n", "bad.tsv:2",
         "3 columns"},
        {"system_a\tsystem_b\tlayers\tdim\tmeasure\tdifference\tlow\thigh\na\tb\t1\t2\tmap\t1\tx\t"
         "1\n",
         "bad.tsv:2", "\"x\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct differences read;
        struct error err = {0};
        char *path = scratch_file("bad.tsv", cases[i][0], strlen(cases[i][0]));
        check_failed(differences_read(&read, path, &err), &err, STATUS_WORLD, cases[i][1],
                     cases[i][2]);
        ck_assert_ptr_null(read.list);
        free(path);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(file_is_exact),
        TEST(what_is_written_is_read_back),
        TEST(malformed_grids_are_refused),
        TEST(measure_names_are_canonical),
        TEST(plain_table_is_aligned),
        TEST(markdown_table_has_intervals),
        TEST(matrix_has_layers_and_dims_in_order),
        TEST(differences_are_written_and_read),
        TEST(malformed_differences_are_refused),
        {0},
    };
    return run_tests("distill/grid", rows);
}
