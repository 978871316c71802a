/* distill/trainer on a quadratic phase: killed at any step it ends with the same bytes; what is
 * finished is only loaded; the best weights are kept. */
#define _GNU_SOURCE
#include "distill/trainer.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/output.h"
#include "data/progress.h"

enum { STEPS = 9, NOBODY = -1 };

/* Pulls every weight towards 1, a little noise in each step's gradient; of the word embeddings
 * every fourth row, in turns. */
struct quadratic {
    struct dual_encoder *de;
    int kill_at;      /* step in which the process dies; NOBODY: in none */
    int interrupt_at; /* step in which SIGTERM comes */
    int patience;
    int nan_at;
    int best_at; /* step after which the dev value is highest; NOBODY: rising with the steps */
    struct averaging averaging;
    double layer_decay;
    uint64_t refresh_every;
    uint64_t identity;
    bool saves_seldom;
    const char *folder; /* where a refresh leaves its file */
    float target;       /* what weights are pulled to; a refresh changes it */
    float *seen; /* [STEPS + 1, params.size]: weights that were evaluated, by step; or NULL */
    int calls, evaluations;
};

/* Adds the gradient of values[first .. last - 1]; returns their loss. */
static double pull(struct adamw *adamw, const float *values, size_t first, size_t last,
                   uint64_t step, float target)
{
    double loss = 0;
    for (size_t i = first; i < last; i++) {
        double away = values[i] - target + 0.1 * test_value(step, i);
        adamw->gradients.values[i] += (float)away;
        loss += 0.5 * away * away;
    }
    return loss;
}

static double quadratic_step(void *arg, uint64_t step, struct adamw *adamw, struct report *report)
{
    struct quadratic *q = arg;
    struct params *params = &q->de->params;
    const struct param *words = adamw->gradients.table;
    size_t width = (size_t)words->cols, end = words->offset + (size_t)words->rows * width;
    if ((int)step == q->kill_at) _exit(9);
    if ((int)step == q->interrupt_at) raise(SIGTERM);
    for (int32_t row = (int32_t)(step % 4); row < words->rows; row += 4)
        gradients_touch(&adamw->gradients, &row, 1);
    adamw_catch_up(adamw, params, NULL);
    double loss = pull(adamw, params->values, 0, words->offset, step, q->target) +
                  pull(adamw, params->values, end, params->size, step, q->target);
    for (size_t i = 0; i < adamw->gradients.num_rows; i++) {
        size_t first = words->offset + (size_t)adamw->gradients.rows[i] * width;
        loss += pull(adamw, params->values, first, first + width, step, q->target);
    }
    loss /= (double)params->size;
    report_add(report, loss, "quadratic");
    q->calls++;
    return (int)step == q->nan_at ? NAN : loss;
}

/* Depends on the weights alone, as a real one does. */
static double quadratic_value(void *arg, struct report *report)
{
    struct quadratic *q = arg;
    double sum = 0;
    for (size_t i = 0; i < q->de->params.size; i++) sum += fabs(q->de->params.values[i] - 1);
    q->evaluations++;
    if (q->seen)
        memcpy(q->seen + (size_t)q->calls * q->de->params.size, q->de->params.values,
               q->de->params.size * sizeof *q->seen);
    report_add(report, sum, "distance");
    if (q->best_at == NOBODY) return 1 / (1 + sum);
    return q->evaluations == q->best_at ? 0.9 : 0.5;
}

/* The target moves by the weights; the file says where to. */
static int move_target(void *arg, uint64_t step, bool again, struct error *err)
{
    struct quadratic *q = arg;
    char *path = xasprintf("%s/target.%llu", q->folder, (unsigned long long)step);
    struct text text = {0};
    struct output out = {0};
    double sum = 0;
    int status = 0;
    for (size_t i = 0; i < q->de->params.size; i++) sum += (double)q->de->params.values[i];
    q->target = 1 + (float)(sum / (double)q->de->params.size);
    if (again) {
        status = read_whole_file(&text, path, 100, err);
        if (!status) q->target = strtof(text.bytes, NULL);
    } else if ((status = output_open(&out, path, err)) == 0) {
        output_printf(&out, "%a\n", (double)q->target);
        status = output_commit(&out, err);
    }
    text_free(&text);
    free(path);
    return status;
}

