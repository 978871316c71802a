/* distill/step_batch: every step against what the header says, from the sets alone. */
#include "distill/step_batch.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

enum { QUERIES = 11, DOCUMENTS = 24, CANDIDATES = 9, POSITIVES = 2, NEGATIVES = 3, BATCH = 4 };

/* Query q has positives q and q + 1, the judged document q + 2 that is no candidate, and mined
 * documents, every third of which is a false negative.  Queries share documents. */
struct set_case {
    struct train_set set;
    struct train_query queries[QUERIES];
    struct candidate candidates[QUERIES][CANDIDATES];
    uint32_t relevant[QUERIES][POSITIVES + 1];
};

static void set_make(struct set_case *out, bool use_teacher)
{
    *out = (struct set_case){0};
    for (uint32_t q = 0; q < QUERIES; q++) {
        for (uint32_t c = 0; c < CANDIDATES; c++) {
            enum candidate_kind kind = c < POSITIVES ? CANDIDATE_POSITIVE
                                       : c % 3 == 0  ? CANDIDATE_FALSE_NEGATIVE
                                                     : CANDIDATE_NEGATIVE;
            uint32_t document = c < POSITIVES ? q + c : (q + c + 1) % DOCUMENTS;
            out->candidates[q][c] =
                (struct candidate){.document = document, .score = test_value(q, c), .kind = kind};
        }
        for (uint32_t r = 0; r <= POSITIVES; r++) out->relevant[q][r] = q + r;
        out->queries[q] = (struct train_query){.query = 100 + q,
                                               .candidates = out->candidates[q],
                                               .num_candidates = CANDIDATES,
                                               .relevant = out->relevant[q],
                                               .num_relevant = POSITIVES + 1,
                                               .weight = 1};
    }
    out->set = (struct train_set){.queries = out->queries,
                                  .count = QUERIES,
                                  .num_documents = DOCUMENTS,
                                  .negatives = NEGATIVES,
                                  .use_teacher = use_teacher,
                                  .seed = 13};
}

static const struct candidate *candidate_of(const struct train_query *query, uint32_t document)
{
    if (query->version && document == query->candidates[0].document) return NULL;
    if (query->version && document == query->version) return &query->candidates[0];
    for (size_t c = 0; c < query->num_candidates; c++)
        if (query->candidates[c].document == document) return &query->candidates[c];
    return NULL;
}

static bool is_relevant(const struct train_query *query, uint32_t document)
{
    for (size_t r = 0; r < query->num_relevant; r++)
        if (query->relevant[r] == document) return true;
    return false;
}

static void check_mask(const struct step_batch *batch, int row, const struct train_query *query,
                       bool use_teacher)
{
    for (int d = 0; d < batch->num_documents; d++) {
        const struct candidate *candidate = candidate_of(query, batch->documents[d]);
        bool is_false = use_teacher && candidate && candidate->kind == CANDIDATE_FALSE_NEGATIVE;
        bool allowed =
            d == batch->positive[row] || (!is_relevant(query, batch->documents[d]) && !is_false);
        ck_assert_int_eq(batch->mask[row * batch->num_documents + d], allowed);
    }
}

/* All candidates that stand in the step, false negatives too; the positive first. */
static void check_list(const struct step_batch *batch, int row, const struct train_query *query)
{
    int first = batch->starts[row], behind = batch->starts[row + 1], expected = 0;
    ck_assert_int_eq(batch->columns[first], batch->positive[row]);
    for (int d = 0; d < batch->num_documents; d++)
        expected += candidate_of(query, batch->documents[d]) != NULL;
    ck_assert_int_eq(behind - first, expected);
    for (int e = first; e < behind; e++) {
        const struct candidate *candidate =
            candidate_of(query, batch->documents[batch->columns[e]]);
        ck_assert(candidate && candidate->score == batch->teacher[e]);
        for (int before = first; before < e; before++)
            ck_assert_int_ne(batch->columns[e], batch->columns[before]);
    }
}

static void check_step(const struct step_batch *batch, const struct set_case *sets, bool teacher)
{
    for (int d = 0; d < batch->num_documents; d++)
        for (int before = 0; before < d; before++)
            ck_assert_uint_ne(batch->documents[d], batch->documents[before]);
    for (int q = 0; q < batch->num_queries; q++) {
        const struct train_query *query = &sets->queries[batch->queries[q] - 100];
        const struct candidate *positive =
            candidate_of(query, batch->documents[batch->positive[q]]);
        int others = 0;
        ck_assert(positive && positive->kind == CANDIDATE_POSITIVE);
        for (int d = 0; d < batch->num_documents; d++) {
            const struct candidate *found = candidate_of(query, batch->documents[d]);
            others += found && found->kind != CANDIDATE_POSITIVE;
        }
        ck_assert_int_ge(others, NEGATIVES);
        check_mask(batch, q, query, teacher);
        check_list(batch, q, query);
    }
}

