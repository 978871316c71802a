/* Losses on vectors and on pairs against naive twins in double: values, gradients by central
 * differences, and what must not happen with zeros, ties, large values and what is not a number. */
#include "distill/ese.h"
#include "distill/vector_losses.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 320 }; /* columns of a twin's row */

static float *values(uint64_t stream, int count, double size)
{
    float *out = xcalloc((size_t)count + 1, sizeof *out);
    for (int i = 0; i < count; i++) out[i] = (float)size * test_value(stream, (uint64_t)i);
    return out;
}

static double *doubles(const float *from, int count)
{
    double *out = xcalloc((size_t)count + 1, sizeof *out);
    for (int i = 0; i < count; i++) out[i] = (double)from[i];
    return out;
}

static float *ones(int count)
{
    float *out = xcalloc((size_t)count + 1, sizeof *out);
    for (int i = 0; i < count; i++) out[i] = 1; /* gradients are added */
    return out;
}

/* ---- vectors and their targets ---- */

enum kind { MSE, COSINE, COORDINATES, COMPRESS, NUM_KINDS };
static const double TEMPERATURE = 0.4, WEIGHT = 0.7;

static double loss_of(enum kind kind, const struct vector_targets *t, double weight, float *d_z,
                      float *d_target)
{
    switch (kind) {
    case MSE:
        return hpd_mse(t, weight, d_z);
    case COSINE:
        return hpd_cosine(t, weight, d_z);
    case COORDINATES:
        return coordinate_kl(t, TEMPERATURE, weight, d_z, d_target);
    default: /* ESE's loss of a target that is given */
        return hpd_mse(t, weight, d_z) +
               TEMPERATURE * coordinate_kl(t, TEMPERATURE, TEMPERATURE * weight, d_z, d_target);
    }
}

static double naive_cosine(const double *a, const double *b, int dim)
{
    double ab = 0, aa = 0, bb = 0;
    for (int j = 0; j < dim; j++) ab += a[j] * b[j], aa += a[j] * a[j], bb += b[j] * b[j];
    return aa == 0 || bb == 0 ? 0 : ab / sqrt(aa * bb);
}

static void naive_log_softmax(double *out, const double *x, int n)
{
    double largest = -INFINITY, sum = 0;
    for (int j = 0; j < n; j++) largest = fmax(largest, x[j] / TEMPERATURE);
    for (int j = 0; j < n; j++) sum += exp(x[j] / TEMPERATURE - largest);
    for (int j = 0; j < n; j++) out[j] = x[j] / TEMPERATURE - largest - log(sum);
}

static double naive_row(enum kind kind, const double *z, const double *target, int dim)
{
    double sum = 0, p[MAX], q[MAX];
    switch (kind) {
    case MSE:
        for (int j = 0; j < dim; j++) sum += pow(z[j] - target[j], 2) / dim;
        return sum;
    case COSINE:
        return 1 - naive_cosine(z, target, dim);
    case COORDINATES:
        naive_log_softmax(p, target, dim);
        naive_log_softmax(q, z, dim);
        for (int j = 0; j < dim; j++) sum += exp(p[j]) * (p[j] - q[j]);
        return sum;
    default:
        return naive_row(MSE, z, target, dim) +
               TEMPERATURE * naive_row(COORDINATES, z, target, dim);
    }
}

static double naive_loss(enum kind kind, const struct vector_targets *t, const double *z,
                         const double *target)
{
    double sum = 0;
    for (int i = 0; i < t->n; i++)
        sum += naive_row(kind, z + i * t->width, target + i * t->target_width, t->dim) / t->n;
    return sum;
}

/* d [count] - 1 against differences of the twin along moved, one of z and target. */
static void check_gradient(enum kind kind, const struct vector_targets *t, const double *z,
                           const double *target, double *moved, const float *d, int count)
{
    for (int i = 0; i < count; i++) {
        const double was = moved[i], step = 1e-5;
        moved[i] = was + step;
        double above = naive_loss(kind, t, z, target);
        moved[i] = was - step;
        double below = naive_loss(kind, t, z, target);
        moved[i] = was;
        double numeric = WEIGHT * (above - below) / (2 * step);
        /* the first row of z is zero: without direction where cosines are compared */
        if (kind == COSINE && moved == z && i < t->dim) numeric = 0;
        ck_assert_msg(fabs((double)d[i] - 1 - numeric) < 1e-6 * fmax(1, fabs(numeric)),
                      "kind %d, %d rows of %d, element %d: %.9g, numerically %.9g", kind, t->n,
                      t->dim, i, (double)d[i] - 1, numeric);
    }
}

