/* distill/job_teacher: who the teachers are, and what follows for other keys. */
#include "tests/job_text.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "distill/job_keys.h"

static const char smallest[] = "data: {collection: c}\nteacher: {model: m}\n";

/* Without a cross-encoder: what needs one is off where it was not asked for, else refused. */
START_TEST(a_teacher_may_be_absent)
{
    static const char absent[] = "data: {collection: c}\nteacher: {model: none}\n"
                                 "student: {init: {from: s}}\n";
    struct job job;
    struct error err;
    check_ok(read_job_text(&job, absent, NULL, &err), &err);
    ck_assert(job.teacher.absent && !job_has_scores(&job) && !job_asks_model(&job));
    ck_assert_int_eq(job.distill.hpd.source, VECTORS_NONE);
    ck_assert_int_eq(job.mine.sources, MINE_BM25);
    ck_assert_int_eq(job.distill.hpd.epochs, 0);
    ck_assert_double_eq(job.distill.loss.hpd.start, 0);
    ck_assert_double_eq(job.distill.loss.listwise_kl, 0);
    ck_assert_int_eq(job.teacher.missing, MISSING_DROP);
    job_free(&job);
    const char *const given[] = {"teacher.scores=[a.tsv]", "distill.hpd.encoder=e", NULL};
    check_ok(read_job_text(&job, absent, given, &err), &err);
    ck_assert(job_has_scores(&job) && !job_asks_model(&job));
    ck_assert_int_eq(job.distill.hpd.source, VECTORS_ENCODER);
    ck_assert_int_eq(job.mine.sources, MINE_BM25 | MINE_TEACHER);
    ck_assert_int_eq(job.distill.hpd.epochs, 2);
    ck_assert_double_eq(job.distill.loss.hpd.start, 1);
    ck_assert_double_eq(job.distill.loss.hpd.end, 0.1);
    ck_assert_double_eq(job.distill.loss.listwise_kl, 1);
    job_free(&job);
    static const char *const refused[][2] = {
        {"mine.sources=[bm25, teacher]", "no vectors"},
        {"distill.hpd.epochs=1", "set them to 0"},
        {"distill.loss.hpd=0.1", "set them to 0"},
        {"distill.loss.listwise_kl=1", "teacher.scores empty"},
        {"teacher.missing=teacher", "teacher.model is none"},
        {"student.init.from=random", "name a sentence-transformers folder"},
        {"distill.align.layers=[1, 2, 3]", "distill.hpd.encoder are none"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        check_failed(read_job_text(&job, absent, (const char *[]){refused[i][0], NULL}, &err), &err,
                     STATUS_USAGE, refused[i][1]);
        job_free(&job);
    }
}
END_TEST

/* teacher.model is asked unless it weighs nothing and fills no gap. */
START_TEST(several_teachers)
{
    static const struct {
        const char *setting;
        enum missing_score missing;
        bool asks;
    } rows[] = {{"{model: m, scores: [a]}", MISSING_TEACHER, true},
                {"{model: m, scores: [a], weights: [0, 1.5]}", MISSING_TEACHER, true},
                {"{model: m, scores: [a], weights: [0, 1], missing: drop}", MISSING_DROP, false},
                {"{model: m, scores: [a], weights: [1, 1], missing: lowest}", MISSING_LOWEST, true},
                {"{model: m, scores: [a], missing: drop}", MISSING_DROP, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        char *setting = xasprintf("teacher=%s", rows[i].setting);
        check_ok(read_job_text(&job, smallest, (const char *[]){setting, NULL}, &err), &err);
        ck_assert_int_eq(job.teacher.missing, rows[i].missing);
        ck_assert_msg(job_asks_model(&job) == rows[i].asks, "%s", setting);
        if (i == 1) ck_assert_double_eq(job.teacher.weights.items[1], 1.5);
        char *words = job_teacher_words(&job);
        ck_assert_ptr_nonnull(strstr(words, "m, the scores in "));
        job_free(&job);
        free(setting), free(words);
    }
}
END_TEST

/* Vectors are made where they are copied or searched, and HPD's term follows from its stage. */
START_TEST(hpd_is_asked_for)
{
    static const struct {
        const char *yaml;
        bool hpd, vectors;
        double term;
    } rows[] = {
        {"", false, false, 0},
        {"mine: {sources: [bm25, teacher]}\n", false, true, 0},
        {"distill: {hpd: {epochs: 1, centred: true}}\n", true, true, 1},
        {"distill: {hpd: {epochs: 1}, loss: {hpd: 0}}\n", true, true, 0},
        {"distill: {loss: {hpd: 0.5}}\n", true, true, 0.5},
        {"distill: {hpd: {epochs: 0, centred: true}}\n", false, false, 0},
        {"distill: {hpd: {encoder: e}}\n", true, true, 1},
        {"distill: {align: {layers: [1, 2, 3]}, loss: {align: 1}}\n", false, true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        char *yaml = xasprintf("%s%s", smallest, rows[i].yaml);
        check_ok(read_job_text(&job, yaml, NULL, &err), &err);
        ck_assert(job_uses_hpd(&job) == rows[i].hpd && job_uses_vectors(&job) == rows[i].vectors);
        ck_assert_double_eq(job.distill.loss.hpd.start, rows[i].term);
        job_free(&job);
        free(yaml);
    }
}
END_TEST

START_TEST(contradictions_are_refused)
{
    static const char *const rows[][3] = {
        {"mine.sources=[scores]", "mine.sources has scores", "teacher.scores is empty"},
        {"teacher.model=none", "student.init.from is teacher", "teacher.model"},
        {"teacher={model: none, missing: teacher, scores: [a]}", "student.init.from", "none"},
        {"teacher.weights=[1, 1]", "has 2, but there are 1 teachers", "0 files"},
        {"teacher={model: m, scores: [a, b], weights: [0, 0, 0]}", "teacher.weights", "all 0"},
        {"teacher={model: m, scores: [a, b], weights: [1, 1]}", "3 teachers", "2 files"},
        {"distill.hpd={encoder: e, targets: t.npy}", "distill.hpd.encoder", "both given"},
        {"distill.hpd={encoder: e, layer: 1}", "distill.hpd.layer", "leave them away"},
        {"distill.align.layers=[1, 2]", "has 2", "student 3"},
        {"distill.loss.align=0.5", "is not 0", "distill.align.layers is empty"},
        {"distill.hpd.learning_rate=0.1", "distill.hpd.learning_rate", "set distill.hpd.epochs"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        check_failed(read_job_text(&job, smallest, (const char *[]){rows[i][0], NULL}, &err), &err,
                     STATUS_USAGE, rows[i][1], rows[i][2]);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_teacher_may_be_absent),
                                    TEST(several_teachers),
                                    TEST(hpd_is_asked_for),
                                    TEST(contradictions_are_refused),
                                    {0}};
    return run_tests("distill/job_teacher", rows);
}
