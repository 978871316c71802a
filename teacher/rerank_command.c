/* See rerank_command.h. */
#include "teacher/rerank_command.h"

#include <stdlib.h>

#include "teacher/rerank.h"
#include "teacher/scorer_options.h"

struct rerank_options {
    struct scorer_options scorer;
    const char *collection, *queries, *tag, *run;
    int depth;
};

static int parse_options(struct rerank_options *out, int argc, char **argv, struct error *err)
{
    const struct option options[] = {
        SCORER_OPTIONS(&out->scorer),
        {"depth", OPTION_INT, &out->depth, "K", "of each query's list, from its beginning (100)"},
        {"queries", OPTION_STRING, &out->queries, "FILE",
         "the queries' texts, as retort search takes them (the collection's)"},
        {"tag", OPTION_STRING, &out->tag, "NAME", "the new run's last column (rerank)"},
        {0}};
    const struct command_help help = {
        "rerank", "--teacher DIR COLLECTION [RUN]",
        "put a run's documents in a cross-encoder's order", options,
        "COLLECTION is a folder or archive in BEIR layout, RUN a TREC run (plain or .gz; standard "
        "input where there is none), as retort search and others write it.  Of each query the "
        "first "
        "K documents come out, by score; the others are left out.  A pair's score is that of "
        "retort "
        "score: a document is its title, a space, its text."};
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first;
    if (scorer_options_check(&out->scorer, err)) return -1;
    if (out->depth < 1) return fail_usage(err, "--depth must be at least 1");
    if (run_check_tag(out->tag, err)) return -1;
    if (argc - first < 1 || argc - first > 2)
        return fail_usage(err, "give a collection, and one run at most, not %d operands",
                          argc - first);
    out->collection = argv[first];
    out->run = argc - first == 2 ? argv[first + 1] : NULL;
    return first;
}

/* Every id of the lists' beginnings must have a text. */
static int check_ids(const struct run *run, const struct rerank_options *options,
                     const struct texts *queries, const struct texts *documents, struct error *err)
{
    const char *name = options->run ? options->run : "standard input";
    for (size_t q = 0; q < run->count; q++) {
        const struct ranked_query *query = &run->queries[q];
        if (texts_find(queries, query->id) < 0)
            return fail(err, "%s: query \"%s\" has no text in %s%s", name, query->id,
                        options->queries ? options->queries : options->collection,
                        options->queries ? "" : "; give the queries by --queries FILE");
        for (size_t r = 0; r < query->count && r < (size_t)options->depth; r++)
            if (texts_find(documents, query->documents[r].document) < 0)
                return fail(err, "%s: document \"%s\" of query \"%s\" is not in %s", name,
                            query->documents[r].document, query->id, options->collection);
    }
    return 0;
}

static int score_list(struct run *out, const struct scorer *scorer, const struct rerank_list *list,
                      const char *tag, struct error *err)
{
    float *scores = xcalloc(list->count, sizeof *scores);
    int status = scorer_run(scorer, list->count, rerank_pair, list, scores, err);
    if (!status) rerank_run(out, list, scores, tag);
    free(scores);
    return status;
}

static int rerank(const struct rerank_options *options, const struct scorer *scorer,
                  struct error *err)
{
    struct collection collection = {0};
    struct texts given = {0};
    struct arena strings = {0};
    struct run run = {0}, reranked = {0};
    struct rerank_list list = {0};
    const struct texts *queries = options->queries ? &given : &collection.queries;
    int status = collection_read(&collection, options->collection, err);
    if (!status && options->queries) status = texts_read(&given, &strings, options->queries, err);
    if (!status) status = run_read(&run, options->run, err);
    if (!status) status = check_ids(&run, options, queries, &collection.documents, err);
    if (!status) {
        run_sort(&run);
        rerank_list_of(&list, &run, (size_t)options->depth, queries, &collection.documents);
        status = score_list(&reranked, scorer, &list, options->tag, err);
    }
    if (!status) status = run_write(&reranked, NULL, err);
    rerank_list_free(&list);
    run_free(&reranked);
    run_free(&run);
    texts_free(&given);
    arena_free(&strings);
    collection_free(&collection);
    return status;
}

int rerank_command(int argc, char **argv, struct error *err)
{
    struct rerank_options options = {.scorer = SCORER_DEFAULTS, .tag = "rerank", .depth = 100};
    struct scorer scorer;
    int first = parse_options(&options, argc, argv, err);
    if (first == OPTIONS_HELP) return 0;
    if (first < 0) return -1;
    interrupt_install();
    if (scorer_open(&scorer, &options.scorer, err)) return -1;
    int status = rerank(&options, &scorer, err);
    scorer_close(&scorer);
    return status;
}
