/* What the commands that score with a cross-encoder are told of it, and the scorer that comes of
 * it.
 *
 *     struct scorer_options options = SCORER_DEFAULTS;
 *     const struct option rows[] = {SCORER_OPTIONS(&options), {0}};
 *     ...
 *     if (scorer_options_check(&options, err) || scorer_open(&scorer, &options, err)) return -1;
 *     scorer_run(&scorer, ...);
 *     scorer_close(&scorer);
 */
#ifndef RETORT_SCORER_OPTIONS_H
#define RETORT_SCORER_OPTIONS_H

#include "data/options.h"
#include "teacher/scorer.h"

struct scorer_options {
    const char *teacher, *precision, *cache;
    int max_length, threads, label;
};
/* clang-format off */
#define SCORER_DEFAULTS {.precision = "auto", .max_length = 512, .label = -1}
#define SCORER_OPTIONS(options)                                                                    \
    {"teacher", OPTION_STRING, &(options)->teacher, "DIR", "the cross-encoder's folder"},          \
    {"max-length", OPTION_INT, &(options)->max_length, "N", "tokens a pair is cut to (512)"},      \
    {"label", OPTION_INT, &(options)->label, "K",                                                  \
     "which logit of a model with several, counted from 0"},                                       \
    {"cache", OPTION_STRING, &(options)->cache, "FILE",                                            \
     "keep scores here and compute none that it holds; safe to kill and call again"},              \
    OPTION_PRECISION(&(options)->precision),                                                       \
    OPTION_THREADS(&(options)->threads)
/* clang-format on */
int scorer_options_check(const struct scorer_options *options, struct error *err);

/* Opens model, cache and workers; on failure nothing is left open. */
int scorer_open(struct scorer *out, const struct scorer_options *options, struct error *err);
void scorer_close(struct scorer *scorer); /* what scorer_open opened; {0}: nothing */

#endif
