/* The losses of sentence-transformers 6.2.0 themselves, of 2DMSE and of ESE, each as a sum of rows
 * (tap, loss, weight), by the losses' functions and by the objective: values, and gradients by the
 * embeddings of every layer.  How the reference is driven, and its conventions:
 * scripts/golden_losses.py. */
#include "distill/ese.h"
#include "distill/objective.h"
#include "distill/vector_losses.h"
#include "tests/golden.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a layer: the queries, then their positives, then their negatives. */
enum { LAYERS = 4, LAST = 3, BATCH = 4, TEXTS = 3 * BATCH, WIDTH = 8, CUT = 3 };

enum kind {
    IN_BATCH,   /* InfoNCE on cosines, scale 20 */
    TRANSPOSED, /* its other direction */
    MARGIN_DOT,
    MARGIN_COSINE,
    LISTWISE_DOT, /* student and teacher at temperature 2 */
    LISTWISE_COSINE,
    COSENT, /* of queries and positives, scale 20 */
    ANGLE,
    COORDINATES,      /* to the last layer, detached; the parameter is the temperature */
    COORDINATES_BOTH, /* not detached */
    COMPRESS          /* ESE's; the parameter is the temperature */
};

struct row {
    int layer, dim;
    enum kind kind;
    double weight, parameter;
};

struct reference {
    struct safetensors *file;
    float *z;               /* [LAYERS, TEXTS, WIDTH] */
    float *scores, *labels; /* [BATCH, 2] of positive and negative, [BATCH] */
    struct similarity similarity;
    struct ese ese;
    struct row rows[32];
    int count;
};

static void add(struct reference *x, int layer, int dim, enum kind kind, double weight,
                double parameter)
{
    x->rows[x->count++] = (struct row){layer, dim, kind, weight, parameter};
}

/* MatryoshkaLoss: the full width and a cut of half its weight. */
static void add_cuts(struct reference *x, int layer, enum kind kind, double weight)
{
    add(x, layer, WIDTH, kind, weight, 0);
    add(x, layer, CUT, kind, 0.5 * weight, 0);
}

/* AdaptiveLayerLoss over all layers, below the last each with its share of weights; around
 * MatryoshkaLoss where cuts. */
static void add_layers(struct reference *x, enum kind kind, bool cuts, const double weights[LAST],
                       double last, double kl_weight, double temperature)
{
    for (int layer = 0; layer < LAYERS; layer++) {
        const double weight = layer == LAST ? last : weights[layer] / LAST;
        if (cuts)
            add_cuts(x, layer, kind, weight);
        else
            add(x, layer, WIDTH, kind, weight, 0);
        if (layer < LAST && temperature > 0)
            add(x, layer, WIDTH, COORDINATES, temperature * kl_weight, temperature);
    }
}

/* ---- a row's value and gradient ---- */

/* Of documents: the positives, then the negatives. */
static const int positive[BATCH] = {0, 1, 2, 3};
static const int starts[BATCH + 1] = {0, 2, 4, 6, 8};
static const int columns[2 * BATCH] = {0, 4, 1, 5, 2, 6, 3, 7};

static double scale_of(enum kind kind)
{
    if (kind == IN_BATCH || kind == TRANSPOSED) return 20;
    return kind == MARGIN_DOT || kind == MARGIN_COSINE ? 1 : 0.5;
}

static double ranking_row(struct reference *x, const struct row *row, float *d_z)
{
    const struct candidate_lists lists = {starts, columns, x->scores};
    const float *z = x->z + row->layer * TEXTS * WIDTH;
    const bool dot = row->kind == MARGIN_DOT || row->kind == LISTWISE_DOT;
    const bool margin = row->kind == MARGIN_DOT || row->kind == MARGIN_COSINE;
    struct similarity *sim = &x->similarity;
    float d_s[BATCH * 2 * BATCH] = {0};
    double value;
    sim->cosine = !dot, sim->scale = scale_of(row->kind);
    similarity_forward(sim, z, BATCH, z + BATCH * WIDTH, 2 * BATCH, WIDTH, row->dim);
    if (row->kind == IN_BATCH)
        value = info_nce(sim, positive, NULL, row->weight, d_s);
    else if (row->kind == TRANSPOSED)
        value = info_nce_transposed(sim, positive, NULL, row->weight, d_s);
    else if (margin)
        value = margin_mse(sim, &lists, 1, row->weight, d_s);
    else
        value = listwise_kl(sim, &lists, 2, row->weight, d_s);
    similarity_backward(sim, d_s, WIDTH, d_z, d_z + BATCH * WIDTH);
    return value;
}

