/* Every loss against PyTorch's values, and against a naive twin in double: its value, and its
 * gradient by central differences, over a table of shapes with masks, ties, single queries, zero
 * vectors and large logits. */
#include "distill/losses.h"
#include "distill/vector_losses.h"
#include "tests/golden.h"
#include "tests/loss_twin.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one loss on one set of embeddings ---- */

static double loss_of(const struct setup *x, enum kind kind, const struct similarity *sim,
                      double weight, float *d_s)
{
    double sum = 0;
    switch (kind) {
    case INFO_NCE:
        return info_nce(sim, x->positive, x->masked ? x->mask : NULL, weight, d_s);
    case TRANSPOSED:
        return info_nce_transposed(sim, x->positive, x->masked ? x->mask : NULL, weight, d_s);
    case LISTWISE:
        return listwise_kl(sim, &x->lists, x->teacher_temperature, weight, d_s);
    case MARGIN:
        return margin_mse(sim, &x->lists, x->k, weight, d_s);
    case SELF:
        return self_kl(sim, x->full, weight, d_s);
    case SCORES:
        return score_mse(sim, x->full, weight, d_s);
    case RANKNET:
        return ranknet(sim, &x->lists, weight, d_s);
    case LAMBDA:
        return lambda_loss(sim, &x->lists, x->teacher_temperature, weight, d_s);
    case ADR:
        return adr_mse(sim, &x->lists, ADR_ALPHA, weight, d_s);
    default:
        for (int part = INFO_NCE; part < TOGETHER; part++)
            if (TOGETHER_WEIGHTS[part] != 0)
                sum += TOGETHER_WEIGHTS[part] *
                       loss_of(x, (enum kind)part, sim, weight * TOGETHER_WEIGHTS[part], d_s);
        return sum;
    }
}

/* The library's loss; adds weight * gradient to d_zq, d_zd. */
static double library_loss(const struct setup *x, enum kind kind, struct similarity *sim,
                           double weight, float *d_zq, float *d_zd)
{
    size_t scores = (size_t)x->queries * (size_t)x->documents;
    float *d_s = xcalloc(scores, sizeof *d_s);
    sim->cosine = x->cosine, sim->scale = x->scale;
    similarity_forward(sim, x->zq, x->queries, x->zd, x->documents, x->width, x->dim);
    double loss = loss_of(x, kind, sim, weight, d_s);
    double alone = loss_of(x, kind, sim, weight, NULL);
    ck_assert(alone == loss || (isnan(alone) && isnan(loss)));
    similarity_backward(sim, d_s, x->width, d_zq, d_zd);
    free(d_s);
    return loss;
}

/* ---- setups ---- */

struct shape {
    int queries, documents, width, dim;
    bool cosine, masked;
    double scale;
    const char *special; /* "", "ties", "zeros", "single lists" */
};

static float *values(uint64_t stream, int rows, int cols, double size)
{
    float *out = xcalloc((size_t)rows * (size_t)cols, sizeof *out);
    for (int i = 0; i < rows * cols; i++) out[i] = (float)size * test_value(stream, (uint64_t)i);
    return out;
}

/* Lists of 0, 1, ... candidates in turn (1 each where single); columns distinct, not in order. */
static void make_lists(struct setup *x, bool single)
{
    int *starts = xcalloc((size_t)x->queries + 1, sizeof *starts);
    int *columns = xcalloc((size_t)(x->queries * x->documents), sizeof *columns);
    for (int i = 0; i < x->queries; i++) {
        int length = single ? 1 : (i + 3) % (x->documents + 1);
        starts[i + 1] = starts[i] + length;
        for (int j = 0; j < length; j++)
            columns[starts[i] + j] = (x->positive[i] + x->documents - j) % x->documents;
    }
    x->lists.starts = starts, x->lists.columns = columns;
    x->lists.teacher = values(5, x->queries, x->documents, 6);
}