static void check_epochs(bool teacher)
{
    struct set_case sets;
    struct step_batch batch = {0};
    set_make(&sets, teacher);
    uint64_t per_epoch = steps_per_epoch(&sets.set, BATCH);
    ck_assert_uint_eq(per_epoch, 3);
    for (uint64_t epoch = 0; epoch < 4; epoch++) {
        int seen[QUERIES] = {0};
        for (uint64_t step = 0; step < per_epoch; step++) {
            step_batch_fill(&batch, &sets.set, BATCH, epoch * per_epoch + step);
            ck_assert_int_eq(batch.num_queries, step == 2 ? QUERIES - 2 * BATCH : BATCH);
            check_step(&batch, &sets, teacher);
            for (int q = 0; q < batch.num_queries; q++) seen[batch.queries[q] - 100]++;
        }
        for (int q = 0; q < QUERIES; q++) ck_assert_int_eq(seen[q], 1);
    }
    step_batch_free(&batch);
}

START_TEST(steps_are_what_the_sets_say_and_an_epoch_has_each_query_once)
{
    check_epochs(true);
}
END_TEST

START_TEST(without_a_teacher_false_negatives_are_negatives)
{
    check_epochs(false);
}
END_TEST

START_TEST(a_step_does_not_depend_on_those_before)
{
    struct set_case sets;
    struct step_batch walked = {0};
    set_make(&sets, true);
    for (uint64_t step = 0; step < 9; step++) {
        struct step_batch jumped = {0};
        step_batch_fill(&walked, &sets.set, BATCH, step);
        step_batch_fill(&jumped, &sets.set, BATCH, step);
        ck_assert_int_eq(walked.num_documents, jumped.num_documents);
        int entries = walked.starts[walked.num_queries];
        ck_assert_int_eq(entries, jumped.starts[jumped.num_queries]);
        ck_assert_mem_eq(walked.queries, jumped.queries,
                         (size_t)walked.num_queries * sizeof *walked.queries);
        ck_assert_mem_eq(walked.documents, jumped.documents,
                         (size_t)walked.num_documents * sizeof *walked.documents);
        ck_assert_mem_eq(walked.columns, jumped.columns, (size_t)entries * sizeof *walked.columns);
        ck_assert_mem_eq(walked.mask, jumped.mask,
                         (size_t)(walked.num_queries * walked.num_documents));
        step_batch_free(&jumped);
    }
    step_batch_free(&walked);
}
END_TEST

/* Documents that one query draws over many epochs. */
START_TEST(every_positive_and_every_negative_has_its_turn)
{
    struct set_case sets;
    struct step_batch batch = {0};
    int positives[DOCUMENTS] = {0}, others[DOCUMENTS] = {0};
    set_make(&sets, true);
    sets.set.count = 1;
    for (uint64_t epoch = 0; epoch < 200; epoch++) {
        step_batch_fill(&batch, &sets.set, BATCH, epoch);
        ck_assert_int_eq(batch.num_documents, 1 + NEGATIVES);
        for (int d = 0; d < batch.num_documents; d++)
            (d == batch.positive[0] ? positives : others)[batch.documents[d]]++;
    }
    for (int p = 0; p < POSITIVES; p++) ck_assert_int_gt(positives[p], 60);
    for (int c = POSITIVES; c < CANDIDATES; c++) /* 200 * 3 / 7 each */
        ck_assert_int_gt(others[sets.candidates[0][c].document], 50);
    step_batch_free(&batch);
}
END_TEST

START_TEST(seeds_differ)
{
    struct set_case sets;
    struct step_batch a = {0}, b = {0};
    set_make(&sets, true);
    step_batch_fill(&a, &sets.set, QUERIES, 0);
    sets.set.seed = 14;
    step_batch_fill(&b, &sets.set, QUERIES, 0);
    ck_assert_mem_ne(a.queries, b.queries, QUERIES * sizeof *a.queries);
    step_batch_free(&a);
    step_batch_free(&b);
}
END_TEST

START_TEST(a_query_may_have_few_candidates_or_very_many)
{
    enum { MANY = 3000 };
    struct set_case sets;
    struct step_batch batch = {0};
    struct candidate *many = xcalloc(MANY, sizeof *many);
    set_make(&sets, true);
    for (uint32_t c = 0; c < MANY; c++)
        many[c] =
            (struct candidate){.document = c, .kind = c ? CANDIDATE_NEGATIVE : CANDIDATE_POSITIVE};
    sets.queries[0].num_candidates = 1;
    sets.queries[1] = (struct train_query){.query = 101,
                                           .candidates = many,
                                           .num_candidates = MANY,
                                           .relevant = sets.relevant[0],
                                           .weight = 1};
    sets.set.count = 2;
    sets.set.num_documents = MANY;
    step_batch_fill(&batch, &sets.set, 2, 0);
    ck_assert_int_eq(batch.num_queries, 2);
    ck_assert_int_ge(batch.num_documents, 1 + NEGATIVES);
    ck_assert_int_le(batch.num_documents, 2 + NEGATIVES);
    step_batch_free(&batch);
    free(many);
}
END_TEST

