/* distill/phases: the steps of both phases drive their losses down, are the same however memory is
 * used, and heed their schedule. */
#include "distill/phases.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 8, OUT = 8, TARGET = 6 };
static const char *const queries[PAIRS] = {"red cat", "blue dog",  "old fish", "new bird",
                                           "a house", "the river", "in moon",  "of sun"};
static const char *const documents[PAIRS] = {"the cat sat in the red house",
                                             "a dog ran",
                                             "fish of old",
                                             "the new bird saw a fish",
                                             "house in house of house",
                                             "river . river . ",
                                             "moon ate the moon",
                                             "sun and sun"};

static const struct tap taps[] = {{1, 4}, {2, OUT}};

/* Everything that a phase needs, with 8 pairs whose only relevant document is their own. */
struct phase_case {
    struct dual_encoder de;
    struct pool *pool;
    struct sequences queries, documents;
    struct candidate candidates[PAIRS][PAIRS];
    uint32_t relevant[PAIRS];
    struct train_query train_queries[PAIRS];
    struct train_set set;
    float query_targets[PAIRS * TARGET], document_targets[PAIRS * TARGET];
    uint32_t hpd_texts[2 * PAIRS];
    struct phase_context context;
};

static void fill_set(struct phase_case *c)
{
    for (uint32_t q = 0; q < PAIRS; q++) {
        for (uint32_t d = 0; d < PAIRS; d++) /* the positive first */
            c->candidates[q][d] =
                (struct candidate){.document = (q + d) % PAIRS,
                                   .score = d ? -3.0f : 3.0f,
                                   .kind = d ? CANDIDATE_NEGATIVE : CANDIDATE_POSITIVE};
        c->relevant[q] = q;
        c->train_queries[q] = (struct train_query){.query = q,
                                                   .candidates = c->candidates[q],
                                                   .num_candidates = PAIRS,
                                                   .relevant = &c->relevant[q],
                                                   .num_relevant = 1,
                                                   .weight = 1};
    }
    c->set = (struct train_set){.queries = c->train_queries,
                                .count = PAIRS,
                                .num_documents = PAIRS,
                                .negatives = 3,
                                .use_teacher = true,
                                .seed = 13};
}

/* dropout: in every step. */
static void case_open(struct phase_case *out, size_t keep_bytes, bool dropout)
{
    const struct tiny_shape shape = {
        .layers = 2, .output_size = OUT, .pooling = POOLING_MEAN, .dropout = dropout ? 0.1 : 0};
    *out = (struct phase_case){.pool = pool_open(2)};
    tiny_student_make(&out->de, &shape);
    sequences_encode(&out->queries, out->de.tokenizer, out->pool, queries, NULL, PAIRS, "", 16);
    sequences_encode(&out->documents, out->de.tokenizer, out->pool, documents, NULL, PAIRS, "", 16);
    fill_set(out);
    for (int i = 0; i < PAIRS * TARGET; i++) {
        out->query_targets[i] = test_value(60, (uint64_t)i);
        out->document_targets[i] = test_value(61, (uint64_t)i);
    }
    for (uint32_t i = 0; i < 2 * PAIRS; i++) out->hpd_texts[i] = i;
    const struct text_targets targets = {
        .queries = out->query_targets, .documents = out->document_targets, .width = TARGET};
    out->context =
        (struct phase_context){.de = &out->de,
                               .tape = dual_encoder_tape(&out->de, out->pool, keep_bytes),
                               .queries = &out->queries,
                               .documents = &out->documents,
                               .targets = {targets, targets},
                               .num_targets = 2, /* for layers 1 and 2 */
                               .seed = 13,
                               .dropout = dropout,
                               .hpd_texts = out->hpd_texts,
                               .num_hpd_texts = 2 * PAIRS,
                               .batch_texts = 2 * PAIRS,
                               .train = &out->set,
                               .batch_queries = PAIRS};
    out->context.schedule = (struct tap_schedule){
        .full = {2, OUT}, .listed = taps, .num_listed = 2, .seed = 13, .total_steps = 50};
    out->context.objective = (struct objective){.full = {2, OUT},
                                                .cosine = true,
                                                .scale = 20,
                                                .teacher_temperature = 1,
                                                .coordinate_temperature = 1,
                                                .coordinate_detached = true};
}

