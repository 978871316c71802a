/* distill/objective: equal to the separate losses, gradients by differences. */
#include "distill/objective.h"
#include "distill/vector_losses.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NQ = 3, ND = 6, ROWS = NQ + ND, WIDTH = 5, TARGET = 4, LAYERS = 2 };
static const int positive[NQ] = {0, 2, 5};
static const uint8_t mask[NQ * ND] = {1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1};
static const int starts[NQ + 1] = {0, 3, 6, 8}, columns[8] = {0, 1, 3, 2, 4, 0, 5, 1};
static const float teacher[8] = {3, 1, -2, 2, 2.5f, -1, 0.5f, 0.25f};
static const int layers[LAYERS] = {1, 3};
static const float labels[NQ] = {0.2f, 1, 0.5f}; /* of query i with document i */
static const float *const pair_scores[] = {labels};

struct objective_case {
    struct objective objective;
    struct objective_input input;
    float z[LAYERS][ROWS * WIDTH], d_z[LAYERS][ROWS * WIDTH], targets[ROWS * TARGET];
    struct target_rows target_rows;
    float *z_rows[LAYERS], *d_z_rows[LAYERS];
};

static void case_open(struct objective_case *out, bool cosine)
{
    *out = (struct objective_case){0};
    for (int l = 0; l < LAYERS; l++) {
        for (int i = 0; i < ROWS * WIDTH; i++) {
            out->z[l][i] = test_value((uint64_t)(20 + l), (uint64_t)i);
            out->d_z[l][i] = 7; /* zeroed by objective_evaluate */
        }
        out->z_rows[l] = out->z[l];
        out->d_z_rows[l] = out->d_z[l];
    }
    for (int i = 0; i < ROWS * TARGET; i++) out->targets[i] = test_value(30, (uint64_t)i);
    out->target_rows = (struct target_rows){out->targets, TARGET};
    out->objective = (struct objective){.full = {3, WIDTH},
                                        .cosine = cosine,
                                        .scale = cosine ? 4 : 1.5,
                                        .teacher_temperature = 2,
                                        .coordinate_temperature = 0.5};
    out->input = (struct objective_input){
        .num_queries = NQ,
        .num_documents = ND,
        .width = WIDTH,
        .positive = positive,
        .mask = mask,
        .lists = {.starts = starts, .columns = columns, .teacher = teacher},
        .targets = &out->target_rows,
        .pair_scores = pair_scores,
        .layers = layers,
        .num_layers = LAYERS,
        .z = out->z_rows,
        .d_z = out->d_z_rows};
}

static void add(struct objective *objective, struct tap tap, enum loss_kind kind, double weight)
{
    objective_add(objective, (struct objective_row){.tap = tap, .kind = kind, .weight = weight});
}

static void add_all(struct objective *objective)
{
    const struct tap taps[] = {{1, 3}, {3, 2}, {3, WIDTH}};
    for (int t = 0; t < 3; t++)
        for (int kind = 0; kind < NUM_LOSSES; kind++)
            if (t < 2 || (kind != LOSS_SELF_KL && kind != LOSS_COMPRESS))
                add(objective, taps[t], kind, 0.3 + 0.1 * kind + 0.05 * t);
}

static double evaluate(struct objective_case *c)
{
    double sums[NUM_LOSSES];
    return objective_evaluate(&c->objective, &c->input, sums);
}

static double of_scores(const struct objective_case *c, const struct objective_row *row,
                        struct similarity *sim, const struct similarity *whole, float *d_s)
{
    const struct candidate_lists *lists = &c->input.lists;
    const struct objective *objective = &c->objective;
    switch (row->kind) {
    case LOSS_INFO_NCE:
        return info_nce(sim, positive, mask, row->weight, d_s);
    case LOSS_INFO_NCE_TRANSPOSED:
        return info_nce_transposed(sim, positive, mask, row->weight, d_s);
    case LOSS_LISTWISE_KL:
        return listwise_kl(sim, lists, objective->teacher_temperature, row->weight, d_s);
    case LOSS_MARGIN_MSE:
        return margin_mse(sim, lists, 1, row->weight, d_s);
    case LOSS_RANKNET:
        return ranknet(sim, lists, row->weight, d_s);
    case LOSS_LAMBDA:
        return lambda_loss(sim, lists, objective->teacher_temperature, row->weight, d_s);
    case LOSS_ADR_MSE:
        return adr_mse(sim, lists, 1, row->weight, d_s);
    default:
        ck_assert_int_eq(row->kind, LOSS_SELF_KL);
        return self_kl(sim, whole->s, row->weight, d_s);
    }
}