static void check_targets(int n, int width, int target_width, int dim, double size)
{
    float *z = values(1, n * width, size), *target = values(2, n * target_width, size);
    if (n) memset(z, 0, (size_t)dim * sizeof *z);
    if (n > 2) memcpy(z + width, target + target_width, (size_t)dim * sizeof *z); /* equal */
    for (int j = 0; n > 1 && j < dim; j++) target[target_width + j] = target[target_width];
    const struct vector_targets t = {z, target, n, width, target_width, dim};
    double *moved_z = doubles(z, n * width), *moved_target = doubles(target, n * target_width);
    for (int kind = 0; kind < NUM_KINDS; kind++) {
        float *d_z = ones(n * width), *d_target = ones(n * target_width);
        double loss = loss_of((enum kind)kind, &t, WEIGHT, d_z, d_target);
        double expected = naive_loss((enum kind)kind, &t, moved_z, moved_target);
        ck_assert_double_eq_tol(loss, expected, 1e-6 * fmax(1, fabs(expected)));
        ck_assert_double_eq(loss, loss_of((enum kind)kind, &t, WEIGHT, NULL, NULL));
        check_gradient((enum kind)kind, &t, moved_z, moved_target, moved_z, d_z, n * width);
        if (kind == COORDINATES)
            check_gradient(COORDINATES, &t, moved_z, moved_target, moved_target, d_target,
                           n * target_width);
        free(d_z), free(d_target);
    }
    free(z), free(target), free(moved_z), free(moved_target);
}

START_TEST(vectors_and_targets_equal_naive_twins)
{
    check_targets(3, 10, 7, 5, 1);
    check_targets(4, 17, 17, 17, 2);
    check_targets(2, 40, 33, 33, 5);
    check_targets(1, 3, 1, 1, 1);
    check_targets(15, 16, 20, 16, 0.5);
    check_targets(2, 301, 300, 300, 1); /* more than one block */
    check_targets(0, 4, 4, 4, 1);
}
END_TEST

START_TEST(hpd_compares_prefixes)
{
    const float z[] = {1, 2, 9, 3, 4, 9}, target[] = {0, 0, 7, 7, 1, 4, 7, 7};
    struct vector_targets t = {z, target, 2, 3, 4, 2};
    float d_z[] = {1, 1, 1, 1, 1, 1};
    ck_assert_double_eq_tol(hpd_mse(&t, 0.5, d_z), (1 + 4 + 4 + 0) / 4.0, 1e-12);
    const float expected[] = {1 + 0.25f, 1 + 0.5f, 1, 1 + 0.5f, 1, 1};
    check_close(d_z, expected, 6, 1e-7);
}
END_TEST

START_TEST(large_and_tiny_values_do_not_overflow)
{
    enum { N = 2, DIM = 20 };
    const double sizes[] = {1e30, 1e4, 1e-42};
    for (int s = 0; s < 3; s++) {
        float *z = values(1, N * DIM, sizes[s]), *target = values(2, N * DIM, sizes[s]);
        const struct vector_targets t = {z, target, N, DIM, DIM, DIM};
        float *d_z = ones(N * DIM), *d_target = ones(N * DIM);
        for (int kind = COSINE; kind <= COORDINATES; kind++)
            ck_assert(isfinite(loss_of((enum kind)kind, &t, 1, d_z, d_target)));
        for (int i = 0; i < N * DIM; i++) ck_assert(isfinite(d_z[i]) && isfinite(d_target[i]));
        free(z), free(target), free(d_z), free(d_target);
    }
}
END_TEST

