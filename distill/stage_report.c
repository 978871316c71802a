/* The report stage: the page that `retort report` writes, while the collection is in memory. */
#include <stdlib.h>

#include "data/progress.h"
#include "distill/report.h"

int report_stage(struct job_run *run, struct error *err)
{
    char *path = job_run_path(run, "report.html");
    int status = report_write(run->job, run->folder, &run->collection, NULL, path, err);
    if (!status) note("%s: open it in a browser", path);
    free(path);
    return status;
}
