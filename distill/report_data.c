/* The end of the report: an audit of the data, the model card, and all that is needed to make the
 * run again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/audit.h"
#include "distill/model_card.h"
#include "distill/query_set.h"
#include "distill/report_page.h"

/* ---- audit ---- */

static void text_row(struct page *page, const char *name, const struct texts *texts)
{
    size_t *words = xcalloc(texts->count, sizeof *words);
    for (size_t i = 0; i < texts->count; i++) words[i] = count_words(texts->values[i]);
    struct lengths lengths = lengths_of(words, texts->count);
    free(words);
    html_row(&page->out, "%s", name);
    html_number(&page->out, "%zu", texts->count);
    html_number(&page->out, "%zu", count_repeated(texts));
    html_number(&page->out, "%zu", count_empty(texts));
    html_number(&page->out, "%.1f", lengths.mean);
    html_number(&page->out, "%zu", lengths.median);
    html_number(&page->out, "%zu", lengths.p90);
    html_number(&page->out, "%zu", lengths.p99);
    html_number(&page->out, "%zu", lengths.most);
    html_row_end(&page->out);
}

static void text_table(struct page *page)
{
    static const char *const headers[] = {"texts",       "count",       "repeated",
                                          "empty",       "words, mean", "median",
                                          "90 % within", "99 % within", "longest"};
    html_table(&page->out, "Texts and their lengths in words", headers,
               sizeof headers / sizeof *headers);
    bool pairs = job_has_pairs(page->job);
    text_row(page, pairs ? "sentences" : "documents", &page->collection->documents);
    if (!pairs) text_row(page, "queries", &page->collection->queries);
    html_table_end(&page->out);
}