static struct setup make_setup(const struct shape *shape)
{
    struct setup x = {
        .queries = shape->queries,
        .documents = shape->documents,
        .width = shape->width,
        .dim = shape->dim,
        .cosine = shape->cosine,
        .masked = shape->masked,
        .scale = shape->scale,
        .teacher_temperature = 1.7,
        .k = 0.3,
        .zq = values(1, shape->queries, shape->width, 1.5),
        .zd = values(2, shape->documents, shape->width, 1.5),
        .positive = xcalloc((size_t)shape->queries, sizeof(int)),
        .mask = xcalloc((size_t)shape->queries, (size_t)shape->documents),
        .full = values(3, shape->queries, shape->documents, 5),
    };
    for (int i = 0; i < x.queries; i++) x.positive[i] = (2 * i + 1) % x.documents;
    for (int i = 0; i < x.queries * x.documents; i++)
        x.mask[i] = test_value(4, (uint64_t)i) > -0.3f;
    make_lists(&x, strcmp(shape->special, "single lists") == 0);
    if (strcmp(shape->special, "ties") ==
        0) { /* equal documents, equal teacher scores, equal full scores */
        for (int j = 1; j < x.documents; j += 2)
            memcpy(x.zd + j * x.width, x.zd, (size_t)x.width * sizeof *x.zd);
        for (int i = 0; i < x.queries * x.documents; i++) x.full[i] = 2;
        for (int i = 0; i < x.lists.starts[x.queries]; i++)
            ((float *)x.lists.teacher)[i] = (float)-(i % 2);
    }
    if (strcmp(shape->special, "zeros") == 0) { /* zero as far as the cut reaches */
        memset(x.zq, 0, (size_t)x.dim * sizeof *x.zq);
        memset(x.zd + 2 * x.width, 0, (size_t)x.dim * sizeof *x.zd);
    }
    return x;
}

static void free_setup(struct setup *x)
{
    free(x->zq), free(x->zd), free(x->positive), free(x->mask), free(x->full);
    free((void *)x->lists.starts), free((void *)x->lists.columns), free((void *)x->lists.teacher);
}

static double *doubles(const float *values_f32, int n)
{
    double *out = xcalloc((size_t)n, sizeof *out);
    for (int i = 0; i < n; i++) out[i] = (double)values_f32[i];
    return out;
}

static bool is_zero_row(const struct setup *x, const float *z, int row)
{
    for (int j = 0; j < x->dim; j++)
        if (z[row * x->width + j] != 0) return false;
    return x->cosine;
}

/* Compares d [rows, width] (which began as all 1) with central differences of the twin along z, one
 * of zq and zd. */
static void check_gradient(const struct setup *x, enum kind kind, const float *z, const float *d,
                           double *moved, int rows, const double *zq, const double *zd)
{
    const double step = 1e-5, weight = 0.37;
    for (int i = 0; i < rows * x->width; i++) {
        double was = moved[i], high = was + step, low = was - step;
        moved[i] = high;
        double above = naive_loss(x, kind, zq, zd);
        moved[i] = low;
        double below = naive_loss(x, kind, zq, zd);
        moved[i] = was;
        double numeric = weight * (above - below) / (high - low), analytic = (double)d[i] - 1;
        if (is_zero_row(x, z, i / x->width)) numeric = 0; /* the guard's choice */
        double error = fabs(analytic - numeric) / fmax(1, fabs(analytic) + fabs(numeric));
        ck_assert_msg(error < 2e-6, "kind %d, dim %d of %d, element %d: %.9g, numerically %.9g",
                      kind, x->dim, x->width, i, analytic, numeric); /* seen: 4e-7 */
    }
}

static void check_shape(const struct shape *shape, struct similarity *sim)
{
    struct setup x = make_setup(shape);
    const int nq = x.queries * x.width, nd = x.documents * x.width;
    double *zq = doubles(x.zq, nq), *zd = doubles(x.zd, nd);
    for (int kind = 0; kind < NUM_KINDS; kind++) {
        float *d_zq = xcalloc((size_t)nq, sizeof *d_zq), *d_zd = xcalloc((size_t)nd, sizeof *d_zd);
        for (int i = 0; i < nq; i++) d_zq[i] = 1; /* not zero: gradients are added */
        for (int i = 0; i < nd; i++) d_zd[i] = 1;
        double loss = library_loss(&x, (enum kind)kind, sim, 0.37, d_zq, d_zd);
        double expected = naive_loss(&x, (enum kind)kind, zq, zd);
        ck_assert_double_eq_tol(loss, expected, 2e-6 * fmax(1, fabs(expected)));
        check_gradient(&x, (enum kind)kind, x.zq, d_zq, zq, x.queries, zq, zd);
        check_gradient(&x, (enum kind)kind, x.zd, d_zd, zd, x.documents, zq, zd);
        free(d_zq), free(d_zd);
    }
    free(zq), free(zd);
    free_setup(&x);
}

