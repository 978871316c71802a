#include "distill/embed_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/source.h"
#include "student/embedder.h"
#include "teacher/cross_encoder.h"

enum { BLOCK = 8192 }; /* texts in memory at a time; their lengths are sorted within it */

struct embed_call {
    const char *model, *output, *precision, *form, *prompt;
    int layers, dim, teacher_layer, max_length, threads;
};

/* What turns a block of texts into rows of `dim` values: a teacher's layer, or a student. */
struct source_model {
    const struct embed_call *call;
    struct cross_encoder *teacher; /* NULL: the student */
    struct pool *pool;             /* of the teacher */
    enum text_form form;
    struct embedder student;
    int dim;
};

static int open_teacher(struct source_model *model, enum precision precision, struct error *err)
{
    const struct embed_call *call = model->call;
    if (text_form_parse(&model->form, call->form ? call->form : "single", err) ||
        cross_encoder_open(&model->teacher, call->model, precision, err))
        return -1;
    const struct encoder_config *config = cross_encoder_config(model->teacher);
    model->pool = pool_open(call->threads);
    model->dim = config->hidden_size;
    if (call->teacher_layer <= config->num_layers) return 0;
    return fail_usage(err, "--teacher-layer must be from 0 to %d for %s, not %d",
                      config->num_layers, call->model, call->teacher_layer);
}

static int open_student(struct source_model *model, enum precision precision, struct error *err)
{
    const struct embed_call *call = model->call;
    const struct embedder_options tap = {call->layers, call->dim, call->threads, precision};
    struct dual_encoder *encoder = &model->student.encoder;
    if (call->form) return fail_usage(err, "--form goes with --teacher-layer");
    if (embedder_open(&model->student, call->model, &tap, err)) return -1;
    model->student.normalize = encoder->normalize;
    if (call->max_length && call->max_length < encoder->max_length)
        encoder->max_length = call->max_length;
    model->dim = model->student.dim;
    return 0;
}

/* rows [n, dim] */
static void embed_block(const struct source_model *model, const char *const *texts, size_t n,
                        float *rows)
{
    const struct embed_call *call = model->call;
    if (!model->teacher) {
        embedder_texts(&model->student, rows, texts, n, call->prompt);
        return;
    }
    struct text_input input = {model->form,
                               cross_encoder_max_length(model->teacher, call->max_length)};
    cross_encoder_represent(model->teacher, model->pool, texts, n, input, &call->teacher_layer, 1,
                            &rows);
}

/* Reads up to BLOCK lines into texts; how many, or -1. */
static int read_block(struct lines *lines, const char **texts, struct arena *strings,
                      struct error *err)
{
    int count = 0, got = 1;
    char *line;
    size_t length;
    while (count < BLOCK && (got = lines_next(lines, &line, &length, err)) > 0)
        texts[count++] = arena_strndup(strings, line, length);
    return got < 0 ? -1 : count;
}

/* The number of rows stands in the header, so rows wait in a temporary file until all are there. */
static int embed_lines(const struct source_model *model, struct lines *lines, struct error *err)
{
    const char **texts = xcalloc(BLOCK, sizeof *texts);
    float *rows = xaligned((size_t)BLOCK * (size_t)model->dim, sizeof *rows);
    struct arena strings = {0};
    struct npy_writer out = {0};
    struct progress progress;
    int status = npy_writer_open(&out, model->call->output, (size_t)model->dim, err);
    int count = status ? 0 : 1;
    progress_start(&progress, "embedding", "texts", 0, 0);
    while (!status && (count = read_block(lines, texts, &strings, err)) > 0) {
        embed_block(model, texts, (size_t)count, rows);
        npy_writer_rows(&out, rows, (size_t)count);
        progress_add(&progress, (size_t)count);
        arena_free(&strings);
        if (interrupted()) status = fail_interrupted(err);
    }
    progress_end(&progress);
    if (count < 0) status = -1;
    if (!status)
        status = npy_writer_commit(&out, err);
    else
        npy_writer_abandon(&out);
    arena_free(&strings);
    free(rows);
    free(texts);
    return status;
}

static int run_embed(const struct embed_call *call, const char *path, struct error *err)
{
    struct source_model model = {.call = call};
    enum precision precision = PRECISION_AUTO;
    struct lines *lines = NULL;
    if (call->precision && precision_parse(&precision, call->precision, err)) return -1;
    int status = call->teacher_layer >= 0 ? open_teacher(&model, precision, err)
                                          : open_student(&model, precision, err);
    if (!status) status = lines_open(&lines, path, err);
    if (!status) status = embed_lines(&model, lines, err);
    if (lines) lines_close(lines);
    cross_encoder_close(model.teacher);
    if (model.pool) pool_close(model.pool);
    embedder_close(&model.student);
    return status;
}

int embed_command(int argc, char **argv, struct error *err)
{
    struct embed_call call = {.teacher_layer = -1, .prompt = ""};
    const struct option options[] = {
        {"model", OPTION_STRING, &call.model, "DIR",
         "sentence-transformers or Hugging Face folder; with --teacher-layer a cross-encoder"},
        {"layers", OPTION_INT, &call.layers, "L", "stop after block L (all)"},
        {"dim", OPTION_INT, &call.dim, "D",
         "keep the first D values (all, or the model's truncate_dim); cut, then normalised"},
        {"teacher-layer", OPTION_INT, &call.teacher_layer, "L",
         "the cross-encoder's representation after block L, 0: embeddings"},
        {"form", OPTION_STRING, &call.form, "FORM",
         "with --teacher-layer: a text alone (single) or paired with itself (pair) (single)"},
        {"prompt", OPTION_STRING, &call.prompt, "TEXT", "put before every text (nothing)"},
        {"max-length", OPTION_INT, &call.max_length, "N", "tokens kept of a text (the model's)"},
        {"output", OPTION_STRING, &call.output, "F.npy", "where to write (standard output)"},
        OPTION_THREADS(&call.threads),
        OPTION_PRECISION(&call.precision),
        {0}};
    const struct command_help help = {
        .command = "embed",
        .usage = "--model DIR [OPTIONS] [TEXTS.txt]",
        .summary = "Embeds texts, one a line, as a NumPy file of float32 rows in the same order.",
        .options = options,
        .details =
            "Rows are divided by their length if the model's modules.json has a Normalize "
            "module.\nWithout TEXTS.txt, or for -, standard input is read; .gz is unpacked."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
    if (argc - first > 1) return fail_usage(err, "one file of texts at most");
    if (!call.model) return fail_usage(err, "--model DIR is missing");
    interrupt_install();
    return run_embed(&call, first < argc ? argv[first] : NULL, err);
}
