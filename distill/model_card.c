#include "distill/model_card.h"

#include <ctype.h>
#include <string.h>

#include "data/yaml.h"

/* The Hub knows licences by lower-case SPDX identifiers, all others as `other` with a name. */
static void front_license(struct text *out, const char *license)
{
    static const char identifier[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-";
    if (!*license) return;
    if (license[strspn(license, identifier)]) {
        text_puts(out, "license: other\nlicense_name: ");
        yaml_append_string(license, out);
    } else {
        text_puts(out, "license: ");
        for (const char *at = license; *at; at++) text_printf(out, "%c", tolower(*at));
    }
    text_puts(out, "\n");
}

static void front_matter(struct text *out, const struct job *job)
{
    text_puts(out, "---\nlibrary_name: sentence-transformers\n"
                   "pipeline_tag: sentence-similarity\n");
    front_license(out, job->card.license);
    if (*job->card.base_model) {
        text_puts(out, "base_model: ");
        yaml_append_string(job->card.base_model, out);
        text_puts(out, "\n");
    }
    text_puts(out, "tags:\n- sentence-transformers\n- feature-extraction\n- retort\n---\n\n");
}

void card_licenses(struct text *out, const struct job *job)
{
    const char *const rows[][2] = {
        {"The model", job->card.license},
        {"the teacher and the starting weights", job->card.teacher_license},
        {"the training data", job->card.training_data_license}};
    size_t stated = 0;
    for (size_t r = 0; r < 3; r++) {
        if (*rows[r][1]) stated++;
        text_printf(out, "%s%s: %s", r ? "; " : "", rows[r][0],
                    *rows[r][1] ? rows[r][1] : "not stated");
    }
    text_puts(out, ".");
    if (stated < 3)
        text_puts(out, " Whoever publishes the model has to look at what is not stated.");
}

static const char *origin(const struct job *job)
{
    if (!job->teacher.absent) return "a cross-encoder";
    if (job->teacher.scores.count) return "a teacher's scores";
    return job->distill.hpd.source == VECTORS_NONE ? "labels" : "another encoder's vectors";
}

/* What was learnt from, by the hashes of the manifest. */
static void training(struct text *out, const struct job_run *run)
{
    const struct job *job = run->job;
    bool pairs = job_has_pairs(job);
    size_t count = pairs ? run->train_pairs.count : run->train.count,
           most = (size_t)job->data.max_train_queries;
    text_printf(out, "Trained on %zu %s (content %s)", most && most < count ? most : count,
                pairs ? "sentence pairs" : "queries of the collection", run->collection_hash);
    if (!job->teacher.absent) text_printf(out, " with the teacher %s", run->teacher_hash);
    if (*run->scores_hash) text_printf(out, ", by the scores %s", run->scores_hash);
    if (*run->encoder_hash) text_printf(out, ", by the encoder %s", run->encoder_hash);
    if (*run->targets_hash) text_printf(out, ", by the vectors %s", run->targets_hash);
    text_printf(out, "; seed %d, of training %d.\n", job->seed, job->distill.seed);
}

static void measurement(struct text *out, const struct job_run *run)
{
    const struct job *job = run->job;
    bool pairs = job_has_pairs(job);
    training(out, run);
    if (run->made.count)
        text_printf(
            out,
            "%s queries are titles and sentences of the documents; those are trained on whose "
            "document the teacher ranks high enough, and as often as it believes them.\n",
            job->data.queries == QUERIES_MADE ? "These" : "Some of these");
    if (run->test_is_dev)
        text_printf(out,
                    "There are no judgements of users' queries (split %s) to measure on. Measured "
                    "on the %zu dev queries, which also chose the model:\n\n",
                    job->data.test_split, run->test.count);
    else
        text_printf(out, "Measured on %zu %s of split %s:\n\n",
                    pairs ? run->test_pairs.count : run->test.count, pairs ? "pairs" : "queries",
                    job->data.test_split);
}

void model_card(struct text *out, const struct job_run *run, const struct grid *grid,
                const struct tap *picked)
{
    const struct job *job = run->job;
    bool pairs = job_has_pairs(job);
    front_matter(out, job);
    text_printf(
        out,
        "# %s\n\nA dual encoder of %d layer%s and %d dimensions, distilled by retort %s from "
        "%s.\nScore %s by the cosine of their embeddings.\n\n",
        job->name, picked->layer, picked->layer == 1 ? "" : "s", picked->dim, RETORT_VERSION,
        origin(job), pairs ? "two sentences" : "a query and a document");
    text_printf(out, "```python\nfrom sentence_transformers import SentenceTransformer\n"
                     "model = SentenceTransformer(\"path/to/this/folder\")\n"
                     "embeddings = model.encode([\"a text\", \"another\"])\n```\n\n");
    if (*job->card.intended_use)
        text_printf(out, "## Intended use\n\n%s\n\n", job->card.intended_use);
    text_puts(out, "## Licences\n\n");
    card_licenses(out, job);
    text_puts(out, "\n\n## Training and measurement\n\n");
    measurement(out, run);
    grid_print(grid, GRID_MARKDOWN, true, out);
}
