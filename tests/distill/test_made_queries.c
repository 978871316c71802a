/* distill/made_queries, distill/made_filter: which pieces of documents become queries, what is left
 * of the documents, and what the teacher's scores make of them. */
#define _GNU_SOURCE
#include "distill/made_filter.h"
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"
#include "data/unicode.h"

#define LINE(id, title, text)                                                                      \
    "{\"_id\": \"" id "\", \"title\": \"" title "\", \"text\": \"" text "\"}\n"
#define NOTICE "All rights of this text are reserved."
static const char a_line[] = LINE("a", "Water and Steam",
                                  "Water boils at a hundred degrees. It is wet. " NOTICE
                                  " Steam rises above the\\nboiling water \xc3\xa9t\xc3\xa9.");
static const char b_line[] = LINE("b", "", "Copper conducts heat and electricity well. " NOTICE);
static const char c_line[] =
    LINE("c", "Lone title", "") LINE("d", "", "A document of one sentence alone.");
static const char e_line[] = LINE("e f", "Water and steam!",
                                  "One two three four five six seven eight nine ten eleven. "
                                  "What does not rust at all? ALL rights of this text are "
                                  "reserved");
static const char query_line[] = "{\"_id\": \"q\", \"text\": \"what does NOT rust at all\"}\n";

static void write_file(const char *folder, const char *name, const char *text)
{
    struct error err = {0};
    struct output out;
    char *path = path_join(folder, name);
    check_ok(output_open(&out, path, &err), &err);
    output_printf(&out, "%s", text);
    check_ok(output_commit(&out, &err), &err);
    free(path);
}

/* A fresh folder with the corpus, and the query. */
static void read_collection(struct collection *out, const char *corpus)
{
    static int count;
    struct error err = {0};
    char *folder = xasprintf("%s/made%ld.%d", scratch_folder(), (long)getpid(), count++);
    check_ok(make_folder(folder, &err), &err);
    write_file(folder, "corpus.jsonl", corpus);
    write_file(folder, "queries.jsonl", query_line);
    check_ok(collection_read(out, folder, &err), &err);
    free(folder);
}

static char *whole_corpus(void)
{
    return xasprintf("%s%s%s%s", a_line, b_line, c_line, e_line);
}

static struct job job_of(int per_document, double remove)
{
    static char dev[] = "dev", train[] = "train";
    return (struct job){.seed = 13,
                        .data = {.queries = QUERIES_MADE,
                                 .train_split = train,
                                 .dev_split = dev,
                                 .made = {.kinds = MADE_TITLE | MADE_CROP,
                                          .per_document = per_document,
                                          .min_words = 5,
                                          .max_words = 10,
                                          .remove = remove}}};
}

static const char *text_of_query(const struct collection *collection, const char *id)
{
    int64_t row = texts_find(&collection->queries, id);
    return row < 0 ? NULL : collection->queries.values[row];
}

/* Short, repeated and asked pieces are left out, whatever their case and points; long ones are
 * cropped; a document's only piece stays in it. */
START_TEST(pieces_that_may_be_queries)
{
    static const char *const expected[][2] = {
        {"a#s1", "Water boils at a hundred degrees."},
        {"a#s4", "Steam rises above the boiling water \xc3\xa9t\xc3\xa9."},
        {"b#s1", "Copper conducts heat and electricity well."},
        {"e f#s1", "One two three four five six seven eight nine ten"},
    };
    struct collection collection;
    struct made_queries made;
    struct error err = {0};
    struct job job = job_of(100, 0);
    char *corpus = whole_corpus();
    read_collection(&collection, corpus);
    check_ok(made_queries_add(&made, &collection, &job, &err), &err);
    ck_assert_uint_eq(made.first, 1);
    ck_assert_uint_eq(made.count, 4);
    ck_assert_uint_eq(collection.queries.count, 5);
    const struct split *split = collection_split(&collection, MADE_SPLIT);
    for (size_t i = 0; i < 4; i++) {
        const char *id = expected[i][0];
        const char *text = text_of_query(&collection, id);
        ck_assert_msg(text != NULL, "no query %s", id);
        ck_assert_str_eq(text, expected[i][1]);
        int64_t row = texts_find(&collection.queries, id);
        const struct made_query *one = made_query_of(&made, (uint32_t)row);
        const char *document = collection.documents.ids[one->document];
        ck_assert_int_eq(strncmp(id, document, strlen(document)), 0);
        ck_assert_int_eq(qrels_grade(qrels_find(&split->qrels, id), document), 1);
        ck_assert(!one->remainder && !one->is_title);
    }
    ck_assert(made_query_of(&made, 0) == NULL);
    made_queries_free(&made);
    collection_free(&collection);
    free(corpus);
}
END_TEST

