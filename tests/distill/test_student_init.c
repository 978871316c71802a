/* distill/student_init: where each weight of a new student comes from. */
#include "distill/student_init.h"
#include "distill/checkpoint.h"
#include "student/export.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { OUT = 6 };
static const char teacher[] = "tests/golden/cross_encoder"; /* 3 layers of width 32 */

/* A folder with 3 layers and a Dense module of OUT rows; *de is what was exported. */
static char *source_folder(struct dual_encoder *de, const char *name)
{
    const struct tiny_shape shape = {.layers = 3, .output_size = OUT, .pooling = POOLING_MEAN};
    const struct export_options whole = {.layers = 3, .dim = OUT, .normalize = true};
    struct error err = {0};
    char *folder = path_join(scratch_folder(), name);
    tiny_student_make(de, &shape);
    check_ok(dual_encoder_export(de, &whole, folder, &err), &err);
    return folder;
}

static const struct student_start none = {&(struct pca){0}, 1, false};

static struct job job_of(char *from, enum init_from kind, int *layers, size_t count, int projection)
{
    static char model[sizeof teacher], query[] = "query: ", document[] = "";
    strcpy(model, teacher);
    struct job job = {.seed = 5, .precision = PRECISION_F32};
    job.teacher.model = model;
    job.teacher.precision = PRECISION_F32;
    job.data.query_prefix = query;
    job.data.document_prefix = document;
    job.data.max_query_tokens = 9;
    job.data.max_document_tokens = 17;
    job.student.init.from = from;
    job.student.init.kind = kind;
    job.student.init.layers = (struct int_list){layers, count};
    job.student.projection = projection;
    job.student.pooling = POOLING_CLS;
    job.distill.dropout = 0.25;
    return job;
}

static void expect_equal(const struct params *a, const char *name_a, const struct params *b,
                         const char *name_b)
{
    int x = params_find(a, name_a), y = params_find(b, name_b);
    ck_assert_msg(x >= 0 && y >= 0, "no %s or %s", name_a, name_b);
    ck_assert_msg(memcmp(params_values(a, x), params_values(b, y),
                         params_param_size(&a->list[x]) * sizeof(float)) == 0,
                  "%s is not %s", name_a, name_b);
}

START_TEST(blocks_come_from_the_folder_in_the_order_given)
{
    struct dual_encoder source, de;
    struct error err = {0};
    int layers[] = {3, 1};
    char *folder = source_folder(&source, "source1");
    struct job job = job_of(folder, INIT_FOLDER, layers, 2, OUT);
    struct job_run run = {.job = &job, .teacher_folder = job.teacher.model};
    check_ok(student_init(&de, &run, &none, &err), &err);
    ck_assert_int_eq(de.encoder.config.num_layers, 2);
    ck_assert_int_eq(de.pooling, POOLING_CLS);
    ck_assert_int_eq(de.max_length, 17);
    ck_assert_str_eq(de.query_prompt, "query: ");
    ck_assert(de.encoder.config.hidden_dropout == 0.25);
    expect_equal(&de.params, "embeddings.word_embeddings.weight", &source.params,
                 "embeddings.word_embeddings.weight");
    expect_equal(&de.params, "encoder.layer.0.output.dense.weight", &source.params,
                 "encoder.layer.2.output.dense.weight");
    expect_equal(&de.params, "encoder.layer.1.attention.self.key.bias", &source.params,
                 "encoder.layer.0.attention.self.key.bias");
    expect_equal(&de.params, "projection.weight", &source.params, "projection.weight");
    expect_equal(&de.params, "projection.bias", &source.params, "projection.bias");
    dual_encoder_free(&de);
    dual_encoder_free(&source);
    free(folder);
}
END_TEST

