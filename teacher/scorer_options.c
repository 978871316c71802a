/* See scorer_options.h. */
#include "teacher/scorer_options.h"

int scorer_options_check(const struct scorer_options *options, struct error *err)
{
    if (!options->teacher) return fail_usage(err, "--teacher DIR is missing");
    if (options->label < -1) return fail_usage(err, "--label counts from 0");
    if (options->max_length < 4) return fail_usage(err, "--max-length must be at least 4 tokens");
    return 0;
}

static int choose_label(struct scorer *scorer, const struct scorer_options *options,
                        struct error *err)
{
    int labels = cross_encoder_num_labels(scorer->ce);
    if (options->label >= labels)
        return fail_usage(err, "--label %d: %s has %d label%s, counted from 0", options->label,
                          options->teacher, labels, labels == 1 ? "" : "s");
    if (labels > 1 && options->label < 0)
        return fail_usage(err, "%s has %d labels; choose the one to print with --label K",
                          options->teacher, labels);
    scorer->label = options->label < 0 ? 0 : options->label;
    return 0;
}

int scorer_open(struct scorer *out, const struct scorer_options *options, struct error *err)
{
    struct cross_encoder *ce = NULL;
    enum precision precision;
    *out = (struct scorer){0};
    if (precision_parse(&precision, options->precision, err)) return -1;
    int status = cross_encoder_open(&ce, options->teacher, precision, err);
    out->ce = ce;
    if (!status) status = choose_label(out, options, err);
    if (!status && options->cache) status = scorer_open_cache(out, options->cache, err);
    if (status) {
        scorer_close(out);
        return -1;
    }
    out->pool = pool_open(options->threads);
    out->max_length = cross_encoder_max_length(ce, options->max_length);
    return 0;
}

void scorer_close(struct scorer *scorer)
{
    if (scorer->pool) pool_close(scorer->pool);
    score_cache_close(scorer->cache);
    cross_encoder_close((struct cross_encoder *)scorer->ce); /* scorer_open's own */
    *scorer = (struct scorer){0};
}