START_TEST(not_a_number_is_not_hidden)
{
    enum { N = 3, DIM = 5 };
    float *z = values(1, N * DIM, 1), *target = values(2, N * DIM, 1), cosines[N];
    struct ese ese = {0};
    z[DIM] = NAN;
    const struct vector_targets t = {z, target, N, DIM, DIM, DIM};
    for (int kind = 0; kind < NUM_KINDS; kind++) {
        float *d_z = ones(N * DIM), *d_target = ones(N * DIM);
        ck_assert(isnan(loss_of((enum kind)kind, &t, 1, d_z, d_target)));
        ck_assert(isnan(d_z[DIM]) && isfinite(d_z[0]));
        free(d_z), free(d_target);
    }
    pair_cosines(cosines, z, target, N, DIM, DIM);
    ck_assert(isnan(cosines[1]) && isfinite(cosines[0]) && isfinite(cosines[2]));
    pair_angles(cosines, z, target, N, DIM, DIM);
    ck_assert(isnan(cosines[1]) && isfinite(cosines[0]) && isfinite(cosines[2]));
    const float labels[N] = {0, 0.5f, 1};
    ck_assert(isnan(cosent(cosines, labels, N, 20, 1, NULL)));
    ck_assert(isnan(cosine_mse(cosines, labels, N, 1, NULL)));
    ck_assert(isnan(ese_compress(&ese, z, N, DIM, 2, 1, 1, NULL)));
    z[DIM] = INFINITY;
    ck_assert(isnan(ese_compress(&ese, z, N, DIM, 2, 1, 1, NULL)));
    ese_free(&ese);
    free(z), free(target);
}
END_TEST

/* ---- ESE's compression ---- */

/* Largest singular value and its left vector of a [n, n], by power iteration on a a'; a becomes
 * a - s u v'. */
static double take_largest(double *a, double *u, int n)
{
    double v[MAX], s = 0;
    for (int i = 0; i < n; i++) u[i] = 1 + 0.1 * i;
    for (int turn = 0; turn < 4000; turn++) {
        double norm = 0;
        for (int j = 0; j < n; j++) v[j] = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) v[j] += a[i * n + j] * u[i];
        for (int i = 0; i < n; i++) {
            u[i] = 0;
            for (int j = 0; j < n; j++) u[i] += a[i * n + j] * v[j];
            norm += u[i] * u[i];
        }
        for (int i = 0; i < n; i++) u[i] /= sqrt(norm);
    }
    for (int j = 0; j < n; j++) v[j] = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) v[j] += a[i * n + j] * u[i];
    for (int j = 0; j < n; j++) s += v[j] * v[j];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) a[i * n + j] -= u[i] * v[j];
    return sqrt(s);
}

/* p [rows, k] by the formula. */
static void naive_projection(double *p, const double *x, int rows, int n, int k)
{
    double *c = xcalloc((size_t)(n * n), sizeof *c), u[MAX];
    for (int i = 0; i < n; i++) {
        double largest = -INFINITY, sum = 0;
        for (int j = 0; j < n; j++) {
            for (int r = 0; r < rows; r++) c[i * n + j] += x[r * n + i] * x[r * n + j] / sqrt(n);
            largest = fmax(largest, c[i * n + j]);
        }
        for (int j = 0; j < n; j++) sum += exp(c[i * n + j] - largest);
        for (int j = 0; j < n; j++) c[i * n + j] = exp(c[i * n + j] - largest) / sum;
    }
    for (int column = 0; column < k; column++) {
        double s = take_largest(c, u, n);
        int largest = 0;
        for (int j = 1; j < n; j++)
            if (fabs(u[j]) > fabs(u[largest])) largest = j;
        for (int r = 0; r < rows; r++) {
            p[r * k + column] = 0;
            for (int j = 0; j < n; j++)
                p[r * k + column] += x[r * n + j] * u[j] * (u[largest] < 0 ? -s : s);
        }
    }
    free(c);
}

