/* The evaluate stage: all systems on the test split, in one table; and the student on dev, where
 * the point to ship is picked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/output.h"
#include "data/progress.h"
#include "student/bm25.h"
#include "distill/differences.h"
#include "distill/evaluation.h"
#include "distill/grid.h"
#include "distill/student_init.h"
#include "distill/teacher_scores.h"
#include "teacher/rerank.h"

struct evaluate_stage {
    struct job_run *run;
    struct evaluation test, dev;
    struct collection texts; /* of pairs: those of test and dev alone, which their copies name */
    struct pair_set test_pairs, dev_pairs;
    char *trec_folder;
};

/* ---- BM25 and the teacher ---- */

/* The first `most` documents of each test query, sorted. */
static void bm25_run(struct run *out, const struct evaluate_stage *stage, const struct bm25 *index,
                     int most)
{
    const struct job_run *run = stage->run;
    const struct collection *collection = stage->test.collection;
    size_t depth = (size_t)most + 1; /* one may be the query itself */
    struct hit *hits = xcalloc(depth, sizeof *hits);
    *out = (struct run){0};
    for (size_t q = 0; q < run->test.count; q++) {
        uint32_t row = run->test.rows[q];
        const char *id = collection->queries.ids[row];
        size_t found = bm25_search(index, collection->queries.values[row], depth, hits);
        for (size_t h = 0, kept = 0; h < found && kept + 1 < depth; h++) {
            const char *document = collection->documents.ids[hits[h].row];
            if (run->job->data.drop_same_id && strcmp(document, id) == 0) continue;
            run_add(out, id, document, hits[h].score, "bm25");
            kept++;
        }
    }
    run_sort(out);
    free(hits);
}

static int evaluate_teacher(struct evaluate_stage *stage, const struct run *bm25, struct error *err)
{
    struct job_run *run = stage->run;
    struct rerank_list list;
    struct run reranked;
    size_t missing;
    rerank_list_of(&list, bm25, (size_t)run->job->evaluate.rerank_depth, &run->collection.queries,
                   &run->collection.documents);
    const struct row_pairs pairs = {list.queries, list.documents, list.count,
                                    stage->test.collection};
    float *scores = xcalloc(list.count, sizeof *scores);
    int status = teacher_scores(scores, run, "rerank.cache", &pairs, false, &missing, err);
    if (!status) {
        rerank_run(&reranked, &list, scores, "teacher");
        if (missing)
            note("evaluate: %zu of the %zu pairs of test queries that the teacher re-ranks have "
                 "no score in teacher.scores%s",
                 missing, list.count, reranked.count ? "" : ": it is left out of the grid");
        if (reranked.count) status = evaluate_run(&stage->test, "teacher", 0, 0, &reranked, err);
        run_free(&reranked);
    }
    free(scores);
    rerank_list_free(&list);
    return status;
}

static int evaluate_teacher_pairs(struct evaluate_stage *stage, struct error *err)
{
    struct job_run *run = stage->run;
    size_t n = run->test_pairs.count;
    if (!(run->job->evaluate.systems & SYSTEM_TEACHER) || !job_has_pair_scores(run->job)) return 0;
    float *logits = xcalloc(n, sizeof *logits);
    double *scores = xcalloc(n, sizeof *scores);
    int status = job_run_score_pairs(run, "rerank.cache", &run->test_pairs, logits, err);
    for (size_t i = 0; i < n; i++) scores[i] = (double)logits[i];
    if (!status) status = evaluate_scores(&stage->test, "teacher", 0, 0, scores, err);
    free(scores);
    free(logits);
    return status;
}

/* What the teacher re-ranks may be longer than what the systems are measured on. */
static int evaluate_lexical(struct evaluate_stage *stage, struct error *err)
{
    const struct job_run *run = stage->run;
    int systems = run->job->evaluate.systems, status = 0;
    if (systems & SYSTEM_TEACHER && !job_has_scores(run->job)) {
        note(
            "evaluate: no teacher scores pairs (teacher.model is none): none re-ranks BM25's list");
        systems &= ~SYSTEM_TEACHER;
    }
    if (!(systems & (SYSTEM_BM25 | SYSTEM_TEACHER))) return 0;
    struct run ranked;
    const struct texts *documents = &stage->test.collection->documents;
    struct bm25 *index = bm25_build(documents->values, documents->count, run->job->mine.bm25_k1,
                                    run->job->mine.bm25_b, run->pool);
    if (systems & SYSTEM_BM25) {
        bm25_run(&ranked, stage, index, stage->test.depth);
        status = evaluate_run(&stage->test, "bm25", 0, 0, &ranked, err);
        run_free(&ranked);
    }
    if (!status && systems & SYSTEM_TEACHER) {
        bm25_run(&ranked, stage, index, run->job->evaluate.rerank_depth);
        status = evaluate_teacher(stage, &ranked, err);
        run_free(&ranked);
    }
    bm25_free(index);
    return status;
}

