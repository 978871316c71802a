/* See losses.h.  Gradients, d_x for that of the loss with respect to x:
 *
 *     y = x / r          d_x = (d_y - y (y . d_y)) / r
 *     s = scale u v'     d_u = scale d_s v,  d_v = scale d_s' u
 *     cross-entropy      d_s = (softmax(s) - [positive]) / queries
 *     KL(P || softmax s) d_s = (softmax(s) - P) / queries
 */
#include "distill/losses.h"
#include "nn/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SHORTEST = 1e-12; /* a vector no longer than this has no direction */

/* ---- similarities ---- */

SIMD_CLONES
static double dot_double(const float *a, const float *b, int n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* out [n, dim] = the first dim columns of z [n, width], divided by their norms where normalise;
 * norms [n]. */
static void cut_rows(float *out, float *norms, const float *z, int n, int width, int dim,
                     bool normalise)
{
    for (int i = 0; i < n; i++) {
        const float *from = z + (size_t)i * (size_t)width;
        float *to = out + (size_t)i * (size_t)dim;
        double norm = sqrt(dot_double(from, from, dim));
        norms[i] = (float)norm;
        double factor = !normalise ? 1 : norm > SHORTEST ? 1 / norm : 0;
        for (int j = 0; j < dim; j++) to[j] = (float)(from[j] * factor);
    }
}

/* out [n] = sum over k of weights[k * stride] * rows[k], rows [num_rows, n]: the one product that
 * forward and backward are made of.  Eight rows at once, so that out is loaded and stored once for
 * eight. */
SIMD_CLONES
static void combine(float *restrict out, const float *restrict weights, size_t stride,
                    const float *restrict rows, int num_rows, int n)
{
    const size_t width = (size_t)n;
    memset(out, 0, width * sizeof *out);
    int k = 0;
    for (; k + 8 <= num_rows; k += 8, rows += 8 * width) {
        float w[8];
        bool any = false;
        for (int i = 0; i < 8; i++) w[i] = weights[(size_t)(k + i) * stride], any |= w[i] != 0;
        if (!any) continue; /* lists leave most of d_s zero */
#pragma omp simd
        for (int j = 0; j < n; j++) {
            const float *row = rows + j;
            out[j] += ((w[0] * row[0] + w[1] * row[width]) +
                       (w[2] * row[2 * width] + w[3] * row[3 * width])) +
                      ((w[4] * row[4 * width] + w[5] * row[5 * width]) +
                       (w[6] * row[6 * width] + w[7] * row[7 * width]));
        }
    }
    for (; k < num_rows; k++, rows += width) {
        float w = weights[(size_t)k * stride];
#pragma omp simd
        for (int j = 0; j < n; j++) out[j] += w * rows[j];
    }
}

static void reserve(float **buffer, size_t *capacity, size_t wanted)
{
    if (wanted <= *capacity) return;
    free(*buffer);
    *buffer = xaligned(wanted, sizeof **buffer);
    *capacity = wanted;
}

static void reserve_all(struct similarity *sim, int num_queries, int num_documents, int dim)
{
    size_t q = (size_t)num_queries, d = (size_t)num_documents, width = (size_t)dim;
    reserve(&sim->u, &sim->u_capacity, q * width);
    reserve(&sim->v, &sim->v_capacity, d * width);
    reserve(&sim->v_columns, &sim->v_columns_capacity, d * width);
    reserve(&sim->u_norm, &sim->u_norm_capacity, q);
    reserve(&sim->v_norm, &sim->v_norm_capacity, d);
    reserve(&sim->s, &sim->s_capacity, q * d);
    reserve(&sim->scratch, &sim->scratch_capacity, 3 * d + width);
    sim->num_queries = num_queries, sim->num_documents = num_documents, sim->dim = dim;
}

/* out [cols, rows] = in [rows, cols], in squares that stay in the nearest cache. */
static void transpose(float *restrict out, const float *restrict in, int rows, int cols)
{
    enum { SIDE = 32 };
    for (int r = 0; r < rows; r += SIDE)
        for (int c = 0; c < cols; c += SIDE)
            for (int i = r; i < rows && i < r + SIDE; i++)
                for (int j = c; j < cols && j < c + SIDE; j++)
                    out[(size_t)j * (size_t)rows + (size_t)i] =
                        in[(size_t)i * (size_t)cols + (size_t)j];
}

void similarity_forward(struct similarity *sim, const float *zq, int num_queries, const float *zd,
                        int num_documents, int width, int dim)
{
    REQUIRE(num_queries > 0 && num_documents > 0 && dim > 0 && dim <= width);
    reserve_all(sim, num_queries, num_documents, dim);
    cut_rows(sim->u, sim->u_norm, zq, num_queries, width, dim, sim->cosine);
    cut_rows(sim->v, sim->v_norm, zd, num_documents, width, dim, sim->cosine);
    transpose(sim->v_columns, sim->v, num_documents, dim);
    const float scale = (float)sim->scale;
    for (int i = 0; i < num_queries; i++) {
        float *s = sim->s + (size_t)i * (size_t)num_documents;
        combine(s, sim->u + (size_t)i * (size_t)dim, 1, sim->v_columns, dim, num_documents);
        for (int j = 0; j < num_documents; j++) s[j] *= scale;
    }
}

/* d_x += scale * (d_y - y (y . d_y)) / norm, the gradient through y = x / norm; d_x += scale * d_y
 * where not normalised. */
static void uncut_row(float *d_x, const float *d_y, const float *y, double norm, int dim,
                      double scale, bool normalised)
{
    if (normalised && norm <= SHORTEST) return;
    double factor = normalised ? scale / norm : scale;
    double along = normalised ? dot_double(y, d_y, dim) : 0;
    for (int j = 0; j < dim; j++) d_x[j] += (float)(factor * (d_y[j] - along * y[j]));
}

void similarity_backward(const struct similarity *sim, const float *d_s, int width, float *d_zq,
                         float *d_zd)
{
    const size_t queries = (size_t)sim->num_queries, documents = (size_t)sim->num_documents;
    const size_t dim = (size_t)sim->dim, stride = (size_t)width;
    float *d_y = sim->scratch; /* [dim] */
    REQUIRE(sim->dim <= width);
    for (size_t i = 0; i < queries; i++) {
        combine(d_y, d_s + i * documents, 1, sim->v, sim->num_documents, sim->dim);
        uncut_row(d_zq + i * stride, d_y, sim->u + i * dim, (double)sim->u_norm[i], sim->dim,
                  sim->scale, sim->cosine);
    }
    for (size_t j = 0; j < documents; j++) {
        combine(d_y, d_s + j, documents, sim->u, sim->num_queries, sim->dim);
        uncut_row(d_zd + j * stride, d_y, sim->v + j * dim, (double)sim->v_norm[j], sim->dim,
                  sim->scale, sim->cosine);
    }
}

void similarity_free(struct similarity *sim)
{
    free(sim->u);
    free(sim->v);
    free(sim->v_columns);
    free(sim->u_norm);
    free(sim->v_norm);
    free(sim->s);
    free(sim->scratch);
    *sim = (struct similarity){0};
}

/* ---- softmax ---- */

/* e^x for EXP_ZERO <= x <= 0, within 2e-7 of it relatively; 0 at EXP_ZERO.  x = n ln 2 + r,
 * |r| <= ln 2 / 2, ln 2 in two parts (Cody and Waite), e^r by Cephes' polynomial.  No branch and
 * no conversion, so that loops over it vectorise: n is read from the low bits of
 * x / ln 2 + 1.5 * 2^23. */
#define EXP_ZERO (-88.0f)
static inline float exp_negative(float x)
{
    const float round = 12582912.0f;
    float shifted = x * 1.44269504f + round;
    float n = shifted - round;
    float r = x - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union {
        float value;
        uint32_t bits;
    } power = {.value = shifted};
    power.bits = (power.bits + 127u) << 23; /* 2^n, 0 for n = -127; the bits of `round` fall out */
    return p * power.value;
}

/* In 16 lanes, since compilers take a maximum apart only where NaN may be ignored. */
SIMD_CLONES
static float row_maximum(const float *x, int n)
{
    float lanes[16];
    int j = 0;
    for (int k = 0; k < 16; k++) lanes[k] = -INFINITY;
    for (; j + 16 <= n; j += 16)
        for (int k = 0; k < 16; k++) lanes[k] = x[j + k] > lanes[k] ? x[j + k] : lanes[k];
    for (; j < n; j++) lanes[0] = x[j] > lanes[0] ? x[j] : lanes[0];
    for (int k = 1; k < 16; k++) lanes[0] = lanes[k] > lanes[0] ? lanes[k] : lanes[0];
    return lanes[0];
}

/* p = softmax(x / temperature) over n entries (p may be x); returns
 * log(sum of exp(x / temperature)).  Entries of -INFINITY get 0; one at least must be finite. */
SIMD_CLONES
static double softmax(float *p, const float *x, int n, double temperature)
{
    const float inverse = (float)(1 / temperature), largest = row_maximum(x, n);
    for (int j = 0; j < n; j++) {
        float below = (x[j] - largest) * inverse;
        p[j] = below < EXP_ZERO ? EXP_ZERO : below;
    }
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++) {
        p[j] = exp_negative(p[j]);
        sum += (double)p[j];
    }
    const float share = (float)(1 / sum);
#pragma omp simd
    for (int j = 0; j < n; j++) p[j] *= share;
    return (double)largest / temperature + log(sum);
}