START_TEST(values_and_gradients_equal_a_naive_twin)
{
    const struct shape shapes[] = {
        {3, 7, 10, 10, true, false, 20, ""},    {3, 7, 10, 6, true, true, 20, ""},
        {5, 11, 9, 3, true, true, 5, ""},       {4, 8, 17, 16, false, false, 1, ""},
        {6, 5, 8, 1, false, true, 0.5, ""},     {1, 9, 12, 12, true, true, 20, ""},
        {1, 1, 4, 2, true, false, 20, ""},      {2, 1, 4, 4, false, false, 1, ""},
        {4, 6, 8, 5, true, true, 20, "ties"},   {3, 6, 8, 5, true, false, 20, "zeros"},
        {3, 6, 8, 8, false, false, 1, "zeros"}, {4, 6, 8, 5, true, false, 20, "single lists"},
        {9, 40, 24, 19, true, true, 10, ""}, /* beyond the unrolled loops */
    };
    struct similarity sim = {0}; /* one for all: buffers are reused and grown */
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(&shapes[i], &sim);
    similarity_free(&sim);
    ck_assert_ptr_null(sim.s);
}
END_TEST

START_TEST(large_logits_do_not_overflow)
{
    enum { QUERIES = 3, DOCUMENTS = 40, WIDTH = 8 };
    struct shape shape = {QUERIES, DOCUMENTS, WIDTH, WIDTH, true, true, 1e4, ""};
    struct setup x = make_setup(&shape);
    for (int i = 0; i < QUERIES * DOCUMENTS; i++) x.full[i] *= 2000;
    for (int i = 0; i < x.lists.starts[QUERIES]; i++) ((float *)x.lists.teacher)[i] *= 1e5f;
    double *zq = doubles(x.zq, QUERIES * WIDTH), *zd = doubles(x.zd, DOCUMENTS * WIDTH);
    struct similarity sim = {0};
    for (int kind = 0; kind < NUM_KINDS; kind++) {
        float d_zq[QUERIES * WIDTH] = {0}, d_zd[DOCUMENTS * WIDTH] = {0};
        double loss = library_loss(&x, (enum kind)kind, &sim, 1, d_zq, d_zd);
        double expected = naive_loss(&x, (enum kind)kind, zq, zd);
        ck_assert(isfinite(loss));
        ck_assert_msg(fabs(loss - expected) <= 1e-5 * fabs(expected),
                      "kind %d: %.9g, expected %.9g", kind, loss, expected);
        for (int i = 0; i < QUERIES * WIDTH; i++) ck_assert(isfinite(d_zq[i]));
        for (int i = 0; i < DOCUMENTS * WIDTH; i++) ck_assert(isfinite(d_zd[i]));
    }
    similarity_free(&sim);
    free(zq), free(zd);
    free_setup(&x);
}
END_TEST

START_TEST(not_a_number_is_not_hidden)
{
    struct shape shape = {2, 5, 4, 4, false, false, 1, ""};
    struct setup x = make_setup(&shape);
    x.zd[x.positive[0] * 4] = NAN;
    struct similarity sim = {0};
    float d_zq[8] = {0}, d_zd[20] = {0};
    for (int kind = 0; kind < NUM_KINDS; kind++)
        ck_assert(isnan(library_loss(&x, (enum kind)kind, &sim, 1, d_zq, d_zd)));
    similarity_free(&sim);
    free_setup(&x);
}
END_TEST

static double naive_cosine(const double *a, const double *b, int dim)
{
    double ab = 0, aa = 0, bb = 0;
    for (int j = 0; j < dim; j++) ab += a[j] * b[j], aa += a[j] * a[j], bb += b[j] * b[j];
    return aa == 0 || bb == 0 ? 0 : ab / sqrt(aa * bb);
}

static double naive_gram(const double *z, int width, const double *target, int target_width, int n,
                         int dim)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            sum += pow(naive_cosine(z + i * width, z + j * width, dim) -
                           naive_cosine(target + i * target_width, target + j * target_width, dim),
                       2);
    return sum / n / n;
}

START_TEST(self_kl_over_lists_is_listwise_kl)
{
    struct shape shape = {3, 7, 10, 6, true, false, 20, ""};
    struct setup x = make_setup(&shape);
    int starts[4] = {0, 7, 14, 21}, columns[21];
    for (int i = 0; i < 21; i++) columns[i] = i % 7;
    const struct candidate_lists lists = {starts, columns, x.full};
    struct similarity sim = {.cosine = true, .scale = 20};
    float d_lists[21] = {0}, d_rows[21] = {0};
    similarity_forward(&sim, x.zq, 3, x.zd, 7, 10, 6);
    double rows = self_kl(&sim, x.full, 1, d_rows);
    ck_assert_double_eq_tol(listwise_kl(&sim, &lists, 1, 1, d_lists), rows, 1e-6 * rows);
    check_close(d_lists, d_rows, 21, 1e-6);
    similarity_free(&sim);
    free_setup(&x);
}
END_TEST

