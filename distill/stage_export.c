/* The export stage: pick a point by the job's rule, on dev; write the model, read it back, compare;
 * write the manifest. */
#include <stdio.h>
#include <stdlib.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/grid.h"
#include "distill/manifest.h"
#include "distill/model_card.h"
#include "distill/pick.h"
#include "distill/student_init.h"
#include "student/export.h"

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

static int export_point(const struct job_run *run, const struct dual_encoder *de,
                        const struct export_options *options, const char *name, struct error *err)
{
    const char *texts[MAX_PROBES];
    struct export_check check;
    size_t count = job_run_texts(texts, run);
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

/* Parameters of what would be exported at a point. */
static double parameters_at(const struct dual_encoder *de, int layers, int dim)
{
    double sum = 0;
    for (int i = 0; i < (int)de->params.count; i++) {
        const struct param *param = &de->params.list[i];
        int block;
        bool cut = i == de->projection_weight || i == de->projection_bias;
        if (sscanf(param->name, "encoder.layer.%d", &block) == 1 && block >= layers) continue;
        sum += (double)params_param_size(param) * (cut ? (double)dim / de->output_size : 1);
    }
    return sum;
}

static int pick(struct tap *picked, struct grid *dev, const struct dual_encoder *de,
                const struct job *job, struct error *err)
{
    struct pick_rule rule;
    struct text why = {0};
    for (size_t i = 0; i < dev->count; i++) {
        struct grid_row *row = &dev->rows[i];
        row->model_parameters = parameters_at(de, row->layers, row->dim);
    }
    if (pick_parse(&rule, job->export.pick, err) || pick_choose(picked, &rule, dev, err)) return -1;
    pick_explain(&rule, dev, *picked, &why);
    note("picked on dev by \"%s\": %s", job->export.pick, why.bytes);
    text_free(&why);
    return 0;
}

static int export_all(struct job_run *run, const struct dual_encoder *de, const struct grid *test,
                      const struct tap *picked, struct error *err)
{
    struct text card = {0};
    model_card(&card, run, test, picked);
    const struct tap_list *taps = &run->job->student.taps;
    struct export_options whole = {.layers = de->encoder.config.num_layers,
                                   .dim = de->output_size,
                                   .taps = taps->items,
                                   .num_taps = taps->count};
    struct export_options chosen = {
        .layers = picked->layer, .dim = picked->dim, .normalize = true, .card = card.bytes};
    int status = export_point(run, de, &whole, "student", err);
    if (!status) status = export_point(run, de, &chosen, "export", err);
    text_free(&card);
    return status;
}

int export_stage(struct job_run *run, struct error *err)
{
    struct grid dev = {0}, test = {0};
    struct dual_encoder de = {0};
    struct tap picked;
    char *weights = job_run_path(run, "train/distil.safetensors");
    int status = read_grids(run, &dev, &test, err);
    if (!status) status = student_load(&de, run, weights, err);
    if (!status) status = pick(&picked, &dev, &de, run->job, err);
    if (!status) status = export_all(run, &de, &test, &picked, err);
    if (!status) status = manifest_write(run, &picked, err);
    dual_encoder_free(&de);
    grid_free(&dev);
    grid_free(&test);
    free(weights);
    return status;
}
