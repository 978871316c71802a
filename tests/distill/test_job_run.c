/* distill/job_run: what each stage depends on. */
#include "distill/job_run.h"
#include "distill/job_keys.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"

static const char text[] = "name: x\ndata: {collection: /c}\nteacher: {model: /t}\n"
                           "mine: {sources: [bm25, teacher]}\n";
static const char labels_alone[] = "name: x\ndata: {collection: /c}\nteacher: {model: none}\n"
                                   "student: {init: {from: /s}}\n";
static const char pairs_alone[] = "name: x\ndata: {pairs: /p}\nteacher: {model: none}\n"
                                  "student: {init: {from: /s}}\ndistill: {seed: 13}\n";

static struct job job_of(const char *yaml, const char *setting)
{
    struct job job;
    struct error err = {0};
    const char *items[] = {setting};
    const struct string_list settings = {.items = items, .count = setting != NULL};
    check_ok(job_read_string(&job, "/x.yaml", yaml, &settings, &err), &err);
    return job;
}

static struct job job_with(const char *setting)
{
    return job_of(text, setting);
}

static struct hash128 hash_of(const char *yaml, const char *setting, const char *stage)
{
    struct job job = job_of(yaml, setting);
    const struct job_run run = {.job = &job};
    struct hash128 hash = job_run_stage_hash(&run, stage);
    job_free(&job);
    return hash;
}

static struct hash128 hash_with(const char *setting, const char *stage)
{
    return hash_of(text, setting, stage);
}

START_TEST(a_key_changes_its_stage_and_those_behind)
{
    static const struct {
        const char *setting, *first; /* first stage whose result changes; NULL: none */
    } changes[] = {{"seed=14", "embed"},
                   {"probe.queries=9", "embed"},
                   {"data.drop_same_id=true", "embed"},
                   {"data.dev_fraction=0.2", "embed"},
                   {"student.projection=64", "embed"},
                   {"mine.depth=50", "mine"},
                   {"data.max_train_queries=7", "mine"},
                   {"mine.false_negative_margin=2", "score"},
                   {"teacher.max_length=100", "score"},
                   {"distill.teacher_temperature=0.2", "score"},
                   {"data.query_prefix=find", "train"},
                   {"data.max_query_tokens=10", "embed"},
                   {"distill.epochs=2", "train"},
                   {"distill.loss.info_nce=0.5", "train"},
                   {"student.taps=[[1, 64], [3, 128]]", "train"},
                   {"mine.negatives_per_query=3", "train"},
                   {"distill.seed=14", "train"},
                   {"distill.patience=2", "train"},
                   {"distill.average=ema", "train"},
                   {"distill.layer_decay=0.9", "train"},
                   {"mine.refresh_steps=10", "train"},
                   {"mine.refresh_depth=10", "train"},
                   {"evaluate.dims=[8, 16]", "evaluate"},
                   {"evaluate.rerank_depth=3", "evaluate"},
                   {"evaluate.systems=[student]", "evaluate"},
                   {"data.test_split=other", "evaluate"},
                   {"export.pick=layers = 1 dim = 16", "export"},
                   {"card.license=Apache-2.0", "export"},
                   {"teach.epochs=9", NULL}, /* the teacher is given */
                   {"threads=1", NULL},
                   {"distill.checkpoint_minutes=5", NULL},
                   {"name=y", "report"}};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        bool changed = false;
        for (const struct stage *stage = job_stages; stage->name; stage++) {
            struct hash128 a = hash_with(NULL, stage->name);
            struct hash128 b = hash_with(changes[c].setting, stage->name);
            bool differs = a.low != b.low || a.high != b.high;
            bool is_first = changes[c].first && strcmp(stage->name, changes[c].first) == 0;
            changed = changed || is_first;
            ck_assert_msg(differs == changed, "%s: stage %s %s", changes[c].setting, stage->name,
                          differs ? "changes" : "does not change");
        }
    }
}
END_TEST

/* Without vectors there is no embed stage, of pairs no mine stage, that would depend on them. */
START_TEST(training_alone_has_its_own_keys)
{
    static const struct {
        const char *yaml, *setting;
    } changes[] = {{labels_alone, "data.max_query_tokens=10"},
                   {labels_alone, "data.max_document_tokens=10"},
                   {pairs_alone, "data.max_document_tokens=10"},
                   {pairs_alone, "seed=14"}};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        struct hash128 a = hash_of(changes[c].yaml, "distill.max_document_tokens=5", "train");
        const char *setting = changes[c].setting;
        struct job job = job_of(changes[c].yaml, setting);
        const struct job_run run = {.job = &job};
        job.distill.max_document_tokens = 5;
        struct hash128 b = job_run_stage_hash(&run, "train");
        ck_assert_msg(a.low != b.low || a.high != b.high, "%s", setting);
        job_free(&job);
    }
}
END_TEST

