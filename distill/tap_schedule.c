#include "distill/tap_schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_LAYERS = 0x800, STREAM_WIDTHS = 0x900 };

void tap_schedule_term(struct tap_schedule *schedule, enum loss_kind kind, double start, double end,
                       int target)
{
    if (start == 0 && end == 0) return;
    REQUIRE(schedule->num_terms < MAX_TERMS);
    schedule->terms[schedule->num_terms++] = (struct loss_term){kind, start, end, target};
}

static double term_weight(const struct tap_schedule *schedule, const struct loss_term *term,
                          uint64_t step)
{
    double share = schedule->total_steps ? (double)step / (double)schedule->total_steps : 0;
    return term->end + (term->start - term->end) * 0.5 * (1 + cos(3.14159265358979 * share));
}

static double layer_weight(enum tap_weights weights, int layer)
{
    if (layer == 0) return 1;
    if (weights == TAP_WEIGHTS_LOG) return 1 / (1 + log(layer));
    return weights == TAP_WEIGHTS_INV ? 1.0 / layer : 1;
}

static bool is_of_layers(enum loss_kind kind)
{
    return kind == LOSS_COORDINATE_KL || kind == LOSS_ALIGN;
}

/* All terms of one tap. */
static void add_tap(struct objective *out, const struct tap_schedule *schedule, struct tap tap,
                    double weight, uint64_t step)
{
    bool wide = tap.dim == schedule->full.dim, full = wide && tap.layer == schedule->full.layer;
    for (int t = 0; t < schedule->num_terms; t++) {
        const struct loss_term *term = &schedule->terms[t];
        if (is_of_layers(term->kind) || (full && term->kind == LOSS_SELF_KL) ||
            (wide && term->kind == LOSS_COMPRESS))
            continue;
        double scheduled = weight * term_weight(schedule, term, step);
        objective_add(out, (struct objective_row){tap, term->kind, scheduled, term->target});
    }
}

/* All terms of one layer. */
static void add_layer_terms(struct objective *out, const struct tap_schedule *schedule, int layer,
                            uint64_t step)
{
    const struct tap tap = {layer, schedule->full.dim};
    for (int t = 0; t < schedule->num_terms; t++) {
        const struct loss_term *term = &schedule->terms[t];
        double weight = term_weight(schedule, term, step);
        if (term->kind == LOSS_COORDINATE_KL && layer < schedule->full.layer)
            objective_add(out,
                          (struct objective_row){
                              tap, term->kind,
                              weight * (schedule->rising_coordinates ? log(2 + layer) : 1), 0});
        if (term->kind == LOSS_ALIGN && layer > 0)
            objective_add(
                out, (struct objective_row){tap, term->kind, weight, term->target + layer - 1});
    }
}

static size_t drawn_count(int wanted, const struct int_list *list)
{
    return wanted == EVERY || (size_t)wanted > list->count ? list->count : (size_t)wanted;
}

/* Marks so many distinct items of the list. */
static void draw(bool *chosen, const struct int_list *list, int wanted, uint64_t stream,
                 uint64_t turn)
{
    uint32_t *order = xcalloc(list->count, sizeof *order);
    random_permutation(order, list->count, stream, turn);
    for (size_t i = 0; i < list->count; i++) chosen[i] = false;
    for (size_t i = 0; i < drawn_count(wanted, list); i++) chosen[order[i]] = true;
    free(order);
}

static void add_layer(struct objective *out, const struct tap_schedule *schedule, int layer,
                      double weight, uint64_t step)
{
    const struct int_list *widths = schedule->widths;
    bool last = layer == schedule->full.layer, *chosen = xcalloc(widths->count, sizeof *chosen);
    bool whole =
        schedule->full_width == FULL_WIDTH_ALL || (last && schedule->full_width == FULL_WIDTH_LAST);
    uint64_t layers = (uint64_t)schedule->full.layer + 1;
    draw(chosen, widths, schedule->dims, schedule->seed ^ STREAM_WIDTHS,
         step * layers + (schedule->same_widths ? 0 : (uint64_t)layer));
    for (size_t i = 0; i < widths->count; i++)
        if (chosen[i] && !(whole && widths->items[i] == schedule->full.dim))
            add_tap(out, schedule, (struct tap){layer, widths->items[i]}, weight, step);
    if (whole) add_tap(out, schedule, (struct tap){layer, schedule->full.dim}, weight, step);
    add_layer_terms(out, schedule, layer, step);
    free(chosen);
}

void tap_schedule_rows(struct objective *out, const struct tap_schedule *schedule, uint64_t step)
{
    objective_clear(out);
    for (size_t t = 0; !schedule->drawn && t < schedule->num_listed; t++) {
        int layer = schedule->listed[t].layer;
        bool last = t + 1 == schedule->num_listed || schedule->listed[t + 1].layer != layer;
        add_tap(out, schedule, schedule->listed[t], layer_weight(schedule->layer_weights, layer),
                step);
        if (last) add_layer_terms(out, schedule, layer, step);
    }
    if (!schedule->drawn) return;
    const struct int_list *from = schedule->from;
    bool *chosen = xcalloc(from->count, sizeof *chosen);
    double share = 1.0 / (double)drawn_count(schedule->layers, from);
    draw(chosen, from, schedule->layers, schedule->seed ^ STREAM_LAYERS, step);
    for (size_t i = 0; i < from->count; i++)
        if (chosen[i])
            add_layer(out, schedule, from->items[i],
                      share * layer_weight(schedule->layer_weights, from->items[i]), step);
    add_layer(out, schedule, schedule->full.layer, 1, step);
    free(chosen);
}

static void insert(struct int_list *list, int number)
{
    size_t at = 0;
    while (at < list->count && list->items[at] < number) at++;
    if (at < list->count && list->items[at] == number) return;
    memmove(list->items + at + 1, list->items + at, (list->count++ - at) * sizeof *list->items);
    list->items[at] = number;
}

void tap_schedule_trained(struct int_list *layers, struct int_list *widths,
                          const struct tap_schedule *schedule)
{
    REQUIRE(schedule->full.layer > 0);
    const bool drawn = schedule->drawn;
    const size_t listed = drawn ? 0 : schedule->num_listed;
    const size_t from = drawn && schedule->layers ? schedule->from->count : 0;
    const size_t drawn_widths = drawn && schedule->dims ? schedule->widths->count : 0;
    *layers = (struct int_list){.items = xcalloc(listed + from + 1, sizeof *layers->items)};
    *widths = (struct int_list){.items = xcalloc(listed + drawn_widths, sizeof *widths->items)};
    for (size_t t = 0; t < listed; t++) {
        insert(layers, schedule->listed[t].layer);
        insert(widths, schedule->listed[t].dim);
    }
    for (size_t i = 0; i < from; i++)
        if (schedule->from->items[i] > 0) insert(layers, schedule->from->items[i]);
    for (size_t i = 0; i < drawn_widths; i++) insert(widths, schedule->widths->items[i]);
    insert(layers, schedule->full.layer);
}

int tap_schedule_most_layers(const struct tap_schedule *schedule)
{
    if (schedule->drawn) return (int)drawn_count(schedule->layers, schedule->from) + 1;
    int count = 0, before = -1;
    for (size_t t = 0; t < schedule->num_listed; t++) {
        count += schedule->listed[t].layer != before;
        before = schedule->listed[t].layer;
    }
    return count;
}