/* ---- students ---- */

/* A PCA of unit vectors of documents, z [n, output_size]: so many have no more components. */
static int fit_pca(struct pca *pca, const float *z, size_t n, int width, struct error *err)
{
    float *unit = xaligned(n * (size_t)width, sizeof *unit);
    vectors_cut(unit, z, n, width, width, true);
    int status = pca_fit(pca, unit, n, width, n < (size_t)width ? (int)n : width, false, err);
    free(unit);
    return status;
}

/* Rows of z [n, pca->input_size], made unit and projected: [n, pca->output_size]. */
static float *project_unit(const struct pca *pca, const float *z, size_t n)
{
    int width = pca->input_size;
    float *unit = xaligned(n * (size_t)width, sizeof *unit);
    float *out = xaligned(n * (size_t)pca->output_size, sizeof *out);
    vectors_cut(unit, z, n, width, width, true);
    pca_apply(pca, unit, n, out);
    free(unit);
    return out;
}

/* One layer of the student: zq of test's queries, zd of its documents, all its dimensions. */
static int evaluate_pca_layer(struct evaluate_stage *stage, const struct pca *pca, int layer,
                              const float *zq, const float *zd, struct error *err)
{
    float *q = project_unit(pca, zq, stage->run->test.count);
    float *d = project_unit(pca, zd, stage->test.collection->documents.count);
    const struct vector_pair vectors = {
        .zq = q, .zd = d, .width = pca->output_size, .texts_per_s = NAN};
    int status = evaluate_vectors(&stage->test, "pca", layer, &stage->run->job->evaluate.dims,
                                  &vectors, err);
    free(q);
    free(d);
    return status;
}

/* What cutting costs without Matryoshka training: at each layer a PCA of the documents that
 * training may look at, which of pairs are those of train. */
static int evaluate_pca(struct evaluate_stage *stage, const struct dual_encoder *de,
                        const struct layer_vectors *documents, struct error *err)
{
    const struct job_run *run = stage->run;
    const struct int_list *layers = &run->job->evaluate.layers;
    const struct layer_vectors *learnt = documents;
    struct collection texts = *stage->test.collection;
    struct layer_vectors train = {0}, queries;
    int status = 0;
    if (stage->test.pairs) {
        struct evaluation of_train = stage->test;
        texts.documents.count = job_run_sample_documents(&texts.documents.values, run, SIZE_MAX);
        of_train.collection = &texts;
        documents_at_layers(&train, &of_train, de, layers);
        learnt = &train;
        free(texts.documents.values);
    }
    queries_at_layers(&queries, &stage->test, de, layers);
    for (size_t l = 0; l < layers->count && !status; l++) {
        struct pca pca = {0};
        status = fit_pca(&pca, learnt->z[l], texts.documents.count, de->output_size, err);
        if (!status)
            status = evaluate_pca_layer(stage, &pca, layers->items[l], queries.z[l],
                                        documents->z[l], err);
        pca_free(&pca);
    }
    layer_vectors_free(&queries);
    layer_vectors_free(&train);
    return status;
}

/* On dev, with the test split's document vectors where its documents are the same. */
static int evaluate_dev(struct evaluate_stage *stage, const struct dual_encoder *de,
                        const struct layer_vectors *documents, struct error *err)
{
    const struct job *job = stage->run->job;
    const struct int_list *layers = &job->evaluate.layers, *dims = &job->evaluate.dims;
    struct layer_vectors own = {0};
    if (stage->dev.collection->documents.values != stage->test.collection->documents.values) {
        documents_at_layers(&own, &stage->dev, de, layers);
        documents = &own;
    }
    int status = evaluate_encoder(&stage->dev, "student", de, layers, dims, documents, err);
    layer_vectors_free(&own);
    return status;
}

