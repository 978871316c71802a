/* The layer probe: see probe.h. */
#include "distill/probe.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/correlation.h"
#include "distill/ranking.h"

enum { BLOCK = 512 };

struct probe_work {
    const struct cross_encoder *ce;
    struct pool *pool;
    const struct collection *collection;
    const struct query_set *queries; /* or NULL, and pairs */
    const struct scored_pair *pairs;
    size_t num_queries, num_pairs;
    const struct probe_options *options;
    uint32_t *documents; /* [num_documents] rows, rising */
    size_t num_documents;
    const char **query_texts, **document_texts;
    int num_layers; /* with the embeddings: layers 0 .. num_layers - 1 */
    struct progress progress;
};

/* ---- the sample of documents ---- */

static void mark_relevant(bool *chosen, const struct probe_work *work)
{
    for (size_t q = 0; q < work->queries->count; q++) {
        uint32_t *rows;
        size_t count = relevant_rows(&rows, work->collection, work->queries->judged[q]);
        for (size_t i = 0; i < count; i++) chosen[rows[i]] = true;
        free(rows);
    }
}

/* Relevant documents first (key 0), then by hash; the first `limit` of them, or more where more are
 * relevant. */
static void mark_sample(bool *chosen, const struct texts *documents, size_t limit, uint64_t seed)
{
    uint64_t *keys = xcalloc(documents->count, sizeof *keys);
    for (size_t i = 0; i < documents->count; i++) {
        const char *id = documents->ids[i];
        keys[i] = chosen[i] ? 0 : hash64(id, strlen(id), seed) | 1;
    }
    choose_smallest(chosen, keys, documents->count, limit);
    free(keys);
}

static void choose_documents(struct probe_work *work)
{
    const struct texts *documents = &work->collection->documents;
    size_t limit = work->options->max_documents ? work->options->max_documents : SIZE_MAX;
    bool *chosen = xcalloc(documents->count, sizeof *chosen);
    if (work->queries) {
        mark_relevant(chosen, work);
        mark_sample(chosen, documents, limit, work->options->seed);
    }
    for (size_t i = 0; i < work->num_pairs; i++)
        chosen[work->pairs[i].first] = chosen[work->pairs[i].second] = true;
    work->documents = xcalloc(documents->count, sizeof *work->documents);
    work->document_texts = xcalloc(documents->count, sizeof *work->document_texts);
    for (size_t i = 0; i < documents->count; i++)
        if (chosen[i]) {
            work->document_texts[work->num_documents] = documents->values[i];
            work->documents[work->num_documents++] = (uint32_t)i;
        }
    free(chosen);
}

/* ---- representations and measures ---- */

static size_t hidden_size(const struct probe_work *work)
{
    return (size_t)cross_encoder_config(work->ce)->hidden_size;
}

/* out [num_layers, n, hidden_size] */
static int represent(float *out, struct probe_work *work, const char *const *texts, size_t n,
                     enum text_form form, int max_tokens, struct error *err)
{
    struct text_input input = cross_encoder_text_input(work->ce, form, max_tokens);
    int *layers = xcalloc((size_t)work->num_layers, sizeof *layers);
    float **places = xcalloc((size_t)work->num_layers, sizeof *places);
    for (int l = 0; l < work->num_layers; l++) layers[l] = l;
    int status = 0;
    for (size_t first = 0; status == 0 && first < n; first += BLOCK) {
        size_t count = n - first < BLOCK ? n - first : BLOCK;
        for (int l = 0; l < work->num_layers; l++)
            places[l] = out + ((size_t)l * n + first) * hidden_size(work);
        cross_encoder_represent(work->ce, work->pool, texts + first, count, input, layers,
                                work->num_layers, places);
        progress_add(&work->progress, count);
        if (interrupted()) status = fail_interrupted(err);
    }
    free(places);
    free(layers);
    return status;
}

void vectors_mean(float *mean, const float *vectors, size_t width, const uint32_t *rows,
                  size_t count)
{
    double *sums = xcalloc(width, sizeof *sums);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < width; j++)
            sums[j] += (double)vectors[(rows ? rows[i] : i) * width + j];
    for (size_t j = 0; j < width; j++) mean[j] = count ? (float)(sums[j] / (double)count) : 0;
    free(sums);
}

void vectors_subtract(float *vectors, size_t n, size_t width, const float *mean)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++) vectors[i * width + j] -= mean[j];
}

void probe_centre(float *vectors, size_t n, size_t width)
{
    float *mean = xcalloc(width, sizeof *mean);
    vectors_mean(mean, vectors, width, NULL, n);
    vectors_subtract(vectors, n, width, mean);
    free(mean);
}

static void measure_queries(struct probe_point *point, const struct probe_work *work,
                            const float *zq, const float *zd)
{
    const struct measure ndcg = {NDCG_CUT, 10}, mrr = {RECIP_RANK_CUT, 10};
    struct embedded embedded = {.collection = work->collection,
                                .queries = work->queries,
                                .documents = work->documents,
                                .num_documents = work->num_documents,
                                .zq = zq,
                                .zd = zd,
                                .width = (int)hidden_size(work)};
    struct run run;
    double *values = xcalloc(work->queries->count, sizeof *values);
    rank_embedded(&run, &embedded, embedded.width, true, 10, work->options->drop_same_id, "probe",
                  work->pool);
    point->values[0] = measure_run(values, ndcg, work->queries, &run);
    point->values[1] = measure_run(values, mrr, work->queries, &run);
    run_free(&run);
    free(values);
}

