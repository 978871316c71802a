/* See made_filter.h. */
#include "distill/made_filter.h"

#include <math.h>

#include "data/output.h"

/* Of the document, the first candidate. */
static size_t rank_of(const struct candidate_set *set)
{
    size_t rank = 1;
    for (size_t c = 1; c < set->count; c++)
        rank += set->candidates[c].score > set->candidates[0].score;
    return rank;
}

struct made_score made_score_of(const struct candidate_set *set, double temperature)
{
    double own = (double)set->candidates[0].score, largest = own, sum = 0;
    for (size_t c = 1; c < set->count; c++)
        largest = fmax(largest, (double)set->candidates[c].score);
    for (size_t c = 0; c < set->count; c++)
        sum += exp(((double)set->candidates[c].score - largest) / temperature);
    return (struct made_score){rank_of(set), exp((own - largest) / temperature) / sum};
}

/* A query whose document is no candidate has nothing to learn. */
static bool is_kept(const struct candidate_set *set, int keep)
{
    return set->count && set->candidates[0].kind == CANDIDATE_POSITIVE &&
           (!keep || rank_of(set) <= (size_t)keep);
}

size_t made_filter(struct candidate_sets *kept, struct candidate_sets *scored,
                   const struct made_queries *made, int keep)
{
    size_t dropped = 0;
    for (size_t s = 0; s < scored->count; s++) {
        struct candidate_set *set = &scored->sets[s];
        if (made_query_of(made, set->query) && !is_kept(set, keep)) {
            dropped++;
            continue;
        }
        *candidate_sets_add(kept, set->query) = *set;
        *set = (struct candidate_set){.query = set->query};
    }
    return dropped;
}

int made_scores_write(const struct candidate_sets *scored, const struct made_queries *made,
                      const struct collection *collection, const struct job *job, const char *path,
                      struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "query\tdocument\tkind\tremoved\trank\tcandidates\tprobability\tkept\n");
    for (size_t s = 0; s < scored->count; s++) {
        const struct candidate_set *set = &scored->sets[s];
        const struct made_query *one = made_query_of(made, set->query);
        if (!one || !set->count) continue;
        struct made_score score = {0};
        if (set->candidates[0].kind == CANDIDATE_POSITIVE)
            score = made_score_of(set, job->distill.teacher_temperature);
        output_printf(&out, "%s\t%s\t%s\t%d\t%zu\t%zu\t%.6f\t%d\n",
                      collection->queries.ids[set->query], collection->documents.ids[one->document],
                      one->is_title ? "title" : "crop", one->remainder != NULL, score.rank,
                      set->count, score.probability, is_kept(set, job->data.made.keep));
    }
    return output_commit(&out, err);
}