START_TEST(titles_come_first_and_leave_their_document)
{
    struct collection collection;
    struct made_queries made;
    struct error err = {0};
    struct job job = job_of(1, 1);
    char *corpus = xasprintf("%s%s", a_line, b_line);
    read_collection(&collection, corpus);
    check_ok(made_queries_add(&made, &collection, &job, &err), &err);
    ck_assert_uint_eq(made.count, 2);
    ck_assert_str_eq(text_of_query(&collection, "a#title"), "Water and Steam");
    ck_assert_str_eq(made.list[0].remainder, collection.documents.values[0] + 16);
    ck_assert_str_eq(text_of_query(&collection, "b#s1"),
                     "Copper conducts heat and electricity well.");
    ck_assert_str_eq(made.list[1].remainder, NOTICE);
    struct made_counts counts = made_queries_count(&made);
    ck_assert_uint_eq(counts.titles, 1);
    ck_assert_uint_eq(counts.removed, 2);
    made_queries_free(&made);
    collection_free(&collection);
    free(corpus);
}
END_TEST

/* A corpus of n documents of a title and four sentences; document 0 first or last. */
static char *large_corpus(int n, bool backwards)
{
    struct text out = {0};
    for (int i = 0; i < n; i++) {
        int d = backwards ? n - 1 - i : i;
        text_printf(&out, "{\"_id\": \"d%d\", \"title\": \"Title %d\", \"text\": \"", d, d);
        for (int s = 0; s < 4; s++) text_printf(&out, "Number %d says %d about this. ", d, s);
        text_puts(&out, "\"}\n");
    }
    return out.bytes;
}

static void make_large(struct collection *collection, struct made_queries *made,
                       const struct job *job, bool backwards)
{
    struct error err = {0};
    char *corpus = large_corpus(60, backwards);
    read_collection(collection, corpus);
    check_ok(made_queries_add(made, collection, job, &err), &err);
    free(corpus);
}

static size_t shared_queries(const struct collection *one, const struct collection *other)
{
    size_t shared = 0;
    for (size_t q = 1; q < one->queries.count; q++)
        shared += texts_find(&other->queries, one->queries.ids[q]) >= 0;
    return shared;
}

START_TEST(a_choice_depends_on_seed_and_ids_alone)
{
    struct collection all[3];
    struct made_queries made[3];
    struct job job = job_of(2, 0.5);
    job.data.made.queries = 70;
    make_large(&all[0], &made[0], &job, false);
    make_large(&all[1], &made[1], &job, true);
    job.seed = 14;
    make_large(&all[2], &made[2], &job, false);
    for (int i = 0; i < 3; i++) ck_assert_uint_eq(made[i].count, 70);
    ck_assert_uint_eq(shared_queries(&all[0], &all[1]), 70);
    ck_assert_uint_lt(shared_queries(&all[0], &all[2]), 60);
    size_t removed = made_queries_count(&made[0]).removed;
    ck_assert(removed > 20 && removed < 50);
    ck_assert_uint_eq(made_queries_count(&made[1]).removed, removed);
    for (int i = 0; i < 3; i++) {
        made_queries_free(&made[i]);
        collection_free(&all[i]);
    }
}
END_TEST

