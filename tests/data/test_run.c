/* data/run: reading, trec_eval's order, writing. */
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/run.h"

static int read_text(struct run *out, const char *text, struct error *err)
{
    *err = (struct error){0};
    char *path = scratch_file("in.trec", text, strlen(text));
    int status = run_read(out, path, err);
    free(path);
    return status;
}

START_TEST(lines_are_read_in_their_order)
{
    struct run run;
    struct error err;
    check_ok(
        read_text(&run, "q1 Q0 d2 9 0.5 bm25\nq2\tQ0\td1\t1\t-1e-3\tx\n\nq1 0 d1 1 2 y\r\n", &err),
        &err);
    ck_assert_uint_eq(run.count, 2);
    const struct ranked_query *query = run_find(&run, "q1");
    ck_assert_uint_eq(query->count, 2);
    ck_assert_str_eq(query->documents[0].document, "d2");
    ck_assert_double_eq(query->documents[0].score, 0.5);
    ck_assert_str_eq(query->documents[0].tag, "bm25");
    ck_assert_str_eq(query->documents[1].tag, "y");
    ck_assert_double_eq(run_find(&run, "q2")->documents[0].score, -1e-3);
    ck_assert_ptr_null(run_find(&run, "q3"));
    run_free(&run);
    ck_assert_ptr_null(run.queries);
}
END_TEST

static int read_scores(struct run *out, const char *text, struct error *err)
{
    *err = (struct error){0};
    char *path = scratch_file("scores", text, strlen(text));
    int status = run_read_scores(out, path, err);
    free(path);
    return status;
}

