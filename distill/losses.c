/* See losses.h.  Gradients, d_x for that of the loss with respect to x:
 *
 *     y = x / r          d_x = (d_y - y (y . d_y)) / r
 *     s = scale u v'     d_u = scale d_s v,  d_v = scale d_s' u
 *     cross-entropy      d_s = (softmax(s) - [positive]) / queries
 *     KL(P || softmax s) d_s = (softmax(s) - P) / queries
 *     log(1 + e^-(a - b)) d_a = -1 / (1 + e^(a - b)) = -d_b
 */
#include "distill/losses.h"
#include "distill/moments.h"
#include "distill/softmax.h"
#include "nn/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SHORTEST = 1e-12; /* a vector no longer than this has no direction */

/* ---- similarities ---- */

/* out [n, dim] = the first dim columns of z [n, width], divided by their norms where normalise;
 * norms [n]. */
static void cut_rows(float *out, float *norms, const float *z, int n, int width, int dim,
                     bool normalise)
{
    for (int i = 0; i < n; i++) {
        const float *from = z + (size_t)i * (size_t)width;
        float *to = out + (size_t)i * (size_t)dim;
        double norm = sqrt(inner_product(from, from, dim));
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
    reserve(&sim->scratch, &sim->scratch_capacity, 4 * (q > d ? q : d) + 1 + width);
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
    double along = normalised ? inner_product(y, d_y, dim) : 0;
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

double info_nce_transposed(const struct similarity *sim, const int *positive, const uint8_t *mask,
                           double weight, float *d_s)
{
    const int queries = sim->num_queries;
    const size_t columns = (size_t)sim->num_documents;
    const float factor = (float)(weight / queries);
    float *p = sim->scratch; /* [queries] */
    double loss = 0;
    for (int i = 0; i < queries; i++) {
        const size_t column = (size_t)positive[i];
        REQUIRE(column < columns);
        for (int j = 0; j < queries; j++) {
            const size_t at = (size_t)j * columns + column;
            bool counts = positive[j] != positive[i] && (!mask || mask[at]);
            p[j] = counts || j == i ? sim->s[at] : -INFINITY;
        }
        const float s = p[i];
        loss += softmax(p, p, queries, 1) - (double)s;
        if (!d_s) continue;
        for (int j = 0; j < queries; j++) d_s[(size_t)j * columns + column] += factor * p[j];
        d_s[(size_t)i * columns + column] -= factor;
    }
    return loss / queries;
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
        loss += softmax_divergence(p, teacher, teacher_temperature, log_teacher, s, log_student,
                                   length);
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

/* d += factor * (q - p) */
SIMD_CLONES
static void add_difference(float *restrict d, const float *restrict q, const float *restrict p,
                           int n, float factor)
{
#pragma omp simd
    for (int j = 0; j < n; j++) d[j] += factor * (q[j] - p[j]);
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
        loss += softmax_divergence(p, full + row, 1, log_full, sim->s + row, log_student, columns);
        if (d_s) add_difference(d_s + row, q, p, columns, (float)(weight / sim->num_queries));
    }
    return loss / sim->num_queries;
}

double score_mse(const struct similarity *sim, const float *full, double weight, float *d_s)
{
    const size_t scores = (size_t)sim->num_queries * (size_t)sim->num_documents;
    const float factor = (float)(2 * weight / (double)scores);
    double loss = 0;
#pragma omp simd reduction(+ : loss)
    for (size_t i = 0; i < scores; i++) {
        double error = (double)sim->s[i] - (double)full[i];
        loss += error * error;
    }
    for (size_t i = 0; d_s && i < scores; i++) d_s[i] += factor * (sim->s[i] - full[i]);
    return loss / (double)scores;
}

/* ---- losses on the order of a list ---- */

/* One query's list, in the similarity's scratch. */
struct list {
    int length;
    const int *columns;   /* [length], as in candidate_lists */
    const float *teacher; /* [length] */
    float *s;             /* [length] student's scores */
    float *rank;          /* [length] of each entry by the student, from 1 */
    float *gain;          /* [length] share of the ideal DCG that an entry gives at rank 1 */
    float *discount;      /* [length + 1] of ranks 1 .. length + 1: 1 / log2(1 + rank) */
};

static struct list list_of(const struct similarity *sim, const struct candidate_lists *lists, int i)
{
    const size_t columns = (size_t)sim->num_documents;
    const int first = lists->starts[i];
    struct list list = {.length = lists->starts[i + 1] - first,
                        .columns = lists->columns + first,
                        .teacher = lists->teacher + first,
                        .s = sim->scratch,
                        .rank = sim->scratch + columns,
                        .gain = sim->scratch + 2 * columns,
                        .discount = sim->scratch + 3 * columns};
    REQUIRE(list.length >= 0 && list.length <= sim->num_documents);
    for (int k = 0; k < list.length; k++)
        list.s[k] = sim->s[(size_t)i * columns + (size_t)list.columns[k]];
    return list;
}

/* 1 + the entries before i in descending order; of equals the earlier comes first. */
static int rank_of(const float *values, int length, int i)
{
    int rank = 1;
    for (int j = 0; j < length; j++)
        rank += values[j] > values[i] || (values[j] == values[i] && j < i);
    return rank;
}

/* Ranks, discounts and gains (2^y - 1) / (their DCG in the teacher's order), y in (0, 1]. */
static void prepare_ndcg(const struct list *list, double teacher_temperature)
{
    float best = -INFINITY;
    double ideal = 0;
    for (int k = 0; k <= list->length; k++) list->discount[k] = (float)(1 / log2(2.0 + k));
    for (int k = 0; k < list->length; k++)
        if (list->teacher[k] > best) best = list->teacher[k];
    for (int k = 0; k < list->length; k++) {
        double y = exp(((double)list->teacher[k] - (double)best) / teacher_temperature);
        list->rank[k] = (float)rank_of(list->s, list->length, k);
        list->gain[k] = (float)(exp2(y) - 1);
        ideal += (double)list->gain[k] *
                 (double)list->discount[rank_of(list->teacher, list->length, k) - 1];
    }
    for (int k = 0; k < list->length; k++) list->gain[k] = (float)((double)list->gain[k] / ideal);
}

/* What a pair of entries weighs in NDCG. */
static double lambda_weight(const struct list *list, int i, int j)
{
    const double mu = 10; /* as published */
    const float *discount = list->discount;
    const int a = (int)list->rank[i], b = (int)list->rank[j], apart = a > b ? a - b : b - a;
    double bound = 0; /* ranks are equal only where scores are not numbers */
    if (apart) bound = (double)discount[apart - 1] - (double)discount[apart];
    double swap = fabs((double)discount[a - 1] - (double)discount[b - 1]);
    return (mu * bound + swap) * fabs((double)list->gain[i] - (double)list->gain[j]);
}

/* Sum over the pairs with teacher_i > teacher_j of w_ij log(1 + e^(s_j - s_i)); factor * gradient
 * is added to d_s, the query's row. */
static double ordered_pairs(const struct list *list, bool ndcg, double factor, float *d_s)
{
    double loss = 0;
    for (int i = 0; i < list->length; i++) {
        double gradient = 0;
        for (int j = 0; j < list->length; j++) {
            const bool above = list->teacher[i] > list->teacher[j];
            if (!above && !(list->teacher[i] < list->teacher[j])) continue;
            const double weight = ndcg ? lambda_weight(list, i, j) : 1;
            const double behind = above ? (double)list->s[j] - (double)list->s[i]
                                        : (double)list->s[i] - (double)list->s[j];
            const double e = exp(-fabs(behind)), wrong = (behind > 0 ? 1 : e) / (1 + e);
            if (above) loss += weight * (fmax(behind, 0) + log1p(e));
            gradient += above ? -weight * wrong : weight * wrong;
        }
        if (d_s) d_s[list->columns[i]] += (float)(factor * gradient);
    }
    return loss;
}

static int count_ordered_pairs(const struct candidate_lists *lists, int num_lists)
{
    int count = 0;
    for (int l = 0; l < num_lists; l++)
        for (int i = lists->starts[l]; i < lists->starts[l + 1]; i++)
            for (int j = lists->starts[l]; j < lists->starts[l + 1]; j++)
                count += lists->teacher[i] > lists->teacher[j];
    return count;
}

static double order_loss(const struct similarity *sim, const struct candidate_lists *lists,
                         bool ndcg, double teacher_temperature, double weight, float *d_s)
{
    const int pairs = count_ordered_pairs(lists, sim->num_queries);
    double loss = 0;
    for (int i = 0; pairs && i < sim->num_queries; i++) {
        const struct list list = list_of(sim, lists, i);
        float *row = d_s ? d_s + (size_t)i * (size_t)sim->num_documents : NULL;
        if (ndcg && list.length > 1) prepare_ndcg(&list, teacher_temperature);
        loss += ordered_pairs(&list, ndcg, weight / pairs, row);
    }
    return pairs ? loss / pairs : 0;
}

double ranknet(const struct similarity *sim, const struct candidate_lists *lists, double weight,
               float *d_s)
{
    return order_loss(sim, lists, false, 1, weight, d_s);
}

double lambda_loss(const struct similarity *sim, const struct candidate_lists *lists,
                   double teacher_temperature, double weight, float *d_s)
{
    const double bits = 1 / log(2);
    return bits * order_loss(sim, lists, true, teacher_temperature, bits * weight, d_s);
}

/* The rank of entry i by the teacher; equals share the mean of theirs. */
static double shared_rank(const float *values, int length, int i)
{
    int greater = 0, equal = 0;
    for (int j = 0; j < length; j++)
        greater += values[j] > values[i], equal += values[j] == values[i];
    return greater + (equal + 1) / 2.0;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* Sum over the list of (rank - approximate rank)^2 / log2(1 + rank); its gradient by approximate
 * ranks goes into list->gain. */
static double rank_errors(const struct list *list, double alpha)
{
    double loss = 0;
    for (int i = 0; i < list->length; i++) {
        const double rank = shared_rank(list->teacher, list->length, i);
        double near = 1;
        for (int j = 0; j < list->length; j++)
            if (j != i) near += logistic(alpha * ((double)list->s[j] - (double)list->s[i]));
        loss += (rank - near) * (rank - near) / log2(1 + rank);
        list->gain[i] = (float)(2 * (near - rank) / log2(1 + rank));
    }
    return loss;
}

double adr_mse(const struct similarity *sim, const struct candidate_lists *lists, double alpha,
               double weight, float *d_s)
{
    const int documents = lists->starts[sim->num_queries] - lists->starts[0];
    double loss = 0;
    for (int i = 0; i < sim->num_queries; i++) {
        const struct list list = list_of(sim, lists, i);
        loss += rank_errors(&list, alpha);
        for (int k = 0; d_s && k < list.length; k++) {
            double gradient = 0;
            for (int j = 0; j < list.length; j++) {
                double p = logistic(alpha * ((double)list.s[j] - (double)list.s[k]));
                gradient += alpha * p * (1 - p) * ((double)list.gain[j] - (double)list.gain[k]);
            }
            d_s[(size_t)i * (size_t)sim->num_documents + (size_t)list.columns[k]] +=
                (float)(weight / documents * gradient);
        }
    }
    return documents ? loss / documents : 0;
}
