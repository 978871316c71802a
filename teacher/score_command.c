/* retort score: a stream, in blocks that do not grow with the input. */
#include "teacher/score_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/source.h"
#include "teacher/scorer_options.h"

/* A block ends at SCORER_BLOCK pairs or at so many bytes of text, whichever comes first. */
enum { BLOCK_BYTES = 64 << 20 };

struct pair_block {
    const char *queries[SCORER_BLOCK], *documents[SCORER_BLOCK];
    float scores[SCORER_BLOCK];
    size_t count;
    struct arena strings;
};

static int parse_options(struct scorer_options *out, int argc, char **argv, struct error *err)
{
    const struct option options[] = {SCORER_OPTIONS(out), {0}};
    const struct command_help help = {
        "score", "--teacher DIR [PAIRS.tsv]", "score pairs of texts with a cross-encoder", options,
        "PAIRS.tsv (plain or .gz; standard input where there is none) holds a query, a tab and a "
        "document in each line.  One raw logit a line comes out, in the same order."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first;
    if (scorer_options_check(out, err)) return -1;
    if (argc - first > 1) return fail_usage(err, "one file at most, not %d", argc - first);
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

/* Opens everything before the first line is read, so that a wrong call costs nothing. */
int score_command(int argc, char **argv, struct error *err)
{
    struct scorer_options options = SCORER_DEFAULTS;
    struct scorer scorer;
    struct lines *lines;
    int first = parse_options(&options, argc, argv, err);
    if (first == OPTIONS_HELP) return 0;
    if (first < 0) return -1;
    interrupt_install();
    if (scorer_open(&scorer, &options, err)) return -1;
    int status = lines_open(&lines, first < argc ? argv[first] : NULL, err);
    if (!status) {
        status = score_lines(&scorer, lines, err);
        lines_close(lines);
    }
    scorer_close(&scorer);
    return status;
}
