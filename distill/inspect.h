/* What `retort inspect` says of each kind of thing; each appends lines "label   facts" to *out, and
 * changes nothing.  For distill/inspect*.c and plan_command.c. */
#ifndef RETORT_INSPECT_H
#define RETORT_INSPECT_H

#include "data/base.h"

/* One line: the label, padded, then the facts. */
void fact(struct text *out, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* All of it to stdout. */
int print_facts(const struct text *facts, struct error *err);
/* "22.7 M", "410", with the SI prefix that leaves 3 digits. */
const char *short_number(char buffer[16], double number);
const char *short_bytes(char buffer[16], double bytes); /* "22.7 MB", "24 B" */
/* Mean, median, percentiles, largest; then, where bars, a histogram in powers of two.  Sorts
 * values. */
void distribution(struct text *out, const char *label, const char *unit, size_t *values,
                  size_t count, bool bars);

/* Models and vectors (inspect_model.c). */
int inspect_model(struct text *out, const char *folder, struct error *err);
int inspect_safetensors(struct text *out, const char *path, struct error *err);
int inspect_npy(struct text *out, const char *path, struct error *err);
int inspect_index(struct text *out, const char *folder, struct error *err);
int inspect_bm25(struct text *out, const char *path, struct error *err);
int inspect_tokenizer(struct text *out, const char *folder, struct error *err);
int inspect_module(struct text *out, const char *folder, struct error *err);
/* What retort makes of the tokenizer in a folder, or why it does not read it. */
void tokenizer_facts(struct text *out, const char *folder);

/* Texts, judgements, runs (inspect_records.c).  tokenizer: a model's folder, lengths are counted in
 * its tokens; NULL: in words. */
int inspect_collection(struct text *out, const char *path, const char *tokenizer,
                       struct error *err);
int inspect_texts(struct text *out, const char *path, const char *tokenizer, struct error *err);
int inspect_sts(struct text *out, const char *path, struct error *err);
int inspect_qrels(struct text *out, const char *path, struct error *err);
int inspect_run(struct text *out, const char *path, struct error *err);
int inspect_pair_scores(struct text *out, const char *path, struct error *err);
int inspect_score_cache(struct text *out, const char *path, struct error *err);

/* What a run leaves (inspect_run.c), JSON (inspect_json.c). */
int inspect_run_folder(struct text *out, const char *folder, struct error *err);
int inspect_grid(struct text *out, const char *path, struct error *err);
int inspect_grid_seeds(struct text *out, const char *path, struct error *err);
int inspect_differences(struct text *out, const char *path, struct error *err);
int inspect_teachers(struct text *out, const char *path, struct error *err);
int inspect_made(struct text *out, const char *path, struct error *err);
int inspect_compared(struct text *out, const char *path, struct error *err);
int inspect_probe(struct text *out, const char *path, struct error *err);
int inspect_progress(struct text *out, const char *path, struct error *err);
int inspect_train_log(struct text *out, const char *path, struct error *err);
int inspect_log(struct text *out, const char *path, struct error *err);
int inspect_ids(struct text *out, const char *path, struct error *err);
int inspect_vocabulary(struct text *out, const char *path, struct error *err);
int inspect_card(struct text *out, const char *path, struct error *err);
int inspect_page(struct text *out, const char *path, struct error *err);
int inspect_mark(struct text *out, const char *path, struct error *err);
int inspect_json(struct text *out, const char *path, struct error *err);

#endif
