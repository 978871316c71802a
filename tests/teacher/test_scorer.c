/* teacher/scorer: lists with a cache, cut off anywhere, give the bytes of an undisturbed run. */
#include "teacher/scorer.h"
#include "tests/support.h"
#include "tests/tiny_teacher.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/output.h"
#include "teacher/score_command.h"

enum { SIDE = 20, N = SIDE * SIDE + 50, UNIQUE = 15 * 19 };

/* Every query with every document, and the first 50 pairs again; some queries stand twice in the
 * file, so that 15 queries with 19 documents are different. */
static void crossed_pair(const void *list, size_t index, const char **query, const char **document)
{
    const struct tiny_lines *pairs = list;
    index %= SIDE * SIDE;
    *query = pairs->first[index / SIDE];
    *document = pairs->second[index % SIDE];
}

struct world {
    struct tiny_lines pairs;
    struct cross_encoder *ce;
    struct pool *pool;
    struct scorer scorer;
};

static void world_open(struct world *world, int threads)
{
    tiny_lines_read(&world->pairs, TINY_TEACHER "/pairs.tsv");
    ck_assert_uint_eq(world->pairs.count, SIDE);
    world->ce = tiny_teacher_open(TINY_TEACHER, PRECISION_F32);
    world->pool = pool_open(threads);
    world->scorer =
        (struct scorer){.ce = world->ce, .pool = world->pool, .max_length = TINY_MAX_LENGTH};
    messages_quiet(true);
}

static void world_close(struct world *world)
{
    tiny_lines_free(&world->pairs);
    pool_close(world->pool);
    cross_encoder_close(world->ce);
}

static void run_with_cache(struct world *world, const char *path, float *scores)
{
    struct error err = {0};
    check_ok(scorer_open_cache(&world->scorer, path, &err), &err);
    check_ok(scorer_run(&world->scorer, N, crossed_pair, &world->pairs, scores, &err), &err);
    score_cache_close(world->scorer.cache);
    world->scorer.cache = NULL;
}

static char *cache_path(const char *name)
{
    return path_join(scratch_folder(), name);
}

START_TEST(list_is_scored_in_its_order)
{
    struct world world;
    struct error err = {0};
    static float scores[N];
    struct tiny_lines expected;
    world_open(&world, 2);
    tiny_lines_read(&expected, TINY_TEACHER "/logits.tsv");
    check_ok(scorer_run(&world.scorer, N, crossed_pair, &world.pairs, scores, &err), &err);
    for (size_t i = 0; i < SIDE; i++) {
        float wanted = strtof(expected.first[i], NULL);
        ck_assert_float_eq_tol(scores[i * SIDE + i], wanted, 1e-4f);
    }
    for (size_t i = 0; i < 50; i++)
        ck_assert_float_eq_tol(scores[i], scores[SIDE * SIDE + i], 1e-5f);
    tiny_lines_free(&expected);
    world_close(&world);
}
END_TEST

START_TEST(empty_list)
{
    struct world world;
    struct error err = {0};
    float nothing = 7;
    world_open(&world, 1);
    check_ok(scorer_run(&world.scorer, 0, crossed_pair, &world.pairs, &nothing, &err), &err);
    ck_assert(nothing == 7);
    world_close(&world);
}
END_TEST

/* A kill leaves some prefix of the cache; here every kind of prefix, also torn records. */
START_TEST(cut_off_anywhere_gives_the_same_bytes)
{
    struct world world;
    struct error err = {0};
    static float undisturbed[N], resumed[N];
    struct text whole = {0};
    world_open(&world, 2);
    char *path = cache_path("whole.cache");
    run_with_cache(&world, path, undisturbed);
    check_ok(read_whole_file(&whole, path, 1 << 20, &err), &err);
    ck_assert_uint_eq(whole.length, 16 + 24 * UNIQUE); /* what stands twice is kept once */

    for (uint64_t trial = 0; trial < 25; trial++) {
        size_t cut = (size_t)(random_uniform(3, 0, trial) * (double)(whole.length + 1));
        char *torn = scratch_file("torn.cache", whole.bytes, cut);
        memset(resumed, 0, sizeof resumed);
        run_with_cache(&world, torn, resumed);
        ck_assert_mem_eq(resumed, undisturbed, sizeof resumed);
        struct stat info;
        ck_assert_int_eq(stat(torn, &info), 0);
        ck_assert_uint_eq((size_t)info.st_size, whole.length);
        free(torn);
    }
    text_free(&whole);
    free(path);
    world_close(&world);
}
END_TEST

