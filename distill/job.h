/* A job: one YAML file, checked and resolved (design.md section 6).
 *
 * distill/job_keys.c holds the one table of keys (name, type, unit, default, bounds, help).  It
 * drives reading, --set, the written job.yaml and the reference in the README; the fields here are
 * named as the keys are.
 *
 *     struct job job;
 *     if (job_read(&job, "configs/scifact.yaml", &settings, err)) return -1;
 *     if (job_fit_models(&job, err)) return -1;
 *     job_free(&job);
 */
#ifndef RETORT_JOB_H
#define RETORT_JOB_H

#include "data/options.h"
#include "distill/averaging.h"
#include "nn/encoder.h"
#include "nn/optimizer.h"
#include "student/dual_encoder.h"
#include "teacher/cross_encoder.h"

/* Bits: the keys that hold these are sets of words. */
enum mine_source { MINE_BM25 = 1, MINE_TEACHER = 2, MINE_SCORES = 4 };
enum query_source { QUERIES_LABELLED = 1, QUERIES_MADE = 2, QUERIES_BOTH = 3 };
enum made_kind { MADE_TITLE = 1, MADE_CROP = 2 };
enum teach_source { TEACH_BM25 = 1, TEACH_GUIDE = 2, TEACH_RANDOM = 4 };
enum system {
    SYSTEM_STUDENT = 1,
    SYSTEM_INIT = 2,       /* the student before training */
    SYSTEM_NO_TEACHER = 4, /* the same steps with labels only */
    SYSTEM_BM25 = 8,
    SYSTEM_TEACHER = 16, /* re-ranking BM25's list; scoring the pairs */
    SYSTEM_PCA = 32      /* the student's vectors of each layer, cut by a PCA */
};
enum pair_target { TARGET_LABELS = 1, TARGET_TEACHER = 2 }; /* what losses of pairs copy */
enum export_format { FORMAT_SENTENCE_TRANSFORMERS = 1 };

enum made_weight { MADE_WEIGHT_NONE, MADE_WEIGHT_PROBABILITY };
enum init_from { INIT_TEACHER, INIT_RANDOM, INIT_FOLDER };
/* What becomes of a candidate that no file of teacher.scores has. */
enum missing_score { MISSING_DROP, MISSING_LOWEST, MISSING_TEACHER };
/* Whose vectors of single texts HPD copies and the source `teacher` mines by. */
enum vector_source { VECTORS_NONE, VECTORS_TEACHER, VECTORS_ENCODER, VECTORS_FILE };
enum similarity_kind { SIMILARITY_COSINE, SIMILARITY_DOT };
enum tap_weights { TAP_WEIGHTS_UNIFORM, TAP_WEIGHTS_LOG, TAP_WEIGHTS_INV };
enum { BY_PROBE = -1 }; /* distill.hpd.layer and .form */
enum { EVERY = -1 };    /* distill.sample.layers and .dims */
/* student.taps at each step, or what distill.sample draws for it. */
enum tap_policy { TAPS_LISTED, TAPS_DRAWN };
enum hpd_loss { HPD_MSE, HPD_COSINE, HPD_GRAM };
enum full_width { FULL_WIDTH_NONE, FULL_WIDTH_LAST, FULL_WIDTH_ALL };

struct int_list {
    int *items;
    size_t count;
};
struct number_list {
    double *items;
    size_t count;
};
struct tap_list {
    struct tap *items;
    size_t count;
};

