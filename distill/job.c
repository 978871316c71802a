/* Reading a job: defaults, then the file, then --set (job.h). */
#include "distill/job.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/job_keys.h"
#include "distill/recipes.h"

/* One source of values being read into a job. */
struct loader {
    struct job *job;
    struct key_source source;
    bool only_missing; /* keys that were given keep their values */
    struct error *err;
};

/* The dotted name of `key` below `prefix`, freshly allocated. */
static char *below(const char *prefix, const char *key)
{
    return *prefix ? xasprintf("%s.%s", prefix, key) : xstrdup(key);
}

static int load_key(struct loader *loader, int row, const struct yaml_node *node)
{
    struct job *job = loader->job;
    if (loader->only_missing && job->places[row]) return 0;
    char *place = key_place(&loader->source, node);
    if (loader->source.is_file && job->places[row]) {
        fail_usage(loader->err, "%s: %s is here twice; it is also at %s", place, job_keys[row].name,
                   job->places[row]);
        free(place);
        return -1;
    }
    free(job->places[row]);
    job->places[row] = place;
    return key_set(job, &job_keys[row], node, &loader->source, loader->err);
}

static int load_section(struct loader *loader, const char *prefix, const struct yaml_node *node);

/* One named value: a key's, or a section of keys. */
static int load(struct loader *loader, const char *name, const struct yaml_node *name_node,
                const struct yaml_node *node)
{
    int row = job_key_find(name);
    if (row >= 0) return load_key(loader, row, node);
    if (job_key_is_section(name)) return load_section(loader, name, node);
    char *place = key_place(&loader->source, name_node);
    job_key_unknown(place, name, loader->err);
    free(place);
    return -1;
}

static int fail_no_section(struct loader *loader, const char *name, const struct yaml_node *node)
{
    char *place = key_place(&loader->source, node);
    if (*name)
        fail_usage(loader->err, "%s: %s is a section: it wants keys below it, not %s", place, name,
                   node->kind == YAML_LIST ? "a list" : "a value");
    else
        fail_usage(loader->err, "%s: a job is a map of keys", place);
    free(place);
    return -1;
}

static int load_section(struct loader *loader, const char *prefix, const struct yaml_node *node)
{
    bool nothing = node->kind == YAML_SCALAR && !*node->scalar && !node->quoted;
    if (nothing) return 0; /* a section whose keys are all commented out */
    if (node->kind != YAML_MAP) return fail_no_section(loader, prefix, node);
    int status = 0;
    for (size_t i = 0; i < node->count && status == 0; i++) {
        char *name = below(prefix, node->keys[i]->scalar);
        status = load(loader, name, node->keys[i], node->items[i]);
        free(name);
    }
    return status;
}

static void load_defaults(struct job *job)
{
    for (const struct key *key = job_keys; key->name; key++) {
        if (!key->fallback) continue;
        struct error err = {0};
        struct yaml_tree yaml;
        const struct key_source source = {.name = key->name};
        int status = yaml_read_string(&yaml, key->name, key->fallback, &err);
        if (status == 0) status = key_set(job, key, yaml.root, &source, &err);
        REQUIRE(status == 0);
        yaml_tree_free(&yaml);
    }
}

/* The job file's own keys; text NULL: read from job->path. */
static int load_file(struct job *job, const char *text, struct error *err)
{
    struct yaml_tree yaml;
    int status = text ? yaml_read_string(&yaml, job->path, text, err)
                      : yaml_read_file(&yaml, job->path, err);
    if (status) return -1;
    char *folder = strchr(job->path, '/') ? path_folder(job->path) : NULL;
    struct loader loader = {job, {job->path, true, folder}, false, err};
    status = load_section(&loader, "", yaml.root);
    free(folder);
    yaml_tree_free(&yaml);
    return status;
}

/* "distill.epochs=3": the value is YAML, so that lists and maps can be given too. */
static int load_setting(struct job *job, const char *setting, struct error *err)
{
    const char *equals = strchr(setting, '=');
    if (!equals) return fail_usage(err, "--set %s: write --set KEY=VALUE", setting);
    char *where = xasprintf("--set %s", setting);
    char *name = xstrndup(setting, (size_t)(equals - setting));
    struct loader loader = {job, {where, false, NULL}, false, err};
    struct yaml_tree yaml;
    int status = yaml_read_string(&yaml, where, equals + 1, err);
    if (status == 0) {
        status = load(&loader, name, yaml.root, yaml.root);
        yaml_tree_free(&yaml);
    }
    free(name);
    free(where);
    return status;
}

/* Keys in YAML, where nothing before has them. */
static void load_missing(struct job *job, const char *where, const char *keys)
{
    struct error err = {0};
    struct yaml_tree yaml;
    if (!*keys) return;
    struct loader loader = {job, {where, false, NULL}, true, &err};
    int status = yaml_read_string(&yaml, where, keys, &err);
    REQUIRE(status == 0);
    status = load_section(&loader, "", yaml.root);
    REQUIRE(status == 0);
    yaml_tree_free(&yaml);
}

