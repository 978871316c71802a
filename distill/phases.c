#include "distill/phases.h"

#include <stdlib.h>
#include <string.h>

enum { STREAM_HPD_ORDER = 0x500, STREAM_DROPOUT = 0x600, STREAM_PAIR_ORDER = 0xe00 };

uint64_t pair_steps_per_epoch(const struct train_pairs *pairs, int batch_pairs)
{
    return (pairs->count + (size_t)batch_pairs - 1) / (size_t)batch_pairs;
}

void phase_prepare(struct phase_context *context)
{
    context->most_layers = tap_schedule_most_layers(&context->schedule);
    REQUIRE(context->most_layers > 0 && context->most_layers <= MAX_TAP_LAYERS);
    size_t pairs = context->pairs ? context->pairs->count : 0;
    size_t most = pairs > context->num_hpd_texts ? pairs : context->num_hpd_texts;
    context->order = xcalloc(most, sizeof *context->order);
    for (int t = 0; t < PAIR_TARGETS; t++)
        context->pair_scores[t] =
            xcalloc(pairs ? (size_t)context->batch_queries : 0, sizeof(float));
}

static void reserve(struct phase_context *context, size_t rows)
{
    if (rows <= context->rows_capacity) return;
    size_t width = (size_t)context->de->output_size;
    context->rows_capacity = rows;
    context->texts = xrealloc(context->texts, rows, sizeof *context->texts);
    context->places = xrealloc(context->places, rows, sizeof *context->places);
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
    context->places[at] = (struct text_place){is_query, row};
}

/* The targets of the step's texts, where its rows copy them. */
static void gather_targets(struct phase_context *context, size_t rows)
{
    for (int t = 0; t < context->num_targets; t++) {
        const struct text_targets *targets = &context->targets[t];
        size_t width = (size_t)targets->width;
        if (!objective_copies(&context->objective, t)) continue;
        for (size_t at = 0; at < rows; at++) {
            struct text_place place = context->places[at];
            memcpy(context->step_target_values[t] + at * width,
                   (place.is_query ? targets->queries : targets->documents) + place.row * width,
                   width * sizeof(float));
        }
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
    gather_targets(context, rows);
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

/* The step's share of n items in the order of its epoch: *items is inside of context->order. */
static size_t step_items(const uint32_t **items, struct phase_context *context, size_t n,
                         size_t batch, uint64_t stream, uint64_t step)
{
    uint64_t per_epoch = (n + batch - 1) / batch, epoch = step / per_epoch;
    size_t first = (size_t)(step % per_epoch) * batch;
    if (!context->has_order || context->epoch != epoch)
        random_permutation(context->order, n, context->seed ^ stream, epoch);
    context->has_order = true;
    context->epoch = epoch;
    *items = context->order + first;
    return n - first < batch ? n - first : batch;
}

double hpd_step(void *arg, uint64_t step, struct adamw *adamw, struct report *report)
{
    struct phase_context *context = arg;
    const uint32_t *items;
    size_t count = step_items(&items, context, context->num_hpd_texts, (size_t)context->batch_texts,
                              STREAM_HPD_ORDER, step);
    reserve(context, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t row = context->hpd_texts[items[i]];
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

double pairs_step(void *arg, uint64_t step, struct adamw *adamw, struct report *report)
{
    struct phase_context *context = arg;
    const struct train_pairs *all = context->pairs;
    const uint32_t *items;
    size_t n = step_items(&items, context, all->count, (size_t)context->batch_queries,
                          STREAM_PAIR_ORDER, step);
    reserve(context, 2 * n);
    for (size_t i = 0; i < n; i++) {
        place_text(context, i, false, all->pairs[items[i]].first);
        place_text(context, n + i, false, all->pairs[items[i]].second);
        for (int t = 0; t < PAIR_TARGETS; t++)
            if (all->scores[t]) context->pair_scores[t][i] = all->scores[t][items[i]];
    }
    struct objective_input input = {.num_queries = (int)n,
                                    .num_documents = (int)n,
                                    .pair_scores = (const float *const *)context->pair_scores};
    return run_step(context, &input, step, adamw, report);
}

void phase_release(struct phase_context *context)
{
    for (int l = 0; l < context->most_layers; l++) {
        free(context->z[l]);
        free(context->d_z[l]);
    }
    for (int t = 0; t < context->num_targets; t++) free(context->step_target_values[t]);
    for (int t = 0; t < PAIR_TARGETS; t++) free(context->pair_scores[t]);
    free(context->texts);
    free(context->places);
    free(context->order);
    step_batch_free(&context->batch);
    objective_free(&context->objective);
    tape_close(context->tape);
    *context = (struct phase_context){0};
}
