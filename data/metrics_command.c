/* retort metrics [-q] [-m MEASURE]... QRELS [RUN] */
#include "data/metrics_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/metrics.h"
#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"

/* In trec_eval's order. */
static const char *const usual[] = {"num_q",     "num_ret",    "num_rel",     "num_rel_ret",
                                    "map",       "recip_rank", "P_1",         "P_5",
                                    "P_10",      "recall_10",  "recall_100",  "recall_1000",
                                    "ndcg",      "ndcg_cut_5", "ndcg_cut_10", "ndcg_cut_100",
                                    "success_1", "success_5",  "success_10"};

static const char details[] =
    "QRELS: query<TAB>document<TAB>grade with or without a header (BEIR), or TREC's \"query 0 "
    "document grade\".\n"
    "RUN: \"query Q0 document rank score tag\"; nothing or - is stdin.  Both may be gzipped.\n\n"
    "Prints measure<TAB>query<TAB>value, and for the query \"all\" the mean over the queries that "
    "are in both files (counts: the sum), as trec_eval does.  Documents are ranked by score, ties "
    "by descending id; the rank column is not looked at.  Scores are compared as 32-bit numbers.";

struct job {
    struct qrels qrels;
    struct run run;
    struct measure *measures;
    size_t num_measures;
    const struct judged_query **judged; /* queries in both files, by id */
    const struct ranked_query **ranked; /* parallel to judged */
    size_t num_queries;
};

static void job_free(struct job *job)
{
    free(job->ranked);
    free(job->judged);
    free(job->measures);
    run_free(&job->run);
    qrels_free(&job->qrels);
}

static int parse_measures(struct job *job, const struct string_list *asked, struct error *err)
{
    const char *const *given = asked->count ? asked->items : usual;
    job->num_measures = asked->count ? asked->count : sizeof usual / sizeof *usual;
    job->measures = xcalloc(job->num_measures, sizeof *job->measures);
    for (size_t i = 0; i < job->num_measures; i++)
        if (measure_parse(&job->measures[i], given[i], err)) return -1;
    return 0;
}

static int by_query_id(const void *a, const void *b)
{
    const struct judged_query *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* Fills judged and ranked; says what is left out. */
static int match_queries(struct job *job, struct error *err)
{
    job->judged = xcalloc(job->qrels.count, sizeof *job->judged);
    for (size_t i = 0; i < job->qrels.count; i++)
        if (run_find(&job->run, job->qrels.queries[i].id))
            job->judged[job->num_queries++] = &job->qrels.queries[i];
    if (job->num_queries == 0) return fail(err, "no query is in both the judgements and the run");
    if (job->num_queries < job->qrels.count)
        warn("%zu of %zu judged queries are not in the run and do not count",
             job->qrels.count - job->num_queries, job->qrels.count);
    if (job->num_queries < job->run.count)
        warn("%zu of the run's %zu queries are not judged and do not count",
             job->run.count - job->num_queries, job->run.count);
    qsort(job->judged, job->num_queries, sizeof *job->judged, by_query_id);
    job->ranked = xcalloc(job->num_queries, sizeof *job->ranked);
    for (size_t i = 0; i < job->num_queries; i++)
        job->ranked[i] = run_find(&job->run, job->judged[i]->id);
    return 0;
}

static void print_value(struct output *out, struct measure measure, const char *query, double value)
{
    char name[32];
    measure_name(name, measure);
    output_printf(out, "%s\t%s\t%.*f\n", name, query, measure_is_count(measure) ? 0 : 10, value);
}

static int print_all(const struct job *job, bool each_query, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, NULL, err)) return -1;
    double *sums = xcalloc(job->num_measures, sizeof *sums);
    for (size_t q = 0; q < job->num_queries; q++)
        for (size_t m = 0; m < job->num_measures; m++) {
            struct measure measure = job->measures[m];
            double value = measure_query(measure, job->judged[q], job->ranked[q]);
            sums[m] += value;
            if (each_query && measure.kind != NUM_Q)
                print_value(&out, measure, job->judged[q]->id, value);
        }
    for (size_t m = 0; m < job->num_measures; m++) {
        bool count = measure_is_count(job->measures[m]);
        print_value(&out, job->measures[m], "all",
                    count ? sums[m] : sums[m] / (double)job->num_queries);
    }
    free(sums);
    return output_commit(&out, err);
}

int metrics_command(int argc, char **argv, struct error *err)
{
    bool each_query = false;
    struct string_list asked = {0};
    const struct option options[] = {
        {"q", OPTION_FLAG, &each_query, NULL, "also print every query's values"},
        {"m", OPTION_LIST, &asked, "MEASURE",
         "this measure (ndcg_cut_10, ndcg@10, recip_rank, mrr@10, map, recall_100, P_5, "
         "success_10, ...) instead of the usual ones; may be repeated"},
        {0}};
    const struct command_help help = {"metrics", "[-q] [-m MEASURE]... QRELS [RUN]",
                                      "print trec_eval's measures of a run", options, details};
    int first = options_parse(&help, argc, argv, err);
    struct job job = {0};
    int status = first < 0 ? -1 : parse_measures(&job, &asked, err);
    int operands = argc - first;
    const char *run_path = operands == 2 ? argv[first + 1] : "-";
    if (status == 0 && (operands < 1 || operands > 2))
        status = fail_usage(err, "give QRELS and RUN; see retort metrics --help");
    if (status == 0 && strcmp(argv[first], "-") == 0 && strcmp(run_path, "-") == 0)
        status = fail_usage(err, "QRELS and RUN cannot both be stdin");
    if (status == 0) status = qrels_read(&job.qrels, argv[first], err);
    if (status == 0) status = run_read(&job.run, run_path, err);
    if (status == 0) run_sort(&job.run);
    if (status == 0) status = match_queries(&job, err);
    if (status == 0) status = print_all(&job, each_query, err);
    job_free(&job);
    free(asked.items);
    return first == OPTIONS_HELP ? 0 : status;
}
