#include "distill/embed_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/source.h"
#include "student/dual_encoder.h"
#include "teacher/cross_encoder.h"

enum { BLOCK = 8192 }; /* texts in memory at a time; their lengths are sorted within it */

struct embed_call {
    const char *model, *output, *precision, *form, *prompt;
    int layers, dim, teacher_layer, max_length, threads;
    bool quiet;
};

/* What turns a block of texts into rows of `width` values. */
struct embedder {
    const struct embed_call *call;
    struct pool *pool;
    struct dual_encoder student;
    struct cross_encoder *teacher;
    enum text_form form;
    int layer, dim, width;
    bool normalize;
};

static int check_layer(int layer, int lowest, int num_layers, const char *option, const char *model,
                       struct error *err)
{
    if (layer >= lowest && layer <= num_layers) return 0;
    return fail_usage(err, "--%s must be from %d to %d for %s, not %d", option, lowest, num_layers,
                      model, layer);
}

static int open_teacher(struct embedder *embedder, enum precision precision, struct error *err)
{
    const struct embed_call *call = embedder->call;
    if (text_form_parse(&embedder->form, call->form ? call->form : "single", err) ||
        cross_encoder_open(&embedder->teacher, call->model, precision, err))
        return -1;
    const struct encoder_config *config = cross_encoder_config(embedder->teacher);
    embedder->layer = call->teacher_layer;
    embedder->dim = embedder->width = config->hidden_size;
    return check_layer(embedder->layer, 0, config->num_layers, "teacher-layer", call->model, err);
}

static int open_student(struct embedder *embedder, enum precision precision, struct error *err)
{
    const struct embed_call *call = embedder->call;
    struct dual_encoder *student = &embedder->student;
    if (call->form) return fail_usage(err, "--form goes with --teacher-layer");
    if (dual_encoder_open(student, call->model, 0, precision, err)) return -1;
    embedder->layer = call->layers ? call->layers : student->encoder.config.num_layers;
    embedder->width = student->output_size;
    embedder->dim = call->dim ? call->dim : embedder->width;
    embedder->normalize = student->normalize;
    if (embedder->dim < 1 || embedder->dim > embedder->width)
        return fail_usage(err, "--dim must be from 1 to %d for %s, not %d", embedder->width,
                          call->model, embedder->dim);
    return check_layer(embedder->layer, 1, student->encoder.config.num_layers, "layers",
                       call->model, err);
}

static void embed_block(const struct embedder *embedder, const char *const *texts, size_t n,
                        float *z, float *rows)
{
    int max_length = embedder->call->max_length;
    if (embedder->teacher) {
        struct text_input input = {embedder->form,
                                   cross_encoder_max_length(embedder->teacher, max_length)};
        cross_encoder_represent(embedder->teacher, embedder->pool, texts, n, input,
                                &embedder->layer, 1, &rows);
        return;
    }
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = embedder->call->prompt,
                                          .max_length = max_length,
                                          .layers = &embedder->layer,
                                          .num_layers = 1};
    dual_encoder_embed(&embedder->student, embedder->pool, &request, &z);
    vectors_cut(rows, z, n, embedder->width, embedder->dim, embedder->normalize);
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
static int embed_lines(const struct embedder *embedder, struct lines *lines, struct error *err)
{
    const char **texts = xcalloc(BLOCK, sizeof *texts);
    float *z = xaligned((size_t)BLOCK * (size_t)embedder->width, sizeof *z);
    float *rows = xaligned((size_t)BLOCK * (size_t)embedder->dim, sizeof *rows);
    struct arena strings = {0};
    struct npy_writer out = {0};
    struct progress progress;
    int status = npy_writer_open(&out, embedder->call->output, (size_t)embedder->dim, err);
    int count = status ? 0 : 1;
    progress_start(&progress, "embedding", "texts", 0, 0);
    while (!status && (count = read_block(lines, texts, &strings, err)) > 0) {
        embed_block(embedder, texts, (size_t)count, z, rows);
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
    free(z);
    free(texts);
    return status;
}

static int run_embed(const struct embed_call *call, const char *path, struct error *err)
{
    struct embedder embedder = {.call = call};
    enum precision precision = PRECISION_AUTO;
    struct lines *lines = NULL;
    if (call->precision && precision_parse(&precision, call->precision, err)) return -1;
    embedder.pool = pool_open(call->threads);
    int status = call->teacher_layer >= 0 ? open_teacher(&embedder, precision, err)
                                          : open_student(&embedder, precision, err);
    if (!status) status = lines_open(&lines, path, err);
    if (!status) status = embed_lines(&embedder, lines, err);
    if (lines) lines_close(lines);
    cross_encoder_close(embedder.teacher);
    dual_encoder_free(&embedder.student);
    pool_close(embedder.pool);
    return status;
}

int embed_command(int argc, char **argv, struct error *err)
{
    struct embed_call call = {.teacher_layer = -1, .prompt = ""};
    const struct option options[] = {
        {"model", OPTION_STRING, &call.model, "DIR",
         "sentence-transformers or Hugging Face folder; with --teacher-layer a cross-encoder"},
        {"layers", OPTION_INT, &call.layers, "L", "stop after block L (all)"},
        {"dim", OPTION_INT, &call.dim, "D", "keep the first D values (all); cut, then normalised"},
        {"teacher-layer", OPTION_INT, &call.teacher_layer, "L",
         "the cross-encoder's representation after block L, 0: embeddings"},
        {"form", OPTION_STRING, &call.form, "FORM",
         "with --teacher-layer: a text alone (single) or paired with itself (pair) (single)"},
        {"prompt", OPTION_STRING, &call.prompt, "TEXT", "put before every text (nothing)"},
        {"max-length", OPTION_INT, &call.max_length, "N", "tokens kept of a text (the model's)"},
        {"output", OPTION_STRING, &call.output, "F.npy", "where to write (standard output)"},
        OPTION_THREADS(&call.threads),
        OPTION_PRECISION(&call.precision),
        {"quiet", OPTION_FLAG, &call.quiet, NULL, "no messages but warnings"},
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
    messages_quiet(call.quiet);
    return run_embed(&call, first < argc ? argv[first] : NULL, err);
}
