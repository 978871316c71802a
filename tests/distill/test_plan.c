/* distill/plan: counts that are exact, and estimates that move as they should. */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/plan.h"

static const struct encoder_config teacher = {.num_layers = 6,
                                              .hidden_size = 384,
                                              .embedding_size = 384,
                                              .intermediate_size = 1536,
                                              .vocab_size = 30522,
                                              .max_positions = 512,
                                              .type_vocab_size = 2};

static struct plan_facts facts(void)
{
    return (struct plan_facts){.documents = 1000,
                               .learnt = 1000,
                               .queries = 200,
                               .train = 100,
                               .dev = 20,
                               .test = 50,
                               .train_positives = 110,
                               .text_bytes = 1e6,
                               .document_tokens = 100,
                               .query_tokens = 10,
                               .pair_tokens = 108,
                               .teacher = &teacher,
                               .student = &teacher,
                               .vector_width = 384,
                               .threads = 2,
                               .seeds = 1,
                               .rate = 1e5};
}

static struct plan plan_with(const struct plan_facts *given, const char *setting)
{
    static const char yaml[] = "data: {collection: c}\nteacher: {model: m}\n"
                               "mine: {sources: [bm25, teacher]}\n"
                               "distill: {hpd: {layer: 2, form: single}}\n";
    const char *items[] = {setting};
    const struct string_list settings = {.items = items, .count = setting ? 1 : 0};
    struct job job;
    struct error err = {0};
    struct plan plan;
    check_ok(job_read_string(&job, "plan.yaml", yaml, &settings, &err), &err);
    plan_estimate(&plan, &job, given);
    job_free(&job);
    return plan;
}

static const struct plan_stage *stage_of(const struct plan *plan, const char *name)
{
    for (int i = 0; i < PLAN_STAGES; i++)
        if (strcmp(plan->stages[i].name, name) == 0) return &plan->stages[i];
    ck_abort_msg("no stage %s", name);
    return NULL;
}

START_TEST(seeds_train_anew_but_score_once)
{
    struct plan_facts given = facts();
    struct plan one = plan_with(&given, NULL);
    given.seeds = 3;
    struct plan many = plan_with(&given, NULL);
    for (int i = 0; i < PLAN_STAGES; i++) {
        const char *name = one.stages[i].name;
        bool own = strcmp(name, "train") == 0 || strcmp(name, "evaluate") == 0 ||
                   strcmp(name, "export") == 0;
        ck_assert_double_eq(many.stages[i].seconds, one.stages[i].seconds * (own ? 3 : 1));
        ck_assert_double_eq(many.stages[i].disk_bytes, one.stages[i].disk_bytes * (own ? 3 : 1));
    }
}
END_TEST

/* bert-base-uncased has 109482240 parameters with its pooler of 768 * 768 + 768; MiniLM-L6 22713216
 * with its own. */
START_TEST(parameters_are_those_of_published_models)
{
    const struct encoder_config base = {.hidden_size = 768,
                                        .embedding_size = 768,
                                        .intermediate_size = 3072,
                                        .vocab_size = 30522,
                                        .max_positions = 512,
                                        .type_vocab_size = 2};
    ck_assert_double_eq(encoder_parameters(&base, 12), 109482240 - 768 * 769);
    ck_assert_double_eq(encoder_parameters(&teacher, 6), 22713216 - 384 * 385);
}
END_TEST

START_TEST(stages_count_what_they_read)
{
    const struct plan_facts given = facts();
    struct plan plan = plan_with(&given, NULL);
    ck_assert_str_eq(stage_of(&plan, "score")->work, "3310 pairs of about 108 tokens");
    ck_assert_double_eq_tol(stage_of(&plan, "score")->seconds, 3310 * 108 * 6 / 1e5, 1e-9);
    ck_assert_str_eq(stage_of(&plan, "embed")->work, "1200 texts of about 85 tokens");
    ck_assert_double_eq_tol(stage_of(&plan, "embed")->seconds,
                            (102000. * 2 + 3 * 100200. * 6) / 1e5, 1e-9);
    ck_assert_double_eq(stage_of(&plan, "embed")->disk_bytes, 1200 * 384 * 4);
    ck_assert_str_eq(stage_of(&plan, "train")->work, "16 steps, these also without the teacher");
    ck_assert_str_eq(stage_of(&plan, "evaluate")->work,
                     "3 layers x 4 dims; 5000 pairs for the teacher to re-rank");
    double trained = 2 * 16 * 32 * (10 + 8 * 100), watched = 2 * 8 * 660 * 100;
    ck_assert_double_eq_tol(stage_of(&plan, "train")->seconds, (3 * trained + watched) * 3 / 1e5,
                            1e-9);
    struct plan copies = plan_with(&given, "distill.hpd.epochs=2");
    ck_assert_str_eq(stage_of(&copies, "train")->work,
                     "18 HPD steps, 16 steps, these also without the teacher");
    ck_assert_double_eq_tol(stage_of(&copies, "train")->seconds,
                            stage_of(&plan, "train")->seconds + 3. * 1100 * 85 * 2 * 3 / 1e5, 1e-9);
    double seconds = 0;
    for (int i = 0; i < PLAN_STAGES; i++) seconds += plan.stages[i].seconds;
    ck_assert_double_eq_tol(plan.seconds, seconds, 1e-9);
    ck_assert_double_gt(plan.memory_bytes, 22.7e6 * 4);
}
END_TEST

START_TEST(estimates_follow_the_job)
{
    const struct plan_facts given = facts();
    struct plan plain = plan_with(&given, NULL);
    struct plan half = plan_with(&given, "mine.scored=16");
    struct plan paired = plan_with(&given, "distill.hpd.form=pair");
    struct plan probed = plan_with(&given, "distill.hpd.layer=probe");
    struct plan alone = plan_with(&given, "evaluate.systems=[student]");
    struct plan longer = plan_with(&given, "distill.epochs=6");
    struct plan unsearched = plan_with(&given, "mine.sources=[bm25]");
    struct plan_facts unknown = given;
    unknown.rate = 0;
    ck_assert(stage_of(&plain, "embed")->wanted && !stage_of(&unsearched, "embed")->wanted);
    ck_assert_double_lt(stage_of(&half, "score")->seconds, stage_of(&plain, "score")->seconds);
    ck_assert_double_eq_tol(stage_of(&paired, "embed")->seconds,
                            stage_of(&plain, "embed")->seconds + 102000. * 2 / 1e5, 1e-9);
    ck_assert_double_gt(stage_of(&probed, "embed")->seconds, stage_of(&plain, "embed")->seconds);
    ck_assert_double_lt(stage_of(&alone, "train")->seconds, stage_of(&plain, "train")->seconds);
    ck_assert_double_lt(stage_of(&alone, "evaluate")->seconds,
                        stage_of(&plain, "evaluate")->seconds);
    ck_assert_double_gt(stage_of(&longer, "train")->seconds, stage_of(&plain, "train")->seconds);
    ck_assert_double_eq(plan_with(&unknown, NULL).seconds, 0);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(seeds_train_anew_but_score_once),

        TEST(parameters_are_those_of_published_models),
        TEST(stages_count_what_they_read),
        TEST(estimates_follow_the_job),
        {0},
    };
    return run_tests("distill/plan", rows);
}
