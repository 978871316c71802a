/* retort score: a stream, in blocks that do not grow with the input. */
#include "teacher/score_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/options.h"
#include "data/output.h"
#include "data/source.h"
#include "teacher/scorer.h"

/* A block ends at SCORER_BLOCK pairs or at so many bytes of text, whichever comes first. */
enum { BLOCK_BYTES = 64 << 20 };

struct score_options {
    const char *teacher, *precision, *cache;
    int max_length, threads, label;
};

struct pair_block {
    const char *queries[SCORER_BLOCK], *documents[SCORER_BLOCK];
    float scores[SCORER_BLOCK];
    size_t count;
    struct arena strings;
};

static int parse_options(struct score_options *out, int argc, char **argv, struct error *err)
{
    const struct option options[] = {
        {"teacher", OPTION_STRING, &out->teacher, "DIR", "the cross-encoder's folder"},
        {"max-length", OPTION_INT, &out->max_length, "N", "tokens a pair is cut to (512)"},
        {"label", OPTION_INT, &out->label, "K",
         "which logit of a model with several, counted from 0"},
        {"cache", OPTION_STRING, &out->cache, "FILE",
         "keep scores here and compute none that it holds; safe to kill and call again"},
        OPTION_PRECISION(&out->precision),
        OPTION_THREADS(&out->threads),
        {0}};
    const struct command_help help = {
        "score", "--teacher DIR [PAIRS.tsv]", "score pairs of texts with a cross-encoder", options,
        "PAIRS.tsv (plain or .gz; standard input where there is none) holds a query, a tab and a "
        "document in each line.  One raw logit a line comes out, in the same order."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first;
    if (!out->teacher) return fail_usage(err, "--teacher DIR is missing");
    if (argc - first > 1) return fail_usage(err, "one file at most, not %d", argc - first);
    if (out->label < -1) return fail_usage(err, "--label counts from 0");
    if (out->max_length < 4) return fail_usage(err, "--max-length must be at least 4 tokens");
    return first;
}

/* Takes lines until the block is full or the input ends. */
static int read_block(struct pair_block *block, struct lines *lines, struct error *err)
{
    arena_free(&block->strings);
    block->count = 0;
    size_t bytes = 0;
    while (block->count < SCORER_BLOCK && bytes < BLOCK_BYTES) {
        char *line;
        size_t length;
        int status = lines_next(lines, &line, &length, err);
        if (status <= 0) return status;
        char *copy = arena_strndup(&block->strings, line, length), *tab = strchr(copy, '\t');
        if (!tab) return fail(err, "%s: no tab between query and document", lines_where(lines));
        *tab = '\0';
        block->queries[block->count] = copy;
        block->documents[block->count++] = tab + 1;
        bytes += length;
    }
    return 0;
}

static int score_lines(const struct scorer *scorer, struct lines *lines, struct error *err)
{
    struct pair_block *block = xcalloc(1, sizeof *block);
    struct progress progress = {0};
    struct output out = {0};
    int status = output_open(&out, NULL, err);
    progress_start(&progress, "scoring", "pairs", 0, 0);
    do {
        status = read_block(block, lines, err);
        if (!status)
            status = scorer_block(scorer, block->queries, block->documents, block->count,
                                  block->scores, &progress, err);
        for (size_t i = 0; !status && i < block->count; i++)
            output_printf(&out, "%.6f\n", (double)block->scores[i]);
    } while (!status && block->count && !out.failed);
    progress_end(&progress);
    if (out.failed || !status) status = output_commit(&out, err);
    arena_free(&block->strings);
    free(block);
    return status;
}

static int choose_label(struct scorer *scorer, const struct score_options *options,
                        struct error *err)
{
    int labels = cross_encoder_num_labels(scorer->ce);
    if (options->label >= labels)
        return fail_usage(err, "--label %d: %s has %d label%s, counted from 0", options->label,
                          options->teacher, labels, labels == 1 ? "" : "s");
    if (labels > 1 && options->label < 0)
        return fail_usage(err, "%s has %d labels; choose the one to print with --label K",
                          options->teacher, labels);
    scorer->label = options->label < 0 ? 0 : options->label;
    return 0;
}

/* Opens everything before the first line is read, so that a wrong call costs nothing. */
static int score_file(const struct score_options *options, enum precision precision,
                      const char *path, struct error *err)
{
    struct scorer scorer = {0};
    struct cross_encoder *ce = NULL;
    struct lines *lines = NULL;
    int status = cross_encoder_open(&ce, options->teacher, precision, err);
    scorer.ce = ce;
    if (!status) status = choose_label(&scorer, options, err);
    if (!status && options->cache) status = scorer_open_cache(&scorer, options->cache, err);
    if (!status) status = lines_open(&lines, path, err);
    if (!status) {
        scorer.pool = pool_open(options->threads);
        scorer.max_length = cross_encoder_max_length(ce, options->max_length);
        status = score_lines(&scorer, lines, err);
        pool_close(scorer.pool);
    }
    if (lines) lines_close(lines);
    score_cache_close(scorer.cache);
    cross_encoder_close(ce);
    return status;
}

int score_command(int argc, char **argv, struct error *err)
{
    struct score_options options = {.precision = "auto", .max_length = 512, .label = -1};
    enum precision precision;
    int first = parse_options(&options, argc, argv, err);
    if (first == OPTIONS_HELP) return 0;
    if (first < 0 || precision_parse(&precision, options.precision, err)) return -1;
    interrupt_install();
    return score_file(&options, precision, first < argc ? argv[first] : NULL, err);
}
