#include "distill/student_init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/checkpoint.h"

/* Copies a parameter of equal shape from one table into another. */
static void copy_param(struct params *to, int index, const struct params *from, const char *name)
{
    int source = params_find(from, name);
    REQUIRE(source >= 0);
    size_t size = params_param_size(&to->list[index]);
    REQUIRE(size == params_param_size(&from->list[source]));
    memcpy(params_values(to, index), params_values(from, source), size * sizeof(float));
}

/* "encoder.layer.7.output.dense.weight" for the student's block 1 when layers[1] is 8. */
static void source_name(char name[112], const char *student_name, const struct int_list *layers)
{
    static const char prefix[] = "encoder.layer.";
    int block, used = 0;
    if (sscanf(student_name, "encoder.layer.%d%n", &block, &used) == 1)
        snprintf(name, 112, "%s%d%s", prefix, layers->items[block] - 1, student_name + used);
    else
        snprintf(name, 112, "%s", student_name);
}

static void copy_blocks(struct dual_encoder *student, const struct encoder *from,
                        const struct int_list *layers)
{
    for (int i = student->encoder.first_param; i < student->encoder.last_param; i++) {
        char name[112];
        source_name(name, student->params.list[i].name, layers);
        copy_param(&student->params, i, from->params, name);
    }
}

static int check_layers(const struct int_list *layers, const struct encoder_config *config,
                        const char *folder, struct error *err)
{
    for (size_t i = 0; i < layers->count; i++)
        if (layers->items[i] < 1 || layers->items[i] > config->num_layers)
            return fail_usage(err, "student.init.layers: %s has layers 1 to %d, not %d", folder,
                              config->num_layers, layers->items[i]);
    return 0;
}

static int create(struct dual_encoder *out, struct job_run *run, const struct encoder_config *like,
                  const char *tokenizer_folder, struct error *err)
{
    const struct job *job = run->job;
    struct encoder_config config = *like;
    config.hidden_dropout = config.attention_dropout = job->distill.dropout;
    if (dual_encoder_create(out, &config, (int)job->student.init.layers.count,
                            job->student.projection, job->student.pooling, tokenizer_folder,
                            job->precision, err))
        return -1;
    free(out->query_prompt);
    free(out->document_prompt);
    out->query_prompt = xstrdup(job->data.query_prefix);
    out->document_prompt = xstrdup(job->data.document_prefix);
    int longest = job->data.max_query_tokens > job->data.max_document_tokens
                      ? job->data.max_query_tokens
                      : job->data.max_document_tokens;
    if (longest < out->max_length) out->max_length = longest;
    return 0;
}

static void init_projection(struct dual_encoder *student, const struct dual_encoder *folder,
                            const struct pca *pca, double norm, uint64_t seed)
{
    struct params *params = &student->params;
    int weight = student->projection_weight;
    if (weight < 0) return;
    if (folder && folder->projection_weight >= 0 && folder->output_size == student->output_size) {
        copy_param(params, weight, &folder->params, "projection.weight");
        return;
    }
    size_t size = params_param_size(&params->list[weight]);
    float *values = params_values(params, weight);
    if (pca && pca->input_size == params->list[weight].cols &&
        pca->output_size == params->list[weight].rows)
        for (size_t i = 0; i < size; i++) values[i] = (float)(pca->components[i] / norm);
    else
        for (size_t i = 0; i < size; i++) values[i] = (float)(0.02 * random_normal(seed, 0x400, i));
}

static int init_from_teacher(struct dual_encoder *out, struct job_run *run, struct error *err)
{
    const struct cross_encoder *teacher = job_run_teacher(run, err);
    if (!teacher) return -1;
    const struct encoder *encoder = cross_encoder_encoder(teacher);
    const struct int_list *layers = &run->job->student.init.layers;
    if (check_layers(layers, &encoder->config, run->job->teacher.model, err) ||
        create(out, run, &encoder->config, run->job->teacher.model, err))
        return -1;
    if (run->job->student.init.kind == INIT_RANDOM)
        params_init_random(&out->params, out->encoder.first_param, out->encoder.last_param,
                           encoder->config.initializer_range, (uint64_t)run->job->seed);
    else
        copy_blocks(out, encoder, layers);
    return 0;
}

static int init_from_folder(struct dual_encoder *out, struct dual_encoder *folder,
                            struct job_run *run, struct error *err)
{
    const char *path = run->job->student.init.from;
    const struct int_list *layers = &run->job->student.init.layers;
    if (dual_encoder_open(folder, path, 0, PRECISION_F32, err) ||
        check_layers(layers, &folder->encoder.config, path, err) ||
        create(out, run, &folder->encoder.config, path, err))
        return -1;
    copy_blocks(out, &folder->encoder, layers);
    return 0;
}

int student_init(struct dual_encoder *out, struct job_run *run, const struct pca *pca, double norm,
                 struct error *err)
{
    struct dual_encoder folder = {0};
    *out = (struct dual_encoder){0};
    bool from_folder = run->job->student.init.kind == INIT_FOLDER;
    int status =
        from_folder ? init_from_folder(out, &folder, run, err) : init_from_teacher(out, run, err);
    if (!status) {
        init_projection(out, from_folder ? &folder : NULL, pca, norm, (uint64_t)run->job->seed);
        encoder_refresh(&out->encoder);
    } else {
        dual_encoder_free(out);
    }
    dual_encoder_free(&folder);
    return status;
}

int student_load(struct dual_encoder *out, struct job_run *run, const char *weights_path,
                 struct error *err)
{
    if (student_init(out, run, NULL, 1, err)) return -1;
    if (weights_read(&out->params, weights_path, err)) {
        dual_encoder_free(out);
        return -1;
    }
    encoder_refresh(&out->encoder);
    return 0;
}
