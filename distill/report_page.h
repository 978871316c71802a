/* What the sections of the report share; for distill/report*.c. */
#ifndef RETORT_REPORT_PAGE_H
#define RETORT_REPORT_PAGE_H

#include "data/collection.h"
#include "data/json.h"
#include "distill/differences.h"
#include "distill/grid.h"
#include "distill/job.h"
#include "distill/report_html.h"
#include "distill/report_plots.h"

struct page {
    struct text out;
    const char *folder;
    const struct job *job;
    const struct collection *collection; /* NULL: not there */
    const char *no_collection;           /* then: why */
    struct json *manifest;               /* NULL: not written yet */
    struct grid grid, dev;               /* no rows: not measured yet */
    struct grid seeds;                   /* of a run with several seeds; no rows: none */
    struct differences differences;
    const struct grid_row *picked; /* of grid, the student's; NULL: nothing picked yet */
    char measured_on[96];
    char measure[32];          /* the one that chooses, grid.measures[0]: nDCG@10 */
    const char *many, *paired; /* "queries", "query by query"; "pairs", "on the same pairs" */
};

char *page_path(const struct page *page, const char *name); /* in the folder, allocated */
bool page_has(const struct page *page, const char *name);
/* "nDCG@10" for ndcg_cut_10, "MRR@10", "recall@100", ...; other names as they are. */
void measure_title(char title[32], const char *name);
/* "split test", or that it is dev in its place; of a run that is not finished: what the job wants.
 */
const char *page_measured_on(struct page *page);
/* A cell ".2090 [.183, .237]"; empty for NaN. */
void html_interval(struct text *out, struct interval value, bool difference);

/* The sections. */
void page_summary(struct page *page);                          /* report_summary.c */
int page_stages(struct page *page, struct error *err);         /* report_summary.c */
int page_training(struct page *page, struct error *err);       /* report_training.c */
int page_probe(struct page *page, struct error *err);          /* report_training.c */
void page_grid(struct page *page);                             /* report_grid.c */
void page_comparison(struct page *page);                       /* report_compare.c */
int page_examples(struct page *page, struct error *err);       /* report_examples.c */
void page_data(struct page *page);                             /* report_data.c */
int page_pairs_examples(struct page *page, struct error *err); /* report_pairs.c */
void page_pairs_data(struct page *page);                       /* report_pairs.c */
void page_card(struct page *page);                             /* report_data.c */
void page_reproduction(struct page *page);                     /* report_data.c */

#endif
