/* distill/recipes: every one is a job, whose keys can be overridden, and is printed. */
#include "distill/recipes.h"
#include "tests/job_text.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"

/* The smallest job and more keys. */
static int read_job(struct job *out, const char *keys, const char *const *settings,
                    struct error *err)
{
    char *yaml = xasprintf("data: {collection: c.tar.gz}\nteacher: {model: m}\n%s", keys);
    int status = read_job_text(out, yaml, settings, err);
    free(yaml);
    return status;
}

START_TEST(a_recipe_gives_what_the_job_leaves_out)
{
    struct job job;
    struct error err = {0};
    const char *const settings[] = {"distill.loss.self_kl=0.5", NULL};
    const char *yaml = "student: {recipe: starbucks, pooling: mean}\n";
    check_ok(read_job(&job, yaml, settings, &err), &err);
    ck_assert_int_eq(job.student.projection, 0);          /* the recipe's */
    ck_assert_int_eq(job.student.pooling, POOLING_MEAN);  /* the file's */
    ck_assert_double_eq(job.distill.loss.self_kl, 0.5);   /* the setting's */
    ck_assert_double_eq(job.distill.loss.listwise_kl, 0); /* the recipe's */
    ck_assert_int_eq(job.distill.similarity, SIMILARITY_DOT);
    ck_assert_int_eq(job.distill.batch_queries, 32); /* the default */
    struct text printed = {0}, again = {0};
    job_print(&job, &printed);
    job_free(&job);
    check_ok(job_read_string(&job, "/other/place.yaml", printed.bytes, NULL, &err), &err);
    job_print(&job, &again);
    ck_assert_str_eq(again.bytes, printed.bytes);
    text_free(&printed), text_free(&again);
    job_free(&job);
}
END_TEST

START_TEST(every_recipe_is_a_job)
{
    const struct encoder_config model = {.num_layers = 6, .hidden_size = 384};
    const struct job_models models = {&model, &model, 384, &model, 384};
    for (const struct key_word *recipe = recipe_words; recipe->word; recipe++) {
        struct job job;
        struct error err = {0};
        char *yaml = xasprintf("student: {recipe: %s}\n", recipe->word);
        check_ok(read_job(&job, yaml, NULL, &err), &err);
        ck_assert_int_eq(job.student.recipe, recipe->value);
        check_ok(job_fit(&job, &models, &err), &err);
        job_free(&job);
        free(yaml);
    }
}
END_TEST

START_TEST(a_contradiction_of_a_recipe_names_it)
{
    struct job job;
    struct error err = {0};
    const char *yaml = "student: {recipe: margin-mse}\nmine: {negatives_per_query: 0}\n";
    check_failed(read_job(&job, yaml, NULL, &err), &err, STATUS_USAGE,
                 "slim.yaml:4:", "mine.negatives_per_query");
    err = (struct error){0};
    yaml = "student: {recipe: de2ce}\ndistill: {sample: {full_width: none}}\n";
    check_failed(read_job(&job, yaml, NULL, &err), &err, STATUS_USAGE,
                 "student.recipe de2ce: ", "distill.sample.dims");
}
END_TEST

START_TEST(the_reference_has_every_recipe_with_its_keys)
{
    struct text text = {0};
    recipes_reference(&text);
    for (const struct key_word *recipe = recipe_words; recipe->word; recipe++) {
        char *cell = xasprintf("| `%s` | ", recipe->word);
        ck_assert_ptr_nonnull(strstr(text.bytes, cell));
        free(cell);
    }
    ck_assert_ptr_nonnull(strstr(text.bytes, "`  taps: drawn`<br>"));
    text_free(&text);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_recipe_gives_what_the_job_leaves_out),
                                    TEST(every_recipe_is_a_job),
                                    TEST(a_contradiction_of_a_recipe_names_it),
                                    TEST(the_reference_has_every_recipe_with_its_keys),
                                    {0}};
    return run_tests("distill/recipes", rows);
}