static void split_table(struct page *page)
{
    static const char *const headers[] = {"split",
                                          "queries",
                                          "judgements",
                                          "grades",
                                          "relevant a query",
                                          "at most",
                                          "unknown documents",
                                          "queries without a text"};
    const struct collection *collection = page->collection;
    html_table(&page->out, "Judgements", headers, sizeof headers / sizeof *headers);
    for (size_t s = 0; s < collection->num_splits; s++) {
        const struct qrels *qrels = &collection->splits[s].qrels;
        struct judgement_audit audit = audit_judgements(qrels);
        html_row(&page->out, "%s", collection->splits[s].name);
        html_number(&page->out, "%zu", audit.queries);
        html_number(&page->out, "%zu", audit.judgements);
        html_number(&page->out, "%d to %d", audit.lowest, audit.highest);
        html_number(&page->out, "%.1f", audit.mean_relevant);
        html_number(&page->out, "%zu", audit.most_relevant);
        html_number(&page->out, "%zu", count_unknown_documents(collection, qrels));
        html_number(&page->out, "%zu", count_unknown_queries(collection, qrels));
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
}

static void leaks(struct page *page)
{
    const struct collection *collection = page->collection;
    bool any = false;
    for (size_t a = 0; a < collection->num_splits; a++)
        for (size_t b = a + 1; b < collection->num_splits; b++) {
            const struct split *one = &collection->splits[a], *other = &collection->splits[b];
            size_t shared = count_shared(collection, &one->qrels, &other->qrels);
            if (!shared) continue;
            any = true;
            html_missing(&page->out, "Queries of %s that have the text of a query of %s: %zu.",
                         other->name, one->name, shared);
        }
    if (!any) html_paragraph(&page->out, "No query stands in two splits.");
}

/* Where dev queries come from. */
static const char *dev_words(const struct page *page, const struct query_set *dev)
{
    if (collection_split(page->collection, page->job->data.dev_split))
        return "a split of their own";
    const struct split *made = collection_split(page->collection, MADE_SPLIT);
    if (made && dev->count && qrels_find(&made->qrels, dev->judged[0]->id))
        return "made of a share of the documents by a hash of their ids";
    return "set apart from train by a hash of their ids";
}

/* What the job made of documents, and what follows for the numbers. */
static void made_words(struct page *page)
{
    const struct job *job = page->job;
    const struct split *made = collection_split(page->collection, MADE_SPLIT);
    if (!made || !(job->data.queries & QUERIES_MADE)) return;
    html_paragraph(&page->out,
                   "Of the queries above, %zu are made by the job: titles and sentences of the "
                   "documents (made/queries.jsonl), each judged relevant to the document that it "
                   "is from; made.tsv has what the teacher says of each to train on, and whether "
                   "it was kept. Such a query stands for no user's question.",
                   made->qrels.count);
    if (is_measured_on_dev(page->collection, job))
        html_missing(
            &page->out,
            "The collection has no judgements of split %s: the grid is measured on the dev "
            "queries, which also chose the checkpoint and the size. It compares systems on "
            "one task, finding the document that a query comes from; how good they are "
            "for users is not measured.",
            job->data.test_split);
}

/* The queries that the run learnt from, chose on and was measured on. */
static void used_queries(struct page *page)
{
    const struct job *job = page->job;
    struct query_set train, dev, test;
    query_sets_split(&train, &dev, page->collection, job);
    query_set_measured(&test, &dev, page->collection, job);
    html_paragraph(&page->out,
                   "The run has %zu queries to train on, %zu dev queries (%s) to choose by and %zu "
                   "test queries to be measured on: those with a text and a relevant judgement.",
                   train.count, dev.count, dev_words(page, &dev), test.count);
    made_words(page);
    if (job->data.max_train_queries)
        html_paragraph(&page->out, "data.max_train_queries keeps at most %d of the first.",
                       job->data.max_train_queries);
    query_set_free(&train);
    query_set_free(&dev);
    query_set_free(&test);
}

void page_data(struct page *page)
{
    html_section(&page->out, "data", "Data");
    text_puts(&page->out,
              job_has_pairs(page->job) ? "<p>Sentence pairs <code>" : "<p>Collection <code>");
    html_text(&page->out, job_data_path(page->job));
    text_puts(&page->out, "</code>.</p>\n");
    if (page->collection && job_has_pairs(page->job)) {
        text_table(page);
        page_pairs_data(page);
    } else if (page->collection) {
        text_table(page);
        split_table(page);
        leaks(page);
        used_queries(page);
    } else {
        html_missing(&page->out, "Its texts and judgements cannot be read now: %s.",
                     page->no_collection);
    }
    html_section_end(&page->out);
}

/* ---- model card ---- */

static void describe_model(struct page *page)
{
    const struct job *job = page->job;
    const char *score = job->distill.similarity == SIMILARITY_COSINE ? "cosine" : "dot product";
    if (page->picked)
        html_item(
            &page->out, "What it is",
            "A dual encoder of %d layer%s and %d dimensions in the folder export/, for "
            "sentence-transformers and all that read its folders; all layers and dimensions are "
            "in student/.",
            page->picked->layers, page->picked->layers == 1 ? "" : "s", page->picked->dim);
    else
        html_item(&page->out, "What it is", "Nothing is exported yet.");
    if (job_has_pairs(job))
        html_item(&page->out, "Intended use",
                  "Embed sentences like those of the pairs and compare them by the cosine of their "
                  "vectors. Texts of more than %d tokens are cut.%s%s",
                  job->data.max_document_tokens, *job->card.intended_use ? " " : "",
                  job->card.intended_use);
    else
        html_item(
            &page->out, "Intended use",
            "Embed a query and documents apart and rank these by the %s of their vectors: "
            "first-stage "
            "retrieval on texts like those of the collection. Queries of more than %d tokens and "
            "documents of more than %d are cut.%s%s",
            score, job->data.max_query_tokens, job->data.max_document_tokens,
            *job->card.intended_use ? " " : "", job->card.intended_use);
    if (job_has_pairs(job))
        html_item(&page->out, "Prefix", "Before a text: %s.",
                  *job->data.document_prefix ? job->data.document_prefix : "none");
    else
        html_item(&page->out, "Prefixes", "Before a query: %s; before a document: %s.",
                  *job->data.query_prefix ? job->data.query_prefix : "none",
                  *job->data.document_prefix ? job->data.document_prefix : "none");
}

/* What is learnt from, beside the teacher's scores. */
static char *learnt_words(const struct job *job)
{
    if (job_has_pairs(job)) return xasprintf("Scored pairs of split %s", job->data.train_split);
    return xasprintf(
        "Documents%s%s%s", job->data.queries & QUERIES_MADE ? ", queries made from them" : "",
        job->data.queries & QUERIES_LABELLED ? ", queries and judgements of split " : "",
        job->data.queries & QUERIES_LABELLED ? job->data.train_split : "");
}

static bool is_test_unseen(const struct page *page)
{
    const struct job *job = page->job;
    return strcmp(json_string_or(page->manifest, "measured_on", "dev"), "test") == 0 &&
           strcmp(job->data.test_split, job->data.train_split) != 0 &&
           strcmp(job->data.test_split, job->data.dev_split) != 0;
}

void page_card(struct page *page)
{
    const struct job *job = page->job;
    const char *from = job->student.init.from;
    char *teacher = job_teacher_words(job), *learnt = learnt_words(job);
    struct text licenses = {0};
    html_section(&page->out, "card", "Model card");
    text_puts(&page->out, "<dl>\n");
    describe_model(page);
    const char *content = job->teacher.absent
                              ? json_get_string(page->manifest, "scores")
                              : json_string_or(page->manifest, "teacher", "not hashed yet");
    html_item(&page->out, "Made from", "Teacher: %s%s%s%s%s%s. The student starts from: %s.",
              job->card.base_model, *job->card.base_model ? ", " : "", teacher,
              content ? " (content " : "", content ? content : "", content ? ")" : "", from);
    html_item(&page->out, "Training data",
              "%s of %s (content %s)%s. Checkpoints and the picked point were chosen on dev %s.%s",
              learnt, job_data_path(job),
              json_string_or(page->manifest, "collection", "not hashed yet"),
              !job_has_pairs(job) ? "; the teacher's scores of mined candidates"
              : job->distill.pair_targets & TARGET_TEACHER ? "; the teacher's scores of these pairs"
                                                           : "",
              page->many, is_test_unseen(page) ? " The test split trained and chose nothing." : "");
    html_item(
        &page->out, "Limits",
        "Measured on one split of one collection: other subjects, lengths and languages are not "
        "measured. What the teacher, the weights it starts from and the judgements get wrong or "
        "leave out, the student learns. The intervals are over %s alone: another seed is not in "
        "them.",
        page->many);
    card_licenses(&licenses, job);
    html_item(&page->out, "Licences", "%s", licenses.bytes);
    free(teacher);
    free(learnt);
    text_free(&licenses);
    text_puts(&page->out, "</dl>\n");
    html_section_end(&page->out);
}

/* ---- making it again ---- */

static void manifest_facts(struct page *page)
{
    static const char *const headers[] = {"made with", "value"};
    static const char *const keys[] = {"retort",  "processor", "precision", "collection",
                                       "teacher", "scores",    "encoder",   "vectors"};
    int64_t number;
    html_table(&page->out, "The manifest", headers, 2);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const char *value = json_get_string(page->manifest, keys[k]);
        if (!value) continue;
        html_row(&page->out, "%s", keys[k]);
        html_words(&page->out, "%s", value);
        html_row_end(&page->out);
    }
    static const char *const counts[] = {"threads", "seed", "training_seed"};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        if (!json_as_integer(&number, json_get(page->manifest, counts[k]), 0, INT32_MAX)) continue;
        html_row(&page->out, "%s", counts[k]);
        html_words(&page->out, "%lld", (long long)number);
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
}