START_TEST(threads_do_not_change_the_bytes)
{
    struct world world;
    static float one[N], three[N];
    char *first = cache_path("one.cache"), *second = cache_path("three.cache");
    world_open(&world, 1);
    run_with_cache(&world, first, one);
    world_close(&world);
    world_open(&world, 3);
    run_with_cache(&world, second, three);
    world_close(&world);
    ck_assert_mem_eq(one, three, sizeof one);
    free(first);
    free(second);
}
END_TEST

static struct hash128 key_of_pair(const struct world *world, size_t i)
{
    const char *query, *document;
    crossed_pair(&world->pairs, i, &query, &document);
    return score_key(cross_encoder_fingerprint(world->ce), TINY_MAX_LENGTH, query, document);
}

/* A third of the pairs, by content, and scores for them that no model gives. */
static bool is_marked(const struct world *world, size_t i)
{
    return key_of_pair(world, i).low % 3 == 0;
}

static float mark_of(const struct world *world, size_t i)
{
    return 1000.0f + (float)(key_of_pair(world, i).high % 1000);
}

/* Scores that no model gave tell where a score came from. */
START_TEST(what_the_cache_holds_is_not_computed_again)
{
    struct world world;
    struct error err = {0};
    static float computed[N], scores[N];
    world_open(&world, 2);
    check_ok(scorer_run(&world.scorer, N, crossed_pair, &world.pairs, computed, &err), &err);
    char *path = cache_path("marked.cache");
    check_ok(scorer_open_cache(&world.scorer, path, &err), &err);
    for (size_t i = 0; i < N; i++)
        if (is_marked(&world, i))
            score_cache_add(world.scorer.cache, key_of_pair(&world, i), mark_of(&world, i));
    check_ok(scorer_run(&world.scorer, N, crossed_pair, &world.pairs, scores, &err), &err);
    for (size_t i = 0; i < N; i++)
        if (is_marked(&world, i))
            ck_assert(scores[i] == mark_of(&world, i));
        else
            ck_assert_float_eq_tol(scores[i], computed[i], 1e-5f);
    ck_assert_uint_eq(score_cache_count(world.scorer.cache), UNIQUE);
    score_cache_close(world.scorer.cache);
    free(path);
    world_close(&world);
}
END_TEST

static void three_labels(struct tensor *tensors, int *count)
{
    static float weight[3 * TINY_HIDDEN], bias[] = {0.5f, -0.25f, 2};
    for (size_t i = 0; i < 3 * TINY_HIDDEN; i++) weight[i] = test_value(11, i);
    struct tensor *w = tiny_find(tensors, *count, "classifier.weight"),
                  *b = tiny_find(tensors, *count, "classifier.bias");
    w->dtype = b->dtype = DTYPE_F32;
    w->shape[0] = b->shape[0] = 3;
    w->data = weight, b->data = bias;
}

START_TEST(label_chooses_the_logit)
{
    const struct tiny_variant variant = {"three-labels", three_labels, NULL, NULL};
    char *folder = tiny_variant_make(&variant), *path = cache_path("labels.cache");
    struct world world;
    static float logits[SIDE * 3], scores[N];
    world_open(&world, 2);
    cross_encoder_close(world.ce);
    world.scorer.ce = world.ce = tiny_teacher_open(folder, PRECISION_F32);
    ck_assert_int_eq(cross_encoder_num_labels(world.ce), 3);
    static const char *queries[SIDE], *documents[SIDE];
    for (size_t i = 0; i < SIDE; i++)
        crossed_pair(&world.pairs, i * SIDE + i, &queries[i], &documents[i]);
    cross_encoder_score(world.ce, world.pool, queries, documents, SIDE, TINY_MAX_LENGTH, logits);
    for (int label = 0; label < 3; label++) {
        world.scorer.label = label;
        run_with_cache(&world, path, scores); /* one cache for all */
        for (size_t i = 0; i < SIDE; i++)
            ck_assert_float_eq_tol(scores[i * SIDE + i], logits[i * 3 + (size_t)label], 1e-5f);
    }
    world_close(&world);
    free(folder);
    free(path);
}
END_TEST

