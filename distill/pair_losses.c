#include "distill/pair_losses.h"

#include <math.h>

static int num_pairs(const struct pair_lists *lists)
{
    return lists->starts[lists->count];
}

static int largest(const float *values, int first, int last)
{
    int best = first;
    for (int j = first + 1; j < last; j++)
        if (values[j] > values[best]) best = j;
    return best;
}

double pair_softmax(const struct pair_lists *lists, const float *target, double weight,
                    float *d_logits)
{
    double loss = 0, scale = weight / lists->count;
    const float *x = lists->logits;
    for (int i = 0; i < lists->count; i++) {
        int first = lists->starts[i], last = lists->starts[i + 1];
        if (first == last) continue;
        double top = x[largest(x, first, last)], sum = 0;
        for (int j = first; j < last; j++) sum += exp(x[j] - top);
        double log_sum = top + log(sum);
        for (int j = first; j < last; j++) {
            loss += target[j] * (log_sum - x[j]);
            if (d_logits) d_logits[j] += (float)(scale * (exp(x[j] - log_sum) - target[j]));
        }
    }
    return loss / lists->count;
}

double pair_bce(const struct pair_lists *lists, const float *labels, double weight, float *d_logits)
{
    double loss = 0;
    int n = num_pairs(lists);
    for (int j = 0; j < n; j++) {
        double x = lists->logits[j], y = labels[j];
        loss += fmax(x, 0) - x * y + log1p(exp(-fabs(x)));
        if (d_logits) d_logits[j] += (float)(weight / n * (1 / (1 + exp(-x)) - y));
    }
    return loss / n;
}

double pair_margin_mse(const struct pair_lists *lists, const float *scores, double weight,
                       float *d_logits)
{
    double loss = 0;
    int margins = num_pairs(lists);
    for (int i = 0; i < lists->count; i++) margins -= lists->starts[i + 1] > lists->starts[i];
    if (!margins) return 0;
    const float *x = lists->logits;
    for (int i = 0; i < lists->count; i++) {
        int first = lists->starts[i], last = lists->starts[i + 1];
        int best = largest(scores, first, last);
        for (int j = first; j < last; j++) {
            if (j == best) continue;
            double e = ((double)x[best] - x[j]) - ((double)scores[best] - scores[j]);
            loss += e * e;
            if (!d_logits) continue;
            d_logits[best] += (float)(2 * weight / margins * e);
            d_logits[j] -= (float)(2 * weight / margins * e);
        }
    }
    return loss / margins;
}

double pair_mse(const struct pair_lists *lists, const float *scores, double weight, float *d_logits)
{
    double loss = 0;
    int n = num_pairs(lists);
    for (int j = 0; j < n; j++) {
        double e = (double)lists->logits[j] - scores[j];
        loss += e * e;
        if (d_logits) d_logits[j] += (float)(2 * weight / n * e);
    }
    return loss / n;
}
