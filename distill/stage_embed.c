/* The embed stage: probe the teacher's layers, embed all texts at the best (or the given) one, fit
 * the PCA. */
#include <stdlib.h>

#include "data/json.h"
#include "data/npy.h"
#include "distill/job_run.h"
#include "distill/pca.h"
#include "distill/probe.h"
#include "teacher/representations.h"

static int choose(struct probe_point *chosen, struct job_run *run, struct error *err)
{
    const struct job *job = run->job;
    struct query_set queries;
    struct probe probe = {0};
    const struct probe_options options = {.max_documents = (size_t)job->probe.documents,
                                          .max_query_tokens = job->data.max_query_tokens,
                                          .max_document_tokens = job->data.max_document_tokens,
                                          .seed = (uint64_t)job->seed,
                                          .drop_same_id = job->data.drop_same_id};
    query_set_copy(&queries, &run->dev);
    query_set_sample(&queries, &run->collection, (size_t)job->probe.queries, (uint64_t)job->seed);
    int status =
        probe_run(&probe, run->teacher, run->pool, &run->collection, &queries, &options, err);
    if (!status) {
        char *path = job_run_path(run, "probe.tsv");
        status = probe_write(&probe, path, err);
        free(path);
        probe_note(&probe);
        *chosen = *probe_best(&probe, job->distill.hpd.layer, job->distill.hpd.form, -1);
    }
    probe_free(&probe);
    query_set_free(&queries);
    return status;
}

/* What mining needs to know of the vectors. */
static int write_choice(const struct job_run *run, const struct probe_point *chosen,
                        struct error *err)
{
    struct json *json = json_new_object();
    json_set_int(json, "layer", chosen->layer);
    json_set_string(json, "form", text_form_name(chosen->form));
    json_set_bool(json, "centred", chosen->centred);
    char *path = job_run_path(run, "representations/choice.json");
    int status = json_write_file(path, json, err);
    free(path);
    json_free(json);
    return status;
}

static int represent(struct job_run *run, const struct probe_point *chosen,
                     const struct texts *texts, const char *name, struct error *err)
{
    struct representation spec = {.ce = run->teacher,
                                  .input =
                                      cross_encoder_text_input(run->teacher, chosen->form,
                                                               run->job->data.max_document_tokens),
                                  .layer = chosen->layer};
    char *base = job_run_path(run, name);
    int status = representations_make(&spec, run->pool, texts, base, err);
    free(base);
    return status;
}

/* On all documents and the train queries; test and dev queries are not looked at. */
static int fit(struct job_run *run, struct error *err)
{
    struct matrix documents = {0}, queries = {0};
    struct pca pca = {0};
    char *document_path = job_run_path(run, "representations/documents.npy");
    char *query_path = job_run_path(run, "representations/queries.npy");
    char *path = job_run_path(run, "pca.safetensors");
    int status = npy_read(&documents, document_path, err) || npy_read(&queries, query_path, err);
    if (!status) {
        size_t rows = documents.rows + run->train.count, width = documents.cols;
        float *x = xaligned(rows * width, sizeof *x);
        vectors_cut(x, documents.values, documents.rows, (int)width, (int)width, true);
        for (size_t q = 0; q < run->train.count; q++)
            vectors_cut(x + (documents.rows + q) * width,
                        queries.values + run->train.rows[q] * width, 1, (int)width, (int)width,
                        true);
        int size = run->job->student.projection; /* a wider student has no HPD targets */
        if (!size || size > (int)width) size = (int)width;
        status = pca_fit(&pca, x, rows, (int)width, size, run->job->distill.hpd.centred, err);
        free(x);
    }
    if (!status) status = pca_write(&pca, path, err);
    pca_free(&pca);
    matrix_free(&documents);
    matrix_free(&queries);
    free(document_path);
    free(query_path);
    free(path);
    return status ? -1 : 0;
}

int embed_stage(struct job_run *run, struct error *err)
{
    struct probe_point chosen;
    if (!job_run_teacher(run, err) || choose(&chosen, run, err) ||
        represent(run, &chosen, &run->collection.documents, "representations/documents", err) ||
        represent(run, &chosen, &run->collection.queries, "representations/queries", err))
        return -1;
    return write_choice(run, &chosen, err) || fit(run, err) ? -1 : 0;
}
