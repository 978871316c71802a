/* Measures, correlations, bootstrap: see metrics.h. */
#define _GNU_SOURCE
#include "data/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- names ---- */

enum { AT = 1, CUT = 2, WHOLE = 4 }; /* stem@10, stem_10 (also stem.10), stem alone */

static const struct {
    const char *stem;
    int forms;
    enum measure_kind kind;
} names[] = {
    {"ndcg_cut", CUT, NDCG_CUT},
    {"ndcg", AT | WHOLE, NDCG_CUT},
    {"recip_rank_cut", CUT, RECIP_RANK_CUT},
    {"recip_rank", AT | WHOLE, RECIP_RANK_CUT},
    {"mrr", AT | WHOLE, RECIP_RANK_CUT},
    {"map_cut", CUT, MAP_CUT},
    {"map", AT | WHOLE, MAP_CUT},
    {"recall", AT | CUT, RECALL},
    {"P", AT | CUT, PRECISION},
    {"precision", AT, PRECISION},
    {"success", AT | CUT, SUCCESS},
    {"hits", AT, SUCCESS},
    {"accuracy", AT, SUCCESS},
    {"num_q", WHOLE, NUM_Q},
    {"num_ret", WHOLE, NUM_RET},
    {"num_rel", WHOLE, NUM_REL},
    {"num_rel_ret", WHOLE, NUM_REL_RET},
};
enum { NUM_NAMES = sizeof names / sizeof *names };

int measure_parse(struct measure *out, const char *name, struct error *err)
{
    size_t length = strlen(name), stem = length;
    while (stem && name[stem - 1] >= '0' && name[stem - 1] <= '9') stem--;
    size_t digits = length - stem;
    int form = WHOLE, cut = 0;
    if (digits && digits < 8 && stem && strchr("@_.", name[stem - 1])) {
        form = name[stem - 1] == '@' ? AT : CUT;
        cut = atoi(name + stem);
        stem--;
    }
    for (int i = 0; i < NUM_NAMES; i++) {
        bool same = strlen(names[i].stem) == stem && strncasecmp(name, names[i].stem, stem) == 0;
        if (!same || !(names[i].forms & form) || (form != WHOLE && cut == 0)) continue;
        *out = (struct measure){names[i].kind, cut};
        return 0;
    }
    return fail_usage(err,
                      "unknown measure \"%s\"; there are ndcg, ndcg_cut_K, recip_rank, "
                      "recip_rank_cut_K, map, map_cut_K, recall_K, P_K, success_K, num_q, num_ret, "
                      "num_rel, num_rel_ret",
                      name);
}

void measure_name(char name[32], struct measure measure)
{
    int form = measure.cut ? CUT : WHOLE, row = 0;
    while (row < NUM_NAMES && (names[row].kind != measure.kind || !(names[row].forms & form)))
        row++;
    REQUIRE(row < NUM_NAMES);
    snprintf(name, 32, measure.cut ? "%s_%d" : "%s", names[row].stem, measure.cut);
}

bool measure_is_count(struct measure measure)
{
    return measure.kind >= NUM_Q;
}

/* ---- one query ---- */

static int by_grade_descending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x < y) - (x > y);
}

static double discounted(int grade, size_t rank)
{
    return grade / log2((double)rank + 1);
}

/* The DCG of the best ranking possible, cut at k. */
static double ideal_dcg(const struct judged_query *judged, size_t k)
{
    int *grades = xmalloc(judged->count * sizeof *grades);
    size_t count = 0;
    for (size_t i = 0; i < judged->count; i++)
        if (judged->judgements[i].grade > 0) grades[count++] = judged->judgements[i].grade;
    qsort(grades, count, sizeof *grades, by_grade_descending);
    double dcg = 0;
    for (size_t i = 0; i < count && i < k; i++) dcg += discounted(grades[i], i + 1);
    free(grades);
    return dcg;
}

/* What a walk down the first k documents finds. */
struct found {
    double dcg;
    double precisions; /* sum over relevant documents of the precision at their rank */
    size_t relevant;
    size_t first; /* rank of the first relevant document; 0: none */
};

