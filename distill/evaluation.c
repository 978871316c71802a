#include "distill/evaluation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/progress.h"
#include "student/search.h"

int evaluation_measures(struct evaluation *evaluation, const char *const *names, size_t count,
                        struct error *err)
{
    if (count > MAX_MEASURES) return fail_usage(err, "at most %d measures", MAX_MEASURES);
    evaluation->depth = 100;
    for (size_t m = 0; m < count; m++) {
        struct measure *measure = &evaluation->measures[m];
        if (evaluation->pairs) {
            if (!correlation_parse(&evaluation->correlations[m], names[m]))
                return fail_usage(err, "%s: pairs have spearman and pearson", names[m]);
            continue;
        }
        if (measure_parse(measure, names[m], err)) return -1;
        if (measure->cut > evaluation->depth) evaluation->depth = measure->cut;
    }
    evaluation->num_measures = count;
    return 0;
}

static struct evaluated *add_row(struct evaluation *evaluation, const char *system, int layers,
                                 int dim)
{
    GROW(evaluation->rows, evaluation->count, &evaluation->capacity);
    struct evaluated *row = &evaluation->rows[evaluation->count++];
    *row = (struct evaluated){.system = xstrdup(system),
                              .layers = layers,
                              .dim = dim,
                              .texts_per_s = NAN,
                              .bytes_per_vector = NAN,
                              .ms_per_query = NAN};
    return row;
}

static char *row_path(const struct evaluation *evaluation, const struct evaluated *row,
                      const char *ending)
{
    const char *folder = evaluation->trec_folder;
    if (!row->layers) return xasprintf("%s/%s.%s", folder, row->system, ending);
    return xasprintf("%s/%s-l%d-d%d.%s", folder, row->system, row->layers, row->dim, ending);
}

static int write_run(const struct evaluation *evaluation, const struct evaluated *row,
                     struct run *run, struct error *err)
{
    if (!evaluation->trec_folder) return 0;
    char *path = row_path(evaluation, row, "trec");
    int status = run_write(run, path, err);
    free(path);
    return status;
}

static int write_scores(const struct evaluation *evaluation, const struct evaluated *row,
                        struct error *err)
{
    struct output out = {0};
    if (!evaluation->trec_folder) return 0;
    char *path = row_path(evaluation, row, "tsv");
    int status = output_open(&out, path, err);
    if (!status) {
        output_printf(&out, "label\tscore\n");
        for (size_t i = 0; i < evaluation->pairs->count; i++)
            output_printf(&out, "%.6g\t%.12g\n", evaluation->pairs->pairs[i].score, row->scores[i]);
        status = output_commit(&out, err);
    }
    free(path);
    return status;
}

int evaluate_run(struct evaluation *evaluation, const char *system, int layers, int dim,
                 struct run *run, struct error *err)
{
    struct evaluated *row = add_row(evaluation, system, layers, dim);
    run_sort(run);
    for (size_t m = 0; m < evaluation->num_measures; m++) {
        row->values[m] = xcalloc(evaluation->queries->count, sizeof *row->values[m]);
        measure_run(row->values[m], evaluation->measures[m], evaluation->queries, run);
    }
    return write_run(evaluation, row, run, err);
}

int evaluate_scores(struct evaluation *evaluation, const char *system, int layers, int dim,
                    const double *scores, struct error *err)
{
    struct evaluated *row = add_row(evaluation, system, layers, dim);
    size_t n = evaluation->pairs->count;
    row->scores = xcalloc(n, sizeof *row->scores);
    memcpy(row->scores, scores, n * sizeof *scores);
    return write_scores(evaluation, row, err);
}

/* Milliseconds of exact search for one query at a time, best of three rounds over up to 64
 * queries. */
static double search_ms(const struct evaluation *evaluation, const struct vector_pair *vectors,
                        int dim)
{
    size_t documents = evaluation->collection->documents.count;
    size_t queries = evaluation->queries->count < 64 ? evaluation->queries->count : 64;
    size_t k = documents < 100 ? documents : 100;
    float *u = xaligned(queries * (size_t)dim, sizeof *u);
    float *v = xaligned(documents * (size_t)dim, sizeof *v);
    struct hit *hits = xcalloc(k, sizeof *hits);
    vectors_cut(u, vectors->zq, queries, vectors->width, dim, evaluation->cosine);
    vectors_cut(v, vectors->zd, documents, vectors->width, dim, evaluation->cosine);
    const struct stored_vectors stored = {VECTOR_F32, documents, dim, v, NULL};
    double best = INFINITY;
    for (int round = 0; round < 3; round++) {
        double start = seconds_now();
        for (size_t q = 0; q < queries; q++)
            search_top_k(hits, u + q * (size_t)dim, 1, &stored, (int)k, evaluation->pool);
        double ms = 1e3 * (seconds_now() - start) / (double)queries;
        if (ms < best) best = ms;
    }
    free(hits);
    free(v);
    free(u);
    return best;
}

