#include "distill/dev_eval.h"

#include <stdlib.h>

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void dev_eval_pool(struct dev_eval *dev, const uint32_t *candidates, size_t num_candidates)
{
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

static int deepest_layer(const struct dev_eval *dev)
{
    int deepest = 0;
    for (size_t t = 0; t < dev->num_taps; t++)
        if (dev->taps[t].layer > deepest) deepest = dev->taps[t].layer;
    return deepest;
}

/* z of layers 1..num_layers, one block each; the request says the rest. */
static float **embed_all(const struct dev_eval *dev, struct embed_request request, int num_layers)
{
    float **z = xcalloc((size_t)num_layers, sizeof *z);
    int *layers = xcalloc((size_t)num_layers, sizeof *layers);
    for (int l = 0; l < num_layers; l++) {
        z[l] = xaligned(request.count * (size_t)dev->de->output_size, sizeof **z);
        layers[l] = l + 1;
    }
    request.layers = layers;
    request.num_layers = num_layers;
    dual_encoder_embed(dev->de, dev->pool, &request, z);
    free(layers);
    return z;
}

static void free_all(float **z, int layers)
{
    for (int l = 0; l < layers; l++) free(z[l]);
    free(z);
}

static double tap_value(const struct dev_eval *dev, struct tap tap, const float *zq,
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
    int layers = deepest_layer(dev);
    const char **texts = xcalloc(dev->num_documents, sizeof *texts);
    for (size_t d = 0; d < dev->num_documents; d++)
        texts[d] = dev->collection->documents.values[dev->documents[d]];
    const char **queries = query_texts(dev->queries, dev->collection);
    float **zd = embed_all(dev,
                           (struct embed_request){.texts = texts,
                                                  .count = dev->num_documents,
                                                  .prompt = dev->de->document_prompt,
                                                  .max_length = dev->max_document_tokens},
                           layers);
    float **zq = embed_all(dev,
                           (struct embed_request){.texts = queries,
                                                  .count = dev->queries->count,
                                                  .prompt = dev->de->query_prompt,
                                                  .max_length = dev->max_query_tokens},
                           layers);
    double *values = xcalloc(dev->queries->count, sizeof *values), sum = 0;
    for (size_t t = 0; t < dev->num_taps; t++) {
        struct tap tap = dev->taps[t];
        double value = tap_value(dev, tap, zq[tap.layer - 1], zd[tap.layer - 1], values);
        report_add(report, value, "ndcg_cut_10 (%d, %d)", tap.layer, tap.dim);
        sum += value;
    }
    free(values);
    free_all(zq, layers);
    free_all(zd, layers);
    free(queries);
    free(texts);
    return sum / (double)dev->num_taps;
}

void dev_eval_free(struct dev_eval *dev)
{
    free(dev->documents);
    dev->documents = NULL;
}