static void case_close(struct phase_case *c)
{
    phase_release(&c->context);
    sequences_free(&c->queries);
    sequences_free(&c->documents);
    dual_encoder_free(&c->de);
    pool_close(c->pool);
}

static void add(struct phase_case *c, enum loss_kind kind, double start, double end)
{
    tap_schedule_term(&c->context.schedule, kind, start, end, 0);
}

static double entry(const struct report *report, const char *name)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->entries[i].name, name) == 0) return report->entries[i].value;
    ck_abort_msg("the report has no %s", name);
    return 0;
}

typedef double step_function(void *context, uint64_t step, struct adamw *adamw,
                             struct report *report);

/* AdamW for so many steps; the loss of the last. */
static double train(struct phase_case *c, step_function *step, uint64_t steps)
{
    struct adamw adamw;
    double loss = NAN;
    adamw_init(&adamw, &c->de.params);
    adamw.weight_decay = 0;
    for (uint64_t s = 0; s < steps; s++) {
        struct report report = {0};
        gradients_clear(&adamw.gradients, c->pool);
        loss = step(&c->context, s, &adamw, &report);
        adamw_step(&adamw, &c->de.params, 1, 0.01, c->pool);
        encoder_refresh(&c->de.encoder);
        report_free(&report);
    }
    adamw_settle(&adamw, &c->de.params, c->pool);
    adamw_free(&adamw);
    return loss;
}

START_TEST(fifty_steps_learn_eight_pairs)
{
    struct phase_case c;
    case_open(&c, SIZE_MAX, false);
    add(&c, LOSS_INFO_NCE, 1, 1);
    phase_prepare(&c.context);
    double before = train(&c, distil_step, 1), after = train(&c, distil_step, 50);
    ck_assert_msg(before > 1, "the loss begins at %g", before);
    ck_assert_msg(after < 0.02, "the loss goes from %g to %g", before, after);
    case_close(&c);
}
END_TEST

START_TEST(fifty_steps_copy_targets)
{
    struct phase_case c;
    case_open(&c, SIZE_MAX, false);
    add(&c, LOSS_HPD, 1, 1);
    phase_prepare(&c.context);
    double before = train(&c, hpd_step, 1), after = train(&c, hpd_step, 100);
    ck_assert_msg(before > 0.3, "the loss begins at %g", before);
    ck_assert_msg(after < 0.05 * before, "the loss goes from %g to %g", before, after);
    case_close(&c);
}
END_TEST

START_TEST(all_losses_together_fall)
{
    struct phase_case c;
    case_open(&c, SIZE_MAX, true);
    for (int kind = 0; kind < NUM_LOSSES; kind++)
        if (kind != LOSS_COSENT && kind != LOSS_ANGLE && kind != LOSS_COSINE_MSE) /* of pairs */
            add(&c, kind, 1, kind == LOSS_HPD ? 0.1 : 1);
    phase_prepare(&c.context);
    double before = train(&c, distil_step, 1), after = train(&c, distil_step, 50);
    ck_assert_msg(after < 0.5 * before, "the loss goes from %g to %g", before, after);
    case_close(&c);
}
END_TEST

static void expect_same_training(step_function *step)
{
    struct phase_case kept, recomputed;
    case_open(&kept, SIZE_MAX, true);
    case_open(&recomputed, 0, true);
    struct phase_case *const both[] = {&kept, &recomputed};
    for (int i = 0; i < 2; i++) {
        if (step == distil_step) add(both[i], LOSS_LISTWISE_KL, 1, 1);
        add(both[i], LOSS_HPD, 1, 1);
        phase_prepare(&both[i]->context);
        train(both[i], step, 4);
    }
    ck_assert_mem_eq(kept.de.params.values, recomputed.de.params.values,
                     kept.de.params.size * sizeof(float));
    case_close(&kept);
    case_close(&recomputed);
}

START_TEST(memory_does_not_change_what_is_learnt)
{
    expect_same_training(distil_step);
    expect_same_training(hpd_step);
}
END_TEST

