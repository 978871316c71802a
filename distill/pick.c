/* See pick.h.  A rule is read in one pass by recursive descent; columns of messages count from 1.
 * */
#include "distill/pick.h"
#include "data/options.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

static const char *const COST_COLUMNS[] = {"index_bytes", "ms_per_query", "texts_per_s",
                                           "layers",      "dim",          "model_parameters"};
enum { NUM_COSTS = sizeof COST_COLUMNS / sizeof *COST_COLUMNS };

static bool is_cost(const char *column)
{
    for (int i = 0; i < NUM_COSTS; i++)
        if (strcmp(column, COST_COLUMNS[i]) == 0) return true;
    return false;
}

/* NaN where the row has no such value. */
static double value_of(const struct grid *grid, const struct grid_row *row, const char *column)
{
    const double costs[NUM_COSTS] = {
        row->bytes_per_vector, row->ms_per_query, row->texts_per_s,
        row->layers,           row->dim,          row->model_parameters};
    for (int i = 0; i < NUM_COSTS; i++)
        if (strcmp(column, COST_COLUMNS[i]) == 0) return costs[i];
    int measure = grid_measure(grid, column);
    return measure < 0 ? (double)NAN : row->values[measure].mean;
}

/* ---- reading a rule ---- */

struct reader {
    const char *text, *at; /* at: the next character that is not white */
    struct error *err;
};

static void skip_white(struct reader *reader)
{
    while (isspace((unsigned char)*reader->at)) reader->at++;
}

/* What stands next, for messages: a word or one character. */
static int next_length(const struct reader *reader)
{
    size_t length = strcspn(reader->at, " \t\n\r=<>*");
    return length ? (int)length : *reader->at != '\0';
}

static int expected(const struct reader *reader, const char *what)
{
    int column = (int)(reader->at - reader->text) + 1;
    if (!*reader->at)
        return fail_usage(reader->err, "pick rule \"%s\", column %d: it ends where %s should stand",
                          reader->text, column, what);
    return fail_usage(reader->err, "pick rule \"%s\", column %d: \"%.*s\" where %s should stand",
                      reader->text, column, next_length(reader), reader->at, what);
}

/* Steps over the word or sign if it stands next. */
static bool accept(struct reader *reader, const char *token)
{
    size_t length = strlen(token);
    if (strncmp(reader->at, token, length) != 0) return false;
    if (isalpha((unsigned char)*token) && next_length(reader) != (int)length) return false;
    reader->at += length;
    skip_white(reader);
    return true;
}

static int read_number(double *out, struct reader *reader)
{
    char *end;
    *out = strtod(reader->at, &end);
    if (end == reader->at || !isfinite(*out)) return expected(reader, "a number");
    reader->at = end;
    skip_white(reader);
    return 0;
}

static int read_column(char column[32], struct reader *reader)
{
    static const char *const known[] = {
        "index_bytes", "ms_per_query", "texts_per_s", "layers",     "dim",      "model_parameters",
        "ndcg@10",     "mrr@10",       "map",         "recall@100", "spearman", "pearson"};
    int length = next_length(reader);
    char *word = xstrndup(reader->at, (size_t)length);
    int status = 0;
    if (strcmp(word, "bytes_per_vector") == 0) {
        strcpy(column, "index_bytes");
    } else if (is_cost(word)) {
        strcpy(column, word);
    } else if (grid_measure_name(column, word)) {
        const char *nearest = nearest_name(word, known, sizeof known / sizeof *known);
        status = nearest
                     ? fail_usage(reader->err,
                                  "pick rule \"%s\", column %d: \"%s\" is no measure or "
                                  "column; did you mean %s?",
                                  reader->text, (int)(reader->at - reader->text) + 1, word, nearest)
                     : expected(reader, "a measure (ndcg@10) or column (index_bytes)");
    }
    free(word);
    reader->at += length;
    skip_white(reader);
    return status;
}

static int read_comparison(enum comparison *out, struct reader *reader)
{
    static const char *const signs[] = {">=", "<=", ">", "<"};
    for (int i = 0; i < 4; i++)
        if (accept(reader, signs[i])) {
            *out = (enum comparison)i;
            return 0;
        }
    return expected(reader, ">=, <=, > or <");
}

