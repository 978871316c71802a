/* distill/report*: escaping, plots, names of measures, counts of the data; the page as a whole is
 * checked by test_report.sh. */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/audit.h"
#include "distill/report_page.h"

static void check_text(struct text *out, const char *expected)
{
    ck_assert_str_eq(out->bytes, expected);
    text_clear(out);
}

static size_t count_of(const char *string, const char *part)
{
    size_t count = 0;
    for (const char *at = string; (at = strstr(at, part)); at += strlen(part)) count++;
    return count;
}

START_TEST(texts_are_escaped)
{
    struct text out = {0};
    html_text(&out, "<script>\"a\" & 'b'</script>\n\tc");
    check_text(&out, "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;\n\tc");
    html_text(&out, "a\001b\033c\177");
    check_text(&out, "a\xef\xbf\xbd"
                     "b\xef\xbf\xbd"
                     "c\xef\xbf\xbd");
    html_printf(&out, "%s %d%%", "<a>", 7);
    check_text(&out, "&lt;a&gt; 7%");
    html_number(&out, "%.2f & %s", 0.125, "x");
    check_text(&out, "<td>0.12 &amp; x</td>");
    html_fixed(&out, NAN);
    html_short(&out, 1536);
    check_text(&out, "<td></td><td>1536</td>");
    text_free(&out);
}
END_TEST

START_TEST(excerpts_are_cut_between_characters)
{
    struct text out = {0};
    html_excerpt(&out, "na\xc3\xafve", 5);
    check_text(&out, "na\xc3\xafve");
    html_excerpt(&out, "na\xc3\xafve", 3);
    check_text(&out, "na\xc3\xaf\xe2\x80\xa6");
    html_excerpt(&out, "a<b>", 2);
    check_text(&out, "a&lt;\xe2\x80\xa6");
    text_free(&out);
}
END_TEST

START_TEST(measures_have_the_names_people_use)
{
    static const char *const rows[][2] = {
        {"ndcg_cut_10", "nDCG@10"},   {"map", "MAP"},
        {"map_cut_5", "MAP@5"},       {"recip_rank_cut_10", "MRR@10"},
        {"recall_100", "recall@100"}, {"P_5", "P@5"},
        {"success_1", "hits@1"},      {"recip_rank", "recip_rank"}};
    char title[32];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        measure_title(title, rows[i][0]);
        ck_assert_str_eq(title, rows[i][1]);
    }
}
END_TEST

START_TEST(intervals_have_their_sign_where_they_are_differences)
{
    struct text out = {0};
    html_interval(&out, (struct interval){.5, .25, .75}, false);
    check_text(&out, "<td>0.5000 [0.250, 0.750]</td>");
    html_interval(&out, (struct interval){.5, -.25, .75}, true);
    check_text(&out, "<td>+0.5000 [-0.250, +0.750]</td>");
    html_interval(&out, (struct interval){.5, NAN, NAN}, false);
    check_text(&out, "<td>0.5000</td>");
    html_interval(&out, (struct interval){NAN, NAN, NAN}, false);
    check_text(&out, "<td></td>");
    text_free(&out);
}
END_TEST

/* On a plot 400 x 264 with margins 52, 12, 12 and 44: points at known
 * places. */