/* Vector of a row of the collection, which is among work->documents. */
static const float *vector_of(const struct probe_work *work, const float *zd, uint32_t row)
{
    size_t low = 0, high = work->num_documents;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (work->documents[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    REQUIRE(work->documents[low] == row);
    return zd + low * hidden_size(work);
}

static void measure_pairs(struct probe_point *point, const struct probe_work *work, const float *zd)
{
    size_t n = work->num_pairs;
    int width = (int)hidden_size(work);
    double *cosines = xcalloc(n, sizeof *cosines), *scores = xcalloc(n, sizeof *scores);
    for (size_t i = 0; i < n; i++) {
        const struct scored_pair *pair = &work->pairs[i];
        sts_scores(&cosines[i], vector_of(work, zd, pair->first), vector_of(work, zd, pair->second),
                   1, width, width);
        scores[i] = pair->score;
    }
    point->values[0] = spearman(cosines, scores, n);
    point->values[1] = pearson(cosines, scores, n);
    free(scores);
    free(cosines);
}

/* Fills the points of one form: points[layer * 4 + form * 2 + centred]. */
static int probe_form(struct probe *out, struct probe_work *work, enum text_form form,
                      struct error *err)
{
    size_t width = hidden_size(work), layers = (size_t)work->num_layers;
    size_t n = work->num_documents, m = work->num_queries;
    float *zd = xaligned(layers * n * width, sizeof *zd);
    float *zq = xaligned(layers * m * width, sizeof *zq);
    int status =
        represent(zq, work, work->query_texts, m, form, work->options->max_query_tokens, err);
    if (!status)
        status = represent(zd, work, work->document_texts, n, form,
                           work->options->max_document_tokens, err);
    for (size_t l = 0; status == 0 && l < layers; l++)
        for (int centred = 0; centred <= 1; centred++) {
            struct probe_point *point = &out->points[l * 4 + (size_t)form * 2 + (size_t)centred];
            float *queries = zq + l * m * width, *documents = zd + l * n * width;
            if (centred) {
                probe_centre(documents, n, width);
                probe_centre(queries, m, width);
            }
            *point = (struct probe_point){.layer = (int)l, .form = form, .centred = centred};
            if (work->queries)
                measure_queries(point, work, queries, documents);
            else
                measure_pairs(point, work, documents);
        }
    free(zq);
    free(zd);
    return status;
}

int probe_run(struct probe *out, const struct cross_encoder *ce, struct pool *pool,
              const struct collection *collection, const struct query_set *queries,
              const struct pair_set *dev_pairs, const struct probe_options *options,
              struct error *err)
{
    REQUIRE(queries ? queries->count > 0 : dev_pairs->count > 0);
    size_t num_pairs = queries ? 0 : dev_pairs->count;
    if (options->max_documents && num_pairs > options->max_documents)
        num_pairs = options->max_documents;
    struct probe_work work = {.ce = ce,
                              .pool = pool,
                              .collection = collection,
                              .queries = queries,
                              .options = options,
                              .query_texts = queries ? query_texts(queries, collection) : NULL,
                              .num_queries = queries ? queries->count : 0,
                              .pairs = queries ? NULL : dev_pairs->pairs,
                              .num_pairs = num_pairs,
                              .num_layers = cross_encoder_config(ce)->num_layers + 1};
    choose_documents(&work);
    out->count = (size_t)work.num_layers * 4;
    out->points = xcalloc(out->count, sizeof *out->points);
    out->measures[0] = queries ? "ndcg_cut_10" : correlation_name(CORRELATION_SPEARMAN);
    out->measures[1] = queries ? "recip_rank_cut_10" : correlation_name(CORRELATION_PEARSON);
    progress_start(&work.progress, "probing the teacher's layers", "texts",
                   2 * (work.num_queries + work.num_documents), 0);
    int status = probe_form(out, &work, FORM_SINGLE, err);
    if (!status) status = probe_form(out, &work, FORM_PAIR, err);
    progress_end(&work.progress);
    if (status) probe_free(out);
    free(work.query_texts);
    free(work.document_texts);
    free(work.documents);
    return status;
}

/* ---- the table ---- */

const struct probe_point *probe_best(const struct probe *probe, int layer, int form, int centred)
{
    const struct probe_point *best = NULL;
    for (size_t i = 0; i < probe->count; i++) {
        const struct probe_point *point = &probe->points[i];
        if ((layer >= 0 && point->layer != layer) || (form >= 0 && (int)point->form != form) ||
            (centred >= 0 && point->centred != (centred != 0)))
            continue;
        if (!best || point->values[0] > best->values[0]) best = point;
    }
    REQUIRE(best);
    return best;
}

int probe_write(const struct probe *probe, const char *path, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "layer\tform\tcentred\t%s\t%s\n", probe->measures[0], probe->measures[1]);
    for (size_t i = 0; i < probe->count; i++) {
        const struct probe_point *point = &probe->points[i];
        output_printf(&out, "%d\t%s\t%d\t%.6f\t%.6f\n", point->layer, text_form_name(point->form),
                      point->centred, point->values[0], point->values[1]);
    }
    return output_commit(&out, err);
}

void probe_note(const struct probe *probe)
{
    note("%s of the teacher's layers on dev, for single texts:", probe->measures[0]);
    note("layer  single  single, centred    pair  pair, centred");
    for (size_t i = 0; i + 3 < probe->count; i += 4) {
        const struct probe_point *row = &probe->points[i];
        note("%5d  %6.4f  %15.4f  %6.4f  %13.4f", row->layer, row[0].values[0], row[1].values[0],
             row[2].values[0], row[3].values[0]);
    }
}

void probe_free(struct probe *probe)
{
    free(probe->points);
    *probe = (struct probe){0};
}
