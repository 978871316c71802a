/* libretort: embed text with a dual encoder, and search an index of documents.
 *
 *     struct retort_error error;
 *     struct retort_model *model;
 *     if (retort_open(&model, "slim", NULL, &error)) return fprintf(stderr, "%s\n", error.message);
 *     float *vectors = malloc(n * retort_dim(model) * sizeof *vectors);
 *     if (retort_embed(model, RETORT_QUERY, texts, n, vectors, &error)) ...
 *     retort_close(model);
 *
 * Compile and link: cc program.c $(pkg-config --cflags --libs retort)
 *
 * Errors are values.  Every function that can fail returns RETORT_OK or the kind of failure, and
 * writes one sentence to *error (which may be NULL): a path that is not there, a damaged file, a
 * layer that the model has not, memory or a thread that the system refuses.  Nothing is half done
 * then: what was to be opened is NULL, the caller's buffers are as they were, and a model or index
 * goes on: the next call, for fewer texts, say, gives what it would have given.  A broken invariant
 * of the library's own ends the process, with a line on stderr.
 *
 * Refused memory has a limit: the libraries below cannot report it.  oneDNN throws or crashes,
 * OpenMP exits, jansson may take a file for a damaged one.  So a call looks, before it has oneDNN
 * make a product or jansson read a file, whether far more than that is free (8 MiB; eight times the
 * file), and reports RETORT_NO_MEMORY if not.  The process can still end where other threads, its
 * own workers among them, take all of that between the look and the use.
 *
 * Threads.  Any number of threads may open, use and close different models and indexes at once,
 * and use one of them together: calls on one take turns, each using all of its worker threads.  It
 * is closed when no call on it is running.  An index is for search what a model is for embed: it
 * opens a model of its own.
 *
 * There is no state but in what was opened.  Nothing is printed, but for a warning on stderr where
 * the two files of a tokenizer contradict each other; no signal handler is set.  The same texts in
 * the same call give the same bytes with the same precision and kind of processor, whatever the
 * number of threads.
 */
#ifndef RETORT_H
#define RETORT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RETORT_API __attribute__((visibility("default")))

/* The exit statuses of the program. */
enum retort_status {
    RETORT_OK = 0,
    RETORT_BAD_FILE = 1, /* a file or its content is wrong */
    RETORT_BAD_CALL = 2, /* an argument is wrong, or asks for what the model has not */
    RETORT_NO_MEMORY = 3 /* memory, or a thread, was refused */
};

struct retort_error {
    int status;         /* enum retort_status */
    char message[1024]; /* one sentence without a newline; "" while nothing failed */
};

/* Of the library at run time, "0.1.0". */
RETORT_API const char *retort_version(void);

/* ---- embed ---- */

/* RETORT_INT8, which RETORT_AUTO does not choose, is faster yet and less exact. */
enum retort_precision { RETORT_AUTO, RETORT_F32, RETORT_BF16, RETORT_INT8 };

/* Zeroed, or NULL in its place: the model's own size, all cores, the fastest precision that the
 * processor has. */
struct retort_options {
    int layers;      /* stop after so many blocks; 0: all */
    int dim;         /* keep the first values of a vector; 0: all, or the model's truncate_dim */
    int threads;     /* at most 1024, the caller's among them; 0: one a core it may use */
    int precision;   /* of matrix products, enum retort_precision */
    int rescore;     /* of an index whose vectors are bf16, int8 or binary: see retort_search */
    int reserved[3]; /* zero */
};

struct retort_model;

/* folder: a model in the layout of sentence-transformers, as `retort export` and `retort run` write
 * it, or a plain encoder in that of Hugging Face. */
RETORT_API int retort_open(struct retort_model **model, const char *folder,
                           const struct retort_options *options, struct retort_error *error);
/* Accepts NULL. */
RETORT_API void retort_close(struct retort_model *model);

/* What was opened. */
RETORT_API size_t retort_dim(const struct retort_model *model); /* values of a vector */
RETORT_API size_t retort_layers(const struct retort_model *model);

/* What a text is: models are trained with a prompt before queries or documents, or with none. */
enum retort_role {
    RETORT_TEXT,    /* no prompt */
    RETORT_QUERY,   /* the model's prompt for queries */
    RETORT_DOCUMENT /* the model's prompt for documents */
};

/* vectors [n, retort_dim(model)], the caller's: row i embeds texts[i], UTF-8 (wrong bytes are read
 * as U+FFFD), cut where the model's limit of tokens is.  Vectors are divided by their norm, so that
 * a dot product is the cosine, unless the model says that it was made for raw dot products.
 * Memory beside vectors grows with n: many texts are better embedded by the thousand. */
RETORT_API int retort_embed(struct retort_model *model, int role, const char *const *texts,
                            size_t n, float *vectors, struct retort_error *error);

/* ---- search ---- */

struct retort_index;

struct retort_hit {
    const char *id; /* of the document; the index's, gone when it is closed */
    double score;   /* dot product of the query's and the document's vectors, as stored */
};

/* index: a folder that `retort index` wrote, with vectors of any type.  Its files are mapped, not
 * read: opening takes milliseconds whatever their size.  They may be replaced by a new index
 * meanwhile, but not changed in place.  model: the folder of the model that it was made with, NULL
 * for the place that it had then; another model is refused.  options: layers and dim are the
 * index's, and stay 0 here. */
RETORT_API int retort_index_open(struct retort_index **index, const char *folder, const char *model,
                                 const struct retort_options *options, struct retort_error *error);
/* Accepts NULL. */
RETORT_API void retort_index_close(struct retort_index *index);

/* Documents in it. */
RETORT_API size_t retort_index_count(const struct retort_index *index);

/* hits [n, k], the caller's: for query i of n its k best documents, best first, ties in the order
 * of the index, from hits[i * k].  Where the index has fewer than k documents, the places left have
 * a NULL id and score 0.
 *
 * All documents are compared.  Where vectors are stored as bf16, int8 or binary, the query is
 * rounded alike for that; of the k * rescore best those k are kept whose dot product with the
 * unrounded query is highest, which is the score.  rescore 0: 4 for binary, 1 for the others, with
 * which the rounded query alone ranks. */
RETORT_API int retort_search(struct retort_index *index, const char *const *queries, size_t n,
                             size_t k, struct retort_hit *hits, struct retort_error *error);

#ifdef __cplusplus
}
#endif

#endif