static double pair_row(const struct reference *x, const struct row *row, float *d_z)
{
    const float *za = x->z + row->layer * TEXTS * WIDTH, *zb = za + BATCH * WIDTH;
    float similarities[BATCH], d[BATCH] = {0}, *d_zb = d_z + BATCH * WIDTH;
    const bool angle = row->kind == ANGLE;
    (angle ? pair_angles : pair_cosines)(similarities, za, zb, BATCH, WIDTH, row->dim);
    double value = cosent(similarities, x->labels, BATCH, 20, row->weight, d);
    (angle ? pair_angles_backward : pair_cosines_backward)(d, za, zb, BATCH, WIDTH, row->dim, d_z,
                                                           d_zb);
    return value;
}

/* texts: how many rows of z the loss was given. */
static double evaluate_row(struct reference *x, const struct row *row, int texts, float *d_z)
{
    float *d = d_z + row->layer * TEXTS * WIDTH, *d_last = d_z + LAST * TEXTS * WIDTH;
    const float *z = x->z + row->layer * TEXTS * WIDTH, *last = x->z + LAST * TEXTS * WIDTH;
    const struct vector_targets targets = {z, last, texts, WIDTH, WIDTH, row->dim};
    switch (row->kind) {
    case COSENT:
    case ANGLE:
        return pair_row(x, row, d);
    case COORDINATES:
        return coordinate_kl(&targets, row->parameter, row->weight, d, NULL);
    case COORDINATES_BOTH:
        return coordinate_kl(&targets, row->parameter, row->weight, d, d_last);
    case COMPRESS:
        return ese_compress(&x->ese, z, texts, WIDTH, row->dim, row->parameter, row->weight, d);
    default:
        return ranking_row(x, row, d);
    }
}

/* Adds the row to the objective, with the settings that it needs; false where the objective has no
 * such loss. */
static bool add_to_objective(struct objective *objective, const struct row *row)
{
    static const enum loss_kind kinds[] = {
        [IN_BATCH] = LOSS_INFO_NCE,         [TRANSPOSED] = LOSS_INFO_NCE_TRANSPOSED,
        [MARGIN_DOT] = LOSS_MARGIN_MSE,     [MARGIN_COSINE] = LOSS_MARGIN_MSE,
        [LISTWISE_DOT] = LOSS_LISTWISE_KL,  [LISTWISE_COSINE] = LOSS_LISTWISE_KL,
        [COORDINATES] = LOSS_COORDINATE_KL, [COORDINATES_BOTH] = LOSS_COORDINATE_KL};
    const enum kind kind = row->kind;
    if (kind == COSENT || kind == ANGLE || kind == COMPRESS) return false;
    if (kind == COORDINATES || kind == COORDINATES_BOTH) {
        objective->coordinate_temperature = row->parameter;
        objective->coordinate_detached = kind == COORDINATES;
    } else {
        objective->cosine = kind != MARGIN_DOT && kind != LISTWISE_DOT;
        objective->scale = scale_of(kind);
    }
    objective_add(objective, (struct objective_row){.tap = {row->layer, row->dim},
                                                    .kind = kinds[kind],
                                                    .weight = row->weight});
    return true;
}

/* The rows by the student's objective, where it has them: the same loss and d_z [LAYERS, TEXTS,
 * WIDTH]. */
static void check_objective(const struct reference *x, double loss, const float *d_z)
{
    enum { LAYER = TEXTS * WIDTH };
    struct objective objective = {.full = {LAST, WIDTH}, .teacher_temperature = 2};
    float *z[LAYERS], *d[LAYERS], gradient[LAYERS * LAYER];
    const int layers[LAYERS] = {0, 1, 2, 3};
    double sums[NUM_LOSSES];
    bool has_all = true;
    for (int l = 0; l < LAYERS; l++) z[l] = x->z + l * LAYER, d[l] = gradient + l * LAYER;
    for (int r = 0; r < x->count; r++) has_all &= add_to_objective(&objective, &x->rows[r]);
    const struct objective_input input = {.num_queries = BATCH,
                                          .num_documents = 2 * BATCH,
                                          .width = WIDTH,
                                          .positive = positive,
                                          .lists = {starts, columns, x->scores},
                                          .layers = layers,
                                          .num_layers = LAYERS,
                                          .z = z,
                                          .d_z = d};
    if (has_all) {
        ck_assert_double_eq_tol(objective_evaluate(&objective, &input, sums), loss,
                                1e-6 * fmax(1, loss));
        check_close(gradient, d_z, LAYERS * LAYER, 1e-6);
    }
    objective_free(&objective);
}

