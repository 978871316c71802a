/* Rules: what each picks from a small grid, ties, what no point satisfies, and where a rule goes
 * wrong. */
#include "distill/pick.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const MEASURES[] = {"ndcg_cut_10", "recip_rank_cut_10"};

/* layers x dims {1, 2, 3} x {16, 64, 128}; ndcg rises with both; other systems are better and must
 * not be picked. */
static struct grid make_grid(void)
{
    static const double ndcg[3][3] = {{0.40, 0.50, 0.55}, {0.48, 0.58, 0.60}, {0.52, 0.60, 0.62}};
    static const int dims[] = {16, 64, 128};
    struct grid grid = {0};
    grid_init(&grid, MEASURES, 2);
    grid_add(&grid, "bm25", 0, 0)->values[0].mean = 0.9;
    for (int l = 2; l >= 0; l--) /* the order of rows must not matter */
        for (int d = 0; d < 3; d++) {
            struct grid_row *row = grid_add(&grid, "student", l + 1, dims[d]);
            row->values[0].mean = ndcg[l][d];
            row->values[1].mean = d == 1 ? 0.7 : 0.3;
            row->bytes_per_vector = 4 * dims[d];
            row->ms_per_query = 0.01 * dims[d];
            row->texts_per_s = 3000.0 / (l + 1);
            row->model_parameters = 1e6 * (l + 1);
        }
    struct grid_row *other = grid_add(&grid, "init", 6, 256);
    other->values[0].mean = 0.99;
    other->bytes_per_vector = 1;
    return grid;
}

static struct pick_rule parsed(const char *text)
{
    struct pick_rule rule;
    struct error err = {0};
    check_ok(pick_parse(&rule, text, &err), &err);
    return rule;
}

START_TEST(rules_pick_what_they_say)
{
    static const struct {
        const char *text;
        int layers, dim;
    } cases[] = {
        {"smallest index_bytes with ndcg@10 >= 0.9 * full", 2, 64},   /* 0.558 */
        {"smallest index_bytes with ndcg@10 >= 0.97 * full", 3, 128}, /* 0.6014 */
        {"smallest index_bytes", 1, 16},
        {"smallest bytes_per_vector with ndcg_cut_10>=0.5", 3, 16},
        {"smallest layers with ndcg@10 >= 0.6", 2, 128},
        {"smallest model_parameters with ndcg@10 >= 0.6", 2, 128},
        {"largest ndcg@10", 3, 128},
        {"largest NDCG@10 with index_bytes <= 256", 3, 64},
        {"largest ndcg@10 with index_bytes < 256", 3, 16},
        {"largest ndcg@10 with index_bytes <= 0.5 * full and layers < 3", 2, 64},
        {"largest mrr@10", 1, 64}, /* a tie of three: fewest layers */
        {"largest mrr@10 with dim <= 16", 1, 16},
        {"fastest with ndcg@10 > 0.55 and ms_per_query <= 1", 2, 64},
        {"fastest", 1, 16}, /* a tie: fewest dims */
        {"smallest dim with ndcg@10 >= full", 3, 128},
        {"  largest\tms_per_query  with layers<=2 ", 1, 128},
        {"layers = 2 dim = 16", 2, 16},
        {"layers=3,dim=64", 3, 64},
    };
    struct grid grid = make_grid();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pick_rule rule = parsed(cases[i].text);
        struct tap point = {0};
        struct error err = {0};
        check_ok(pick_choose(&point, &rule, &grid, &err), &err);
        ck_assert_msg(point.layer == cases[i].layers && point.dim == cases[i].dim,
                      "\"%s\" picked layers %d, dim %d", cases[i].text, point.layer, point.dim);
    }
    grid_free(&grid);
}
END_TEST

static void check_unsatisfied(const struct grid *grid, const char *text, const char *word,
                              const char *other)
{
    struct pick_rule rule = parsed(text);
    struct tap point = {0};
    struct error err = {0};
    check_failed(pick_choose(&point, &rule, grid, &err), &err, STATUS_WORLD, text, word, other);
}

START_TEST(what_no_point_satisfies_is_said_with_the_best_there_is)
{
    struct grid grid = make_grid();
    check_unsatisfied(&grid, "smallest index_bytes with ndcg@10 >= 0.8",
                      "ndcg_cut_10 >= 0.8; the best is 0.62", "layers 3, dim 128");
    check_unsatisfied(&grid, "largest ndcg@10 with ndcg@10 > 1.1 * full", "> 0.682", "0.62");
    check_unsatisfied(&grid, "largest ndcg@10 with index_bytes < 64",
                      "index_bytes < 64; the best is 64", "layers 1, dim 16");
    check_unsatisfied(&grid, "fastest with index_bytes <= 64 and ndcg@10 >= 0.6",
                      "ndcg_cut_10 >= 0.6 beside", "the best is 0.52, at layers 3, dim 16");
    check_unsatisfied(&grid, "largest map", "no value of map", "student");
    check_unsatisfied(&grid, "fastest with map >= full", "no value of map", "student");
    check_unsatisfied(&grid, "layers = 2 dim = 32", "not evaluated", "evaluate.dims");
    check_unsatisfied(&grid, "layers = 6 dim = 256", "not evaluated", "are 3 and 128");
    struct grid empty = {0};
    grid_init(&empty, MEASURES, 2);
    grid_add(&empty, "bm25", 0, 0);
    check_unsatisfied(&empty, "fastest", "no point of the student", "");
    grid_free(&empty);
    grid_free(&grid);
}
END_TEST