/* d += factor * (q - p) */
SIMD_CLONES
static void add_difference(float *restrict d, const float *restrict q, const float *restrict p,
                           int n, float factor)
{
#pragma omp simd
    for (int j = 0; j < n; j++) d[j] += factor * (q[j] - p[j]);
}

/* ---- losses on a query's row ---- */

double info_nce(const struct similarity *sim, const int *positive, const uint8_t *mask,
                double weight, float *d_s)
{
    const int columns = sim->num_documents;
    const float factor = (float)(weight / sim->num_queries);
    float *p = sim->scratch; /* [columns] */
    double loss = 0;
    for (int i = 0; i < sim->num_queries; i++) {
        const size_t row = (size_t)i * (size_t)columns;
        const float *s = sim->s + row;
        REQUIRE(positive[i] >= 0 && positive[i] < columns);
        for (int j = 0; j < columns; j++) p[j] = !mask || mask[row + (size_t)j] ? s[j] : -INFINITY;
        p[positive[i]] = s[positive[i]];
        loss += softmax(p, p, columns, 1) - (double)s[positive[i]];
        if (!d_s) continue;
        for (int j = 0; j < columns; j++) d_s[row + (size_t)j] += factor * p[j];
        d_s[row + (size_t)positive[i]] -= factor;
    }
    return loss / sim->num_queries;
}

