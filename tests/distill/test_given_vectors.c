/* distill/given_vectors: rows found by id, on both sides, and what is refused. */
#include "distill/given_vectors.h"
#include "tests/support.h"
#include "tests/tiny_collection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/progress.h"

enum { DOCUMENTS = 5, QUERIES = 4, MOST = 16, WIDTH = 3 };
/* Document 4 has the id of query 1; q3 is of no split. */
static uint32_t train_rows[] = {0, 2}, dev_rows[] = {1};
static const char ids[] = "q0\nd3\ndocument\td1\nd0\nelsewhere\nquery\tq1\nd2\ndocument\tq1\nq2\n";

static void run_open(struct job_run *run)
{
    *run = (struct job_run){.train = {.rows = train_rows, .count = 2},
                            .dev = {.rows = dev_rows, .count = 1}};
    tiny_collection_read(&run->collection, DOCUMENTS, QUERIES, (const struct tiny_split[]){{0}});
    messages_quiet(true);
}

/* Row r holds 10 r, 10 r + 1, 10 r + 2; path of the .npy file. */
static char *put(size_t rows, const char *of, float spoilt)
{
    struct error err = {0};
    float values[MOST * WIDTH];
    for (size_t i = 0; i < rows * WIDTH; i++) values[i] = (float)(i / WIDTH * 10 + i % WIDTH);
    if (spoilt != 0) values[4] = spoilt;
    free(scratch_file("given.ids", of, strlen(of)));
    char *path = scratch_file("given.npy", "", 0);
    check_ok(npy_write(path, values, rows, WIDTH, &err), &err);
    return path;
}

START_TEST(the_ids_lie_beside_the_vectors)
{
    const char *const pairs[][2] = {
        {"a/b.npy", "a/b.ids"}, {"a.npy/b", "a.npy/b.ids"}, {".npy", ".npy.ids"}};
    for (size_t i = 0; i < 3; i++) {
        char *path = given_ids_path(pairs[i][0]);
        ck_assert_str_eq(path, pairs[i][1]);
        free(path);
    }
}
END_TEST

START_TEST(rows_go_to_their_texts)
{
    struct job_run run;
    struct matrix documents, asked;
    struct error err = {0};
    run_open(&run);
    char *path = put(9, ids, 0);
    check_ok(given_vectors_read(&documents, &asked, &run, path, &err), &err);
    const int of_documents[] = {3, 2, 6, 1, 7}, of_queries[] = {0, 5, 8, -1};
    ck_assert(documents.rows == DOCUMENTS && documents.cols == WIDTH && asked.rows == QUERIES);
    for (size_t i = 0; i < DOCUMENTS * WIDTH; i++)
        ck_assert_float_eq(documents.values[i],
                           (float)(of_documents[i / WIDTH] * 10 + (int)(i % WIDTH)));
    for (size_t i = 0; i < QUERIES * WIDTH; i++)
        ck_assert_float_eq(
            asked.values[i],
            of_queries[i / WIDTH] < 0 ? 0 : (float)(of_queries[i / WIDTH] * 10 + (int)(i % WIDTH)));
    matrix_free(&documents), matrix_free(&asked);
    collection_free(&run.collection);
    free(path);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_with_its_line)
{
    static const struct {
        const char *ids;
        size_t rows;
        float spoilt;
        const char *words, *more;
    } cases[] = {
        {"d0\nq1\n", 2, 0, "given.ids:2: q1 is a document and a query", "document<TAB>q1"},
        {"d0\nd1\nd0\n", 3, 0, "given.ids:3: document d0 stands twice", ""},
        {"d0\ntext\td1\n", 2, 0, "given.ids:2: \"text\" before a tab", "query<TAB>ID"},
        {"d0\nd1\n", 1, 0, "given.ids:2: a line for row 1", "has 1 rows"},
        {"d0\nd1\n", 3, 0, "2 lines for the 3 rows", "given.npy"},
        {"d0\nd1\n", 2, NAN, "row 1, of document d1", "no finite number"},
        {"d0\nd2\nq0\n", 3, 0, "3 of 5 documents have no vector", "first is d1"},
        {"d0\nd1\nd2\nd3\ndocument\tq1\nq0\n", 6, 0, "1 of 2 train queries", "first is q2"},
        {"d0\nd1\nd2\nd3\ndocument\tq1\nq0\nq2\n", 7, 0, "1 of 1 dev queries", "first is q1"},
    };
    struct job_run run;
    run_open(&run);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct matrix documents, asked;
        struct error err = {0};
        char *path = put(cases[c].rows, cases[c].ids, cases[c].spoilt);
        check_failed(given_vectors_read(&documents, &asked, &run, path, &err), &err, STATUS_WORLD,
                     cases[c].words, cases[c].more);
        ck_assert(!documents.values && !asked.values);
        free(path);
    }
    collection_free(&run.collection);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(the_ids_lie_beside_the_vectors),
                                    TEST(rows_go_to_their_texts),
                                    TEST(what_does_not_fit_is_refused_with_its_line),
                                    {0}};
    return run_tests("distill/given_vectors", rows);
}
