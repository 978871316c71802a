#include "distill/evaluate_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/sts.h"
#include "distill/evaluation.h"

struct evaluate_call {
    const char *model, *split, *layers, *dims, *output, *trec, *precision;
    struct string_list measures;
    int threads;
    bool dot, drop_same_id;
};

static const char *const default_measures[] = {"ndcg_cut_10", "recip_rank_cut_10", "recall_100",
                                               "map"};
static const char *const pair_measures[] = {"spearman", "pearson"};

/* "1,2,3" within 1..most, "all", or NULL for most alone; rising and without repeats. */
static int parse_list(struct int_list *out, const char *text, int most, const char *option,
                      struct error *err)
{
    out->items = xcalloc((size_t)most, sizeof *out->items);
    out->count = 0;
    if (!text) {
        out->items[out->count++] = most;
        return 0;
    }
    bool all = strcmp(text, "all") == 0;
    for (int value = 1; all && value <= most; value++) out->items[out->count++] = value;
    while (!all) {
        char *end;
        long value = strtol(text, &end, 10);
        int last = out->count ? out->items[out->count - 1] : 0;
        if (end == text || (*end && *end != ',') || value <= last || value > most)
            return fail_usage(
                err, "--%s takes rising whole numbers from 1 to %d divided by commas, not \"%s\"",
                option, most, text);
        out->items[out->count++] = (int)value;
        if (!*end) break;
        text = end + 1;
    }
    return 0;
}

static int print_grid(const struct evaluation *evaluation, const char *path, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "layers\tdim");
    for (size_t m = 0; m < evaluation->num_measures; m++) {
        char name[32];
        evaluation_measure_name(name, evaluation, m);
        output_printf(&out, "\t%s", name);
    }
    output_printf(&out, "\n");
    for (size_t r = 0; r < evaluation->count; r++) {
        const struct evaluated *row = &evaluation->rows[r];
        output_printf(&out, "%d\t%d", row->layers, row->dim);
        for (size_t m = 0; m < evaluation->num_measures; m++)
            output_printf(&out, "\t%.6f", evaluated_mean(evaluation, row, m));
        output_printf(&out, "\n");
    }
    return output_commit(&out, err);
}

struct points {
    const struct dual_encoder *de;
    struct int_list layers, dims;
    struct pool *pool;
};

static int check_split(const struct collection *collection, const struct query_set *queries,
                       const struct evaluate_call *call, const char *path, struct error *err)
{
    if (queries->count) return 0;
    struct text names = {0};
    for (size_t s = 0; s < collection->num_splits; s++)
        text_printf(&names, "%s%s", s ? ", " : "", collection->splits[s].name);
    int status =
        fail(err, "%s: no query of split %s has a text and a relevant document (splits: %s)", path,
             call->split, names.length ? names.bytes : "none");
    text_free(&names);
    return status;
}

static int choose_measures(struct evaluation *out, const struct evaluate_call *call,
                           struct error *err)
{
    if (call->measures.count)
        return evaluation_measures(out, call->measures.items, call->measures.count, err);
    return out->pairs ? evaluation_measures(out, pair_measures, 2, err)
                      : evaluation_measures(out, default_measures, 4, err);
}

static int read_queries(struct collection *collection, struct query_set *queries,
                        const struct evaluate_call *call, const char *path, struct error *err)
{
    if (collection_read(collection, path, err)) return -1;
    query_set_of(queries, collection, call->split);
    if (check_split(collection, queries, call, path, err)) return -1;
    note("%s: %zu documents, %zu queries of split %s", path, collection->documents.count,
         queries->count, call->split);
    return 0;
}

static int read_pairs(struct collection *collection, struct pair_set *pairs,
                      const struct evaluate_call *call, const char *path, struct error *err)
{
    if (call->dot || call->drop_same_id)
        return fail_usage(err, "%s: sentence pairs are compared by cosines: leave --%s away", path,
                          call->dot ? "dot" : "drop-same-id");
    if (sts_read_collection(collection, path, &call->split, 1, err)) return -1;
    pair_set_of(pairs, collection, call->split);
    if (pair_set_uniform(pairs))
        return fail(err,
                    "%s: %zu pairs of split %s, all with the score %g: nothing can be "
                    "correlated with it",
                    path, pairs->count, call->split, pairs->pairs[0].score);
    note("%s: %zu pairs of split %s", path, pairs->count, call->split);
    return 0;
}