/* The command's last word before it reads: which of several labels. */
static int call_score(const char *folder, const char *label, struct error *err)
{
    char *argv[] = {"score",       "--teacher", (char *)folder,
                    "--precision", "f32",       label ? "--label" : "--quiet",
                    (char *)label, NULL};
    return score_command(label ? 7 : 6, argv, err);
}

START_TEST(command_wants_a_label_of_several)
{
    const struct tiny_variant variant = {"labelled", three_labels, NULL, NULL};
    char *folder = tiny_variant_make(&variant);
    struct error err = {0};
    check_failed(call_score(folder, NULL, &err), &err, STATUS_USAGE, "3 labels", "--label K");
    err = (struct error){0};
    check_failed(call_score(folder, "3", &err), &err, STATUS_USAGE, "--label 3", "3 labels");
    err = (struct error){0};
    check_failed(call_score(folder, "-2", &err), &err, STATUS_USAGE, "--label");
    free(folder);
}
END_TEST

static void overflow(struct tensor *tensors, int *count)
{
    static float huge[TINY_HIDDEN];
    for (int i = 0; i < TINY_HIDDEN; i++) huge[i] = i % 2 ? 3e38f : -3e38f;
    struct tensor *weight = tiny_find(tensors, *count, "classifier.weight");
    weight->dtype = DTYPE_F32;
    weight->data = huge;
}

START_TEST(logits_must_be_finite)
{
    const struct tiny_variant variant = {"overflow", overflow, NULL, NULL};
    char *folder = tiny_variant_make(&variant);
    struct world world;
    struct error err = {0};
    static float scores[N];
    world_open(&world, 1);
    cross_encoder_close(world.ce);
    world.scorer.ce = world.ce = tiny_teacher_open(folder, PRECISION_F32);
    check_failed(scorer_run(&world.scorer, N, crossed_pair, &world.pairs, scores, &err), &err,
                 STATUS_WORLD, "not a finite number");
    world_close(&world);
    free(folder);
}
END_TEST

/* The last test: the flag stays set. */
START_TEST(interrupted_scoring_keeps_what_it_has)
{
    struct world world;
    struct error err = {0};
    static float scores[N];
    char *path = cache_path("interrupted.cache");
    world_open(&world, 1);
    check_ok(scorer_open_cache(&world.scorer, path, &err), &err);
    interrupt_install();
    ck_assert_int_eq(raise(SIGINT), 0);
    check_failed(scorer_run(&world.scorer, N, crossed_pair, &world.pairs, scores, &err), &err,
                 STATUS_INTERRUPTED, "interrupted", "run it again");
    score_cache_close(world.scorer.cache);
    err = (struct error){0};
    check_ok(scorer_open_cache(&world.scorer, path, &err), &err);
    size_t kept = score_cache_count(world.scorer.cache);
    ck_assert_msg(kept > 0 && kept < UNIQUE, "%zu scores kept", kept);
    score_cache_close(world.scorer.cache);
    world_close(&world);
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(list_is_scored_in_its_order),
                                    TEST(empty_list),
                                    TEST(cut_off_anywhere_gives_the_same_bytes),
                                    TEST(threads_do_not_change_the_bytes),
                                    TEST(what_the_cache_holds_is_not_computed_again),
                                    TEST(label_chooses_the_logit),
                                    TEST(command_wants_a_label_of_several),
                                    TEST(logits_must_be_finite),
                                    TEST(interrupted_scoring_keeps_what_it_has),
                                    {0}};
    return run_tests("teacher/scorer", rows);
}
