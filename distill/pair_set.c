#include "distill/pair_set.h"

#include <stdlib.h>
#include <string.h>

#include "data/sts.h"

int job_collection_read(struct collection *out, const struct job *job, struct error *err)
{
    if (!job_has_pairs(job)) return collection_read(out, job->data.collection, err);
    const char *const splits[] = {job->data.train_split, job->data.dev_split, job->data.test_split};
    return sts_read_collection(out, job->data.pairs, splits, 3, err);
}

/* ---- splits ---- */

static uint64_t hash_pair(const struct scored_pair *pair, const struct collection *collection,
                          uint64_t seed)
{
    const char *first = collection->documents.values[pair->first],
               *second = collection->documents.values[pair->second];
    return hash64(second, strlen(second), hash64(first, strlen(first) + 1, seed));
}

/* Pairs of the split whose place in [0, 1) is in [low, high). */
static void fill(struct pair_set *out, const struct collection *collection, const char *name,
                 double low, double high, uint64_t seed)
{
    const struct pair_split *split = collection_pairs(collection, name);
    *out = (struct pair_set){.pairs = xcalloc(split ? split->count : 0, sizeof *out->pairs)};
    for (size_t i = 0; split && i < split->count; i++) {
        double place = hash_place(hash_pair(&split->pairs[i], collection, seed));
        if (place >= low && place < high) out->pairs[out->count++] = split->pairs[i];
    }
}

void pair_set_of(struct pair_set *out, const struct collection *collection, const char *split)
{
    fill(out, collection, split, 0, 1, 0);
}

void pair_set_sample(struct pair_set *set, const struct collection *collection, size_t count,
                     uint64_t seed)
{
    if (!count || set->count <= count) return;
    uint64_t *keys = xcalloc(set->count, sizeof *keys);
    bool *chosen = xcalloc(set->count, sizeof *chosen);
    for (size_t i = 0; i < set->count; i++)
        keys[i] = hash_pair(&set->pairs[i], collection, seed + 1);
    choose_smallest(chosen, keys, set->count, count);
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++)
        if (chosen[i]) set->pairs[kept++] = set->pairs[i];
    set->count = kept;
    free(chosen);
    free(keys);
}

void pair_sets_split(struct pair_set *train, struct pair_set *dev,
                     const struct collection *collection, const struct job *job)
{
    uint64_t seed = (uint64_t)job->seed;
    bool has_dev = collection_pairs(collection, job->data.dev_split) != NULL;
    double cut = has_dev ? 0 : job->data.dev_fraction;
    fill(train, collection, job->data.train_split, cut, 1, seed);
    if (has_dev)
        pair_set_of(dev, collection, job->data.dev_split);
    else
        fill(dev, collection, job->data.train_split, 0, cut, seed);
}

bool pair_set_uniform(const struct pair_set *set)
{
    for (size_t i = 1; i < set->count; i++)
        if (set->pairs[i].score != set->pairs[0].score) return false;
    return true;
}

static int check_set(const struct pair_set *set, const char *what, const char *split,
                     const struct job *job, struct error *err)
{
    if (!set->count)
        return fail(err,
                    "%s: there are no %s pairs: no %s.tsv, or data.dev_fraction %g took all "
                    "or none; set data.%s_split or data.dev_fraction",
                    job->data.pairs, what, split, job->data.dev_fraction, what);
    if (!pair_set_uniform(set)) return 0;
    return fail(err,
                "%s: all %zu %s pairs have the score %g: nothing can be ordered by it; look at "
                "the first column of %s.tsv",
                job->data.pairs, set->count, what, set->pairs[0].score, split);
}

int pair_sets_check(const struct pair_set *train, const struct pair_set *dev,
                    const struct pair_set *test, const struct job *job, struct error *err)
{
    return check_set(train, "train", job->data.train_split, job, err) ||
                   check_set(dev, "dev", job->data.dev_split, job, err) ||
                   (test && check_set(test, "test", job->data.test_split, job, err))
               ? -1
               : 0;
}

void pair_set_copy(struct pair_set *out, const struct pair_set *from)
{
    *out = (struct pair_set){xcalloc(from->count, sizeof *out->pairs), from->count};
    if (from->count) memcpy(out->pairs, from->pairs, from->count * sizeof *out->pairs);
}

void pair_set_free(struct pair_set *set)
{
    free(set->pairs);
    *set = (struct pair_set){0};
}

/* ---- what stands in them ---- */

size_t pair_set_documents(uint32_t **rows, const struct pair_set *set, size_t num_documents)
{
    bool *there = xcalloc(num_documents, sizeof *there);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        there[set->pairs[i].first] = there[set->pairs[i].second] = true;
    *rows = xcalloc(num_documents, sizeof **rows);
    for (size_t d = 0; d < num_documents; d++)
        if (there[d]) (*rows)[count++] = (uint32_t)d;
    free(there);
    return count;
}

void pair_sets_texts(struct collection *out, struct pair_set *const *sets, size_t num_sets,
                     const struct collection *from)
{
    size_t all = from->documents.count;
    uint32_t *row_of = xcalloc(all, sizeof *row_of); /* 1 more than its new row; 0: none */
    *out = (struct collection){.documents = {.values = xcalloc(all, sizeof(char *))}};
    for (size_t s = 0; s < num_sets; s++)
        for (size_t i = 0; i < sets[s]->count; i++) {
            uint32_t *const rows[] = {&sets[s]->pairs[i].first, &sets[s]->pairs[i].second};
            for (int side = 0; side < 2; side++) {
                uint32_t *place = &row_of[*rows[side]];
                if (!*place) {
                    out->documents.values[out->documents.count++] =
                        from->documents.values[*rows[side]];
                    *place = (uint32_t)out->documents.count;
                }
                *rows[side] = *place - 1;
            }
        }
    free(row_of);
}

void pair_sets_texts_free(struct collection *texts)
{
    free(texts->documents.values);
    *texts = (struct collection){0};
}

void scores_to_unit(float *out, const float *scores, size_t n)
{
    if (!n) return;
    double low = scores[0], high = scores[0];
    for (size_t i = 1; i < n; i++) {
        if (scores[i] < low) low = scores[i];
        if (scores[i] > high) high = scores[i];
    }
    for (size_t i = 0; i < n; i++)
        out[i] = high > low ? (float)(((double)scores[i] - low) / (high - low)) : 0;
}
