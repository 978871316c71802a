/* data/metrics: trec_eval's values, correlations, bootstrap. */
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/metrics.h"

static const double close_enough = 1e-12;

static struct measure parsed(const char *name)
{
    struct measure measure;
    struct error err = {0};
    check_ok(measure_parse(&measure, name, &err), &err);
    return measure;
}

START_TEST(names_are_parsed_and_made_canonical)
{
    static const char *const rows[][2] = {{"ndcg_cut_10", "ndcg_cut_10"},
                                          {"ndcg@10", "ndcg_cut_10"},
                                          {"nDCG@10", "ndcg_cut_10"},
                                          {"ndcg", "ndcg"},
                                          {"mrr@10", "recip_rank_cut_10"},
                                          {"MRR", "recip_rank"},
                                          {"recip_rank", "recip_rank"},
                                          {"recip_rank_cut_10", "recip_rank_cut_10"},
                                          {"map", "map"},
                                          {"map_cut_100", "map_cut_100"},
                                          {"MAP@100", "map_cut_100"},
                                          {"recall@100", "recall_100"},
                                          {"recall_1000", "recall_1000"},
                                          {"p@5", "P_5"},
                                          {"P_5", "P_5"},
                                          {"P.5", "P_5"},
                                          {"precision@1", "P_1"},
                                          {"hits@10", "success_10"},
                                          {"success_1", "success_1"},
                                          {"accuracy@1", "success_1"},
                                          {"num_rel", "num_rel"},
                                          {"num_rel_ret", "num_rel_ret"},
                                          {"num_ret", "num_ret"},
                                          {"num_q", "num_q"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[32];
        measure_name(name, parsed(rows[i][0]));
        ck_assert_str_eq(name, rows[i][1]);
    }
    static const char *const bad[] = {
        "",        "ndcg@", "ndcg@0", "ndcg_10",  "mrr_10",        "recall",    "P",      "@10",
        "ndgc@10", "10",    "map@x",  "ndcg_cut", "ndcg@99999999", "num_rel@5", "ndcg@-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct measure measure;
        struct error err = {0};
        check_failed(measure_parse(&measure, bad[i], &err), &err, STATUS_USAGE, "unknown measure",
                     bad[i], "ndcg_cut_K");
    }
}
END_TEST

/* Grades of "a".."j" in the run's order, 9 for unjudged; more judgements that are not found. */
static struct qrels judge(const char *grades, const char *missing)
{
    struct qrels qrels = {0};
    char id[2] = "a";
    for (; *grades; grades++, id[0]++)
        if (*grades != '9') qrels_add(&qrels, "q", id, *grades == '-' ? -1 : *grades - '0');
    for (id[0] = 'A'; *missing; missing++, id[0]++) qrels_add(&qrels, "q", id, *missing - '0');
    return qrels;
}

static double value_of(const char *name, const char *grades, const char *missing)
{
    struct qrels qrels = judge(grades, missing);
    struct run run = {0};
    char id[2] = "a";
    for (size_t i = 0; i < strlen(grades); i++, id[0]++) run_add(&run, "q", id, -(double)i, "t");
    run_sort(&run);
    double value = measure_query(parsed(name), &qrels.queries[0], run_find(&run, "q"));
    run_free(&run);
    qrels_free(&qrels);
    return value;
}

START_TEST(values_are_those_of_the_definitions)
{
    /* ranks 2 and 4 relevant (grades 1 and 2), one of grade 3 not found */
    const char *grades = "01-29", *missing = "30";
    double dcg = 1 / log2(3) + 2 / log2(5);
    double ideal = 3 / log2(2) + 2 / log2(3) + 1 / log2(4);
    const struct {
        const char *name;
        double value;
    } rows[] = {{"ndcg", dcg / ideal},
                {"ndcg@10", dcg / ideal},
                {"ndcg@2", 1 / log2(3) / (3 + 2 / log2(3))},
                {"ndcg@1", 0},
                {"mrr", 0.5},
                {"mrr@1", 0},
                {"map", (0.5 + 0.5) / 3},
                {"map@3", 0.5 / 3},
                {"recall@2", 1.0 / 3},
                {"recall@1000", 2.0 / 3},
                {"p@5", 0.4},
                {"p@10", 0.2},
                {"hits@1", 0},
                {"hits@2", 1},
                {"num_q", 1},
                {"num_ret", 5},
                {"num_rel", 3},
                {"num_rel_ret", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_double_eq_tol(value_of(rows[i].name, grades, missing), rows[i].value,
                                close_enough);
}
END_TEST

START_TEST(nothing_relevant_or_nothing_found_is_zero)
{
    static const char *const zero[] = {"ndcg",      "ndcg@10", "mrr",    "map",
                                       "recall@10", "p@5",     "hits@1", "num_rel_ret"};
    struct qrels qrels = judge("12", "");
    for (size_t i = 0; i < sizeof zero / sizeof *zero; i++) {
        ck_assert_double_eq(value_of(zero[i], "00-9", ""), 0);
        ck_assert_double_eq(measure_query(parsed(zero[i]), &qrels.queries[0], NULL), 0);
    }
    ck_assert_double_eq(measure_query(parsed("num_rel"), &qrels.queries[0], NULL), 2);
    ck_assert_double_eq(measure_query(parsed("num_ret"), &qrels.queries[0], NULL), 0);
    qrels_free(&qrels);
}
END_TEST

/* ---- the shared reference ---- */

struct table {
    struct measure columns[32];
    size_t num_columns;
    double sums[32];
    size_t num_queries;
};

static void check_row(struct table *table, char **fields, const struct qrels *qrels,
                      const struct run *run)
{
    bool mean = strncmp(fields[0], "mean over", 9) == 0;
    for (size_t c = 0; c < table->num_columns; c++) {
        double expected = atof(fields[c + 1]), got;
        if (mean)
            got = table->sums[c] / (double)table->num_queries;
        else
            got = measure_query(table->columns[c], qrels_find(qrels, fields[0]),
                                run_find(run, fields[0]));
        ck_assert_msg(fabs(got - expected) < 1e-9, "%s, column %zu: %.12g, expected %.12g",
                      fields[0], c + 1, got, expected);
        table->sums[c] += got;
    }
    table->num_queries += !mean;
}

static void check_golden(const char *qrels_path)
{
    struct error err = {0};
    struct qrels qrels;
    struct run run;
    struct lines *lines;
    check_ok(qrels_read(&qrels, qrels_path, &err), &err);
    check_ok(run_read(&run, shared("golden/metrics/run.trec"), &err), &err);
    run_sort(&run);
    check_ok(lines_open(&lines, shared("golden/metrics/expected.tsv"), &err), &err);
    struct table table = {0};
    char *line, *fields[33];
    size_t length, rows = 0;
    while (lines_next(lines, &line, &length, &err) > 0) {
        size_t count = split_tabs(line, fields, 33);
        if (rows++ == 0)
            for (; table.num_columns + 1 < count; table.num_columns++)
                table.columns[table.num_columns] = parsed(fields[table.num_columns + 1]);
        else
            check_row(&table, fields, &qrels, &run);
    }
    ck_assert_uint_eq(rows, 40);
    lines_close(lines);
    run_free(&run);
    qrels_free(&qrels);
}

START_TEST(golden_values_are_met)
{
    if (!shared("golden/metrics")) return;
    check_golden(shared("golden/metrics/qrels.tsv"));
    check_golden(shared("golden/metrics/qrels.trec"));
}
END_TEST

/* ---- correlations ---- */

START_TEST(correlations_equal_scipy)
{
    /* scipy.stats.pearsonr(x, y), spearmanr(x, y) */
    const double x[] = {1.2, 3.4, 2.2, 5.0, 3.4, 0.1, 9.9, 3.4}, y[] = {2, 3, 3, 8, 1, 0, 7, 3};
    ck_assert_double_eq_tol(pearson(x, y, 8), 0.79025510402733, 1e-13);
    ck_assert_double_eq_tol(spearman(x, y, 8), 0.80000000000000, 1e-13);
    const double line[] = {3, 2, 1, 0}, curve[] = {1, 2, 4, 80};
    ck_assert_double_eq_tol(pearson(line, line, 4), 1, 1e-15);
    ck_assert_double_eq_tol(spearman(line, curve, 4), -1, 1e-15);
}
END_TEST

START_TEST(correlations_without_variance_are_nan)
{
    const double same[] = {0.1, 0.1, 0.1}, x[] = {1, 2, 3};
    ck_assert(isnan(pearson(same, x, 3)));
    ck_assert(isnan(spearman(x, same, 3)));
    ck_assert(isnan(pearson(x, x, 1)));
    ck_assert(isnan(spearman(x, x, 0)));
}
END_TEST

START_TEST(pearson_survives_a_large_mean)
{
    const double x[] = {1e9 + 1, 1e9 + 2, 1e9 + 3}, y[] = {1, 2, 4};
    const double z[] = {1, 2, 3};
    ck_assert_double_eq_tol(pearson(x, y, 3), pearson(z, y, 3), 1e-9);
}
END_TEST

/* ---- bootstrap ---- */

START_TEST(bootstrap_is_deterministic_and_covers)
{
    /* 200 values of mean near 0 and deviation 1: the interval is about 1.96 / sqrt(200) wide
     * each side */
    double values[200];
    for (size_t i = 0; i < 200; i++) values[i] = random_normal(5, 6, i);
    struct interval first = bootstrap_mean(values, 200, 2000, 13);
    struct interval again = bootstrap_mean(values, 200, 2000, 13);
    ck_assert_int_eq(memcmp(&first, &again, sizeof first), 0);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 200; i++) sum += values[i], squares += values[i] * values[i];
    double half = 1.96 * sqrt((squares / 200 - sum / 200 * sum / 200) / 200);
    ck_assert_double_eq_tol(first.mean, sum / 200, 1e-15);
    ck_assert_double_eq_tol(first.high - first.mean, half, 0.1 * half);
    ck_assert_double_eq_tol(first.mean - first.low, half, 0.1 * half);
    struct interval other = bootstrap_mean(values, 200, 2000, 14);
    ck_assert(other.low != first.low);
}
END_TEST

START_TEST(differences_are_paired)
{
    double a[100], b[100], difference[100];
    for (size_t i = 0; i < 100; i++) {
        b[i] = random_normal(7, 8, i);
        difference[i] = 0.1 + 0.01 * random_normal(7, 9, i);
        a[i] = b[i] + difference[i];
    }
    struct interval paired = bootstrap_difference(a, b, 100, 2000, 13);
    struct interval direct = bootstrap_mean(difference, 100, 2000, 13);
    ck_assert_double_eq_tol(paired.low, direct.low, 1e-12);
    ck_assert_double_eq_tol(paired.high, direct.high, 1e-12);
    ck_assert_double_gt(paired.low, 0.09);
    ck_assert_double_lt(paired.high, 0.11);
}
END_TEST

START_TEST(bootstrap_of_little_is_defined)
{
    const double one[] = {0.25};
    struct interval interval = bootstrap_mean(one, 1, 2000, 1);
    ck_assert_double_eq(interval.low, 0.25);
    ck_assert_double_eq(interval.high, 0.25);
    ck_assert(isnan(bootstrap_mean(one, 0, 2000, 1).mean));
    ck_assert(isnan(bootstrap_difference(one, one, 0, 2000, 1).low));
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(names_are_parsed_and_made_canonical),
        TEST(values_are_those_of_the_definitions),
        TEST(nothing_relevant_or_nothing_found_is_zero),
        TEST(golden_values_are_met),
        TEST(correlations_equal_scipy),
        TEST(correlations_without_variance_are_nan),
        TEST(pearson_survives_a_large_mean),
        TEST(bootstrap_is_deterministic_and_covers),
        TEST(differences_are_paired),
        TEST(bootstrap_of_little_is_defined),
        {0},
    };
    return run_tests("data/metrics", rows);
}