/* A step's gradients depend on the weights and its number alone. */
START_TEST(a_step_can_be_done_again)
{
    struct phase_case c;
    struct report first = {0}, again = {0};
    case_open(&c, SIZE_MAX, true);
    add(&c, LOSS_INFO_NCE, 1, 1);
    phase_prepare(&c.context);
    struct adamw a, b;
    adamw_init(&a, &c.de.params), adamw_init(&b, &c.de.params);
    size_t bytes = c.de.params.size * sizeof(float);
    distil_step(&c.context, 7, &a, &first);
    report_free(&first);
    distil_step(&c.context, 8, &b, &again);
    report_free(&again);
    ck_assert_int_ne(memcmp(a.gradients.values, b.gradients.values, bytes), 0);
    gradients_clear(&b.gradients, NULL);
    distil_step(&c.context, 7, &b, &again);
    ck_assert_int_eq(memcmp(a.gradients.values, b.gradients.values, bytes), 0);
    report_free(&again);
    adamw_free(&a), adamw_free(&b);
    case_close(&c);
}
END_TEST

/* Targets at a distance of 1 from where they are: the loss is the factor. */
START_TEST(the_weight_of_hpd_falls_by_a_cosine)
{
    struct phase_case c;
    case_open(&c, SIZE_MAX, false);
    add(&c, LOSS_HPD, 1, 0.2);
    phase_prepare(&c.context);
    struct adamw adamw;
    adamw_init(&adamw, &c.de.params);
    for (uint64_t step = 0; step <= 50; step += 25) {
        struct report report = {0};
        double loss = distil_step(&c.context, step, &adamw, &report);
        double expected = step == 0 ? 1 : step == 25 ? 0.6 : 0.2;
        ck_assert_double_eq_tol(loss / entry(&report, "hpd"), expected, 1e-6);
        report_free(&report);
    }
    adamw_free(&adamw);
    case_close(&c);
}
END_TEST

START_TEST(hpd_epochs_hold_every_text_once)
{
    struct phase_case c;
    int seen[2 * PAIRS] = {0};
    case_open(&c, SIZE_MAX, false);
    c.context.batch_texts = 5; /* 4 steps an epoch, the last of one text */
    add(&c, LOSS_HPD, 1, 1);
    phase_prepare(&c.context);
    struct adamw adamw;
    adamw_init(&adamw, &c.de.params);
    for (uint64_t step = 0; step < 4; step++) {
        struct report report = {0};
        hpd_step(&c.context, step, &adamw, &report);
        report_free(&report);
        for (int i = 0; i < (step < 3 ? 5 : 1); i++)
            for (int t = 0; t < 2 * PAIRS; t++) {
                const float *target = t < PAIRS ? c.document_targets + t * TARGET
                                                : c.query_targets + (t - PAIRS) * TARGET;
                seen[t] += memcmp(c.context.step_target_values[0] + i * TARGET, target,
                                  TARGET * sizeof *target) == 0;
            }
    }
    for (int t = 0; t < 2 * PAIRS; t++) ck_assert_int_eq(seen[t], 1);
    adamw_free(&adamw);
    case_close(&c);
}
END_TEST

START_TEST(targets_that_no_row_copies_are_not_read)
{
    struct phase_case c;
    struct report report = {0};
    struct adamw adamw;
    case_open(&c, SIZE_MAX, false);
    c.context.targets[1].queries = c.context.targets[1].documents = NULL;
    add(&c, LOSS_INFO_NCE, 1, 1);
    add(&c, LOSS_HPD, 1, 1); /* copies the first */
    phase_prepare(&c.context);
    adamw_init(&adamw, &c.de.params);
    ck_assert(isfinite(distil_step(&c.context, 0, &adamw, &report)));
    report_free(&report);
    adamw_free(&adamw);
    case_close(&c);
}
END_TEST

/* Three of the documents' pairs are alike, the others more or less. */
struct pairs_case {
    struct scored_pair pairs[PAIRS];
    float labels[PAIRS], teacher[PAIRS];
    struct train_pairs train;
};

