/* Which layer of the teacher, fed single texts, retrieves best: every layer, both input forms, raw
 * and mean-centred cosine, on dev queries against a sample of the documents.  (arXiv 2502.03552
 * finds the early layers best.)  Or whose cosines of sentence pairs correlate best with the scores.
 *
 *     struct probe_options options = {
 *         .max_documents = 2000, .max_query_tokens = 32, .max_document_tokens = 200};
 *     struct probe probe;
 *     if (probe_run(&probe, ce, pool, &collection, &dev, &options, err) ||
 *         probe_write(&probe, "runs/x/probe.tsv", err)) ...
 *     const struct probe_point *best = probe_best(&probe, -1, -1, -1);
 *
 * Centred: from the queries' vectors their mean is taken, from the documents' vectors theirs,
 * before the cosine.  Early layers' vectors all point much the same way, and short texts another
 * way than long ones; one mean for both leaves every query the same large offset, which ranks the
 * documents the same for all of them (measured on scifact, layer 1: nDCG@10 .19 as they are, .10
 * with the documents' mean taken from both, .37 with each its own).
 */
#ifndef RETORT_PROBE_H
#define RETORT_PROBE_H

#include "distill/pair_set.h"
#include "distill/query_set.h"
#include "teacher/cross_encoder.h"

struct probe_options {
    size_t max_documents; /* the relevant ones always, then by a hash of seed and id; 0: all */
    int max_query_tokens, max_document_tokens; /* of a text with its two special tokens */
    uint64_t seed;
    bool drop_same_id;
};
struct probe_point {
    int layer; /* 0: embeddings */
    enum text_form form;
    bool centred;
    double values[2]; /* of the probe's measures */
};
struct probe {
    const char *measures[2];    /* the first chooses */
    struct probe_point *points; /* by layer, form, centred */
    size_t count;
};

/* mean [width] of the listed rows of vectors; rows NULL: of the first count. */
void vectors_mean(float *mean, const float *vectors, size_t width, const uint32_t *rows,
                  size_t count);
void vectors_subtract(float *vectors, size_t n, size_t width, const float *mean);
/* Takes the mean of n rows from each of them, as a centred point does. */
void probe_centre(float *vectors, size_t n, size_t width);

/* queries: at least one; means over them of nDCG@10 and MRR@10.  NULL: dev_pairs, at most
 * max_documents of them; Spearman's and Pearson's correlation.  Fails with STATUS_INTERRUPTED where
 * interrupted() was set. */
int probe_run(struct probe *out, const struct cross_encoder *ce, struct pool *pool,
              const struct collection *collection, const struct query_set *queries,
              const struct pair_set *dev_pairs, const struct probe_options *options,
              struct error *err);
/* The point of the highest first measure, ties to the first, among those of a layer, form and
 * centring; -1: any. */
const struct probe_point *probe_best(const struct probe *probe, int layer, int form, int centred);
/* Columns layer, form, centred (0, 1), ndcg_cut_10, recip_rank_cut_10 (of pairs spearman, pearson);
 * a header line. */
int probe_write(const struct probe *probe, const char *path, struct error *err);
/* The table for people, a line a layer, through note(). */
void probe_note(const struct probe *probe);
void probe_free(struct probe *probe);

#endif