/* Queries 0 and 1 have versions of documents 0 and 1 as positives, query 2 another one of document
 * 1: in the masks a version counts as its document, in the lists it is a text of its own. */
START_TEST(a_version_is_a_document_for_masks_and_a_text_for_lists)
{
    enum { VERSIONS = 3 };
    static const uint32_t positive[VERSIONS] = {0, 1, 1};
    struct set_case sets;
    struct step_batch batch = {0};
    uint32_t document_of[DOCUMENTS + VERSIONS];
    set_make(&sets, true);
    for (uint32_t d = 0; d < DOCUMENTS; d++) document_of[d] = d;
    for (uint32_t v = 0; v < VERSIONS; v++) {
        document_of[DOCUMENTS + v] = positive[v];
        sets.candidates[v][0].document = positive[v];
        sets.queries[v].version = DOCUMENTS + v;
        sets.candidates[v][1].kind = CANDIDATE_NEGATIVE;
        sets.candidates[v][1].document = (positive[v] + 15) % DOCUMENTS;
        sets.queries[v].relevant = &document_of[DOCUMENTS + v];
        sets.queries[v].num_relevant = 1;
    }
    sets.set.num_documents = DOCUMENTS + VERSIONS;
    sets.set.document_of = document_of;
    for (uint64_t step = 0; step < 20; step++) {
        step_batch_fill(&batch, &sets.set, QUERIES, step);
        for (int q = 0; q < batch.num_queries; q++) {
            uint32_t query = batch.queries[q] - 100;
            check_list(&batch, q, &sets.queries[query]);
            if (query >= VERSIONS) continue;
            ck_assert_uint_eq(batch.documents[batch.positive[q]], DOCUMENTS + query);
            for (int d = 0; d < batch.num_documents; d++)
                if (document_of[batch.documents[d]] == positive[query])
                    ck_assert_int_eq(batch.mask[q * batch.num_documents + d],
                                     d == batch.positive[q]);
        }
        for (int d = 0; d < batch.num_documents; d++)
            for (int before = 0; before < d; before++)
                ck_assert_uint_ne(batch.documents[d], batch.documents[before]);
    }
    step_batch_free(&batch);
}
END_TEST

/* Weights 1, 1/2, 1/3, ...: 3.02 in sum, so that three queries are drawn each epoch. */
START_TEST(a_weight_is_the_share_of_epochs_that_draw_the_query)
{
    enum { EPOCHS = 6000 };
    struct set_case sets;
    struct step_batch batch = {0};
    int drawn[QUERIES] = {0};
    double sum = 0;
    set_make(&sets, true);
    for (int q = 0; q < QUERIES; q++) sum += sets.queries[q].weight = 1.0 / (q + 1);
    ck_assert_uint_eq(queries_per_epoch(&sets.set), 3);
    ck_assert_uint_eq(steps_per_epoch(&sets.set, 2), 2);
    for (uint64_t step = 0; step < 2 * EPOCHS; step++) {
        step_batch_fill(&batch, &sets.set, 2, step);
        ck_assert_int_eq(batch.num_queries, step % 2 ? 1 : 2);
        for (int q = 0; q < batch.num_queries; q++) drawn[batch.queries[q] - 100]++;
    }
    for (int q = 0; q < QUERIES; q++)
        ck_assert_double_eq_tol(drawn[q] / (double)EPOCHS, 3 / sum / (q + 1), 0.02);
    step_batch_free(&batch);
}
END_TEST

START_TEST(weights_that_sum_to_less_than_one_draw_one)
{
    struct set_case sets;
    struct step_batch batch = {0};
    set_make(&sets, true);
    for (int q = 0; q < QUERIES; q++) sets.queries[q].weight = q ? 0 : 0.25;
    for (uint64_t step = 0; step < 20; step++) {
        step_batch_fill(&batch, &sets.set, BATCH, step);
        ck_assert_int_eq(batch.num_queries, 1);
    }
    step_batch_free(&batch);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(steps_are_what_the_sets_say_and_an_epoch_has_each_query_once),
        TEST(without_a_teacher_false_negatives_are_negatives),
        TEST(a_step_does_not_depend_on_those_before),
        TEST(every_positive_and_every_negative_has_its_turn),
        TEST(seeds_differ),
        TEST(a_version_is_a_document_for_masks_and_a_text_for_lists),
        TEST(a_weight_is_the_share_of_epochs_that_draw_the_query),
        TEST(weights_that_sum_to_less_than_one_draw_one),
        TEST(a_query_may_have_few_candidates_or_very_many),
        {0}};
    return run_tests("distill/step_batch", rows);
}
