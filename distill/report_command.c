#include "distill/report_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "distill/made_queries.h"
#include "distill/report.h"

/* The texts are worth showing, but a run can be shown without them. */
static int report_job(const struct job *job, const char *folder, const char *output,
                      struct error *err)
{
    struct collection collection = {0};
    struct made_queries made = {0};
    struct error why = {0};
    bool read = job_collection_read(&collection, job, &why) == 0;
    if (read && made_queries_add(&made, &collection, job, &why)) {
        collection_free(&collection);
        read = false;
    }
    int status = report_write(job, folder, read ? &collection : NULL, why.message, output, err);
    if (!status && !read) warn("the report shows no texts: %s", why.message);
    if (!status && strcmp(output, "-") != 0) note("%s", output);
    made_queries_free(&made);
    if (read) collection_free(&collection);
    return status;
}

static int report_folder(const char *folder, const char *output, struct error *err)
{
    struct job job;
    if (run_folder_check(folder, err)) return -1;
    char *path = path_join(folder, "job.yaml");
    int status = job_read(&job, path, NULL, err);
    free(path);
    if (status) return -1;
    path = output ? xstrdup(output) : path_join(folder, "report.html");
    status = report_job(&job, folder, path, err);
    free(path);
    job_free(&job);
    return status;
}

int report_command(int argc, char **argv, struct error *err)
{
    const char *output = NULL;
    const struct option options[] = {
        {"output", OPTION_STRING, &output, "FILE",
         "where to write the page, - is standard output (RUN/report.html)"},
        {0},
    };
    const struct command_help help = {
        .command = "report",
        .usage = "[--output FILE] RUN",
        .summary = "Writes one page of HTML that shows a run: what was done, training curves, the "
                   "grid with intervals, comparisons, example queries, the data, a model card and "
                   "how to make it again.",
        .options = options,
        .details = "The page loads nothing and needs no script.  What the run has not reached yet "
                   "is named in it.  retort run writes it at its end.",
    };
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
    if (argc - first != 1) return fail_usage(err, "give one RUN, the folder of a job's run");
    return report_folder(argv[first], output, err);
}
