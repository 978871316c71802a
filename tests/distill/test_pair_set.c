/* distill/pair_set: splits of sentence pairs, samples, checks, and the texts that stand in them. */
#include "distill/pair_set.h"
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { TRAIN = 200, TEST_PAIRS = 3 };

/* A folder with train.tsv, test.tsv and, if asked for, dev.tsv. */
static char *write_pairs(const char *name, bool dev)
{
    struct error err = {0};
    struct text train = {0};
    char *folder = path_join(scratch_folder(), name);
    check_ok(make_folder(folder, &err), &err);
    for (int i = 0; i < TRAIN; i++) text_printf(&train, "%d\ta %d\tb %d\n", i % 6, i, i / 2);
    static const char three[] = "1\ta 0\tx\n2\ty\tz\n2\tx\tx\n";
    const struct {
        const char *name, *text;
    } files[] = {{"train", train.bytes}, {"test", three}, {"dev", three}};
    for (int f = 0; f < 2 + dev; f++) {
        char file[64];
        snprintf(file, sizeof file, "%s/%s.tsv", name, files[f].name);
        free(scratch_file(file, files[f].text, strlen(files[f].text)));
    }
    text_free(&train);
    return folder;
}

struct world {
    struct job job;
    struct collection collection;
    struct pair_set train, dev, test;
};

static void world_open(struct world *world, const char *name, bool dev)
{
    struct error err = {0};
    char *folder = write_pairs(name, dev);
    char *yaml = xasprintf("data: {pairs: %s}\nteacher: {model: m}\n", folder);
    check_ok(job_read_string(&world->job, "job.yaml", yaml, NULL, &err), &err);
    check_ok(job_collection_read(&world->collection, &world->job, &err), &err);
    pair_sets_split(&world->train, &world->dev, &world->collection, &world->job);
    pair_set_of(&world->test, &world->collection, "test");
    free(yaml);
    free(folder);
}

static void world_close(struct world *world)
{
    pair_set_free(&world->train);
    pair_set_free(&world->dev);
    pair_set_free(&world->test);
    collection_free(&world->collection);
    job_free(&world->job);
}

START_TEST(a_dev_split_is_taken_as_it_is)
{
    struct world world;
    struct error err = {0};
    world_open(&world, "three", true);
    ck_assert_uint_eq(world.train.count, TRAIN);
    ck_assert_uint_eq(world.dev.count, TEST_PAIRS);
    ck_assert_uint_eq(world.test.count, TEST_PAIRS);
    check_ok(pair_sets_check(&world.train, &world.dev, &world.test, &world.job, &err), &err);
    world_close(&world);
}
END_TEST

static bool contains(const struct pair_set *set, const struct scored_pair *pair)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->pairs[i].first == pair->first && set->pairs[i].second == pair->second) return true;
    return false;
}

START_TEST(without_one_a_share_of_train_is_dev)
{
    struct world world;
    struct error err = {0};
    world_open(&world, "two", false);
    ck_assert_uint_eq(world.train.count + world.dev.count, TRAIN);
    ck_assert(world.dev.count > 8 && world.dev.count < 36); /* 20 expected, deviation 4.2 */
    for (size_t i = 0; i < world.dev.count; i++)
        ck_assert(!contains(&world.train, &world.dev.pairs[i]));
    struct pair_set train, dev;
    world.job.seed++;
    pair_sets_split(&train, &dev, &world.collection, &world.job);
    bool same = dev.count == world.dev.count;
    for (size_t i = 0; same && i < dev.count; i++) same = contains(&world.dev, &dev.pairs[i]);
    ck_assert_msg(!same, "the seed changes nothing");
    pair_set_free(&train), pair_set_free(&dev);
    world.job.data.dev_fraction = 0;
    pair_sets_split(&train, &dev, &world.collection, &world.job);
    check_failed(pair_sets_check(&train, &dev, NULL, &world.job, &err), &err, STATUS_WORLD,
                 "no dev pairs", "data.dev_fraction");
    pair_set_free(&train), pair_set_free(&dev);
    world_close(&world);
}
END_TEST

START_TEST(samples_are_nested)
{
    struct world world;
    world_open(&world, "sampled", true);
    struct pair_set few, more;
    pair_set_of(&few, &world.collection, "train");
    pair_set_of(&more, &world.collection, "train");
    pair_set_sample(&few, &world.collection, 20, 1);
    pair_set_sample(&more, &world.collection, 60, 1);
    ck_assert_uint_eq(few.count, 20);
    ck_assert_uint_eq(more.count, 60);
    for (size_t i = 0; i < few.count; i++) ck_assert(contains(&more, &few.pairs[i]));
    for (size_t i = 1; i < few.count; i++)
        ck_assert(few.pairs[i - 1].first < few.pairs[i].first); /* in their order */
    pair_set_sample(&more, &world.collection, 0, 1);
    ck_assert_uint_eq(more.count, 60);
    pair_set_free(&few), pair_set_free(&more);
    world_close(&world);
}
END_TEST

START_TEST(one_score_alone_is_refused)
{
    struct world world;
    struct error err = {0};
    world_open(&world, "alike", true);
    for (size_t i = 0; i < world.test.count; i++) world.test.pairs[i].score = 4;
    check_ok(pair_sets_check(&world.train, &world.dev, NULL, &world.job, &err), &err);
    check_failed(pair_sets_check(&world.train, &world.dev, &world.test, &world.job, &err), &err,
                 STATUS_WORLD, "all 3 test pairs have the score 4", "test.tsv");
    world_close(&world);
}
END_TEST

START_TEST(documents_of_pairs_stand_once)
{
    struct world world;
    uint32_t *rows;
    world_open(&world, "documents", true);
    size_t count = pair_set_documents(&rows, &world.train, world.collection.documents.count);
    ck_assert_uint_eq(count, TRAIN + TRAIN / 2);
    for (size_t i = 0; i < count; i++) ck_assert_uint_eq(rows[i], i); /* train is read first */
    free(rows);
    count = pair_set_documents(&rows, &world.test, world.collection.documents.count);
    ck_assert_uint_eq(count, 4);
    ck_assert_str_eq(world.collection.documents.values[rows[0]], "a 0");
    free(rows);
    world_close(&world);
}
END_TEST

START_TEST(scores_are_mapped_to_the_unit_interval)
{
    float scores[] = {2, 5, -1, 0.5f};
    const float expected[] = {0.5f, 1, 0, 0.25f};
    scores_to_unit(scores, scores, 4);
    check_close(scores, expected, 4, 1e-7);
    float alike[] = {3, 3};
    scores_to_unit(alike, alike, 2);
    ck_assert(alike[0] == 0 && alike[1] == 0);
    scores_to_unit(NULL, NULL, 0);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_dev_split_is_taken_as_it_is),
                                    TEST(without_one_a_share_of_train_is_dev),
                                    TEST(samples_are_nested),
                                    TEST(one_score_alone_is_refused),
                                    TEST(documents_of_pairs_stand_once),
                                    TEST(scores_are_mapped_to_the_unit_interval),
                                    {0}};
    return run_tests("distill/pair_set", rows);
}
