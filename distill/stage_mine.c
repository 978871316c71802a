/* The mine stage: candidates of all train queries (for the teacher) and dev queries (for the dev
 * pool), by BM25 and by the teacher's early-layer vectors. */
#include <stdlib.h>

#include "data/json.h"
#include "data/npy.h"
#include "data/progress.h"
#include "distill/job_run.h"
#include "distill/probe.h"
#include "distill/ranked_rows.h"
#include "student/dual_encoder.h"

struct mine_stage {
    struct job_run *run;
    uint32_t *queries; /* rows: train, then dev */
    const struct judged_query **judged;
    size_t count;
    struct ranked_rows lists[2]; /* BM25, teacher; empty where it is no source */
};

static int read_vectors(const struct job_run *run, struct matrix *documents, struct matrix *queries,
                        struct error *err)
{
    struct json *choice = NULL;
    char *choice_path = job_run_path(run, "representations/choice.json");
    char *document_path = job_run_path(run, "representations/documents.npy");
    char *query_path = job_run_path(run, "representations/queries.npy");
    int status = json_read_file(&choice, choice_path, err) ||
                         npy_read(documents, document_path, err) ||
                         npy_read(queries, query_path, err)
                     ? -1
                     : 0;
    if (!status && json_bool_or(choice, "centred", false)) {
        probe_centre(documents->values, documents->rows, documents->cols);
        probe_centre(queries->values, queries->rows, queries->cols);
    }
    json_free(choice);
    free(choice_path);
    free(document_path);
    free(query_path);
    return status;
}

static int mine_teacher(struct mine_stage *stage, struct error *err)
{
    struct job_run *run = stage->run;
    struct matrix documents = {0}, queries = {0};
    int status = read_vectors(run, &documents, &queries, err);
    if (!status) {
        size_t width = documents.cols;
        float *u = xaligned(stage->count * width, sizeof *u);
        float *v = xaligned(documents.rows * width, sizeof *v);
        for (size_t q = 0; q < stage->count; q++)
            vectors_cut(u + q * width, queries.values + stage->queries[q] * width, 1, (int)width,
                        (int)width, true);
        vectors_cut(v, documents.values, documents.rows, (int)width, (int)width, true);
        rank_by_vectors(&stage->lists[1], u, v, documents.rows, (int)width, run->pool);
        free(v);
        free(u);
    }
    matrix_free(&documents);
    matrix_free(&queries);
    return status;
}

static void gather_queries(struct mine_stage *stage)
{
    struct job_run *run = stage->run;
    struct query_set train;
    query_set_copy(&train, &run->train);
    if (run->job->data.max_train_queries)
        query_set_sample(&train, &run->collection, (size_t)run->job->data.max_train_queries,
                         (uint64_t)run->job->seed);
    stage->count = train.count + run->dev.count;
    stage->queries = xcalloc(stage->count, sizeof *stage->queries);
    stage->judged = xcalloc(stage->count, sizeof *stage->judged);
    for (size_t q = 0; q < stage->count; q++) {
        const struct query_set *set = q < train.count ? &train : &run->dev;
        size_t at = q < train.count ? q : q - train.count;
        stage->queries[q] = set->rows[at];
        stage->judged[q] = set->judged[at];
    }
    query_set_free(&train);
}

static void mine_one(struct mine_stage *stage, struct candidate_sets *sets, size_t q)
{
    const struct job_run *run = stage->run;
    const struct collection *collection = &run->collection;
    struct mined_list lists[2];
    for (size_t l = 0; l < 2; l++) lists[l] = ranked_rows_of(&stage->lists[l], q);
    uint32_t *positives;
    size_t count = relevant_rows(&positives, collection, stage->judged[q]);
    const char *id = collection->queries.ids[stage->queries[q]];
    struct labels labels = {
        .positives = positives,
        .num_positives = count,
        .max_positives = (size_t)run->job->mine.positives,
        .excluded = run->job->data.drop_same_id ? texts_find(&collection->documents, id) : -1};
    mine_query(sets, stage->queries[q], &labels, lists, 2, (size_t)run->job->mine.scored);
    free(positives);
}

static int write_candidates(struct mine_stage *stage, struct error *err)
{
    struct job_run *run = stage->run;
    struct candidate_sets sets;
    candidate_sets_init(&sets, run->collection.queries.count);
    size_t pairs = 0;
    for (size_t q = 0; q < stage->count; q++) mine_one(stage, &sets, q);
    for (size_t q = 0; q < sets.count; q++) pairs += sets.sets[q].count;
    note("mine: %zu candidates for %zu train and dev queries", pairs, stage->count);
    char *path = job_run_path(run, "candidates.trec");
    int status = candidate_sets_write(&sets, &run->collection, path, err);
    free(path);
    candidate_sets_free(&sets);
    return status;
}

int mine_stage(struct job_run *run, struct error *err)
{
    struct mine_stage stage = {.run = run};
    const struct job *job = run->job;
    const int sources[2] = {CANDIDATE_BM25, CANDIDATE_TEACHER};
    gather_queries(&stage);
    for (size_t l = 0; l < 2; l++)
        ranked_rows_init(&stage.lists[l], sources[l], stage.count, (size_t)job->mine.depth);
    if (job->mine.sources & MINE_BM25)
        rank_by_bm25(&stage.lists[0], &run->collection, stage.queries, job->mine.bm25_k1,
                     job->mine.bm25_b, run->pool);
    int status = job->mine.sources & MINE_TEACHER ? mine_teacher(&stage, err) : 0;
    if (!status) status = write_candidates(&stage, err);
    for (size_t l = 0; l < 2; l++) ranked_rows_free(&stage.lists[l]);
    free(stage.queries);
    free(stage.judged);
    return status;
}
