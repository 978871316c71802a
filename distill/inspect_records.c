/* retort inspect: collections, judgements, runs, caches (inspect.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/collection.h"
#include "data/run.h"
#include "data/score_cache.h"
#include "data/sts.h"
#include "data/tokenizer.h"
#include "distill/audit.h"
#include "distill/inspect.h"

enum { TAGS_SHOWN = 16 };

/* ---- lengths ---- */

/* What texts are measured in. */
struct ruler {
    struct tokenizer *tokenizer; /* NULL: words */
    struct token_list tokens;
    size_t total, unknown; /* tokens seen; of them not in the vocabulary */
};

static int ruler_open(struct ruler *ruler, const char *folder, struct error *err)
{
    *ruler = (struct ruler){0};
    return folder ? tokenizer_open(&ruler->tokenizer, folder, err) : 0;
}

static void ruler_close(struct ruler *ruler)
{
    if (ruler->tokenizer) tokenizer_close(ruler->tokenizer);
    token_list_free(&ruler->tokens);
}

static size_t measure_text(struct ruler *ruler, const char *text)
{
    if (!ruler->tokenizer) return count_words(text);
    tokenizer_encode_plain(ruler->tokenizer, &ruler->tokens, text);
    for (size_t i = 0; i < ruler->tokens.count; i++)
        if (ruler->tokens.ids[i] == tokenizer_unknown_id(ruler->tokenizer)) ruler->unknown++;
    ruler->total += ruler->tokens.count;
    return ruler->tokens.count;
}

static void length_facts(struct text *out, const char *label, struct ruler *ruler,
                         const char *const *texts, size_t count, bool bars)
{
    size_t *lengths = xcalloc(count, sizeof *lengths);
    for (size_t i = 0; i < count; i++) lengths[i] = measure_text(ruler, texts[i]);
    distribution(out, label, ruler->tokenizer ? "tokens" : "words", lengths, count, bars);
    free(lengths);
}

/* ---- collections ---- */

static void text_facts(struct text *out, const char *label, const struct texts *texts,
                       struct ruler *ruler, bool bars)
{
    size_t repeated = count_repeated(texts), empty = count_empty(texts);
    fact(out, label, "%zu (%zu of them the same as an earlier one, %zu empty)", texts->count,
         repeated, empty);
    length_facts(out, "", ruler, texts->values, texts->count, bars);
}

static void judgement_facts(struct text *out, const char *label, const struct qrels *qrels)
{
    struct judgement_audit audit = audit_judgements(qrels);
    fact(out, label,
         "%zu queries, %zu judgements (grades %d to %d); relevant: %.1f a query, at most "
         "%zu",
         audit.queries, audit.judgements, audit.lowest, audit.highest, audit.mean_relevant,
         audit.most_relevant);
}

static void leak_facts(struct text *out, const struct collection *collection)
{
    for (size_t a = 0; a < collection->num_splits; a++)
        for (size_t b = a + 1; b < collection->num_splits; b++) {
            const struct split *one = &collection->splits[a], *other = &collection->splits[b];
            size_t shared = count_shared(collection, &one->qrels, &other->qrels);
            if (shared)
                fact(out, "leak", "%zu queries of %s are in %s too", shared, other->name,
                     one->name);
        }
}

int inspect_collection(struct text *out, const char *path, const char *tokenizer, struct error *err)
{
    struct ruler ruler;
    struct collection collection;
    if (ruler_open(&ruler, tokenizer, err)) return -1;
    if (collection_read(&collection, path, err)) {
        ruler_close(&ruler);
        return -1;
    }
    fact(out, "kind", "collection (BEIR layout)");
    text_facts(out, "documents", &collection.documents, &ruler, true);
    text_facts(out, "queries", &collection.queries, &ruler, false);
    if (ruler.total)
        fact(out, "unknown", "%.4f %% of all tokens",
             100. * (double)ruler.unknown / (double)ruler.total);
    for (size_t s = 0; s < collection.num_splits; s++)
        judgement_facts(out, collection.splits[s].name, &collection.splits[s].qrels);
    leak_facts(out, &collection);
    collection_free(&collection);
    ruler_close(&ruler);
    return 0;
}

int inspect_texts(struct text *out, const char *path, const char *tokenizer, struct error *err)
{
    struct ruler ruler;
    struct texts texts = {0};
    struct arena strings = {0};
    if (ruler_open(&ruler, tokenizer, err)) return -1;
    int status = texts_read(&texts, &strings, path, err);
    if (status == 0) {
        fact(out, "kind", "texts with ids");
        text_facts(out, "texts", &texts, &ruler, true);
    }
    texts_free(&texts);
    arena_free(&strings);
    ruler_close(&ruler);
    return status;
}