static const struct quadratic undisturbed = {
    .kill_at = NOBODY, .interrupt_at = NOBODY, .nan_at = NOBODY, .best_at = NOBODY, .target = 1};

static struct phase phase_of(struct quadratic *quadratic)
{
    return (struct phase){.name = "quadratic",
                          .total_steps = STEPS,
                          .warmup_steps = 2,
                          .evaluate_every = 2,
                          .patience = quadratic->patience,
                          .learning_rate = 0.05,
                          .weight_decay = 0.01,
                          .clip_norm = 1,
                          .schedule = SCHEDULE_LINEAR,
                          .averaging = quadratic->averaging,
                          .layer_decay = quadratic->layer_decay,
                          .refresh_every = quadratic->refresh_every,
                          .refresh = move_target,
                          .checkpoint_seconds =
                              quadratic->saves_seldom ? 1e9 : -1, /* or every step */
                          .identity = {1, 2 + quadratic->identity},
                          .step = quadratic_step,
                          .evaluate = quadratic_value,
                          .arg = quadratic};
}

static void make(struct dual_encoder *out)
{
    const struct tiny_shape shape = {.layers = 1, .output_size = 4, .pooling = POOLING_MEAN};
    tiny_student_make(out, &shape);
}

static char *fresh_folder(const char *name)
{
    struct error err = {0};
    char *path = path_join(scratch_folder(), name);
    check_ok(make_folder(path, &err), &err);
    return path;
}

/* From fresh weights; the values at the end, freshly allocated, NULL where it failed. */
static float *train(struct quadratic *quadratic, const char *folder, struct error *err)
{
    struct dual_encoder de;
    struct pool *pool = pool_open(1);
    make(&de);
    quadratic->de = &de;
    quadratic->folder = folder;
    struct phase phase = phase_of(quadratic);
    float *values = NULL;
    if (trainer_run(&de.encoder, &phase, folder, pool, err) == 0) {
        values = xcalloc(de.params.size, sizeof *values);
        memcpy(values, de.params.values, de.params.size * sizeof *values);
    }
    dual_encoder_free(&de);
    pool_close(pool);
    return values;
}

static void hash_of(char hex[33], const char *folder, const char *name)
{
    struct error err = {0};
    char *path = path_join(folder, name);
    check_ok(hash_file(hex, path, &err), &err);
    free(path);
}

static void expect_same_files(const char *a, const char *b)
{
    static const char *const names[] = {"quadratic.best.safetensors",
                                        "quadratic.checkpoint.safetensors"};
    for (int n = 0; n < 2; n++) {
        char first[33], second[33];
        hash_of(first, a, names[n]);
        hash_of(second, b, names[n]);
        ck_assert_msg(strcmp(first, second) == 0, "%s: other bytes", names[n]);
    }
}

