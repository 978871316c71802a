/* distill/probe: against naive cosines and measures in double precision. */
#include "distill/probe.h"
#include "data/metrics.h"
#include "tests/support.h"
#include "tests/tiny_teacher.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/progress.h"

enum { DOCUMENTS = 60, QUERIES = 7, RELEVANT = 35, WIDTH = TINY_HIDDEN, LAYERS = TINY_LAYERS + 1 };

static const char *const words[] = {"cat",  "dog",  "house", "river", "tree",  "sun",  "rain",
                                    "wind", "cell", "gene",  "blood", "heart", "brain"};
enum { WORDS = sizeof words / sizeof *words };

/* A collection of a few words a document; query q is about two words, and the documents that hold
 * one of them in the right place are relevant, in two grades. */
static char *write_collection(void)
{
    struct error err = {0};
    struct output corpus = {0}, queries = {0}, qrels = {0};
    char *folder = path_join(scratch_folder(), "collection");
    char *judgements = path_join(folder, "qrels");
    check_ok(make_folder(judgements, &err), &err);
    char *paths[] = {path_join(folder, "corpus.jsonl"), path_join(folder, "queries.jsonl"),
                     path_join(judgements, "dev.tsv")};
    check_ok(output_open(&corpus, paths[0], &err), &err);
    check_ok(output_open(&queries, paths[1], &err), &err);
    check_ok(output_open(&qrels, paths[2], &err), &err);
    output_printf(&qrels, "query-id\tcorpus-id\tscore\n");
    for (int d = 0; d < DOCUMENTS; d++)
        output_printf(
            &corpus, "{\"_id\": \"d%d\", \"title\": \"\", \"text\": \"the %s and the %s of %s\"}\n",
            d, words[d % WORDS], words[d * 5 % 11], words[d * 7 % WORDS]);
    for (int q = 0; q < QUERIES; q++) {
        output_printf(&queries, "{\"_id\": \"q%d\", \"text\": \"what is the %s of %s\"}\n", q,
                      words[q % WORDS], words[(q + 4) % WORDS]);
        for (int d = 0; d < DOCUMENTS; d++)
            if (d % WORDS == q)
                output_printf(&qrels, "q%d\td%d\t%d\n", q, d, 1 + (d * 5 % 11 == q + 4));
    }
    check_ok(output_commit(&corpus, &err), &err);
    check_ok(output_commit(&queries, &err), &err);
    check_ok(output_commit(&qrels, &err), &err);
    for (int i = 0; i < 3; i++) free(paths[i]);
    free(judgements);
    return folder;
}

struct world {
    struct cross_encoder *ce;
    struct pool *pool;
    struct collection collection;
    struct query_set queries;
    struct probe_options options;
};

static void world_open(struct world *world)
{
    struct error err = {0};
    char *folder = write_collection();
    messages_quiet(true);
    *world = (struct world){.ce = tiny_teacher_open(TINY_TEACHER, PRECISION_F32),
                            .pool = pool_open(2),
                            .options = {.max_query_tokens = 16, .max_document_tokens = 24}};
    check_ok(collection_read(&world->collection, folder, &err), &err);
    query_set_of(&world->queries, &world->collection, "dev");
    ck_assert_uint_eq(world->queries.count, QUERIES);
    free(folder);
}

static void world_close(struct world *world)
{
    query_set_free(&world->queries);
    collection_free(&world->collection);
    pool_close(world->pool);
    cross_encoder_close(world->ce);
}

static struct probe run_probe(struct world *world)
{
    struct error err = {0};
    struct probe probe;
    check_ok(probe_run(&probe, world->ce, world->pool, &world->collection, &world->queries, NULL,
                       &world->options, &err),
             &err);
    ck_assert_uint_eq(probe.count, LAYERS * 4);
    return probe;
}

/* ---- the twin ---- */

static double cosine(const double *x, const double *y)
{
    double dot = 0, xx = 0, yy = 0;
    for (int j = 0; j < WIDTH; j++) dot += x[j] * y[j], xx += x[j] * x[j], yy += y[j] * y[j];
    return dot / sqrt(xx * yy);
}

static int grade_of(const struct world *world, size_t q, size_t d)
{
    return qrels_grade(world->queries.judged[q], world->collection.documents.ids[d]);
}

