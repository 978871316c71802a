/* distill/teacher_scores: lines against a naive computation, sums of several files, what is
 * missing. */
#include "distill/teacher_scores.h"
#include "tests/support.h"
#include "tests/tiny_collection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/progress.h"

/* ---- the line ---- */

static void naive_moments(double *mean, double *deviation, const float *x, const float *other,
                          size_t n)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && !isnan(other[i])) sum += (double)x[i], count++;
    for (size_t i = 0; i < n; i++)
        if (!isnan(x[i]) && !isnan(other[i])) squares += pow((double)x[i] - sum / count, 2);
    *mean = sum / count;
    *deviation = sqrt(squares / count);
}

START_TEST(a_line_gives_the_first_ones_mean_and_deviation)
{
    enum { MOST = 17 };
    const size_t sizes[] = {2, 15, 17};
    for (size_t s = 0; s < 3; s++) {
        float x[MOST], first[MOST];
        struct score_line line;
        size_t n = sizes[s], common = n;
        for (size_t i = 0; i < n; i++) {
            x[i] = 1e4f + 300 * test_value(s, i); /* of another kind than logits */
            first[i] = 2 * test_value(s + 9, i);
        }
        if (n > 2) x[3] = first[5] = NAN, common -= 2;
        ck_assert(score_line_fit(&line, x, first, n));
        ck_assert_uint_eq(line.common, common);
        double mean_x, deviation_x, mean, deviation, products = 0;
        naive_moments(&mean_x, &deviation_x, x, first, n);
        naive_moments(&mean, &deviation, first, x, n);
        ck_assert_double_eq_tol(line.slope, deviation / deviation_x, 1e-9);
        ck_assert_double_eq_tol(line.slope * mean_x + line.offset, mean, 1e-9);
        for (size_t i = 0; i < n; i++)
            if (!isnan(x[i]) && !isnan(first[i]))
                products += ((double)x[i] - mean_x) * ((double)first[i] - mean);
        ck_assert_double_eq_tol(line.correlation,
                                products / (double)common / deviation / deviation_x, 1e-9);
    }
}
END_TEST

START_TEST(without_common_pairs_or_deviation_there_is_no_line)
{
    struct score_line line;
    const float a[] = {1, NAN, 3, 4}, b[] = {NAN, 2, 3, NAN}, same[] = {5, 5, 5, 5};
    ck_assert(!score_line_fit(&line, a, b, 4));
    ck_assert_uint_eq(line.common, 1);
    ck_assert(!score_line_fit(&line, same, a, 4));
    ck_assert(!score_line_fit(&line, a, same, 4));
    ck_assert(!score_line_fit(&line, a, a, 0));
}
END_TEST

/* ---- files ---- */

enum { PAIRS = 6 };
static const uint32_t queries[PAIRS] = {0, 0, 0, 1, 1, 2}, documents[PAIRS] = {0, 1, 2, 1, 3, 5};
static const struct row_pairs pairs = {queries, documents, PAIRS, NULL};

/* A run without a cross-encoder, whose teachers are files with these texts. */
struct world {
    struct job job;
    struct job_run run;
    const char *paths[3];
    double weights[3];
    char model[8];
};

static void world_open(struct world *world, const char *const *texts, size_t count)
{
    *world = (struct world){.model = "none"};
    world->job.teacher.model = world->model;
    world->job.teacher.absent = true;
    for (size_t f = 0; f < count; f++) {
        char name[16];
        snprintf(name, sizeof name, "%zu.tsv", f);
        world->paths[f] = scratch_file(name, texts[f], strlen(texts[f]));
        world->weights[f] = 1;
    }
    world->job.teacher.scores = (struct string_list){.items = world->paths, .count = count};
    world->run = (struct job_run){.job = &world->job, .folder = xstrdup(scratch_folder())};
    tiny_collection_read(&world->run.collection, 8, 4, (const struct tiny_split[]){{0}});
    messages_quiet(true);
}

static void world_close(struct world *world)
{
    for (size_t f = 0; f < 3; f++) free((char *)world->paths[f]);
    free(world->run.folder);
    collection_free(&world->run.collection);
}

static void expect(struct world *world, bool fit, size_t missing, const float *expected)
{
    struct error err = {0};
    float scores[PAIRS];
    size_t got;
    check_ok(teacher_scores(scores, &world->run, "x.cache", &pairs, fit, &got, &err), &err);
    ck_assert_uint_eq(got, missing);
    for (size_t p = 0; p < PAIRS; p++)
        ck_assert_msg(isnan(scores[p]) ? isnan(expected[p])
                                       : fabsf(scores[p] - expected[p]) < 1e-5f,
                      "pair %zu: %g, expected %g", p, (double)scores[p], (double)expected[p]);
}

