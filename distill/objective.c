#include "distill/objective.h"
#include "distill/vector_losses.h"

#include <stdlib.h>
#include <string.h>

const char *loss_name(enum loss_kind kind)
{
    static const char *const names[NUM_LOSSES] = {"info_nce", "listwise_kl", "margin_mse",
                                                  "self_kl", "hpd"};
    return names[kind];
}

void objective_add(struct objective *objective, struct tap tap, enum loss_kind kind, double weight)
{
    if (weight == 0) return;
    GROW(objective->rows, objective->count, &objective->capacity);
    objective->rows[objective->count++] =
        (struct objective_row){.tap = tap, .kind = kind, .weight = weight};
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
        if (objective->rows[r].kind == LOSS_SELF_KL)
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

/* One ranking loss on the similarities of its tap. */
static double ranking_row(struct objective *objective, const struct objective_input *input,
                          const struct objective_row *row)
{
    const struct similarity *sim = &objective->similarity;
    float *d_s = objective->d_s;
    switch (row->kind) {
    case LOSS_INFO_NCE:
        return info_nce(sim, input->positive, input->mask, row->weight, d_s);
    case LOSS_LISTWISE_KL:
        return listwise_kl(sim, &input->lists, objective->teacher_temperature, row->weight, d_s);
    case LOSS_MARGIN_MSE:
        return margin_mse(sim, &input->lists, objective->margin_scale, row->weight, d_s);
    default:
        REQUIRE(row->kind == LOSS_SELF_KL);
        return self_kl(sim, objective->full_similarity.s, row->weight, d_s);
    }
}

static double hpd_row(const struct objective_input *input, const struct objective_row *row,
                      double weight)
{
    int at = layer_index(input, row->tap.layer);
    int dim = row->tap.dim < input->target_width ? row->tap.dim : input->target_width;
    const struct vector_targets targets = {.z = input->z[at],
                                           .target = input->targets,
                                           .n = input->num_queries + input->num_documents,
                                           .width = input->width,
                                           .target_width = input->target_width,
                                           .dim = dim};
    return hpd_mse(&targets, weight, input->d_z[at]);
}

static void reserve_d_s(struct objective *objective, size_t size)
{
    if (size > objective->d_s_capacity) {
        objective->d_s = xrealloc(objective->d_s, size, sizeof *objective->d_s);
        objective->d_s_capacity = size;
    }
    memset(objective->d_s, 0, size * sizeof *objective->d_s);
}

/* All ranking losses of the tap of rows[first]: one similarity, one gradient.  Returns the first
 * row of another tap. */
static size_t tap_rows(struct objective *objective, const struct objective_input *input,
                       size_t first, double hpd_factor, double *loss, double *sums)
{
    struct tap tap = objective->rows[first].tap;
    bool ranked = false;
    size_t r = first;
    for (; r < objective->count && objective->rows[r].tap.layer == tap.layer &&
           objective->rows[r].tap.dim == tap.dim;
         r++) {
        const struct objective_row *row = &objective->rows[r];
        double weight = row->weight * (row->kind == LOSS_HPD ? hpd_factor : 1), value;
        if (row->kind == LOSS_HPD) {
            value = hpd_row(input, row, weight);
        } else {
            if (!ranked) {
                reserve_d_s(objective, (size_t)input->num_queries * (size_t)input->num_documents);
                similarity_at(&objective->similarity, objective, input, tap);
            }
            ranked = true;
            value = ranking_row(objective, input, row);
        }
        sums[row->kind] += value;
        *loss += weight * value;
    }
    if (ranked) {
        float *d_z = input->d_z[layer_index(input, tap.layer)];
        similarity_backward(&objective->similarity, objective->d_s, input->width, d_z,
                            d_z + (size_t)input->num_queries * (size_t)input->width);
    }
    return r;
}

double objective_evaluate(struct objective *objective, const struct objective_input *input,
                          double hpd_factor, double sums[NUM_LOSSES])
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
    for (size_t r = 0; r < objective->count;)
        r = tap_rows(objective, input, r, hpd_factor, &loss, sums);
    return loss;
}
