/* The teach stage: a cross-encoder made from labels or scored pairs, left in RUN/teacher as a
 * Hugging Face folder, from which the stages after it read it as any other teacher. */
#include <stdlib.h>
#include <string.h>

#include "data/sequences.h"
#include "distill/job_run.h"
#include "distill/pair_losses.h"
#include "distill/teach_data.h"
#include "distill/teach_start.h"
#include "distill/trainer.h"
#include "teacher/training.h"

enum { STREAM_DROPOUT = 0xd00 };

struct teaching {
    struct job_run *run;
    struct cross_encoder *ce;
    struct tape *tape;
    struct teach_data data;
    int max_length;
    struct teach_step step;
    struct tape_text *texts; /* [pairs of the largest step so far] */
    float *logits, *d_logits, *distribution;
    size_t capacity;
    float *dev_logits;
};

static void reserve(struct teaching *teaching, size_t pairs)
{
    if (pairs <= teaching->capacity) return;
    teaching->capacity = pairs;
    teaching->texts = xrealloc(teaching->texts, pairs, sizeof *teaching->texts);
    teaching->logits = xrealloc(teaching->logits, pairs, sizeof(float));
    teaching->d_logits = xrealloc(teaching->d_logits, pairs, sizeof(float));
    teaching->distribution = xrealloc(teaching->distribution, pairs, sizeof(float));
}

typedef double pair_loss(const struct pair_lists *lists, const float *target, double weight,
                         float *d_logits);

/* The weighted sum of the job's losses; fills d_logits. */
static double losses(struct teaching *teaching, size_t pairs, struct report *report)
{
    const struct job *job = teaching->run->job;
    const struct teach_step *step = &teaching->step;
    const struct pair_lists lists = {step->num_lists, step->starts, teaching->logits};
    const struct teach_mix mix = {job_is_none(job->teach.guide) ? 0 : job->teach.guide_weight,
                                  job->teach.guide_temperature};
    teach_step_distributions(teaching->distribution, step, &teaching->data.train, mix);
    const struct {
        const char *name;
        pair_loss *loss;
        double weight;
        const float *target;
    } rows[] = {{"softmax", pair_softmax, job->teach.loss.softmax, teaching->distribution},
                {"bce", pair_bce, job->teach.loss.bce, step->targets},
                {"margin_mse", pair_margin_mse, job->teach.loss.margin_mse, step->targets},
                {"mse", pair_mse, job->teach.loss.mse, step->targets}};
    double sum = 0;
    memset(teaching->d_logits, 0, pairs * sizeof *teaching->d_logits);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        if (rows[r].weight <= 0) continue;
        double value = rows[r].loss(&lists, rows[r].target, rows[r].weight, teaching->d_logits);
        report_add(report, value, "%s", rows[r].name);
        sum += rows[r].weight * value;
    }
    return sum;
}

static double teach_step(void *arg, uint64_t number, struct adamw *adamw, struct report *report)
{
    struct teaching *teaching = arg;
    const struct job *job = teaching->run->job;
    struct teach_step *step = &teaching->step;
    teach_step_fill(step, &teaching->data.train, job->teach.batch_queries, number);
    size_t pairs = (size_t)step->starts[step->num_lists];
    reserve(teaching, pairs);
    struct sequences tokens;
    sequences_encode(&tokens, cross_encoder_tokenizer(teaching->ce), teaching->run->pool,
                     step->queries, step->documents, pairs, "", teaching->max_length);
    for (size_t i = 0; i < pairs; i++)
        teaching->texts[i] = (struct tape_text){.ids = tokens.ids + tokens.offsets[i],
                                                .types = tokens.types + tokens.offsets[i],
                                                .length = tokens.lengths[i]};
    int layer = cross_encoder_config(teaching->ce)->num_layers;
    uint64_t seed = random_bits((uint64_t)job->seed, STREAM_DROPOUT, number) | 1;
    tape_forward(teaching->tape, adamw, teaching->texts, pairs, &layer, 1,
                 job->teach.dropout > 0 ? seed : 0, &teaching->logits);
    double loss = losses(teaching, pairs, report);
    const float *d_logits = teaching->d_logits;
    tape_backward(teaching->tape, &d_logits, &adamw->gradients);
    sequences_free(&tokens);
    return loss;
}