static double gram_mse(const float *z, const float *target, int dim, int target_dim, double weight,
                       float *d_z)
{
    struct similarity sim = {.cosine = true, .scale = 1}, wanted = sim;
    float d_s[ROWS * ROWS] = {0};
    similarity_forward(&sim, z, ROWS, z, ROWS, WIDTH, dim);
    similarity_forward(&wanted, target, ROWS, target, ROWS, TARGET, target_dim);
    double value = score_mse(&sim, wanted.s, weight, d_s);
    similarity_backward(&sim, d_s, WIDTH, d_z, d_z);
    similarity_free(&sim), similarity_free(&wanted);
    return value;
}

static double of_pairs(const struct objective_case *c, const struct objective_row *row,
                       const float *z, float *d_z)
{
    bool angle = row->kind == LOSS_ANGLE;
    float likeness[NQ], d_likeness[NQ] = {0};
    const float *second = z + NQ * WIDTH;
    (angle ? pair_angles : pair_cosines)(likeness, z, second, NQ, WIDTH, row->tap.dim);
    double value = row->kind == LOSS_COSINE_MSE
                       ? cosine_mse(likeness, labels, NQ, row->weight, d_likeness)
                       : cosent(likeness, labels, NQ, c->objective.scale, row->weight, d_likeness);
    (angle ? pair_angles_backward : pair_cosines_backward)(d_likeness, z, second, NQ, WIDTH,
                                                           row->tap.dim, d_z, d_z + NQ * WIDTH);
    return value;
}

static double of_vectors(const struct objective_case *c, const struct objective_row *row,
                         const float *z, float *d_z, float *d_full)
{
    int dim = row->tap.dim < TARGET ? row->tap.dim : TARGET;
    const struct vector_targets t = {z, c->targets, ROWS, WIDTH, TARGET, dim},
                                full = {z, c->z[1], ROWS, WIDTH, WIDTH, row->tap.dim};
    struct ese ese = {0};
    double value;
    switch (row->kind) {
    case LOSS_COSENT:
    case LOSS_ANGLE:
    case LOSS_COSINE_MSE:
        return of_pairs(c, row, z, d_z);
    case LOSS_HPD_COSINE:
        return hpd_cosine(&t, row->weight, d_z);
    case LOSS_HPD_GRAM:
        return gram_mse(z, c->targets, dim, dim, row->weight, d_z);
    case LOSS_COORDINATE_KL:
        return coordinate_kl(&full, c->objective.coordinate_temperature, row->weight, d_z,
                             c->objective.coordinate_detached ? NULL : d_full);
    case LOSS_COMPRESS:
        value = ese_compress(&ese, z, ROWS, WIDTH, row->tap.dim, 1, row->weight, d_z);
        ese_free(&ese);
        return value;
    default:
        ck_assert(row->kind == LOSS_HPD || row->kind == LOSS_ALIGN);
        return hpd_mse(&t, row->weight, d_z);
    }
}

/* The value and gradient of one row by the losses' own functions. */
static double separate(const struct objective_case *c, const struct objective_row *row,
                       float d_z[LAYERS][ROWS * WIDTH])
{
    int at = row->tap.layer == layers[0] ? 0 : 1;
    const float *z = c->z[at], *full = c->z[1];
    if (row->kind > LOSS_SELF_KL) return of_vectors(c, row, z, d_z[at], d_z[1]);
    float d_s[NQ * ND] = {0};
    struct similarity sim = {.cosine = c->objective.cosine, .scale = c->objective.scale};
    struct similarity whole = sim;
    similarity_forward(&sim, z, NQ, z + NQ * WIDTH, ND, WIDTH, row->tap.dim);
    similarity_forward(&whole, full, NQ, full + NQ * WIDTH, ND, WIDTH, WIDTH);
    double value = of_scores(c, row, &sim, &whole, d_s);
    similarity_backward(&sim, d_s, WIDTH, d_z[at], d_z[at] + NQ * WIDTH);
    similarity_free(&sim);
    similarity_free(&whole);
    return value;
}

static void check_sum(bool cosine, bool detached)
{
    struct objective_case c;
    double expected = 0, sums[NUM_LOSSES], expected_sums[NUM_LOSSES] = {0};
    float d_z[LAYERS][ROWS * WIDTH] = {0};
    case_open(&c, cosine);
    c.objective.coordinate_detached = detached;
    add_all(&c.objective);
    ck_assert_uint_eq(c.objective.count, 3 * NUM_LOSSES - 2);
    double loss = objective_evaluate(&c.objective, &c.input, sums);
    for (size_t r = 0; r < c.objective.count; r++) {
        const struct objective_row *row = &c.objective.rows[r];
        double value = separate(&c, row, d_z);
        expected_sums[row->kind] += value;
        expected += value * row->weight;
    }
    ck_assert_double_eq_tol(loss, expected, 1e-6 * fabs(expected));
    for (int kind = 0; kind < NUM_LOSSES; kind++)
        ck_assert_double_eq_tol(sums[kind], expected_sums[kind],
                                1e-6 * expected_sums[kind] + 1e-12);
    for (int l = 0; l < LAYERS; l++) check_close(c.d_z[l], d_z[l], ROWS * WIDTH, 1e-5);
    objective_free(&c.objective);
}

