#include "distill/student_init.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/checkpoint.h"

enum { OWN_DOCUMENTS = 10000 }; /* a PCA of some hundred components is settled by so many */

/* Copies a parameter of equal shape from one table into another. */
static void copy_param(struct params *to, int index, const struct params *from, const char *name)
{
    int source = params_find(from, name);
    REQUIRE(source >= 0);
    size_t size = params_param_size(&to->list[index]);
    REQUIRE(size == params_param_size(&from->list[source]));
    memcpy(params_values(to, index), params_values(from, source), size * sizeof(float));
}

/* "encoder.layer.7.output.dense.weight" for the student's block 1 when layers[1] is 8; false where
 * the block is a random one. */
static bool source_name(char name[112], const char *student_name, const struct int_list *layers)
{
    static const char prefix[] = "encoder.layer.";
    int block, used = 0;
    bool in_block = sscanf(student_name, "encoder.layer.%d%n", &block, &used) == 1;
    if (in_block && layers->items[block] == 0) return false;
    if (in_block)
        snprintf(name, 112, "%s%d%s", prefix, layers->items[block] - 1, student_name + used);
    else
        snprintf(name, 112, "%s", student_name);
    return true;
}

static void copy_blocks(struct dual_encoder *student, const struct encoder *from,
                        const struct int_list *layers, uint64_t seed)
{
    params_init_random(&student->params, student->encoder.first_param, student->encoder.last_param,
                       from->config.initializer_range, seed);
    for (int i = student->encoder.first_param; i < student->encoder.last_param; i++) {
        char name[112];
        if (source_name(name, student->params.list[i].name, layers))
            copy_param(&student->params, i, from->params, name);
    }
}

/* What makes the student, and in which precision. */
struct making {
    struct job_run *run;
    const struct student_start *start; /* NULL: no projection yet */
    enum precision precision;
};

static int create(struct dual_encoder *out, const struct making *making,
                  const struct encoder_config *like, const char *tokenizer_folder,
                  struct error *err)
{
    const struct job *job = making->run->job;
    struct encoder_config config = *like;
    config.hidden_dropout = config.attention_dropout = job->distill.dropout;
    if (dual_encoder_create(out, &config, (int)job->student.init.layers.count,
                            job->student.projection, job->student.pooling, tokenizer_folder,
                            making->precision, err))
        return -1;
    free(out->query_prompt);
    free(out->document_prompt);
    out->activation = job->student.activation;
    out->query_prompt = xstrdup(job->data.query_prefix);
    out->document_prompt = xstrdup(job->data.document_prefix);
    int longest = job->data.max_query_tokens > job->data.max_document_tokens
                      ? job->data.max_query_tokens
                      : job->data.max_document_tokens;
    if (longest < out->max_length) out->max_length = longest;
    return 0;
}

/* P h + b = W (h / length - mean), and 0 where the PCA was not centred. */
static void project_by(struct dual_encoder *student, const struct pca *pca, double length)
{
    struct params *params = &student->params;
    size_t width = (size_t)pca->input_size;
    float *weight = params_values(params, student->projection_weight);
    float *bias = params_values(params, student->projection_bias);
    for (int i = 0; i < pca->output_size; i++) {
        const float *component = pca->components + (size_t)i * width;
        double shift = 0;
        for (size_t j = 0; j < width; j++) {
            weight[(size_t)i * width + j] = (float)((double)component[j] / length);
            shift += (double)component[j] * (double)pca->mean[j];
        }
        bias[i] = (float)-shift;
    }
}

/* The principal components of the student's own pooled vectors of (a sample of) the documents; 1:
 * there are fewer of these than components. */
static int project_by_own(struct dual_encoder *student, struct job_run *run, struct error *err)
{
    const char **texts;
    size_t n = job_run_sample_documents(&texts, run, OWN_DOCUMENTS);
    if (n < (size_t)student->output_size) {
        free(texts);
        return 1;
    }
    struct dual_encoder bare = *student; /* borrowed: without its projection */
    bare.projection_weight = bare.projection_bias = -1;
    bare.output_size = student->encoder.config.hidden_size;
    float *vectors = xaligned(n * (size_t)bare.output_size, sizeof *vectors);
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = student->document_prompt,
                                          .max_length = run->job->data.max_document_tokens,
                                          .layers = &bare.encoder.config.num_layers,
                                          .num_layers = 1};
    dual_encoder_embed(&bare, run->pool, &request, &vectors);
    struct pca pca = {0};
    int status = pca_fit(&pca, vectors, n, bare.output_size, student->output_size, true, err);
    if (!status) project_by(student, &pca, 1);
    pca_free(&pca);
    free(vectors);
    free(texts);
    return status;
}

