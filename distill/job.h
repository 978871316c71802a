/* A job: one YAML file, checked and resolved.  distill/job_keys.c holds the one table of keys (name, type, unit, default, bounds, help) that
 * drives reading, --set, `retort plan`, the written job.yaml and the reference in the README. */
#ifndef RETORT_JOB_H
#define RETORT_JOB_H

#include "data/options.h"
#include "nn/encoder.h"
#include "nn/optimizer.h"
#include "student/dual_encoder.h"
#include "teacher/cross_encoder.h"

enum init_from { INIT_TEACHER, INIT_FOLDER, INIT_RANDOM };
enum mine_source { MINE_BM25 = 1, MINE_TEACHER = 2 };

struct int_list {
    int *items;
    size_t count;
};

struct job {
    char *path; /* of the job file */
    char *name;
    int seed, threads;
    enum precision precision;
    struct {
        char *collection, *query_prefix, *document_prefix;
        char *train_split, *dev_split, *test_split;
        int max_query_tokens, max_document_tokens;
        double
            dev_fraction; /* of train queries, by hash of the query id, where there is no dev split */
        bool drop_same_id;
    } data;
    struct {
        char *model;
        enum precision precision;
        int max_length;
    } teacher;
    struct {
        int sources; /* MINE_* bits */
        int depth, scored, positives, negatives_per_query;
        double false_negative_margin; /* in standard deviations of the teacher's logits */
    } mine;
    struct {
        enum init_from init;
        char *init_folder;
        struct int_list init_layers; /* blocks of the source, from 1 */
        int projection;              /* 0: none */
        enum pooling pooling;
        struct tap *taps;
        size_t num_taps;
    } student;
    struct {
        struct {
            int layer; /* 0: by the probe */
            int form;  /* enum text_form, or -1: by the probe */
            bool centred;
            int epochs, batch_texts;
            double learning_rate;
        } hpd;
        struct {
            double info_nce, listwise_kl, margin_mse, self_kl, hpd_start, hpd_end;
        } loss;
        double temperature, teacher_temperature; /* student scores are cosine / temperature */
        bool cosine;
        int epochs, batch_queries, warmup_percent, evaluations_per_epoch;
        double learning_rate, weight_decay, clip_norm, dropout;
        enum schedule schedule;
    } distill;
    struct {
        struct int_list layers, dims;
        int rerank_depth, resamples;
        struct string_list systems;   /* student, init, no-teacher, bm25, teacher, pca */
        struct string_list baselines; /* folders of existing dual encoders */
        struct string_list measures;
    } evaluate;
    struct {
        char *pick;
        struct string_list formats;
    } export;
};

/* settings: "a.b=c" from --set, applied after the file; relative paths in the file are relative to it, in settings to the
 * current folder.  Every mistake is STATUS_USAGE with file:line:column. */
int job_read(struct job *out, const char *path, const struct string_list *settings,
             struct error *err);
void job_free(struct job *job);
/* The resolved job as YAML, every key, readable by job_read. */
void job_print(const struct job *job, struct text *out);
/* Markdown table of all keys, for the README. */
void job_reference(struct text *out);

#endif
