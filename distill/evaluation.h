/* Measuring systems on one split: rankings, measures per query, cost; or the scores of sentence
 * pairs and their correlation with people's.  What `retort evaluate` and a job's grid share. */
#ifndef RETORT_EVALUATION_H
#define RETORT_EVALUATION_H

#include "distill/correlation.h"
#include "distill/pair_set.h"
#include "distill/ranking.h"

enum { MAX_MEASURES = 16 };

/* One system at one point. */
struct evaluated {
    char *system;
    int layers, dim;              /* 0: the system has none (BM25, the teacher) */
    double *values[MAX_MEASURES]; /* [queries] per measure */
    double *scores;               /* of pairs instead: [pairs] */
    double texts_per_s, bytes_per_vector, ms_per_query; /* NaN: not measured */
};

struct evaluation {
    const struct collection *collection;
    const struct query_set *queries;
    const struct pair_set *pairs; /* instead of queries; or NULL */
    struct pool *pool;
    struct measure measures[MAX_MEASURES];
    enum correlation correlations[MAX_MEASURES]; /* of pairs */
    size_t num_measures;
    int depth; /* documents ranked per query */
    bool cosine, drop_same_id;
    int max_query_tokens, max_document_tokens; /* 0: the model's own */
    /* A TREC run a row goes there as SYSTEM-lL-dD.trec, or label and score of each pair as .tsv;
     * NULL: none. */
    const char *trec_folder;
    bool timed; /* measure cost */
    struct evaluated *rows;
    size_t count, capacity;
};

/* names: measures, of pairs correlations; sets depth to the deepest cut, 100 at least. */
int evaluation_measures(struct evaluation *evaluation, const char *const *names, size_t count,
                        struct error *err);
/* z of texts at every layer of a list: z[i] is [texts, output_size]. */
struct layer_vectors {
    float **z;
    size_t num_layers;
};
/* Of all documents; of the queries, of which pairs have none. */
void documents_at_layers(struct layer_vectors *out, const struct evaluation *evaluation,
                         const struct dual_encoder *de, const struct int_list *layers);
void queries_at_layers(struct layer_vectors *out, const struct evaluation *evaluation,
                       const struct dual_encoder *de, const struct int_list *layers);
void layer_vectors_free(struct layer_vectors *vectors);
/* A dual encoder at every layer of layers x every dim of dims (dims beyond its width are left out);
 * documents: made with the same layers. */
int evaluate_encoder(struct evaluation *evaluation, const char *system,
                     const struct dual_encoder *de, const struct int_list *layers,
                     const struct int_list *dims, const struct layer_vectors *documents,
                     struct error *err);
/* Vectors of a split's queries (of pairs none) and of all documents, before they are cut. */
struct vector_pair {
    const float *zq, *zd; /* [queries->count, width], [documents, width] */
    int width;
    double texts_per_s; /* at which such vectors are made; NaN: not measured */
};
int evaluate_vectors(struct evaluation *evaluation, const char *system, int layers,
                     const struct int_list *dims, const struct vector_pair *vectors,
                     struct error *err);
/* A ranking that is already there: sorted, written, measured. */
int evaluate_run(struct evaluation *evaluation, const char *system, int layers, int dim,
                 struct run *run, struct error *err);
/* The same for scores of the pairs, [pairs]. */
int evaluate_scores(struct evaluation *evaluation, const char *system, int layers, int dim,
                    const double *scores, struct error *err);
/* The measure's name, its mean (or correlation) with its bootstrap interval, and the same of the
 * difference of two rows on the same resamples. */
void evaluation_measure_name(char name[32], const struct evaluation *evaluation, size_t measure);
struct interval evaluated_interval(const struct evaluation *evaluation, const struct evaluated *row,
                                   size_t measure, int resamples, uint64_t seed);
struct interval evaluated_difference(const struct evaluation *evaluation, const struct evaluated *a,
                                     const struct evaluated *b, size_t measure, int resamples,
                                     uint64_t seed);
const struct evaluated *evaluation_find(const struct evaluation *evaluation, const char *system,
                                        int layers, int dim); /* or NULL */
double evaluated_mean(const struct evaluation *evaluation, const struct evaluated *row,
                      size_t measure); /* or correlation */
void evaluation_free(struct evaluation *evaluation);

#endif