START_TEST(points_stand_where_their_values_are)
{
    struct text out = {0};
    struct plot_point points[] = {{0, 0, NAN, NAN}, {10, 1, .5, 1}};
    const struct plot_series series[] = {{"a<b", points, 2, true, false},
                                         {"none", NULL, 0, true, false}};
    struct plot_curves plot = {.label = {"p", "T & U", "D"},
                               .x_label = "x",
                               .y_label = "y",
                               .series = series,
                               .num_series = 2,
                               .picked = &points[1]};
    plot_curves(&out, &plot);
    ck_assert_ptr_nonnull(strstr(out.bytes, "<title id=\"p-t\">T &amp; U</title>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "<desc id=\"p-d\">D</desc>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, "points=\"52.0,220.0 388.0,12.0\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, "class=\"bar\" x1=\"388.0\" y1=\"116.0\" x2=\"388.0\" "
                                            "y2=\"12.0\""));
    ck_assert_ptr_nonnull(
        strstr(out.bytes, "<circle class=\"ring\" cx=\"388.0\" cy=\"12.0\" r=\"9\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, "<span>a&lt;b</span>"));
    ck_assert_ptr_null(strstr(out.bytes, "none")); /* a series without points */
    text_clear(&out);
    points[0].x = 64, points[1].x = 4096;
    plot.x_log = plot.x_own = true;
    plot_curves(&out, &plot);
    ck_assert_ptr_nonnull(strstr(out.bytes, ">64</text>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, ">4096</text>"));
    ck_assert_ptr_null(strstr(out.bytes, "nan"));
    text_free(&out);
}
END_TEST

START_TEST(plots_of_little_are_drawn_or_left_out)
{
    struct text out = {0};
    struct plot_point point = {3, .25, NAN, NAN};
    struct plot_series series = {"one", &point, 1, true, true};
    struct plot_curves plot = {.label = {"p", "T", "D"}, .x_label = "x", .y_label = "y"};
    plot_curves(&out, &plot);
    ck_assert_uint_eq(out.length, 0);
    plot.series = &series, plot.num_series = 1;
    plot_curves(&out, &plot); /* one point, no range: a mark, and no numbers that are none */
    ck_assert_uint_eq(count_of(out.bytes, "class=\"dot\""), 1);
    ck_assert_ptr_null(strstr(out.bytes, "nan"));
    ck_assert_ptr_null(strstr(out.bytes, "inf"));
    text_free(&out);
}
END_TEST

START_TEST(heat_maps_have_a_cell_a_point)
{
    struct text out = {0};
    const int layers[] = {1, 3}, dims[] = {8, 16};
    const struct interval cells[] = {
        {.1, .05, .15}, {.2, NAN, NAN}, {NAN, NAN, NAN}, {.3, .25, .35}};
    const struct plot_heat plot = {.label = {"h", "T", "D"},
                                   .row_name = "layers",
                                   .column_name = "dims",
                                   .rows = layers,
                                   .columns = dims,
                                   .num_rows = 2,
                                   .num_columns = 2,
                                   .cells = cells,
                                   .low = .1,
                                   .high = .3,
                                   .picked_row = 1,
                                   .picked_column = 1};
    plot_heat(&out, &plot);
    ck_assert_uint_eq(count_of(out.bytes, "class=\"edge\""), 3);
    ck_assert_uint_eq(count_of(out.bytes, "class=\"ring\""), 1);
    ck_assert_ptr_nonnull(strstr(out.bytes, "fill-opacity=\"0.04\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, "fill-opacity=\"0.28\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, "fill-opacity=\"0.52\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, ">0.3000</text>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, ">0.250\xe2\x80\x93"
                                            "0.350</text>"));
    ck_assert_ptr_null(strstr(out.bytes, "nan"));
    text_free(&out);
}
END_TEST

START_TEST(interval_rows_share_an_axis)
{
    struct text out = {0};
    const struct plot_interval rows[] = {
        {"worse", {-.1, -.2, 0}, false},
        {"a name of more than thirty-two characters", {0, NAN, NAN}, true}};
    const struct plot_intervals plot = {
        .label = {"i", "T", "D"}, .x_label = "x", .rows = rows, .count = 2, .differences = true};
    plot_intervals(&out, &plot);
    ck_assert_ptr_nonnull(strstr(out.bytes, ">-0.1000 [-0.200, +0.000]</text>"));
    ck_assert_ptr_nonnull(strstr(out.bytes, ">+0.0000</text>"));
    ck_assert_ptr_nonnull(
        strstr(out.bytes, ">a name of more than thirty-two c\xe2\x80\xa6</text>"));
    /* from -0.2 at 18 to 0 at 382 */
    ck_assert_ptr_nonnull(strstr(out.bytes, "class=\"bar\" x1=\"18.0\" y1=\"32.0\" x2=\"382.0\""));
    ck_assert_ptr_nonnull(strstr(out.bytes, "translate(200.0 32.0)"));
    ck_assert_uint_eq(count_of(out.bytes, "class=\"bar\""), 1);
    text_free(&out);
}
END_TEST

START_TEST(collections_are_counted)
{
    struct collection collection = {0};
    struct error err = {0};
    char *folder = path_join(scratch_folder(), "c"), *qrels = path_join(folder, "qrels");
    check_ok(make_folder(qrels, &err), &err);
    const char *const files[][2] = {{"c/corpus.jsonl",
                                     "{\"_id\": \"d1\", \"text\": \"one two three\"}\n"
                                     "{\"_id\": \"d2\", \"text\": \"one two three\"}\n"
                                     "{\"_id\": \"d3\", \"text\": \"\"}\n"},
                                    {"c/queries.jsonl", "{\"_id\": \"q1\", \"text\": \"same\"}\n"
                                                        "{\"_id\": \"q2\", \"text\": \"same\"}\n"},
                                    {"c/qrels/test.tsv", "q1\td1\t2\nq1\td9\t1\nq7\td2\t0\n"},
                                    {"c/qrels/train.tsv", "q2\td2\t1\n"}};
    for (size_t f = 0; f < 4; f++)
        free(scratch_file(files[f][0], files[f][1], strlen(files[f][1])));
    check_ok(collection_read(&collection, folder, &err), &err);
    const struct qrels *test = &collection_split(&collection, "test")->qrels;
    const struct qrels *train = &collection_split(&collection, "train")->qrels;
    ck_assert_uint_eq(count_repeated(&collection.documents), 1);
    ck_assert_uint_eq(count_empty(&collection.documents), 1);
    ck_assert_uint_eq(count_unknown_documents(&collection, test), 1);
    ck_assert_uint_eq(count_unknown_documents(&collection, train), 0);
    ck_assert_uint_eq(count_unknown_queries(&collection, test), 1);
    ck_assert_uint_eq(count_shared(&collection, test, train), 1);
    struct judgement_audit audit = audit_judgements(test);
    ck_assert_uint_eq(audit.queries, 2);
    ck_assert_uint_eq(audit.judgements, 3);
    ck_assert_double_eq(audit.mean_relevant, 1);
    ck_assert_uint_eq(audit.most_relevant, 2);
    ck_assert_int_eq(audit.lowest, 0);
    ck_assert_int_eq(audit.highest, 2);
    audit = audit_judgements(&(struct qrels){0});
    ck_assert_int_eq(audit.lowest, 0);
    ck_assert_int_eq(audit.highest, 0);
    ck_assert_double_eq(audit.mean_relevant, 0);
    size_t values[] = {5, 1, 3};
    struct lengths lengths = lengths_of(values, 3);
    ck_assert_uint_eq(lengths.median, 3);
    ck_assert_uint_eq(lengths.most, 5);
    ck_assert_double_eq(lengths.mean, 3);
    ck_assert_uint_eq(lengths_of(values, 0).most, 0);
    collection_free(&collection);
    free(qrels);
    free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(texts_are_escaped),
        TEST(excerpts_are_cut_between_characters),
        TEST(measures_have_the_names_people_use),
        TEST(intervals_have_their_sign_where_they_are_differences),
        TEST(points_stand_where_their_values_are),
        TEST(plots_of_little_are_drawn_or_left_out),
        TEST(heat_maps_have_a_cell_a_point),
        TEST(interval_rows_share_an_axis),
        TEST(collections_are_counted),
        {0},
    };
    return run_tests("distill/report", rows);
}