START_TEST(limits_hold)
{
    struct collection collection;
    struct made_queries made;
    for (int per_document = 1; per_document < 7; per_document++) {
        struct job job = job_of(per_document, 0);
        make_large(&collection, &made, &job, false);
        ck_assert_uint_eq(made.count, 60 * (size_t)(per_document < 5 ? per_document : 5));
        ck_assert_uint_eq(made_queries_count(&made).titles, 60);
        made_queries_free(&made);
        collection_free(&collection);
    }
    struct job job = job_of(9, 0);
    job.data.made.kinds = MADE_CROP;
    make_large(&collection, &made, &job, false);
    ck_assert_uint_eq(made.count, 240);
    made_queries_free(&made);
    collection_free(&collection);
    job.data.queries = QUERIES_LABELLED;
    make_large(&collection, &made, &job, false);
    ck_assert_uint_eq(made.count, 0);
    ck_assert_uint_eq(collection.queries.count, 1);
    ck_assert_uint_eq(collection.num_splits, 0);
    ck_assert(made_query_of(&made, 0) == NULL);
    collection_free(&collection);
}
END_TEST

/* What is removed and what is left are the document's words, in order, once. */
START_TEST(a_remainder_is_the_document_without_the_query)
{
    struct collection collection;
    struct made_queries made;
    struct job job = job_of(9, 1);
    make_large(&collection, &made, &job, false);
    for (size_t i = 0; i < made.count; i++) {
        const struct made_query *one = &made.list[i];
        const char *text = collection.documents.values[one->document];
        const char *query = collection.queries.values[made.first + i];
        ck_assert_ptr_null(strstr(one->remainder, query));
        ck_assert_int_eq(strncmp(text + one->span.start, query, one->span.length), 0);
        ck_assert(utf8_check(one->remainder, strlen(one->remainder), NULL));
        size_t length = strlen(text), rest = strlen(one->remainder);
        while (text[length - 1] == ' ') length--;
        ck_assert_uint_eq(rest + one->span.length + 1, length);
    }
    made_queries_free(&made);
    collection_free(&collection);
}
END_TEST

START_TEST(dev_is_asked_of_documents_without_its_queries)
{
    struct collection collection;
    struct made_queries made;
    struct query_set train, dev, measured;
    struct job job = job_of(3, 0.7);
    job.data.dev_fraction = 0.3;
    job.data.test_split = (char[]){"test"};
    make_large(&collection, &made, &job, false);
    query_sets_split(&train, &dev, &collection, &job);
    query_set_measured(&measured, &dev, &collection, &job);
    ck_assert(is_measured_on_dev(&collection, &job));
    ck_assert_uint_eq(measured.count, dev.count);
    ck_assert_uint_eq(train.count + dev.count, made.count);
    ck_assert(dev.count > 20 && dev.count < 90);
    struct collection view = made_queries_hidden(&made, &collection, &dev);
    for (size_t q = 0; q < dev.count; q++) {
        const struct made_query *one = made_query_of(&made, dev.rows[q]);
        const char *query = collection.queries.values[dev.rows[q]];
        bool there = strstr(view.documents.values[one->document], query) != NULL;
        ck_assert_int_eq(there, one->remainder == NULL);
        for (size_t t = 0; t < train.count; t++) /* documents are dev's or train's */
            ck_assert_uint_ne(made_query_of(&made, train.rows[t])->document, one->document);
    }
    for (size_t t = 0; t < train.count; t++) {
        uint32_t document = made_query_of(&made, train.rows[t])->document;
        ck_assert_ptr_eq(view.documents.values[document], collection.documents.values[document]);
    }
    free(view.documents.values);
    view = made_queries_hidden(&made, &collection, &train);
    free(view.documents.values);
    query_set_free(&train), query_set_free(&dev), query_set_free(&measured);
    made_queries_free(&made);
    collection_free(&collection);
}
END_TEST

