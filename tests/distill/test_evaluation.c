/* distill/evaluation and distill/dev_eval: rows against rankings made by hand. */
#include "distill/evaluation.h"
#include "distill/dev_eval.h"
#include "tests/support.h"
#include "tests/tiny_collection.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { DOCUMENTS = 40, QUERIES = 12, OUT = 8 };
static const struct tiny_split splits[] = {{"dev", 0, QUERIES}, {0}};

struct evaluation_case {
    struct collection collection;
    struct query_set queries;
    struct dual_encoder de;
    struct pool *pool;
    struct evaluation evaluation;
};

static void case_open(struct evaluation_case *out)
{
    const struct tiny_shape shape = {.layers = 3, .output_size = OUT, .pooling = POOLING_MEAN};
    const char *const measures[] = {"ndcg_cut_10", "mrr@200"};
    struct error err = {0};
    tiny_collection_read(&out->collection, DOCUMENTS, QUERIES, splits);
    query_set_of(&out->queries, &out->collection, "dev");
    tiny_student_make(&out->de, &shape);
    out->pool = pool_open(2);
    out->evaluation = (struct evaluation){.collection = &out->collection,
                                          .queries = &out->queries,
                                          .pool = out->pool,
                                          .cosine = true,
                                          .max_query_tokens = 6,
                                          .max_document_tokens = 9};
    check_ok(evaluation_measures(&out->evaluation, measures, 2, &err), &err);
}

static void case_close(struct evaluation_case *c)
{
    evaluation_free(&c->evaluation);
    dual_encoder_free(&c->de);
    query_set_free(&c->queries);
    collection_free(&c->collection);
    pool_close(c->pool);
}

static float *embed(const struct evaluation_case *c, const char *const *texts, size_t n,
                    int max_length, int layer)
{
    float *z = xcalloc(n * OUT, sizeof *z);
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = "",
                                          .max_length = max_length,
                                          .layers = &layer,
                                          .num_layers = 1};
    dual_encoder_embed(&c->de, c->pool, &request, &z);
    return z;
}

/* nDCG@10 per query at a tap, against all documents or some; returns the mean. */
static double by_hand(const struct evaluation_case *c, struct tap tap, const uint32_t *rows,
                      size_t n, double *values)
{
    struct run run;
    const char **queries = query_texts(&c->queries, &c->collection);
    const char **documents = xcalloc(n, sizeof *documents);
    for (size_t d = 0; d < n; d++)
        documents[d] = c->collection.documents.values[rows ? rows[d] : d];
    float *zq = embed(c, queries, QUERIES, 6, tap.layer);
    float *zd = embed(c, documents, n, 9, tap.layer);
    const struct embedded embedded = {.collection = &c->collection,
                                      .queries = &c->queries,
                                      .documents = rows,
                                      .num_documents = n,
                                      .zq = zq,
                                      .zd = zd,
                                      .width = OUT};
    rank_embedded(&run, &embedded, tap.dim, true, 10, false, "t", c->pool);
    double mean = measure_run(values, (struct measure){NDCG_CUT, 10}, &c->queries, &run);
    run_free(&run);
    free(zq), free(zd), free(queries), free(documents);
    return mean;
}

static int evaluate_at(struct evaluation_case *c, struct int_list layers, struct int_list dims,
                       struct error *err)
{
    struct document_vectors documents;
    document_vectors_make(&documents, &c->evaluation, &c->de, &layers);
    int status =
        evaluate_encoder(&c->evaluation, "student", &c->de, &layers, &dims, &documents, err);
    document_vectors_free(&documents);
    return status;
}

START_TEST(every_point_is_measured_as_by_hand)
{
    struct evaluation_case c;
    struct error err = {0};
    int layer_items[] = {1, 3}, dim_items[] = {2, OUT, 100}; /* 100: beyond its width */
    case_open(&c);
    ck_assert_int_eq(c.evaluation.depth, 200);
    check_ok(
        evaluate_at(&c, (struct int_list){layer_items, 2}, (struct int_list){dim_items, 3}, &err),
        &err);
    ck_assert_uint_eq(c.evaluation.count, 4);
    for (int l = 0; l < 2; l++)
        for (int d = 0; d < 2; d++) {
            double values[QUERIES];
            struct tap tap = {layer_items[l], dim_items[d]};
            const struct evaluated *row =
                evaluation_find(&c.evaluation, "student", tap.layer, tap.dim);
            ck_assert_ptr_nonnull(row);
            double mean = by_hand(&c, tap, NULL, DOCUMENTS, values);
            ck_assert_mem_eq(row->values[0], values, sizeof values);
            ck_assert_double_eq_tol(evaluated_mean(&c.evaluation, row, 0), mean, 1e-12);
            ck_assert(row->bytes_per_vector == 4 * tap.dim);
            ck_assert(isnan(row->texts_per_s) && isnan(row->ms_per_query));
        }
    ck_assert_ptr_null(evaluation_find(&c.evaluation, "student", 3, 100));
    ck_assert_ptr_null(evaluation_find(&c.evaluation, "other", 3, OUT));
    case_close(&c);
}
END_TEST

