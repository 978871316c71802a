/* Scoring of lists: see scorer.h. */
#include "teacher/scorer.h"

#include <math.h>
#include <stdlib.h>

#include "nn/encode.h"

struct block {
    const struct scorer *scorer;
    size_t n;
    struct hash128 *keys; /* [n]; NULL without a cache */
    bool *wanted;         /* [n]: not in the cache when the block began */
    float *logits;        /* [n, num_labels] */
};

static float block_score(const struct block *block, size_t item)
{
    int labels = cross_encoder_num_labels(block->scorer->ce);
    return block->logits[item * (size_t)labels + (size_t)block->scorer->label];
}

int scorer_open_cache(struct scorer *scorer, const char *path, struct error *err)
{
    if (score_cache_open(&scorer->cache, path, err)) return -1;
    scorer->model = cross_encoder_fingerprint(scorer->ce);
    return 0;
}

/* Two labels of one model are two scores. */
static struct hash128 model_key(const struct scorer *scorer)
{
    struct hash128 model = scorer->model;
    model.low += (uint64_t)scorer->label;
    return model;
}

/* Marks what the cache lacks; how many that is. */
static size_t find_wanted(struct block *block, const char *const *queries,
                          const char *const *documents)
{
    const struct scorer *scorer = block->scorer;
    size_t count = 0;
    for (size_t i = 0; i < block->n; i++) {
        float score;
        block->wanted[i] = true;
        if (scorer->cache) {
            block->keys[i] =
                score_key(model_key(scorer), scorer->max_length, queries[i], documents[i]);
            block->wanted[i] = !score_cache_find(scorer->cache, block->keys[i], &score);
        }
        count += block->wanted[i];
    }
    return count;
}

/* ---- computing ---- */

/* Leaves out the chunks of which nothing is wanted, keeping the order of the others. */
static void keep_wanted(struct chunks *chunks, const bool *wanted)
{
    size_t kept = 0, end = 0;
    for (size_t c = 0; c < chunks->num_chunks; c++) {
        size_t first = chunks->starts[c], last = chunks->starts[c + 1];
        bool any = false;
        for (size_t i = first; i < last; i++) any = any || wanted[chunks->order[i]];
        if (!any) continue;
        chunks->starts[kept++] = end;
        for (size_t i = first; i < last; i++) chunks->order[end++] = chunks->order[i];
    }
    chunks->starts[kept] = end;
    chunks->num_chunks = kept;
}

/* Takes the scores of computed chunks into the cache. */
static int keep_scores(const struct block *block, const struct chunks *done,
                       struct progress *progress, struct error *err)
{
    size_t fresh = 0;
    for (size_t i = done->starts[0]; i < done->starts[done->num_chunks]; i++) {
        size_t item = done->order[i];
        float score = block_score(block, item);
        if (!isfinite(score))
            return fail(err, "the teacher's logit of a pair is not a finite number; its weights "
                             "are damaged or overflow in this precision");
        if (block->scorer->cache) score_cache_add(block->scorer->cache, block->keys[item], score);
        fresh += block->wanted[item];
    }
    if (progress) progress_add(progress, fresh);
    return 0;
}

static int stop_here(const struct scorer *scorer, struct error *err)
{
    fail(err, "interrupted%s",
         scorer->cache ? "; the scores so far are kept, run it again to go on" : "");
    err->status = STATUS_INTERRUPTED;
    return -1;
}

/* Runs the chunks in groups of about a second, so that the cache can be flushed and a signal be
 * heard in between; groups have no influence on the scores. */
static int run_chunks(struct block *block, const struct sequences *pairs,
                      const struct chunks *chunks, struct encode_workers *workers,
                      struct progress *progress, struct error *err)
{
    const struct scorer *scorer = block->scorer;
    double flushed = seconds_now();
    size_t step = (size_t)pool_size(scorer->pool), next = 0;
    while (next < chunks->num_chunks) {
        size_t left = chunks->num_chunks - next;
        struct chunks group = {.order = chunks->order,
                               .starts = chunks->starts + next,
                               .num_chunks = left < step ? left : step};
        double began = seconds_now();
        cross_encoder_score_chunks(scorer->ce, workers, pairs, &group, block->logits);
        next += group.num_chunks;
        if (keep_scores(block, &group, progress, err)) return -1;

        double now = seconds_now();
        bool stop = interrupted(), due = now - flushed > SCORER_FLUSH_SECONDS;
        if (now - began < 0.5) step *= 2;
        if (scorer->cache && (stop || due || next == chunks->num_chunks)) {
            if (score_cache_flush(scorer->cache, err)) return -1;
            flushed = now;
        }
        if (stop) return stop_here(scorer, err);
    }
    return 0;
}

