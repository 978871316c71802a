#include "distill/dev_eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "distill/correlation.h"

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void dev_eval_pool(struct dev_eval *dev, const uint32_t *candidates, size_t num_candidates)
{
    if (dev->pairs) {
        dev->num_documents =
            pair_set_documents(&dev->documents, dev->pairs, dev->collection->documents.count);
        return;
    }
    size_t capacity = num_candidates;
    for (size_t q = 0; q < dev->queries->count; q++) capacity += dev->queries->judged[q]->count;
    uint32_t *all = xcalloc(capacity, sizeof *all);
    size_t count = 0;
    for (size_t c = 0; c < num_candidates; c++) all[count++] = candidates[c];
    for (size_t q = 0; q < dev->queries->count; q++) {
        uint32_t *rows;
        size_t relevant = relevant_rows(&rows, dev->collection, dev->queries->judged[q]);
        for (size_t r = 0; r < relevant; r++) all[count++] = rows[r];
        free(rows);
    }
    qsort(all, count, sizeof *all, by_row);
    dev->documents = all;
    dev->num_documents = 0;
    for (size_t i = 0; i < count; i++)
        if (!i || all[i] != all[i - 1]) all[dev->num_documents++] = all[i];
}

/* The layers of the taps, one by one, into layers [num_taps]; how many. */
static int tapped_layers(int *layers, const struct dev_eval *dev)
{
    int count = 0;
    for (size_t t = 0; t < dev->num_taps; t++)
        if (!count || dev->taps[t].layer != layers[count - 1]) layers[count++] = dev->taps[t].layer;
    return count;
}

/* z of the layers, one block each; the request says of what. */
static float **embed_all(const struct dev_eval *dev, struct embed_request request,
                         const int *layers, int num_layers)
{
    float **z = xcalloc((size_t)num_layers, sizeof *z);
    for (int l = 0; l < num_layers; l++)
        z[l] = xaligned(request.count * (size_t)dev->de->output_size, sizeof **z);
    request.layers = layers;
    request.num_layers = num_layers;
    dual_encoder_embed(dev->de, dev->pool, &request, z);
    return z;
}

static void free_all(float **z, int layers)
{
    for (int l = 0; l < layers; l++) free(z[l]);
    free(z);
}

/* Vectors of the first or second sentences, [pairs, width]. */
static float *side(const struct dev_eval *dev, const float *zd, bool second)
{
    size_t width = (size_t)dev->de->output_size, n = dev->pairs->count;
    float *out = xaligned(n * width, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = second ? dev->pairs->pairs[i].second : dev->pairs->pairs[i].first;
        const uint32_t *at = bsearch(&row, dev->documents, dev->num_documents, sizeof row, by_row);
        REQUIRE(at);
        memcpy(out + i * width, zd + (size_t)(at - dev->documents) * width, width * sizeof *out);
    }
    return out;
}

static double pairs_value(const struct dev_eval *dev, int dim, const float *zd)
{
    size_t n = dev->pairs->count;
    double *scores = xcalloc(2 * n, sizeof *scores), *gold = scores + n;
    float *za = side(dev, zd, false), *zb = side(dev, zd, true);
    sts_scores(scores, za, zb, n, dev->de->output_size, dim);
    for (size_t i = 0; i < n; i++) gold[i] = dev->pairs->pairs[i].score;
    double value = spearman(scores, gold, n);
    free(zb);
    free(za);
    free(scores);
    return isnan(value) ? 0 : value;
}

static double queries_value(const struct dev_eval *dev, struct tap tap, const float *zq,
                            const float *zd, double *values)
{
    struct run run;
    const struct embedded embedded = {.collection = dev->collection,
                                      .queries = dev->queries,
                                      .documents = dev->documents,
                                      .num_documents = dev->num_documents,
                                      .zq = zq,
                                      .zd = zd,
                                      .width = dev->de->output_size};
    rank_embedded(&run, &embedded, tap.dim, dev->cosine, 10, dev->drop_same_id, "dev", dev->pool);
    double mean =
        measure_run(values, (struct measure){.kind = NDCG_CUT, .cut = 10}, dev->queries, &run);
    run_free(&run);
    return mean;
}

double dev_eval_run(const struct dev_eval *dev, struct report *report)
{
    int *layers = xcalloc(dev->num_taps, sizeof *layers), count = tapped_layers(layers, dev);
    const char **texts = xcalloc(dev->num_documents, sizeof *texts);
    for (size_t d = 0; d < dev->num_documents; d++)
        texts[d] = dev->collection->documents.values[dev->documents[d]];
    size_t num_queries = dev->pairs ? 0 : dev->queries->count;
    const char **queries = dev->pairs ? NULL : query_texts(dev->queries, dev->collection);
    float **zd = embed_all(dev,
                           (struct embed_request){.texts = texts,
                                                  .count = dev->num_documents,
                                                  .prompt = dev->de->document_prompt,
                                                  .max_length = dev->max_document_tokens},
                           layers, count);
    float **zq = embed_all(dev,
                           (struct embed_request){.texts = queries,
                                                  .count = num_queries,
                                                  .prompt = dev->de->query_prompt,
                                                  .max_length = dev->max_query_tokens},
                           layers, count);
    double *values = xcalloc(num_queries, sizeof *values), sum = 0;
    for (size_t t = 0, at = 0; t < dev->num_taps; t++) {
        struct tap tap = dev->taps[t];
        while (layers[at] != tap.layer) at++;
        double value = dev->pairs ? pairs_value(dev, tap.dim, zd[at])
                                  : queries_value(dev, tap, zq[at], zd[at], values);
        report_add(report, value, "%s (%d, %d)", dev->pairs ? "spearman" : "ndcg_cut_10", tap.layer,
                   tap.dim);
        sum += value;
    }
    free(values);
    free_all(zq, count);
    free_all(zd, count);
    free(queries);
    free(texts);
    free(layers);
    return sum / (double)dev->num_taps;
}

void dev_eval_free(struct dev_eval *dev)
{
    free(dev->documents);
    dev->documents = NULL;
}