static int read_condition(struct pick_condition *out, struct reader *reader)
{
    *out = (struct pick_condition){.number = 1};
    if (read_column(out->column, reader) || read_comparison(&out->comparison, reader)) return -1;
    out->of_full = accept(reader, "full");
    if (out->of_full) return 0;
    if (read_number(&out->number, reader)) return -1;
    if (!accept(reader, "*")) return 0;
    out->of_full = accept(reader, "full");
    return out->of_full ? 0 : expected(reader, "full");
}

static int read_conditions(struct pick_rule *rule, struct reader *reader)
{
    if (!*reader->at) return 0;
    if (!accept(reader, "with")) return expected(reader, "with");
    do {
        if (rule->num_conditions == PICK_MOST_CONDITIONS)
            return expected(reader, "the end (8 conditions are the most)");
        if (read_condition(&rule->conditions[rule->num_conditions++], reader)) return -1;
    } while (accept(reader, "and"));
    return *reader->at ? expected(reader, "and, or the end,") : 0;
}

static int read_count(int *out, struct reader *reader)
{
    double number;
    const char *start = reader->at;
    if (!accept(reader, "=")) return expected(reader, "=");
    if (read_number(&number, reader)) return -1;
    if (number >= 1 && number <= 1e6 && number == floor(number)) {
        *out = (int)number;
        return 0;
    }
    reader->at = start + 1;
    skip_white(reader);
    return expected(reader, "a whole number from 1");
}

static int read_point(struct tap *out, struct reader *reader)
{
    if (read_count(&out->layer, reader)) return -1;
    accept(reader, ",");
    if (!accept(reader, "dim")) return expected(reader, "dim");
    if (read_count(&out->dim, reader)) return -1;
    return *reader->at ? expected(reader, "the end") : 0;
}

int pick_parse(struct pick_rule *out, const char *text, struct error *err)
{
    struct reader reader = {.text = text, .at = text, .err = err};
    *out = (struct pick_rule){0};
    if (strlen(text) >= sizeof out->text)
        return fail_usage(err, "a pick rule has at most %zu characters", sizeof out->text - 1);
    strcpy(out->text, text);
    skip_white(&reader);
    if (accept(&reader, "layers")) return read_point(&out->point, &reader);
    if (accept(&reader, "fastest")) {
        strcpy(out->column, "texts_per_s");
        out->largest = true;
        return read_conditions(out, &reader);
    }
    out->largest = accept(&reader, "largest");
    if (!out->largest && !accept(&reader, "smallest"))
        return expected(&reader, "smallest, largest, fastest or layers=");
    if (read_column(out->column, &reader)) return -1;
    return read_conditions(out, &reader);
}

static int check_column(const struct pick_rule *rule, const char *column,
                        const char *const *measures, int num_measures, struct error *err)
{
    if (!*column || is_cost(column)) return 0;
    for (int i = 0; i < num_measures; i++)
        if (strcmp(column, measures[i]) == 0) return 0;
    return fail_usage(err,
                      "pick rule \"%s\" needs %s, which is not among the measures evaluated; add "
                      "it to evaluate.measures",
                      rule->text, column);
}

int pick_check(const struct pick_rule *rule, const char *const *measures, int num_measures,
               struct error *err)
{
    if (check_column(rule, rule->column, measures, num_measures, err)) return -1;
    for (int i = 0; i < rule->num_conditions; i++)
        if (check_column(rule, rule->conditions[i].column, measures, num_measures, err)) return -1;
    return 0;
}

/* ---- choosing ---- */

/* Whether a stands before b in the order of ties: fewer layers, then fewer dims. */
static bool is_slimmer(const struct grid_row *a, const struct grid_row *b)
{
    return a->layers != b->layers ? a->layers < b->layers : a->dim < b->dim;
}

static bool is_student_point(const struct grid_row *row)
{
    return row->layers && row->dim && strcmp(row->system, "student") == 0;
}

static const struct grid_row *full_point(const struct grid *grid)
{
    const struct grid_row *full = NULL;
    for (size_t i = 0; i < grid->count; i++)
        if (is_student_point(&grid->rows[i]) && (!full || is_slimmer(full, &grid->rows[i])))
            full = &grid->rows[i];
    return full;
}

static bool compare(double value, enum comparison comparison, double bound)
{
    switch (comparison) { /* false for NaN */
    case AT_LEAST:
        return value >= bound;
    case AT_MOST:
        return value <= bound;
    case MORE_THAN:
        return value > bound;
    default:
        return value < bound;
    }
}

