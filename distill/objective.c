#include "distill/objective.h"
#include "distill/vector_losses.h"

#include <stdlib.h>
#include <string.h>

static bool copies_full(enum loss_kind kind)
{
    return kind == LOSS_SELF_KL || kind == LOSS_COORDINATE_KL;
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
    free(objective->d_gram);
    free(objective->likeness);
    similarity_free(&objective->similarity);
    similarity_free(&objective->full_similarity);
    similarity_free(&objective->gram);
    similarity_free(&objective->target_gram);
    ese_free(&objective->ese);
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

/* A gradient of zeros, in a buffer that grows. */
static float *zeroed(float **buffer, size_t *capacity, size_t size)
{
    if (size > *capacity) {
        *buffer = xrealloc(*buffer, size, sizeof **buffer);
        *capacity = size;
    }
    memset(*buffer, 0, size * sizeof **buffer);
    return *buffer;
}

typedef double row_loss(struct objective *objective, const struct objective_input *input,
                        const struct objective_row *row);

static double row_info_nce(struct objective *objective, const struct objective_input *input,
                           const struct objective_row *row)
{
    return info_nce(&objective->similarity, input->positive, input->mask, row->weight,
                    objective->d_s);
}

static double row_info_nce_transposed(struct objective *objective,
                                      const struct objective_input *input,
                                      const struct objective_row *row)
{
    return info_nce_transposed(&objective->similarity, input->positive, input->mask, row->weight,
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
    return margin_mse(&objective->similarity, &input->lists, 1, row->weight, objective->d_s);
}

static double row_ranknet(struct objective *objective, const struct objective_input *input,
                          const struct objective_row *row)
{
    return ranknet(&objective->similarity, &input->lists, row->weight, objective->d_s);
}

static double row_lambda(struct objective *objective, const struct objective_input *input,
                         const struct objective_row *row)
{
    return lambda_loss(&objective->similarity, &input->lists, objective->teacher_temperature,
                       row->weight, objective->d_s);
}

static double row_adr_mse(struct objective *objective, const struct objective_input *input,
                          const struct objective_row *row)
{
    return adr_mse(&objective->similarity, &input->lists, 1, row->weight, objective->d_s);
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
    return (struct vector_targets){.z = input->z[layer_index(input, row->tap.layer)],
                                   .target = targets->values,
                                   .n = input->num_queries + input->num_documents,
                                   .width = input->width,
                                   .target_width = targets->width,
                                   .dim = row->tap.dim < targets->width ? row->tap.dim
                                                                        : targets->width};
}

static double row_hpd(struct objective *objective, const struct objective_input *input,
                      const struct objective_row *row)
{
    const struct vector_targets targets = targets_of(input, row);
    (void)objective;
    return hpd_mse(&targets, row->weight, input->d_z[layer_index(input, row->tap.layer)]);
}

static double row_hpd_cosine(struct objective *objective, const struct objective_input *input,
                             const struct objective_row *row)
{
    const struct vector_targets targets = targets_of(input, row);
    (void)objective;
    return hpd_cosine(&targets, row->weight, input->d_z[layer_index(input, row->tap.layer)]);
}

static double row_hpd_gram(struct objective *objective, const struct objective_input *input,
                           const struct objective_row *row)
{
    const struct vector_targets t = targets_of(input, row);
    struct similarity *gram = &objective->gram, *wanted = &objective->target_gram;
    float *d_z = input->d_z[layer_index(input, row->tap.layer)];
    gram->cosine = wanted->cosine = true;
    gram->scale = wanted->scale = 1;
    similarity_forward(gram, t.z, t.n, t.z, t.n, t.width, t.dim);
    similarity_forward(wanted, t.target, t.n, t.target, t.n, t.target_width, t.dim);
    float *d_s = zeroed(&objective->d_gram, &objective->d_gram_capacity, (size_t)t.n * (size_t)t.n);
    double value = score_mse(gram, wanted->s, row->weight, d_s);
    similarity_backward(gram, d_s, t.width, d_z, d_z);
    return value;
}

static double row_coordinate_kl(struct objective *objective, const struct objective_input *input,
                                const struct objective_row *row)
{
    int at = layer_index(input, row->tap.layer), full = layer_index(input, objective->full.layer);
    const struct vector_targets targets = {.z = input->z[at],
                                           .target = input->z[full],
                                           .n = input->num_queries + input->num_documents,
                                           .width = input->width,
                                           .target_width = input->width,
                                           .dim = row->tap.dim};
    return coordinate_kl(&targets, objective->coordinate_temperature, row->weight, input->d_z[at],
                         objective->coordinate_detached ? NULL : input->d_z[full]);
}

static double row_compress(struct objective *objective, const struct objective_input *input,
                           const struct objective_row *row)
{
    int at = layer_index(input, row->tap.layer);
    return ese_compress(&objective->ese, input->z[at], input->num_queries + input->num_documents,
                        input->width, row->tap.dim, 1, row->weight, input->d_z[at]);
}

/* How alike the texts of each pair are by a tap, and its gradient. */
typedef void pair_likeness(float *likeness, const float *za, const float *zb, int n, int width,
                           int dim);
typedef void pair_likeness_backward(const float *d_likeness, const float *za, const float *zb,
                                    int n, int width, int dim, float *d_za, float *d_zb);

static double row_pairs(struct objective *objective, const struct objective_input *input,
                        const struct objective_row *row)
{
    static const struct {
        pair_likeness *forward;
        pair_likeness_backward *backward;
    } kinds[NUM_LOSSES] = {
        [LOSS_COSENT] = {pair_cosines, pair_cosines_backward},
        [LOSS_ANGLE] = {pair_angles, pair_angles_backward},
        [LOSS_COSINE_MSE] = {pair_cosines, pair_cosines_backward},
    };
    int n = input->num_queries, width = input->width, dim = row->tap.dim;
    int at = layer_index(input, row->tap.layer);
    size_t second = (size_t)n * (size_t)width;
    const float *z = input->z[at], *scores = input->pair_scores[row->target];
    float *likeness = zeroed(&objective->likeness, &objective->likeness_capacity, 2 * (size_t)n);
    float *d_likeness = likeness + n;
    kinds[row->kind].forward(likeness, z, z + second, n, width, dim);
    double value = row->kind == LOSS_COSINE_MSE
                       ? cosine_mse(likeness, scores, n, row->weight, d_likeness)
                       : cosent(likeness, scores, n, objective->scale, row->weight, d_likeness);
    kinds[row->kind].backward(d_likeness, z, z + second, n, width, dim, input->d_z[at],
                              input->d_z[at] + second);
    return value;
}

static const struct {
    const char *name;
    enum {
        SCORES,  /* reads the similarities of its tap and adds to d_s */
        VECTORS, /* reads z and adds to d_z */
        TARGETS  /* the same, towards a matrix of targets */
    } of;
    row_loss *evaluate;
} losses[NUM_LOSSES] = {
    [LOSS_INFO_NCE] = {"info_nce", SCORES, row_info_nce},
    [LOSS_INFO_NCE_TRANSPOSED] = {"info_nce_transposed", SCORES, row_info_nce_transposed},
    [LOSS_LISTWISE_KL] = {"listwise_kl", SCORES, row_listwise_kl},
    [LOSS_MARGIN_MSE] = {"margin_mse", SCORES, row_margin_mse},
    [LOSS_RANKNET] = {"ranknet", SCORES, row_ranknet},
    [LOSS_LAMBDA] = {"lambda", SCORES, row_lambda},
    [LOSS_ADR_MSE] = {"adr_mse", SCORES, row_adr_mse},
    [LOSS_SELF_KL] = {"self_kl", SCORES, row_self_kl},
    [LOSS_COORDINATE_KL] = {"coordinate_kl", VECTORS, row_coordinate_kl},
    [LOSS_COMPRESS] = {"compress", VECTORS, row_compress},
    [LOSS_HPD] = {"hpd", TARGETS, row_hpd},
    [LOSS_HPD_COSINE] = {"hpd_cosine", TARGETS, row_hpd_cosine},
    [LOSS_HPD_GRAM] = {"hpd_gram", TARGETS, row_hpd_gram},
    [LOSS_ALIGN] = {"align", TARGETS, row_hpd},
    [LOSS_COSENT] = {"cosent", VECTORS, row_pairs},
    [LOSS_ANGLE] = {"angle", VECTORS, row_pairs},
    [LOSS_COSINE_MSE] = {"cosine_mse", VECTORS, row_pairs},
};

const char *loss_name(enum loss_kind kind)
{
    return losses[kind].name;
}

bool objective_copies(const struct objective *objective, int target)
{
    for (size_t r = 0; r < objective->count; r++) {
        const struct objective_row *row = &objective->rows[r];
        if (losses[row->kind].of == TARGETS && row->target == target) return true;
    }
    return false;
}

/* ---- all rows ---- */

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
        if (losses[row->kind].of == SCORES && !scored) {
            zeroed(&objective->d_s, &objective->d_s_capacity,
                   (size_t)input->num_queries * (size_t)input->num_documents);
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
