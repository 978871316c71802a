/* See report.h: what a run folder holds is read here, the sections stand in report_*.c. */
#include "distill/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/grid_seeds.h"
#include "distill/report_page.h"

/* ---- for all sections ---- */

char *page_path(const struct page *page, const char *name)
{
    return path_join(page->folder, name);
}

bool page_has(const struct page *page, const char *name)
{
    char *path = page_path(page, name);
    bool there = path_exists(path);
    free(path);
    return there;
}

void measure_title(char title[32], const char *name)
{
    static const char *const titles[][2] = {
        {"ndcg_cut_", "nDCG@"},   {"recip_rank_cut_", "MRR@"}, {"map_cut_", "MAP@"},
        {"recall_", "recall@"},   {"success_", "hits@"},       {"P_", "P@"},
        {"spearman", "Spearman"}, {"pearson", "Pearson"},
    };
    snprintf(title, 32, "%s", strcmp(name, "map") == 0 ? "MAP" : name);
    for (size_t t = 0; t < sizeof titles / sizeof *titles; t++) {
        size_t length = strlen(titles[t][0]);
        if (strncmp(name, titles[t][0], length) == 0)
            snprintf(title, 32, "%s%.20s", titles[t][1], name + length);
    }
}

const char *page_measured_on(struct page *page)
{
    bool on_dev = strcmp(json_string_or(page->manifest, "measured_on", "test"), "dev") == 0;
    snprintf(page->measured_on, sizeof page->measured_on, "%ssplit %s",
             on_dev ? "dev, which also chose the model, for want of a " : "",
             page->job->data.test_split);
    return page->measured_on;
}

void html_interval(struct text *out, struct interval value, bool difference)
{
    if (isnan(value.mean))
        html_number(out, "%s", "");
    else if (isnan(value.low) || isnan(value.high))
        html_number(out, difference ? "%+.4f" : "%.4f", value.mean);
    else
        html_number(out, difference ? "%+.4f [%+.3f, %+.3f]" : "%.4f [%.3f, %.3f]", value.mean,
                    value.low, value.high);
}

/* ---- reading the folder ---- */

static int read_grid(struct grid *out, const struct page *page, const char *name, struct error *err)
{
    char *path = page_path(page, name);
    int status = path_exists(path) ? grid_read(out, path, err) : 0;
    free(path);
    return status;
}

static int read_tables(struct page *page, struct error *err)
{
    char *differences = page_path(page, "differences.tsv"),
         *seeds = page_path(page, "grid_seeds.tsv");
    int status = read_grid(&page->grid, page, "grid.tsv", err);
    if (!status) status = read_grid(&page->dev, page, "grid_dev.tsv", err);
    if (!status && path_exists(differences))
        status = differences_read(&page->differences, differences, err);
    if (!status) status = grid_seeds_read(&page->seeds, seeds, err);
    free(seeds);
    free(differences);
    return status;
}

static int read_manifest(struct page *page, struct error *err)
{
    char *path = page_path(page, "manifest.json");
    int status = path_exists(path) ? json_read_file(&page->manifest, path, err) : 0;
    free(path);
    return status;
}

static int page_open(struct page *page, struct error *err)
{
    int64_t layers, dim;
    if (read_tables(page, err) || read_manifest(page, err)) return -1;
    if (!page->grid.num_measures) return 0;
    measure_title(page->measure, page->grid.measures[0]);
    if (json_as_integer(&layers, json_get(page->manifest, "layers"), 1, 1000000) &&
        json_as_integer(&dim, json_get(page->manifest, "dim"), 1, 1000000))
        page->picked = grid_find(&page->grid, "student", (int)layers, (int)dim);
    return 0;
}

static void page_close(struct page *page)
{
    text_free(&page->out);
    json_free(page->manifest);
    grid_free(&page->grid);
    grid_free(&page->dev);
    grid_free(&page->seeds);
    differences_free(&page->differences);
}

/* ---- the page ---- */

static void contents(struct text *out)
{
    static const char *const parts[][2] = {
        {"stages", "What was done"},
        {"grid", "Quality by size"},
        {"compared", "Compared"},
        {"examples", "Examples"},
        {"training", "Training"},
        {"probe", "Layer probe"},
        {"data", "Data"},
        {"card", "Model card"},
        {"again", "Making it again"},
    };
    text_puts(out, "<nav aria-label=\"Contents\"><ul>");
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        text_printf(out, "<li><a href=\"#%s\">%s</a></li>", parts[p][0], parts[p][1]);
    text_puts(out, "</ul></nav>\n");
}

static int fill(struct page *page, struct error *err)
{
    char *title = xasprintf("%s \xe2\x80\x93 retort report", page->job->name);
    html_start(&page->out, title);
    free(title);
    text_puts(&page->out, "<header>\n<h1>");
    html_text(&page->out, page->job->name);
    text_puts(&page->out, "</h1>\n");
    page_summary(page);
    contents(&page->out);
    text_puts(&page->out, "</header>\n<main>\n");
    if (page_stages(page, err)) return -1;
    page_grid(page);
    page_comparison(page);
    if (page_examples(page, err) || page_training(page, err) || page_probe(page, err)) return -1;
    page_data(page);
    page_card(page);
    page_reproduction(page);
    text_puts(&page->out, "</main>\n");
    html_end(&page->out);
    return 0;
}

static int write_page(const struct page *page, const char *output, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, output, err)) return -1;
    output_write(&out, page->out.bytes, page->out.length);
    return output_commit(&out, err);
}

int report_write(const struct job *job, const char *folder, const struct collection *collection,
                 const char *no_collection, const char *output, struct error *err)
{
    struct page page = {.folder = folder,
                        .job = job,
                        .collection = collection,
                        .no_collection = no_collection,
                        .many = job_has_pairs(job) ? "pairs" : "queries",
                        .paired = job_has_pairs(job) ? "on the same pairs" : "query by query"};
    int status = page_open(&page, err);
    if (!status) status = fill(&page, err);
    if (!status) status = write_page(&page, output, err);
    page_close(&page);
    return status;
}
