/* distill/ranking: against naive ranking in double precision. */
#include "distill/ranking.h"
#include "tests/support.h"
#include "tests/tiny_collection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENTS = 40, QUERIES = 12, WIDTH = 7 };
static const struct tiny_split splits[] = {{"test", 0, QUERIES}, {0}};

struct ranking_case {
    struct collection collection;
    struct query_set queries;
    struct pool *pool;
    float zq[QUERIES * WIDTH], zd[DOCUMENTS * WIDTH];
};

static void case_open(struct ranking_case *out)
{
    tiny_collection_read(&out->collection, DOCUMENTS, QUERIES, splits);
    query_set_of(&out->queries, &out->collection, "test");
    ck_assert_uint_eq(out->queries.count, QUERIES);
    out->pool = pool_open(2);
    for (int i = 0; i < QUERIES * WIDTH; i++) out->zq[i] = test_value(1, (uint64_t)i);
    for (int i = 0; i < DOCUMENTS * WIDTH; i++) out->zd[i] = test_value(2, (uint64_t)i);
}

static void case_close(struct ranking_case *c)
{
    query_set_free(&c->queries);
    collection_free(&c->collection);
    pool_close(c->pool);
}

static double similarity(const float *a, const float *b, int dim, bool cosine)
{
    double dot = 0, aa = 0, bb = 0;
    for (int j = 0; j < dim; j++) {
        dot += (double)a[j] * b[j];
        aa += (double)a[j] * a[j];
        bb += (double)b[j] * b[j];
    }
    return cosine ? dot / sqrt(aa * bb) : dot;
}

/* The ranking of query q is in order, and nothing that is left out would stand in it. */
static void check_query(const struct ranking_case *c, const struct run *run, size_t q,
                        const struct embedded *embedded, int dim, bool cosine, int k, bool drop)
{
    const char *id = c->collection.queries.ids[c->queries.rows[q]];
    const struct ranked_query *ranked = run_find(run, id);
    size_t candidates = 0, better = 0;
    ck_assert_ptr_nonnull(ranked);
    double worst = ranked->documents[ranked->count - 1].score;
    for (size_t d = 0; d < embedded->num_documents; d++) {
        size_t row = embedded->documents ? embedded->documents[d] : d;
        const char *document = c->collection.documents.ids[row];
        double value = similarity(c->zq + q * WIDTH, c->zd + d * WIDTH, dim, cosine);
        if (drop && strcmp(document, id) == 0) continue;
        candidates++;
        better += value > worst + 1e-6;
        for (size_t r = 0; r < ranked->count; r++)
            if (strcmp(ranked->documents[r].document, document) == 0)
                ck_assert_double_eq_tol(ranked->documents[r].score, value, 1e-6);
    }
    ck_assert_uint_eq(ranked->count, candidates < (size_t)k ? candidates : (size_t)k);
    ck_assert_uint_le(better, ranked->count);
    for (size_t r = 0; r < ranked->count; r++) {
        ck_assert(r == 0 || ranked->documents[r].score <= ranked->documents[r - 1].score);
        ck_assert(!drop || strcmp(ranked->documents[r].document, id) != 0);
    }
}

static void check_ranking(const uint32_t *documents, size_t num_documents, int dim, bool cosine,
                          int k, bool drop)
{
    struct ranking_case c;
    struct run run;
    case_open(&c);
    const struct embedded embedded = {.collection = &c.collection,
                                      .queries = &c.queries,
                                      .documents = documents,
                                      .num_documents = num_documents,
                                      .zq = c.zq,
                                      .zd = c.zd,
                                      .width = WIDTH};
    rank_embedded(&run, &embedded, dim, cosine, k, drop, "tag", c.pool);
    ck_assert_uint_eq(run.count, QUERIES);
    for (size_t q = 0; q < QUERIES; q++) check_query(&c, &run, q, &embedded, dim, cosine, k, drop);
    run_free(&run);
    case_close(&c);
}

START_TEST(all_documents_by_cosine_and_dot)
{
    check_ranking(NULL, DOCUMENTS, WIDTH, true, 10, false);
    check_ranking(NULL, DOCUMENTS, 3, true, 10, false);
    check_ranking(NULL, DOCUMENTS, 3, false, 10, false);
    check_ranking(NULL, DOCUMENTS, WIDTH, false, 1000, false);
}
END_TEST

START_TEST(some_documents)
{
    const uint32_t rows[] = {3, 9, 4, 38, 20, 39};
    check_ranking(rows, 6, WIDTH, true, 4, false);
    check_ranking(rows, 6, 2, true, 6, false);
}
END_TEST

START_TEST(a_query_does_not_find_itself_where_that_is_asked)
{
    check_ranking(NULL, DOCUMENTS, WIDTH, true, 10, true);
    check_ranking(NULL, DOCUMENTS, WIDTH, true, 1000, true);
}
END_TEST

START_TEST(measures_are_means_over_all_queries_of_the_set)
{
    struct ranking_case c;
    struct run run = {0};
    double values[QUERIES];
    case_open(&c);
    run_add(&run, "q3", "d9", 3, "t");
    run_add(&run, "q3", "d3", 2, "t");
    run_add(&run, "q5", "d5", 2, "t");
    run_sort(&run);
    double mean = measure_run(values, (struct measure){RECIP_RANK_CUT, 10}, &c.queries, &run);
    for (size_t q = 0; q < QUERIES; q++) {
        const char *id = c.queries.judged[q]->id;
        double expected = strcmp(id, "q3") == 0 ? 0.5 : strcmp(id, "q5") == 0 ? 1 : 0;
        ck_assert(values[q] == expected);
    }
    ck_assert_double_eq_tol(mean, 1.5 / QUERIES, 1e-12);
    run_free(&run);
    case_close(&c);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(all_documents_by_cosine_and_dot),
                                    TEST(some_documents),
                                    TEST(a_query_does_not_find_itself_where_that_is_asked),
                                    TEST(measures_are_means_over_all_queries_of_the_set),
                                    {0}};
    return run_tests("distill/ranking", rows);
}