static int compare_descending(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

/* nDCG@10 and MRR@10 of one query from the scores of its documents. */
static void naive_measures(const struct world *world, size_t q, const double *scores, double *ndcg,
                           double *mrr)
{
    int ideal[DOCUMENTS];
    double dcg = 0, best = 0;
    *mrr = 0;
    for (size_t d = 0; d < DOCUMENTS; d++) {
        int grade = grade_of(world, q, d);
        size_t rank = 1;
        ideal[d] = grade;
        for (size_t e = 0; e < DOCUMENTS; e++) rank += scores[e] > scores[d];
        if (grade > 0 && rank <= 10) {
            dcg += grade / log2((double)rank + 1);
            *mrr = fmax(*mrr, 1.0 / (double)rank);
        }
    }
    qsort(ideal, DOCUMENTS, sizeof *ideal, compare_descending);
    for (int i = 0; i < 10; i++) best += ideal[i] / log2(i + 2);
    *ndcg = dcg / best;
}

static void represent(const struct world *world, double *out, const char *const *texts, size_t n,
                      enum text_form form, int layer, int max_tokens)
{
    float *rows = xcalloc(n * WIDTH, sizeof *rows);
    cross_encoder_represent(world->ce, world->pool, texts, n,
                            cross_encoder_text_input(world->ce, form, max_tokens), &layer, 1,
                            &rows);
    for (size_t i = 0; i < n * WIDTH; i++) out[i] = rows[i];
    free(rows);
}

static void centre(double *z, int n)
{
    for (int j = 0; j < WIDTH; j++) {
        double mean = 0;
        for (int i = 0; i < n; i++) mean += z[i * WIDTH + j] / n;
        for (int i = 0; i < n; i++) z[i * WIDTH + j] -= mean;
    }
}

static void check_point(const struct world *world, const struct probe_point *point)
{
    static double zq[QUERIES * WIDTH], zd[DOCUMENTS * WIDTH], scores[DOCUMENTS];
    const char **queries = query_texts(&world->queries, &world->collection);
    double ndcg = 0, mrr = 0;
    represent(world, zq, queries, QUERIES, point->form, point->layer, 16);
    represent(world, zd, world->collection.documents.values, DOCUMENTS, point->form, point->layer,
              24);
    if (point->centred) centre(zd, DOCUMENTS), centre(zq, QUERIES);
    for (size_t q = 0; q < QUERIES; q++) {
        double one_ndcg, one_mrr;
        for (size_t d = 0; d < DOCUMENTS; d++) scores[d] = cosine(zq + q * WIDTH, zd + d * WIDTH);
        naive_measures(world, q, scores, &one_ndcg, &one_mrr);
        ndcg += one_ndcg / QUERIES, mrr += one_mrr / QUERIES;
    }
    ck_assert_double_eq_tol(point->values[0], ndcg, 1e-9);
    ck_assert_double_eq_tol(point->values[1], mrr, 1e-9);
    free(queries);
}

START_TEST(every_point_equals_the_naive_one)
{
    struct world world;
    world_open(&world);
    struct probe probe = run_probe(&world);
    for (size_t i = 0; i < probe.count; i++) {
        const struct probe_point *point = &probe.points[i];
        ck_assert_int_eq(point->layer, (int)i / 4);
        ck_assert_int_eq(point->form, i / 2 % 2 ? FORM_PAIR : FORM_SINGLE);
        ck_assert_int_eq(point->centred, i % 2);
        check_point(&world, point);
    }
    ck_assert(probe.points[0].values[0] > 0.2); /* word embeddings find shared words */
    probe_free(&probe);
    world_close(&world);
}
END_TEST

/* All pairs of PAIRED documents that are not the first: their rows are no places in the sample. */
START_TEST(pairs_are_correlated)
{
    enum { FIRST = 3, PAIRED = 7, PAIRS = PAIRED * (PAIRED - 1) / 2 };
    static double z[PAIRED * WIDTH], cosines[PAIRS], scores[PAIRS];
    struct scored_pair pairs[PAIRS];
    struct world world;
    struct probe probe;
    struct error err = {0};
    int n = 0;
    world_open(&world);
    for (uint32_t b = 0; b < PAIRED; b++)
        for (uint32_t a = 0; a < b; a++, n++)
            pairs[n] = (struct scored_pair){FIRST + a, FIRST + b, scores[n] = n * 7 % 11};
    check_ok(probe_run(&probe, world.ce, world.pool, &world.collection, NULL,
                       &(struct pair_set){pairs, PAIRS}, &world.options, &err),
             &err);
    ck_assert_str_eq(probe.measures[0], "spearman");
    for (size_t p = 0; p < probe.count; p++) {
        const struct probe_point *point = &probe.points[p];
        represent(&world, z, world.collection.documents.values + FIRST, PAIRED, point->form,
                  point->layer, 24);
        if (point->centred) centre(z, PAIRED);
        for (int i = 0; i < PAIRS; i++)
            cosines[i] =
                cosine(z + (pairs[i].first - FIRST) * WIDTH, z + (pairs[i].second - FIRST) * WIDTH);
        ck_assert_double_eq_tol(point->values[0], spearman(cosines, scores, PAIRS), 1e-9);
        ck_assert_double_eq_tol(point->values[1], pearson(cosines, scores, PAIRS), 1e-5);
    }
    probe_free(&probe);
    world_close(&world);
}
END_TEST

/* The sample of documents grows only by more documents, so that measures can only fall; the
 * relevant ones are always in it. */
START_TEST(samples_are_nested)
{
    struct world world;
    world_open(&world);
    double before[LAYERS * 4];
    for (int i = 0; i < LAYERS * 4; i++) before[i] = 2;
    const size_t limits[] = {1, RELEVANT, 40, 50, DOCUMENTS, 0};
    for (int step = 0; step < 6; step++) {
        world.options.max_documents = limits[step];
        struct probe probe = run_probe(&world);
        for (int i = 0; i < LAYERS * 4; i += 2) { /* centring depends on the sample */
            ck_assert(probe.points[i].values[0] <= before[i]);
            bool same = step == 1 || step == 5;
            ck_assert(!same || probe.points[i].values[0] == before[i]);
            before[i] = probe.points[i].values[0];
        }
        probe_free(&probe);
    }
    world_close(&world);
}
END_TEST

START_TEST(best_respects_what_is_fixed)
{
    struct probe_point points[] = {
        {0, FORM_SINGLE, false, {0.5, 0}}, {0, FORM_SINGLE, true, {0.7, 0}},
        {0, FORM_PAIR, false, {0.6, 0}},   {0, FORM_PAIR, true, {0.9, 0}},
        {1, FORM_SINGLE, false, {0.8, 0}}, {1, FORM_SINGLE, true, {0.9, 0}},
        {1, FORM_PAIR, false, {0.1, 0}},   {1, FORM_PAIR, true, {0.2, 0}}};
    struct probe probe = {.points = points, .count = 8};
    ck_assert_ptr_eq(probe_best(&probe, -1, -1, -1), &points[3]);
    ck_assert_ptr_eq(probe_best(&probe, 1, -1, -1), &points[5]);
    ck_assert_ptr_eq(probe_best(&probe, -1, FORM_SINGLE, -1), &points[5]);
    ck_assert_ptr_eq(probe_best(&probe, -1, -1, 0), &points[4]);
    ck_assert_ptr_eq(probe_best(&probe, 0, FORM_SINGLE, 1), &points[1]);
}
END_TEST

START_TEST(table_is_written)
{
    struct error err = {0};
    struct probe_point points[] = {{0, FORM_SINGLE, false, {0.5, 0.25}},
                                   {0, FORM_SINGLE, true, {0.75, 1}}};
    struct probe probe = {
        .points = points, .count = 2, .measures = {"ndcg_cut_10", "recip_rank_cut_10"}};
    struct text text = {0};
    char *path = path_join(scratch_folder(), "probe.tsv");
    check_ok(probe_write(&probe, path, &err), &err);
    check_ok(read_whole_file(&text, path, 1 << 16, &err), &err);
    ck_assert_str_eq(text.bytes, "layer\tform\tcentred\tndcg_cut_10\trecip_rank_cut_10\n"
                                 "0\tsingle\t0\t0.500000\t0.250000\n"
                                 "0\tsingle\t1\t0.750000\t1.000000\n");
    text_free(&text);
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(every_point_equals_the_naive_one),
                                    TEST(pairs_are_correlated),
                                    TEST(samples_are_nested),
                                    TEST(best_respects_what_is_fixed),
                                    TEST(table_is_written),
                                    {0}};
    return run_tests("distill/probe", rows);
}