/* A taught teacher's keys change every stage; a given one's job has no such stage. */
START_TEST(a_taught_teacher_is_the_first_stage)
{
    struct job given = job_with(NULL), taught = job_with("teacher.model=teach");
    ck_assert_str_eq(job_stages[0].name, "teach");
    ck_assert(!stage_is_wanted(&job_stages[0], &given));
    ck_assert(stage_is_wanted(&job_stages[0], &taught));
    ck_assert_str_eq(job_stages[1].name, "queries");
    ck_assert(!stage_is_wanted(&job_stages[1], &given));
    ck_assert(stage_is_wanted(&job_stages[2], &given));
    struct job words = job_with("mine.sources=[bm25]");
    ck_assert(!stage_is_wanted(&job_stages[2], &words));
    job_free(&words);
    const struct job_run run = {.job = &taught};
    struct hash128 before = job_run_stage_hash(&run, "report");
    taught.teach.epochs++;
    struct hash128 after = job_run_stage_hash(&run, "report");
    ck_assert(before.low != after.low);
    job_free(&given);
    job_free(&taught);
}
END_TEST

/* Where queries are made, their keys change all behind them; where none are, none but score's and
 * train's, which are the same for all jobs. */
START_TEST(keys_of_made_queries_count_where_some_are_made)
{
    static const struct {
        const char *key, *first;
    } changes[] = {{"data.made.per_document", "queries"},
                   {"data.made.queries", "queries"},
                   {"data.made.min_words", "queries"},
                   {"data.made.max_words", "queries"},
                   {"data.made.keep", "score"}};
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        char setting[64];
        struct hash128 hashes[2][2][2]; /* made, changed, before `first` or at it */
        snprintf(setting, sizeof setting, "%s=7", changes[c].key);
        for (int made = 0; made < 2; made++)
            for (int changed = 0; changed < 2; changed++) {
                struct job job = job_with(changed ? setting : NULL);
                const struct job_run run = {.job = &job};
                if (made) job.data.queries = QUERIES_MADE;
                hashes[made][changed][0] = job_run_stage_hash(&run, "mine");
                hashes[made][changed][1] = job_run_stage_hash(&run, "score");
                job_free(&job);
            }
        bool early = strcmp(changes[c].first, "queries") == 0;
        ck_assert_int_eq(hashes[1][0][0].low != hashes[1][1][0].low, early);
        ck_assert(hashes[1][0][1].low != hashes[1][1][1].low);
        ck_assert(hashes[0][0][0].low == hashes[0][1][0].low);
        ck_assert(hashes[0][0][0].low != hashes[1][0][0].low);
    }
}
END_TEST

static bool names_key(const char *words, const char *key)
{
    while (*words) {
        size_t length = strcspn(words, " ");
        if (strncmp(words, key, length) == 0 && (key[length] == '\0' || key[length] == '.'))
            return true;
        words += length + (words[length] == ' ');
    }
    return false;
}

START_TEST(every_key_belongs_to_a_stage)
{
    /* The collection and the models count by their content; the others change no result. */
    static const char others[] =
        "data.collection data.pairs teacher.model name threads distill.checkpoint_minutes";
    for (int row = 0; row < job_key_count(); row++) {
        bool found = names_key(others, job_keys[row].name);
        for (const struct stage *stage = job_stages; stage->name; stage++)
            found = found || names_key(stage->keys, job_keys[row].name);
        ck_assert_msg(found, "%s changes no stage", job_keys[row].name);
    }
}
END_TEST

START_TEST(stages_name_keys_and_stages_that_are_there)
{
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        const char *const lists[] = {stage->keys, stage->parts, stage->after};
        for (int l = 0; l < 3; l++)
            for (const char *at = lists[l]; *at; at += strspn(at, " ")) {
                size_t length = strcspn(at, " ");
                char *word = xstrndup(at, length);
                bool known = l < 2 && (job_key_find(word) >= 0 || job_key_is_section(word));
                for (const struct stage *s = job_stages; l == 2 && s != stage; s++)
                    known = known || strcmp(s->name, word) == 0;
                ck_assert_msg(known, "stage %s names %s", stage->name, word);
                free(word);
                at += length;
            }
    }
}
END_TEST

START_TEST(a_stage_is_done_where_its_mark_says_so)
{
    struct error err = {0};
    struct job job = job_with(NULL);
    char *folder = path_join(scratch_folder(), "run"), *marks = path_join(folder, "stages");
    const struct job_run run = {.job = &job, .folder = folder};
    const struct stage *mine = job_stages;
    while (strcmp(mine->name, "mine") != 0) mine++;
    check_ok(make_folder(marks, &err), &err);
    ck_assert(!stage_is_done(&run, mine));
    free(scratch_file("run/stages/mine", "0123", 4));
    ck_assert(!stage_is_done(&run, mine));
    struct hash128 hash = job_run_stage_hash(&run, "mine");
    char *mark = xasprintf("%016llx%016llx\t1.0\n", (unsigned long long)hash.high,
                           (unsigned long long)hash.low);
    free(scratch_file("run/stages/mine", mark, strlen(mark)));
    ck_assert(stage_is_done(&run, mine));
    job_free(&job);
    free(mark), free(marks), free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_key_changes_its_stage_and_those_behind),
                                    TEST(training_alone_has_its_own_keys),
                                    TEST(a_taught_teacher_is_the_first_stage),
                                    TEST(keys_of_made_queries_count_where_some_are_made),
                                    TEST(every_key_belongs_to_a_stage),
                                    TEST(stages_name_keys_and_stages_that_are_there),
                                    TEST(a_stage_is_done_where_its_mark_says_so),
                                    {0}};
    return run_tests("distill/job_run", rows);
}
