/* data/sample: what is promised of the collection, and that its files can be read. */
#define _GNU_SOURCE
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/collection.h"
#include "data/output.h"
#include "data/sample.h"

static const char *const files[] = {"corpus.jsonl", "queries.jsonl", "qrels/train.tsv",
                                    "qrels/dev.tsv", "qrels/test.tsv"};
enum { NUM_FILES = sizeof files / sizeof *files };

/* The folder, freshly allocated. */
static char *write_sample(const char *name, int documents, uint64_t seed)
{
    struct error err = {0};
    struct sample sample;
    char *folder = path_join(scratch_folder(), name);
    sample_make(&sample, documents, seed);
    check_ok(sample_write(&sample, folder, &err), &err);
    sample_free(&sample);
    ck_assert_ptr_null(sample.documents);
    return folder;
}

static int count_equal_files(const char *a, const char *b)
{
    int equal = 0;
    struct error err = {0};
    for (int i = 0; i < NUM_FILES; i++) {
        char *paths[2] = {path_join(a, files[i]), path_join(b, files[i])}, hashes[2][33];
        for (int j = 0; j < 2; j++) check_ok(hash_file(hashes[j], paths[j], &err), &err);
        equal += strcmp(hashes[0], hashes[1]) == 0;
        free(paths[0]), free(paths[1]);
    }
    return equal;
}

START_TEST(equal_arguments_give_equal_bytes)
{
    char *first = write_sample("a", 600, 13), *again = write_sample("b", 600, 13);
    char *other = write_sample("c", 600, 14);
    ck_assert_int_eq(count_equal_files(first, again), NUM_FILES);
    ck_assert_int_eq(count_equal_files(first, other), 0);
    free(first), free(again), free(other);
}
END_TEST

/* Judgements of known texts, grades 1 and 2 and one 2 at least. */
static void check_judgements(const struct collection *collection, const struct judged_query *query)
{
    int best = 0;
    ck_assert_int_ge(texts_find(&collection->queries, query->id), 0);
    for (size_t i = 0; i < query->count; i++) {
        const struct judgement *judgement = &query->judgements[i];
        ck_assert_int_ge(texts_find(&collection->documents, judgement->document), 0);
        ck_assert(judgement->grade == 1 || judgement->grade == 2);
        if (judgement->grade > best) best = judgement->grade;
    }
    ck_assert_int_eq(best, 2);
}

static void check_folder(const char *folder, size_t documents)
{
    struct collection collection;
    struct error err = {0};
    size_t judged = 0;
    check_ok(collection_read(&collection, folder, &err), &err);
    ck_assert_uint_eq(collection.documents.count, documents);
    ck_assert_uint_eq(collection.num_splits, 3);
    for (size_t s = 0; s < 3; s++) {
        const struct qrels *qrels = &collection.splits[s].qrels;
        for (size_t q = 0; q < qrels->count; q++) {
            check_judgements(&collection, &qrels->queries[q]);
            for (size_t t = 0; t < s; t++)
                ck_assert_ptr_null(qrels_find(&collection.splits[t].qrels, qrels->queries[q].id));
        }
        judged += qrels->count;
    }
    ck_assert_uint_eq(judged, collection.queries.count);
    collection_free(&collection);
}

START_TEST(what_is_written_can_be_read)
{
    static const int sizes[] = {SAMPLE_MIN_DOCUMENTS, 500, SAMPLE_DOCUMENTS};
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "size%d", i);
        char *folder = write_sample(name, sizes[i], 13);
        check_folder(folder, (size_t)sizes[i]);
        free(folder);
    }
}
END_TEST

START_TEST(as_many_texts_as_said)
{
    struct sample sample;
    size_t counts[SAMPLE_SPLITS] = {0};
    sample_make(&sample, SAMPLE_DOCUMENTS, 13);
    ck_assert_uint_eq(sample.num_documents, SAMPLE_DOCUMENTS);
    for (size_t q = 0; q < sample.num_queries; q++) counts[sample.queries[q].split]++;
    ck_assert_uint_ge(counts[SAMPLE_TRAIN], 3000);
    ck_assert_uint_ge(counts[SAMPLE_DEV], 200);
    ck_assert_uint_ge(counts[SAMPLE_TEST], 300);
    sample_free(&sample);
}
END_TEST

