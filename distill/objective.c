#include "distill/objective.h"
#include "distill/vector_losses.h"

#include <stdlib.h>
#include <string.h>

static bool copies_full(enum loss_kind kind)
{
    return kind == LOSS_SELF_KL;
}

void objective_add(struct objective *objective, struct objective_row row)
{
    GROW(objective->rows, objective->count, &objective->capacity);
    objective->rows[objective->count++] = row;
}

void objective_clear(struct objective *objective)
{
    objective->count = 0;
}

void objective_free(struct objective *objective)
{
    free(objective->rows);
    free(objective->d_s);
    similarity_free(&objective->similarity);
    similarity_free(&objective->full_similarity);
    *objective = (struct objective){0};
}

static int insert_layer(int *layers, int count, int max, int layer)
{
    int at = 0;
    while (at < count && layers[at] < layer) at++;
    if (at < count && layers[at] == layer) return count;
    REQUIRE(count < max);
    memmove(layers + at + 1, layers + at, (size_t)(count - at) * sizeof *layers);
    layers[at] = layer;
    return count + 1;
}

int objective_layers(const struct objective *objective, int *layers, int max)
{
    int count = 0;
    for (size_t r = 0; r < objective->count; r++) {
        count = insert_layer(layers, count, max, objective->rows[r].tap.layer);
        if (copies_full(objective->rows[r].kind))
            count = insert_layer(layers, count, max, objective->full.layer);
    }
    return count;
}

static int layer_index(const struct objective_input *input, int layer)
{
    int i = 0;
    while (i < input->num_layers && input->layers[i] != layer) i++;
    REQUIRE(i < input->num_layers);
    return i;
}

static void similarity_at(struct similarity *sim, const struct objective *objective,
                          const struct objective_input *input, struct tap tap)
{
    const float *z = input->z[layer_index(input, tap.layer)];
    sim->cosine = objective->cosine;
    sim->scale = objective->scale;
    similarity_forward(sim, z, input->num_queries,
                       z + (size_t)input->num_queries * (size_t)input->width, input->num_documents,
                       input->width, tap.dim);
}

/* ---- the losses, as rows ---- */

typedef double row_loss(struct objective *objective, const struct objective_input *input,
                        const struct objective_row *row);

static double row_info_nce(struct objective *objective, const struct objective_input *input,
                           const struct objective_row *row)
{
    return info_nce(&objective->similarity, input->positive, input->mask, row->weight,
                    objective->d_s);
}

static double row_listwise_kl(struct objective *objective, const struct objective_input *input,
                              const struct objective_row *row)
{
    return listwise_kl(&objective->similarity, &input->lists, objective->teacher_temperature,
                       row->weight, objective->d_s);
}

static double row_margin_mse(struct objective *objective, const struct objective_input *input,
                             const struct objective_row *row)
{
    return margin_mse(&objective->similarity, &input->lists, objective->margin_scale, row->weight,
                      objective->d_s);
}

static double row_self_kl(struct objective *objective, const struct objective_input *input,
                          const struct objective_row *row)
{
    (void)input;
    return self_kl(&objective->similarity, objective->full_similarity.s, row->weight,
                   objective->d_s);
}

/* The tap's vectors beside the row's matrix of targets. */
static struct vector_targets targets_of(const struct objective_input *input,
                                        const struct objective_row *row)
{
    const struct target_rows *targets = &input->targets[row->target];
    return (struct vector_targets){
        .z = input->z[layer_index(input, row->tap.layer)],
        .target = targets->values,
        .n = input->num_queries + input->num_documents,
        .width = input->width,
        .target_width = targets->width,
        .dim = row->tap.dim < targets->width ? row->tap.dim : targets->width};
}

static double row_hpd(struct objective *objective, const struct objective_input *input,
                      const struct objective_row *row)
{
    const struct vector_targets targets = targets_of(input, row);
    (void)objective;
    return hpd_mse(&targets, row->weight, input->d_z[layer_index(input, row->tap.layer)]);
}

static const struct {
    const char *name;
    bool on_scores; /* reads the similarities of its tap and adds to d_s; or else to d_z itself */
    row_loss *evaluate;
} losses[NUM_LOSSES] = {
    [LOSS_INFO_NCE] = {"info_nce", true, row_info_nce},
    [LOSS_LISTWISE_KL] = {"listwise_kl", true, row_listwise_kl},
    [LOSS_MARGIN_MSE] = {"margin_mse", true, row_margin_mse},
    [LOSS_SELF_KL] = {"self_kl", true, row_self_kl},
    [LOSS_HPD] = {"hpd", false, row_hpd},
};

const char *loss_name(enum loss_kind kind)
{
    return losses[kind].name;
}

/* ---- all rows ---- */

static void reserve_d_s(struct objective *objective, size_t size)
{
    if (size > objective->d_s_capacity) {
        objective->d_s = xrealloc(objective->d_s, size, sizeof *objective->d_s);
        objective->d_s_capacity = size;
    }
    memset(objective->d_s, 0, size * sizeof *objective->d_s);
}

/* All rows of the tap of rows[first]: one similarity, one gradient.  Returns the first row of
 * another tap. */
static size_t tap_rows(struct objective *objective, const struct objective_input *input,
                       size_t first, double *loss, double *sums)
{
    struct tap tap = objective->rows[first].tap;
    bool scored = false;
    size_t r = first;
    for (; r < objective->count && objective->rows[r].tap.layer == tap.layer &&
           objective->rows[r].tap.dim == tap.dim;
         r++) {
        const struct objective_row *row = &objective->rows[r];
        if (losses[row->kind].on_scores && !scored) {
            reserve_d_s(objective, (size_t)input->num_queries * (size_t)input->num_documents);
            similarity_at(&objective->similarity, objective, input, tap);
            scored = true;
        }
        double value = losses[row->kind].evaluate(objective, input, row);
        sums[row->kind] += value;
        *loss += row->weight * value;
    }
    if (scored) {
        float *d_z = input->d_z[layer_index(input, tap.layer)];
        similarity_backward(&objective->similarity, objective->d_s, input->width, d_z,
                            d_z + (size_t)input->num_queries * (size_t)input->width);
    }
    return r;
}

double objective_evaluate(struct objective *objective, const struct objective_input *input,
                          double sums[NUM_LOSSES])
{
    double loss = 0;
    memset(sums, 0, NUM_LOSSES * sizeof *sums);
    size_t rows = (size_t)(input->num_queries + input->num_documents);
    for (int l = 0; l < input->num_layers; l++)
        memset(input->d_z[l], 0, rows * (size_t)input->width * sizeof(float));
    for (size_t r = 0; r < objective->count; r++)
        if (objective->rows[r].kind == LOSS_SELF_KL) {
            similarity_at(&objective->full_similarity, objective, input, objective->full);
            break;
        }
    for (size_t r = 0; r < objective->count;) r = tap_rows(objective, input, r, &loss, sums);
    return loss;
}