/* What is else by default where the data are sentence pairs: there are no queries to rank for. */
static const char pairs_defaults[] =
    "distill: {loss: {info_nce: 0, listwise_kl: 0, margin_mse: 0, cosent: 1}}\n"
    "evaluate: {systems: [student, init, no-teacher, teacher, pca], measures: [spearman, "
    "pearson]}\n"
    "export: {pick: smallest index_bytes with spearman >= 0.97 * full}\n"
    "teach: {loss: {softmax: 0, mse: 1}}\n";

/* The default stands, as if it were given. */
static void keep_default(struct job *job, int row)
{
    if (!job->places[row]) job->places[row] = xstrdup("data.pairs");
}

/* The recipe's keys, where neither the file nor a setting has them.  Pairs are compared by cosines:
 * dot products and their temperature are of recipes for rankings. */
static void load_recipe(struct job *job)
{
    if (job_has_pairs(job)) {
        keep_default(job, KEY_OF(distill.similarity));
        keep_default(job, KEY_OF(distill.temperature));
    }
    char *where = xasprintf("student.recipe %s", recipe_words[job->student.recipe].word);
    load_missing(job, where, recipe_keys(job->student.recipe));
    free(where);
}

static int check_required(const struct job *job, struct error *err)
{
    if (job_is_none(job_data_path(job)))
        return fail_usage(err, "%s: data.collection is missing (%s), or data.pairs", job->path,
                          job_keys[KEY_OF(data.collection)].help);
    for (int row = 0; row < job_key_count(); row++)
        if (!job_keys[row].fallback && !job->places[row])
            return fail_usage(err, "%s: %s is missing (%s)", job->path, job_keys[row].name,
                              job_keys[row].help);
    return 0;
}

static bool alike(const struct job *a, const struct job *b, const struct key *key)
{
    struct text values[2] = {{0}};
    job_print_keys(a, key->name, &values[0]);
    job_print_keys(b, key->name, &values[1]);
    bool same = strcmp(values[0].bytes, values[1].bytes) == 0;
    for (int i = 0; i < 2; i++) text_free(&values[i]);
    return same;
}

/* Keys of mining are not read where the data are pairs; job.yaml has them, at their defaults. */
static int check_unused(const struct job *job, struct error *err)
{
    struct job plain = {0};
    int status = 0;
    if (!job_has_pairs(job)) return 0;
    load_defaults(&plain);
    for (int row = 0; row < job_key_count() && !status; row++) {
        const struct key *key = &job_keys[row];
        if (strncmp(key->name, "mine.", 5) == 0 && !key->derived && !alike(job, &plain, key))
            status = contradiction(job, row, err, "is given, but nothing is mined for data.pairs");
    }
    job_free(&plain);
    return status;
}

static int read_all(struct job *job, const char *text, const struct string_list *settings,
                    struct error *err)
{
    load_defaults(job);
    if (load_file(job, text, err)) return -1;
    for (size_t i = 0; settings && i < settings->count; i++)
        if (load_setting(job, settings->items[i], err)) return -1;
    load_recipe(job);
    if (job_has_pairs(job)) load_missing(job, "data.pairs", pairs_defaults);
    if (check_required(job, err) || check_unused(job, err)) return -1;
    job_derive(job);
    return job_check(job, err);
}

static void add_setting(struct string_list *list, const char *setting)
{
    GROW(list->items, list->count, &list->capacity);
    list->items[list->count++] = setting;
}

void job_options_finish(struct job_options *options)
{
    if (options->threads) {
        snprintf(options->threads_setting, sizeof options->threads_setting, "threads=%d",
                 options->threads);
        add_setting(&options->settings, options->threads_setting);
    }
    if (options->precision) {
        snprintf(options->precision_setting, sizeof options->precision_setting, "precision=%s",
                 options->precision);
        add_setting(&options->settings, options->precision_setting);
    }
}

int job_read_string(struct job *out, const char *path, const char *text,
                    const struct string_list *settings, struct error *err)
{
    *out = (struct job){.path = xstrdup(path)};
    out->places = xcalloc((size_t)job_key_count(), sizeof *out->places);
    int status = read_all(out, text, settings, err);
    if (status) job_free(out);
    return status;
}

int job_read(struct job *out, const char *path, const struct string_list *settings,
             struct error *err)
{
    return job_read_string(out, path, NULL, settings, err);
}

void job_free(struct job *job)
{
    for (const struct key *key = job_keys; key->name; key++) key_free(job, key);
    for (int row = 0; job->places && row < job_key_count(); row++) free(job->places[row]);
    free(job->places);
    free(job->path);
    *job = (struct job){0};
}
