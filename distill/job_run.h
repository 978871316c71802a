/* One run of a job: its folder, what its stages share, and which stages are done.
 *
 * Stages meet in files: each reads what earlier ones wrote in the run folder, also within one
 * process.  A stage is done when stages/NAME holds the hash of everything that it depends on: the
 * job keys that it names, the stages before it, the teacher's and the collection's content.  A
 * rerun does only what changed.
 *
 *     runs/NAME/
 *       job.yaml manifest.json log.txt     the resolved job; hashes, versions, times; what it said
 *       stages/                            one small file a finished stage
 *       progress.tsv                       what it does now, or where it stopped; none at its end
 *       made/                              queries made from the documents, as BEIR has them
 *       made.tsv                           what the teacher says of each of them
 *       teacher/                           the taught teacher, where teacher.model is teach
 *       probe.tsv representations/ targets/ pca.safetensors
 *       candidates.trec scores.cache scores.trec rerank.cache; of pairs scores.tsv
 *       teachers.tsv                       how several teachers' scores were brought together
 *       train/                             checkpoints, weights and logs of each phase
 *       grid.tsv differences.tsv trec/     the grid, paired differences, a TREC run for each (of
 *                                          pairs pairs/: the scores)
 *       grid_dev.tsv                       the student's grid on dev, where the point is picked
 *       student/                           a sentence-transformers folder of all layers and dims
 *       export/                            the picked model
 *       report.html                        one page that shows all this
 */
#ifndef RETORT_JOB_RUN_H
#define RETORT_JOB_RUN_H

#include "distill/job.h"
#include "distill/made_queries.h"
#include "distill/pair_set.h"
#include "distill/query_set.h"
#include "teacher/scorer.h"

struct job_run {
    const struct job *job;
    char *folder;
    int lock; /* one run works in a folder at a time; -1: not held */
    struct pool *pool;
    struct collection collection;
    struct made_queries made; /* none where data.queries is labelled */
    struct query_set train, dev, test;
    struct pair_set train_pairs, dev_pairs, test_pairs; /* where the job is of pairs */
    struct collection dev_collection; /* what dev queries search: made_queries_hidden */
    bool test_is_dev;                 /* there is no test split: `test` is dev */
    char *teacher_folder;             /* teacher.model, or folder/teacher where it is taught */
    struct cross_encoder *teacher;    /* opened by job_run_teacher */
    char collection_hash[33];
    /* of the teacher; of what it is taught from, where it is taught; "none" where it is absent */
    char teacher_hash[33];
    char init_hash[33]; /* of student.init.from, or "" */
    /* of the files of teacher.scores, distill.hpd.encoder, distill.hpd.targets and
     * evaluate.baselines, or "" */
    char scores_hash[33], encoder_hash[33], targets_hash[33], baselines_hash[33];
};

/* Reads the collection, makes queries where the job does, splits them or the pairs, makes the
 * folder and its log; until: as for job_run_stages, whose stages must not lack queries. */
int job_run_open(struct job_run *out, const struct job *job, const char *folder, const char *until,
                 struct error *err);
void job_run_close(struct job_run *run);
/* Documents and queries of the collection, spread over it, to try a model on; how many. */
enum { MAX_PROBES = 512 };
size_t job_run_texts(const char *texts[MAX_PROBES], const struct job_run *run);
/* Rows of the documents that training may look at, rising: all, or of pairs those of the train
 * split; *rows is allocated. */
size_t job_run_train_documents(uint32_t **rows, const struct job_run *run);
/* At most so many of them, evenly spread; *texts is allocated, the texts are the collection's. */
size_t job_run_sample_documents(const char ***texts, const struct job_run *run, size_t most);
/* The cross-encoder, which is not absent, opened at the first call and kept; NULL with *err.  In
 * int8, calibrated for pairs of the collection. */
const struct cross_encoder *job_run_teacher(struct job_run *run, struct error *err);
/* Raw logits of n pairs, kept in the run folder's file `cache` (stage_score.c). */
int job_run_score(struct job_run *run, const char *cache, size_t n, scorer_pair *pair,
                  const void *list, float *scores, struct error *err);
/* The same of a set of pairs, train's or test's; where teacher.model is absent, the cosines of the
 * vectors that HPD copies. */
int job_run_score_pairs(struct job_run *run, const char *cache, const struct pair_set *set,
                        float *scores, struct error *err);
void job_run_forget_teacher(struct job_run *run); /* releases its memory */
/* folder/name, freshly allocated. */
char *job_run_path(const struct job_run *run, const char *name);

struct stage {
    const char *name, *summary;
    /* Words separated by spaces.  keys: job keys, or prefixes, that what it makes depends on.
     * parts: those that choose which parts of it are made; after a change it runs again, but finds
     * the parts that it has.  after: stages it reads from; they stand before it in the list. */
    const char *keys, *parts, *after;
    int (*work)(struct job_run *run, struct error *err);
    bool (*wanted)(const struct job *job); /* NULL: always */
};
bool stage_is_wanted(const struct stage *stage, const struct job *job);
extern const struct stage job_stages[]; /* ends with a zeroed row */
/* Of `--until NAME`: fails where no stage has that name, and says which there are; whether a run up
 * to and including it (NULL: to the end) asks for test queries. */
int stage_check_name(const char *until, struct error *err);
bool stages_need_test(const char *until);
/* What it leaves in the run's folder, files and folders, NULL at the end; NULL: nothing to list. */
const char *const *stage_files(const char *stage);

/* Does what is not yet done, up to and including the stage `until` (NULL: all). */
int job_run_stages(struct job_run *run, const char *until, struct error *err);
/* What the stage's mark holds: its key, and the seconds it took; false where it has none. */
bool stage_mark_read(char key[33], double *seconds, const char *folder, const char *stage);
/* Fails where the folder is not one of a run. */
int run_folder_check(const char *folder, struct error *err);
/* Hash of everything that what the stage makes depends on: not of `parts`. */
struct hash128 job_run_stage_hash(const struct job_run *run, const char *stage);
/* Whether the stage would be skipped. */
bool stage_is_done(const struct job_run *run, const struct stage *stage);

/* The stages (distill/stage_*.c). */
int queries_stage(struct job_run *run, struct error *err);
int teach_stage(struct job_run *run, struct error *err);
int embed_stage(struct job_run *run, struct error *err);
int mine_stage(struct job_run *run, struct error *err);
int score_stage(struct job_run *run, struct error *err);
int train_stage(struct job_run *run, struct error *err);
int evaluate_stage(struct job_run *run, struct error *err);
int export_stage(struct job_run *run, struct error *err);
int report_stage(struct job_run *run, struct error *err);

#endif
