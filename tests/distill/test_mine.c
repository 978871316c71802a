/* distill/mine: which documents become candidates, which are kept, and the files. */
#include "distill/mine.h"
#include "data/output.h"
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct candidate_set *mine(struct candidate_sets *sets, uint32_t query,
                                        struct labels labels, const struct mined_list *lists,
                                        size_t num_lists, size_t scored)
{
    mine_query(sets, query, &labels, lists, num_lists, scored);
    return candidate_sets_find(sets, query);
}

/* "12+ 7 5!": rows, + a positive, ! a false negative. */
static void check_set(const struct candidate_set *set, const char *expected)
{
    static const char *const marks[] = {"+", "", "!"};
    struct text text = {0};
    text_puts(&text, "");
    for (size_t i = 0; i < set->count; i++)
        text_printf(&text, "%s%u%s", i ? " " : "", set->candidates[i].document,
                    marks[set->candidates[i].kind]);
    ck_assert_str_eq(text.bytes, expected);
    text_free(&text);
}

static const uint32_t bm25_rows[] = {4, 7, 1, 9, 3}, teacher_rows[] = {7, 2, 4, 8, 6, 0};
static const struct mined_list both[] = {
    {bm25_rows, COUNT(bm25_rows), CANDIDATE_BM25},
    {teacher_rows, COUNT(teacher_rows), CANDIDATE_TEACHER},
};

START_TEST(candidates_come_from_the_sources_in_turn)
{
    const uint32_t positives[] = {1, 5};
    struct labels labels = {positives, 2, 8, -1};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 10);
    check_set(mine(&sets, 0, labels, both, 2, 32), "1+ 5+ 4 7 2 9 8 3 6 0");
    check_set(mine(&sets, 1, labels, both, 2, 4), "1+ 5+ 4 7 2 9");
    check_set(mine(&sets, 2, labels, both, 2, 0), "1+ 5+");
    check_set(mine(&sets, 3, labels, both, 1, 3), "1+ 5+ 4 7 9");
    check_set(mine(&sets, 4, labels, NULL, 0, 3), "1+ 5+");
    ck_assert_ptr_null(candidate_sets_find(&sets, 5));
    ck_assert_ptr_null(candidate_sets_find(&sets, 10));
    candidate_sets_free(&sets);
    ck_assert_ptr_null(sets.sets);
}
END_TEST

START_TEST(labelled_positives_beyond_the_limit_are_not_mined)
{
    const uint32_t positives[] = {9, 7, 4};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 2);
    check_set(mine(&sets, 0, (struct labels){positives, 3, 1, -1}, both, 2, 3), "9+ 2 1 8");
    check_set(mine(&sets, 1, (struct labels){positives, 3, 0, -1}, both, 2, 2), "2 1");
    candidate_sets_free(&sets);
}
END_TEST

START_TEST(the_excluded_document_is_no_candidate)
{
    const uint32_t positives[] = {9, 7};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 2);
    check_set(mine(&sets, 0, (struct labels){positives, 2, 8, 4}, both, 2, 3), "9+ 7+ 2 1 8");
    check_set(mine(&sets, 1, (struct labels){positives, 2, 1, 9}, both, 2, 1), "7+ 4");
    candidate_sets_free(&sets);
}
END_TEST

START_TEST(sources_and_best_ranks_are_noted)
{
    const uint32_t positives[] = {8, 5};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 1);
    const struct candidate *c =
        mine(&sets, 0, (struct labels){positives, 2, 8, -1}, both, 2, 3)->candidates;
    const struct candidate expected[] = {
        {8, 1.0f / 4, CANDIDATE_POSITIVE, CANDIDATE_TEACHER},
        {5, 0, CANDIDATE_POSITIVE, 0},
        {4, 1, CANDIDATE_NEGATIVE, CANDIDATE_BM25 | CANDIDATE_TEACHER},
        {7, 1, CANDIDATE_NEGATIVE, CANDIDATE_BM25 | CANDIDATE_TEACHER},
        {2, 1.0f / 2, CANDIDATE_NEGATIVE, CANDIDATE_TEACHER},
    };
    for (size_t i = 0; i < COUNT(expected); i++) {
        ck_assert_uint_eq(c[i].document, expected[i].document);
        ck_assert(c[i].score == expected[i].score);
        ck_assert_int_eq(c[i].kind, expected[i].kind);
        ck_assert_int_eq(c[i].sources, expected[i].sources);
    }
    candidate_sets_free(&sets);
}
END_TEST

