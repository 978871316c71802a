/* See loss_twin.h. */
#include "tests/loss_twin.h"

#include <math.h>
#include <stdlib.h>

const double TOGETHER_WEIGHTS[TOGETHER] = {
    [INFO_NCE] = 1, [LISTWISE] = 0.5, [MARGIN] = 0.25, [SELF] = 2};
const double ADR_ALPHA = 0.8;

double naive_score(const struct setup *x, const double *q, const double *d)
{
    double dot = 0, qq = 0, dd = 0;
    for (int j = 0; j < x->dim; j++) dot += q[j] * d[j], qq += q[j] * q[j], dd += d[j] * d[j];
    if (!x->cosine) return x->scale * dot;
    return qq == 0 || dd == 0 ? 0 : x->scale * dot / sqrt(qq * dd);
}

/* The score of the embeddings as they are, while the twin's copies are moved. */
static double unmoved_score(const struct setup *x, int i, int j)
{
    double q[64], d[64];
    for (int c = 0; c < x->dim; c++) q[c] = (double)x->zq[i * x->width + c];
    for (int c = 0; c < x->dim; c++) d[c] = (double)x->zd[j * x->width + c];
    return naive_score(x, q, d);
}

static double log_sum_exp(const double *x, int n)
{
    double largest = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) largest = fmax(largest, x[i]);
    for (int i = 0; i < n; i++) sum += exp(x[i] - largest);
    return largest + log(sum);
}

static double naive_kl(const double *target, const double *scores, int n)
{
    double log_target = log_sum_exp(target, n), log_scores = log_sum_exp(scores, n), sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(target[i] - log_target) * (target[i] - log_target - scores[i] + log_scores);
    return sum;
}

/* The order of a list by the student, from the scores before any is moved: what LambdaLoss takes as
 * constant. */
static void order_list(const struct setup *x, int i, const double *s, int *order)
{
    const int *column = x->lists.columns + x->lists.starts[i];
    const int n = x->lists.starts[i + 1] - x->lists.starts[i];
    for (int k = 0; k < n; k++) order[k] = k;
    for (int k = 1; k < n; k++) /* insertion sort: equals stay in their order */
        for (int l = k; l > 0 && s[column[order[l]]] > s[column[order[l - 1]]]; l--) {
            int other = order[l];
            order[l] = order[l - 1], order[l - 1] = other;
        }
}

static double naive_pair_weight(const struct setup *x, int i, const int *order, int a, int b)
{
    const int n = x->lists.starts[i + 1] - x->lists.starts[i];
    const float *teacher = x->lists.teacher + x->lists.starts[i];
    double relevance[64], sorted[64], ideal = 0, largest = -INFINITY;
    int rank[64] = {0};
    for (int k = 0; k < n; k++) largest = fmax(largest, (double)teacher[k]);
    for (int k = 0; k < n; k++) {
        relevance[k] = exp(((double)teacher[k] - largest) / x->teacher_temperature);
        rank[order[k]] = k + 1;
        int l = k;
        for (; l > 0 && sorted[l - 1] < relevance[k]; l--) sorted[l] = sorted[l - 1];
        sorted[l] = relevance[k];
    }
    for (int k = 0; k < n; k++) ideal += (pow(2, sorted[k]) - 1) / log2(k + 2);
    const int apart = abs(rank[a] - rank[b]);
    double bound = fabs(1 / log2(1 + apart) - 1 / log2(2 + apart));
    double swap = fabs(1 / log2(1 + rank[a]) - 1 / log2(1 + rank[b]));
    return (10 * bound + swap) * fabs(pow(2, relevance[a]) - pow(2, relevance[b])) / ideal;
}

/* RANKNET and LAMBDA of one list, not divided by the number of pairs. */
static double naive_pairs(const struct setup *x, enum kind kind, int i, const double *s,
                          const int *order)
{
    const int *column = x->lists.columns + x->lists.starts[i];
    const float *teacher = x->lists.teacher + x->lists.starts[i];
    const int n = x->lists.starts[i + 1] - x->lists.starts[i];
    double sum = 0;
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            if (!(teacher[a] > teacher[b])) continue;
            const double terms[] = {0, s[column[b]] - s[column[a]]};
            sum += log_sum_exp(terms, 2) *
                   (kind == LAMBDA ? naive_pair_weight(x, i, order, a, b) / log(2) : 1);
        }
    return sum;
}

