/* What the files of the models that a job names tell of them: their shapes, for job_fit. */
#include <limits.h>
#include <string.h>

#include "data/npy.h"
#include "distill/job_keys.h"

static int read_config(struct encoder_config *out, const char *folder, int *num_labels,
                       struct error *err)
{
    struct hf_config config;
    if (hf_config_read(&config, folder, err) || encoder_config_from_hf(out, &config, err))
        return -1;
    *num_labels = config.num_labels;
    return 0;
}

/* That a baseline can be read is known before hours of work, not after. */
static int check_baseline(const char *folder, struct error *err)
{
    struct encoder_config config;
    struct st_config st = {0};
    int labels, status = read_config(&config, folder, &labels, err);
    if (!status) status = st_config_read(&st, folder, err);
    st_config_free(&st);
    return status;
}

int job_teacher_config(struct encoder_config *out, const struct job *job, struct error *err)
{
    int labels;
    const char *folder = job->teacher.taught ? job->teach.init : job->teacher.model;
    if (!job->teacher.taught || strcmp(folder, "random") != 0) {
        if (read_config(out, folder, &labels, err)) return -1;
        if (labels == 1 || job->teacher.taught) return 0;
        return fail(err, "%s: gives %d logits a pair, a teacher of scores must give one", folder,
                    labels);
    }
    struct hf_config config = {.model_type = "bert",
                               .hidden_act = "gelu",
                               .vocab_size = job->teach.vocabulary_size,
                               .hidden_size = job->teach.shape.hidden_size,
                               .num_layers = job->teach.shape.layers,
                               .num_heads = job->teach.shape.heads,
                               .intermediate_size = job->teach.shape.intermediate_size,
                               .max_positions = job->teach.shape.positions,
                               .type_vocab_size = 2,
                               .layer_norm_eps = 1e-12,
                               .initializer_range = 0.02};
    return encoder_config_from_hf(out, &config, err);
}

/* Of distill.hpd.encoder: its shape, and the width of its vectors. */
static int read_encoder(struct encoder_config *config, int *width, const char *folder,
                        struct error *err)
{
    struct st_config st = {0};
    int labels, status = read_config(config, folder, &labels, err);
    if (!status) status = st_config_read(&st, folder, err);
    if (!status) *width = st.dense_folder ? st.dense_out : config->hidden_size;
    st_config_free(&st);
    return status;
}

int job_vector_width(int *out, const struct job *job, struct error *err)
{
    struct encoder_config config;
    size_t rows, cols = 0;
    int status = 0;
    *out = 0;
    switch (job->distill.hpd.source) {
    case VECTORS_NONE:
        break;
    case VECTORS_TEACHER:
        status = job_teacher_config(&config, job, err);
        if (!status) *out = config.hidden_size;
        break;
    case VECTORS_ENCODER:
        status = read_encoder(&config, out, job->distill.hpd.encoder, err);
        break;
    case VECTORS_FILE:
        status = npy_shape(&rows, &cols, job->distill.hpd.targets, err);
        *out = cols < INT_MAX ? (int)cols : INT_MAX;
        break;
    }
    return status;
}

int job_fit_models(struct job *job, struct error *err)
{
    struct encoder_config teacher, start, encoder;
    struct job_models models = {.teacher = job->teacher.absent ? NULL : &teacher, .start = &start};
    int start_labels;
    if (models.teacher && job_teacher_config(&teacher, job, err)) return -1;
    if (job->student.init.kind == INIT_FOLDER) {
        if (read_config(&start, job->student.init.from, &start_labels, err)) return -1;
    } else {
        start = teacher;
    }
    for (size_t i = 0; i < job->evaluate.baselines.count; i++)
        if (check_baseline(job->evaluate.baselines.items[i], err)) return -1;
    if (job_vector_width(&models.vector_width, job, err)) return -1;
    models.aligned = models.teacher;
    if (models.teacher) models.aligned_width = teacher.hidden_size;
    if (job->distill.hpd.source == VECTORS_ENCODER) {
        models.aligned = &encoder;
        if (read_encoder(&encoder, &models.aligned_width, job->distill.hpd.encoder, err)) return -1;
    }
    return job_fit(job, &models, err);
}