/* The Gram matrices of a batch, as losses.h has it: both sides of the gradient fall on z. */
START_TEST(score_mse_compares_gram_matrices)
{
    enum { N = 5, WIDTH = 6, TARGET = 7, DIM = 4 };
    float *z = values(1, N, WIDTH, 1), *target = values(2, N, TARGET, 2);
    memset(z + 3 * WIDTH, 0, WIDTH * sizeof *z);
    struct similarity sim = {.cosine = true, .scale = 1}, wanted = sim;
    float d_s[N * N] = {0}, d_z[N * WIDTH] = {0};
    similarity_forward(&sim, z, N, z, N, WIDTH, DIM);
    similarity_forward(&wanted, target, N, target, N, TARGET, DIM);
    double loss = score_mse(&sim, wanted.s, 0.7, d_s);
    similarity_backward(&sim, d_s, WIDTH, d_z, d_z);
    double *moved = doubles(z, N * WIDTH), *fixed = doubles(target, N * TARGET);
    ck_assert_double_eq_tol(loss, naive_gram(moved, WIDTH, fixed, TARGET, N, DIM), 1e-6);
    for (int i = 0; i < N * WIDTH; i++) {
        const double was = moved[i];
        moved[i] = was + 1e-5;
        double above = naive_gram(moved, WIDTH, fixed, TARGET, N, DIM);
        moved[i] = was - 1e-5;
        double below = naive_gram(moved, WIDTH, fixed, TARGET, N, DIM);
        moved[i] = was;
        double numeric = i / WIDTH == 3 ? 0 : 0.7 * (above - below) / 2e-5;
        ck_assert_double_eq_tol((double)d_z[i], numeric, 1e-6);
    }
    similarity_free(&sim), similarity_free(&wanted);
    free(z), free(target), free(moved), free(fixed);
}
END_TEST

/* ---- golden ---- */

/* Compares with NAME.loss, NAME.dq, NAME.dd. */
static void check_golden(const struct safetensors *st, const char *name, double loss,
                         const float *d_q, int q_size, const float *d_d, int d_size,
                         double tolerance)
{
    float *expected = golden(st, 1, "%s.loss", name);
    ck_assert_msg(fabs(loss - (double)*expected) <= tolerance * fmax(1, fabs(loss)),
                  "%s is %.9g, expected %.9g", name, loss, (double)*expected);
    free(expected);
    expected = golden(st, (size_t)q_size, "%s.dq", name);
    check_close(d_q, expected, (size_t)q_size, tolerance);
    free(expected);
    if (!d_d) return;
    expected = golden(st, (size_t)d_size, "%s.dd", name);
    check_close(d_d, expected, (size_t)d_size, tolerance);
    free(expected);
}

static void check_ranking_golden(const struct safetensors *st, const char *name, enum kind kind,
                                 const struct setup *x, double tolerance)
{
    const int nq = x->queries * x->width, nd = x->documents * x->width;
    float *d_zq = xcalloc((size_t)nq, sizeof *d_zq), *d_zd = xcalloc((size_t)nd, sizeof *d_zd);
    struct similarity sim = {0};
    double loss = library_loss(x, kind, &sim, 1, d_zq, d_zd);
    check_golden(st, name, loss, d_zq, nq, d_zd, nd, tolerance);
    similarity_free(&sim);
    free(d_zq), free(d_zd);
}

/* Pairs are row i of q and row i * step of d. */
static void check_pair_golden(const struct safetensors *st, const char *name, bool is_cosent,
                              const struct setup *x, const float *labels, int step,
                              double tolerance)
{
    const int n = x->queries, width = x->width, nd = x->documents * width;
    float cosines[16], d_cosines[16] = {0};
    float *zd = xcalloc((size_t)(n * width), sizeof *zd),
          *d_b = xcalloc((size_t)(n * width), sizeof *d_b);
    float *d_zq = xcalloc((size_t)(n * width), sizeof *d_zq),
          *d_zd = xcalloc((size_t)nd, sizeof *d_zd);
    for (int i = 0; i < n; i++)
        memcpy(zd + i * width, x->zd + i * step * width, (size_t)width * sizeof *zd);
    pair_cosines(cosines, x->zq, zd, n, width, x->dim);
    double loss = is_cosent ? cosent(cosines, labels, n, 20, 1, d_cosines)
                            : cosine_mse(cosines, labels, n, 1, d_cosines);
    pair_cosines_backward(d_cosines, x->zq, zd, n, width, x->dim, d_zq, d_b);
    for (int i = 0; i < n; i++)
        memcpy(d_zd + i * step * width, d_b + i * width, (size_t)width * sizeof *d_b);
    check_golden(st, name, loss, d_zq, n * width, d_zd, nd, tolerance);
    free(zd), free(d_b), free(d_zq), free(d_zd);
}