struct job {
    char *path;    /* of the job file */
    char **places; /* per key what set it: "file:line:column", "--set key=value"; NULL: nothing */
    char *name;
    int seed, threads; /* threads 0: one per core */
    enum precision precision;
    struct {
        char *collection, *pairs; /* one of them is "none" */
        char *query_prefix, *document_prefix;
        char *train_split, *dev_split, *test_split;
        int max_query_tokens, max_document_tokens;
        double dev_fraction;   /* of the train queries or pairs; where there is no dev split */
        int max_train_queries; /* or pairs; 0: all */
        bool drop_same_id;
        enum query_source queries;
        struct {
            int kinds;                 /* enum made_kind bits */
            int per_document, queries; /* at most; queries 0: all */
            int min_words, max_words;
            double remove; /* share that is removed from its document */
            int keep;      /* deepest rank of the document by the teacher; 0: any */
            enum made_weight weight;
        } made;
    } data;
    struct {
        char *model;              /* a folder, "teach" or "none" */
        bool taught;              /* teach: by the job's own teach stage */
        bool absent;              /* none */
        enum precision precision; /* the job's, where it is not given */
        int max_length;
        struct string_list scores;  /* files, each a teacher's */
        struct number_list weights; /* empty: 1 each; else the model's, where there is one, then one
                                       a file */
        enum missing_score missing;
    } teacher;
    struct {
        char *init; /* "random" or a folder */
        struct {
            int layers, hidden_size, heads, intermediate_size, positions;
        } shape;          /* where init is random */
        char *vocabulary; /* where init is random: "train" or a folder with a tokenizer */
        int vocabulary_size;
        bool word_vectors; /* word embeddings begin as vectors of co-occurrence counts */
        char *pairs;       /* scored pairs instead of labels, or "none" */
        int sources;       /* enum teach_source bits */
        char *guide;       /* a dual encoder's folder, or "none" */
        double guide_weight, guide_temperature;
        int candidates;       /* documents per query that negatives are drawn from */
        bool found_positives; /* leave out positives that no source finds */
        int negatives_per_query;
        struct {
            double softmax, bce, margin_mse, mse;
        } loss;
        int epochs, batch_queries, evaluations_per_epoch, patience, dev_queries;
        double learning_rate, weight_decay, clip_norm, dropout, warmup, layer_decay;
        enum schedule schedule;
        enum average_kind average; /* of the weights that dev sees and that are kept */
        double ema_decay, average_share;
        double init_share; /* of init's weights, in those that are left */
    } teach;
    struct {
        int sources; /* enum mine_source bits */
        int depth, scored, positives, negatives_per_query;
        double false_negative_margin; /* in standard deviations of the teacher's logits */
        double bm25_k1, bm25_b;
        int refresh_steps, refresh_depth; /* while distilling; refresh_steps 0: never */
    } mine;
    struct {
        int queries, documents; /* at most so many for the layer probe */
    } probe;
    struct {
        int recipe; /* row of distill/recipes.h; its keys have been taken over */
        struct {
            char *from; /* "teacher", "random" or a folder */
            enum init_from kind;
            struct int_list layers; /* blocks of the source, from 1; 0: a random one; `random`:
                                       their number counts */
        } init;
        int projection;                   /* 0: none */
        enum dense_activation activation; /* after the projection */
        enum pooling pooling;
        struct tap_list taps; /* the last one is the full model; empty until job_fit where neither
                                 taps nor a projection are given */
    } student;
    struct {
        struct {
            char *encoder, *targets; /* a folder, a .npy file, or "none" */
            enum vector_source source;
            int layer; /* or BY_PROBE */
            int form;  /* enum text_form, or BY_PROBE */
            bool centred;
            enum hpd_loss loss;
            int epochs, batch_texts, max_texts; /* max_texts 0: all */
            double learning_rate;
        } hpd;
        struct {
            struct int_list layers; /* of the teacher, one a student's layer; empty: none */
        } align;
        struct {
            double info_nce, listwise_kl, margin_mse, ranknet, lambda, adr_mse, self_kl;
            double coordinate_kl, compress;
            double cosent, angle, cosine_mse; /* of pairs */
            struct {
                double start, end;
            } hpd, align; /* weight at the first and the last step */
        } loss;
        struct {
            bool both_directions; /* from documents to queries, too */
        } info_nce;
        struct {
            double temperature;
            bool rising_weights, detached;
        } coordinate_kl;
        enum tap_policy taps;
        struct {
            int layers, dims;             /* a step; or EVERY */
            struct int_list from, widths; /* empty until job_fit where not given */
            enum full_width full_width;
            bool same_widths, embeddings;
        } sample;
        int pair_targets;                        /* enum pair_target bits */
        double temperature, teacher_temperature; /* student scores are similarity / temperature */
        enum similarity_kind similarity;
        enum tap_weights tap_weights;
        int seed; /* of the student's training; the job's where it is not given */
        int epochs, batch_queries, evaluations_per_epoch, patience;
        int max_document_tokens; /* while training; data's where not given */
        double learning_rate, weight_decay, clip_norm, dropout, layer_decay;
        double warmup; /* share of the steps */
        enum schedule schedule;
        enum average_kind average; /* of the second stage's weights */
        double ema_decay, average_share;
        bool principal_axes;
        double checkpoint_minutes;
    } distill;
    struct {
        struct int_list layers, dims; /* rising; dims empty until job_fit where it is not given and
                                         there is no projection */
        int rerank_depth, resamples;
        int systems;                  /* enum system bits */
        struct string_list baselines; /* folders of existing dual encoders */
        struct string_list measures;
    } evaluate;
    struct {
        char *pick;
        int formats; /* enum export_format bits */
    } export;
    struct { /* for the model card, each may be empty */
        char *license, *base_model, *intended_use;
        char *teacher_license, *training_data_license;
    } card;
};