static void check_ese(struct ese *ese, int rows, int width, int k, double size)
{
    float *z = values(7, rows * width, size), *d_z = ones(rows * width);
    double *x = doubles(z, rows * width), p[MAX];
    naive_projection(p, x, rows, width, k);
    ese_project(ese, z, rows, width, k);
    for (int i = 0; i < rows * k; i++) {
        ck_assert_double_eq_tol((double)ese->p[i], p[i], 1e-5);
        p[i] = (double)ese->p[i];
    }
    double loss = ese_compress(ese, z, rows, width, k, TEMPERATURE, WEIGHT, d_z);
    const struct vector_targets t = {z, ese->p, rows, width, k, k};
    ck_assert_double_eq_tol(loss, naive_loss(COMPRESS, &t, x, p), 1e-6 * fmax(1, loss));
    check_gradient(COMPRESS, &t, x, p, x, d_z, rows * width); /* p is constant */
    free(z), free(d_z), free(x);
}

START_TEST(ese_projects_on_singular_vectors)
{
    struct ese ese = {0};
    check_ese(&ese, 6, 8, 3, 2);
    check_ese(&ese, 3, 9, 2, 3); /* fewer rows than columns */
    check_ese(&ese, 1, 5, 1, 2);
    check_ese(&ese, 20, 7, 3, 1);
    float zeros[12] = {0}; /* C is 1 / width everywhere, P zero */
    ck_assert_double_eq(ese_compress(&ese, zeros, 3, 4, 2, 1, 1, NULL), 0);
    float *large = values(1, 24, 1e4);
    ck_assert(isfinite(ese_compress(&ese, large, 4, 6, 2, 1, 1, NULL)));
    free(large);
    ese_free(&ese);
    ck_assert_ptr_null(ese.p);
}
END_TEST

/* ---- pairs ---- */

/* The AnglE repository's own form: the complex quotient of each column pair, its magnitude
 * normalised by those of the whole vectors, summed. */
static double naive_angle(const double *x, const double *y, int dim)
{
    const int half = (dim + 1) / 2;
    double zz = 0, ww = 0, sum = 0;
    for (int j = 0; j < dim; j++) zz += x[j] * x[j], ww += y[j] * y[j];
    if (zz == 0 || ww == 0) return 0;
    for (int j = 0; j < half; j++) {
        const double a = x[j], b = half + j < dim ? x[half + j] : 0;
        const double c = y[j], d = half + j < dim ? y[half + j] : 0;
        const double re = (a * c + b * d) / ww, im = (b * c - a * d) / ww;
        sum += (re + im) / (sqrt(zz) / sqrt(ww));
    }
    return fabs(sum);
}

/* Gradient of sum over pairs of (i + 1) * similarity. */
static void check_pairs(bool complex, int n, int width, int dim)
{
    float *za = values(1, n * width, 1), *zb = values(2, n * width, 3), similarities[8], d[8];
    if (n > 2) memset(za + 2 * width, 0, (size_t)dim * sizeof *za);
    float *d_za = ones(n * width), *d_zb = ones(n * width);
    for (int i = 0; i < n; i++) d[i] = (float)(i + 1);
    (complex ? pair_angles : pair_cosines)(similarities, za, zb, n, width, dim);
    (complex ? pair_angles_backward : pair_cosines_backward)(d, za, zb, n, width, dim, d_za, d_zb);
    double *a = doubles(za, n * width), *b = doubles(zb, n * width);
    double (*twin)(const double *, const double *, int) = complex ? naive_angle : naive_cosine;
    for (int i = 0; i < n * width; i++) {
        const int row = i / width;
        double *sides[] = {a, b}, *row_a = a + row * width, *row_b = b + row * width;
        ck_assert_double_eq_tol((double)similarities[row], twin(row_a, row_b, dim), 1e-6);
        for (int side = 0; side < 2; side++) {
            const double was = sides[side][i];
            sides[side][i] = was + 1e-6;
            double above = twin(row_a, row_b, dim);
            sides[side][i] = was - 1e-6;
            double below = twin(row_a, row_b, dim);
            sides[side][i] = was;
            double numeric = n > 2 && row == 2 ? 0 : (row + 1) * (above - below) / 2e-6;
            ck_assert_double_eq_tol((double)(side ? d_zb : d_za)[i] - 1, numeric,
                                    2e-6 * fmax(1, fabs(numeric)));
        }
    }
    free(za), free(zb), free(d_za), free(d_zb), free(a), free(b);
}