START_TEST(cost_is_measured_where_it_is_asked)
{
    struct evaluation_case c;
    struct error err = {0};
    int layer = 2, dim = 4;
    case_open(&c);
    c.evaluation.timed = true;
    check_ok(evaluate_at(&c, (struct int_list){&layer, 1}, (struct int_list){&dim, 1}, &err), &err);
    ck_assert(c.evaluation.rows[0].texts_per_s > 0);
    ck_assert(c.evaluation.rows[0].ms_per_query > 0);
    case_close(&c);
}
END_TEST

START_TEST(runs_are_written_and_read_back_equal)
{
    struct evaluation_case c;
    struct error err = {0};
    struct run run;
    int layer = 2, dim = 4;
    double values[QUERIES];
    case_open(&c);
    c.evaluation.trec_folder = scratch_folder();
    check_ok(evaluate_at(&c, (struct int_list){&layer, 1}, (struct int_list){&dim, 1}, &err), &err);
    char *path = path_join(scratch_folder(), "student-l2-d4.trec");
    check_ok(run_read(&run, path, &err), &err);
    run_sort(&run);
    measure_run(values, c.evaluation.measures[0], &c.queries, &run);
    ck_assert_mem_eq(values, c.evaluation.rows[0].values[0], sizeof values);
    run_free(&run);
    free(path);
    case_close(&c);
}
END_TEST

START_TEST(a_ranking_from_elsewhere_is_sorted_and_measured)
{
    struct evaluation_case c;
    struct error err = {0};
    struct run run = {0};
    case_open(&c);
    run_add(&run, "q3", "d9", 1, "bm25");
    run_add(&run, "q3", "d3", 2, "bm25");
    check_ok(evaluate_run(&c.evaluation, "bm25", 0, 0, &run, &err), &err);
    const struct evaluated *row = evaluation_find(&c.evaluation, "bm25", 0, 0);
    ck_assert_double_eq_tol(evaluated_mean(&c.evaluation, row, 1), 1.0 / QUERIES, 1e-12);
    run_free(&run);
    case_close(&c);
}
END_TEST

START_TEST(measures_that_are_none_are_refused)
{
    struct evaluation evaluation = {0};
    struct error err = {0};
    const char *const names[] = {"ndcg_cut_10", "nonsense"};
    check_failed(evaluation_measures(&evaluation, names, 2, &err), &err, STATUS_USAGE, "nonsense");
}
END_TEST

START_TEST(dev_is_the_mean_over_taps_against_the_pool)
{
    enum { TAPS = 30 };
    struct evaluation_case c;
    const uint32_t candidates[] = {30, 4, 39, 30, 17};
    struct tap taps[TAPS];
    double values[QUERIES], sum = 0;
    case_open(&c);
    for (int t = 0; t < TAPS; t++) taps[t] = (struct tap){1 + t % 3, 1 + t % OUT};
    struct dev_eval dev = {.de = &c.de,
                           .pool = c.pool,
                           .collection = &c.collection,
                           .queries = &c.queries,
                           .taps = taps,
                           .num_taps = TAPS,
                           .cosine = true,
                           .max_query_tokens = 6,
                           .max_document_tokens = 9};
    dev_eval_pool(&dev, candidates, 5);
    /* relevant: 0 .. 11 (q10's second is 11); candidates: 17, 30, 39, and 4 again */
    ck_assert_uint_eq(dev.num_documents, QUERIES + 3);
    for (size_t d = 1; d < dev.num_documents; d++)
        ck_assert_uint_gt(dev.documents[d], dev.documents[d - 1]);
    struct report report = {0};
    double mean = dev_eval_run(&dev, &report);
    ck_assert_uint_eq(report.count, TAPS);
    for (int t = 0; t < TAPS; t++) {
        double value = by_hand(&c, taps[t], dev.documents, dev.num_documents, values);
        ck_assert_double_eq_tol(report.entries[t].value, value, 1e-9);
        sum += value;
    }
    ck_assert_str_eq(report.entries[1].name, "ndcg_cut_10 (2, 2)");
    ck_assert_double_eq_tol(mean, sum / TAPS, 1e-9);
    report_free(&report);
    dev_eval_free(&dev);
    case_close(&c);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(every_point_is_measured_as_by_hand),
                                    TEST(cost_is_measured_where_it_is_asked),
                                    TEST(runs_are_written_and_read_back_equal),
                                    TEST(a_ranking_from_elsewhere_is_sorted_and_measured),
                                    TEST(measures_that_are_none_are_refused),
                                    TEST(dev_is_the_mean_over_taps_against_the_pool),
                                    {0}};
    return run_tests("distill/evaluation", rows);
}