/* Options of the commands that read a job; JOB_OPTIONS gives their rows. */
struct job_options {
    struct string_list settings; /* of --set; the caller frees its items */
    int threads;                 /* 0: not given */
    const char *precision;       /* NULL: not given */
    char threads_setting[32], precision_setting[32];
};
/* clang-format off */
#define JOB_OPTIONS(options)                                                                       \
    {"set", OPTION_LIST, &(options)->settings, "KEY=VALUE",                                        \
     "override a key of the job file; may be repeated"},                                           \
    OPTION_THREADS(&(options)->threads),                                                           \
    OPTION_PRECISION(&(options)->precision)
/* clang-format on */
/* --threads and --precision are settings, too: appends them to `settings`. */
void job_options_finish(struct job_options *options);

/* settings: "a.b=c" from --set, c in YAML, applied after the file; relative paths in the file are
 * relative to it, in settings to the current folder.  Every mistake is STATUS_USAGE with
 * file:line:column (or the setting); a file that cannot be read is STATUS_WORLD. */
int job_read(struct job *out, const char *path, const struct string_list *settings,
             struct error *err);
/* The same of a file's content; path is for messages, and paths are relative to its folder. */
int job_read_string(struct job *out, const char *path, const char *text,
                    const struct string_list *settings, struct error *err);
/* Whether a key of words or a path is left at the word "none". */
bool job_is_none(const char *value);
/* Whether candidates get a teacher's score at all; whether teacher.model is asked for it: it need
 * not be where it weighs nothing and fills no gap. */
bool job_has_scores(const struct job *job);
bool job_asks_model(const struct job *job);
/* Whether HPD is trained; whether any step copies targets, of HPD or of aligned layers; whether the
 * vectors of distill.hpd.source are needed at all, since they are copied, searched by mining or the
 * teacher of sentence pairs. */
bool job_uses_hpd(const struct job *job);
bool job_copies_targets(const struct job *job);
bool job_uses_vectors(const struct job *job);
/* Whether the job is of sentence pairs, not of a collection. */
bool job_has_pairs(const struct job *job);
const char *job_data_path(const struct job *job); /* data.pairs or data.collection */
/* Whether pairs get a teacher's score: teacher.model's, or the cosine of what HPD copies. */
bool job_has_pair_scores(const struct job *job);
/* Where the teacher is, or what it is taught from, for people; freshly allocated. */
char *job_teacher_words(const struct job *job);
/* The shape of the teacher, which is not absent: what its folder says, or what it will be taught
 * from; then with the vocabulary's greatest size. */
int job_teacher_config(struct encoder_config *out, const struct job *job, struct error *err);
/* Of the vectors that HPD copies, 0 where there are none; fails where they, or the model that makes
 * them, cannot be read. */
int job_vector_width(int *out, const struct job *job, struct error *err);
/* What only the models can tell. */
struct job_models {
    const struct encoder_config *teacher; /* NULL where it is absent */
    const struct encoder_config *start;   /* what the student is made from: the teacher for
                                             `teacher` and `random` */
    int vector_width;                     /* of the vectors that HPD copies; 0: there are none */
    const struct encoder_config *aligned; /* whose layers distill.align.layers are, or NULL */
    int aligned_width;                    /* of its vectors */
};
/* Whether student.init.layers and distill.hpd.layer are there, what width the student has without a
 * projection (taps and evaluate.dims follow from it) and whether HPD targets can be so wide. */
int job_fit(struct job *job, const struct job_models *models, struct error *err);
/* The same with what the configs of teacher.model, student.init.from and distill.hpd.encoder and
 * the header of distill.hpd.targets say; also fails where these or evaluate.baselines cannot be
 * read, or the teacher gives more than one logit a pair. */
int job_fit_models(struct job *job, struct error *err);
void job_free(struct job *job);

/* The resolved job as YAML, every key, paths absolute, readable by job_read from anywhere. */
void job_print(const struct job *job, struct text *out);
/* "key: value" lines of the keys that are `prefix` or below it ("distill.loss"): what a stage
 * depends on. */
void job_print_keys(const struct job *job, const char *prefix, struct text *out);
/* Markdown table of all keys, for the README. */
void job_reference(struct text *out);
/* The same for editors: a JSON Schema. */
void job_schema(struct text *out);

#endif