/* ---- sentence pairs ---- */

static void sts_facts(struct text *out, const char *label, const struct sts_pairs *pairs)
{
    double sum = 0, lowest = INFINITY, highest = -INFINITY;
    for (size_t i = 0; i < pairs->count; i++) {
        sum += pairs->scores[i];
        lowest = fmin(lowest, pairs->scores[i]);
        highest = fmax(highest, pairs->scores[i]);
    }
    fact(out, label, "%zu pairs, scores from %g to %g, mean %.3f", pairs->count, lowest, highest,
         sum / (double)pairs->count);
}

int inspect_sts(struct text *out, const char *path, struct error *err)
{
    static const char *const splits[] = {"train", "dev", "test"};
    size_t length = strlen(path);
    bool plain = (length > 4 && strcmp(path + length - 4, ".tsv") == 0) ||
                 (length > 7 && strcmp(path + length - 7, ".tsv.gz") == 0);
    fact(out, "kind", "sentence pairs with similarity scores");
    int found = 0;
    struct error first = {0};
    for (size_t s = plain ? 2 : 0; s < 3; s++) {
        struct sts_pairs pairs;
        struct error why = {0};
        if (sts_read(&pairs, path, splits[s], &why)) {
            first = why; /* the test split's, where no split is there */
            continue;
        }
        sts_facts(out, plain ? "pairs" : splits[s], &pairs);
        sts_free(&pairs);
        found++;
    }
    if (found) return 0;
    return fail(err, "%s: no model, index, run, collection or sentence pairs (%s)", path,
                first.message);
}

/* ---- judgements, runs, scores ---- */

int inspect_qrels(struct text *out, const char *path, struct error *err)
{
    struct qrels qrels;
    if (qrels_read(&qrels, path, err)) return -1;
    fact(out, "kind", "relevance judgements");
    judgement_facts(out, "judged", &qrels);
    qrels_free(&qrels);
    return 0;
}

static void tag_facts(struct text *out, const struct run *run)
{
    struct strmap rows = {0};
    const char *tags[TAGS_SHOWN];
    size_t counts[TAGS_SHOWN] = {0}, other = 0;
    int64_t known = 0;
    for (size_t q = 0; q < run->count; q++)
        for (size_t d = 0; d < run->queries[q].count; d++) {
            const char *tag = run->queries[q].documents[d].tag;
            int64_t row = strmap_find(&rows, tag);
            if (row < 0 && known < TAGS_SHOWN) {
                tags[known] = tag;
                row = strmap_insert(&rows, tag, known++);
            }
            if (row < 0)
                other++;
            else
                counts[row]++;
        }
    for (int64_t i = 0; i < known; i++) fact(out, i ? "" : "tags", "%s: %zu", tags[i], counts[i]);
    if (other) fact(out, "", "others: %zu", other);
    strmap_free(&rows);
}

static void run_facts(struct text *out, const char *kind, const struct run *run)
{
    size_t *lengths = xcalloc(run->count, sizeof *lengths);
    double lowest = INFINITY, highest = -INFINITY;
    for (size_t q = 0; q < run->count; q++) {
        lengths[q] = run->queries[q].count;
        for (size_t d = 0; d < run->queries[q].count; d++) {
            lowest = fmin(lowest, run->queries[q].documents[d].score);
            highest = fmax(highest, run->queries[q].documents[d].score);
        }
    }
    fact(out, "kind", "%s", kind);
    fact(out, "queries", "%zu", run->count);
    distribution(out, "", "documents", lengths, run->count, false);
    fact(out, "scores", "from %g to %g", lowest, highest);
    free(lengths);
}

int inspect_run(struct text *out, const char *path, struct error *err)
{
    struct run run;
    if (run_read(&run, path, err)) return -1;
    run_facts(out, "run (TREC)", &run);
    tag_facts(out, &run);
    run_free(&run);
    return 0;
}

int inspect_pair_scores(struct text *out, const char *path, struct error *err)
{
    struct run run;
    if (run_read_scores(&run, path, err)) return -1;
    run_facts(out, "scores of pairs, for teacher.scores", &run);
    run_free(&run);
    return 0;
}

int inspect_score_cache(struct text *out, const char *path, struct error *err)
{
    struct score_cache_facts facts;
    if (score_cache_look(&facts, path, err)) return -1;
    fact(out, "kind", "score cache");
    if (facts.scores)
        fact(out, "scores", "%zu, from %g to %g", facts.scores, (double)facts.lowest,
             (double)facts.highest);
    else
        fact(out, "scores", "none");
    if (facts.damaged) fact(out, "damaged", "%zu bytes at the end: a cut record", facts.damaged);
    return 0;
}