START_TEST(points_without_a_value_are_not_picked)
{
    struct grid grid = make_grid();
    grid_find(&grid, "student", 3, 128)->values[0].mean = NAN;
    struct pick_rule rule = parsed("largest ndcg@10");
    struct tap point;
    struct error err = {0};
    check_ok(pick_choose(&point, &rule, &grid, &err), &err);
    ck_assert_int_eq(point.layer, 2); /* a tie of 0.60 at (2, 128) and (3, 64) */
    ck_assert_int_eq(point.dim, 128);
    check_unsatisfied(&grid, "smallest dim with ndcg@10 >= 0.9 * full", "no value of ndcg_cut_10",
                      "student");
    grid_free(&grid);
}
END_TEST

START_TEST(mistakes_name_their_column)
{
    static const char *const cases[][3] = {
        {"", "column 1", "it ends where smallest, largest"},
        {"best ndcg@10", "column 1", "\"best\" where smallest"},
        {"smallest", "column 9", "it ends where a measure"},
        {"smallest index_byte", "column 10", "did you mean index_bytes?"},
        {"largest ngcd@10", "column 9", "did you mean ndcg@10?"},
        {"largest zebra", "column 9", "\"zebra\" where a measure"},
        {"largest ndcg@10 if layers < 2", "column 17", "\"if\" where with should stand"},
        {"largest ndcg@10 with", "column 21", "it ends where a measure"},
        {"largest ndcg@10 with layers = 2", "column 29", "\"=\" where >=, <=, > or <"},
        {"largest ndcg@10 with layers < x", "column 31", "\"x\" where a number"},
        {"largest ndcg@10 with layers < nan", "column 31", "\"nan\" where a number"},
        {"largest ndcg@10 with layers < 0.5 * ful", "column 37", "\"ful\" where full"},
        {"largest ndcg@10 with layers < 2 or dim < 3", "column 33", "\"or\" where and, or the end"},
        {"largest ndcg@10 with layers < 2 and", "column 36", "it ends where"},
        {"layers 3", "column 8", "\"3\" where = should"},
        {"layers = 3", "column 11", "it ends where dim"},
        {"layers = 0 dim = 16", "column 10", "\"0\" where a whole number from 1"},
        {"layers = 2 dim = 1.5", "column 18", "\"1.5\" where a whole number from 1"},
        {"layers = 2 dim = 16 32", "column 21", "\"32\" where the end"},
        {"fastest with dim<1 and dim<1 and dim<1 and dim<1 and dim<1 and dim<1 and dim<1 and dim<1 "
         "and dim<1",
         "column 94", "8 conditions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pick_rule rule;
        struct error err = {0};
        check_failed(pick_parse(&rule, cases[i][0], &err), &err, STATUS_USAGE, cases[i][1],
                     cases[i][2]);
    }
    struct pick_rule rule;
    struct error err = {0};
    char *endless = xstrdup("largest ");
    endless = xrealloc(endless, 1000, 1);
    memset(endless + 8, 'x', 991);
    endless[999] = '\0';
    check_failed(pick_parse(&rule, endless, &err), &err, STATUS_USAGE, "255 characters");
    free(endless);
}
END_TEST

START_TEST(measures_are_checked_before_the_work)
{
    struct error err = {0};
    struct pick_rule rule = parsed("smallest index_bytes with ndcg@10 >= 0.9 * full and dim < 99");
    check_ok(pick_check(&rule, MEASURES, 2, &err), &err);
    rule = parsed("layers = 3 dim = 128");
    check_ok(pick_check(&rule, MEASURES, 0, &err), &err);
    rule = parsed("smallest index_bytes with recall@100 >= 0.9 * full");
    check_failed(pick_check(&rule, MEASURES, 2, &err), &err, STATUS_USAGE, "recall_100",
                 "evaluate.measures");
    err = (struct error){0};
    rule = parsed("largest spearman");
    check_failed(pick_check(&rule, MEASURES, 2, &err), &err, STATUS_USAGE, "spearman");
}
END_TEST

START_TEST(a_pick_is_explained)
{
    struct grid grid = make_grid();
    struct text text = {0};
    struct pick_rule rule = parsed("smallest index_bytes with ndcg@10 >= 0.9 * full and dim < 99");
    pick_explain(&rule, &grid, (struct tap){2, 64}, &text);
    ck_assert_str_eq(text.bytes, "layers 2, dim 64: smallest index_bytes 256, "
                                 "ndcg_cut_10 0.58 >= 0.558, dim 64 < 99");
    text_clear(&text);
    rule = parsed("layers = 3 dim = 128");
    pick_explain(&rule, &grid, (struct tap){3, 128}, &text);
    ck_assert_str_eq(text.bytes, "layers 3, dim 128");
    text_free(&text);
    grid_free(&grid);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(rules_pick_what_they_say),
        TEST(what_no_point_satisfies_is_said_with_the_best_there_is),
        TEST(points_without_a_value_are_not_picked),
        TEST(mistakes_name_their_column),
        TEST(measures_are_checked_before_the_work),
        TEST(a_pick_is_explained),
        {0},
    };
    return run_tests("distill/pick", rows);
}