/* In any order, with queries and documents that nobody asked for. */
static const char one[] = "q1 d3 0.5\nq0 Q0 d2 1 -2 x\nq0 d0 3\nq9 d0 1\nq0 nowhere 1\nq1 d1 1\n"
                          "q0 d7 99\nq0 d1 0\n";

START_TEST(one_file_is_taken_as_it_is)
{
    struct world world;
    const char *texts[] = {one};
    world_open(&world, texts, 1);
    expect(&world, true, 1, (float[]){3, 0, -2, 1, 0.5f, NAN});
    expect(&world, false, 1, (float[]){3, 0, -2, 1, 0.5f, NAN});
    world_close(&world);
    const char *fewer[] = {"q0\td0\t3\nq0\td2\t-2\nq2\td5\t4\n"};
    world_open(&world, fewer, 1);
    expect(&world, true, 3, (float[]){3, NAN, -2, NAN, NAN, 4});
    world_close(&world);
}
END_TEST

/* A second one that says the same in other units, and one that says the opposite: a line has no
 * negative slope. */
START_TEST(several_files_are_brought_together)
{
    struct world world;
    const char *texts[] = {one, "q0 d0 106\nq0 d1 100\nq0 d2 96\nq1 d1 102\nq2 d5 200\n"};
    world_open(&world, texts, 2);
    /* twice the first's, plus 100 */
    expect(&world, true, 0, (float[]){3, 0, -2, 1, 0.5f, 50});
    world.job.teacher.weights.items = world.weights;
    world.job.teacher.weights.count = 2;
    world.weights[0] = 0;
    expect(&world, false, 1, (float[]){3, 0, -2, 1, NAN, 50});
    world_close(&world);

    const char *turned[] = {one, "q0 d0 -1\nq0 d1 0\nq1 d1 1\nq1 d3 0\n"};
    world_open(&world, turned, 2);
    world.weights[1] = 3;
    world.job.teacher.weights.items = world.weights;
    world.job.teacher.weights.count = 2;
    /* over (3, -1) (0, 0) (1, 1) (.5, 0): means 1.125 and 0, deviations sqrt(5.1875 / 4) and
     * sqrt(2 / 4) */
    float slope = sqrtf(5.1875f / 2);
    float of_second[] = {1.125f - slope, 1.125f, 1.125f + slope, 1.125f};
    expect(&world, true, 1,
           (float[]){(3 + 3 * of_second[0]) / 4, 3 * of_second[1] / 4, -2,
                     (1 + 3 * of_second[2]) / 4, (0.5f + 3 * of_second[3]) / 4, NAN});
    world_close(&world);
}
END_TEST

static void refused(const char *const *texts, size_t count, const char *words, const char *more)
{
    struct world world;
    struct error err = {0};
    float scores[PAIRS];
    size_t missing;
    world_open(&world, texts, count);
    check_failed(teacher_scores(scores, &world.run, "x.cache", &pairs, true, &missing, &err), &err,
                 STATUS_WORLD, words, more);
    world_close(&world);
}

START_TEST(files_that_do_not_fit_are_refused)
{
    refused((const char *[]){"q7 d0 1\n"}, 1, "0.tsv: has none of the pairs", "query q7");
    refused((const char *[]){one, "q2 d5 1\n"}, 2, "1.tsv: has 0 pairs in common", "0.tsv");
    refused((const char *[]){one, "q0 d0 1\nq0 d1 1\n"}, 2, "has 2 pairs in common", "different");
    refused((const char *[]){"q0 d0 1\nq0 d1 x\n"}, 1, "0.tsv:2", "\"x\"");
    struct world world;
    struct error err = {0};
    float scores[PAIRS];
    size_t missing;
    world_open(&world, (const char *[]){one}, 1);
    ck_assert_int_eq(remove(world.paths[0]), 0);
    check_failed(teacher_scores(scores, &world.run, "x.cache", &pairs, true, &missing, &err), &err,
                 STATUS_WORLD, "0.tsv: is not there", "candidates.trec");
    world_close(&world);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_line_gives_the_first_ones_mean_and_deviation),
                                    TEST(without_common_pairs_or_deviation_there_is_no_line),
                                    TEST(one_file_is_taken_as_it_is),
                                    TEST(several_files_are_brought_together),
                                    TEST(files_that_do_not_fit_are_refused),
                                    {0}};
    return run_tests("distill/teacher_scores", rows);
}
