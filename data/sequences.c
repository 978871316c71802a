/* Tokenising in parallel: every item fills its own list, then all are laid end to end. */
#include "data/sequences.h"

#include "data/guard.h"
#include <stdlib.h>
#include <string.h>

struct encode_work {
    const struct tokenizer *tok;
    const char *const *first, *const *second;
    const char *prompt;
    int max_length;
    size_t count;
    int num_workers;
    struct token_list *lists; /* [count] */
    struct text *scratch;     /* [num_workers]: prompt and text together */
};

static void encode_one(void *arg, size_t item, int worker)
{
    struct encode_work *work = arg;
    const char *text = work->first[item];
    if (*work->prompt) {
        struct text *joined = &work->scratch[worker];
        text_clear(joined);
        text_puts(joined, work->prompt);
        text_puts(joined, text);
        text = joined->bytes;
    }
    tokenizer_encode(work->tok, &work->lists[item], text, work->second ? work->second[item] : NULL,
                     work->max_length);
}

static void lay_end_to_end(struct sequences *out, struct token_list *lists, size_t n)
{
    out->count = n;
    out->offsets = xcalloc(n + 1, sizeof *out->offsets);
    out->lengths = xcalloc(n, sizeof *out->lengths);
    for (size_t i = 0; i < n; i++) {
        out->lengths[i] = (int)lists[i].count;
        out->offsets[i + 1] = out->offsets[i] + lists[i].count;
    }
    out->ids = xcalloc(out->offsets[n], sizeof *out->ids);
    out->types = xcalloc(out->offsets[n], sizeof *out->types);
    for (size_t i = 0; i < n; i++) {
        memcpy(out->ids + out->offsets[i], lists[i].ids, lists[i].count * sizeof *out->ids);
        memcpy(out->types + out->offsets[i], lists[i].types, lists[i].count * sizeof *out->types);
        token_list_free(&lists[i]);
    }
}

static void release_work(void *arg)
{
    struct encode_work *work = arg;
    for (size_t i = 0; work->lists && i < work->count; i++) token_list_free(&work->lists[i]);
    for (int w = 0; work->scratch && w < work->num_workers; w++) text_free(&work->scratch[w]);
    free(work->scratch);
    free(work->lists);
}

void sequences_encode(struct sequences *out, const struct tokenizer *tok, struct pool *pool,
                      const char *const *first, const char *const *second, size_t n,
                      const char *prompt, int max_length)
{
    struct encode_work work = {.tok = tok,
                               .first = first,
                               .second = second,
                               .prompt = prompt,
                               .max_length = max_length,
                               .count = n,
                               .num_workers = pool_size(pool)};
    *out = (struct sequences){0};
    hold(&work, release_work);
    work.lists = xcalloc(n, sizeof *work.lists);
    work.scratch = xcalloc((size_t)work.num_workers, sizeof *work.scratch);
    pool_run(pool, n, encode_one, &work);
    lay_end_to_end(out, work.lists, n);
    release_work(let_go(&work));
}

void sequences_free(struct sequences *sequences)
{
    free(sequences->ids);
    free(sequences->types);
    free(sequences->offsets);
    free(sequences->lengths);
    *sequences = (struct sequences){0};
}
