#include "distill/export_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/lines.h"
#include "data/options.h"
#include "data/progress.h"
#include "student/export.h"

struct export_call {
    const char *model, *format, *output, *texts, *precision;
    int layers, dim, threads;
};

enum { MAX_PROBES = 512 };

/* Texts that every export is checked with: what tokenizers differ on. */
static const char *const probes[] = {
    "",
    "a",
    "The quick brown fox jumps over the lazy dog.",
    "Crème brûlée, naïve façade: ÀÉÎÕÜ ß İstanbul",
    "漢字とカナ, 한국어, العربية, हिन्दी",
    "p53-dependent apoptosis (IC50 = 3.2 µM); see https://example.org/a_b?c=d&e=f",
    "[CLS] literally [SEP] and [MASK]",
    "\tTabs\tand   spaces\xc2\xa0no-break\xe2\x80\x8bzero-width",
    "e\xcc\x81 combining and \xf0\x9f\x98\x80 emoji",
};

/* The built-in probes, then lines of a file; how many, or -1. */
static int read_texts(const char **texts, struct arena *strings, const char *path,
                      struct error *err)
{
    int count = 0, got = 1;
    for (size_t p = 0; p < sizeof probes / sizeof *probes; p++) texts[count++] = probes[p];
    if (!path) return count;
    struct lines *lines;
    char *line;
    size_t length;
    if (lines_open(&lines, path, err)) return -1;
    while (count < MAX_PROBES && (got = lines_next(lines, &line, &length, err)) > 0)
        texts[count++] = arena_strndup(strings, line, length);
    lines_close(lines);
    return got < 0 ? -1 : count;
}

/* In int8, calibrated by the texts that were given. */
static int export_and_verify(const struct export_call *call, struct dual_encoder *de,
                             const struct export_options *options, struct error *err)
{
    const char *texts[MAX_PROBES];
    struct arena strings = {0};
    struct export_check check;
    int count = read_texts(texts, &strings, call->texts, err);
    int status = count < 0 ? -1 : 0;
    if (!status) {
        struct pool *pool = pool_open(call->threads);
        if (call->texts && de->encoder.precision == PRECISION_INT8)
            dual_encoder_calibrate(de, pool, texts, (size_t)count);
        status = dual_encoder_export(de, options, call->output, err);
        if (!status)
            status = dual_encoder_verify(&check, de, options, call->output, texts, (size_t)count,
                                         pool, err);
        pool_close(pool);
    }
    if (!status)
        note("%s: read back, %zu texts have equal token ids, worst cosine distance %.1e",
             call->output, check.texts, check.worst_cosine_distance);
    arena_free(&strings);
    return status;
}

static int run_export(const struct export_call *call, struct error *err)
{
    struct dual_encoder de;
    enum precision precision = PRECISION_F32;
    if (call->precision && precision_parse(&precision, call->precision, err)) return -1;
    if (dual_encoder_open(&de, call->model, 0, precision, err)) return -1;
    struct export_options options = {.layers =
                                         call->layers ? call->layers : de.encoder.config.num_layers,
                                     .dim = call->dim ? call->dim : de.output_size,
                                     .normalize = true};
    int status = export_and_verify(call, &de, &options, err);
    dual_encoder_free(&de);
    return status;
}

int export_command(int argc, char **argv, struct error *err)
{
    struct export_call call = {.format = "sentence-transformers"};
    const struct option options[] = {
        {"model", OPTION_STRING, &call.model, "DIR",
         "the student (runs/NAME/student) or any sentence-transformers BERT folder"},
        {"layers", OPTION_INT, &call.layers, "L", "keep the first L blocks (all)"},
        {"dim", OPTION_INT, &call.dim, "D", "keep the first D dimensions (all)"},
        {"format", OPTION_STRING, &call.format, "F", "sentence-transformers"},
        {"output", OPTION_STRING, &call.output, "DIR", "the folder to make"},
        {"texts", OPTION_STRING, &call.texts, "FILE",
         "lines to compare with as well; with --precision int8, to calibrate with"},
        OPTION_THREADS(&call.threads),
        OPTION_PRECISION(&call.precision),
        {0}};
    const struct command_help help = {
        .command = "export",
        .usage = "--model DIR [--layers L] [--dim D] --output DIR",
        .summary =
            "Writes a model of exactly the chosen layers and dims, reads it back and compares.",
        .options = options,
        .details =
            "Vectors are cut first, then normalised.  A folder that is there is replaced only "
            "if it holds a model."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
    if (first < argc) return fail_usage(err, "%s: no operand is expected", argv[first]);
    if (!call.model) return fail_usage(err, "--model DIR is missing");
    if (!call.output) return fail_usage(err, "--output DIR is missing");
    if (strcmp(call.format, "sentence-transformers") != 0)
        return fail_usage(err, "--format %s is not known; sentence-transformers is", call.format);
    return run_export(&call, err);
}
