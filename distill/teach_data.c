#include "distill/teach_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/progress.h"
#include "distill/mining.h"
#include "distill/ranking.h"

/* ---- from labels ---- */

struct lessons {
    struct job_run *run;
    struct mining mining;
    struct candidate_sets sets;
    float *query_vectors,
        *document_vectors; /* the guide's, unit, [count, width], by row; or NULL */
    size_t width;
};

/* Unit vectors of n texts by the guide, at its full size. */
static float *guide_embed(const struct dual_encoder *guide, struct pool *pool,
                          const char *const *texts, size_t n, const char *prompt)
{
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = prompt,
                                          .layers = &guide->encoder.config.num_layers,
                                          .num_layers = 1};
    return dual_encoder_vectors(guide, pool, &request, guide->output_size, true);
}

static int embed_by_guide(struct lessons *lessons, struct error *err)
{
    struct job_run *run = lessons->run;
    const struct mining *mining = &lessons->mining;
    const struct texts *documents = &run->collection.documents;
    struct dual_encoder guide;
    if (job_is_none(run->job->teach.guide)) return 0;
    if (dual_encoder_open(&guide, run->job->teach.guide, 0, run->job->precision, err)) return -1;
    const char **queries = xcalloc(mining->count, sizeof *queries);
    for (size_t q = 0; q < mining->count; q++)
        queries[q] = run->collection.queries.values[mining->queries[q]];
    note("teach: the guide embeds %zu documents", documents->count);
    lessons->width = (size_t)guide.output_size;
    lessons->query_vectors =
        guide_embed(&guide, run->pool, queries, mining->count, guide.query_prompt);
    lessons->document_vectors =
        guide_embed(&guide, run->pool, documents->values, documents->count, guide.document_prompt);
    free(queries);
    dual_encoder_free(&guide);
    return 0;
}

static void rank_sources(struct lessons *lessons)
{
    const struct job *job = lessons->run->job;
    struct mining *mining = &lessons->mining;
    size_t documents = lessons->run->collection.documents.count;
    if (job->teach.sources & TEACH_BM25) mining_bm25(mining);
    if (job->teach.sources & TEACH_GUIDE)
        rank_by_vectors(mining_add(mining, CANDIDATE_GUIDE), lessons->query_vectors,
                        lessons->document_vectors, documents, (int)lessons->width,
                        lessons->run->pool);
    if (job->teach.sources & TEACH_RANDOM)
        rank_by_chance(mining_add(mining, CANDIDATE_CHANCE), mining->queries, documents,
                       (uint64_t)job->seed);
    mining_sets(mining, (size_t)job->teach.candidates, &lessons->sets);
}

static int highest_grade(const struct mining *mining)
{
    int highest = 1;
    for (size_t q = 0; q < mining->num_train; q++)
        for (size_t j = 0; j < mining->judged[q]->count; j++)
            if (mining->judged[q]->judgements[j].grade > highest)
                highest = mining->judged[q]->judgements[j].grade;
    return highest;
}

static float similarity(const struct lessons *lessons, size_t q, uint32_t document)
{
    double sum = 0;
    if (!lessons->query_vectors) return 0;
    const float *u = lessons->query_vectors + q * lessons->width,
                *v = lessons->document_vectors + document * lessons->width;
    for (size_t i = 0; i < lessons->width; i++) sum += (double)u[i] * v[i];
    return (float)sum;
}

static bool is_found(const struct candidate *candidate)
{
    return (candidate->sources & ~CANDIDATE_CHANCE) != 0;
}

static void add_train(struct teach_data *data, const struct lessons *lessons, size_t q, int highest)
{
    const struct job_run *run = lessons->run;
    const struct collection *collection = &run->collection;
    const struct candidate_set *set = &lessons->sets.sets[q];
    struct teach_list *list =
        teach_set_add(&data->train, collection->queries.values[lessons->mining.queries[q]]);
    for (size_t c = 0; c < set->count; c++) {
        const struct candidate *candidate = &set->candidates[c];
        bool positive = candidate->kind == CANDIDATE_POSITIVE;
        if (positive && run->job->teach.found_positives && !is_found(candidate)) continue;
        const char *id = collection->documents.ids[candidate->document];
        int grade = positive ? qrels_grade(lessons->mining.judged[q], id) : 0;
        teach_list_add(
            list, (struct teach_item){.document = collection->documents.values[candidate->document],
                                      .target = (float)grade / (float)highest,
                                      .guide = similarity(lessons, q, candidate->document)});
    }
}