START_TEST(from_the_teacher_the_projection_is_the_pca)
{
    enum { WIDTH = 32 };
    struct dual_encoder de;
    struct error err = {0};
    int layers[] = {1};
    char from[] = "teacher";
    float components[OUT * WIDTH], mean[WIDTH];
    for (int i = 0; i < OUT * WIDTH; i++) components[i] = test_value(70, (uint64_t)i);
    for (int i = 0; i < WIDTH; i++) mean[i] = test_value(71, (uint64_t)i);
    struct pca pca = {
        .input_size = WIDTH, .output_size = OUT, .components = components, .mean = mean};
    const struct student_start start = {&pca, 2, false};
    struct job job = job_of(from, INIT_TEACHER, layers, 1, OUT);
    struct job_run run = {.job = &job, .teacher_folder = job.teacher.model};
    check_ok(student_init(&de, &run, &start, &err), &err);
    const float *weight = params_values(&de.params, de.projection_weight);
    const float *bias = params_values(&de.params, de.projection_bias);
    for (int i = 0; i < OUT; i++) { /* P h + b = W (h / 2 - mean), for any h */
        double sum = 0, naive = 0;
        for (int j = 0; j < WIDTH; j++) {
            double h = (double)test_value(72, (uint64_t)j), w = (double)components[i * WIDTH + j];
            sum += (double)weight[i * WIDTH + j] * h;
            naive += w * (h / 2 - (double)mean[j]);
        }
        ck_assert_double_eq_tol(sum + (double)bias[i], naive, 1e-5);
    }
    dual_encoder_free(&de);
    job.student.projection = OUT + 1; /* not the PCA's size */
    check_ok(student_init(&de, &run, &start, &err), &err);
    weight = params_values(&de.params, de.projection_weight);
    double squares = 0;
    for (int i = 0; i < (OUT + 1) * WIDTH; i++) squares += (double)weight[i] * (double)weight[i];
    double variance = squares / ((OUT + 1) * WIDTH);
    ck_assert(variance > 0.0002 && variance < 0.0007); /* 0.02 squared is 0.0004 */
    dual_encoder_free(&de);
    cross_encoder_close(run.teacher);
}
END_TEST

/* z of the documents: [n, OUT] */
static void embed_all(float *z, struct dual_encoder *de, struct pool *pool,
                      const char *const *texts, size_t n)
{
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = "",
                                          .layers = &de->encoder.config.num_layers,
                                          .num_layers = 1};
    dual_encoder_embed(de, pool, &request, &z);
}

/* The folder's vectors are those that HPD copies: their PCA is taken, with mean 0. */
static void check_pca_of_folder(struct job_run *run, int width)
{
    struct dual_encoder de;
    struct error err = {0};
    float *components = xcalloc((size_t)(OUT * width), sizeof *components);
    float *mean = xcalloc((size_t)width, sizeof *mean);
    for (int i = 0; i < OUT * width; i++) components[i] = test_value(73, (uint64_t)i);
    struct pca pca = {
        .input_size = width, .output_size = OUT, .components = components, .mean = mean};
    check_ok(student_init(&de, run, &(struct student_start){&pca, 0.5, true}, &err), &err);
    for (int i = 0; i < OUT * width; i++)
        ck_assert_float_eq_tol(params_values(&de.params, de.projection_weight)[i],
                               2 * components[i], 1e-6f);
    dual_encoder_free(&de);
    free(components), free(mean);
}

/* Principal components: means 0, covariances 0, variances falling. */
START_TEST(from_a_folder_without_one_the_projection_is_its_own_pca)
{
    enum { N = 40 };
    struct dual_encoder de, source;
    struct error err = {0};
    int layers[] = {2, 1};
    const char *texts[N];
    char bytes[N][32], *folder = source_folder(&source, "source2");
    char *modules = path_join(folder, "modules.json");
    for (int i = 0; i < N; i++) {
        snprintf(bytes[i], sizeof bytes[i], "%c%c %d%d", 'a' + i % 7, 'k' + i % 3, i, i % 5);
        texts[i] = bytes[i];
    }
    ck_assert_int_eq(remove(modules), 0); /* now it has no Dense module */
    struct job job = job_of(folder, INIT_FOLDER, layers, 2, OUT);
    struct job_run run = {.job = &job, .teacher_folder = job.teacher.model, .pool = pool_open(2)};
    run.collection.documents.values = texts;
    run.collection.documents.count = N;
    check_ok(student_init(&de, &run, &(struct student_start){0}, &err), &err);
    float *z = xcalloc(N * OUT, sizeof *z);
    embed_all(z, &de, run.pool, texts, N);
    double moments[OUT][OUT] = {{0}};
    for (int i = 0; i < OUT; i++) {
        double mean = 0;
        for (int n = 0; n < N; n++) mean += (double)z[n * OUT + i] / N;
        ck_assert_double_eq_tol(mean, 0, 1e-4);
        for (int j = 0; j < OUT; j++)
            for (int n = 0; n < N; n++)
                moments[i][j] += (double)z[n * OUT + i] * (double)z[n * OUT + j] / N;
    }
    for (int i = 0; i < OUT; i++) {
        ck_assert(i == 0 || moments[i][i] <= moments[i - 1][i - 1]);
        for (int j = 0; j < i; j++) ck_assert(fabs(moments[i][j]) < 1e-3 * moments[0][0]);
    }
    ck_assert(moments[OUT - 1][OUT - 1] > 0);
    free(z);
    dual_encoder_free(&de);
    check_pca_of_folder(&run, source.encoder.config.hidden_size);
    dual_encoder_free(&source);
    pool_close(run.pool);
    free(modules), free(folder);
}
END_TEST

