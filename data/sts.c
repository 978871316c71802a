/* STS pairs from text: see sts.h. */
#define _GNU_SOURCE
#include "data/sts.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/source.h"

void sts_free(struct sts_pairs *pairs)
{
    free(pairs->first);
    free(pairs->second);
    free(pairs->scores);
    arena_free(&pairs->strings);
    *pairs = (struct sts_pairs){0};
}

static void add_pair(struct sts_pairs *pairs, double score, const char *first, const char *second)
{
    if (pairs->count == pairs->capacity) {
        size_t capacity = grown(&pairs->capacity);
        pairs->first = xrealloc(pairs->first, capacity, sizeof *pairs->first);
        pairs->second = xrealloc(pairs->second, capacity, sizeof *pairs->second);
        pairs->scores = xrealloc(pairs->scores, capacity, sizeof *pairs->scores);
    }
    pairs->first[pairs->count] = arena_strndup(&pairs->strings, first, strlen(first));
    pairs->second[pairs->count] = arena_strndup(&pairs->strings, second, strlen(second));
    pairs->scores[pairs->count++] = score;
}

static int read_pair(struct sts_pairs *out, char *line, struct lines *lines, struct error *err)
{
    char *fields[3], *end;
    size_t count = split_tabs(line, fields, 3);
    if (count != 3)
        return fail(err, "%s: %zu columns; a line is score<TAB>sentence1<TAB>sentence2",
                    lines_where(lines), count);
    double score = strtod(fields[0], &end);
    bool header = lines_number(lines) == 1 && end == fields[0] && isalpha((unsigned char)*end);
    if (header) return 0;
    if (end == fields[0] || *end || !isfinite(score))
        return fail(err, "%s: the score \"%s\" is not a finite number", lines_where(lines),
                    fields[0]);
    add_pair(out, score, fields[1], fields[2]);
    return 0;
}

static int read_pairs(struct sts_pairs *out, struct lines *lines, struct error *err)
{
    char *line;
    size_t length;
    int got;
    while ((got = lines_next(lines, &line, &length, err)) > 0)
        if (read_pair(out, line, lines, err)) return -1;
    if (got == 0 && out->count == 0)
        return fail(err, "%s: holds no sentence pairs", lines_name(lines));
    return got;
}

/* ---- members ---- */

struct search {
    const char *plain; /* the name a plain file has in the walk */
    bool takes_plain;  /* whether it is the split, whatever its name */
    const char *wanted;
    struct sts_pairs *out;
    bool found_tsv, found_corpus;
};

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static bool is_tsv(const char *name)
{
    size_t length = strlen(name);
    bool in_qrels = strncmp(name, "qrels/", 6) == 0 || strstr(name, "/qrels/");
    return !in_qrels && length > 4 && strcmp(name + length - 4, ".tsv") == 0;
}

static int look_for_split(void *arg, const char *name, struct lines *lines, struct error *err)
{
    struct search *search = arg;
    bool is_split = strcmp(name, search->plain) == 0
                        ? search->takes_plain
                        : is_tsv(name) && strcmp(base_name(name), search->wanted) == 0;
    if (!is_split) return 0;
    search->found_tsv = true;
    return read_pairs(search->out, lines, err) ? -1 : 1;
}

static int look_for_corpus(void *arg, const char *name, struct lines *lines, struct error *err)
{
    struct search *search = arg;
    (void)lines, (void)err;
    search->found_tsv |= is_tsv(name);
    search->found_corpus |= strcmp(base_name(name), "corpus.jsonl") == 0;
    return search->found_corpus;
}

/* Whether the split is there goes to *found; takes_plain: a plain file is it. */
static int find_split(struct sts_pairs *out, const char *path, bool takes_plain, const char *split,
                      bool *found, struct error *err)
{
    *out = (struct sts_pairs){0};
    char *wanted = xasprintf("%s.tsv", split), *plain = xstrdup(base_name(path));
    size_t length = strlen(plain);
    if (length > 3 && strcmp(plain + length - 3, ".gz") == 0) plain[length - 3] = '\0';
    struct search search = {
        .plain = plain, .takes_plain = takes_plain, .wanted = wanted, .out = out};
    int status = source_walk(path, look_for_split, &search, err);
    *found = search.found_tsv;
    if (status) sts_free(out);
    free(plain);
    free(wanted);
    return status;
}

int sts_read(struct sts_pairs *out, const char *path, const char *split, struct error *err)
{
    bool found;
    int status = find_split(out, path, true, split, &found, err);
    if (status == 0 && !found) status = fail(err, "%s: holds no %s.tsv", path, split);
    return status;
}

/* ---- as a collection ---- */

/* Row of the sentence, new or not. */
static uint32_t sentence_row(struct collection *collection, const char *sentence)
{
    struct texts *texts = &collection->documents;
    int64_t row = texts_find(texts, sentence);
    if (row >= 0) return (uint32_t)row;
    if (texts->count == texts->capacity) {
        size_t capacity = grown(&texts->capacity);
        texts->ids = xrealloc(texts->ids, capacity, sizeof *texts->ids);
        texts->values = xrealloc(texts->values, capacity, sizeof *texts->values);
    }
    const char *kept = arena_strndup(&collection->strings, sentence, strlen(sentence));
    texts->ids[texts->count] = texts->values[texts->count] = kept;
    strmap_insert(&texts->rows, kept, (int64_t)texts->count);
    return (uint32_t)texts->count++;
}

static void add_split(struct collection *out, const char *name, const struct sts_pairs *pairs)
{
    struct pair_split *split = &out->pair_splits[out->num_pair_splits++];
    snprintf(split->name, sizeof split->name, "%s", name);
    split->pairs = xcalloc(pairs->count, sizeof *split->pairs);
    split->count = pairs->count;
    for (size_t i = 0; i < pairs->count; i++) {
        uint32_t first = sentence_row(out, pairs->first[i]);
        split->pairs[i] =
            (struct scored_pair){first, sentence_row(out, pairs->second[i]), pairs->scores[i]};
    }
}

int sts_read_collection(struct collection *out, const char *path, const char *const *splits,
                        size_t num_splits, struct error *err)
{
    *out = (struct collection){.pair_splits = xcalloc(num_splits, sizeof *out->pair_splits)};
    int status = 0;
    for (size_t s = 0; s < num_splits && !status; s++) {
        struct sts_pairs pairs;
        bool found;
        status = find_split(&pairs, path, s == 0, splits[s], &found, err);
        if (status || !found) continue;
        if (strlen(splits[s]) >= sizeof out->pair_splits->name)
            status = fail(err, "%s: a split's name has at most %zu letters", path,
                          sizeof out->pair_splits->name - 1);
        else
            add_split(out, splits[s], &pairs);
        sts_free(&pairs);
    }
    if (!status && !out->num_pair_splits)
        status = fail(err, "%s: holds no %s.tsv of score<TAB>sentence1<TAB>sentence2", path,
                      num_splits ? splits[0] : "split");
    if (status) collection_free(out);
    return status;
}

int sts_detect(bool *is_sts, const char *path, struct error *err)
{
    struct search search = {0};
    int status = source_walk(path, look_for_corpus, &search, err);
    *is_sts = status == 0 && search.found_tsv && !search.found_corpus;
    return status;
}
