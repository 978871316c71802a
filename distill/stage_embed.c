/* The embed stage: probe the teacher's layers, embed all texts at the best (or the given) one, fit
 * the PCA that makes HPD targets of them. */
#include <stdlib.h>

#include "data/json.h"
#include "distill/job_run.h"
#include "distill/probe.h"
#include "distill/targets.h"
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

/* What mining and training need to know of the vectors. */
static int write_choice(const struct job_run *run, const struct probe_point *chosen, double length,
                        struct error *err)
{
    struct json *json = json_new_object();
    json_set_int(json, "layer", chosen->layer);
    json_set_string(json, "form", text_form_name(chosen->form));
    json_set_bool(json, "centred", chosen->centred);
    json_set_number(json, "length", length);
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

int embed_stage(struct job_run *run, struct error *err)
{
    struct probe_point chosen;
    double length;
    if (!job_run_teacher(run, err) || choose(&chosen, run, err) ||
        represent(run, &chosen, &run->collection.documents, "representations/documents", err) ||
        represent(run, &chosen, &run->collection.queries, "representations/queries", err) ||
        targets_make(run, &length, err))
        return -1;
    return write_choice(run, &chosen, length, err);
}
