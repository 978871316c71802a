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
    struct layer_vectors documents;
    documents_at_layers(&documents, &c->evaluation, &c->de, &layers);
    int status =
        evaluate_encoder(&c->evaluation, "student", &c->de, &layers, &dims, &documents, err);
    layer_vectors_free(&documents);
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
    for (int t = 0; t < TAPS; t++) taps[t] = (struct tap){2 + t / 15, 1 + t % OUT};
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

/* ---- pairs ---- */

enum { PAIRS = 30 };

static void fill_pairs(struct scored_pair pairs[PAIRS])
{
    for (uint32_t i = 0; i < PAIRS; i++)
        pairs[i] =
            (struct scored_pair){(i * 7 + 3) % DOCUMENTS, (i * 5 + 1) % DOCUMENTS, i * 3 % 8};
}

/* Cosines of the pairs at a tap in double precision. */
static void cosines_by_hand(double cosines[PAIRS], const struct evaluation_case *c,
                            const struct scored_pair *pairs, struct tap tap)
{
    float *z = embed(c, c->collection.documents.values, DOCUMENTS, 9, tap.layer);
    for (int i = 0; i < PAIRS; i++) {
        const float *a = z + pairs[i].first * OUT, *b = z + pairs[i].second * OUT;
        double ab = 0, aa = 0, bb = 0;
        for (int j = 0; j < tap.dim; j++)
            ab += (double)a[j] * b[j], aa += (double)a[j] * a[j], bb += (double)b[j] * b[j];
        cosines[i] = ab / sqrt(aa * bb);
    }
    free(z);
}

static void evaluate_pairs(struct evaluation_case *c, const struct pair_set *set)
{
    static const char *const names[] = {"spearman", "pearson"};
    static int layers[] = {1, 3}, dims[] = {3, OUT};
    struct error err = {0};
    evaluation_free(&c->evaluation);
    c->evaluation = (struct evaluation){.collection = &c->collection,
                                        .pairs = set,
                                        .pool = c->pool,
                                        .cosine = true,
                                        .trec_folder = scratch_folder(),
                                        .max_document_tokens = 9};
    check_ok(evaluation_measures(&c->evaluation, names, 2, &err), &err);
    check_ok(evaluate_at(c, (struct int_list){layers, 2}, (struct int_list){dims, 2}, &err), &err);
}

START_TEST(pairs_are_measured_as_by_hand)
{
    struct evaluation_case c;
    struct scored_pair pairs[PAIRS];
    const struct pair_set set = {pairs, PAIRS};
    double cosines[PAIRS], labels[PAIRS];
    char name[32];
    case_open(&c);
    fill_pairs(pairs);
    for (int i = 0; i < PAIRS; i++) labels[i] = pairs[i].score;
    evaluate_pairs(&c, &set);
    ck_assert_uint_eq(c.evaluation.count, 4);
    for (size_t r = 0; r < 4; r++) {
        const struct evaluated *row = &c.evaluation.rows[r];
        cosines_by_hand(cosines, &c, pairs, (struct tap){row->layers, row->dim});
        for (int i = 0; i < PAIRS; i++) ck_assert_double_eq_tol(row->scores[i], cosines[i], 1e-6);
        struct interval rho = evaluated_interval(&c.evaluation, row, 0, 200, 1),
                        pearsons = evaluated_interval(&c.evaluation, row, 1, 200, 1);
        ck_assert_double_eq_tol(rho.mean, spearman(row->scores, labels, PAIRS), 1e-12);
        ck_assert_double_eq_tol(pearsons.mean, pearson(cosines, labels, PAIRS), 1e-5);
        ck_assert(rho.low < rho.mean && rho.mean < rho.high);
        struct interval none = evaluated_difference(&c.evaluation, row, row, 0, 200, 1);
        ck_assert(none.mean == 0 && none.low == 0 && none.high == 0);
        ck_assert(row->bytes_per_vector == 4.0 * row->dim && isnan(row->ms_per_query));
    }
    evaluation_measure_name(name, &c.evaluation, 1);
    ck_assert_str_eq(name, "pearson");
    case_close(&c);
}
END_TEST