static int init_projection(struct dual_encoder *student, const struct dual_encoder *folder,
                           const struct student_start *start, struct job_run *run,
                           struct error *err)
{
    struct params *params = &student->params;
    int weight = student->projection_weight;
    if (weight < 0) return 0;
    int rows = student->output_size, cols = student->encoder.config.hidden_size;
    if (folder && folder->projection_weight >= 0 && folder->output_size == rows) {
        copy_param(params, weight, &folder->params, "projection.weight");
        if (folder->projection_bias >= 0)
            copy_param(params, student->projection_bias, &folder->params, "projection.bias");
        return 0;
    }
    bool theirs = !folder || (start->of_folder && folder->projection_weight < 0);
    if (theirs && start->pca && start->pca->input_size == cols && start->pca->output_size == rows) {
        project_by(student, start->pca, start->length);
        return 0;
    }
    if ((folder || !start->pca) && rows <= cols) {
        int status = project_by_own(student, run, err);
        if (status <= 0) return status;
    }
    float *values = params_values(params, weight);
    for (size_t i = 0; i < params_param_size(&params->list[weight]); i++)
        values[i] = (float)(0.02 * random_normal((uint64_t)run->job->distill.seed, 0x400, i));
    return 0;
}

static int init_from_teacher(struct dual_encoder *out, const struct making *making,
                             struct error *err)
{
    struct job_run *run = making->run;
    const struct cross_encoder *teacher = job_run_teacher(run, err);
    if (!teacher) return -1;
    const struct encoder *encoder = cross_encoder_encoder(teacher);
    const struct int_list *layers = &run->job->student.init.layers;
    if (create(out, making, &encoder->config, run->teacher_folder, err)) return -1;
    if (run->job->student.init.kind == INIT_RANDOM) /* the number of layers counts alone */
        params_init_random(&out->params, out->encoder.first_param, out->encoder.last_param,
                           encoder->config.initializer_range, (uint64_t)run->job->distill.seed);
    else
        copy_blocks(out, encoder, layers, (uint64_t)run->job->distill.seed);
    return 0;
}

static int init_from_folder(struct dual_encoder *out, struct dual_encoder *folder,
                            const struct making *making, struct error *err)
{
    const char *path = making->run->job->student.init.from;
    const struct int_list *layers = &making->run->job->student.init.layers;
    if (dual_encoder_open(folder, path, 0, PRECISION_F32, err) ||
        create(out, making, &folder->encoder.config, path, err))
        return -1;
    copy_blocks(out, &folder->encoder, layers, (uint64_t)making->run->job->distill.seed);
    return 0;
}

static int make(struct dual_encoder *out, const struct making *making, struct error *err)
{
    struct dual_encoder folder = {0};
    *out = (struct dual_encoder){0};
    bool from_folder = making->run->job->student.init.kind == INIT_FOLDER;
    int status = from_folder ? init_from_folder(out, &folder, making, err)
                             : init_from_teacher(out, making, err);
    if (!status) {
        encoder_refresh(&out->encoder);
        if (making->start)
            status =
                init_projection(out, from_folder ? &folder : NULL, making->start, making->run, err);
    }
    if (status) dual_encoder_free(out);
    dual_encoder_free(&folder);
    return status;
}

int student_init(struct dual_encoder *out, struct job_run *run, const struct student_start *start,
                 struct error *err)
{
    return make(out, &(struct making){run, start, precision_of_training(run->job->precision)}, err);
}

int student_load(struct dual_encoder *out, struct job_run *run, const char *weights_path,
                 struct error *err)
{
    if (make(out, &(struct making){run, NULL, run->job->precision}, err)) return -1;
    if (weights_read(&out->params, weights_path, err)) {
        dual_encoder_free(out);
        return -1;
    }
    encoder_refresh(&out->encoder);
    if (out->encoder.precision == PRECISION_INT8) {
        const char *texts[MAX_PROBES];
        size_t count = job_run_texts(texts, run);
        dual_encoder_calibrate(out, run->pool, texts, count);
    }
    return 0;
}