START_TEST(it_is_the_sum_of_its_rows)
{
    check_sum(true, true);
    check_sum(false, false);
}
END_TEST

/* Of all z, where no row looks at what is held constant. */
static void check_differences(struct objective_case *c, int l)
{
    float numeric[ROWS * WIDTH], analytic[ROWS * WIDTH];
    evaluate(c);
    memcpy(analytic, c->d_z[l], sizeof analytic);
    for (int i = 0; i < ROWS * WIDTH; i++) {
        float kept = c->z[l][i], step = 1e-2f;
        c->z[l][i] = kept + step;
        double up = evaluate(c), high = c->z[l][i];
        c->z[l][i] = kept - step;
        double down = evaluate(c), low = c->z[l][i];
        c->z[l][i] = kept;
        numeric[i] = (float)((up - down) / (high - low));
    }
    check_close(analytic, numeric, ROWS * WIDTH, 3e-3);
}

/* Those of the last layer that copy something of the student's own have no gradient there. */
static bool copies(int kind)
{
    return kind == LOSS_SELF_KL || kind == LOSS_COORDINATE_KL || kind == LOSS_COMPRESS;
}

START_TEST(gradients_are_those_of_differences)
{
    for (int cosine = 0; cosine < 2; cosine++) {
        struct objective_case c;
        case_open(&c, cosine);
        for (int kind = 0; kind < NUM_LOSSES; kind++) {
            if (kind != LOSS_COMPRESS && kind != LOSS_LAMBDA)
                add(&c.objective, (struct tap){1, 3}, kind, 0.5 + 0.1 * kind);
            if (!copies(kind)) add(&c.objective, (struct tap){3, WIDTH}, kind, 0.4 + 0.1 * kind);
        }
        check_differences(&c, 0);
        objective_free(&c.objective);
        case_open(&c, cosine);
        for (int kind = 0; kind < NUM_LOSSES; kind++)
            if (!copies(kind) && kind != LOSS_LAMBDA) {
                add(&c.objective, (struct tap){3, 2}, kind, 0.4 + 0.1 * kind);
                add(&c.objective, (struct tap){3, WIDTH}, kind, 0.4 + 0.1 * kind);
            }
        add(&c.objective, (struct tap){1, 4}, LOSS_COORDINATE_KL, 0.7); /* not detached */
        check_differences(&c, 1);
        objective_free(&c.objective);
    }
}
END_TEST

START_TEST(the_full_tap_learns_nothing_from_being_copied)
{
    struct objective_case c;
    case_open(&c, true);
    add(&c.objective, (struct tap){1, 3}, LOSS_SELF_KL, 1);
    evaluate(&c);
    for (int i = 0; i < ROWS * WIDTH; i++) ck_assert(c.d_z[1][i] == 0);
    bool moved = false;
    for (int i = 0; i < ROWS * WIDTH; i++) moved = moved || c.d_z[0][i] != 0;
    ck_assert(moved);
    objective_free(&c.objective);
}
END_TEST

START_TEST(only_the_taps_dimensions_have_gradients)
{
    struct objective_case c;
    case_open(&c, true);
    for (int kind = 0; kind < NUM_LOSSES; kind++) add(&c.objective, (struct tap){1, 3}, kind, 1);
    evaluate(&c);
    for (int r = 0; r < ROWS; r++)
        for (int j = 3; j < WIDTH; j++) ck_assert(c.d_z[0][r * WIDTH + j] == 0);
    objective_free(&c.objective);
}
END_TEST

START_TEST(layers_rise_and_hold_the_copied_one)
{
    struct objective objective = {.full = {6, 8}};
    int list[4];
    add(&objective, (struct tap){4, 2}, LOSS_INFO_NCE, 1);
    add(&objective, (struct tap){2, 2}, LOSS_HPD, 1);
    add(&objective, (struct tap){4, 4}, LOSS_INFO_NCE, 1);
    ck_assert_int_eq(objective_layers(&objective, list, 4), 2);
    ck_assert(list[0] == 2 && list[1] == 4);
    add(&objective, (struct tap){4, 4}, LOSS_SELF_KL, 1);
    ck_assert_int_eq(objective_layers(&objective, list, 4), 3);
    ck_assert(list[0] == 2 && list[1] == 4 && list[2] == 6);
    objective_free(&objective);
    ck_assert_str_eq(loss_name(LOSS_SELF_KL), "self_kl");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(it_is_the_sum_of_its_rows),
                                    TEST(gradients_are_those_of_differences),
                                    TEST(the_full_tap_learns_nothing_from_being_copied),
                                    TEST(only_the_taps_dimensions_have_gradients),
                                    TEST(layers_rise_and_hold_the_copied_one),
                                    {0}};
    return run_tests("distill/objective", rows);
}
