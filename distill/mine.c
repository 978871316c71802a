/* See mine.h. */
#include "distill/mine.h"

#include <math.h>
#include <stdlib.h>

void candidate_sets_init(struct candidate_sets *sets, size_t num_queries)
{
    *sets = (struct candidate_sets){.num_queries = num_queries,
                                    .set_of = xcalloc(num_queries, sizeof *sets->set_of)};
    for (size_t q = 0; q < num_queries; q++) sets->set_of[q] = -1;
}

const struct candidate_set *candidate_sets_find(const struct candidate_sets *sets, uint32_t query)
{
    if (query >= sets->num_queries || sets->set_of[query] < 0) return NULL;
    return &sets->sets[sets->set_of[query]];
}

void candidate_sets_free(struct candidate_sets *sets)
{
    for (size_t s = 0; s < sets->count; s++) free(sets->sets[s].candidates);
    free(sets->sets);
    free(sets->set_of);
    *sets = (struct candidate_sets){0};
}

struct candidate_set *candidate_sets_add(struct candidate_sets *sets, uint32_t query)
{
    REQUIRE(query < sets->num_queries && sets->set_of[query] < 0);
    GROW(sets->sets, sets->count, &sets->capacity);
    sets->set_of[query] = (int32_t)sets->count;
    sets->sets[sets->count] = (struct candidate_set){.query = query};
    return &sets->sets[sets->count++];
}

void candidate_set_add(struct candidate_set *set, struct candidate candidate)
{
    GROW(set->candidates, set->count, &set->capacity);
    set->candidates[set->count++] = candidate;
}

/* ---- mining ---- */

static bool is_labelled(const struct labels *labels, uint32_t document)
{
    for (size_t i = 0; i < labels->num_positives; i++)
        if (labels->positives[i] == document) return true;
    return false;
}

static struct candidate *find_candidate(const struct candidate_set *set, uint32_t document)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->candidates[i].document == document) return &set->candidates[i];
    return NULL;
}

static void add_positives(struct candidate_set *set, const struct labels *labels)
{
    for (size_t i = 0; i < labels->num_positives && set->count < labels->max_positives; i++)
        if (labels->positives[i] != labels->excluded)
            candidate_set_add(set, (struct candidate){.document = labels->positives[i],
                                                      .kind = CANDIDATE_POSITIVE});
}

static void add_mined(struct candidate_set *set, const struct labels *labels,
                      const struct mined_list *lists, size_t num_lists, size_t scored)
{
    size_t wanted = set->count + scored;
    bool more = true;
    for (size_t rank = 0; more && set->count < wanted; rank++) {
        more = false;
        for (size_t l = 0; l < num_lists && set->count < wanted; l++) {
            if (rank >= lists[l].count) continue;
            more = true;
            uint32_t document = lists[l].documents[rank];
            if (document == labels->excluded || is_labelled(labels, document) ||
                find_candidate(set, document))
                continue;
            candidate_set_add(set,
                              (struct candidate){.document = document, .kind = CANDIDATE_NEGATIVE});
        }
    }
}

/* Whole lists, not only as deep as candidates were taken: who found what, and how high. */
static void note_sources(struct candidate_set *set, const struct mined_list *list)
{
    for (size_t rank = 0; rank < list->count; rank++) {
        struct candidate *candidate = find_candidate(set, list->documents[rank]);
        if (!candidate) continue;
        float score = 1 / (float)(rank + 1);
        candidate->sources |= list->source;
        if (score > candidate->score) candidate->score = score;
    }
}

void mine_query(struct candidate_sets *sets, uint32_t query, const struct labels *labels,
                const struct mined_list *lists, size_t num_lists, size_t scored)
{
    struct candidate_set *set = candidate_sets_add(sets, query);
    add_positives(set, labels);
    add_mined(set, labels, lists, num_lists, scored);
    for (size_t l = 0; l < num_lists; l++) note_sources(set, &lists[l]);
}

size_t mine_more(struct candidate_set *set, const struct labels *labels,
                 const struct mined_list *list)
{
    size_t before = set->count;
    for (size_t rank = 0; rank < list->count; rank++) {
        uint32_t document = list->documents[rank];
        struct candidate *candidate = find_candidate(set, document);
        if (candidate)
            candidate->sources |= list->source;
        else if (document != labels->excluded && !is_labelled(labels, document))
            candidate_set_add(set, (struct candidate){.document = document,
                                                      .kind = CANDIDATE_NEGATIVE,
                                                      .sources = list->source});
    }
    return set->count - before;
}

/* ---- filtering ---- */

void lower_unscored(struct candidate_sets *sets)
{
    for (size_t s = 0; s < sets->count; s++) {
        struct candidate_set *set = &sets->sets[s];
        float lowest = NAN;
        for (size_t i = 0; i < set->count; i++) lowest = fminf(lowest, set->candidates[i].score);
        for (size_t i = 0; i < set->count; i++)
            if (isnan(set->candidates[i].score)) set->candidates[i].score = lowest;
    }
}

static bool has_positive(const struct candidate_set *set)
{
    return set->count && set->candidates[0].kind == CANDIDATE_POSITIVE;
}

struct dropped drop_unscored(struct candidate_sets *sets)
{
    struct dropped dropped = {0};
    for (size_t s = 0; s < sets->count; s++) {
        struct candidate_set *set = &sets->sets[s];
        bool had = has_positive(set);
        size_t kept = 0;
        for (size_t i = 0; i < set->count; i++) {
            if (!isnan(set->candidates[i].score))
                set->candidates[kept++] = set->candidates[i];
            else
                dropped.positives += set->candidates[i].kind == CANDIDATE_POSITIVE;
        }
        dropped.candidates += set->count - kept;
        set->count = kept;
        dropped.queries += had && !has_positive(set);
    }
    return dropped;
}

static double deviation_of_scores(const struct candidate_sets *sets)
{
    double sum = 0, squares = 0;
    size_t n = 0;
    for (size_t s = 0; s < sets->count; s++)
        for (size_t i = 0; i < sets->sets[s].count; i++, n++)
            sum += (double)sets->sets[s].candidates[i].score;
    for (size_t s = 0; s < sets->count; s++)
        for (size_t i = 0; i < sets->sets[s].count; i++) {
            double off = (double)sets->sets[s].candidates[i].score - sum / (double)n;
            squares += off * off;
        }
    return n ? sqrt(squares / (double)n) : 0;
}

/* Infinity where there is none: then nothing is near it. */
static double best_positive(const struct candidate_set *set)
{
    double best = -INFINITY;
    for (size_t i = 0; i < set->count; i++)
        if (set->candidates[i].kind == CANDIDATE_POSITIVE)
            best = fmax(best, (double)set->candidates[i].score);
    return best > -INFINITY ? best : INFINITY;
}

size_t filter_false_negatives(struct candidate_sets *sets, double margin)
{
    double allowance = margin * deviation_of_scores(sets);
    size_t marked = 0;
    for (size_t s = 0; s < sets->count; s++) {
        double bar = best_positive(&sets->sets[s]) - allowance;
        for (size_t i = 0; i < sets->sets[s].count; i++) {
            struct candidate *candidate = &sets->sets[s].candidates[i];
            if (candidate->kind == CANDIDATE_POSITIVE) continue;
            bool high = (double)candidate->score > bar;
            candidate->kind = high ? CANDIDATE_FALSE_NEGATIVE : CANDIDATE_NEGATIVE;
            marked += high;
        }
    }
    return marked;
}