START_TEST(scores_have_three_columns_or_six)
{
    struct run run;
    struct error err;
    check_ok(read_scores(&run,
                         "query-id\tcorpus-id\tscore\nq 1\td 2\t0.5\n\nq2 d1 -1e-3\r\n"
                         "q2 Q0 d2 1 7 t\nq2\t d3\t 8\n",
                         &err),
             &err);
    ck_assert_uint_eq(run.count, 2);
    ck_assert_str_eq(run_find(&run, "q 1")->documents[0].document, "d 2");
    const struct ranked_query *query = run_find(&run, "q2");
    ck_assert_uint_eq(query->count, 3);
    ck_assert_double_eq(query->documents[0].score, -1e-3);
    ck_assert_double_eq(query->documents[1].score, 7);
    ck_assert_str_eq(query->documents[2].document, " d3"); /* divided by tabs, an id is as it is */
    run_free(&run);
    static const char *const refused[][2] = {
        {"q d 1\nq d 2\n", "scores:2: document d stands twice"},
        {"q d nan\n", "scores:1: the score \"nan\" is not"},
        {"q d 1\nq e high\n", "scores:2: the score \"high\" is not"},
        {"q d\n", "scores:1: 2 columns"},
        {"q d 1 2\n", "a pair's \"query document score\""},
        {"\td\t1\n", "scores:1: an id is empty"},
        {"query document score\n", "holds no scores"},
        {"", "holds no scores"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check_failed(read_scores(&run, refused[i][0], &err), &err, STATUS_WORLD, refused[i][1]);
}
END_TEST

START_TEST(ties_go_to_the_larger_id_and_scores_are_32_bits)
{
    struct run run = {0};
    run_add(&run, "q", "d10", 1, "t");
    run_add(&run, "q", "d9", 1, "t");
    run_add(&run, "q", "a", 1 + 1e-12, "t"); /* equal to 1 in 32 bits */
    run_add(&run, "q", "low", -INFINITY, "t");
    run_add(&run, "q", "top", 2, "t");
    run_sort(&run);
    static const char *const expected[] = {"top", "d9", "d10", "a", "low"};
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(run.queries[0].documents[i].document, expected[i]);
    run_free(&run);
}
END_TEST

START_TEST(malformed_lines_are_refused_with_file_and_line)
{
    struct run run;
    struct error err;
    check_failed(read_text(&run, "q1 Q0 d1 1 1.5 t\nq1 Q0 d2 1 1.5\n", &err), &err, STATUS_WORLD,
                 "in.trec:2", "5 columns");
    check_failed(read_text(&run, "q1 Q0 d1 1 high t\n", &err), &err, STATUS_WORLD, "in.trec:1",
                 "\"high\"", "finite");
    check_failed(read_text(&run, "q1 Q0 d1 1 nan t\n", &err), &err, STATUS_WORLD, "\"nan\"");
    check_failed(read_text(&run, "q1 Q0 d1 1 1e999 t\n", &err), &err, STATUS_WORLD, "\"1e999\"");
    check_failed(read_text(&run, "q1 Q0 d1 1 1x t\n", &err), &err, STATUS_WORLD, "\"1x\"");
    check_failed(read_text(&run, "q1 Q0 d1 1 1 t\nq2 Q0 d1 1 1 t\nq1 Q0 d1 2 0 t\n", &err), &err,
                 STATUS_WORLD, "in.trec:3", "d1", "twice", "q1");
    check_failed(read_text(&run, "q1\tQ0\t\t1\t1\tt\n", &err), &err, STATUS_WORLD, "empty");
    err = (struct error){0};
    check_failed(run_read(&run, "/nonexistent", &err), &err, STATUS_WORLD, "/nonexistent");
    ck_assert_ptr_null(run.queries);
}
END_TEST

START_TEST(many_lines_hold_no_document_twice)
{
    struct text text = {0};
    for (int i = 0; i < 5000; i++) text_printf(&text, "q%d Q0 d%d 1 %d t\n", i % 7, i, i);
    struct run run;
    struct error err;
    check_ok(read_text(&run, text.bytes, &err), &err);
    ck_assert_uint_eq(run.count, 7);
    ck_assert_uint_eq(run_find(&run, "q6")->count, 714);
    run_free(&run);
    text_printf(&text, "q%d Q0 d%d 1 0 t\n", 2501 % 7, 2501);
    check_failed(read_text(&run, text.bytes, &err), &err, STATUS_WORLD, "in.trec:5001", "d2501");
    text_free(&text);
}
END_TEST

static struct text written(struct run *run)
{
    struct error err = {0};
    struct text text = {0};
    char *path = xasprintf("%s/out.trec", scratch_folder());
    check_ok(run_write(run, path, &err), &err);
    check_ok(read_whole_file(&text, path, 1 << 20, &err), &err);
    free(path);
    return text;
}

START_TEST(written_runs_read_back_the_same)
{
    struct run run = {0}, back;
    struct error err = {0};
    run_add(&run, "q1", "d1", 0.1, "a");
    run_add(&run, "q1", "d2", 1.0 / 3, "b");
    run_add(&run, "q2", "d1", 12345678.5, "a");
    struct text text = written(&run);
    ck_assert_str_eq(text.bytes,
                     "q1 Q0 d2 1 0.333333343 b\nq1 Q0 d1 2 0.100000001 a\nq2 Q0 d1 1 12345678 a\n");
    check_ok(read_text(&back, text.bytes, &err), &err);
    ck_assert_float_eq((float)back.queries[0].documents[0].score, 1.0f / 3);
    text_free(&text);
    run_free(&run);
    run_free(&back);
}
END_TEST

START_TEST(ids_with_spaces_are_divided_by_tabs)
{
    struct run run = {0}, back;
    struct error err = {0};
    run_add(&run, "q 1", "d1", 1, "a");
    run_add(&run, "q 1", "d  2", 2, "no tag");
    struct text text = written(&run);
    ck_assert_str_eq(text.bytes, "q 1\tQ0\td  2\t1\t2\tno tag\nq 1\tQ0\td1\t2\t1\ta\n");
    check_ok(read_text(&back, text.bytes, &err), &err);
    ck_assert_str_eq(back.queries[0].documents[0].document, "d  2");
    ck_assert_str_eq(back.queries[0].documents[0].tag, "no tag");
    text_free(&text);
    run_free(&run);
    run_free(&back);
}
END_TEST

START_TEST(an_id_like_a_byte_order_mark_survives)
{
    struct run run = {0}, back;
    struct error err = {0};
    run_add(&run, "\xef\xbb\xbfq", "d", 1, "t");
    struct text text = written(&run);
    check_ok(read_text(&back, text.bytes, &err), &err);
    ck_assert_str_eq(back.queries[0].id, "\xef\xbb\xbfq");
    text_free(&text);
    run_free(&run);
    run_free(&back);
}
END_TEST

START_TEST(what_no_column_can_hold_is_not_written)
{
    static const struct {
        const char *query, *document;
        double score;
        const char *tag, *word;
    } rows[] = {{"q\t1", "d", 1, "t", "query id"}, {"q", "d\n", 1, "t", "document id"},
                {"q", "", 1, "t", "empty"},        {"q", "d", 1, "t\r", "tag"},
                {"q", "d", NAN, "t", "finite"},    {"q", "d", 1e300, "t", "finite"}};
    char *path = xasprintf("%s/never.trec", scratch_folder());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run run = {0};
        struct error err = {0};
        run_add(&run, rows[i].query, rows[i].document, rows[i].score, rows[i].tag);
        check_failed(run_write(&run, path, &err), &err, STATUS_WORLD, rows[i].word);
        ck_assert(!path_exists(path));
        run_free(&run);
    }
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(lines_are_read_in_their_order),
        TEST(scores_have_three_columns_or_six),
        TEST(ties_go_to_the_larger_id_and_scores_are_32_bits),
        TEST(malformed_lines_are_refused_with_file_and_line),
        TEST(many_lines_hold_no_document_twice),
        TEST(written_runs_read_back_the_same),
        TEST(ids_with_spaces_are_divided_by_tabs),
        TEST(an_id_like_a_byte_order_mark_survives),
        TEST(what_no_column_can_hold_is_not_written),
        {0},
    };
    return run_tests("data/run", rows);
}
