/* What the stages of a run share: texts to look at, and the teacher.  See job_run.h. */
#include <stdlib.h>

#include "distill/job_run.h"

size_t job_run_texts(const char *texts[MAX_PROBES], const struct job_run *run)
{
    const struct texts *const kinds[2] = {&run->collection.documents, &run->collection.queries};
    size_t count = 0, most = MAX_PROBES / 2;
    for (size_t k = 0; k < 2; k++) {
        size_t n = kinds[k]->count < most ? kinds[k]->count : most;
        for (size_t i = 0; i < n; i++) texts[count++] = kinds[k]->values[i * kinds[k]->count / n];
    }
    return count;
}

size_t job_run_train_documents(uint32_t **rows, const struct job_run *run)
{
    const struct collection *collection = &run->collection;
    size_t count = collection->documents.count;
    if (collection->num_pair_splits) {
        struct pair_set train, dev;
        pair_sets_split(&train, &dev, collection, run->job);
        count = pair_set_documents(rows, &train, count);
        pair_set_free(&train);
        pair_set_free(&dev);
        return count;
    }
    *rows = xcalloc(count, sizeof **rows);
    for (size_t d = 0; d < count; d++) (*rows)[d] = (uint32_t)d;
    return count;
}

size_t job_run_sample_documents(const char ***texts, const struct job_run *run, size_t most)
{
    uint32_t *rows;
    size_t all = job_run_train_documents(&rows, run), n = all < most ? all : most;
    *texts = xcalloc(n, sizeof **texts);
    for (size_t i = 0; i < n; i++)
        (*texts)[i] = run->collection.documents.values[rows[i * all / n]];
    free(rows);
    return n;
}

static size_t calibrating_pairs(const struct job_run *run, const char *first[MAX_PROBES],
                                const char *second[MAX_PROBES])
{
    const struct texts *all = &run->collection.documents;
    const struct pair_set *set = &run->train_pairs;
    size_t n = set->count < MAX_PROBES ? set->count : MAX_PROBES;
    for (size_t i = 0; i < n; i++) {
        const struct scored_pair *pair = &set->pairs[i * set->count / n];
        first[i] = all->values[pair->first];
        second[i] = all->values[pair->second];
    }
    return n;
}

/* Train queries, each with a document that is relevant to it and with one that need not be. */
static size_t calibrating_queries(const struct job_run *run, const char *queries[MAX_PROBES],
                                  const char *documents[MAX_PROBES])
{
    const struct texts *all = &run->collection.documents;
    size_t most = MAX_PROBES / 2, count = 0;
    size_t n = run->train.count < most ? run->train.count : most;
    for (size_t i = 0; i < n; i++) {
        uint32_t *relevant, q = (uint32_t)(i * run->train.count / n);
        size_t found = relevant_rows(&relevant, &run->collection, run->train.judged[q]);
        size_t rows[] = {i * all->count / n,
                         found ? relevant[0] : (i + n / 2) % n * all->count / n};
        for (int d = 0; d < 2; d++) {
            queries[count] = run->collection.queries.values[run->train.rows[q]];
            documents[count++] = all->values[rows[d]];
        }
        free(relevant);
    }
    return count;
}

static void calibrate_teacher(struct job_run *run)
{
    const char *first[MAX_PROBES], *second[MAX_PROBES];
    size_t count = job_has_pairs(run->job) ? calibrating_pairs(run, first, second)
                                           : calibrating_queries(run, first, second);
    cross_encoder_calibrate(run->teacher, run->pool, first, second, count,
                            cross_encoder_max_length(run->teacher, run->job->teacher.max_length));
}

const struct cross_encoder *job_run_teacher(struct job_run *run, struct error *err)
{
    bool was_open = run->teacher;
    if (!was_open &&
        cross_encoder_open(&run->teacher, run->teacher_folder, run->job->teacher.precision, err))
        return NULL;
    if (!was_open && cross_encoder_encoder(run->teacher)->precision == PRECISION_INT8)
        calibrate_teacher(run);
    return run->teacher;
}

void job_run_forget_teacher(struct job_run *run)
{
    cross_encoder_close(run->teacher);
    run->teacher = NULL;
}
