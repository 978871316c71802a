#include "distill/phases.h"

#include <stdlib.h>
#include <string.h>

enum { STREAM_HPD_ORDER = 0x500, STREAM_DROPOUT = 0x600 };

void phase_prepare(struct phase_context *context)
{
    context->most_layers = tap_schedule_most_layers(&context->schedule);
    REQUIRE(context->most_layers > 0 && context->most_layers <= MAX_TAP_LAYERS);
    context->order = xcalloc(context->num_hpd_texts, sizeof *context->order);
}

static void reserve(struct phase_context *context, size_t rows)
{
    if (rows <= context->rows_capacity) return;
    size_t width = (size_t)context->de->output_size;
    context->rows_capacity = rows;
    context->texts = xrealloc(context->texts, rows, sizeof *context->texts);
    for (int l = 0; l < context->most_layers; l++) {
        context->z[l] = xrealloc(context->z[l], rows * width, sizeof(float));
        context->d_z[l] = xrealloc(context->d_z[l], rows * width, sizeof(float));
    }
    for (int t = 0; t < context->num_targets; t++) {
        float **values = &context->step_target_values[t];
        *values = xrealloc(*values, rows * (size_t)context->targets[t].width, sizeof **values);
        context->step_targets[t] = (struct target_rows){*values, context->targets[t].width};
    }
}

/* Row `at` of the step is text `row` of the collection's queries or documents. */
static void place_text(struct phase_context *context, size_t at, bool is_query, uint32_t row)
{
    const struct sequences *all = is_query ? context->queries : context->documents;
    size_t first = all->offsets[row];
    context->texts[at] = (struct tape_text){
        .ids = all->ids + first, .types = all->types + first, .length = all->lengths[row]};
    for (int t = 0; t < context->num_targets; t++) {
        const struct text_targets *targets = &context->targets[t];
        size_t width = (size_t)targets->width;
        memcpy(context->step_target_values[t] + at * width,
               (is_query ? targets->queries : targets->documents) + row * width,
               width * sizeof(float));
    }
}

/* Forward, all rows of the step, backward. */
static double run_step(struct phase_context *context, struct objective_input *input, uint64_t step,
                       struct adamw *adamw, struct report *report)
{
    size_t rows = (size_t)(input->num_queries + input->num_documents);
    uint64_t seed = context->dropout ? random_bits(context->seed, STREAM_DROPOUT, step) | 1 : 0;
    int layers[MAX_TAP_LAYERS];
    tap_schedule_rows(&context->objective, &context->schedule, step);
    input->num_layers = objective_layers(&context->objective, layers, context->most_layers);
    tape_forward(context->tape, adamw, context->texts, rows, layers, input->num_layers, seed,
                 context->z);
    input->width = context->de->output_size;
    input->targets = context->step_targets;
    input->layers = layers;
    input->z = context->z;
    input->d_z = context->d_z;
    double sums[NUM_LOSSES];
    double loss = objective_evaluate(&context->objective, input, sums);
    for (int kind = 0; kind < NUM_LOSSES; kind++)
        if (sums[kind] != 0) report_add(report, sums[kind], "%s", loss_name(kind));
    const float *d_z[MAX_TAP_LAYERS];
    for (int l = 0; l < input->num_layers; l++) d_z[l] = context->d_z[l];
    tape_backward(context->tape, d_z, &adamw->gradients);
    return loss;
}

double hpd_step(void *arg, uint64_t step, struct adamw *adamw, struct report *report)
{
    struct phase_context *context = arg;
    size_t n = context->num_hpd_texts, batch = (size_t)context->batch_texts;
    uint64_t per_epoch = (n + batch - 1) / batch;
    size_t first = (size_t)(step % per_epoch) * batch,
           count = n - first < batch ? n - first : batch;
    uint64_t epoch = step / per_epoch;
    if (!context->has_order || context->epoch != epoch)
        random_permutation(context->order, n, context->seed ^ STREAM_HPD_ORDER, epoch);
    context->has_order = true;
    context->epoch = epoch;
    reserve(context, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t row = context->hpd_texts[context->order[first + i]];
        bool is_query = row >= context->documents->count;
        place_text(context, i, is_query,
                   is_query ? row - (uint32_t)context->documents->count : row);
    }
    struct objective_input input = {.num_documents = (int)count};
    return run_step(context, &input, step, adamw, report);
}

double distil_step(void *arg, uint64_t step, struct adamw *adamw, struct report *report)
{
    struct phase_context *context = arg;
    struct step_batch *batch = &context->batch;
    step_batch_fill(batch, context->train, context->batch_queries, step);
    size_t queries = (size_t)batch->num_queries, documents = (size_t)batch->num_documents;
    reserve(context, queries + documents);
    for (size_t q = 0; q < queries; q++) place_text(context, q, true, batch->queries[q]);
    for (size_t d = 0; d < documents; d++)
        place_text(context, queries + d, false, batch->documents[d]);
    struct objective_input input = {
        .num_queries = batch->num_queries,
        .num_documents = batch->num_documents,
        .positive = batch->positive,
        .mask = batch->mask,
        .lists = {.starts = batch->starts, .columns = batch->columns, .teacher = batch->teacher}};
    return run_step(context, &input, step, adamw, report);
}

void phase_release(struct phase_context *context)
{
    for (int l = 0; l < context->most_layers; l++) {
        free(context->z[l]);
        free(context->d_z[l]);
    }
    for (int t = 0; t < context->num_targets; t++) free(context->step_target_values[t]);
    free(context->texts);
    free(context->order);
    step_batch_free(&context->batch);
    objective_free(&context->objective);
    tape_close(context->tape);
    *context = (struct phase_context){0};
}