START_TEST(blocks_come_from_the_teacher)
{
    struct dual_encoder de;
    struct error err = {0};
    int layers[] = {2, 3, 1, 5};
    char from[] = "teacher";
    struct job job = job_of(from, INIT_TEACHER, layers, 2, 0);
    struct job_run run = {.job = &job, .teacher_folder = job.teacher.model};
    check_ok(student_init(&de, &run, &none, &err), &err);
    const struct params *params = cross_encoder_encoder(run.teacher)->params;
    ck_assert_int_eq(de.projection_weight, -1);
    ck_assert_int_eq(de.output_size, 32);
    expect_equal(&de.params, "encoder.layer.0.intermediate.dense.weight", params,
                 "encoder.layer.1.intermediate.dense.weight");
    expect_equal(&de.params, "encoder.layer.1.output.LayerNorm.bias", params,
                 "encoder.layer.2.output.LayerNorm.bias");
    dual_encoder_free(&de);
    job.student.init.kind = INIT_RANDOM;
    job.student.init.layers.count = 4; /* more than the teacher has */
    check_ok(student_init(&de, &run, &none, &err), &err);
    ck_assert_int_eq(de.encoder.config.num_layers, 4);
    const float *words = params_values(&de.params, 0);
    ck_assert_mem_ne(words, params_values(params, 0), 32 * sizeof *words);
    dual_encoder_free(&de);
    cross_encoder_close(run.teacher);
}
END_TEST

START_TEST(weights_are_saved_and_loaded)
{
    struct dual_encoder de, back, source;
    struct error err = {0};
    int layers[] = {2};
    char *folder = source_folder(&source, "source3");
    char *path = path_join(scratch_folder(), "weights.safetensors");
    struct job job = job_of(folder, INIT_FOLDER, layers, 1, OUT);
    struct job_run run = {.job = &job, .teacher_folder = job.teacher.model};
    check_ok(student_init(&de, &run, &none, &err), &err);
    for (size_t i = 0; i < de.params.size; i++) de.params.values[i] += test_value(80, i);
    check_ok(weights_write(&de.params, path, &err), &err);
    check_ok(student_load(&back, &run, path, &err), &err);
    ck_assert_mem_eq(de.params.values, back.params.values, de.params.size * sizeof(float));
    dual_encoder_free(&back);
    job.student.projection = OUT - 1;
    check_failed(student_load(&back, &run, path, &err), &err, STATUS_WORLD, "weights.safetensors",
                 "projection.weight");
    ck_assert_ptr_null(back.params.values);
    dual_encoder_free(&de);
    dual_encoder_free(&source);
    free(path), free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(blocks_come_from_the_folder_in_the_order_given),
                                    TEST(from_the_teacher_the_projection_is_the_pca),
                                    TEST(from_a_folder_without_one_the_projection_is_its_own_pca),
                                    TEST(blocks_come_from_the_teacher),
                                    TEST(weights_are_saved_and_loaded),
                                    {0}};
    return run_tests("distill/student_init", rows);
}