static void add_dev(struct teach_data *data, const struct lessons *lessons, size_t q)
{
    const struct collection *collection = &lessons->run->collection;
    const struct candidate_set *set = &lessons->sets.sets[q];
    for (size_t c = 0; c < set->count; c++) {
        const struct candidate *candidate = &set->candidates[c];
        if (!is_found(candidate)) continue;
        data->queries[data->num_dev] = collection->queries.values[lessons->mining.queries[q]];
        data->documents[data->num_dev] = collection->documents.values[candidate->document];
        data->dev_query[data->num_dev] = (uint32_t)(q - lessons->mining.num_train);
        data->dev_document[data->num_dev++] = candidate->document;
    }
}

static void reserve_dev(struct teach_data *data, size_t pairs)
{
    data->queries = xcalloc(pairs, sizeof *data->queries);
    data->documents = xcalloc(pairs, sizeof *data->documents);
    data->dev_query = xcalloc(pairs, sizeof *data->dev_query);
    data->dev_document = xcalloc(pairs, sizeof *data->dev_document);
    data->dev_scores = xcalloc(pairs, sizeof *data->dev_scores);
}

static void take_sets(struct teach_data *data, const struct lessons *lessons)
{
    size_t pairs = 0, train = lessons->mining.num_train, count = lessons->mining.count;
    int highest = highest_grade(&lessons->mining);
    for (size_t q = train; q < count; q++) pairs += lessons->sets.sets[q].count;
    reserve_dev(data, pairs);
    for (size_t q = 0; q < train; q++) add_train(data, lessons, q, highest);
    for (size_t q = train; q < count; q++) add_dev(data, lessons, q);
}

static int from_labels(struct teach_data *data, struct job_run *run, struct error *err)
{
    struct lessons lessons = {.run = run};
    query_set_copy(&data->dev_queries, &run->dev);
    query_set_sample(&data->dev_queries, &run->collection, (size_t)run->job->teach.dev_queries,
                     (uint64_t)run->job->seed);
    mining_open(&lessons.mining, run, &data->dev_queries);
    int status = embed_by_guide(&lessons, err);
    if (!status) {
        rank_sources(&lessons);
        take_sets(data, &lessons);
    }
    mining_free(&lessons.mining);
    candidate_sets_free(&lessons.sets);
    free(lessons.query_vectors);
    free(lessons.document_vectors);
    return status;
}

/* ---- from scored pairs ---- */

/* Lines of the same query are one list, wherever they stand. */
static void lists_of_pairs(struct teach_set *set, const struct sts_pairs *pairs)
{
    struct strmap lists = {0};
    for (size_t i = 0; i < pairs->count; i++) {
        int64_t at = strmap_insert(&lists, pairs->first[i], (int64_t)set->count);
        if ((size_t)at == set->count) teach_set_add(set, pairs->first[i]);
        teach_list_add(&set->lists[at], (struct teach_item){.document = pairs->second[i],
                                                            .target = (float)pairs->scores[i]});
    }
    strmap_free(&lists);
}

static int check_labels(const struct sts_pairs *pairs, const struct job *job, struct error *err)
{
    for (size_t i = 0; job->teach.loss.bce > 0 && i < pairs->count; i++)
        if (pairs->scores[i] < 0 || pairs->scores[i] > 1)
            return fail(err,
                        "%s: score %g is no label from 0 to 1, which teach.loss.bce wants; use "
                        "mse, margin_mse or softmax",
                        job->teach.pairs, pairs->scores[i]);
    return 0;
}