/* The student itself is measured on dev too, and its vectors are what a PCA cuts. */
static int evaluate_student(struct evaluate_stage *stage, const char *system, const char *weights,
                            struct error *err)
{
    const struct job *job = stage->run->job;
    const struct int_list *layers = &job->evaluate.layers, *dims = &job->evaluate.dims;
    bool is_student = strcmp(system, "student") == 0;
    struct dual_encoder de;
    struct layer_vectors documents;
    char *path = job_run_path(stage->run, weights);
    int status = student_load(&de, stage->run, path, err);
    free(path);
    if (status) return -1;
    documents_at_layers(&documents, &stage->test, &de, layers);
    status = evaluate_encoder(&stage->test, system, &de, layers, dims, &documents, err);
    if (!status && is_student) status = evaluate_dev(stage, &de, &documents, err);
    if (!status && is_student && job->evaluate.systems & SYSTEM_PCA)
        status = evaluate_pca(stage, &de, &documents, err);
    layer_vectors_free(&documents);
    dual_encoder_free(&de);
    return status;
}

static int evaluate_baseline(struct evaluate_stage *stage, const char *folder, struct error *err)
{
    struct dual_encoder de;
    if (dual_encoder_open(&de, folder, 0, stage->run->job->precision, err)) return -1;
    const char *slash = strrchr(folder, '/');
    struct int_list layers = {&de.encoder.config.num_layers, 1}, dims = {&de.output_size, 1};
    struct layer_vectors documents;
    struct evaluation *test = &stage->test;
    int query_tokens = test->max_query_tokens, document_tokens = test->max_document_tokens;
    test->max_query_tokens = test->max_document_tokens =
        0; /* its own limits, as it was published */
    documents_at_layers(&documents, test, &de, &layers);
    int status = evaluate_encoder(test, slash && slash[1] ? slash + 1 : folder, &de, &layers, &dims,
                                  &documents, err);
    test->max_query_tokens = query_tokens;
    test->max_document_tokens = document_tokens;
    layer_vectors_free(&documents);
    dual_encoder_free(&de);
    return status;
}

static int evaluate_systems(struct evaluate_stage *stage, struct error *err)
{
    const struct job *job = stage->run->job;
    int systems = job->evaluate.systems;
    if (job_has_pairs(job) ? evaluate_teacher_pairs(stage, err) : evaluate_lexical(stage, err))
        return -1;
    if (systems & SYSTEM_INIT && evaluate_student(stage, "init", "train/init.safetensors", err))
        return -1;
    if (systems & SYSTEM_NO_TEACHER &&
        evaluate_student(stage, "no-teacher", "train/no-teacher.safetensors", err))
        return -1;
    if (evaluate_student(stage, "student", "train/distil.safetensors", err)) return -1;
    for (size_t b = 0; b < job->evaluate.baselines.count; b++)
        if (evaluate_baseline(stage, job->evaluate.baselines.items[b], err)) return -1;
    return 0;
}

/* ---- the tables ---- */

static void fill_grid(struct grid *grid, const struct evaluation *evaluation, const struct job *job)
{
    char names[MAX_MEASURES][32];
    const char *pointers[MAX_MEASURES];
    for (size_t m = 0; m < evaluation->num_measures; m++) {
        evaluation_measure_name(names[m], evaluation, m);
        pointers[m] = names[m];
    }
    grid_init(grid, pointers, (int)evaluation->num_measures);
    for (size_t r = 0; r < evaluation->count; r++) {
        const struct evaluated *from = &evaluation->rows[r];
        struct grid_row *row = grid_add(grid, from->system, from->layers, from->dim);
        for (size_t m = 0; m < evaluation->num_measures; m++)
            row->values[m] = evaluated_interval(evaluation, from, m, job->evaluate.resamples,
                                                (uint64_t)job->seed);
        row->texts_per_s = from->texts_per_s;
        row->bytes_per_vector = from->bytes_per_vector;
        row->ms_per_query = from->ms_per_query;
    }
}

static int write_grid(const struct evaluate_stage *stage, const struct evaluation *evaluation,
                      const char *name, bool show, struct error *err)
{
    struct grid grid = {0};
    fill_grid(&grid, evaluation, stage->run->job);
    char *path = job_run_path(stage->run, name);
    int status = grid_write(&grid, path, err);
    free(path);
    if (!status && show) {
        struct text table = {0};
        grid_print(&grid, GRID_PLAIN, false, &table);
        for (char *line = strtok(table.bytes, "\n"); line; line = strtok(NULL, "\n"))
            note("%s", line);
        text_free(&table);
    }
    grid_free(&grid);
    return status;
}

/* Whether a row of another system is what the student's row at this point is compared with: the
 * same point, or the only row of a system that has one (BM25, the teacher, a baseline). */
