/* data/qrels: both forms, and what is refused. */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/qrels.h"

static int read_text(struct qrels *out, const char *text, struct error *err)
{
    *err = (struct error){0};
    char *path = scratch_file("qrels", text, strlen(text));
    int status = qrels_read(out, path, err);
    free(path);
    return status;
}

/* "query:document=grade,... " for every query. */
static void check_qrels(const char *text, const char *expected)
{
    struct qrels qrels;
    struct error err;
    check_ok(read_text(&qrels, text, &err), &err);
    struct text got = {0};
    for (size_t i = 0; i < qrels.count; i++) {
        text_printf(&got, "%s:", qrels.queries[i].id);
        for (size_t j = 0; j < qrels.queries[i].count; j++)
            text_printf(&got, "%s=%d,", qrels.queries[i].judgements[j].document,
                        qrels.queries[i].judgements[j].grade);
    }
    ck_assert_str_eq(got.bytes, expected);
    text_free(&got);
    qrels_free(&qrels);
    ck_assert_ptr_null(qrels.queries);
}

START_TEST(both_forms_are_read)
{
    check_qrels("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td1\t0\nq1\td2\t-1\n",
                "q1:d1=1,d2=-1,q2:d1=0,");
    check_qrels("q1\td1\t1\r\nq2\td1\t2\r\n", "q1:d1=1,q2:d1=2,");
    check_qrels("\xef\xbb\xbfq1 0 d1 1\n\nq1 Q0  d2\t3\n", "q1:d1=1,d2=3,");
    check_qrels("q 1\td 1\t1\nq 1\t d\t2\n", "q 1:d 1=1, d=2,");
    check_qrels("q1\t0\td1\t1\n", "q1:d1=1,");
    check_qrels("q1\td1\t2.0\n", "q1:d1=2,");
    check_qrels("q1 d1 1", "q1:d1=1,");
}
END_TEST

START_TEST(judgements_are_found)
{
    struct qrels qrels = {0};
    char id[16];
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "d%d", i);
        ck_assert(qrels_add(&qrels, "long", id, i % 3));
        if (i < 5) ck_assert(qrels_add(&qrels, "short", id, -i));
    }
    ck_assert(!qrels_add(&qrels, "long", "d17", 1));
    ck_assert(!qrels_add(&qrels, "short", "d4", 1));
    const struct judged_query *query = qrels_find(&qrels, "long");
    ck_assert_uint_eq(query->count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "d%d", i);
        ck_assert_int_eq(qrels_grade(query, id), i % 3);
    }
    ck_assert_int_eq(qrels_grade(query, "d100"), 0);
    ck_assert_uint_eq(qrels_relevant(query), 66);
    query = qrels_find(&qrels, "short");
    ck_assert_int_eq(qrels_grade(query, "d4"), -4);
    ck_assert_int_eq(qrels_grade(query, "d5"), 0);
    ck_assert_uint_eq(qrels_relevant(query), 0);
    ck_assert_ptr_null(qrels_find(&qrels, "none"));
    qrels_free(&qrels);
}
END_TEST

START_TEST(malformed_lines_are_refused_with_file_and_line)
{
    struct qrels qrels;
    struct error err;
    check_failed(read_text(&qrels, "q1\td1\t1\nq1\td2\n", &err), &err, STATUS_WORLD, "qrels:2",
                 "2 columns");
    check_failed(read_text(&qrels, "q1 0 d1 1 x\n", &err), &err, STATUS_WORLD, "qrels:1",
                 "5 columns");
    check_failed(read_text(&qrels, "q1\td1\t1\nq1\td2\tyes\n", &err), &err, STATUS_WORLD, "qrels:2",
                 "\"yes\"", "whole number");
    check_failed(read_text(&qrels, "q1 0 d1 x\n", &err), &err, STATUS_WORLD, "qrels:1",
                 "whole number");
    check_failed(read_text(&qrels, "q1\td1\t1.5\n", &err), &err, STATUS_WORLD, "1.5");
    check_failed(read_text(&qrels, "q1\td1\t0x1\n", &err), &err, STATUS_WORLD, "0x1");
    check_failed(read_text(&qrels, "q1\td1\t\n", &err), &err, STATUS_WORLD, "\"\"");
    check_failed(read_text(&qrels, "q1\td1\t99999999999\n", &err), &err, STATUS_WORLD,
                 "whole number");
    check_failed(read_text(&qrels, "q1\t\t1\n", &err), &err, STATUS_WORLD, "empty");
    check_failed(read_text(&qrels, "q1\td1\t1\nq2\td1\t1\nq1\td1\t1\n", &err), &err, STATUS_WORLD,
                 "qrels:3", "d1", "twice", "q1");
    check_failed(read_text(&qrels, "", &err), &err, STATUS_WORLD, "no judgements");
    check_failed(read_text(&qrels, "query-id\tcorpus-id\tscore\n", &err), &err, STATUS_WORLD,
                 "no judgements");
    check_failed(read_text(&qrels, "q1\td\xff\t1\n", &err), &err, STATUS_WORLD, "qrels:1", "UTF-8");
    ck_assert_ptr_null(qrels.queries);
    err = (struct error){0};
    check_failed(qrels_read(&qrels, "/nonexistent", &err), &err, STATUS_WORLD, "/nonexistent");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(both_forms_are_read),
        TEST(judgements_are_found),
        TEST(malformed_lines_are_refused_with_file_and_line),
        {0},
    };
    return run_tests("data/qrels", rows);
}
