/* The mine stage: candidates of all train queries (for the teacher) and dev queries (for the dev
 * pool), by BM25, by the vectors of the embed stage and by what files of scores hold. */
#include <stdlib.h>

#include "data/json.h"
#include "data/npy.h"
#include "data/progress.h"
#include "distill/mining.h"
#include "distill/probe.h"
#include "student/dual_encoder.h"

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

static int mine_teacher(struct mining *mining, struct error *err)
{
    const struct job_run *run = mining->run;
    struct matrix documents = {0}, queries = {0};
    int status = read_vectors(run, &documents, &queries, err);
    if (!status) {
        size_t width = documents.cols;
        float *u = xaligned(mining->count * width, sizeof *u);
        float *v = xaligned(documents.rows * width, sizeof *v);
        for (size_t q = 0; q < mining->count; q++)
            vectors_cut(u + q * width, queries.values + mining->queries[q] * width, 1, (int)width,
                        (int)width, true);
        vectors_cut(v, documents.values, documents.rows, (int)width, (int)width, true);
        rank_by_vectors(mining_add(mining, CANDIDATE_TEACHER), u, v, documents.rows, (int)width,
                        run->pool);
        free(v);
        free(u);
    }
    matrix_free(&documents);
    matrix_free(&queries);
    return status;
}

/* A list for each file of teacher.scores. */
static int mine_scores(struct mining *mining, struct error *err)
{
    const struct job_run *run = mining->run;
    const struct string_list *files = &run->job->teacher.scores;
    for (size_t f = 0; f < files->count; f++) {
        struct run scores;
        if (run_read_scores(&scores, files->items[f], err)) return -1;
        rank_by_run(mining_add(mining, CANDIDATE_SCORES), &scores, &run->collection,
                    mining->queries);
        run_free(&scores);
    }
    return 0;
}

static int write_candidates(const struct mining *mining, struct error *err)
{
    const struct job_run *run = mining->run;
    struct candidate_sets sets;
    size_t pairs = 0;
    mining_sets(mining, (size_t)run->job->mine.scored, &sets);
    for (size_t q = 0; q < sets.count; q++) pairs += sets.sets[q].count;
    note("mine: %zu candidates for %zu train and dev queries", pairs, mining->count);
    char *path = job_run_path(run, "candidates.trec");
    int status = candidate_sets_write(&sets, &run->collection, path, err);
    free(path);
    candidate_sets_free(&sets);
    return status;
}

int mine_stage(struct job_run *run, struct error *err)
{
    struct mining mining;
    int sources = run->job->mine.sources;
    mining_open(&mining, run, &run->dev);
    if (sources & MINE_BM25) mining_bm25(&mining);
    int status = sources & MINE_TEACHER ? mine_teacher(&mining, err) : 0;
    if (!status && sources & MINE_SCORES) status = mine_scores(&mining, err);
    if (!status) status = write_candidates(&mining, err);
    mining_free(&mining);
    return status;
}