/* ADR of one list, not divided by the number of entries. */
static double naive_ranks(const struct setup *x, int i, const double *s)
{
    const int *column = x->lists.columns + x->lists.starts[i];
    const float *teacher = x->lists.teacher + x->lists.starts[i];
    const int n = x->lists.starts[i + 1] - x->lists.starts[i];
    double sum = 0;
    for (int a = 0; a < n; a++) {
        double first = 1, last = 0, near = 1; /* the ranks that equals take, and the approximate */
        for (int b = 0; b < n; b++) {
            first += teacher[b] > teacher[a];
            last += teacher[b] >= teacher[a];
            if (b != a) near += 0.5 + 0.5 * tanh(ADR_ALPHA / 2 * (s[column[b]] - s[column[a]]));
        }
        sum += pow((first + last) / 2 - near, 2) / log2(1 + (first + last) / 2);
    }
    return sum;
}

/* What the means are over, and what LambdaLoss takes as constant. */
struct counts {
    int margins, pairs, entries;
    int (*orders)[64]; /* [queries] */
};

static struct counts count_lists(const struct setup *x)
{
    struct counts counts = {0};
    for (int i = 0; i < x->queries; i++) {
        const int first = x->lists.starts[i], last = x->lists.starts[i + 1];
        counts.entries += last - first;
        if (last > first) counts.margins += last - first - 1;
        for (int a = first; a < last; a++)
            for (int b = first; b < last; b++)
                counts.pairs += x->lists.teacher[a] > x->lists.teacher[b];
    }
    return counts;
}

/* Query i's part of the loss; s [queries, documents]. */
static double naive_row(const struct setup *x, enum kind kind, int i, const double *all,
                        const struct counts *counts)
{
    double target[64], scores[64], sum = 0;
    const double *s = all + i * x->documents;
    int n = 0, first = x->lists.starts[i], last = x->lists.starts[i + 1];
    switch (kind) {
    case INFO_NCE:
        for (int j = 0; j < x->documents; j++)
            if (!x->masked || x->mask[i * x->documents + j] || j == x->positive[i])
                scores[n++] = s[j];
        return (log_sum_exp(scores, n) - s[x->positive[i]]) / x->queries;
    case TRANSPOSED:
        for (int j = 0; j < x->queries; j++) {
            const int at = j * x->documents + x->positive[i];
            bool negative = x->positive[j] != x->positive[i] && (!x->masked || x->mask[at]);
            if (j == i || negative) scores[n++] = all[at];
        }
        return (log_sum_exp(scores, n) - s[x->positive[i]]) / x->queries;
    case LISTWISE:
        for (int j = first; j < last; j++, n++) {
            target[n] = (double)x->lists.teacher[j] / x->teacher_temperature;
            scores[n] = s[x->lists.columns[j]];
        }
        return n ? naive_kl(target, scores, n) / x->queries : 0;
    case MARGIN:
        for (int j = first + 1; j < last; j++) {
            double e = s[x->lists.columns[first]] - s[x->lists.columns[j]];
            e -= x->k * ((double)x->lists.teacher[first] - (double)x->lists.teacher[j]);
            sum += e * e / counts->margins;
        }
        return sum;
    case SELF:
        for (int j = 0; j < x->documents; j++) target[j] = (double)x->full[i * x->documents + j];
        return naive_kl(target, s, x->documents) / x->queries;
    case SCORES:
        for (int j = 0; j < x->documents; j++)
            sum += pow(s[j] - (double)x->full[i * x->documents + j], 2);
        return sum / x->documents / x->queries;
    case RANKNET:
    case LAMBDA:
        return counts->pairs ? naive_pairs(x, kind, i, s, counts->orders[i]) / counts->pairs : 0;
    case ADR:
        return counts->entries ? naive_ranks(x, i, s) / counts->entries : 0;
    default:
        for (int part = INFO_NCE; part < TOGETHER; part++)
            if (TOGETHER_WEIGHTS[part] != 0)
                sum += TOGETHER_WEIGHTS[part] * naive_row(x, (enum kind)part, i, all, counts);
        return sum;
    }
}

double naive_loss(const struct setup *x, enum kind kind, const double *zq, const double *zd)
{
    double loss = 0, s[16 * 64], fixed[64];
    int orders[16][64];
    struct counts counts = count_lists(x);
    counts.orders = orders;
    for (int i = 0; i < x->queries; i++) {
        for (int j = 0; j < x->documents; j++) {
            s[i * x->documents + j] = naive_score(x, zq + i * x->width, zd + j * x->width);
            if (kind == LAMBDA) fixed[j] = unmoved_score(x, i, j);
        }
        if (kind == LAMBDA) order_list(x, i, fixed, orders[i]);
    }
    for (int i = 0; i < x->queries; i++) loss += naive_row(x, kind, i, s, &counts);
    return loss;
}