/* Labelled or not, wanted or not, there or not: only what is new and no positive joins. */
START_TEST(more_joins_behind_what_is_there)
{
    const uint32_t positives[] = {9, 7}, found[] = {7, 1, 9, 6, 2, 5, 3};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 1);
    const struct labels labels = {positives, 2, 1, 6};
    mine(&sets, 0, labels, both, 2, 2);
    check_set(&sets.sets[0], "9+ 4 2");
    const struct mined_list list = {found, COUNT(found), CANDIDATE_STUDENT};
    ck_assert_uint_eq(mine_more(&sets.sets[0], &labels, &list), 3);
    check_set(&sets.sets[0], "9+ 4 2 1 5 3");
    static const int sources[] = {CANDIDATE_TEACHER | CANDIDATE_STUDENT,
                                  CANDIDATE_BM25 | CANDIDATE_TEACHER,
                                  CANDIDATE_TEACHER | CANDIDATE_STUDENT,
                                  CANDIDATE_STUDENT,
                                  CANDIDATE_STUDENT,
                                  CANDIDATE_STUDENT};
    for (size_t i = 0; i < COUNT(sources); i++)
        ck_assert_int_eq(sets.sets[0].candidates[i].sources & CANDIDATE_STUDENT,
                         sources[i] & CANDIDATE_STUDENT);
    ck_assert_uint_eq(mine_more(&sets.sets[0], &labels, &list), 0);
    candidate_sets_free(&sets);
}
END_TEST

START_TEST(what_has_no_score_leaves)
{
    const uint32_t positives[] = {9};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 2);
    for (uint32_t q = 0; q < 2; q++)
        mine(&sets, q, (struct labels){positives, 1, 1, -1}, both, 2, 3);
    check_set(&sets.sets[0], "9+ 4 7 2");
    ck_assert_uint_eq(drop_unscored(&sets).candidates, 0);
    sets.sets[0].candidates[1].score = NAN;
    sets.sets[0].candidates[3].score = NAN;
    sets.sets[1].candidates[2].score = NAN;
    struct dropped dropped = drop_unscored(&sets);
    ck_assert_uint_eq(dropped.candidates, 3);
    ck_assert_uint_eq(dropped.positives + dropped.queries, 0);
    check_set(&sets.sets[0], "9+ 7");
    check_set(&sets.sets[1], "9+ 4 2");
    sets.sets[1].candidates[0].score = NAN;
    dropped = drop_unscored(&sets);
    ck_assert_uint_eq(dropped.positives, 1);
    ck_assert_uint_eq(dropped.queries, 1);
    check_set(&sets.sets[1], "4 2");
    ck_assert_uint_eq(drop_unscored(&sets).queries, 0); /* it had none any more */
    candidate_sets_free(&sets);
}
END_TEST

START_TEST(what_has_no_score_gets_its_querys_lowest)
{
    static const float before[3][3] = {{NAN, 2, -1}, {NAN, NAN, NAN}, {5, NAN, 7}};
    static const float after[3][3] = {{-1, 2, -1}, {NAN, NAN, NAN}, {5, 5, 7}};
    struct candidate_sets sets;
    candidate_sets_init(&sets, 3);
    for (uint32_t q = 0; q < 3; q++)
        for (uint32_t c = 0; c < 3; c++) {
            struct candidate_set *set = c ? &sets.sets[q] : candidate_sets_add(&sets, q);
            candidate_set_add(set, (struct candidate){.document = c, .score = before[q][c]});
        }
    lower_unscored(&sets);
    for (size_t q = 0; q < 3; q++)
        for (size_t c = 0; c < 3; c++) {
            float got = sets.sets[q].candidates[c].score, expected = after[q][c];
            ck_assert(isnan(expected) ? isnan(got) : got == expected);
        }
    candidate_sets_free(&sets);
}
END_TEST

/* Two queries with logits 4+ 2+ 3 1 0 and 6+ 8 5 6, one without positives: 9 1.  Of all eleven the
 * mean is 45 / 11, the mean square 273 / 11, so the deviation sqrt(8.083) = 2.843. */
static void fill_scored(struct candidate_sets *sets)
{
    static const struct {
        uint32_t query;
        float score;
        enum candidate_kind kind;
    } rows[] = {
        {1, 4, CANDIDATE_POSITIVE}, {1, 2, CANDIDATE_POSITIVE}, {1, 3, CANDIDATE_NEGATIVE},
        {1, 1, CANDIDATE_NEGATIVE}, {1, 0, CANDIDATE_NEGATIVE}, {0, 6, CANDIDATE_POSITIVE},
        {0, 8, CANDIDATE_NEGATIVE}, {0, 5, CANDIDATE_NEGATIVE}, {0, 6, CANDIDATE_NEGATIVE},
        {3, 9, CANDIDATE_NEGATIVE}, {3, 1, CANDIDATE_NEGATIVE},
    };
    candidate_sets_init(sets, 4);
    struct candidate_set *set = NULL;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!set || set->query != rows[i].query) set = candidate_sets_add(sets, rows[i].query);
        candidate_set_add(set, (struct candidate){.document = (uint32_t)i,
                                                  .score = rows[i].score,
                                                  .kind = rows[i].kind});
    }
}

