/* See vector_losses.h.  Gradients, with c = a . b / (|a| |b|), and i a, i b turned by 90 degrees,
 * (re, im) -> (-im, re):
 *
 *     c                             d_a = (b / |b| - c a / |a|) / |a|
 *     (a . b + a . ib) / (|a| |b|)  the same with b + ib in the place of b, for d_b a - ia of a
 */
#include "distill/vector_losses.h"
#include "distill/moments.h"
#include "distill/softmax.h"

#include <math.h>

static const double SHORTEST = 1e-12; /* a vector no longer than this has no direction */

/* ---- vectors and their targets ---- */

static const float *row_of(const struct vector_targets *t, int i)
{
    return t->z + (size_t)i * (size_t)t->width;
}

static const float *target_of(const struct vector_targets *t, int i)
{
    return t->target + (size_t)i * (size_t)t->target_width;
}

static float *gradient_of(float *d, int i, int width)
{
    return d ? d + (size_t)i * (size_t)width : NULL;
}

static void check(const struct vector_targets *t)
{
    REQUIRE(t->dim > 0 && t->dim <= t->width && t->dim <= t->target_width);
}

double hpd_mse(const struct vector_targets *t, double weight, float *d_z)
{
    check(t);
    if (t->n == 0) return 0;
    const double elements = (double)t->n * t->dim;
    const float factor = (float)(2 * weight / elements);
    double loss = 0;
    for (int i = 0; i < t->n; i++) {
        const float *row = row_of(t, i), *wanted = target_of(t, i);
        for (int j = 0; j < t->dim; j++) {
            double error = (double)row[j] - (double)wanted[j];
            loss += error * error;
        }
        float *gradient = gradient_of(d_z, i, t->width);
        for (int j = 0; gradient && j < t->dim; j++) gradient[j] += factor * (row[j] - wanted[j]);
    }
    return loss / elements;
}

double coordinate_kl(const struct vector_targets *t, double temperature, double weight, float *d_z,
                     float *d_target)
{
    check(t);
    double loss = 0;
    for (int i = 0; i < t->n; i++)
        loss +=
            softmax_kl(target_of(t, i), row_of(t, i), t->dim, temperature, weight / t->n,
                       gradient_of(d_z, i, t->width), gradient_of(d_target, i, t->target_width));
    return t->n ? loss / t->n : 0;
}

/* ---- the cosine of two rows, plain or of complex numbers ---- */

struct angle {
    bool exists; /* else one has no direction, and the cosine is 0 */
    double norm_a, norm_b, cosine;
};

static struct angle angle_between(const float *a, const float *b, int dim, bool complex)
{
    struct angle angle = {.norm_a = sqrt(inner_product(a, a, dim)),
                          .norm_b = sqrt(inner_product(b, b, dim))};
    angle.exists = !(angle.norm_a <= SHORTEST || angle.norm_b <= SHORTEST);
    if (!angle.exists) return angle;
    double sum = inner_product(a, b, dim);
    const int half = (dim + 1) / 2;
    if (complex)
        sum += inner_product(a + half, b, dim - half) - inner_product(a, b + half, dim - half);
    angle.cosine = sum / (angle.norm_a * angle.norm_b);
    return angle;
}

/* Entry j of i x. */
static float turned(const float *x, int j, int dim)
{
    const int half = (dim + 1) / 2;
    if (j >= half) return x[j - half];
    return half + j < dim ? -x[half + j] : 0;
}

/* d_a += factor * ((b + turn ib) / |b| - cosine a / |a|) / |a| */
static void add_gradient(float *d_a, const float *a, const float *b, const struct angle *angle,
                         int dim, int turn, double factor)
{
    for (int j = 0; j < dim; j++) {
        double towards = (double)b[j] + (turn ? turn * (double)turned(b, j, dim) : 0);
        double along = angle->cosine * a[j] / angle->norm_a;
        d_a[j] += (float)(factor * (towards / angle->norm_b - along) / angle->norm_a);
    }
}

