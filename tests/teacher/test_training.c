/* teacher/training: gradients of the logits by differences for every head, begun models, written
 * folders read back. */
#include "teacher/training.h"
#include "tests/support.h"
#include "tests/tiny_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/output.h"
#include "nn/architecture.h"
#include "teacher/head.h"
#include "teacher/mimetic.h"

#define TINY_TEACHER "tests/golden/cross_encoder"
enum { SEQUENCES = 6, LENGTH = 9, WIDTH = 7 };

static struct cross_encoder *begin(const char *folder, double dropout)
{
    struct error err = {0};
    struct cross_encoder *ce;
    const struct training_start start = {
        .precision = PRECISION_F32, .dropout = dropout, .seed = 13};
    check_ok(cross_encoder_begin(&ce, folder, &start, &err), &err);
    return ce;
}

struct lesson {
    struct cross_encoder *ce;
    struct pool *pool;
    struct tape *tape;
    int32_t ids[SEQUENCES][LENGTH], types[SEQUENCES][LENGTH];
    struct tape_text texts[SEQUENCES];
    float logits[SEQUENCES], d_logits[SEQUENCES];
    int layer;
};

static void lesson_open(struct lesson *out, struct cross_encoder *ce)
{
    *out = (struct lesson){.ce = ce, .pool = pool_open(2)};
    out->tape = cross_encoder_tape(ce, out->pool, 1 << 20);
    out->layer = cross_encoder_config(ce)->num_layers;
    int vocab = cross_encoder_config(ce)->vocab_size;
    for (int s = 0; s < SEQUENCES; s++) {
        for (int t = 0; t < LENGTH; t++)
            out->ids[s][t] = (int32_t)(random_bits(5, (uint64_t)s, (uint64_t)t) % (uint64_t)vocab);
        out->texts[s] = (struct tape_text){out->ids[s], out->types[s], 2 + s};
        out->d_logits[s] = test_value(9, (uint64_t)s);
    }
}

static void lesson_close(struct lesson *lesson)
{
    tape_close(lesson->tape);
    pool_close(lesson->pool);
    cross_encoder_close(lesson->ce);
}

static double functional(struct lesson *lesson)
{
    float *logits = lesson->logits;
    double sum = 0;
    encoder_refresh(cross_encoder_trained(lesson->ce));
    tape_forward(lesson->tape, NULL, lesson->texts, SEQUENCES, &lesson->layer, 1, 0, &logits);
    for (int s = 0; s < SEQUENCES; s++) sum += (double)lesson->d_logits[s] * logits[s];
    return sum;
}

/* Of every parameter: along its own gradient, which is the steepest direction. */
static void check_gradients(struct lesson *lesson)
{
    struct params *params = cross_encoder_trained(lesson->ce)->params;
    struct gradients gradients;
    gradients_init(&gradients, params);
    const float *d_logits = lesson->d_logits;
    functional(lesson);
    tape_backward(lesson->tape, &d_logits, &gradients);
    for (size_t p = 0; p < params->count; p++) {
        size_t n = params_param_size(&params->list[p]);
        float *values = params_values(params, (int)p),
              *d = gradients.values + params->list[p].offset;
        float *before = xcalloc(n, sizeof *before);
        double squares = 0, step = 4e-3;
        memcpy(before, values, n * sizeof *before);
        for (size_t i = 0; i < n; i++) squares += (double)d[i] * d[i];
        double norm = sqrt(squares);
        for (size_t i = 0; i < n; i++) values[i] = (float)(before[i] + step * d[i] / (norm + 1e-9));
        double high = functional(lesson);
        for (size_t i = 0; i < n; i++) values[i] = (float)(before[i] - step * d[i] / (norm + 1e-9));
        double low = functional(lesson);
        memcpy(values, before, n * sizeof *values);
        double numeric = (high - low) / (2 * step);
        ck_assert_msg(fabs(numeric - norm) <= 2e-3 * fmax(0.3, norm), "%s: %g by differences, %g",
                      params->list[p].name, numeric, norm);
        free(before);
    }
    gradients_free(&gradients);
}

/* ---- heads alone: every kind ---- */

static double head_functional(const struct head *head, const struct params *params,
                              const float *hidden)
{
    float scratch[WIDTH], logit;
    head_forward(head, params, hidden, scratch, &logit);
    return 0.7 * logit;
}

/* A value by central differences. */
static void check_slope(double got, float *value, const struct head *head,
                        const struct params *params, const float *hidden)
{
    const float step = 1e-2f, kept = *value;
    *value = kept + step;
    double high = head_functional(head, params, hidden);
    *value = kept - step;
    double low = head_functional(head, params, hidden);
    *value = kept;
    ck_assert_double_eq_tol(got, (high - low) / (2 * step), 2e-3);
}

