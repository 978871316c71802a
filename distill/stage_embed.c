/* The embed stage: vectors of all texts, which HPD copies and mining may search, and the PCA that
 * makes targets of them.  They are the teacher's at its best early layer (found by a probe of all)
 * or at the given one, a dual encoder's, or any program's. */
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/output.h"
#include "data/progress.h"
#include "distill/given_vectors.h"
#include "distill/probe.h"
#include "distill/representations.h"
#include "distill/targets.h"
#include "student/embedder.h"

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
    int status = probe_run(&probe, run->teacher, run->pool, &run->dev_collection,
                           job_has_pairs(job) ? NULL : &queries, &run->dev_pairs, &options, err);
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
    static const char *const sources[] = {
        [VECTORS_TEACHER] = "teacher", [VECTORS_ENCODER] = "encoder", [VECTORS_FILE] = "file"};
    struct json *json = json_new_object();
    json_set_string(json, "source", sources[run->job->distill.hpd.source]);
    if (run->job->distill.hpd.source == VECTORS_TEACHER) {
        json_set_int(json, "layer", chosen->layer);
        json_set_string(json, "form", text_form_name(chosen->form));
    }
    json_set_bool(json, "centred", chosen->centred);
    json_set_number(json, "length", length);
    char *path = job_run_path(run, "representations/choice.json");
    int status = json_write_file(path, json, err);
    free(path);
    json_free(json);
    return status;
}

/* Which layers of a model are wanted: that of HPD, and the aligned ones, in one pass. */
struct wanted {
    int layers[MAX_REPRESENTED];
    int parts[MAX_REPRESENTED]; /* as targets_name takes them */
    int count;
};

static void want(struct wanted *wanted, int layer, int part)
{
    REQUIRE(wanted->count < MAX_REPRESENTED);
    wanted->layers[wanted->count] = layer;
    wanted->parts[wanted->count++] = part;
}

static void want_aligned(struct wanted *wanted, const struct job *job)
{
    const struct int_list *layers = &job->distill.align.layers;
    for (size_t i = 0; i < layers->count; i++) {
        bool has = false;
        for (int w = 0; w < wanted->count; w++) has = has || wanted->parts[w] == layers->items[i];
        if (!has) want(wanted, layers->items[i], layers->items[i]);
    }
}

/* representations/SIDE, or representations/LAYER/SIDE, of all texts of one side. */
static int represent(struct job_run *run, const struct representation *spec,
                     const struct wanted *wanted, const char *side, struct error *err)
{
    const struct collection *collection = &run->collection;
    const struct texts *texts =
        strcmp(side, "documents") == 0 ? &collection->documents : &collection->queries;
    char *bases[MAX_REPRESENTED];
    int status = 0;
    for (int w = 0; w < wanted->count; w++) {
        char *name = targets_name(wanted->parts[w], side),
             *below = xasprintf("representations/%s", name);
        bases[w] = job_run_path(run, below);
        char *folder = path_folder(bases[w]);
        if (!status) status = make_folder(folder, err);
        free(folder);
        free(below);
        free(name);
    }
    if (!status)
        status = representations_make(spec, run->pool, texts, wanted->layers,
                                      (const char *const *)bases, wanted->count, err);
    for (int w = 0; w < wanted->count; w++) free(bases[w]);
    return status;
}

static int represent_by_teacher(struct job_run *run, enum text_form form,
                                const struct wanted *wanted, struct error *err)
{
    const struct teacher_source source = {
        run->teacher,
        cross_encoder_text_input(run->teacher, form, run->job->data.max_document_tokens)};
    const struct representation spec = representation_of_teacher(&source);
    return represent(run, &spec, wanted, "documents", err) ||
                   represent(run, &spec, wanted, "queries", err)
               ? -1
               : 0;
}

static int embed_by_teacher(struct job_run *run, struct probe_point *chosen, struct error *err)
{
    struct wanted wanted = {0};
    if (!job_run_teacher(run, err) || choose(chosen, run, err)) return -1;
    want(&wanted, chosen->layer, -1);
    want_aligned(&wanted, run->job);
    return represent_by_teacher(run, chosen->form, &wanted, err);
}

/* Each side with the model's own prompt, cut as the student's texts are. */
static int embed_sides(struct job_run *run, const struct embedder *embedder,
                       const struct wanted *wanted, struct error *err)
{
    const struct job *job = run->job;
    const struct dual_encoder *encoder = &embedder->encoder;
    const struct {
        const char *name, *prompt;
        int max_length;
    } sides[] = {{"documents", encoder->document_prompt, job->data.max_document_tokens},
                 {"queries", encoder->query_prompt, job->data.max_query_tokens}};
    struct encoder_source source = {.encoder = encoder};
    int status = embedder_fingerprint(source.fingerprint, embedder, err);
    for (int s = 0; s < 2 && !status; s++) {
        source.prompt = sides[s].prompt;
        source.max_length = sides[s].max_length;
        const struct representation spec = representation_of_encoder(&source);
        status = represent(run, &spec, wanted, sides[s].name, err);
    }
    return status;
}

static int embed_by_encoder(struct job_run *run, struct error *err)
{
    const struct job *job = run->job;
    struct wanted wanted = {0};
    struct embedder embedder = {.pool = run->pool};
    struct dual_encoder *encoder = &embedder.encoder;
    if (dual_encoder_open(encoder, job->distill.hpd.encoder, 0, job->teacher.precision, err))
        return -1;
    embedder.layers = encoder->encoder.config.num_layers;
    if (encoder->encoder.precision == PRECISION_INT8) {
        const char *texts[MAX_PROBES];
        size_t count = job_run_texts(texts, run);
        dual_encoder_calibrate(encoder, run->pool, texts, count);
    }
    want(&wanted, embedder.layers, -1);
    want_aligned(&wanted, job);
    int status = embed_sides(run, &embedder, &wanted, err);
    dual_encoder_free(encoder);
    return status;
}

static int embed_given(struct job_run *run, struct error *err)
{
    struct matrix documents, queries;
    const struct collection *collection = &run->collection;
    char *document_base = job_run_path(run, "representations/documents"),
         *query_base = job_run_path(run, "representations/queries");
    int status = given_vectors_read(&documents, &queries, run, run->job->distill.hpd.targets, err);
    if (!status) {
        status = representations_write(&documents, &collection->documents, document_base, err) ||
                         representations_write(&queries, &collection->queries, query_base, err)
                     ? -1
                     : 0;
        matrix_free(&documents);
        matrix_free(&queries);
    }
    free(document_base);
    free(query_base);
    return status;
}

/* Aligned layers are the teacher's there; single texts, for no probe has chosen otherwise. */
static int embed_by_file(struct job_run *run, struct error *err)
{
    struct wanted wanted = {0};
    if (embed_given(run, err)) return -1;
    want_aligned(&wanted, run->job);
    if (!wanted.count) return 0;
    return job_run_teacher(run, err) ? represent_by_teacher(run, FORM_SINGLE, &wanted, err) : -1;
}

int embed_stage(struct job_run *run, struct error *err)
{
    struct probe_point chosen = {0};
    enum vector_source source = run->job->distill.hpd.source;
    double length;
    int status = source == VECTORS_TEACHER   ? embed_by_teacher(run, &chosen, err)
                 : source == VECTORS_ENCODER ? embed_by_encoder(run, err)
                                             : embed_by_file(run, err);
    if (status || targets_make(run, &length, err)) return -1;
    return write_choice(run, &chosen, length, err);
}