/* The job's own; sentences stay in the collection. */
static void take_pairs(struct sts_pairs *out, const struct pair_set *set,
                       const struct collection *collection)
{
    size_t n = set->count;
    *out = (struct sts_pairs){.first = xcalloc(n, sizeof *out->first),
                              .second = xcalloc(n, sizeof *out->second),
                              .scores = xcalloc(n, sizeof *out->scores),
                              .count = n,
                              .capacity = n};
    for (size_t i = 0; i < n; i++) {
        out->first[i] = collection->documents.values[set->pairs[i].first];
        out->second[i] = collection->documents.values[set->pairs[i].second];
        out->scores[i] = set->pairs[i].score;
    }
}

static int from_pairs(struct teach_data *data, struct job_run *run, struct error *err)
{
    const char *path = run->job->teach.pairs;
    if (strcmp(path, run->job->data.pairs) == 0) {
        take_pairs(&data->train_pairs, &run->train_pairs, &run->collection);
        take_pairs(&data->dev_pairs, &run->dev_pairs, &run->collection);
    } else if (sts_read(&data->train_pairs, path, "train", err) ||
               sts_read(&data->dev_pairs, path, "dev", err)) {
        return -1;
    }
    if (check_labels(&data->train_pairs, run->job, err)) return -1;
    lists_of_pairs(&data->train, &data->train_pairs);
    const struct sts_pairs *dev = &data->dev_pairs;
    reserve_dev(data, dev->count);
    data->num_dev = dev->count;
    for (size_t i = 0; i < dev->count; i++) {
        data->queries[i] = dev->first[i];
        data->documents[i] = dev->second[i];
        data->dev_scores[i] = dev->scores[i];
    }
    return 0;
}

/* ---- both ---- */

int teach_data_make(struct teach_data *out, struct job_run *run, struct error *err)
{
    const struct job *job = run->job;
    bool labelled = job_is_none(job->teach.pairs);
    *out = (struct teach_data){.train = {.labelled = labelled,
                                         .pointwise = job->teach.loss.mse + job->teach.loss.bce > 0,
                                         .others = job->teach.negatives_per_query,
                                         .seed = (uint64_t)job->seed}};
    int status = labelled ? from_labels(out, run, err) : from_pairs(out, run, err);
    if (!status) {
        size_t gone = teach_set_prune(&out->train);
        if (gone) note("teach: %zu queries left out: nothing to tell apart", gone);
        note("teach: %zu train queries, %zu dev pairs", out->train.count, out->num_dev);
        if (!out->train.count)
            status = fail(err, "%s: no query to learn from",
                          labelled ? job->data.collection : job->teach.pairs);
        else if (!out->num_dev)
            status = fail(err, "%s: no dev pair to choose the best model by",
                          labelled ? job->data.collection : job->teach.pairs);
    }
    if (status) teach_data_free(out);
    return status;
}

static double measure_labels(const struct teach_data *data, const struct job_run *run,
                             const float *logits)
{
    const struct collection *collection = &run->collection;
    struct run ranked = {0};
    double *values = xcalloc(data->dev_queries.count, sizeof *values);
    for (size_t i = 0; i < data->num_dev; i++)
        run_add(&ranked, collection->queries.ids[data->dev_queries.rows[data->dev_query[i]]],
                collection->documents.ids[data->dev_document[i]], logits[i], "dev");
    run_sort(&ranked);
    double mean = measure_run(values, (struct measure){.kind = NDCG_CUT, .cut = 10},
                              &data->dev_queries, &ranked);
    run_free(&ranked);
    free(values);
    return mean;
}

double teach_data_measure(const struct teach_data *data, const struct job_run *run,
                          const float *logits)
{
    if (data->train.labelled) return measure_labels(data, run, logits);
    double *predicted = xcalloc(data->num_dev, sizeof *predicted);
    for (size_t i = 0; i < data->num_dev; i++) predicted[i] = logits[i];
    double value = spearman(predicted, data->dev_scores, data->num_dev);
    free(predicted);
    return isnan(value) ? 0 : value;
}

void teach_data_free(struct teach_data *data)
{
    teach_set_free(&data->train);
    query_set_free(&data->dev_queries);
    free(data->queries);
    free(data->documents);
    free(data->dev_query);
    free(data->dev_document);
    free(data->dev_scores);
    sts_free(&data->train_pairs);
    sts_free(&data->dev_pairs);
    *data = (struct teach_data){0};
}
