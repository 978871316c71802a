#include "distill/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/checkpoint.h"

void report_add(struct report *report, double value, const char *format, ...)
{
    GROW(report->entries, report->count, &report->capacity);
    struct report_entry *entry = &report->entries[report->count++];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(entry->name, sizeof entry->name, format, arguments);
    va_end(arguments);
    entry->value = value;
}

void report_free(struct report *report)
{
    free(report->entries);
    *report = (struct report){0};
}

struct trainer {
    struct encoder *encoder;
    struct params *params; /* encoder->params */
    const struct phase *phase;
    struct pool *pool;
    struct adamw adamw;
    float *average; /* [params->size]; NULL: none is kept */
    struct checkpoint_state state;
    char *checkpoint_path, *best_path, *log_path;
    struct text log; /* rows since the last checkpoint */
    double saved_at;
};

/* Appends the rows gathered so far to the log file: it is for people, so a lost tail does no
 * harm. */
static void log_flush(struct trainer *trainer)
{
    FILE *file = trainer->log.length ? fopen(trainer->log_path, "a") : NULL;
    if (!file) return;
    fwrite(trainer->log.bytes, 1, trainer->log.length, file);
    fclose(file);
    text_clear(&trainer->log);
}

/* Releases the report. */
static void log_report(struct trainer *trainer, const char *kind, struct report *report)
{
    for (size_t i = 0; i < report->count; i++)
        text_printf(&trainer->log, "%s\t%s\t%llu\t%s\t%.6g\n", trainer->phase->name, kind,
                    (unsigned long long)trainer->state.step, report->entries[i].name,
                    report->entries[i].value);
    report_free(report);
}

static int save(struct trainer *trainer, struct error *err)
{
    log_flush(trainer);
    adamw_settle(&trainer->adamw, trainer->params, trainer->pool);
    trainer->saved_at = seconds_now();
    return checkpoint_write(trainer->params, &trainer->adamw, trainer->average, &trainer->state,
                            trainer->checkpoint_path, err);
}

static double rate_at(const struct phase *phase, uint64_t step)
{
    return phase->learning_rate *
           schedule_factor(phase->schedule, step, phase->warmup_steps, phase->total_steps);
}

static int train_step(struct trainer *trainer, struct error *err)
{
    const struct phase *phase = trainer->phase;
    struct report report = {0};
    gradients_clear(&trainer->adamw.gradients, trainer->pool);
    double loss = phase->step(phase->arg, trainer->state.step, &trainer->adamw, &report);
    double norm = gradients_norm(&trainer->adamw.gradients, trainer->pool);
    if (!isfinite(loss) || !isfinite(norm)) {
        report_free(&report);
        return fail(err,
                    "%s: the loss of step %llu is not a number (loss %g, gradient norm %g); try a "
                    "smaller learning_rate or precision: f32",
                    phase->name, (unsigned long long)trainer->state.step, loss, norm);
    }
    double rate = rate_at(phase, trainer->state.step);
    adamw_step(&trainer->adamw, trainer->params, clip_scale(norm, phase->clip_norm), rate,
               trainer->pool);
    encoder_refresh_by(trainer->encoder, trainer->pool);
    trainer->state.step++;
    report_add(&report, loss, "loss");
    report_add(&report, norm, "gradient_norm");
    report_add(&report, rate, "learning_rate");
    log_report(trainer, "train", &report);
    return 0;
}

static bool is_evaluated(const struct phase *phase, uint64_t step)
{
    return step == phase->total_steps ||
           (phase->evaluate_every && step % phase->evaluate_every == 0);
}

/* The last step before `step` at which the average took a sample; 0: none. */
static uint64_t sample_before(const struct phase *phase, uint64_t step)
{
    uint64_t before = step - 1, plain = before - before % AVERAGE_EVERY,
             evaluated = phase->evaluate_every ? before - before % phase->evaluate_every : 0;
    return plain > evaluated ? plain : evaluated;
}

static void sample(struct trainer *trainer)
{
    const struct phase *phase = trainer->phase;
    uint64_t step = trainer->state.step;
    if (!trainer->average || (step % AVERAGE_EVERY && !is_evaluated(phase, step))) return;
    adamw_settle(&trainer->adamw, trainer->params, trainer->pool);
    average_add(
        trainer->average, trainer->params->values, trainer->params->size,
        averaging_weight(&phase->averaging, sample_before(phase, step), step, phase->total_steps),
        trainer->pool);
}

/* Puts the average in the place of the weights, or back. */
static void swap_average(struct trainer *trainer)
{
    if (!trainer->average) return;
    average_swap(trainer->average, trainer->params->values, trainer->params->size, trainer->pool);
    encoder_refresh_by(trainer->encoder, trainer->pool);
}