/* In a process of its own; its exit status: 0 done, 1 an error, 2 interrupted, 9 killed. */
static int train_apart(struct quadratic quadratic, const char *folder)
{
    fflush(stdout);
    pid_t child = fork();
    ck_assert(child >= 0);
    if (child == 0) {
        struct error err = {0};
        interrupt_install();
        float *values = train(&quadratic, folder, &err);
        free(values);
        _exit(values ? 0 : err.status == STATUS_INTERRUPTED ? 2 : 1);
    }
    int status;
    ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Killed once at each step, in folders of their own, and at each step in turn, in one. */
static void expect_same_after_kills(struct quadratic kind, const char *name)
{
    char *whole = fresh_folder(name), *folder = NULL;
    ck_assert_int_eq(train_apart(kind, whole), 0);
    for (int turn = 0; turn < 2 * STEPS; turn++) {
        struct quadratic killed = kind;
        char *fresh = xasprintf("%s%d", name, turn);
        if (turn <= STEPS) free(folder), folder = fresh_folder(fresh);
        killed.kill_at = turn % STEPS;
        ck_assert_int_eq(train_apart(killed, folder), 9);
        if (turn < STEPS || turn + 1 == 2 * STEPS) {
            ck_assert_int_eq(train_apart(kind, folder), 0);
            expect_same_files(whole, folder);
        }
        free(fresh);
    }
    free(whole), free(folder);
}

START_TEST(killed_at_any_step_it_ends_with_the_same_bytes)
{
    expect_same_after_kills(undisturbed, "whole");
}
END_TEST

START_TEST(an_average_survives_kills)
{
    struct quadratic ema = undisturbed, last = undisturbed;
    ema.averaging = (struct averaging){.kind = AVERAGE_EMA, .decay = 0.8};
    last.averaging = (struct averaging){.kind = AVERAGE_LAST, .share = 0.5};
    expect_same_after_kills(ema, "ema");
    expect_same_after_kills(last, "last");
}
END_TEST

START_TEST(what_was_refreshed_survives_kills)
{
    struct quadratic refreshed = undisturbed;
    refreshed.refresh_every = 3;
    expect_same_after_kills(refreshed, "refreshed");
}
END_TEST

/* The weights that a refresh looks at, those that dev sees and those that are left differ. */
START_TEST(all_of_it_together_survives_kills)
{
    struct quadratic all = undisturbed;
    all.averaging = (struct averaging){.kind = AVERAGE_EMA, .decay = 0.8};
    all.refresh_every = 2;
    all.layer_decay = 0.5;
    all.patience = 2;
    expect_same_after_kills(all, "together");
}
END_TEST

/* Another run, which never came to save by itself, leaves a file of the same name between the
 * halves of the first: the first does not take it for its own. */
START_TEST(what_another_run_refreshed_is_not_read)
{
    char *whole = fresh_folder("own"), *folder = fresh_folder("others");
    struct quadratic first = undisturbed, other = undisturbed;
    first.refresh_every = other.refresh_every = 3;
    ck_assert_int_eq(train_apart(first, whole), 0);
    first.kill_at = 5;
    ck_assert_int_eq(train_apart(first, folder), 9);
    other.identity = 7;
    other.target = 9;
    other.saves_seldom = true;
    other.kill_at = 4;
    ck_assert_int_eq(train_apart(other, folder), 9);
    first.kill_at = NOBODY;
    ck_assert_int_eq(train_apart(first, folder), 0);
    expect_same_files(whole, folder);
    free(whole), free(folder);
}
END_TEST

/* After steps 2, 4, 6, 8 and 9: averages of what the same steps without one evaluate, in double;
 * the steps themselves do not notice, and the average with the best value is what is left. */
START_TEST(dev_sees_the_average_and_the_best_is_left)
{
    /* The mean of the last 5 of 9 steps: 5 and 6, 7 and 8, 9. */
    static const double last[5][5] = {
        {1}, {0, 1}, {0, 0, 1}, {0, 0, 0.5, 0.5}, {0, 0, 0.4, 0.4, 0.2}};
    struct error err = {0};
    struct dual_encoder de;
    make(&de);
    size_t n = de.params.size;
    float *raw = xcalloc((STEPS + 1) * n, sizeof *raw),
          *seen = xcalloc((STEPS + 1) * n, sizeof *raw), *expected = xcalloc(n, sizeof *expected);
    for (int kind = 0; kind < 2; kind++) {
        struct quadratic plain = undisturbed, averaged = undisturbed;
        const char *const names[] = {"plain-ema", "averaged-ema", "plain-last", "averaged-last"};
        char *one = fresh_folder(names[2 * kind]), *two = fresh_folder(names[2 * kind + 1]);
        plain.seen = raw, averaged.seen = seen;
        averaged.averaging = (struct averaging){
            .kind = kind ? AVERAGE_LAST : AVERAGE_EMA, .decay = 0.8, .share = 0.56}; /* 5 of 9 */
        float *a = train(&plain, one, &err), *b = train(&averaged, two, &err);
        check_ok(a && b ? 0 : -1, &err);
        for (int e = 0; e < 5; e++) {
            size_t step = e < 4 ? 2 * (size_t)e + 2 : STEPS;
            for (size_t i = 0; i < n; i++) {
                double sum = 0, mean = 0;
                for (int j = 0; j <= e; j++) {
                    size_t at = j < 4 ? 2 * (size_t)j + 2 : STEPS;
                    double weight = last[e][j];
                    if (!kind) /* every step counts 0.8^age */
                        weight = j < 4 ? pow(0.8, (double)(step - at)) * (1 + 0.8) : 1;
                    sum += weight;
                    mean += weight * (double)raw[at * n + i];
                }
                expected[i] = (float)(mean / sum);
            }
            check_close(seen + step * n, expected, n, 1e-6); /* seen: 1e-7 */
        }
        ck_assert_mem_eq(b, seen + STEPS * n, n * sizeof *b); /* the last one is the best */
        ck_assert_mem_ne(a, b, n * sizeof *b);
        free(a), free(b), free(one), free(two);
    }
    dual_encoder_free(&de);
    free(raw), free(seen), free(expected);
}
END_TEST

/* With a first step of rate r every value moves by about r times its parameter's factor. */
START_TEST(layers_below_learn_slower)
{
    struct error err = {0};
    struct dual_encoder de;
    struct quadratic slow = undisturbed;
    slow.layer_decay = 0.25;
    char *folder = fresh_folder("slow");
    make(&de);
    float *values = train(&slow, folder, &err);
    check_ok(values ? 0 : -1, &err);
    double moved[3] = {0}, count[3] = {0};
    for (size_t p = 0; p < de.params.count; p++) {
        const char *name = de.params.list[p].name;
        int kind = strncmp(name, "embeddings", 10) == 0 ? 0
                   : strncmp(name, "encoder", 7) == 0   ? 1
                                                        : 2;
        for (size_t i = 0; i < params_param_size(&de.params.list[p]); i++) {
            size_t at = de.params.list[p].offset + i;
            moved[kind] += fabs((double)values[at] - (double)de.params.values[at]);
            count[kind]++;
        }
    }
    for (int kind = 0; kind < 3; kind++) moved[kind] /= count[kind];
    ck_assert_double_lt(moved[0], 0.5 * moved[1]);
    ck_assert_double_lt(0.5 * moved[2], moved[1]); /* block 1 of 1: the full rate */
    dual_encoder_free(&de);
    free(values), free(folder);
}
END_TEST

/* Saving brings all rows up to date, which later steps must not notice. */
START_TEST(saving_changes_no_byte)
{
    struct error err = {0};
    struct pool *pool = pool_open(2);
    char *folders[2] = {fresh_folder("often"), fresh_folder("seldom")};
    for (int seldom = 0; seldom < 2; seldom++) {
        struct dual_encoder de;
        struct quadratic quadratic = undisturbed;
        make(&de);
        quadratic.de = &de;
        struct phase phase = phase_of(&quadratic);
        phase.evaluate_every = 0;
        if (seldom) phase.checkpoint_seconds = 1e9;
        check_ok(trainer_run(&de.encoder, &phase, folders[seldom], pool, &err), &err);
        dual_encoder_free(&de);
    }
    expect_same_files(folders[0], folders[1]);
    pool_close(pool);
    free(folders[0]), free(folders[1]);
}
END_TEST

START_TEST(interrupted_it_saves_and_goes_on)
{
    char *whole = fresh_folder("whole3"), *folder = fresh_folder("interrupted");
    ck_assert_int_eq(train_apart(undisturbed, whole), 0);
    struct quadratic stopped = undisturbed;
    stopped.interrupt_at = 4;
    ck_assert_int_eq(train_apart(stopped, folder), 2);
    struct quadratic late = undisturbed;
    late.kill_at = 4; /* step 4 is done: it must not come again */
    ck_assert_int_eq(train_apart(late, folder), 0);
    expect_same_files(whole, folder);
    free(whole), free(folder);
}
END_TEST

START_TEST(what_is_finished_is_only_loaded)
{
    struct error err = {0};
    struct quadratic first = undisturbed, again = undisturbed;
    char *folder = fresh_folder("finished");
    float *a = train(&first, folder, &err);
    check_ok(a ? 0 : -1, &err);
    float *b = train(&again, folder, &err);
    check_ok(b ? 0 : -1, &err);
    ck_assert_int_eq(first.calls, STEPS);
    ck_assert_int_eq(first.evaluations, 5); /* after 2, 4, 6, 8 and the last */
    ck_assert_int_eq(again.calls + again.evaluations, 0);
    struct dual_encoder de;
    make(&de);
    ck_assert_mem_eq(a, b, de.params.size * sizeof *a);
    ck_assert_mem_ne(a, de.params.values, de.params.size * sizeof *a);
    dual_encoder_free(&de);
    free(a), free(b), free(folder);
}
END_TEST

START_TEST(the_best_weights_are_kept)
{
    struct error err = {0};
    struct quadratic whole = undisturbed, best = undisturbed;
    best.best_at = 2; /* the second evaluation, after step 4 */
    char *all = fresh_folder("all"), *folder = fresh_folder("best");
    struct dual_encoder de;
    struct pool *pool = pool_open(1);
    make(&de);
    whole.de = &de;
    struct phase phase = phase_of(&whole);
    phase.evaluate_every = 0;
    phase.schedule = SCHEDULE_CONSTANT;
    phase.total_steps = 4;
    check_ok(trainer_run(&de.encoder, &phase, all, pool, &err), &err);
    float *expected = xcalloc(de.params.size, sizeof *expected);
    memcpy(expected, de.params.values, de.params.size * sizeof *expected);
    dual_encoder_free(&de);
    make(&de);
    best.de = &de;
    phase = phase_of(&best);
    phase.schedule = SCHEDULE_CONSTANT;
    check_ok(trainer_run(&de.encoder, &phase, folder, pool, &err), &err);
    ck_assert_mem_eq(de.params.values, expected, de.params.size * sizeof *expected);
    ck_assert_int_eq(best.calls, STEPS);
    dual_encoder_free(&de);
    pool_close(pool);
    free(expected), free(all), free(folder);
}
END_TEST

/* Evaluations after steps 2, 4, 6, ...: with the best at the first and a patience of 2, the third
 * is the last; a run that was killed on the way has not forgotten how long it waited. */
START_TEST(patience_stops_where_dev_does_not_rise)
{
    struct error err = {0};
    char *whole = fresh_folder("patience"), *folder = fresh_folder("patience-killed");
    struct quadratic patient = undisturbed;
    patient.patience = 2;
    patient.best_at = 1;
    float *values = train(&patient, whole, &err);
    check_ok(values ? 0 : -1, &err);
    ck_assert_int_eq(patient.calls, 6);
    ck_assert_int_eq(patient.evaluations, 3);
    struct quadratic killed = patient, resumed = patient;
    killed.calls = killed.evaluations = resumed.calls = resumed.evaluations = 0;
    killed.kill_at = 5;
    ck_assert_int_eq(train_apart(killed, folder), 9);
    resumed.best_at = 99; /* counted in this process: none of its evaluations is the best */
    resumed.kill_at = 6;
    ck_assert_int_eq(train_apart(resumed, folder), 0);
    expect_same_files(whole, folder);
    free(values), free(whole), free(folder);
}
END_TEST

START_TEST(a_phase_of_no_steps_keeps_the_weights)
{
    struct error err = {0};
    struct dual_encoder de, before;
    struct pool *pool = pool_open(1);
    struct quadratic quadratic = undisturbed;
    char *folder = fresh_folder("none");
    make(&de);
    make(&before);
    quadratic.de = &de;
    struct phase phase = phase_of(&quadratic);
    phase.total_steps = 0;
    check_ok(trainer_run(&de.encoder, &phase, folder, pool, &err), &err);
    ck_assert_mem_eq(de.params.values, before.params.values, de.params.size * sizeof(float));
    ck_assert_int_eq(quadratic.calls, 0);
    dual_encoder_free(&de);
    dual_encoder_free(&before);
    pool_close(pool);
    free(folder);
}
END_TEST

START_TEST(another_identity_starts_anew)
{
    struct error err = {0};
    struct dual_encoder de;
    struct pool *pool = pool_open(1);
    struct quadratic quadratic = undisturbed;
    char *folder = fresh_folder("identity");
    float *first = train(&quadratic, folder, &err);
    check_ok(first ? 0 : -1, &err);
    make(&de);
    quadratic = undisturbed;
    quadratic.de = &de;
    struct phase phase = phase_of(&quadratic);
    phase.identity.high = 3;
    phase.learning_rate = 0.01;
    check_ok(trainer_run(&de.encoder, &phase, folder, pool, &err), &err);
    ck_assert_int_eq(quadratic.calls, STEPS);
    ck_assert_mem_ne(first, de.params.values, de.params.size * sizeof *first);
    dual_encoder_free(&de);
    pool_close(pool);
    free(first), free(folder);
}
END_TEST

START_TEST(a_loss_that_is_no_number_names_its_step)
{
    struct error err = {0};
    struct quadratic quadratic = undisturbed;
    quadratic.nan_at = 3;
    char *folder = fresh_folder("nan");
    ck_assert_ptr_null(train(&quadratic, folder, &err));
    check_failed(-1, &err, STATUS_WORLD, "quadratic", "step 3", "not a number");
    free(folder);
}
END_TEST

START_TEST(a_checkpoint_of_another_shape_is_named)
{
    struct error err = {0};
    struct dual_encoder de;
    struct pool *pool = pool_open(1);
    struct quadratic quadratic = undisturbed;
    const struct tiny_shape shape = {.layers = 1, .output_size = 5, .pooling = POOLING_MEAN};
    char *folder = fresh_folder("shape");
    free(train(&quadratic, folder, &err));
    tiny_student_make(&de, &shape);
    quadratic.de = &de;
    struct phase phase = phase_of(&quadratic);
    check_failed(trainer_run(&de.encoder, &phase, folder, pool, &err), &err, STATUS_WORLD,
                 "quadratic.checkpoint.safetensors", "projection", "delete");
    dual_encoder_free(&de);
    pool_close(pool);
    free(folder);
}
END_TEST

START_TEST(the_log_has_each_step_once)
{
    struct error err = {0};
    struct text log = {0};
    struct quadratic quadratic = undisturbed;
    char *folder = fresh_folder("log"), *path = path_join(folder, "quadratic.tsv");
    free(train(&quadratic, folder, &err));
    check_ok(read_whole_file(&log, path, 1 << 20, &err), &err);
    int lines = 0;
    for (size_t i = 0; i < log.length; i++) lines += log.bytes[i] == '\n';
    ck_assert_int_eq(lines, 1 + STEPS * 4 + 5 * 2);
    ck_assert(strncmp(log.bytes, "phase\tkind\tstep\tname\tvalue\n", 27) == 0);
    ck_assert_ptr_nonnull(strstr(log.bytes, "quadratic\ttrain\t9\tlearning_rate\t"));
    ck_assert_ptr_nonnull(strstr(log.bytes, "quadratic\tdev\t2\tdev_mean\t"));
    text_free(&log);
    free(path), free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(killed_at_any_step_it_ends_with_the_same_bytes),
                                    TEST(an_average_survives_kills),
                                    TEST(what_was_refreshed_survives_kills),
                                    TEST(all_of_it_together_survives_kills),
                                    TEST(what_another_run_refreshed_is_not_read),
                                    TEST(dev_sees_the_average_and_the_best_is_left),
                                    TEST(layers_below_learn_slower),
                                    TEST(saving_changes_no_byte),
                                    TEST(interrupted_it_saves_and_goes_on),
                                    TEST(what_is_finished_is_only_loaded),
                                    TEST(the_best_weights_are_kept),
                                    TEST(patience_stops_where_dev_does_not_rise),
                                    TEST(a_phase_of_no_steps_keeps_the_weights),
                                    TEST(another_identity_starts_anew),
                                    TEST(a_loss_that_is_no_number_names_its_step),
                                    TEST(a_checkpoint_of_another_shape_is_named),
                                    TEST(the_log_has_each_step_once),
                                    {0}};
    return run_tests("distill/trainer", rows);
}
