/* The queries stage: leaves the queries that the job makes in RUN/made, for people and other
 * programs.  A run makes them anew whenever it is opened, which takes about as long as reading the
 * collection. */
#include <stdlib.h>

#include "distill/job_run.h"

int queries_stage(struct job_run *run, struct error *err)
{
    char *folder = job_run_path(run, "made");
    int status =
        made_queries_write(&run->made, &run->collection, &run->train, &run->dev, folder, err);
    free(folder);
    return status;
}