/* sum of p (log p - log q), log p = x / temperature - log_x, log q = y - log_y */
SIMD_CLONES
static double divergence(const float *p, const float *x, double temperature, double log_x,
                         const float *y, double log_y, int n)
{
    const double inverse = 1 / temperature;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++)
        sum += (double)p[j] * (((double)x[j] * inverse - log_x) - ((double)y[j] - log_y));
    return sum;
}

double listwise_kl(const struct similarity *sim, const struct candidate_lists *lists,
                   double teacher_temperature, double weight, float *d_s)
{
    const int columns = sim->num_documents;
    const float factor = (float)(weight / sim->num_queries);
    float *s = sim->scratch, *p = s + columns, *q = p + columns; /* a list's entries */
    double loss = 0;
    for (int i = 0; i < sim->num_queries; i++) {
        const int length = lists->starts[i + 1] - lists->starts[i];
        const int *column = lists->columns + lists->starts[i];
        const float *teacher = lists->teacher + lists->starts[i];
        const size_t row = (size_t)i * (size_t)columns;
        REQUIRE(length >= 0 && length <= columns);
        if (length < 2) continue;
        for (int k = 0; k < length; k++) s[k] = sim->s[row + (size_t)column[k]];
        double log_teacher = softmax(p, teacher, length, teacher_temperature);
        double log_student = softmax(q, s, length, 1);
        loss += divergence(p, teacher, teacher_temperature, log_teacher, s, log_student, length);
        if (!d_s) continue;
        for (int k = 0; k < length; k++) d_s[row + (size_t)column[k]] += factor * (q[k] - p[k]);
    }
    return loss / sim->num_queries;
}