static double teach_evaluate(void *arg, struct report *report)
{
    (void)report; /* the trainer logs the value itself */
    struct teaching *teaching = arg;
    const struct teach_data *data = &teaching->data;
    cross_encoder_score(teaching->ce, teaching->run->pool, data->queries, data->documents,
                        data->num_dev, teaching->max_length, teaching->dev_logits);
    return teach_data_measure(data, teaching->run, teaching->dev_logits);
}

static int teach(struct teaching *teaching, struct error *err)
{
    struct job_run *run = teaching->run;
    const struct job *job = run->job;
    uint64_t per_epoch = teach_steps_per_epoch(&teaching->data.train, job->teach.batch_queries);
    uint64_t total = (uint64_t)job->teach.epochs * per_epoch,
             evaluations = (uint64_t)job->teach.evaluations_per_epoch;
    const struct phase phase = {
        .name = "teach",
        .total_steps = total,
        .warmup_steps = (uint64_t)(job->teach.warmup * (double)total),
        .evaluate_every = per_epoch > evaluations ? per_epoch / evaluations : 1,
        .patience = job->teach.patience,
        .learning_rate = job->teach.learning_rate,
        .weight_decay = job->teach.weight_decay,
        .clip_norm = job->teach.clip_norm,
        .layer_decay = job->teach.layer_decay,
        .averaging = {job->teach.average, job->teach.ema_decay, job->teach.average_share},
        .schedule = job->teach.schedule,
        .checkpoint_seconds = 60 * job->distill.checkpoint_minutes,
        .identity = job_run_stage_hash(run, "teach"),
        .step = teach_step,
        .evaluate = teach_evaluate,
        .arg = teaching};
    char *folder = job_run_path(run, "train");
    int status = trainer_run(cross_encoder_trained(teaching->ce), &phase, folder, run->pool, err);
    free(folder);
    return status;
}

/* The job's share of the weights before, put into those after: WiSE-FT (Wortsman et al. 2022). */
static void mix_in(struct teaching *teaching, const float *before)
{
    struct job_run *run = teaching->run;
    struct encoder *encoder = cross_encoder_trained(teaching->ce);
    double share = run->job->teach.init_share, value = teach_evaluate(teaching, NULL);
    average_add(encoder->params->values, before, encoder->params->size, share, run->pool);
    encoder_refresh_by(encoder, run->pool);
    note("teach: dev %.4f; with %g of teach.init's weights %.4f", value, share,
         teach_evaluate(teaching, NULL));
}

int teach_stage(struct job_run *run, struct error *err)
{
    struct teaching teaching = {.run = run};
    float *before = NULL;
    int status = teach_start(&teaching.ce, run->job, &run->collection, run->pool, err);
    if (!status) status = teach_data_make(&teaching.data, run, err);
    if (!status) {
        teaching.max_length = cross_encoder_max_length(teaching.ce, run->job->teacher.max_length);
        teaching.tape = cross_encoder_tape(teaching.ce, run->pool, tape_keep_bytes);
        teaching.dev_logits = xcalloc(teaching.data.num_dev, sizeof(float));
        const struct params *params = cross_encoder_trained(teaching.ce)->params;
        if (run->job->teach.init_share > 0) {
            before = xaligned(params->size, sizeof *before);
            memcpy(before, params->values, params->size * sizeof *before);
        }
        status = teach(&teaching, err);
    }
    if (!status && before) mix_in(&teaching, before);
    if (!status)
        status = cross_encoder_write(teaching.ce, run->teacher_folder, teaching.max_length, err);
    tape_close(teaching.tape);
    teach_step_free(&teaching.step);
    teach_data_free(&teaching.data);
    cross_encoder_close(teaching.ce);
    free(teaching.texts);
    free(teaching.logits);
    free(teaching.d_logits);
    free(teaching.distribution);
    free(teaching.dev_logits);
    free(before);
    return status;
}
