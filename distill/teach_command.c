#include "distill/teach_command.h"

#include <stdlib.h>

#include "data/options.h"
#include "data/progress.h"
#include "distill/run_command.h"

int teach_command(int argc, char **argv, struct error *err)
{
    const char *output = NULL;
    struct job_options job = {0};
    const struct option options[] = {
        JOB_OPTIONS(&job),
        {"output", OPTION_STRING, &output, "DIR", "the run's folder (runs/NAME)"},
        {0}};
    const struct command_help help = {
        .command = "teach",
        .usage = "JOB.yaml [--set KEY=VALUE]... [--output DIR]",
        .summary = "Fine-tunes a cross-encoder, or trains a small one from nothing, from a "
                   "collection's labels or from scored pairs: the first stage of a job whose "
                   "teacher.model is teach.",
        .options = options,
        .details = "The section teach of the job file says how. DIR/teacher becomes a Hugging "
                   "Face folder; retort run goes on from it with the other stages. A killed one "
                   "goes on where it stopped when it is started again."};
    int first = options_parse(&help, argc, argv, err);
    int status = first < 0 ? first : 0;
    if (!status && argc - first != 1) status = fail_usage(err, "one job file is needed");
    if (!status) {
        interrupt_install();
        job_options_finish(&job);
        status = job_file_run(argv[first], &job.settings, output, "teach", err);
    }
    free(job.settings.items);
    return status == OPTIONS_HELP ? 0 : status;
}