double margin_mse(const struct similarity *sim, const struct candidate_lists *lists, double k,
                  double weight, float *d_s)
{
    const size_t columns = (size_t)sim->num_documents;
    int margins = 0;
    for (int i = 0; i < sim->num_queries; i++)
        if (lists->starts[i + 1] > lists->starts[i])
            margins += lists->starts[i + 1] - lists->starts[i] - 1;
    if (!margins) return 0;
    double loss = 0;
    for (int i = 0; i < sim->num_queries; i++) {
        const int first = lists->starts[i];
        const float *s = sim->s + (size_t)i * columns;
        for (int j = first + 1; j < lists->starts[i + 1]; j++) {
            const int positive = lists->columns[first], negative = lists->columns[j];
            double error = (double)s[positive] - (double)s[negative] -
                           k * ((double)lists->teacher[first] - (double)lists->teacher[j]);
            loss += error * error;
            if (!d_s) continue;
            const float gradient = (float)(2 * weight * error / margins);
            d_s[(size_t)i * columns + (size_t)positive] += gradient;
            d_s[(size_t)i * columns + (size_t)negative] -= gradient;
        }
    }
    return loss / margins;
}

double self_kl(const struct similarity *sim, const float *full, double weight, float *d_s)
{
    const int columns = sim->num_documents;
    float *p = sim->scratch, *q = p + columns; /* [columns] each */
    double loss = 0;
    for (int i = 0; i < sim->num_queries; i++) {
        const size_t row = (size_t)i * (size_t)columns;
        double log_full = softmax(p, full + row, columns, 1);
        double log_student = softmax(q, sim->s + row, columns, 1);
        loss += divergence(p, full + row, 1, log_full, sim->s + row, log_student, columns);
        if (d_s) add_difference(d_s + row, q, p, columns, (float)(weight / sim->num_queries));
    }
    return loss / sim->num_queries;
}

/* ---- regression on vectors ---- */

double hpd_mse(const float *z, int width, const float *target, int target_width, int n, int dim,
               double weight, float *d_z)
{
    REQUIRE(dim > 0 && dim <= width && dim <= target_width);
    if (n == 0) return 0;
    const double elements = (double)n * dim;
    const float factor = (float)(2 * weight / elements);
    double loss = 0;
    for (int i = 0; i < n; i++) {
        const float *row = z + (size_t)i * (size_t)width;
        const float *wanted = target + (size_t)i * (size_t)target_width;
        for (int j = 0; j < dim; j++) {
            double error = (double)row[j] - (double)wanted[j];
            loss += error * error;
        }
        if (!d_z) continue;
        float *gradient = d_z + (size_t)i * (size_t)width;
        for (int j = 0; j < dim; j++) gradient[j] += factor * (row[j] - wanted[j]);
    }
    return loss / elements;
}

/* ---- pairs ---- */

/* Norms of rows a and b and the cosine between them; false, and cosine 0, where one has no
 * direction. */
static bool pair_angle(const float *a, const float *b, int dim, double *norm_a, double *norm_b,
                       double *cosine)
{
    *norm_a = sqrt(dot_double(a, a, dim)), *norm_b = sqrt(dot_double(b, b, dim));
    bool has_angle = *norm_a > SHORTEST && *norm_b > SHORTEST;
    *cosine = has_angle ? dot_double(a, b, dim) / (*norm_a * *norm_b) : 0;
    return has_angle;
}

void pair_cosines(float *cosines, const float *za, const float *zb, int n, int width, int dim)
{
    REQUIRE(dim > 0 && dim <= width);
    for (size_t i = 0; i < (size_t)n; i++) {
        double norm_a, norm_b, cosine;
        const size_t row = i * (size_t)width;
        pair_angle(za + row, zb + row, dim, &norm_a, &norm_b, &cosine);
        cosines[i] = (float)cosine;
    }
}

void pair_cosines_backward(const float *d_cosines, const float *za, const float *zb, int n,
                           int width, int dim, float *d_za, float *d_zb)
{
    REQUIRE(dim > 0 && dim <= width);
    for (size_t i = 0; i < (size_t)n; i++) {
        const size_t row = i * (size_t)width;
        const float *a = za + row, *b = zb + row;
        double norm_a, norm_b, cosine;
        if (!pair_angle(a, b, dim, &norm_a, &norm_b, &cosine)) continue;
        for (int j = 0; j < dim; j++) {
            double unit_a = a[j] / norm_a, unit_b = b[j] / norm_b;
            d_za[row + (size_t)j] += (float)(d_cosines[i] * (unit_b - cosine * unit_a) / norm_a);
            d_zb[row + (size_t)j] += (float)(d_cosines[i] * (unit_a - cosine * unit_b) / norm_b);
        }
    }
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