static int evaluate_points(const struct evaluate_call *call, const struct points *points,
                           const char *path, bool is_sts, struct error *err)
{
    struct collection collection = {0};
    struct query_set queries = {0};
    struct pair_set pairs = {0};
    struct evaluation evaluation = {.collection = &collection,
                                    .queries = &queries,
                                    .pairs = is_sts ? &pairs : NULL,
                                    .pool = points->pool,
                                    .cosine = !call->dot,
                                    .drop_same_id = call->drop_same_id,
                                    .trec_folder = call->trec};
    int status = choose_measures(&evaluation, call, err);
    if (!status && call->trec) status = make_folder(call->trec, err);
    if (!status)
        status = is_sts ? read_pairs(&collection, &pairs, call, path, err)
                        : read_queries(&collection, &queries, call, path, err);
    if (!status) {
        struct layer_vectors documents;
        documents_at_layers(&documents, &evaluation, points->de, &points->layers);
        status = evaluate_encoder(&evaluation, "retort", points->de, &points->layers, &points->dims,
                                  &documents, err);
        layer_vectors_free(&documents);
    }
    if (!status) status = print_grid(&evaluation, call->output, err);
    evaluation_free(&evaluation);
    pair_set_free(&pairs);
    query_set_free(&queries);
    collection_free(&collection);
    return status;
}

/* ---- the command ---- */

static int run_evaluate(const struct evaluate_call *call, const char *path, struct error *err)
{
    struct dual_encoder de;
    enum precision precision = PRECISION_AUTO;
    bool is_sts = false;
    if (call->precision && precision_parse(&precision, call->precision, err)) return -1;
    if (sts_detect(&is_sts, path, err) || dual_encoder_open(&de, call->model, 0, precision, err))
        return -1;
    struct points points = {.de = &de, .pool = pool_open(call->threads)};
    int status =
        parse_list(&points.layers, call->layers, de.encoder.config.num_layers, "layers", err);
    if (!status) status = parse_list(&points.dims, call->dims, de.output_size, "dims", err);
    if (!status) status = evaluate_points(call, &points, path, is_sts, err);
    free(points.layers.items);
    free(points.dims.items);
    pool_close(points.pool);
    dual_encoder_free(&de);
    return status;
}

int evaluate_command(int argc, char **argv, struct error *err)
{
    struct evaluate_call call = {.split = "test"};
    const struct option options[] = {
        {"model", OPTION_STRING, &call.model, "DIR",
         "sentence-transformers or Hugging Face folder"},
        {"split", OPTION_STRING, &call.split, "NAME",
         "qrels/NAME.tsv, or NAME.tsv of pairs (test)"},
        {"layers", OPTION_STRING, &call.layers, "L,...", "layers to measure, or all (the last)"},
        {"dims", OPTION_STRING, &call.dims, "D,...", "dimensions to measure (all of them at once)"},
        {"m", OPTION_LIST, &call.measures, "MEASURE",
         "measure, by trec_eval's name; may be repeated (ndcg_cut_10, recip_rank_cut_10, "
         "recall_100, map; of pairs spearman, pearson)"},
        {"dot", OPTION_FLAG, &call.dot, NULL, "rank by dot product instead of cosine"},
        {"drop-same-id", OPTION_FLAG, &call.drop_same_id, NULL,
         "never retrieve the document with the query's own id"},
        {"trec", OPTION_STRING, &call.trec, "DIR",
         "write a TREC run a point there; of pairs label and cosine of each"},
        {"output", OPTION_STRING, &call.output, "F.tsv", "where to write (standard output)"},
        OPTION_THREADS(&call.threads),
        OPTION_PRECISION(&call.precision),
        {0}};
    const struct command_help help = {
        .command = "evaluate",
        .usage = "--model DIR [OPTIONS] COLLECTION",
        .summary = "Measures a dual encoder: a TSV grid of layers, dim and measures.",
        .options = options,
        .details =
            "COLLECTION: a BEIR folder or archive, or sentence pairs (a .tsv, or an archive with "
            "test.tsv).\nMeans are over every query of the split with a relevant document, "
            "0 where nothing was found.\nPairs: Spearman and Pearson of the cosines, from -1 to "
            "1."};
    int first = options_parse(&help, argc, argv, err), status = -1;
    if (first < 0)
        status = first == OPTIONS_HELP ? 0 : -1;
    else if (argc - first != 1)
        fail_usage(err, "one collection is needed");
    else if (!call.model)
        fail_usage(err, "--model DIR is missing");
    else
        status = run_evaluate(&call, argv[first], err);
    free(call.measures.items);
    return status;
}