/* The rows' sum against NAME.loss and NAME.dz; then no row is left. */
static void check(struct reference *x, const char *name, int texts)
{
    enum { SIZE = LAYERS * TEXTS * WIDTH };
    float d_z[SIZE] = {0}, *expected = golden(x->file, 1, "%s.loss", name);
    double loss = 0;
    for (int r = 0; r < x->count; r++)
        loss += x->rows[r].weight * evaluate_row(x, &x->rows[r], texts, d_z);
    check_objective(x, loss, d_z);
    ck_assert_msg(fabs(loss - (double)*expected) <= 1e-6 * fmax(1, fabs(loss)),
                  "%s is %.9g, expected %.9g", name, loss, (double)*expected);
    free(expected);
    expected = golden(x->file, SIZE, "%s.dz", name);
    check_close_at(__FILE__, __LINE__, name, d_z, expected, SIZE, 2e-6); /* seen: 4e-7 */
    free(expected);
    x->count = 0;
}

static struct reference open_reference(void)
{
    struct reference x = {.file = golden_open("tests/distill/golden_reference.safetensors")};
    x.z = golden(x.file, LAYERS * TEXTS * WIDTH, "layers");
    x.scores = golden(x.file, 2 * BATCH, "scores");
    x.labels = golden(x.file, BATCH, "labels");
    return x;
}

static void close_reference(struct reference *x)
{
    free(x->z), free(x->scores), free(x->labels);
    similarity_free(&x->similarity);
    ese_free(&x->ese);
    safetensors_close(x->file);
}

/* ---- the references ---- */

START_TEST(in_batch_losses)
{
    struct reference x = open_reference();
    add(&x, LAST, WIDTH, IN_BATCH, 1, 0);
    check(&x, "in_batch", TEXTS);
    add(&x, LAST, WIDTH, IN_BATCH, 0.5, 0);
    add(&x, LAST, WIDTH, TRANSPOSED, 0.5, 0);
    check(&x, "symmetric", TEXTS);
    add_cuts(&x, LAST, IN_BATCH, 1);
    check(&x, "matryoshka", TEXTS);
    add_cuts(&x, LAST, IN_BATCH, 1);
    check(&x, "matryoshka_cached", TEXTS);
    close_reference(&x);
}
END_TEST

START_TEST(losses_over_layers)
{
    struct reference x = open_reference();
    const double uniform[LAST] = {1, 1, 1}, linear[LAST] = {1, 1.0 / 2, 1.0 / 3};
    const double logarithmic[LAST] = {0.7, 0.7 / (1 + log(2)), 0.7 / (1 + log(3))};
    add_layers(&x, IN_BATCH, false, uniform, 1, 1, 0.3);
    check(&x, "adaptive", TEXTS);
    add_layers(&x, IN_BATCH, false, logarithmic, 2, 1.5, 0.5);
    check(&x, "adaptive_log", TEXTS);
    add_layers(&x, IN_BATCH, false, linear, 1, 0, 0);
    check(&x, "adaptive_linear", TEXTS);
    add_layers(&x, IN_BATCH, true, uniform, 1, 1, 0.3);
    check(&x, "matryoshka2d", TEXTS);
    add_layers(&x, COSENT, true, uniform, 1, 1, 0.3);
    check(&x, "matryoshka2d_cosent", 2 * BATCH);
    int *drawn = golden_ints(x.file, 3, "drawn");
    add(&x, LAST, drawn[1], IN_BATCH, drawn[1] == CUT ? 0.5 : 1, 0);
    add(&x, drawn[0], drawn[2], IN_BATCH, drawn[2] == CUT ? 0.5 : 1, 0);
    add(&x, drawn[0], WIDTH, COORDINATES, 0.3, 0.3);
    check(&x, "matryoshka2d_drawn", TEXTS);
    free(drawn);
    close_reference(&x);
}
END_TEST

