#include "distill/targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/pca.h"
#include "distill/probe.h"
#include "student/dual_encoder.h"

struct making {
    struct job_run *run;
    uint32_t *learnt; /* rows of the documents that training may look at */
    size_t num_learnt;
    struct matrix documents, queries;
};

static double mean_length(const struct matrix *vectors, const uint32_t *rows, size_t count)
{
    size_t width = vectors->cols;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double squares = 0;
        for (size_t j = 0; j < width; j++) {
            double x = (double)vectors->values[rows[i] * width + j];
            squares += x * x;
        }
        sum += sqrt(squares);
    }
    return count ? sum / (double)count : 0;
}

/* Each row divided by its length. */
static void make_unit(struct matrix *vectors)
{
    size_t n = vectors->rows, width = vectors->cols;
    float *unit = xaligned(n * width, sizeof *unit);
    vectors_cut(unit, vectors->values, n, (int)width, (int)width, true);
    free(vectors->values);
    vectors->values = unit;
}

/* Takes the mean of the listed rows from every row, and gives it. */
static float *centre(struct matrix *vectors, const uint32_t *rows, size_t count)
{
    float *mean = xcalloc(vectors->cols, sizeof *mean);
    vectors_mean(mean, vectors->values, vectors->cols, rows, count);
    vectors_subtract(vectors->values, vectors->rows, vectors->cols, mean);
    return mean;
}

static void gather(float *out, const struct matrix *vectors, const uint32_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * vectors->cols, vectors->values + rows[i] * vectors->cols,
               vectors->cols * sizeof *out);
}

/* The PCA of the documents and the train queries. */
static int fit(struct pca *pca, const struct making *making, struct error *err)
{
    const struct job_run *run = making->run;
    size_t width = making->documents.cols, rows = making->num_learnt + run->train.count;
    float *x = xaligned(rows * width, sizeof *x);
    gather(x, &making->documents, making->learnt, making->num_learnt);
    gather(x + making->num_learnt * width, &making->queries, run->train.rows, run->train.count);
    int size = run->job->student.projection; /* a wider student has no HPD targets */
    if (!size || size > (int)width) size = (int)width;
    int status = pca_fit(pca, x, rows, (int)width, size, false, err);
    free(x);
    return status;
}

char *targets_name(int layer, const char *side)
{
    return layer < 0 ? xstrdup(side) : xasprintf("%d/%s", layer, side);
}

/* "FOLDER/LAYER/SIDE.npy" in the run's folder. */
static char *rows_path(const struct job_run *run, const char *folder, int layer, const char *side)
{
    char *name = targets_name(layer, side), *file = xasprintf("%s/%s.npy", folder, name),
         *path = job_run_path(run, file);
    free(name);
    free(file);
    return path;
}

static int write_targets(const struct job_run *run, const struct pca *pca,
                         const struct matrix *vectors, int layer, const char *side,
                         struct error *err)
{
    char *path = rows_path(run, "targets", layer, side), *folder = path_folder(path);
    float *targets = xaligned(vectors->rows * (size_t)pca->output_size, sizeof *targets);
    pca_apply(pca, vectors->values, vectors->rows, targets);
    int status = make_folder(folder, err);
    if (!status) status = npy_write(path, targets, vectors->rows, (size_t)pca->output_size, err);
    free(targets);
    free(folder);
    free(path);
    return status;
}

/* Makes the vectors unit, and centred where the job says so, with the documents' mean in *mean. */
static void prepare(struct making *making, float **mean, double *length)
{
    const struct job_run *run = making->run;
    making->num_learnt = job_run_train_documents(&making->learnt, run);
    *length = mean_length(&making->documents, making->learnt, making->num_learnt);
    make_unit(&making->documents);
    make_unit(&making->queries);
    if (!run->job->distill.hpd.centred) return;
    *mean = centre(&making->documents, making->learnt, making->num_learnt);
    free(centre(&making->queries, run->train.rows, run->train.count));
}

/* The targets of one layer; *pca with the documents' mean. */
static int make_layer(struct job_run *run, int layer, struct pca *pca, double *length,
                      struct error *err)
{
    struct making making = {.run = run};
    float *mean = NULL;
    char *document_path = rows_path(run, "representations", layer, "documents"),
         *query_path = rows_path(run, "representations", layer, "queries");
    int status = npy_read(&making.documents, document_path, err) ||
                 npy_read(&making.queries, query_path, err);
    if (!status) {
        prepare(&making, &mean, length);
        status = fit(pca, &making, err) ||
                 write_targets(run, pca, &making.documents, layer, "documents", err) ||
                 write_targets(run, pca, &making.queries, layer, "queries", err);
    }
    if (!status && mean) memcpy(pca->mean, mean, making.documents.cols * sizeof *mean);
    free(mean);
    free(making.learnt);
    free(document_path);
    free(query_path);
    matrix_free(&making.documents);
    matrix_free(&making.queries);
    return status ? -1 : 0;
}

int targets_make(struct job_run *run, double *length, struct error *err)
{
    const struct int_list *aligned = &run->job->distill.align.layers;
    struct pca pca = {0};
    char *pca_path = job_run_path(run, "pca.safetensors");
    int status = make_layer(run, -1, &pca, length, err);
    if (!status) status = pca_write(&pca, pca_path, err);
    pca_free(&pca);
    free(pca_path);
    for (size_t a = 0; a < aligned->count && !status; a++) {
        double ignored;
        status = make_layer(run, aligned->items[a], &pca, &ignored, err);
        pca_free(&pca);
    }
    return status;
}

static int read_rows(struct matrix *out, const struct job_run *run, int layer, const char *side,
                     size_t texts, struct error *err)
{
    char *path = rows_path(run, "targets", layer, side);
    int status = npy_read(out, path, err);
    if (!status && out->rows != texts)
        status = fail(err, "%s: %zu rows for %zu texts; delete the run folder to start again", path,
                      out->rows, texts);
    free(path);
    return status;
}

int targets_read(struct targets *out, const struct job_run *run, struct error *err)
{
    const struct int_list *aligned = &run->job->distill.align.layers;
    const struct collection *collection = &run->collection;
    *out = (struct targets){.all = xcalloc(aligned->count + 1, sizeof *out->all),
                            .count = aligned->count + 1};
    int status = 0;
    for (size_t t = 0; t < out->count && !status; t++) {
        int layer = t ? aligned->items[t - 1] : -1;
        status =
            read_rows(&out->all[t].documents, run, layer, "documents", collection->documents.count,
                      err) ||
            read_rows(&out->all[t].queries, run, layer, "queries", collection->queries.count, err);
    }
    if (status) targets_free(out);
    return status ? -1 : 0;
}

void targets_free(struct targets *targets)
{
    for (size_t t = 0; t < targets->count; t++) {
        matrix_free(&targets->all[t].documents);
        matrix_free(&targets->all[t].queries);
    }
    free(targets->all);
    *targets = (struct targets){0};
}
