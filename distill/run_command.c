#include "distill/run_command.h"

#include <stdlib.h>
#include <string.h>

#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "distill/job_run.h"
#include "distill/seeds.h"

static int run_job(const struct job *job, const char *output, const char *until, struct error *err)
{
    struct job_run run;
    char *folder = output ? xstrdup(output) : xasprintf("runs/%s", job->name);
    int status = job_run_open(&run, job, folder, until, err);
    if (!status) {
        status = job_run_stages(&run, until, err);
        job_run_close(&run);
    }
    if (!status) note("done: %s", folder);
    free(folder);
    return status;
}

int job_file_run(const char *path, const struct string_list *settings, const char *output,
                 const char *until, struct error *err)
{
    struct job job;
    if (job_read(&job, path, settings, err)) return -1;
    bool teach = until && strcmp(until, "teach") == 0;
    int status = 0;
    if (teach && !job.teacher.taught)
        status = fail_usage(err, "%s: teacher.model is %s; the stage teach wants it to be: teach",
                            path, job.teacher.model);
    /* A teacher alone does not mind whether a student would fit it. */
    struct encoder_config teacher;
    if (!status)
        status = teach ? job_teacher_config(&teacher, &job, err) : job_fit_models(&job, err);
    if (!status) status = run_job(&job, output, until, err);
    job_free(&job);
    return status;
}

int run_command(int argc, char **argv, struct error *err)
{
    const char *output = NULL, *until = NULL;
    int seeds = 0;
    struct job_options job = {0};
    const struct option options[] = {
        JOB_OPTIONS(&job),
        {"until", OPTION_STRING, &until, "STAGE",
         "stop after teach, queries, embed, mine, score, train, evaluate, export or report"},
        {"output", OPTION_STRING, &output, "DIR", "the run's folder (runs/NAME)"},
        {"seeds", OPTION_INT, &seeds, "N",
         "train with N seeds, distill.seed and those after it, each in DIR/seed-K"},
        {0}};
    const struct command_help help = {
        .command = "run",
        .usage = "JOB.yaml [--set KEY=VALUE]... [--until STAGE] [--seeds N]",
        .summary = "Does what is not yet done of a job: from a re-ranker and a collection to a "
                   "slim retriever.",
        .options = options,
        .details = "A killed run goes on where it stopped when it is started again.  With --seeds, "
                   "the teacher, its vectors, the candidates and their scores are made once, and "
                   "DIR/grid_seeds.tsv has each cell's mean and deviation."};
    int first = options_parse(&help, argc, argv, err);
    int status = first < 0 ? first : 0;
    if (!status && argc - first != 1) status = fail_usage(err, "one job file is needed");
    if (!status && until) status = stage_check_name(until, err);
    if (!status && seeds > MOST_SEEDS)
        status = fail_usage(err, "--seeds %d: at most %d", seeds, MOST_SEEDS);
    if (!status) {
        interrupt_install();
        job_options_finish(&job);
        status = seeds ? seeds_run(argv[first], &job.settings, output, until, seeds, err)
                       : job_file_run(argv[first], &job.settings, output, until, err);
    }
    free(job.settings.items);
    return status == OPTIONS_HELP ? 0 : status;
}