START_TEST(similarities_of_pairs_and_their_gradients)
{
    const int shapes[][3] = {{5, 7, 4}, {5, 7, 7}, {3, 8, 8}, {1, 3, 3}, {1, 1, 1}, {4, 33, 31}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        check_pairs(false, shapes[s][0], shapes[s][1], shapes[s][2]);
        check_pairs(true, shapes[s][0], shapes[s][1], shapes[s][2]);
    }
    /* h = (1 + i)(1 - (-i)) ... : orthogonal with opposite parts, |Re h + Im h| = 0 */
    const float a[] = {1, 0}, b[] = {1, 1};
    float angle, one = 1, d_a[2] = {0}, d_b[2] = {0};
    pair_angles(&angle, a, b, 1, 2, 2);
    pair_angles_backward(&one, a, b, 1, 2, 2, d_a, d_b);
    ck_assert_float_eq(angle, 0);
    for (int j = 0; j < 2; j++) ck_assert(d_a[j] == 0 && d_b[j] == 0);
}
END_TEST

static double naive_cosent(const double *c, const float *labels, int n, double scale)
{
    double terms[256] = {0};
    int count = 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (labels[i] > labels[j]) terms[count++] = scale * (c[j] - c[i]);
    double largest = 0, sum = 0;
    for (int i = 0; i < count; i++) largest = fmax(largest, terms[i]);
    for (int i = 0; i < count; i++) sum += exp(terms[i] - largest);
    return largest + log(sum);
}

static void check_cosent(const float *cosines, const float *labels, int n, double scale)
{
    float d[16];
    double *c = doubles(cosines, n);
    for (int i = 0; i < n; i++) d[i] = 1;
    double loss = cosent(cosines, labels, n, scale, 0.4, d);
    ck_assert_double_eq_tol(loss, naive_cosent(c, labels, n, scale), 1e-9 * fmax(1, loss));
    for (int i = 0; i < n; i++) {
        double was = c[i];
        c[i] = was + 1e-6;
        double above = naive_cosent(c, labels, n, scale);
        c[i] = was - 1e-6;
        double below = naive_cosent(c, labels, n, scale);
        c[i] = was;
        double numeric = 0.4 * (above - below) / 2e-6, analytic = (double)d[i] - 1;
        ck_assert_double_eq_tol(analytic, numeric, 1e-6 * fmax(1, fabs(numeric)));
    }
    free(c);
}

START_TEST(cosent_orders_pairs)
{
    const float cosines[] = {0.9f, 0.1f, 0.4f, 0.4f, -0.7f, 0.2f};
    const float labels[] = {0.2f, 0.9f, 0.5f, 0.5f, 1, 0}; /* a tie, and pairs in the wrong order */
    check_cosent(cosines, labels, 6, 20);
    check_cosent(cosines, labels, 6, 1);
    check_cosent(cosines, labels, 1, 20);
    const float equal[] = {3, 3, 3, 3, 3, 3};
    ck_assert_double_eq(cosent(cosines, equal, 6, 20, 1, NULL), 0);
    const float far[] = {1, -1}, wrong[] = {0, 1};
    ck_assert_double_eq_tol(cosent(far, wrong, 2, 1e5, 1, NULL), 2e5, 1e-6); /* no overflow */
}
END_TEST

START_TEST(cosine_mse_compares_with_labels)
{
    const float cosines[] = {0.9f, -0.5f, 0.25f}, labels[] = {1, 0, 0.25f};
    float d[] = {1, 1, 1};
    ck_assert_double_eq_tol(cosine_mse(cosines, labels, 3, 2, d), (0.01 + 0.25) / 3, 1e-7);
    const float expected[] = {1 - 0.4f / 3, 1 - 2.0f / 3, 1};
    check_close(d, expected, 3, 1e-6);
    ck_assert_double_eq(cosine_mse(cosines, labels, 0, 2, d), 0);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(vectors_and_targets_equal_naive_twins),
        TEST(hpd_compares_prefixes),
        TEST(large_and_tiny_values_do_not_overflow),
        TEST(not_a_number_is_not_hidden),
        TEST(ese_projects_on_singular_vectors),
        TEST(similarities_of_pairs_and_their_gradients),
        TEST(cosent_orders_pairs),
        TEST(cosine_mse_compares_with_labels),
        {0},
    };
    return run_tests("distill/vector_losses", rows);
}