/* Also where there are more families than pairs of action and object. */
START_TEST(splits_ask_for_different_things)
{
    static const int sizes[] = {SAMPLE_DOCUMENTS, 9000};
    for (int i = 0; i < 2; i++) {
        struct sample sample;
        struct strmap texts = {0};
        int split_of_pair[16][32] = {0}; /* 1 + split */
        sample_make(&sample, sizes[i], 5);
        for (size_t q = 0; q < sample.num_queries; q++) {
            const struct sample_query *query = &sample.queries[q];
            const int8_t *values = query->fact.values;
            int *split = &split_of_pair[values[SAMPLE_ACTION]][values[SAMPLE_OBJECT]];
            ck_assert(*split == 0 || *split == 1 + (int)query->split);
            *split = 1 + (int)query->split;
            ck_assert_int_eq(strmap_insert(&texts, query->text, (int64_t)q), (int64_t)q);
        }
        strmap_free(&texts);
        sample_free(&sample);
    }
}
END_TEST

START_TEST(documents_differ)
{
    struct sample sample;
    struct strmap texts = {0};
    sample_make(&sample, SAMPLE_DOCUMENTS, 13);
    for (size_t d = 0; d < sample.num_documents; d++)
        ck_assert_int_eq(strmap_insert(&texts, sample.documents[d].text, (int64_t)d), (int64_t)d);
    strmap_free(&texts);
    sample_free(&sample);
}
END_TEST

/* How many of a text's words, lowered, are not yet known; they are from now on if add says so. */
static int new_words(struct strmap *known, struct arena *strings, const char *text, bool add)
{
    char *rest = arena_strndup(strings, text, strlen(text));
    int count = 0;
    for (char *c = rest; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    for (char *word; (word = strtok_r(NULL, " .,", &rest));) {
        count += strmap_find(known, word) < 0;
        if (add) strmap_insert(known, word, 0);
    }
    return count;
}

START_TEST(some_test_queries_have_words_that_no_train_query_has)
{
    struct sample sample;
    struct strmap train = {0}, known = {0};
    struct arena strings = {0};
    int tests = 0, unasked = 0;
    sample_make(&sample, SAMPLE_DOCUMENTS, 13);
    for (size_t d = 0; d < sample.num_documents; d++) {
        new_words(&known, &strings, sample.documents[d].title, true);
        new_words(&known, &strings, sample.documents[d].text, true);
    }
    for (size_t q = 0; q < sample.num_queries; q++) {
        const struct sample_query *query = &sample.queries[q];
        if (query->split == SAMPLE_TRAIN) {
            new_words(&train, &strings, query->text, true);
            new_words(&known, &strings, query->text, true);
            continue;
        }
        ck_assert_int_eq(new_words(&known, &strings, query->text, false), 0);
        if (query->split != SAMPLE_TEST) continue;
        tests++;
        unasked += new_words(&train, &strings, query->text, false) > 0;
    }
    ck_assert_int_gt(unasked, tests / 20);
    ck_assert_int_lt(unasked, tests / 4);
    strmap_free(&train);
    strmap_free(&known);
    arena_free(&strings);
    sample_free(&sample);
}
END_TEST

START_TEST(grades_follow_the_facts)
{
    static const int grades[SAMPLE_FACETS] = {
        [SAMPLE_AGENT] = 1, [SAMPLE_QUALITY] = 1, [SAMPLE_TIME] = 1}; /* where it differs */
    const unsigned all = (1u << SAMPLE_FACETS) - 1;
    const struct sample_fact fact = {{1, 2, 3, 4, 5, 6, 0}};
    struct sample_query query = {.fact = fact, .asked = all};
    struct sample_document document = {.facts = {fact}, .num_facts = 1};
    int8_t *values = document.facts[0].values;
    ck_assert_int_eq(sample_grade(&query, &document), 2);
    for (int facet = 0; facet < SAMPLE_FACETS; facet++) {
        values[facet] ^= 1;
        ck_assert_int_eq(sample_grade(&query, &document), grades[facet]);
        values[facet] = SAMPLE_UNSAID;
        ck_assert_int_eq(sample_grade(&query, &document), grades[facet]);
        query.asked = all & ~(1u << facet);
        ck_assert_int_eq(sample_grade(&query, &document), 2);
        query.asked = all, values[facet] = fact.values[facet];
    }
    values[SAMPLE_AGENT]++, values[SAMPLE_TIME]++;
    ck_assert_int_eq(sample_grade(&query, &document), 0); /* two of them differ */
    document.facts[1] = fact, document.num_facts = 2;
    ck_assert_int_eq(sample_grade(&query, &document), 2); /* its other fact is asked for */
    document.facts[0].values[SAMPLE_OBJECT]++, document.facts[1].values[SAMPLE_ACTION]++;
    ck_assert_int_eq(sample_grade(&query, &document), 0); /* all of it is there, but not together */
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(equal_arguments_give_equal_bytes),
        TEST(what_is_written_can_be_read),
        TEST(as_many_texts_as_said),
        TEST(splits_ask_for_different_things),
        TEST(documents_differ),
        TEST(some_test_queries_have_words_that_no_train_query_has),
        TEST(grades_follow_the_facts),
        {0},
    };
    return run_tests("data/sample", rows);
}
