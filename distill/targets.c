#include "distill/targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "distill/pca.h"
#include "distill/probe.h"
#include "student/dual_encoder.h"

/* Each row divided by its length; their mean length before. */
static double make_unit(struct matrix *vectors)
{
    size_t n = vectors->rows, width = vectors->cols;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t j = 0; j < width; j++) {
            double x = (double)vectors->values[i * width + j];
            squares += x * x;
        }
        sum += sqrt(squares);
    }
    float *unit = xaligned(n * width, sizeof *unit);
    vectors_cut(unit, vectors->values, n, (int)width, (int)width, true);
    free(vectors->values);
    vectors->values = unit;
    return n ? sum / (double)n : 0;
}

/* Takes the mean of the listed rows (NULL: of all) from every row, and gives it. */
static float *centre(struct matrix *vectors, const uint32_t *rows, size_t count)
{
    float *mean = xcalloc(vectors->cols, sizeof *mean);
    vectors_mean(mean, vectors->values, vectors->cols, rows, count);
    vectors_subtract(vectors->values, vectors->rows, vectors->cols, mean);
    return mean;
}

/* The PCA of all documents and the train queries. */
static int fit(struct pca *pca, const struct job_run *run, const struct matrix *documents,
               const struct matrix *queries, struct error *err)
{
    size_t width = documents->cols, rows = documents->rows + run->train.count;
    float *x = xaligned(rows * width, sizeof *x);
    memcpy(x, documents->values, documents->rows * width * sizeof *x);
    for (size_t q = 0; q < run->train.count; q++)
        memcpy(x + (documents->rows + q) * width, queries->values + run->train.rows[q] * width,
               width * sizeof *x);
    int size = run->job->student.projection; /* a wider student has no HPD targets */
    if (!size || size > (int)width) size = (int)width;
    int status = pca_fit(pca, x, rows, (int)width, size, false, err);
    free(x);
    return status;
}

static int write_targets(const struct job_run *run, const struct pca *pca,
                         const struct matrix *vectors, const char *name, struct error *err)
{
    char *path = job_run_path(run, name);
    float *targets = xaligned(vectors->rows * (size_t)pca->output_size, sizeof *targets);
    pca_apply(pca, vectors->values, vectors->rows, targets);
    int status = npy_write(path, targets, vectors->rows, (size_t)pca->output_size, err);
    free(targets);
    free(path);
    return status;
}

int targets_make(struct job_run *run, double *length, struct error *err)
{
    struct matrix documents = {0}, queries = {0};
    struct pca pca = {0};
    float *document_mean = NULL;
    char *document_path = job_run_path(run, "representations/documents.npy");
    char *query_path = job_run_path(run, "representations/queries.npy");
    char *pca_path = job_run_path(run, "pca.safetensors");
    int status = npy_read(&documents, document_path, err) || npy_read(&queries, query_path, err);
    if (!status) {
        *length = make_unit(&documents);
        make_unit(&queries);
        if (run->job->distill.hpd.centred) {
            document_mean = centre(&documents, NULL, documents.rows);
            free(centre(&queries, run->train.rows, run->train.count));
        }
        status = fit(&pca, run, &documents, &queries, err) ||
                 write_targets(run, &pca, &documents, "targets/documents.npy", err) ||
                 write_targets(run, &pca, &queries, "targets/queries.npy", err);
    }
    if (!status && document_mean)
        memcpy(pca.mean, document_mean, documents.cols * sizeof *document_mean);
    if (!status) status = pca_write(&pca, pca_path, err);
    free(document_mean);
    free(document_path);
    free(query_path);
    free(pca_path);
    pca_free(&pca);
    matrix_free(&documents);
    matrix_free(&queries);
    return status ? -1 : 0;
}

static int read_rows(struct matrix *out, const struct job_run *run, const char *name, size_t texts,
                     struct error *err)
{
    char *path = job_run_path(run, name);
    int status = npy_read(out, path, err);
    if (!status && out->rows != texts)
        status = fail(err, "%s: %zu rows for %zu texts; delete the run folder to start again", path,
                      out->rows, texts);
    free(path);
    return status;
}

int targets_read(struct targets *out, const struct job_run *run, struct error *err)
{
    *out = (struct targets){0};
    if (read_rows(&out->documents, run, "targets/documents.npy", run->collection.documents.count,
                  err) ||
        read_rows(&out->queries, run, "targets/queries.npy", run->collection.queries.count, err)) {
        targets_free(out);
        return -1;
    }
    return 0;
}

void targets_free(struct targets *targets)
{
    matrix_free(&targets->documents);
    matrix_free(&targets->queries);
}