START_TEST(false_negatives_are_those_near_the_best_positive)
{
    struct candidate_sets sets;
    fill_scored(&sets);
    ck_assert_uint_eq(filter_false_negatives(&sets, 0), 1); /* bars 4 and 6 */
    check_set(&sets.sets[0], "0+ 1+ 2 3 4");
    check_set(&sets.sets[1], "5+ 6! 7 8"); /* as good as the positive is not better */
    check_set(&sets.sets[2], "9 10");
    ck_assert_uint_eq(filter_false_negatives(&sets, 0.35), 2); /* 0.35 * 2.843 = 0.995 */
    check_set(&sets.sets[1], "5+ 6! 7 8!");
    ck_assert_uint_eq(filter_false_negatives(&sets, 0.36), 4); /* 0.36 * 2.843 = 1.023 */
    check_set(&sets.sets[0], "0+ 1+ 2! 3 4");
    check_set(&sets.sets[1], "5+ 6! 7! 8!");
    ck_assert_uint_eq(filter_false_negatives(&sets, -0.7), 1); /* bars 5.990 and 7.990 */
    ck_assert_uint_eq(filter_false_negatives(&sets, -0.71), 0);
    check_set(&sets.sets[0], "0+ 1+ 2 3 4");
    candidate_sets_free(&sets);
}
END_TEST

START_TEST(filtering_nothing_is_fine)
{
    struct candidate_sets sets;
    candidate_sets_init(&sets, 1);
    ck_assert_uint_eq(filter_false_negatives(&sets, 1), 0);
    candidate_sets_add(&sets, 0);
    ck_assert_uint_eq(filter_false_negatives(&sets, 1), 0);
    candidate_sets_free(&sets);
}
END_TEST

/* ---- files ---- */

static void add_text(struct texts *texts, struct arena *strings, const char *format, size_t row)
{
    char id[32];
    snprintf(id, sizeof id, format, row);
    size_t values = texts->capacity;
    GROW(texts->ids, texts->count, &texts->capacity);
    GROW(texts->values, texts->count, &values);
    texts->ids[texts->count] = arena_strndup(strings, id, strlen(id));
    texts->values[texts->count] = "";
    strmap_insert(&texts->rows, texts->ids[texts->count], (int64_t)texts->count);
    texts->count++;
}

static void fill_collection(struct collection *out)
{
    *out = (struct collection){0};
    for (size_t row = 0; row < 4; row++) add_text(&out->queries, &out->strings, "q%zu", row);
    for (size_t row = 0; row < 20; row++) add_text(&out->documents, &out->strings, "doc-%zu", row);
}

START_TEST(what_is_written_is_read_back)
{
    static const float scores[] = {1.0f / 3, -11.25f, 0, 1e-20f, 123456.789f, -0.1f};
    struct collection collection;
    struct candidate_sets sets, read;
    fill_collection(&collection);
    fill_scored(&sets);
    for (size_t s = 0, n = 0; s < sets.count; s++)
        for (size_t i = 0; i < sets.sets[s].count; i++, n++) {
            sets.sets[s].candidates[i].score = scores[n % COUNT(scores)];
            sets.sets[s].candidates[i].sources = (int)n % 4;
        }
    filter_false_negatives(&sets, 0.1);
    struct error err = {0};
    char *path = xasprintf("%s/scores.trec", scratch_folder());
    check_ok(candidate_sets_write(&sets, &collection, path, &err), &err);
    check_ok(candidate_sets_read(&read, &collection, path, &err), &err);
    ck_assert_uint_eq(read.count, sets.count);
    for (size_t s = 0; s < sets.count; s++) {
        ck_assert_uint_eq(read.sets[s].query, sets.sets[s].query);
        ck_assert_ptr_eq(candidate_sets_find(&read, sets.sets[s].query), &read.sets[s]);
        ck_assert_uint_eq(read.sets[s].count, sets.sets[s].count);
        for (size_t i = 0; i < sets.sets[s].count; i++) {
            struct candidate a = sets.sets[s].candidates[i], b = read.sets[s].candidates[i];
            ck_assert(a.document == b.document && a.score == b.score && a.kind == b.kind &&
                      a.sources == b.sources);
        }
    }
    candidate_sets_free(&sets);
    candidate_sets_free(&read);
    collection_free(&collection);
    free(path);
}
END_TEST

