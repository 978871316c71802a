#include "distill/teach_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM_LISTS = 0x900, STREAM_FIRST = 0xa00, STREAM_OTHERS = 0xb00 };

struct teach_list *teach_set_add(struct teach_set *set, const char *query)
{
    GROW(set->lists, set->count, &set->capacity);
    struct teach_list *list = &set->lists[set->count++];
    *list = (struct teach_list){.query = query};
    return list;
}

void teach_list_add(struct teach_list *list, struct teach_item item)
{
    GROW(list->items, list->count, &list->capacity);
    list->items[list->count++] = item;
}

static bool is_useful(const struct teach_list *list, const struct teach_set *set)
{
    float high = 0, low = 1;
    for (size_t i = 0; i < list->count; i++) {
        high = fmaxf(high, list->items[i].target);
        low = fminf(low, list->items[i].target);
    }
    if (set->labelled) return high > 0 && low < high;
    return list->count > (set->pointwise ? 0 : 1);
}

size_t teach_set_prune(struct teach_set *set)
{
    size_t kept = 0, before = set->count;
    for (size_t l = 0; l < before; l++) {
        if (is_useful(&set->lists[l], set))
            set->lists[kept++] = set->lists[l];
        else
            free(set->lists[l].items);
    }
    set->count = kept;
    return before - kept;
}

void teach_set_free(struct teach_set *set)
{
    for (size_t l = 0; l < set->count; l++) free(set->lists[l].items);
    free(set->lists);
    *set = (struct teach_set){0};
}

/* ---- steps ---- */

uint64_t teach_steps_per_epoch(const struct teach_set *set, int batch_lists)
{
    return (set->count + (size_t)batch_lists - 1) / (size_t)batch_lists;
}

static void reserve(struct teach_step *step, const struct teach_set *set, int batch_lists)
{
    size_t lists = (size_t)batch_lists, pairs = lists * (size_t)(1 + set->others);
    if (!step->order) {
        step->order = xcalloc(set->count, sizeof *step->order);
        step->epoch = UINT64_MAX;
    }
    if (lists > step->list_capacity) {
        step->starts = xrealloc(step->starts, lists + 1, sizeof *step->starts);
        step->list_capacity = lists;
    }
    if (pairs <= step->pair_capacity) return;
    step->queries = xrealloc(step->queries, pairs, sizeof *step->queries);
    step->documents = xrealloc(step->documents, pairs, sizeof *step->documents);
    step->targets = xrealloc(step->targets, pairs, sizeof *step->targets);
    step->guides = xrealloc(step->guides, pairs, sizeof *step->guides);
    step->pair_capacity = pairs;
}

static void place(struct teach_step *step, int at, const struct teach_list *list, size_t item)
{
    step->queries[at] = list->query;
    step->documents[at] = list->items[item].document;
    step->targets[at] = list->items[item].target;
    step->guides[at] = list->items[item].guide;
}

/* The item that comes first: of labels a positive. */
static size_t draw_first(const struct teach_set *set, const struct teach_list *list, uint64_t epoch,
                         uint64_t stream)
{
    size_t eligible = 0;
    for (size_t i = 0; i < list->count; i++)
        eligible += !set->labelled || list->items[i].target > 0;
    double at = random_uniform(set->seed ^ STREAM_FIRST, epoch, stream);
    size_t left = (size_t)(at * (double)eligible);
    for (size_t i = 0; i < list->count; i++) {
        if (set->labelled && list->items[i].target <= 0) continue;
        if (left-- == 0) return i;
    }
    return 0;
}

/* Places one list's pairs from `at` on; returns the place after them. */
static int draw_list(struct teach_step *step, const struct teach_set *set, uint32_t index,
                     uint64_t epoch, int at)
{
    const struct teach_list *list = &set->lists[index];
    if (list->count > step->item_capacity) {
        step->drawn = xrealloc(step->drawn, list->count, sizeof *step->drawn);
        step->item_capacity = list->count;
    }
    size_t first = draw_first(set, list, epoch, index);
    int last = at + 1 + set->others;
    place(step, at++, list, first);
    random_permutation(step->drawn, list->count, set->seed ^ STREAM_OTHERS,
                       epoch * 0x100000001ull + index);
    for (size_t i = 0; i < list->count && at < last; i++) {
        size_t item = step->drawn[i];
        bool below = list->items[item].target < list->items[first].target;
        if (item != first && (below || !set->labelled)) place(step, at++, list, item);
    }
    return at;
}

void teach_step_fill(struct teach_step *out, const struct teach_set *set, int batch_lists,
                     uint64_t step)
{
    reserve(out, set, batch_lists);
    uint64_t per_epoch = teach_steps_per_epoch(set, batch_lists), epoch = step / per_epoch;
    if (out->epoch != epoch)
        random_permutation(out->order, set->count, set->seed ^ STREAM_LISTS, epoch);
    out->epoch = epoch;
    size_t first = (size_t)(step % per_epoch) * (size_t)batch_lists, left = set->count - first;
    out->num_lists = left < (size_t)batch_lists ? (int)left : batch_lists;
    out->starts[0] = 0;
    for (int l = 0; l < out->num_lists; l++)
        out->starts[l + 1] =
            draw_list(out, set, out->order[first + (size_t)l], epoch, out->starts[l]);
}

void teach_step_free(struct teach_step *step)
{
    free(step->starts);
    free(step->queries);
    free(step->documents);
    free(step->targets);
    free(step->guides);
    free(step->drawn);
    free(step->order);
    *step = (struct teach_step){0};
}

/* out [n] += share * softmax(values / temperature) */
static void add_softmax(float *out, const float *values, int n, double temperature, double share)
{
    double top = values[0], sum = 0;
    for (int j = 1; j < n; j++) top = fmax(top, values[j]);
    for (int j = 0; j < n; j++) sum += exp((values[j] - top) / temperature);
    for (int j = 0; j < n; j++)
        out[j] += (float)(share * exp((values[j] - top) / temperature) / sum);
}

void teach_step_distributions(float *out, const struct teach_step *step,
                              const struct teach_set *set, struct teach_mix mix)
{
    memset(out, 0, (size_t)step->starts[step->num_lists] * sizeof *out);
    for (int l = 0; l < step->num_lists; l++) {
        int first = step->starts[l], n = step->starts[l + 1] - first;
        const float *targets = step->targets + first;
        double sum = 0, share = 1 - mix.guide_weight;
        if (!set->labelled) {
            add_softmax(out + first, targets, n, 1, 1);
            continue;
        }
        for (int j = 0; j < n; j++) sum += targets[j];
        for (int j = 0; j < n; j++)
            out[first + j] = (float)(share * (sum > 0 ? targets[j] / sum : 1.0 / n));
        if (mix.guide_weight > 0)
            add_softmax(out + first, step->guides + first, n, mix.guide_temperature,
                        mix.guide_weight);
    }
}