/* Keeps the weights if they are the best so far; without evaluation whatever they are. */
static int judge(struct trainer *trainer, struct error *err)
{
    const struct phase *phase = trainer->phase;
    if (!phase->evaluate_every) return weights_write(trainer->params, trainer->best_path, err);
    struct report report = {0};
    double value = phase->evaluate(phase->arg, &report);
    REQUIRE(!isnan(value)); /* nothing would be better than that */
    report_add(&report, value, "dev_mean");
    log_report(trainer, "dev", &report);
    note("%s: step %llu of %llu, dev %.4f%s", phase->name, (unsigned long long)trainer->state.step,
         (unsigned long long)phase->total_steps, value,
         value > trainer->state.best ? " (best)" : "");
    if (value <= trainer->state.best) return trainer->state.waited++, 0;
    trainer->state.best = value;
    trainer->state.waited = 0;
    return weights_write(trainer->params, trainer->best_path, err);
}

static int consider(struct trainer *trainer, struct error *err)
{
    sample(trainer);
    if (!is_evaluated(trainer->phase, trainer->state.step)) return 0;
    adamw_settle(&trainer->adamw, trainer->params, trainer->pool);
    swap_average(trainer);
    int status = judge(trainer, err);
    swap_average(trainer);
    return status;
}

/* All steps done, or dev did not rise for long enough. */
static bool is_over(const struct trainer *trainer)
{
    const struct phase *phase = trainer->phase;
    return trainer->state.step >= phase->total_steps ||
           (phase->patience && trainer->state.waited >= (uint64_t)phase->patience);
}

/* The checkpoint comes first: then a file that a refresh left is one of this run, or it will be
 * written again before it is read. */
static int refresh(struct trainer *trainer, struct error *err)
{
    const struct phase *phase = trainer->phase;
    uint64_t step = trainer->state.step;
    if (!phase->refresh_every || !step || step % phase->refresh_every) return 0;
    return save(trainer, err) || phase->refresh(phase->arg, step, false, err) ? -1 : 0;
}

/* What the last refresh before the checkpoint left. */
static int refresh_again(struct trainer *trainer, struct error *err)
{
    const struct phase *phase = trainer->phase;
    uint64_t past = phase->refresh_every ? trainer->state.step % phase->refresh_every : 0;
    if (!past || past == trainer->state.step) return 0;
    return phase->refresh(phase->arg, trainer->state.step - past, true, err);
}

static int train(struct trainer *trainer, struct error *err)
{
    const struct phase *phase = trainer->phase;
    struct progress progress;
    int status = refresh_again(trainer, err);
    progress_start(&progress, phase->name, "steps", phase->total_steps, trainer->state.step);
    trainer->saved_at = seconds_now();
    while (!status && !is_over(trainer)) {
        status = refresh(trainer, err);
        if (!status) status = train_step(trainer, err);
        if (!status) status = consider(trainer, err);
        progress_add(&progress, 1);
        bool stop = interrupted();
        if (!status && (stop || seconds_now() - trainer->saved_at > phase->checkpoint_seconds))
            status = save(trainer, err);
        if (!status && stop) status = fail_interrupted(err);
    }
    progress_end(&progress);
    if (!status && !phase->total_steps) /* nothing to choose from */
        status = weights_write(trainer->params, trainer->best_path, err);
    if (status) return status;
    trainer->state.finished = true;
    return save(trainer, err);
}

static int resume_or_begin(struct trainer *trainer, struct error *err)
{
    int found = checkpoint_read(trainer->params, &trainer->adamw, trainer->average, &trainer->state,
                                trainer->checkpoint_path, err);
    if (found < 0) return -1;
    if (found) {
        encoder_refresh(trainer->encoder);
        if (!trainer->state.finished)
            note("%s: going on from step %llu of %llu", trainer->phase->name,
                 (unsigned long long)trainer->state.step,
                 (unsigned long long)trainer->phase->total_steps);
        return 0;
    }
    struct output log = {0};
    if (output_open(&log, trainer->log_path, err)) return -1;
    output_printf(&log, "phase\tkind\tstep\tname\tvalue\n");
    return output_commit(&log, err);
}

int trainer_run(struct encoder *encoder, const struct phase *phase, const char *folder,
                struct pool *pool, struct error *err)
{
    struct trainer trainer = {.encoder = encoder,
                              .params = encoder->params,
                              .phase = phase,
                              .pool = pool,
                              .state = {.best = -2, .identity = phase->identity},
                              .checkpoint_path =
                                  xasprintf("%s/%s.checkpoint.safetensors", folder, phase->name),
                              .best_path = xasprintf("%s/%s.best.safetensors", folder, phase->name),
                              .log_path = xasprintf("%s/%s.tsv", folder, phase->name)};
    adamw_init(&trainer.adamw, encoder->params);
    trainer.adamw.weight_decay = phase->weight_decay;
    if (phase->layer_decay > 0) adamw_decay_layers(&trainer.adamw, encoder, phase->layer_decay);
    if (phase->averaging.kind != AVERAGE_NONE)
        trainer.average = xaligned(encoder->params->size, sizeof *trainer.average);
    int status = resume_or_begin(&trainer, err);
    if (!status && !trainer.state.finished) status = train(&trainer, err);
    if (!status) status = weights_read(encoder->params, trainer.best_path, err);
    if (!status) encoder_refresh(encoder);
    adamw_free(&trainer.adamw);
    free(trainer.average);
    text_free(&trainer.log);
    free(trainer.checkpoint_path);
    free(trainer.best_path);
    free(trainer.log_path);
    return status;
}