START_TEST(distillation_of_scores)
{
    struct reference x = open_reference();
    add(&x, LAST, WIDTH, MARGIN_DOT, 1, 0);
    check(&x, "margin_mse", TEXTS);
    add_cuts(&x, LAST, MARGIN_COSINE, 1);
    check(&x, "matryoshka_margin_mse", TEXTS);
    add(&x, LAST, WIDTH, LISTWISE_DOT, 2 * 2, 0);
    check(&x, "distill_kl", TEXTS);
    add_cuts(&x, LAST, LISTWISE_COSINE, 2 * 2);
    check(&x, "matryoshka_distill_kl", TEXTS);
    close_reference(&x);
}
END_TEST

START_TEST(losses_of_pairs)
{
    struct reference x = open_reference();
    add(&x, LAST, WIDTH, COSENT, 1, 0);
    check(&x, "cosent", 2 * BATCH);
    add(&x, LAST, WIDTH, ANGLE, 1, 0);
    check(&x, "angle", 2 * BATCH);
    add_cuts(&x, LAST, ANGLE, 1);
    check(&x, "matryoshka_angle", 2 * BATCH);
    close_reference(&x);
}
END_TEST

/* Of papers' own trainers: 2DMSE's divergence of layer 2 with weight T ln(2 + layer), both layers
 * with gradients, and ESE's compression at a layer and at the last. */
START_TEST(coordinates_and_compression)
{
    struct reference x = open_reference();
    add(&x, 2, WIDTH, COORDINATES_BOTH, log(2 + 2), 1);
    check(&x, "coordinates", TEXTS);
    add(&x, 1, CUT, COMPRESS, 1 / (1 + log(2)), 1);
    add(&x, LAST, CUT, COMPRESS, 1, 0.7);
    check(&x, "compress", TEXTS);
    close_reference(&x);
}
END_TEST

/* Lists of unequal lengths with given logits: query i is unit vector i, and so column i of the
 * documents holds its scores. */
START_TEST(losses_on_the_order_of_lists)
{
    enum { LISTS = 4, ENTRIES = 13 };
    struct safetensors *st = golden_open("tests/distill/golden_reference.safetensors");
    float *logits = golden(st, ENTRIES, "order.logits"), zq[LISTS * LISTS] = {0};
    float *teacher = golden(st, ENTRIES, "order.teacher"), zd[ENTRIES * LISTS] = {0};
    int *first = golden_ints(st, LISTS + 1, "order.starts"), order[ENTRIES];
    const struct candidate_lists lists = {first, order, teacher};
    const char *const names[] = {"ranknet", "lambda", "adr_mse"};
    struct similarity sim = {.scale = 1};
    for (int i = 0; i < LISTS; i++)
        for (int j = first[i]; j < first[i + 1]; j++)
            zq[i * LISTS + i] = 1, zd[j * LISTS + i] = logits[j], order[j] = j;
    similarity_forward(&sim, zq, LISTS, zd, ENTRIES, LISTS, LISTS);
    for (int l = 0; l < 3; l++) {
        float d_s[LISTS * ENTRIES] = {0}, d_list[ENTRIES];
        float *loss = golden(st, 1, "%s.loss", names[l]);
        float *expected = golden(st, ENTRIES, "%s.ds", names[l]);
        double value = l == 0   ? ranknet(&sim, &lists, 1 / log(2), d_s) / log(2) /* in bits */
                       : l == 1 ? lambda_loss(&sim, &lists, 1.5, 1, d_s)
                                : adr_mse(&sim, &lists, 1, 1, d_s);
        ck_assert_double_eq_tol(value, (double)*loss, 1e-6 * fmax(1, value));
        for (int i = 0; i < LISTS; i++)
            for (int j = first[i]; j < first[i + 1]; j++) d_list[j] = d_s[i * ENTRIES + j];
        check_close_at(__FILE__, __LINE__, names[l], d_list, expected, ENTRIES, 2e-6);
        free(loss), free(expected);
    }
    similarity_free(&sim);
    free(logits), free(teacher), free(first);
    safetensors_close(st);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(in_batch_losses),
                                    TEST(losses_over_layers),
                                    TEST(distillation_of_scores),
                                    TEST(losses_of_pairs),
                                    TEST(coordinates_and_compression),
                                    TEST(losses_on_the_order_of_lists),
                                    {0}};
    return run_tests("distill/reference_losses", rows);
}