static bool is_opponent(const struct evaluated *student, const struct evaluated *other)
{
    static const char *const with_grid[] = {"init", "no-teacher", "pca"};
    if (strcmp(other->system, "student") == 0) return false;
    for (size_t g = 0; g < sizeof with_grid / sizeof *with_grid; g++)
        if (strcmp(other->system, with_grid[g]) == 0)
            return other->layers == student->layers && other->dim == student->dim;
    return true;
}

static void add_differences(struct differences *out, const struct evaluation *evaluation,
                            const struct job *job, const struct evaluated *student,
                            const struct evaluated *other)
{
    for (size_t m = 0; m < evaluation->num_measures; m++) {
        char name[32];
        evaluation_measure_name(name, evaluation, m);
        struct difference difference = {.system_a = "student",
                                        .system_b = other->system,
                                        .measure = name,
                                        .layers = student->layers,
                                        .dim = student->dim,
                                        .value = evaluated_difference(evaluation, student, other, m,
                                                                      job->evaluate.resamples,
                                                                      (uint64_t)job->seed)};
        differences_add(out, &difference);
    }
}

static void fill_differences(struct differences *out, const struct evaluation *evaluation,
                             const struct job *job)
{
    for (size_t a = 0; a < evaluation->count; a++) {
        if (strcmp(evaluation->rows[a].system, "student") != 0) continue;
        for (size_t b = 0; b < evaluation->count; b++)
            if (is_opponent(&evaluation->rows[a], &evaluation->rows[b]))
                add_differences(out, evaluation, job, &evaluation->rows[a], &evaluation->rows[b]);
    }
}

static int write_differences(const struct evaluate_stage *stage, struct error *err)
{
    struct differences differences = {0};
    fill_differences(&differences, &stage->test, stage->run->job);
    char *path = job_run_path(stage->run, "differences.tsv");
    int status = differences_write(&differences, path, err);
    free(path);
    differences_free(&differences);
    return status;
}

static void take_pairs(struct evaluate_stage *stage)
{
    pair_set_copy(&stage->test_pairs, &stage->run->test_pairs);
    pair_set_copy(&stage->dev_pairs, &stage->run->dev_pairs);
    struct pair_set *const sets[] = {&stage->test_pairs, &stage->dev_pairs};
    pair_sets_texts(&stage->texts, sets, 2, &stage->run->collection);
}

static int prepare(struct evaluate_stage *stage, struct error *err)
{
    struct job_run *run = stage->run;
    const struct job *job = run->job;
    bool pairs = job_has_pairs(job);
    if (pairs) take_pairs(stage);
    struct evaluation common = {.collection = pairs ? &stage->texts : &run->collection,
                                .pairs = pairs ? &stage->test_pairs : NULL,
                                .pool = run->pool,
                                .cosine = job->distill.similarity == SIMILARITY_COSINE,
                                .drop_same_id = job->data.drop_same_id,
                                .max_query_tokens = job->data.max_query_tokens,
                                .max_document_tokens = job->data.max_document_tokens};
    if (evaluation_measures(&common, job->evaluate.measures.items, job->evaluate.measures.count,
                            err))
        return -1;
    stage->test = stage->dev = common;
    if (!pairs) stage->dev.collection = &run->dev_collection;
    if (run->test_is_dev) stage->test.collection = stage->dev.collection;
    stage->test.queries = &run->test;
    stage->test.trec_folder = stage->trec_folder;
    stage->test.timed = stage->dev.timed = true;
    stage->dev.queries = &run->dev;
    stage->dev.pairs = pairs ? &stage->dev_pairs : NULL;
    return make_folder(stage->trec_folder, err);
}

int evaluate_stage(struct job_run *run, struct error *err)
{
    struct evaluate_stage stage = {
        .run = run, .trec_folder = job_run_path(run, job_has_pairs(run->job) ? "pairs" : "trec")};
    int status = prepare(&stage, err);
    if (!status) status = evaluate_systems(&stage, err);
    if (!status) status = write_grid(&stage, &stage.dev, "grid_dev.tsv", false, err);
    if (!status) status = write_differences(&stage, err);
    if (!status) status = write_grid(&stage, &stage.test, "grid.tsv", true, err);
    evaluation_free(&stage.test);
    evaluation_free(&stage.dev);
    pair_sets_texts_free(&stage.texts);
    pair_set_free(&stage.test_pairs);
    pair_set_free(&stage.dev_pairs);
    free(stage.trec_folder);
    return status;
}
