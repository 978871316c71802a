#include "distill/query_set.h"

#include <stdlib.h>
#include <string.h>

static bool has_relevant(const struct judged_query *judged)
{
    for (size_t j = 0; j < judged->count; j++)
        if (judged->judgements[j].grade > 0) return true;
    return false;
}

static void add(struct query_set *set, uint32_t row, const struct judged_query *judged)
{
    set->rows[set->count] = row;
    set->judged[set->count++] = judged;
}

static void reserve(struct query_set *set, size_t count)
{
    *set = (struct query_set){.rows = xcalloc(count, sizeof *set->rows),
                              .judged = xcalloc(count, sizeof *set->judged)};
}

/* Where a query stands in [0, 1): decides dev against train. */
static double place_of(const char *id, uint64_t seed)
{
    return hash_place(hash64(id, strlen(id), seed));
}

/* Queries of a split whose place is in [low, high); of made ones it is that of the document. */
struct share {
    const char *split;
    double low, high;
};

static void add_share(struct query_set *out, const struct collection *collection,
                      struct share share, uint64_t seed)
{
    const struct split *split = collection_split(collection, share.split);
    bool made = strcmp(share.split, MADE_SPLIT) == 0;
    for (size_t q = 0; split && q < split->qrels.count; q++) {
        const struct judged_query *judged = &split->qrels.queries[q];
        int64_t row = texts_find(&collection->queries, judged->id);
        double place = place_of(made ? judged->judgements[0].document : judged->id, seed);
        if (row >= 0 && has_relevant(judged) && place >= share.low && place < share.high)
            add(out, (uint32_t)row, judged);
    }
}

static size_t judged_count(const struct collection *collection, const char *name)
{
    const struct split *split = collection_split(collection, name);
    return split ? split->qrels.count : 0;
}

void query_set_of(struct query_set *out, const struct collection *collection, const char *split)
{
    reserve(out, judged_count(collection, split));
    add_share(out, collection, (struct share){split, 0, 1}, 0);
}

void query_sets_split(struct query_set *train, struct query_set *dev,
                      const struct collection *collection, const struct job *job)
{
    uint64_t seed = (uint64_t)job->seed;
    const char *labelled = job->data.train_split;
    bool has_dev = collection_split(collection, job->data.dev_split) != NULL;
    bool learns = job->data.queries & QUERIES_LABELLED && collection_split(collection, labelled);
    double cut = has_dev ? 0 : job->data.dev_fraction, made_cut = learns ? 0 : cut;
    reserve(train, judged_count(collection, labelled) + judged_count(collection, MADE_SPLIT));
    if (learns) add_share(train, collection, (struct share){labelled, cut, 1}, seed);
    if (job->data.queries & QUERIES_MADE)
        add_share(train, collection, (struct share){MADE_SPLIT, made_cut, 1}, seed);
    if (has_dev) {
        query_set_of(dev, collection, job->data.dev_split);
    } else {
        const char *from = learns ? labelled : MADE_SPLIT;
        reserve(dev, judged_count(collection, from));
        add_share(dev, collection, (struct share){from, 0, cut}, seed);
    }
}

bool is_measured_on_dev(const struct collection *collection, const struct job *job)
{
    return job->data.queries & QUERIES_MADE && !collection_split(collection, job->data.test_split);
}

void query_set_measured(struct query_set *out, const struct query_set *dev,
                        const struct collection *collection, const struct job *job)
{
    if (is_measured_on_dev(collection, job))
        query_set_copy(out, dev);
    else
        query_set_of(out, collection, job->data.test_split);
}

void query_set_sample(struct query_set *set, const struct collection *collection, size_t count,
                      uint64_t seed)
{
    if (set->count <= count) return;
    uint64_t *keys = xcalloc(set->count, sizeof *keys);
    bool *chosen = xcalloc(set->count, sizeof *chosen);
    for (size_t q = 0; q < set->count; q++) {
        const char *id = collection->queries.ids[set->rows[q]];
        keys[q] = hash64(id, strlen(id), seed + 1);
    }
    choose_smallest(chosen, keys, set->count, count);
    size_t kept = 0;
    for (size_t q = 0; q < set->count; q++)
        if (chosen[q]) {
            set->rows[kept] = set->rows[q];
            set->judged[kept++] = set->judged[q];
        }
    set->count = kept;
    free(chosen);
    free(keys);
}

void query_set_copy(struct query_set *out, const struct query_set *from)
{
    reserve(out, from->count);
    for (size_t q = 0; q < from->count; q++) add(out, from->rows[q], from->judged[q]);
}

void query_set_free(struct query_set *set)
{
    free(set->rows);
    free(set->judged);
    *set = (struct query_set){0};
}

static int check_set(const struct query_set *set, const char *what, const char *split,
                     const struct job *job, struct error *err)
{
    bool learnt = strcmp(what, "train") == 0;
    if (set->count) return 0;
    if (learnt && job->data.queries & QUERIES_MADE)
        return fail(err,
                    "%s: no query could be made of its documents; look at data.made, min_words "
                    "first",
                    job->data.collection);
    return fail(err, "%s: no query of split %s has a relevant document; set data.%s_split%s",
                job->data.collection, split, what,
                learnt ? ", or data.queries to made: from the documents" : "");
}

int query_sets_check(const struct query_set *train, const struct query_set *dev,
                     const struct query_set *test, const struct collection *collection,
                     const struct job *job, struct error *err)
{
    if (!train->count && dev->count && !collection_split(collection, job->data.dev_split))
        return fail(err, "%s: all %zu train queries became dev queries; lower data.dev_fraction",
                    job->data.collection, dev->count);
    if (check_set(train, "train", job->data.train_split, job, err)) return -1;
    if (!dev->count && !collection_split(collection, job->data.dev_split))
        return fail(err,
                    "%s: no dev query: there is no split %s, and data.dev_fraction %g of %zu train "
                    "queries is none; raise it",
                    job->data.collection, job->data.dev_split, job->data.dev_fraction,
                    train->count);
    return check_set(dev, "dev", job->data.dev_split, job, err) ||
                   (test && check_set(test, "test", job->data.test_split, job, err))
               ? -1
               : 0;
}

struct graded {
    int grade;
    size_t order;
    uint32_t row;
};

static int by_grade(const void *a, const void *b)
{
    const struct graded *x = a, *y = b;
    if (x->grade != y->grade) return x->grade > y->grade ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

size_t relevant_rows(uint32_t **rows, const struct collection *collection,
                     const struct judged_query *judged)
{
    struct graded *graded = xcalloc(judged->count, sizeof *graded);
    size_t count = 0;
    for (size_t j = 0; j < judged->count; j++) {
        const struct judgement *judgement = &judged->judgements[j];
        int64_t row =
            judgement->grade > 0 ? texts_find(&collection->documents, judgement->document) : -1;
        if (row >= 0) graded[count++] = (struct graded){judgement->grade, j, (uint32_t)row};
    }
    qsort(graded, count, sizeof *graded, by_grade);
    *rows = xcalloc(count, sizeof **rows);
    for (size_t j = 0; j < count; j++) (*rows)[j] = graded[j].row;
    free(graded);
    return count;
}

const char **query_texts(const struct query_set *set, const struct collection *collection)
{
    const char **texts = xcalloc(set->count, sizeof *texts);
    for (size_t q = 0; q < set->count; q++) texts[q] = collection->queries.values[set->rows[q]];
    return texts;
}
