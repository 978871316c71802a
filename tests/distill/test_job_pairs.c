/* distill/job: what is else where the data are sentence pairs. */
#include "tests/job_text.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "distill/job_keys.h"

static const char of_pairs[] = "data: {pairs: p.tar.gz}\n"
                               "teacher: {model: ../m}\n";

START_TEST(pairs_have_their_own_defaults)
{
    struct job job;
    struct error err;
    check_ok(read_job_text(&job, of_pairs, (const char *[]){"data.document_prefix=x", NULL}, &err),
             &err);
    ck_assert(job_has_pairs(&job));
    ck_assert_str_eq(job_data_path(&job), job.data.pairs);
    ck_assert_double_eq(job.distill.loss.info_nce + job.distill.loss.listwise_kl, 0);
    ck_assert_double_eq(job.distill.loss.cosent, 1);
    ck_assert_int_eq(job.distill.pair_targets, TARGET_LABELS);
    ck_assert_int_eq(job.evaluate.systems & SYSTEM_BM25, 0);
    ck_assert_uint_eq(job.evaluate.measures.count, 2);
    ck_assert_str_eq(job.evaluate.measures.items[0], "spearman");
    ck_assert_ptr_nonnull(strstr(job.export.pick, "spearman"));
    ck_assert_str_eq(job.teach.pairs, job.data.pairs);
    ck_assert_str_eq(job.data.query_prefix, "x");
    ck_assert_int_eq(job.data.max_query_tokens, job.data.max_document_tokens);
    job_free(&job);
    check_ok(read_job_text(&job, of_pairs,
                           (const char *[]){"evaluate.measures=[pearson]",
                                            "export.pick=largest pearson", NULL},
                           &err),
             &err); /* what is given stays */
    ck_assert_str_eq(job.evaluate.measures.items[0], "pearson");
    job_free(&job);
}
END_TEST

START_TEST(what_pairs_lack_is_refused)
{
    const struct {
        const char *setting, *words, *more;
    } rows[] = {
        {"distill.loss.info_nce=1", "info_nce is 1", "no queries"},
        {"distill.loss.ranknet=1", "ranknet is 1", "no queries"},
        {"distill.loss.lambda=1", "lambda is 1", "no queries"},
        {"distill.loss.adr_mse=1", "adr_mse is 1", "no queries"},
        {"student.recipe=margin-mse", "student.recipe margin-mse: distill.loss.margin_mse is 1",
         "no queries"},
        {"data.query_prefix=q", "data.query_prefix", "document_prefix"},
        {"data.max_query_tokens=16", "data.max_query_tokens is 16", "max_document_tokens (200)"},
        {"evaluate.systems=[student, bm25]", "has bm25", "no documents to rank"},
        {"evaluate.measures=[map]", "has map", "spearman"},
        {"export.pick=largest map", "export.pick", "map"},
        {"distill.similarity=dot", "distill.similarity", "cosines"},
        {"distill.pair_targets=[]", "distill.pair_targets", "is empty"},
        {"mine.refresh_steps=10", "mine.refresh_steps is given", "nothing is mined"},
        {"mine.negatives_per_query=3", "mine.negatives_per_query is given", "nothing is mined"},
        {"teacher.scores=[s.tsv]", "teacher.scores", "first column"},
        {"distill={epochs: 1, loss: {cosent: 0, hpd: 0}}", "distill.epochs is 1", "is 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        int result = read_job_text(&job, of_pairs, (const char *[]){rows[i].setting, NULL}, &err);
        check_failed(result, &err, STATUS_USAGE, rows[i].words, rows[i].more);
    }
    struct job job;
    struct error err;
    check_failed(read_job_text(&job,
                               "data: {pairs: p}\nteacher: {model: teach}\n"
                               "teach: {pairs: none}\n",
                               NULL, &err),
                 &err, STATUS_USAGE, "slim.yaml:3:16: teach.pairs", "labelled queries");
}
END_TEST

/* starbucks has dot products at temperature 1. */
START_TEST(recipes_leave_the_cosine)
{
    struct job job, plain;
    struct error err;
    const char *const recipe[] = {"student.recipe=starbucks", NULL};
    check_ok(read_job_text(&plain, of_pairs, NULL, &err), &err);
    check_ok(read_job_text(&job, of_pairs, recipe, &err), &err);
    ck_assert_int_eq(job.distill.similarity, SIMILARITY_COSINE);
    ck_assert_double_eq(job.distill.temperature, plain.distill.temperature);
    ck_assert_int_eq(job.student.pooling, POOLING_CLS);
    job_free(&job), job_free(&plain);
}
END_TEST

START_TEST(printed_jobs_read_back_the_same)
{
    struct job job, again;
    struct error err;
    struct text first = {0}, second = {0};
    check_ok(read_job_text(&job, of_pairs, NULL, &err), &err);
    job_print(&job, &first);
    check_ok(read_job_text(&again, first.bytes, NULL, &err), &err);
    job_print(&again, &second);
    ck_assert_str_eq(first.bytes, second.bytes);
    text_free(&first), text_free(&second);
    job_free(&job), job_free(&again);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(pairs_have_their_own_defaults),
                                    TEST(what_pairs_lack_is_refused),
                                    TEST(recipes_leave_the_cosine),
                                    TEST(printed_jobs_read_back_the_same),
                                    {0}};
    return run_tests("distill/job_pairs", rows);
}