START_TEST(scores_of_pairs_are_written)
{
    struct evaluation_case c;
    struct scored_pair pairs[PAIRS];
    const struct pair_set set = {pairs, 2};
    struct text text = {0};
    struct error err = {0};
    case_open(&c);
    fill_pairs(pairs);
    evaluate_pairs(&c, &set);
    check_ok(evaluate_scores(&c.evaluation, "teacher", 0, 0, (double[]){-2.5, 0.125}, &err), &err);
    char *path = path_join(scratch_folder(), "teacher.tsv");
    check_ok(read_whole_file(&text, path, 1 << 16, &err), &err);
    ck_assert_str_eq(text.bytes, "label\tscore\n0\t-2.5\n3\t0.125\n");
    static const char *const wrong[] = {"ndcg_cut_10"};
    check_failed(evaluation_measures(&c.evaluation, wrong, 1, &err), &err, STATUS_USAGE,
                 "ndcg_cut_10", "spearman");
    text_free(&text);
    free(path);
    case_close(&c);
}
END_TEST

START_TEST(dev_of_pairs_is_the_mean_correlation)
{
    static const struct tap taps[] = {{1, 3}, {3, OUT}};
    struct evaluation_case c;
    struct scored_pair pairs[PAIRS];
    const struct pair_set set = {pairs, PAIRS};
    double cosines[PAIRS], labels[PAIRS], sum = 0;
    struct report report = {0};
    case_open(&c);
    fill_pairs(pairs);
    for (int i = 0; i < PAIRS; i++) labels[i] = pairs[i].score;
    struct dev_eval dev = {.de = &c.de,
                           .pool = c.pool,
                           .collection = &c.collection,
                           .pairs = &set,
                           .taps = taps,
                           .num_taps = 2,
                           .cosine = true,
                           .max_document_tokens = 9};
    dev_eval_pool(&dev, NULL, 0);
    double mean = dev_eval_run(&dev, &report);
    for (int t = 0; t < 2; t++) {
        cosines_by_hand(cosines, &c, pairs, taps[t]);
        ck_assert_double_eq_tol(report.entries[t].value, spearman(cosines, labels, PAIRS), 1e-3);
        sum += report.entries[t].value;
    }
    ck_assert_str_eq(report.entries[1].name, "spearman (3, 8)");
    ck_assert_double_eq_tol(mean, sum / 2, 1e-12);
    report_free(&report);
    dev_eval_free(&dev);
    case_close(&c);
}
END_TEST

START_TEST(texts_of_pairs_alone_keep_what_they_mean)
{
    struct evaluation_case c;
    struct scored_pair pairs[PAIRS], others[] = {{39, 39, 1}, {3, 0, 1}};
    struct pair_set set, other = {others, 2};
    struct collection texts;
    case_open(&c);
    fill_pairs(pairs);
    pair_set_copy(&set, &(struct pair_set){pairs, 5});
    pair_sets_texts(&texts, (struct pair_set *const[]){&set, &other}, 2, &c.collection);
    ck_assert_uint_le(texts.documents.count, 14);
    for (size_t i = 0; i < set.count; i++) {
        ck_assert_ptr_eq(texts.documents.values[set.pairs[i].first],
                         c.collection.documents.values[pairs[i].first]);
        ck_assert_ptr_eq(texts.documents.values[set.pairs[i].second],
                         c.collection.documents.values[pairs[i].second]);
    }
    ck_assert_uint_eq(others[0].first, others[0].second);
    ck_assert_ptr_eq(texts.documents.values[others[1].first], c.collection.documents.values[3]);
    pair_sets_texts_free(&texts);
    pair_set_free(&set);
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
                                    TEST(pairs_are_measured_as_by_hand),
                                    TEST(scores_of_pairs_are_written),
                                    TEST(dev_of_pairs_is_the_mean_correlation),
                                    TEST(texts_of_pairs_alone_keep_what_they_mean),
                                    {0}};
    return run_tests("distill/evaluation", rows);
}
