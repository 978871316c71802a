/* distill/query_set: who learns, who chooses, who is measured. */
#include "distill/query_set.h"
#include "tests/support.h"
#include "tests/tiny_collection.h"

#include <stdlib.h>
#include <string.h>

enum { DOCUMENTS = 64, QUERIES = 60, TRAIN = 50 };
static const struct tiny_split plain[] = {{"train", 0, TRAIN}, {"test", TRAIN, QUERIES}, {0}};

static struct job job_of(char *dev, double fraction, int seed)
{
    static char train[] = "train";
    return (struct job){.seed = seed,
                        .data = {.train_split = train,
                                 .dev_split = dev,
                                 .dev_fraction = fraction,
                                 .queries = QUERIES_LABELLED}};
}

static bool has(const struct query_set *set, uint32_t row)
{
    for (size_t q = 0; q < set->count; q++)
        if (set->rows[q] == row) return true;
    return false;
}

START_TEST(a_share_of_train_is_dev_where_there_is_none)
{
    struct collection collection;
    struct query_set train, dev, again, dev_again;
    char none[] = "dev";
    tiny_collection_read(&collection, DOCUMENTS, QUERIES, plain);
    struct job job = job_of(none, 0.3, 13);
    query_sets_split(&train, &dev, &collection, &job);
    ck_assert_uint_eq(train.count + dev.count, TRAIN);
    ck_assert(dev.count > 8 && dev.count < 23);
    for (uint32_t row = 0; row < TRAIN; row++) ck_assert(has(&train, row) != has(&dev, row));
    for (size_t q = 1; q < train.count; q++) ck_assert(train.rows[q] > train.rows[q - 1]);
    for (size_t q = 0; q < dev.count; q++)
        ck_assert_str_eq(dev.judged[q]->id, collection.queries.ids[dev.rows[q]]);
    job.seed = 14;
    query_sets_split(&again, &dev_again, &collection, &job);
    ck_assert(dev_again.count != dev.count ||
              memcmp(dev.rows, dev_again.rows, dev.count * sizeof *dev.rows) != 0);
    query_set_free(&train), query_set_free(&dev);
    query_set_free(&again), query_set_free(&dev_again);
    collection_free(&collection);
}
END_TEST

/* The same queries are dev whatever else stands in the file. */
START_TEST(a_query_is_dev_by_its_id_alone)
{
    struct collection all, part;
    const struct tiny_split few[] = {{"train", 20, TRAIN}, {0}};
    struct query_set train, dev, few_train, few_dev;
    char none[] = "dev";
    struct job job = job_of(none, 0.3, 13);
    tiny_collection_read(&all, DOCUMENTS, QUERIES, plain);
    tiny_collection_read(&part, DOCUMENTS, QUERIES, few);
    query_sets_split(&train, &dev, &all, &job);
    query_sets_split(&few_train, &few_dev, &part, &job);
    for (uint32_t row = 20; row < TRAIN; row++) ck_assert(has(&dev, row) == has(&few_dev, row));
    query_set_free(&train), query_set_free(&dev);
    query_set_free(&few_train), query_set_free(&few_dev);
    collection_free(&all), collection_free(&part);
}
END_TEST

START_TEST(a_dev_split_leaves_train_whole)
{
    const struct tiny_split splits[] = {{"train", 0, 20}, {"valid", 20, 30}, {0}};
    struct collection collection;
    struct query_set train, dev;
    char valid[] = "valid";
    tiny_collection_read(&collection, DOCUMENTS, QUERIES, splits);
    struct job job = job_of(valid, 0.3, 13);
    query_sets_split(&train, &dev, &collection, &job);
    ck_assert_uint_eq(train.count, 20);
    ck_assert_uint_eq(dev.count, 10);
    query_set_free(&train), query_set_free(&dev);
    collection_free(&collection);
}
END_TEST

START_TEST(an_empty_set_names_the_key_to_look_at)
{
    struct collection collection;
    static const struct {
        const char *dev, *test;
        double fraction;
        const char *words;
    } rows[] = {{"dev", "test", 0.3, NULL},
                {"dev", "test", 0, "raise it"},
                {"dev", "test", 1, "lower data.dev_fraction"},
                {"dev", "other", 0.3, "split other has a relevant document; set data.test_split"},
                {"test", "test", 0, NULL}};
    tiny_collection_read(&collection, DOCUMENTS, QUERIES, plain);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct query_set train, dev, test;
        struct error err = {0};
        struct job job = job_of((char *)rows[i].dev, rows[i].fraction, 13);
        job.data.collection = (char *)"c.zip";
        job.data.test_split = (char *)rows[i].test;
        query_sets_split(&train, &dev, &collection, &job);
        query_set_of(&test, &collection, rows[i].test);
        int status = query_sets_check(&train, &dev, &test, &collection, &job, &err);
        if (rows[i].words)
            check_failed(status, &err, STATUS_WORLD, "c.zip", rows[i].words);
        else
            check_ok(status, &err);
        query_set_free(&train), query_set_free(&dev), query_set_free(&test);
    }
    collection_free(&collection);
}
END_TEST