START_TEST(the_file_is_a_run_with_reasons)
{
    const uint32_t positives[] = {8, 5};
    struct collection collection;
    struct candidate_sets sets;
    struct error err = {0};
    struct text bytes = {0};
    fill_collection(&collection);
    candidate_sets_init(&sets, 4);
    mine(&sets, 2, (struct labels){positives, 2, 8, -1}, both, 2, 3);
    sets.sets[0].candidates[4].kind = CANDIDATE_FALSE_NEGATIVE;
    sets.sets[0].candidates[4].sources |= CANDIDATE_STUDENT;
    char *path = xasprintf("%s/candidates.trec", scratch_folder());
    check_ok(candidate_sets_write(&sets, &collection, path, &err), &err);
    check_ok(read_whole_file(&bytes, path, 10000, &err), &err);
    ck_assert_str_eq(bytes.bytes, "q2\tQ0\tdoc-8\t1\t0.25\tpositive:teacher\n"
                                  "q2\tQ0\tdoc-5\t2\t0\tpositive\n"
                                  "q2\tQ0\tdoc-4\t3\t1\tnegative:bm25+teacher\n"
                                  "q2\tQ0\tdoc-7\t4\t1\tnegative:bm25+teacher\n"
                                  "q2\tQ0\tdoc-2\t5\t0.5\tfalse-negative:teacher+student\n");
    text_free(&bytes);
    candidate_sets_free(&sets);
    collection_free(&collection);
    free(path);
}
END_TEST

START_TEST(files_of_others_are_refused)
{
    static const struct {
        const char *line, *word;
    } rows[] = {
        {"q9 Q0 doc-1 1 1 positive\n", "query q9"},
        {"q1 Q0 doc-99 1 1 positive\n", "document doc-99"},
        {"q1 Q0 doc-1 1 1 bm25\n", "\"bm25\""},
        {"q1 Q0 doc-1 1 1 positive:bm\n", "\"positive:bm\""},
        {"q1 Q0 doc-1 1 1 negative:\n", "\"negative:\""},
        {"q1 Q0 doc-1 1 1 negative:bm25+\n", "\"negative:bm25+\""},
        {"q1 Q0 doc-1 1 1 negative:bm25+bm25\n", "\"negative:bm25+bm25\""},
        {"q1 Q0 doc-1 1 1 negative:bm25\nq1 Q0 doc-2 2 1 positive\n", "positive doc-2"},
    };
    struct collection collection;
    struct candidate_sets sets;
    fill_collection(&collection);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err = {0};
        char *path = scratch_file("bad.trec", rows[i].line, strlen(rows[i].line));
        check_failed(candidate_sets_read(&sets, &collection, path, &err), &err, STATUS_WORLD,
                     "bad.trec", rows[i].word);
        ck_assert_ptr_null(sets.set_of);
        free(path);
    }
    struct error err = {0};
    check_failed(candidate_sets_read(&sets, &collection, "/absent/run", &err), &err, STATUS_WORLD,
                 "/absent/run");
    collection_free(&collection);
}
END_TEST

START_TEST(a_score_that_is_no_number_is_not_written)
{
    struct collection collection;
    struct candidate_sets sets;
    struct error err = {0};
    fill_collection(&collection);
    fill_scored(&sets);
    sets.sets[1].candidates[2].score = NAN;
    char *path = xasprintf("%s/nan.trec", scratch_folder());
    check_failed(candidate_sets_write(&sets, &collection, path, &err), &err, STATUS_WORLD,
                 "query q0", "document doc-7", "finite");
    ck_assert(!path_exists(path));
    candidate_sets_free(&sets);
    collection_free(&collection);
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(candidates_come_from_the_sources_in_turn),
        TEST(labelled_positives_beyond_the_limit_are_not_mined),
        TEST(the_excluded_document_is_no_candidate),
        TEST(sources_and_best_ranks_are_noted),
        TEST(more_joins_behind_what_is_there),
        TEST(what_has_no_score_leaves),
        TEST(what_has_no_score_gets_its_querys_lowest),
        TEST(false_negatives_are_those_near_the_best_positive),
        TEST(filtering_nothing_is_fine),
        TEST(what_is_written_is_read_back),
        TEST(the_file_is_a_run_with_reasons),
        TEST(files_of_others_are_refused),
        TEST(a_score_that_is_no_number_is_not_written),
        {0},
    };
    return run_tests("distill/mine", rows);
}