START_TEST(names_that_are_taken_are_refused)
{
    struct collection collection;
    struct made_queries made;
    struct error err = {0};
    struct job job = job_of(9, 0);
    char *corpus = whole_corpus();
    read_collection(&collection, corpus);
    check_ok(collection_add_query(&collection, "b#s1", "mine", &err), &err);
    check_failed(made_queries_add(&made, &collection, &job, &err), &err, STATUS_WORLD, "b#s1");
    collection_free(&collection);
    err = (struct error){0};
    read_collection(&collection, corpus);
    ck_assert_ptr_nonnull(collection_add_split(&collection, MADE_SPLIT, &err));
    check_failed(made_queries_add(&made, &collection, &job, &err), &err, STATUS_WORLD,
                 "split made");
    ck_assert_ptr_null(made.list);
    collection_free(&collection);
    free(corpus);
}
END_TEST

/* The files, beside the corpus, are a collection. */
START_TEST(what_is_written_is_a_collection)
{
    struct collection collection, back;
    struct made_queries made;
    struct query_set train, dev;
    struct error err = {0};
    struct job job = job_of(2, 0.5);
    job.data.dev_fraction = 0.3;
    char *folder = xasprintf("%s/written%ld", scratch_folder(), (long)getpid());
    char *corpus = large_corpus(60, false);
    make_large(&collection, &made, &job, false);
    query_sets_split(&train, &dev, &collection, &job);
    for (int twice = 0; twice < 2; twice++)
        check_ok(made_queries_write(&made, &collection, &train, &dev, folder, &err), &err);
    write_file(folder, "corpus.jsonl", corpus);
    check_ok(collection_read(&back, folder, &err), &err);
    ck_assert_uint_eq(back.queries.count, made.count);
    for (size_t q = 0; q < made.count; q++)
        ck_assert_str_eq(back.queries.values[q], collection.queries.values[made.first + q]);
    ck_assert_uint_eq(collection_split(&back, "train")->qrels.count, train.count);
    ck_assert_uint_eq(collection_split(&back, "dev")->qrels.count, dev.count);
    collection_free(&back);
    dev.count = 0; /* no dev queries: the file of an earlier run goes */
    check_ok(made_queries_write(&made, &collection, &train, &dev, folder, &err), &err);
    check_ok(collection_read(&back, folder, &err), &err);
    ck_assert_ptr_null(collection_split(&back, "dev"));
    collection_free(&back);
    query_set_free(&train), query_set_free(&dev);
    made_queries_free(&made);
    collection_free(&collection);
    free(corpus);
    free(folder);
}
END_TEST

/* ---- the job ---- */

