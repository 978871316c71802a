/* See search_command.h. */
#include "student/search_command.h"

#include "data/collection.h"
#include "data/options.h"
#include "data/progress.h"
#include "data/run.h"
#include "student/embedder.h"
#include "student/index.h"
#include "student/lexical.h"
#include "student/query_blocks.h"
#include "student/search.h"
#include <stdlib.h>
#include <string.h>

struct search_options {
    const char *index, *model, *tag, *precision_name;
    enum precision precision;
    int top, rescore, threads;
};

static int parse_options(struct search_options *out, int argc, char **argv, struct error *err)
{
    const struct option options[] = {
        {"index", OPTION_STRING, &out->index, "INDEX", "what retort index wrote"},
        {"top", OPTION_INT, &out->top, "K", "documents a query (100)"},
        {"rescore", OPTION_INT, &out->rescore, "N",
         "of N * K documents found by the stored vectors' type, the best K by the unrounded query "
         "(binary: 4; else 1, none)"},
        {"model", OPTION_STRING, &out->model, "DIR",
         "the encoder's folder, where it is no longer where the index was made with it"},
        {"tag", OPTION_STRING, &out->tag, "NAME", "the run's last column (retort)"},
        OPTION_PRECISION(&out->precision_name),
        OPTION_THREADS(&out->threads),
        {0}};
    const struct command_help help = {
        "search", "--index INDEX [--top K] [--rescore N] [QUERIES]",
        "find each query's nearest documents in an index", options,
        "QUERIES (plain or .gz; standard input where there is none) is BEIR's queries.jsonl or "
        "id<TAB>text lines.  A TREC run comes out: query, Q0, document, rank, score, tag; columns "
        "are divided by tabs where an id holds a space.\n"
        "An index of BM25 has no model, and lists only documents with a word of the query."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first;
    if (!out->index) return fail_usage(err, "--index INDEX is missing");
    if (out->top < 1) return fail_usage(err, "--top must be at least 1");
    if (out->rescore < 0) return fail_usage(err, "--rescore must be at least 0");
    if (run_check_tag(out->tag, err)) return -1;
    if (argc - first > 1)
        return fail_usage(err, "one file of queries at most, not %d", argc - first);
    return precision_parse(&out->precision, out->precision_name, err) ? -1 : first;
}

struct searcher {
    struct vector_index *index;
    const struct embedder *embedder;
    const char *tag;
    int top, rescore;
};

static int print_hits(struct output *out, const struct searcher *searcher, const char *query,
                      const struct hit *hits, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *document;
        if (id_list_get(&document, &searcher->index->ids, hits[i].row, err)) return -1;
        struct ranked ranked = {document, hits[i].score, searcher->tag};
        run_line(out, query, &ranked, i + 1, false);
    }
    return 0;
}

static int search_block(void *arg, struct output *out, const char *const *ids,
                        const char *const *texts, size_t n, struct error *err)
{
    const struct searcher *searcher = arg;
    int status = 0;
    const struct vector_index *index = searcher->index;
    const struct embedder *embedder = searcher->embedder;
    size_t k =
        (size_t)searcher->top < index->info.count ? (size_t)searcher->top : index->info.count;
    float *queries = xaligned(n * (size_t)embedder->dim, sizeof *queries);
    struct hit *hits = xcalloc(n * k, sizeof *hits);
    embedder_texts(embedder, queries, texts, n, embedder->encoder.query_prompt);
    search_rescored(hits, queries, n, &index->vectors, (int)k, searcher->rescore, embedder->pool);
    for (size_t q = 0; q < n && status == 0; q++)
        status = print_hits(out, searcher, ids[q], hits + q * k, k, err);
    free(hits);
    free(queries);
    return status;
}

/* The model that the index was made with, and no other: vectors of two models mean nothing to each
 * other. */
static int open_model(struct embedder *out, const struct search_options *options,
                      const struct index_info *info, struct error *err)
{
    const char *folder = options->model ? options->model : info->model;
    struct embedder_options tap = {info->layers, info->dim, options->threads, options->precision};
    char fingerprint[33];
    if (!path_exists(folder))
        return fail(err, "%s: the model of %s is not there; name its place by --model DIR", folder,
                    options->index);
    if (embedder_open(out, folder, &tap, err)) return -1;
    int status = embedder_fingerprint(fingerprint, out, err);
    if (status == 0 && strcmp(fingerprint, info->fingerprint) != 0)
        status = fail(err,
                      "%s: not the model that %s was made with, or changed since; make the "
                      "index again",
                      folder, options->index);
    out->normalize = info->normalized;
    if (status) embedder_close(out);
    return status;
}

static int search_file(const struct search_options *options, const char *path, struct error *err)
{
    struct vector_index index = {0};
    struct embedder embedder = {0};
    struct searcher searcher = {&index, &embedder, options->tag, options->top, options->rescore};
    int status = vector_index_open(&index, options->index, err);
    if (status == 0) status = open_model(&embedder, options, &index.info, err);
    if (status == 0) status = answer_queries(path, search_block, &searcher, err);
    embedder_close(&embedder);
    vector_index_free(&index);
    return status;
}

int search_command(int argc, char **argv, struct error *err)
{
    struct search_options options = {.tag = "retort", .precision_name = "auto", .top = 100};
    int first = parse_options(&options, argc, argv, err);
    if (first == OPTIONS_HELP) return 0;
    if (first < 0) return -1;
    interrupt_install();
    const char *queries = first < argc ? argv[first] : NULL;
    if (!bm25_is_index(options.index)) return search_file(&options, queries, err);
    if (options.model)
        return fail_usage(err, "--model: %s is an index of BM25, which has none", options.index);
    const struct lexical_search search = {options.index, options.tag, (size_t)options.top,
                                          options.threads};
    return lexical_search(&search, queries, err);
}