START_TEST(equals_torch)
{
    struct safetensors *st = golden_open("tests/distill/golden_losses.safetensors");
    float *labels = golden(st, 4, "labels"), *target = golden(st, 4 * 8, "target"), d_z[48] = {0};
    struct setup x = {
        .queries = 4,
        .documents = 9,
        .width = 12,
        .dim = 8,
        .cosine = true,
        .masked = true,
        .scale = 20,
        .teacher_temperature = 2,
        .k = 0.3,
        .zq = golden(st, 4 * 12, "q"),
        .zd = golden(st, 9 * 12, "d"),
        .positive = golden_ints(st, 4, "positive"),
        .mask = golden_bytes(st, 36, "mask"),
        .lists = {golden_ints(st, 5, "starts"), golden_ints(st, 12, "columns"),
                  golden(st, 12, "teacher")},
        .full = golden(st, 36, "full"),
    };
    check_ranking_golden(st, "info_nce", INFO_NCE, &x, 2e-6); /* seen: 4e-7 */
    check_ranking_golden(st, "self_kl", SELF, &x, 2e-6);
    check_ranking_golden(st, "together", TOGETHER, &x, 2e-6);
    x.scale = 10;
    check_ranking_golden(st, "listwise_kl", LISTWISE, &x, 2e-6);
    x.scale = 1, x.cosine = false;
    check_ranking_golden(st, "margin_mse", MARGIN, &x, 2e-6);
    check_pair_golden(st, "cosent", true, &x, labels, 1, 2e-6);
    check_pair_golden(st, "cosine_mse", false, &x, labels, 1, 2e-6);
    const struct vector_targets hpd = {x.zq, target, 4, 12, 8, 8};
    double loss = hpd_mse(&hpd, 1, d_z);
    check_golden(st, "hpd_mse", loss, d_z, 48, NULL, 0, 1e-6);
    free(labels), free(target);
    free_setup(&x);
    safetensors_close(st);
}
END_TEST

/* The shared values: per query its positive, then 4 negatives. */
START_TEST(equals_the_shared_golden_values)
{
    const char *path = shared("golden/losses/expected.safetensors");
    if (!path) return;
    struct safetensors *st = golden_open(path);
    int starts[7], columns[30], positive[6];
    for (int i = 0; i <= 6; i++) starts[i] = 5 * i;
    for (int i = 0; i < 30; i++) columns[i] = i;
    for (int i = 0; i < 6; i++) positive[i] = 5 * i;
    float *zq = golden(st, 144, "q"), *zd = golden(st, 720, "d"),
          *teacher = golden(st, 30, "teacher");
    float *labels = golden(st, 6, "labels"), *target = golden(st, 144, "hpd.target"),
          d_z[144] = {0};
    struct setup x = {
        .queries = 6,
        .documents = 30,
        .width = 24,
        .dim = 24,
        .cosine = true,
        .scale = 20,
        .teacher_temperature = 2,
        .k = 1,
        .zq = zq,
        .zd = zd,
        .positive = positive,
        .lists = {starts, columns, teacher},
    };
    check_ranking_golden(st, "infonce_cos_t0.05", INFO_NCE, &x, 1e-5);
    check_ranking_golden(st, "listwise_kl_cos_student0.05_teacher2", LISTWISE, &x, 1e-5);
    x.cosine = false, x.scale = 1, x.teacher_temperature = 1;
    check_ranking_golden(st, "listwise_kl_dot_t1", LISTWISE, &x, 1e-5);
    check_ranking_golden(st, "margin_mse_dot", MARGIN, &x, 1e-5);
    check_pair_golden(st, "cosent_scale20", true, &x, labels, 5, 1e-5);
    check_pair_golden(st, "cosine_mse_labels", false, &x, labels, 5, 1e-5);
    const struct vector_targets hpd = {zq, target, 6, 24, 24, 16};
    double loss = hpd_mse(&hpd, 1, d_z);
    check_golden(st, "hpd_mse_first16", loss, d_z, 144, NULL, 0, 1e-5);
    free(zq), free(zd), free(teacher), free(labels), free(target);
    safetensors_close(st);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(values_and_gradients_equal_a_naive_twin),
        TEST(large_logits_do_not_overflow),
        TEST(not_a_number_is_not_hidden),
        TEST(self_kl_over_lists_is_listwise_kl),
        TEST(score_mse_compares_gram_matrices),
        TEST(equals_torch),
        TEST(equals_the_shared_golden_values),
        {0},
    };
    return run_tests("distill/losses", rows);
}