static int rank_vectors(struct evaluation *evaluation, const char *system, int layers, int dim,
                        const struct vector_pair *vectors, struct error *err)
{
    const struct embedded embedded = {.collection = evaluation->collection,
                                      .queries = evaluation->queries,
                                      .num_documents = evaluation->collection->documents.count,
                                      .zq = vectors->zq,
                                      .zd = vectors->zd,
                                      .width = vectors->width};
    struct run run;
    rank_embedded(&run, &embedded, dim, evaluation->cosine, evaluation->depth,
                  evaluation->drop_same_id, "retort", evaluation->pool);
    int status = evaluate_run(evaluation, system, layers, dim, &run, err);
    run_free(&run);
    return status;
}

/* The cosine of each pair. */
static int score_vectors(struct evaluation *evaluation, const char *system, int layers, int dim,
                         const struct vector_pair *vectors, struct error *err)
{
    size_t n = evaluation->pairs->count, width = (size_t)vectors->width;
    double *scores = xcalloc(n, sizeof *scores);
    for (size_t i = 0; i < n; i++) {
        const struct scored_pair *pair = &evaluation->pairs->pairs[i];
        sts_scores(&scores[i], vectors->zd + pair->first * width,
                   vectors->zd + pair->second * width, 1, vectors->width, dim);
    }
    int status = evaluate_scores(evaluation, system, layers, dim, scores, err);
    free(scores);
    return status;
}

int evaluate_vectors(struct evaluation *evaluation, const char *system, int layers,
                     const struct int_list *dims, const struct vector_pair *vectors,
                     struct error *err)
{
    for (size_t i = 0; i < dims->count; i++) {
        int dim = dims->items[i];
        if (dim > vectors->width) continue;
        if (evaluation->pairs ? score_vectors(evaluation, system, layers, dim, vectors, err)
                              : rank_vectors(evaluation, system, layers, dim, vectors, err))
            return -1;
        struct evaluated *row = &evaluation->rows[evaluation->count - 1];
        row->bytes_per_vector = 4.0 * dim;
        row->texts_per_s = vectors->texts_per_s;
        if (evaluation->timed && !evaluation->pairs)
            row->ms_per_query = search_ms(evaluation, vectors, dim);
        if (interrupted()) return fail_interrupted(err);
    }
    return 0;
}

/* Sentences are asked with and asked for alike: as queries, where a model tells both apart. */
static const char *prompt_of(const struct evaluation *evaluation, const struct dual_encoder *de)
{
    return evaluation->pairs ? de->query_prompt : de->document_prompt;
}

/* Documents embedded a second with the first `layer` blocks: a sample that stands for the
 * collection, best of two rounds. */
static double encode_rate(const struct evaluation *evaluation, const struct dual_encoder *de,
                          int layer)
{
    const struct texts *documents = &evaluation->collection->documents;
    size_t n = documents->count < 512 ? documents->count : 512;
    const char **sample = xcalloc(n, sizeof *sample);
    for (size_t i = 0; i < n; i++) sample[i] = documents->values[i * documents->count / n];
    const struct embed_request request = {.texts = sample,
                                          .count = n,
                                          .prompt = prompt_of(evaluation, de),
                                          .max_length = evaluation->max_document_tokens,
                                          .layers = &layer,
                                          .num_layers = 1};
    float *z = xaligned(n * (size_t)de->output_size, sizeof *z);
    double best = 0;
    for (int round = 0; round < 2; round++) {
        double start = seconds_now();
        dual_encoder_embed(de, evaluation->pool, &request, &z);
        double rate = (double)n / (seconds_now() - start);
        if (rate > best) best = rate;
    }
    free(z);
    free(sample);
    return best;
}

/* texts: the request's, whose layers are those of the list. */
static void embed_at_layers(struct layer_vectors *out, const struct evaluation *evaluation,
                            const struct dual_encoder *de, const struct int_list *layers,
                            struct embed_request request)
{
    *out = (struct layer_vectors){.z = xcalloc(layers->count, sizeof *out->z),
                                  .num_layers = layers->count};
    for (size_t l = 0; l < layers->count; l++)
        out->z[l] = xaligned(request.count * (size_t)de->output_size, sizeof(float));
    request.layers = layers->items;
    request.num_layers = (int)layers->count;
    dual_encoder_embed(de, evaluation->pool, &request, out->z);
}

void documents_at_layers(struct layer_vectors *out, const struct evaluation *evaluation,
                         const struct dual_encoder *de, const struct int_list *layers)
{
    const struct texts *documents = &evaluation->collection->documents;
    embed_at_layers(out, evaluation, de, layers,
                    (struct embed_request){.texts = documents->values,
                                           .count = documents->count,
                                           .prompt = prompt_of(evaluation, de),
                                           .max_length = evaluation->max_document_tokens});
}