static void manifest_hashes(struct page *page)
{
    static const char *const headers[] = {"file", "XXH3, 128 bits"};
    html_details(&page->out, "Hashes of every file that a rerun reproduces");
    html_table(&page->out, "Files of the run", headers, 2);
    struct json_member member = json_first(json_get(page->manifest, "files"));
    for (; member.key; json_next(&member)) {
        html_row(&page->out, "%s", member.key);
        text_puts(&page->out, "<td class=\"words\"><code>");
        html_text(&page->out, json_as_string(member.value) ? json_as_string(member.value) : "");
        text_puts(&page->out, "</code></td>");
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
}

void page_reproduction(struct page *page)
{
    struct text yaml = {0};
    int64_t threads = page->job->threads;
    const char *precision = json_get_string(page->manifest, "precision");
    html_section(&page->out, "again", "Making it again");
    html_paragraph(
        &page->out,
        "The command, in the run's folder; job.yaml is the job with every key, as below. "
        "The same retort, models, collection, threads, precision and kind of processor "
        "give the same bytes.");
    json_as_integer(&threads, json_get(page->manifest, "threads"), 1, 1024);
    text_printf(&page->out, "<pre><code>retort run job.yaml --output again --threads %lld",
                (long long)threads);
    if (precision) html_printf(&page->out, " --precision %s", precision);
    text_puts(&page->out, "</code></pre>\n");
    if (page->manifest) {
        manifest_facts(page);
        manifest_hashes(page);
    } else {
        html_missing(&page->out, "No manifest.json yet: the export stage has not run.");
    }
    job_print(page->job, &yaml);
    html_details(&page->out, "job.yaml");
    text_puts(&page->out, "<pre><code>");
    html_text(&page->out, yaml.bytes);
    text_puts(&page->out, "</code></pre>\n");
    html_details_end(&page->out);
    html_section_end(&page->out);
    text_free(&yaml);
}