static int compute_block(struct block *block, const char *const *queries,
                         const char *const *documents, struct progress *progress, struct error *err)
{
    const struct scorer *scorer = block->scorer;
    struct sequences pairs;
    struct chunks chunks;
    sequences_encode(&pairs, cross_encoder_tokenizer(scorer->ce), scorer->pool, queries, documents,
                     block->n, "", scorer->max_length);
    chunks_cut(&chunks, pairs.lengths, pairs.count, ENCODE_TOKEN_BUDGET);
    keep_wanted(&chunks, block->wanted);
    struct encode_workers *workers =
        encode_workers_open(cross_encoder_encoder(scorer->ce), scorer->pool);
    int status = run_chunks(block, &pairs, &chunks, workers, progress, err);
    encode_workers_close(workers);
    chunks_free(&chunks);
    sequences_free(&pairs);
    return status;
}

int scorer_block(const struct scorer *scorer, const char *const *queries,
                 const char *const *documents, size_t n, float *scores, struct progress *progress,
                 struct error *err)
{
    size_t labels = (size_t)cross_encoder_num_labels(scorer->ce);
    REQUIRE(n <= SCORER_BLOCK && scorer->label >= 0 && (size_t)scorer->label < labels);
    struct block block = {.scorer = scorer,
                          .n = n,
                          .keys = scorer->cache ? xcalloc(n, sizeof *block.keys) : NULL,
                          .wanted = xcalloc(n, sizeof *block.wanted),
                          .logits = xcalloc(n * labels, sizeof *block.logits)};
    int status = 0;
    if (find_wanted(&block, queries, documents) > 0)
        status = compute_block(&block, queries, documents, progress, err);

    /* With a cache the scores are read back from it: where the list has a pair twice both have one
     * score, in every run. */
    for (size_t i = 0; status == 0 && i < n; i++)
        if (scorer->cache)
            REQUIRE(score_cache_find(scorer->cache, block.keys[i], &scores[i]));
        else
            scores[i] = block_score(&block, i);
    free(block.keys);
    free(block.wanted);
    free(block.logits);
    return status;
}

/* ---- lists ---- */

static size_t count_cached(const struct scorer *scorer, size_t n, scorer_pair *pair,
                           const void *list)
{
    size_t count = 0;
    struct hash128 model = model_key(scorer);
    for (size_t i = 0; scorer->cache && i < n; i++) {
        const char *query, *document;
        float score;
        pair(list, i, &query, &document);
        count += score_cache_find(scorer->cache,
                                  score_key(model, scorer->max_length, query, document), &score);
    }
    return count;
}

int scorer_run(const struct scorer *scorer, size_t n, scorer_pair *pair, const void *list,
               float *scores, struct error *err)
{
    const char **queries = xcalloc(SCORER_BLOCK, sizeof *queries);
    const char **documents = xcalloc(SCORER_BLOCK, sizeof *documents);
    struct progress progress = {0};
    progress_start(&progress, "scoring", "pairs", n, count_cached(scorer, n, pair, list));
    int status = 0;
    for (size_t first = 0; status == 0 && first < n; first += SCORER_BLOCK) {
        size_t count = n - first < SCORER_BLOCK ? n - first : SCORER_BLOCK;
        for (size_t i = 0; i < count; i++) pair(list, first + i, &queries[i], &documents[i]);
        status = scorer_block(scorer, queries, documents, count, scores + first, &progress, err);
    }
    if (!status) progress_add(&progress, n - progress.done); /* pairs that stand twice */
    progress_end(&progress);
    free(queries);
    free(documents);
    return status;
}