static void pairs_open(struct phase_case *c, struct pairs_case *out)
{
    case_open(c, SIZE_MAX, false);
    for (uint32_t i = 0; i < PAIRS; i++) {
        out->pairs[i] = (struct scored_pair){i, (i * 3 + 1) % PAIRS, 0};
        out->labels[i] = (float)(i % 4) / 3;
        out->teacher[i] = 1 - out->labels[i];
    }
    out->train = (struct train_pairs){out->pairs, PAIRS, {out->labels, out->teacher}};
    c->context.pairs = &out->train;
}

START_TEST(fifty_steps_order_eight_pairs)
{
    struct phase_case c;
    struct pairs_case pairs;
    pairs_open(&c, &pairs);
    add(&c, LOSS_COSENT, 1, 1);
    add(&c, LOSS_ANGLE, 0.1, 0.1);
    add(&c, LOSS_COSINE_MSE, 1, 1);
    add(&c, LOSS_SELF_KL, 0.01, 0.01);
    add(&c, LOSS_HPD, 0.01, 0.01);
    phase_prepare(&c.context);
    ck_assert_uint_eq(pair_steps_per_epoch(&pairs.train, PAIRS), 1);
    double before = train(&c, pairs_step, 1), after = train(&c, pairs_step, 50);
    ck_assert_msg(before > 1, "the loss begins at %g", before);
    ck_assert_msg(after < 0.2 * before, "the loss goes from %g to %g", before, after);
    case_close(&c);
}
END_TEST

/* The teacher orders them the other way round. */
START_TEST(each_target_has_its_own_scores)
{
    double losses[2];
    for (int target = 0; target < 2; target++) {
        struct phase_case c;
        struct pairs_case pairs;
        struct adamw adamw;
        struct report report = {0};
        pairs_open(&c, &pairs);
        tap_schedule_term(&c.context.schedule, LOSS_COSINE_MSE, 1, 1, target);
        phase_prepare(&c.context);
        adamw_init(&adamw, &c.de.params);
        losses[target] = pairs_step(&c.context, 0, &adamw, &report);
        if (target) { /* the same, where the labels are the teacher's scores */
            memcpy(pairs.labels, pairs.teacher, sizeof pairs.labels);
            c.context.schedule.terms[0].target = 0;
            ck_assert_double_eq(pairs_step(&c.context, 0, &adamw, &report), losses[1]);
        }
        report_free(&report);
        adamw_free(&adamw);
        case_close(&c);
    }
    ck_assert(losses[0] != losses[1]);
}
END_TEST

START_TEST(epochs_hold_every_pair_once)
{
    struct phase_case c;
    struct pairs_case pairs;
    struct adamw adamw;
    double sum = 0;
    pairs_open(&c, &pairs);
    for (int i = 0; i < PAIRS; i++) pairs.labels[i] = (float)(1 << i);
    c.context.batch_queries = 3; /* 3 steps an epoch, the last of two pairs */
    add(&c, LOSS_COSINE_MSE, 1, 1);
    phase_prepare(&c.context);
    ck_assert_uint_eq(pair_steps_per_epoch(&pairs.train, 3), 3);
    adamw_init(&adamw, &c.de.params);
    for (uint64_t step = 3; step < 6; step++) {
        struct report report = {0};
        pairs_step(&c.context, step, &adamw, &report);
        report_free(&report);
        for (int i = 0; i < (step < 5 ? 3 : 2); i++) sum += (double)c.context.pair_scores[0][i];
    }
    ck_assert_double_eq(sum, (1 << PAIRS) - 1);
    adamw_free(&adamw);
    case_close(&c);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(fifty_steps_learn_eight_pairs),   TEST(fifty_steps_copy_targets),
        TEST(all_losses_together_fall),        TEST(memory_does_not_change_what_is_learnt),
        TEST(a_step_can_be_done_again),        TEST(the_weight_of_hpd_falls_by_a_cosine),
        TEST(hpd_epochs_hold_every_text_once), TEST(targets_that_no_row_copies_are_not_read),
        TEST(fifty_steps_order_eight_pairs),   TEST(each_target_has_its_own_scores),
        TEST(epochs_hold_every_pair_once),     {0}};
    return run_tests("distill/phases", rows);
}
