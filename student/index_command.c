/* See index_command.h. */
#define _GNU_SOURCE
#include "student/index_command.h"

#include "data/collection.h"
#include "data/options.h"
#include "data/progress.h"
#include "student/embedder.h"
#include "student/index.h"
#include "student/lexical.h"
#include <stdlib.h>

enum { BLOCK = 512 }; /* documents embedded between two looks at the clock and at signals */

struct index_options {
    const char *model, *output, *precision_name, *type_name;
    bool bm25;
    struct bm25_settings settings;
    struct embedder_options tap;
    enum vector_type type;
};

static int parse_options(struct index_options *out, int argc, char **argv, struct error *err)
{
    int memory = (int)(out->settings.memory >> 20);
    const struct option options[] = {
        {"model", OPTION_STRING, &out->model, "DIR", "the dual encoder's folder"},
        {"layers", OPTION_INT, &out->tap.layers, "L", "stop after block L (all)"},
        {"dim", OPTION_INT, &out->tap.dim, "D", "keep the first D dimensions (all)"},
        {"vectors", OPTION_STRING, &out->type_name, "TYPE",
         "f32, bf16, int8 or binary: what vectors are stored as (f32)"},
        {"bm25", OPTION_FLAG, &out->bm25, NULL, "index words for BM25 instead, without a model"},
        {"bm25-k1", OPTION_DOUBLE, &out->settings.k1, "K1",
         "how soon repetitions stop to count (0.9)"},
        {"bm25-b", OPTION_DOUBLE, &out->settings.b, "B", "how much length counts (0.4)"},
        {"memory", OPTION_INT, &memory, "MIB",
         "BM25: MiB of postings kept until they wait in a file beside INDEX (256)"},
        {"output", OPTION_STRING, &out->output, "INDEX", "the index folder (BM25: file) to write"},
        OPTION_PRECISION(&out->precision_name),
        OPTION_THREADS(&out->tap.threads),
        {0}};
    const struct command_help help = {
        "index", "(--model DIR | --bm25) [options] --output INDEX COLLECTION",
        "embed the documents of a collection, or index their words, for retort search", options,
        "COLLECTION is a folder or archive with corpus.jsonl; a document's text is its title, a "
        "space and its text.  INDEX appears whole or not at all; an older index is replaced.\n"
        "With --bm25, documents are not held in memory, however many there are; words are as in "
        "retort run's bm25: runs of letters and digits, lower-cased, without stemming."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first;
    if (!out->model == !out->bm25)
        return fail_usage(err, out->bm25 ? "--model has no part in --bm25"
                                         : "--model DIR is missing, or --bm25");
    if (!(out->settings.k1 >= 0 && out->settings.k1 <= BM25_MOST_K1) ||
        !(out->settings.b >= 0 && out->settings.b <= 1))
        return fail_usage(err, "--bm25-k1 is from 0 to %d, --bm25-b from 0 to 1", BM25_MOST_K1);
    out->settings.memory = (size_t)memory << 20;
    if (!out->output) return fail_usage(err, "--output INDEX is missing");
    if (argc - first != 1) return fail_usage(err, "one COLLECTION is wanted, not %d", argc - first);
    if (vector_type_find(&out->type, out->type_name))
        return fail_usage(err, "--vectors: f32, bf16, int8 or binary, not \"%s\"", out->type_name);
    return precision_parse(&out->tap.precision, out->precision_name, err) ? -1 : first;
}

/* out->model is the caller's to free. */
static int describe(struct index_info *out, const struct index_options *options,
                    const struct embedder *embedder, size_t count, struct error *err)
{
    *out = (struct index_info){.layers = embedder->layers,
                               .dim = embedder->dim,
                               .type = options->type,
                               .normalized = embedder->normalize,
                               .count = count};
    if (embedder_fingerprint(out->fingerprint, embedder, err)) return -1;
    out->model = realpath(options->model, NULL);
    return out->model ? 0 : fail_errno(err, "%s", options->model);
}

static int add_documents(struct index_writer *writer, const struct texts *documents,
                         const struct embedder *embedder, struct error *err)
{
    float *vectors = xaligned(BLOCK * (size_t)embedder->dim, sizeof *vectors);
    struct progress progress;
    int status = 0;
    progress_start(&progress, "indexing", "documents", documents->count, 0);
    for (size_t first = 0; status == 0 && first < documents->count; first += BLOCK) {
        size_t n = documents->count - first < BLOCK ? documents->count - first : BLOCK;
        embedder_texts(embedder, vectors, documents->values + first, n,
                       embedder->encoder.document_prompt);
        status = index_writer_add(writer, documents->ids + first, vectors, n, err);
        progress_add(&progress, n);
        if (status == 0 && interrupted()) {
            status = fail(err, "interrupted");
            err->status = STATUS_INTERRUPTED;
        }
    }
    progress_end(&progress);
    free(vectors);
    return status;
}

static int write_index(const struct index_options *options, const struct embedder *embedder,
                       const struct texts *documents, struct error *err)
{
    struct index_info info = {0};
    struct index_writer writer = {0};
    int status = describe(&info, options, embedder, documents->count, err);
    if (status == 0) status = index_writer_open(&writer, options->output, &info, err);
    if (status == 0) status = add_documents(&writer, documents, embedder, err);
    if (status == 0)
        status = index_writer_commit(&writer, err);
    else
        index_writer_abandon(&writer);
    free(info.model);
    return status;
}

int index_command(int argc, char **argv, struct error *err)
{
    struct index_options options = {
        .precision_name = "auto", .type_name = "f32", .settings = bm25_defaults()};
    int first = parse_options(&options, argc, argv, err);
    if (first == OPTIONS_HELP) return 0;
    if (first < 0) return -1;
    interrupt_install();
    if (options.bm25)
        return lexical_index(options.output, argv[first], &options.settings, options.tap.threads,
                             err);

    struct embedder embedder;
    struct collection collection = {0};
    if (embedder_open(&embedder, options.model, &options.tap, err)) return -1;
    int status = collection_read(&collection, argv[first], err);
    if (status == 0) status = write_index(&options, &embedder, &collection.documents, err);
    collection_free(&collection);
    embedder_close(&embedder);
    return status;
}
