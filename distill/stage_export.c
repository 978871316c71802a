/* The export stage: pick a point by the job's rule, on dev; write the model, read it back, compare;
 * write the manifest. */
#include <stdlib.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/grid.h"
#include "distill/manifest.h"
#include "distill/pick.h"
#include "distill/student_init.h"
#include "student/export.h"

enum { MAX_PROBES = 256 }; /* texts of each kind that the export is compared on */

static int read_grids(const struct job_run *run, struct grid *dev, struct grid *test,
                      struct error *err)
{
    char *dev_path = job_run_path(run, "grid_dev.tsv"), *test_path = job_run_path(run, "grid.tsv");
    int status = grid_read(dev, dev_path, err);
    if (!status) status = grid_read(test, test_path, err);
    free(dev_path);
    free(test_path);
    return status;
}

/* Documents and queries of the collection, spread over it. */
static size_t probe_texts(const char **texts, const struct collection *collection)
{
    const struct texts *const kinds[2] = {&collection->documents, &collection->queries};
    size_t count = 0;
    for (size_t k = 0; k < 2; k++) {
        size_t n = kinds[k]->count < MAX_PROBES ? kinds[k]->count : MAX_PROBES;
        for (size_t i = 0; i < n; i++) texts[count++] = kinds[k]->values[i * kinds[k]->count / n];
    }
    return count;
}

static int export_point(const struct job_run *run, const struct dual_encoder *de,
                        const struct export_options *options, const char *name, struct error *err)
{
    const char *texts[2 * MAX_PROBES];
    struct export_check check;
    size_t count = probe_texts(texts, &run->collection);
    char *folder = job_run_path(run, name);
    int status = dual_encoder_export(de, options, folder, err);
    if (!status)
        status = dual_encoder_verify(&check, de, options, folder, texts, count, run->pool, err);
    if (!status)
        note("%s: %d layers, %d dims; read back, %zu texts have equal token ids, worst cosine "
             "distance %.1e",
             folder, options->layers, options->dim, check.texts, check.worst_cosine_distance);
    free(folder);
    return status;
}

static int export_all(struct job_run *run, const struct grid *test, const struct tap *picked,
                      struct error *err)
{
    struct dual_encoder de;
    struct text card = {0};
    char *weights = job_run_path(run, "train/distil.best.safetensors");
    int status = student_load(&de, run, weights, err);
    free(weights);
    if (status) return -1;
    model_card(&card, run, test, picked);
    const struct tap_list *taps = &run->job->student.taps;
    struct export_options whole = {.layers = de.encoder.config.num_layers,
                                   .dim = de.output_size,
                                   .taps = taps->items,
                                   .num_taps = taps->count};
    struct export_options chosen = {
        .layers = picked->layer, .dim = picked->dim, .normalize = true, .card = card.bytes};
    status = export_point(run, &de, &whole, "student", err);
    if (!status) status = export_point(run, &de, &chosen, "export", err);
    text_free(&card);
    dual_encoder_free(&de);
    return status;
}

int export_stage(struct job_run *run, struct error *err)
{
    struct grid dev = {0}, test = {0};
    struct tap picked;
    struct pick_rule rule;
    int status = read_grids(run, &dev, &test, err);
    if (!status) status = pick_parse(&rule, run->job->export.pick, err);
    if (!status) status = pick_choose(&picked, &rule, &dev, err);
    if (!status) {
        struct text why = {0};
        pick_explain(&rule, &dev, picked, &why);
        note("picked on dev by \"%s\": %s", run->job->export.pick, why.bytes);
        text_free(&why);
        status = export_all(run, &test, &picked, err);
    }
    if (!status) status = manifest_write(run, &picked, err);
    grid_free(&dev);
    grid_free(&test);
    return status;
}