static double bound_of(const struct pick_condition *condition, const struct grid *grid)
{
    if (!condition->of_full) return condition->number;
    return condition->number * value_of(grid, full_point(grid), condition->column);
}

/* Whether the row meets the rule's first `count` conditions. */
static bool meets(const struct pick_rule *rule, int count, const struct grid *grid,
                  const struct grid_row *row)
{
    for (int i = 0; i < count; i++) {
        const struct pick_condition *condition = &rule->conditions[i];
        if (!compare(value_of(grid, row, condition->column), condition->comparison,
                     bound_of(condition, grid)))
            return false;
    }
    return true;
}

/* The student's point with the largest (or smallest) value in column among those that meet the
 * first `count` conditions; NULL where there is none. */
static const struct grid_row *best_point(const struct pick_rule *rule, int count,
                                         const struct grid *grid, const char *column, bool largest)
{
    const struct grid_row *best = NULL;
    double best_value = NAN;
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        double value = value_of(grid, row, column);
        if (!is_student_point(row) || isnan(value) || !meets(rule, count, grid, row)) continue;
        bool better = largest ? value > best_value : value < best_value;
        if (!best || better || (value == best_value && is_slimmer(row, best)))
            best = row, best_value = value;
    }
    return best;
}

static const char *const SIGNS[] = {">=", "<=", ">", "<"};

/* The first condition that no point meets together with those before it, and how near the best
 * comes. */
static int fail_unsatisfied(const struct pick_rule *rule, const struct grid *grid,
                            struct error *err)
{
    int met = 0;
    while (met < rule->num_conditions &&
           best_point(rule, met + 1, grid, rule->conditions[met].column, true))
        met++;
    if (met == rule->num_conditions)
        return fail(err, "pick rule \"%s\": the grid has no value of %s for the student",
                    rule->text, rule->column);
    const struct pick_condition *condition = &rule->conditions[met];
    const bool largest = condition->comparison == AT_LEAST || condition->comparison == MORE_THAN;
    const struct grid_row *best = best_point(rule, met, grid, condition->column, largest);
    const double bound = bound_of(condition, grid);
    if (!best || isnan(bound))
        return fail(err, "pick rule \"%s\": the grid has no value of %s for the student",
                    rule->text, condition->column);
    return fail(
        err, "pick rule \"%s\": no point has %s %s %.6g%s; the best is %.6g, at layers %d, dim %d",
        rule->text, condition->column, SIGNS[condition->comparison], bound,
        met ? " beside the conditions before it" : "", value_of(grid, best, condition->column),
        best->layers, best->dim);
}

int pick_choose(struct tap *out, const struct pick_rule *rule, const struct grid *grid,
                struct error *err)
{
    const struct grid_row *full = full_point(grid);
    if (!full)
        return fail(err, "pick rule \"%s\": the grid has no point of the student", rule->text);
    if (rule->point.layer) {
        if (!grid_find(grid, "student", rule->point.layer, rule->point.dim))
            return fail(err,
                        "pick rule \"%s\": that point was not evaluated; add it to "
                        "evaluate.layers and evaluate.dims (the largest are %d and %d)",
                        rule->text, full->layers, full->dim);
        *out = rule->point;
        return 0;
    }
    const struct grid_row *best =
        best_point(rule, rule->num_conditions, grid, rule->column, rule->largest);
    if (!best) return fail_unsatisfied(rule, grid, err);
    *out = (struct tap){.layer = best->layers, .dim = best->dim};
    return 0;
}

void pick_explain(const struct pick_rule *rule, const struct grid *grid, struct tap point,
                  struct text *out)
{
    const struct grid_row *row = grid_find(grid, "student", point.layer, point.dim);
    REQUIRE(row);
    text_printf(out, "layers %d, dim %d", point.layer, point.dim);
    if (*rule->column)
        text_printf(out, ": %s %s %.6g", rule->largest ? "largest" : "smallest", rule->column,
                    value_of(grid, row, rule->column));
    for (int i = 0; i < rule->num_conditions; i++) {
        const struct pick_condition *condition = &rule->conditions[i];
        text_printf(out, ", %s %.6g %s %.6g", condition->column,
                    value_of(grid, row, condition->column), SIGNS[condition->comparison],
                    bound_of(condition, grid));
    }
}