START_TEST(gradients_of_every_kind_of_head)
{
    static const char *const types[] = {"bert", "roberta", "xlm-roberta", "distilbert", "electra"};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        struct error err = {0};
        struct head head;
        struct params params = {0};
        const struct encoder_config config = {.architecture = architecture_find(types[k]),
                                              .hidden_size = WIDTH};
        check_ok(head_new(&head, &config, &err), &err);
        head_declare(&head, &params);
        params_alloc(&params);
        float hidden[WIDTH], dense[WIDTH], scratch[WIDTH], d_hidden[WIDTH];
        for (size_t i = 0; i < params.size; i++) params.values[i] = test_value(k, i);
        for (int i = 0; i < WIDTH; i++) hidden[i] = test_value(20 + k, (uint64_t)i);
        float *gradients = xcalloc(params.size, sizeof *gradients), d_logit = 0.7f;
        head_dense(&head, &params, hidden, dense);
        head_backward(&head, &params, hidden, dense, &d_logit, scratch, d_hidden, gradients);
        for (size_t i = 0; i < params.size; i++)
            check_slope(gradients[i], &params.values[i], &head, &params, hidden);
        for (int i = 0; i < WIDTH; i++)
            check_slope(d_hidden[i], &hidden[i], &head, &params, hidden);
        free(gradients);
        params_free(&params);
    }
}
END_TEST

/* ---- whole models ---- */

START_TEST(gradients_of_a_whole_model)
{
    struct lesson lesson;
    lesson_open(&lesson, begin(TINY_TEACHER, 0));
    check_gradients(&lesson);
    lesson_close(&lesson);
}
END_TEST

START_TEST(tape_gives_the_logits_of_scoring)
{
    struct lesson lesson;
    lesson_open(&lesson, begin(TINY_TEACHER, 0));
    struct batch batch = {0};
    float expected[SEQUENCES];
    functional(&lesson);
    for (int s = 0; s < SEQUENCES; s++)
        batch_add(&batch, lesson.ids[s], lesson.types[s], (size_t)lesson.texts[s].length);
    struct encoder_pass *pass = encoder_pass_open(cross_encoder_encoder(lesson.ce));
    cross_encoder_logits(lesson.ce, pass, &batch, expected);
    check_close(lesson.logits, expected, SEQUENCES, 1e-5);
    encoder_pass_close(pass);
    batch_free(&batch);
    lesson_close(&lesson);
}
END_TEST

static const char *const first[] = {"the cat", "red river", "gene"};
static const char *const second[] = {"a dog by the house", "the old river is red", "a drug"};

static struct cross_encoder *open_written(const char *folder)
{
    struct error err = {0};
    struct cross_encoder *ce;
    check_ok(cross_encoder_open(&ce, folder, PRECISION_F32, &err), &err);
    return ce;
}

static void score(float logits[3], const struct cross_encoder *ce)
{
    struct pool *pool = pool_open(1);
    cross_encoder_score(ce, pool, first, second, 3, 32, logits);
    pool_close(pool);
}

/* What is written gives the same logits where it is opened as any other teacher. */
static void check_written(struct cross_encoder *ce, const char *name)
{
    struct error err = {0};
    char *folder = path_join(scratch_folder(), name);
    float before[3], after[3];
    score(before, ce);
    check_ok(cross_encoder_write(ce, folder, 40, &err), &err);
    struct cross_encoder *again = open_written(folder);
    score(after, again);
    check_close(after, before, 3, 0);
    ck_assert_int_eq(cross_encoder_num_labels(again), 1);
    ck_assert_int_eq(cross_encoder_max_length(again, 0), 40);
    cross_encoder_close(again);
    free(folder);
}

START_TEST(a_cross_encoder_goes_on_from_its_head)
{
    struct cross_encoder *ce = begin(TINY_TEACHER, 0.1), *same = open_written(TINY_TEACHER);
    float begun[3], opened[3];
    score(begun, ce);
    score(opened, same);
    check_close(begun, opened, 3, 0);
    check_written(ce, "goes-on");
    cross_encoder_close(ce);
    cross_encoder_close(same);
}
END_TEST