static struct found walk_ranking(const struct judged_query *judged,
                                 const struct ranked_query *ranking, size_t k)
{
    struct found found = {0};
    for (size_t i = 0; ranking && i < ranking->count && i < k; i++) {
        int grade = qrels_grade(judged, ranking->documents[i].document);
        if (grade <= 0) continue;
        found.relevant++;
        if (!found.first) found.first = i + 1;
        found.dcg += discounted(grade, i + 1);
        found.precisions += (double)found.relevant / (double)(i + 1);
    }
    return found;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

double measure_query(struct measure measure, const struct judged_query *judged,
                     const struct ranked_query *ranking)
{
    size_t k = measure.cut ? (size_t)measure.cut : SIZE_MAX;
    double all_relevant = (double)qrels_relevant(judged);
    struct found found = walk_ranking(judged, ranking, k);
    switch (measure.kind) {
    case NDCG_CUT:
        return ratio(found.dcg, ideal_dcg(judged, k));
    case RECIP_RANK_CUT:
        return found.first ? 1 / (double)found.first : 0;
    case MAP_CUT:
        return ratio(found.precisions, all_relevant);
    case RECALL:
        return ratio((double)found.relevant, all_relevant);
    case PRECISION:
        return (double)found.relevant / (double)k;
    case SUCCESS:
        return found.relevant > 0;
    case NUM_Q:
        return 1;
    case NUM_RET:
        return ranking ? (double)ranking->count : 0;
    case NUM_REL:
        return all_relevant;
    case NUM_REL_RET:
        return (double)found.relevant;
    }
    require_failed(__FILE__, __LINE__, "the measure's kind is known");
}

/* ---- correlations ---- */

static bool all_equal(const double *x, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (x[i] != x[0]) return false;
    return true;
}

static double mean_of(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

double pearson(const double *x, const double *y, size_t n)
{
    /* Asked exactly: the mean of equal values may be rounded away from them, and leave a
     * variance. */
    if (all_equal(x, n) || all_equal(y, n)) return NAN;
    double mean_x = mean_of(x, n), mean_y = mean_of(y, n);
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return fmax(-1, fmin(1, xy / (sqrt(xx) * sqrt(yy))));
}

struct placed {
    double value;
    size_t index;
};

static int by_value(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    return (a->value > b->value) - (a->value < b->value);
}

/* Ranks from 1 of x, freshly allocated; equal values share the average of their positions. */
static double *ranks_of(const double *x, size_t n)
{
    struct placed *placed = xmalloc(n * sizeof *placed);
    double *ranks = xmalloc(n * sizeof *ranks);
    for (size_t i = 0; i < n; i++) placed[i] = (struct placed){x[i], i};
    if (n) qsort(placed, n, sizeof *placed, by_value);
    for (size_t start = 0, end; start < n; start = end) {
        for (end = start + 1; end < n && placed[end].value == placed[start].value;) end++;
        double average = (double)(start + 1 + end) / 2;
        for (size_t i = start; i < end; i++) ranks[placed[i].index] = average;
    }
    free(placed);
    return ranks;
}

double spearman(const double *x, const double *y, size_t n)
{
    double *x_ranks = ranks_of(x, n), *y_ranks = ranks_of(y, n);
    double correlation = pearson(x_ranks, y_ranks, n);
    free(x_ranks);
    free(y_ranks);
    return correlation;
}

/* ---- bootstrap ---- */

static int by_number(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Linear interpolation between the sorted values, numpy's default. */
static double quantile(const double *sorted, size_t n, double q)
{
    if (n == 0) return NAN;
    double place = q * (double)(n - 1);
    size_t below = (size_t)place, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

struct interval percentile_interval(double mean, double *resampled, size_t n)
{
    if (n) qsort(resampled, n, sizeof *resampled, by_number);
    return (struct interval){mean, quantile(resampled, n, 0.025), quantile(resampled, n, 0.975)};
}

struct interval bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed)
{
    if (n == 0) return (struct interval){NAN, NAN, NAN};
    double *means = xmalloc((size_t)resamples * sizeof *means);
    for (int r = 0; r < resamples; r++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += values[(size_t)(random_uniform(seed, (uint64_t)r, i) * (double)n)];
        means[r] = sum / (double)n;
    }
    struct interval interval = percentile_interval(mean_of(values, n), means, (size_t)resamples);
    free(means);
    return interval;
}

struct interval bootstrap_difference(const double *a, const double *b, size_t n, int resamples,
                                     uint64_t seed)
{
    double *differences = xmalloc(n * sizeof *differences);
    for (size_t i = 0; i < n; i++) differences[i] = a[i] - b[i];
    struct interval interval = bootstrap_mean(differences, n, resamples, seed);
    free(differences);
    return interval;
}