double hpd_cosine(const struct vector_targets *t, double weight, float *d_z)
{
    check(t);
    double loss = 0;
    for (int i = 0; i < t->n; i++) {
        const float *row = row_of(t, i), *wanted = target_of(t, i);
        const struct angle angle = angle_between(row, wanted, t->dim, false);
        loss += 1 - angle.cosine;
        if (d_z && angle.exists)
            add_gradient(gradient_of(d_z, i, t->width), row, wanted, &angle, t->dim, 0,
                         -weight / t->n);
    }
    return t->n ? loss / t->n : 0;
}

/* ---- pairs ---- */

static void similarities(float *values, const float *za, const float *zb, int n, int width, int dim,
                         bool complex)
{
    REQUIRE(dim > 0 && dim <= width);
    for (size_t i = 0; i < (size_t)n; i++) {
        const size_t row = i * (size_t)width;
        const double cosine = angle_between(za + row, zb + row, dim, complex).cosine;
        values[i] = (float)(complex ? fabs(cosine) : cosine);
    }
}

/* One row of the two functions below. */
static void pair_backward(double d_value, const float *a, const float *b, int dim, bool complex,
                          float *d_a, float *d_b)
{
    const struct angle angle = angle_between(a, b, dim, complex);
    if (!angle.exists) return;
    const double c = angle.cosine, sign = !complex || c > 0 ? 1 : c < 0 ? -1 : 0;
    const double factor = sign * d_value;
    const struct angle back = {true, angle.norm_b, angle.norm_a, c};
    add_gradient(d_a, a, b, &angle, dim, complex ? 1 : 0, factor);
    add_gradient(d_b, b, a, &back, dim, complex ? -1 : 0, factor);
}

void pair_cosines(float *cosines, const float *za, const float *zb, int n, int width, int dim)
{
    similarities(cosines, za, zb, n, width, dim, false);
}

void pair_cosines_backward(const float *d_cosines, const float *za, const float *zb, int n,
                           int width, int dim, float *d_za, float *d_zb)
{
    REQUIRE(dim > 0 && dim <= width);
    for (size_t i = 0, row = 0; i < (size_t)n; i++, row += (size_t)width)
        pair_backward((double)d_cosines[i], za + row, zb + row, dim, false, d_za + row, d_zb + row);
}

void pair_angles(float *angles, const float *za, const float *zb, int n, int width, int dim)
{
    similarities(angles, za, zb, n, width, dim, true);
}

void pair_angles_backward(const float *d_angles, const float *za, const float *zb, int n, int width,
                          int dim, float *d_za, float *d_zb)
{
    REQUIRE(dim > 0 && dim <= width);
    for (size_t i = 0, row = 0; i < (size_t)n; i++, row += (size_t)width)
        pair_backward((double)d_angles[i], za + row, zb + row, dim, true, d_za + row, d_zb + row);
}

/* The largest of 0 and scale (cos_j - cos_i) over pairs with label_i > label_j: what the exponents
 * are taken from. */
static double largest_exponent(const float *cosines, const float *labels, int n, double scale)
{
    double largest = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (labels[i] > labels[j])
                largest = fmax(largest, scale * ((double)cosines[j] - (double)cosines[i]));
    return largest;
}

double cosent(const float *cosines, const float *labels, int n, double scale, double weight,
              float *d_cosines)
{
    const double largest = largest_exponent(cosines, labels, n, scale);
    double sum = exp(-largest);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            if (labels[i] > labels[j])
                sum += exp(scale * ((double)cosines[j] - (double)cosines[i]) - largest);
    for (int i = 0; d_cosines && i < n; i++)
        for (int j = 0; j < n; j++) {
            if (!(labels[i] > labels[j])) continue;
            double e = exp(scale * ((double)cosines[j] - (double)cosines[i]) - largest);
            const float gradient = (float)(weight * scale * e / sum);
            d_cosines[j] += gradient;
            d_cosines[i] -= gradient;
        }
    return largest + log(sum);
}

double cosine_mse(const float *cosines, const float *labels, int n, double weight, float *d_cosines)
{
    double loss = 0;
    for (int i = 0; i < n; i++) {
        double error = (double)cosines[i] - (double)labels[i];
        loss += error * error;
        if (d_cosines) d_cosines[i] += (float)(2 * weight * error / n);
    }
    return n ? loss / n : 0;
}