START_TEST(only_queries_with_text_and_a_relevant_judgement_count)
{
    const struct tiny_split splits[] = {{"train", 0, 5}, {0}};
    struct collection collection;
    struct query_set set;
    tiny_collection_read(&collection, DOCUMENTS, 5, splits);
    struct qrels *qrels = &collection.splits[0].qrels;
    ck_assert(qrels_add(qrels, "without text", "d1", 1));
    ck_assert(qrels_add(qrels, "q9", "d1", 1)); /* beyond the five */
    query_set_of(&set, &collection, "train");
    ck_assert_uint_eq(set.count, 5);
    query_set_free(&set);
    for (size_t j = 0; j < qrels->queries[3].count; j++) qrels->queries[3].judgements[j].grade = 0;
    query_set_of(&set, &collection, "train");
    ck_assert_uint_eq(set.count, 4);
    ck_assert(!has(&set, 3));
    query_set_free(&set);
    query_set_of(&set, &collection, "nowhere");
    ck_assert_uint_eq(set.count, 0);
    query_set_free(&set);
    collection_free(&collection);
}
END_TEST

START_TEST(a_sample_is_in_order_and_a_larger_one_contains_it)
{
    struct collection collection;
    struct query_set all, small, large;
    tiny_collection_read(&collection, DOCUMENTS, QUERIES, plain);
    query_set_of(&all, &collection, "train");
    query_set_copy(&small, &all);
    query_set_copy(&large, &all);
    query_set_sample(&small, &collection, 7, 5);
    query_set_sample(&large, &collection, 20, 5);
    ck_assert_uint_eq(small.count, 7);
    ck_assert_uint_eq(large.count, 20);
    for (size_t q = 0; q < small.count; q++) {
        ck_assert(has(&large, small.rows[q]));
        ck_assert(q == 0 || small.rows[q] > small.rows[q - 1]);
        ck_assert_str_eq(small.judged[q]->id, collection.queries.ids[small.rows[q]]);
    }
    query_set_sample(&all, &collection, 1000, 5);
    ck_assert_uint_eq(all.count, TRAIN);
    const char **texts = query_texts(&small, &collection);
    ck_assert_str_eq(texts[3], collection.queries.values[small.rows[3]]);
    free(texts);
    query_set_free(&all), query_set_free(&small), query_set_free(&large);
    collection_free(&collection);
}
END_TEST

START_TEST(relevant_rows_come_by_grade)
{
    struct collection collection;
    struct query_set set;
    uint32_t *rows;
    tiny_collection_read(&collection, DOCUMENTS, QUERIES, plain);
    query_set_of(&set, &collection, "train");
    ck_assert_uint_eq(relevant_rows(&rows, &collection, set.judged[4]), 2);
    ck_assert(rows[0] == 4 && rows[1] == 5); /* grade 2 before grade 1; grade 0 is none */
    free(rows);
    ck_assert_uint_eq(relevant_rows(&rows, &collection, set.judged[5]), 1);
    ck_assert_uint_eq(rows[0], 5);
    free(rows);
    ck_assert(qrels_add(&collection.splits[1].qrels, "q5", "unknown", 3));
    ck_assert_str_eq(collection.splits[1].name, "train");
    ck_assert_uint_eq(relevant_rows(&rows, &collection, set.judged[5]), 1);
    free(rows);
    query_set_free(&set);
    collection_free(&collection);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_share_of_train_is_dev_where_there_is_none),
                                    TEST(a_query_is_dev_by_its_id_alone),
                                    TEST(a_dev_split_leaves_train_whole),
                                    TEST(an_empty_set_names_the_key_to_look_at),
                                    TEST(only_queries_with_text_and_a_relevant_judgement_count),
                                    TEST(a_sample_is_in_order_and_a_larger_one_contains_it),
                                    TEST(relevant_rows_come_by_grade),
                                    {0}};
    return run_tests("distill/query_set", rows);
}
