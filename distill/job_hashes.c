#include "distill/job_hashes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/sts.h"
#include "distill/given_vectors.h"

static void hash_qrels(struct text *all, const struct split *split)
{
    text_printf(all, "%s\n", split->name);
    for (size_t q = 0; q < split->qrels.count; q++) {
        const struct judged_query *query = &split->qrels.queries[q];
        for (size_t j = 0; j < query->count; j++)
            text_printf(all, "%s\t%s\t%d\n", query->id, query->judgements[j].document,
                        query->judgements[j].grade);
    }
}

static void hash_pairs(struct text *all, const struct pair_split *split)
{
    text_printf(all, "%s\n", split->name);
    for (size_t i = 0; i < split->count; i++)
        text_printf(all, "%u\t%u\t%.17g\n", split->pairs[i].first, split->pairs[i].second,
                    split->pairs[i].score);
}

static uint64_t hash_texts(const struct texts *texts, uint64_t hash)
{
    for (size_t i = 0; i < texts->count; i++) {
        hash = hash64(texts->ids[i], strlen(texts->ids[i]) + 1, hash);
        hash = hash64(texts->values[i], strlen(texts->values[i]) + 1, hash);
    }
    return hash;
}

void hash_collection(char hex[33], const struct collection *collection)
{
    struct text all = {0};
    for (size_t s = 0; s < collection->num_splits; s++) hash_qrels(&all, &collection->splits[s]);
    for (size_t s = 0; s < collection->num_pair_splits; s++)
        hash_pairs(&all, &collection->pair_splits[s]);
    uint64_t texts = hash_texts(&collection->queries, hash_texts(&collection->documents, 1));
    uint64_t rest = hash64(all.bytes ? all.bytes : "", all.length, 2);
    hash_hex(hex, (struct hash128){.high = texts, .low = rest});
    text_free(&all);
}

/* Of the weights that the student starts from, where they are not the teacher's. */
static int hash_init(char hex[33], const struct job *job, struct error *err)
{
    *hex = '\0';
    if (job->student.init.kind != INIT_FOLDER) return 0;
    return hash_if_there(hex, job->student.init.from, "model.safetensors", err);
}

static int add_pairs(struct text *all, const char *path, const char *split, struct error *err)
{
    struct sts_pairs pairs;
    if (sts_read(&pairs, path, split, err)) return -1;
    uint64_t hash = 0;
    for (size_t i = 0; i < pairs.count; i++) {
        hash = hash64(pairs.first[i], strlen(pairs.first[i]) + 1, hash);
        hash = hash64(pairs.second[i], strlen(pairs.second[i]) + 1, hash);
        hash = hash64(&pairs.scores[i], sizeof pairs.scores[i], hash);
    }
    sts_free(&pairs);
    text_printf(all, "%s %016llx\n", split, (unsigned long long)hash);
    return 0;
}

/* Of the files that a teacher is taught from, beside the collection. */
static int hash_taught(char hex[33], const struct job *job, struct error *err)
{
    const struct {
        const char *folder, *name;
    } files[] = {
        {job->teach.init, "model.safetensors"},           {job->teach.guide, "model.safetensors"},
        {job->teach.vocabulary, "tokenizer.json"},        {job->teach.vocabulary, "vocab.txt"},
        {job->teach.vocabulary, "tokenizer_config.json"},
    };
    struct text all = {0};
    int status = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files && !status; i++) {
        char of_file[33];
        status = hash_if_there(of_file, files[i].folder, files[i].name, err);
        text_printf(&all, "%s %s\n", files[i].name, of_file);
    }
    bool own =
        strcmp(job->teach.pairs, job->data.pairs) == 0; /* they are in the collection's hash */
    if (!status && !job_is_none(job->teach.pairs) && !own)
        status = add_pairs(&all, job->teach.pairs, "train", err) ||
                 add_pairs(&all, job->teach.pairs, "dev", err);
    hash_hex(hex, hash128(all.bytes, all.length));
    text_free(&all);
    return status ? -1 : 0;
}

/* Of several, each by `hash`; "" where there are none. */
static int hash_each(char hex[33], const struct string_list *paths,
                     int (*hash)(char hex[33], const char *path, struct error *err),
                     struct error *err)
{
    struct text all = {0};
    int status = 0;
    *hex = '\0';
    for (size_t i = 0; i < paths->count && !status; i++) {
        char of_one[33] = "";
        status = hash(of_one, paths->items[i], err);
        text_printf(&all, "%s\n", of_one);
    }
    if (all.length) hash_hex(hex, hash128(all.bytes, all.length));
    text_free(&all);
    return status;
}

/* Of a file by any program; one that is not there yet counts as such. */
static int hash_given(char hex[33], const char *path, struct error *err)
{
    return path_exists(path) ? hash_file(hex, path, err) : 0;
}

/* Of all of a dual encoder's folder that its vectors depend on. */
static int hash_encoder(char hex[33], const char *folder, struct error *err)
{
    static const char *const names[] = {"model.safetensors",
                                        "config.json",
                                        "modules.json",
                                        "1_Pooling/config.json",
                                        "config_sentence_transformers.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "vocab.txt"};
    struct st_config st = {0};
    struct text all = {0};
    char of_file[33];
    int status = st_config_read(&st, folder, err);
    for (size_t i = 0; i < sizeof names / sizeof *names && !status; i++) {
        status = hash_if_there(of_file, folder, names[i], err);
        text_printf(&all, "%s %s\n", names[i], of_file);
    }
    if (!status && st.dense_folder) {
        status = hash_if_there(of_file, st.dense_folder, "model.safetensors", err);
        text_printf(&all, "dense %s %d\n", of_file, (int)st.dense_activation);
    }
    if (!status) hash_hex(hex, hash128(all.bytes, all.length));
    text_free(&all);
    st_config_free(&st);
    return status;
}

/* Of what comes from outside: scores, vectors, and encoders to compare with. */
static int hash_outside(struct job_run *run, struct error *err)
{
    const struct job *job = run->job;
    int status = hash_each(run->scores_hash, &job->teacher.scores, hash_given, err);
    if (!status)
        status = hash_each(run->baselines_hash, &job->evaluate.baselines, hash_encoder, err);
    if (!status && job->distill.hpd.source == VECTORS_ENCODER)
        status = hash_encoder(run->encoder_hash, job->distill.hpd.encoder, err);
    if (!status && job->distill.hpd.source == VECTORS_FILE) {
        char *ids = given_ids_path(job->distill.hpd.targets);
        const char *const both[] = {job->distill.hpd.targets, ids};
        const struct string_list paths = {.items = (const char **)both, .count = 2};
        status = hash_each(run->targets_hash, &paths, hash_given, err);
        free(ids);
    }
    return status;
}

static int hash_teacher(struct job_run *run, struct error *err)
{
    if (run->job->teacher.absent) {
        snprintf(run->teacher_hash, sizeof run->teacher_hash, "none");
        return 0;
    }
    if (run->job->teacher.taught) return hash_taught(run->teacher_hash, run->job, err);
    if (!job_run_teacher(run, err)) return -1;
    hash_hex(run->teacher_hash, cross_encoder_fingerprint(run->teacher));
    return 0;
}

int hash_models(struct job_run *run, struct error *err)
{
    return hash_teacher(run, err) || hash_init(run->init_hash, run->job, err) ||
                   hash_outside(run, err)
               ? -1
               : 0;
}