/* Refused with both words; NULL: read. */
START_TEST(contradictions_between_keys)
{
    static const struct {
        const char *settings[4], *words, *more;
    } rows[] = {
        {{"data.queries=made", "data.made.kinds=[]"}, "data.made.kinds", "is empty"},
        {{"data.queries=both", "data.made.min_words=9", "data.made.max_words=8"},
         "data.made.min_words is 9",
         "max_words 8"},
        {{"data.queries=made", "data.made.keep=33"}, "data.made.keep is 33", "set it to all"},
        {{"data.queries=made", "data.made.keep=all"}, NULL, NULL},
        {{"data.made.keep=33", "data.made.kinds=[]"}, NULL, NULL}, /* nothing is made */
        {{"data.queries=made", "teacher.model=none"}, "data.queries", "distill.epochs to 0"},
        {{"data.queries=made", "teacher.model=teach"}, "data.queries", "teach.pairs"},
        {{"data.queries=made", "teacher.model=teach", "teach.pairs=/p.tsv",
          "teach.loss={softmax: 0, mse: 1}"},
         NULL,
         NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err = {0};
        struct string_list settings = {.items = (const char **)rows[i].settings};
        while (settings.count < 4 && settings.items[settings.count]) settings.count++;
        int status = job_read_string(
            &job, "/x.yaml", "data: {collection: /c}\nteacher: {model: /t}\n", &settings, &err);
        if (rows[i].words) {
            check_failed(status, &err, STATUS_USAGE, rows[i].words, rows[i].more);
            continue;
        }
        check_ok(status, &err);
        job_free(&job);
    }
}
END_TEST

/* ---- the teacher's word ---- */

static void add_set(struct candidate_sets *sets, uint32_t query, const float *scores, size_t count)
{
    struct candidate_set *set = candidate_sets_add(sets, query);
    for (uint32_t c = 0; c < count; c++)
        candidate_set_add(set,
                          (struct candidate){.document = c,
                                             .score = scores[c],
                                             .kind = c ? CANDIDATE_NEGATIVE : CANDIDATE_POSITIVE});
}

START_TEST(a_score_is_rank_and_softmax)
{
    static const float scores[][4] = {
        {2, 1, 0, -1}, {1, 1, 1, 1}, {-900, 900, 0, 3}, {900, -900, 0, 3}, {0.5f, 2, 3, -1}};
    static const size_t ranks[] = {1, 1, 4, 1, 3};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 9);
    for (uint32_t q = 0; q < 5; q++) {
        add_set(&sets, q, scores[q], 4);
        const double temperature = q % 2 ? 1 : 0.2;
        struct made_score score = made_score_of(candidate_sets_find(&sets, q), temperature);
        long double sum = 0;
        for (int c = 0; c < 4; c++)
            sum += expl(((long double)scores[q][c] - scores[q][0]) / temperature);
        ck_assert_uint_eq(score.rank, ranks[q]);
        ck_assert_double_eq_tol(score.probability, (double)(1 / sum), 1e-15);
    }
    add_set(&sets, 5, scores[0], 1);
    ck_assert_double_eq(made_score_of(candidate_sets_find(&sets, 5), 1).probability, 1);
    candidate_sets_free(&sets);
}
END_TEST

/* Query 0 is labelled; the made ones' documents rank 1, 2, 3, and one's is no candidate. */
START_TEST(queries_that_the_teacher_does_not_confirm_are_dropped)
{
    static const float scores[4][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {0, 1, 2}};
    static const int keeps[] = {1, 2, 3, 0};
    struct made_query list[4] = {{0}};
    const struct made_queries made = {.list = list, .count = 4, .first = 1};
    for (int k = 0; k < 4; k++) {
        struct candidate_sets scored, kept;
        candidate_sets_init(&scored, 5);
        candidate_sets_init(&kept, 5);
        for (uint32_t q = 0; q < 4; q++) add_set(&scored, q, scores[q], 3);
        add_set(&scored, 4, scores[1], 3);
        scored.sets[4].candidates[0].kind = CANDIDATE_NEGATIVE;
        size_t dropped = made_filter(&kept, &scored, &made, keeps[k]);
        size_t expected = keeps[k] ? (size_t)keeps[k] : 3;
        ck_assert_uint_eq(dropped, 4 - expected);
        ck_assert_uint_eq(kept.count, 1 + expected);
        ck_assert_ptr_nonnull(candidate_sets_find(&kept, 0));
        ck_assert_ptr_null(candidate_sets_find(&kept, 4));
        ck_assert_uint_eq(candidate_sets_find(&kept, 1)->count, 3);
        ck_assert_int_eq(candidate_sets_find(&kept, 3) != NULL, expected == 3);
        candidate_sets_free(&scored);
        candidate_sets_free(&kept);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(pieces_that_may_be_queries),
        TEST(titles_come_first_and_leave_their_document),
        TEST(a_choice_depends_on_seed_and_ids_alone),
        TEST(limits_hold),
        TEST(a_remainder_is_the_document_without_the_query),
        TEST(dev_is_asked_of_documents_without_its_queries),
        TEST(names_that_are_taken_are_refused),
        TEST(what_is_written_is_a_collection),
        TEST(contradictions_between_keys),
        TEST(a_score_is_rank_and_softmax),
        TEST(queries_that_the_teacher_does_not_confirm_are_dropped),
        {0},
    };
    return run_tests("distill/made_queries", rows);
}