START_TEST(an_encoder_gets_a_head)
{
    struct error err = {0};
    struct json *config;
    char *folder = tiny_model("bare", &(struct tiny_model){.seed = 3});
    struct cross_encoder *ce = begin(folder, 0);
    check_written(ce, "from-encoder");
    char *path = path_join(scratch_folder(), "from-encoder/config.json");
    check_ok(json_read_file(&config, path, &err), &err);
    ck_assert_str_eq(json_as_string(json_at(json_get(config, "architectures"), 0)),
                     "BertForSequenceClassification");
    ck_assert_uint_eq(json_size(json_get(config, "id2label")), 1);
    json_free(config);
    free(path);
    cross_encoder_close(ce);
    free(folder);
}
END_TEST

static double product(const float *a, const float *b, size_t n, size_t i, size_t j, bool transposed)
{
    double sum = 0; /* (a b')[i][j], or (a b)[i][j] */
    for (size_t k = 0; k < n; k++)
        sum += (double)a[i * n + k] * b[transposed ? j * n + k : k * n + j];
    return sum;
}

/* Of rows p and q the product is a^2 times the sum of cos(w_i (p - q)): of their distance alone. */
static void check_positions(const struct params *params, size_t n)
{
    const float *rows =
        params_values(params, params_find(params, "embeddings.position_embeddings.weight"));
    for (int p = 0; p < 8; p++)
        for (int q = 0; q < 8; q++) {
            double found = 0, wanted = 0;
            for (size_t i = 0; i < n; i++) found += (double)rows[p * n + i] * rows[q * n + i];
            for (size_t i = 0; i < n; i += 2)
                wanted += 2 * 0.25 * 0.25 * cos((p - q) * pow(10000, -(double)i / (double)n));
            ck_assert_double_eq_tol(found, wanted, 1e-6);
        }
}

/* W_q' W_k is s^2 I and W_o W_v is -t^2 I, in every block, with other matrices. */
START_TEST(new_attention_is_of_like_tokens)
{
    struct encoder_config config = {.architecture = architecture_find("bert"),
                                    .vocab_size = 9,
                                    .hidden_size = 12,
                                    .embedding_size = 12,
                                    .num_layers = 2,
                                    .num_heads = 3,
                                    .intermediate_size = 5,
                                    .max_positions = 8,
                                    .type_vocab_size = 2,
                                    .layer_norm_eps = 1e-12};
    struct params params = {0};
    struct encoder encoder = {0};
    const size_t n = 12;
    encoder_declare(&encoder, &config, &params);
    params_alloc(&params);
    mimetic_attention(&encoder, 13);
    mimetic_positions(&encoder, 0.25);
    check_positions(&params, n);
    for (int block = 0; block < 2; block++) {
        static const char *const names[] = {"self.query", "self.key", "self.value", "output.dense"};
        const float *w[4];
        for (int m = 0; m < 4; m++) {
            char name[112];
            snprintf(name, sizeof name, "encoder.layer.%d.attention.%s.weight", block, names[m]);
            w[m] = params_values(&params, params_find(&params, name));
        }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++) { /* rows of an orthogonal matrix are so, too */
                ck_assert_double_eq_tol(product(w[0], w[1], n, i, j, true), i == j ? 3 / 2.0 : 0,
                                        1e-5);
                ck_assert_double_eq_tol(product(w[3], w[2], n, i, j, false), i == j ? -0.49 : 0,
                                        1e-5);
            }
    }
    params_free(&params);
}
END_TEST

START_TEST(a_new_one_is_of_the_given_shape)
{
    struct error err = {0};
    struct tokenizer *tok;
    struct cross_encoder *ce;
    char *folder = tiny_model("words", &(struct tiny_model){.seed = 3});
    check_ok(tokenizer_open(&tok, folder, &err), &err);
    struct cross_encoder *like = begin(folder, 0);
    struct encoder_config config = *cross_encoder_config(like);
    cross_encoder_close(like);
    config.vocab_size = tokenizer_vocab_size(tok);
    config.num_layers = 2;
    const struct training_start start = {.precision = PRECISION_F32, .dropout = 0.1, .seed = 13};
    check_ok(cross_encoder_new(&ce, &config, tok, &start, &err), &err);
    struct lesson lesson;
    check_written(ce, "new");
    lesson_open(&lesson, ce);
    ck_assert_int_eq(lesson.layer, 2);
    check_gradients(&lesson);
    lesson_close(&lesson);
    free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(gradients_of_every_kind_of_head),  TEST(gradients_of_a_whole_model),
        TEST(tape_gives_the_logits_of_scoring), TEST(a_cross_encoder_goes_on_from_its_head),
        TEST(an_encoder_gets_a_head),           TEST(new_attention_is_of_like_tokens),
        TEST(a_new_one_is_of_the_given_shape),  {0}};
    return run_tests("teacher/training", rows);
}