void queries_at_layers(struct layer_vectors *out, const struct evaluation *evaluation,
                       const struct dual_encoder *de, const struct int_list *layers)
{
    const char **texts =
        evaluation->pairs ? NULL : query_texts(evaluation->queries, evaluation->collection);
    embed_at_layers(out, evaluation, de, layers,
                    (struct embed_request){.texts = texts,
                                           .count = texts ? evaluation->queries->count : 0,
                                           .prompt = de->query_prompt,
                                           .max_length = evaluation->max_query_tokens});
    free(texts);
}

void layer_vectors_free(struct layer_vectors *vectors)
{
    for (size_t l = 0; l < vectors->num_layers; l++) free(vectors->z[l]);
    free(vectors->z);
    *vectors = (struct layer_vectors){0};
}

int evaluate_encoder(struct evaluation *evaluation, const char *system,
                     const struct dual_encoder *de, const struct int_list *layers,
                     const struct int_list *dims, const struct layer_vectors *documents,
                     struct error *err)
{
    struct layer_vectors queries;
    queries_at_layers(&queries, evaluation, de, layers);
    int status = 0;
    for (size_t l = 0; l < layers->count && !status; l++) {
        int layer = layers->items[l];
        const struct vector_pair vectors = {
            .zq = queries.z[l],
            .zd = documents->z[l],
            .width = de->output_size,
            .texts_per_s = evaluation->timed ? encode_rate(evaluation, de, layer) : NAN};
        status = evaluate_vectors(evaluation, system, layer, dims, &vectors, err);
    }
    layer_vectors_free(&queries);
    return status;
}

const struct evaluated *evaluation_find(const struct evaluation *evaluation, const char *system,
                                        int layers, int dim)
{
    for (size_t r = 0; r < evaluation->count; r++) {
        const struct evaluated *row = &evaluation->rows[r];
        if (row->layers == layers && row->dim == dim && strcmp(row->system, system) == 0)
            return row;
    }
    return NULL;
}

/* What people say of the pairs. */
static double *labels_of(const struct pair_set *pairs)
{
    double *labels = xcalloc(pairs->count, sizeof *labels);
    for (size_t i = 0; i < pairs->count; i++) labels[i] = pairs->pairs[i].score;
    return labels;
}

double evaluated_mean(const struct evaluation *evaluation, const struct evaluated *row,
                      size_t measure)
{
    double sum = 0;
    if (evaluation->pairs) {
        bool ranks = evaluation->correlations[measure] == CORRELATION_SPEARMAN;
        double *labels = labels_of(evaluation->pairs);
        sum = (ranks ? spearman : pearson)(row->scores, labels, evaluation->pairs->count);
        free(labels);
        return sum;
    }
    for (size_t q = 0; q < evaluation->queries->count; q++) sum += row->values[measure][q];
    return sum / (double)evaluation->queries->count;
}

void evaluation_measure_name(char name[32], const struct evaluation *evaluation, size_t measure)
{
    if (evaluation->pairs)
        snprintf(name, 32, "%s", correlation_name(evaluation->correlations[measure]));
    else
        measure_name(name, evaluation->measures[measure]);
}

struct interval evaluated_interval(const struct evaluation *evaluation, const struct evaluated *row,
                                   size_t measure, int resamples, uint64_t seed)
{
    if (!evaluation->pairs)
        return bootstrap_mean(row->values[measure], evaluation->queries->count, resamples, seed);
    double *labels = labels_of(evaluation->pairs);
    struct interval interval =
        correlation_interval(evaluation->correlations[measure], row->scores, labels,
                             evaluation->pairs->count, resamples, seed);
    free(labels);
    return interval;
}

struct interval evaluated_difference(const struct evaluation *evaluation, const struct evaluated *a,
                                     const struct evaluated *b, size_t measure, int resamples,
                                     uint64_t seed)
{
    if (!evaluation->pairs)
        return bootstrap_difference(a->values[measure], b->values[measure],
                                    evaluation->queries->count, resamples, seed);
    double *labels = labels_of(evaluation->pairs);
    struct interval interval =
        correlation_difference(evaluation->correlations[measure], a->scores, b->scores, labels,
                               evaluation->pairs->count, resamples, seed);
    free(labels);
    return interval;
}

void evaluation_free(struct evaluation *evaluation)
{
    for (size_t r = 0; r < evaluation->count; r++) {
        free(evaluation->rows[r].system);
        free(evaluation->rows[r].scores);
        for (size_t m = 0; m < MAX_MEASURES; m++) free(evaluation->rows[r].values[m]);
    }
    free(evaluation->rows);
    *evaluation = (struct evaluation){0};
}
