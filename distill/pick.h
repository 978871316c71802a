/* The rule that picks which (layers, dim) of the student to ship, from the grid.
 *
 *     smallest index_bytes with ndcg@10 >= 0.97 * full
 *     fastest with ndcg@10 >= 0.6 and index_bytes <= 256
 *     largest mrr@10 with layers <= 2
 *     layers = 3 dim = 128
 *
 *     rule       = "layers" "=" N "dim" "=" N
 *                | ("smallest" | "largest") COLUMN [conditions] | "fastest" [conditions]
 *     conditions = "with" condition {"and" condition}
 *     condition  = COLUMN (">=" | "<=" | ">" | "<") (NUMBER ["*" "full"] | "full")
 *     COLUMN     = index_bytes (bytes per vector), ms_per_query, texts_per_s, layers, dim,
 *                  model_parameters, or a measure in any spelling: ndcg@10, ndcg_cut_10, mrr@10,
 *                  recall@100, map, spearman, ...
 *
 * "full" is the student at its most layers and then most dims; "fastest" is the largest
 * texts_per_s.  Equal points: fewer layers, then fewer dims.  Rules on times (fastest, texts_per_s,
 * ms_per_query) may pick otherwise on another run.
 */
#ifndef RETORT_PICK_H
#define RETORT_PICK_H

#include "distill/grid.h"
#include "student/dual_encoder.h"

enum { PICK_MOST_CONDITIONS = 8 };
enum comparison { AT_LEAST, AT_MOST, MORE_THAN, LESS_THAN };

struct pick_condition {
    char column[32]; /* canonical */
    enum comparison comparison;
    double number;
    bool of_full; /* number is a factor of full's value */
};
struct pick_rule {
    char text[256];
    struct tap point; /* layers and dim given outright; 0, 0: by the rest */
    char column[32];  /* what is smallest or largest */
    bool largest;
    struct pick_condition conditions[PICK_MOST_CONDITIONS];
    int num_conditions;
};

/* STATUS_USAGE with the column of the rule where it goes wrong, and the nearest name where a word
 * is unknown. */
int pick_parse(struct pick_rule *out, const char *text, struct error *err);
/* Whether a grid of these measures (canonical names) can answer the rule: to be asked before the
 * work begins. */
int pick_check(const struct pick_rule *rule, const char *const *measures, int num_measures,
               struct error *err);
/* The point, from the rows of system "student".  Where none satisfies the conditions: an error with
 * the best value there is. */
int pick_choose(struct tap *out, const struct pick_rule *rule, const struct grid *grid,
                struct error *err);
/* Appends "layers 2, dim 64: index_bytes 256, ndcg_cut_10 0.6712 >= 0.6590", for logs and the
 * report. */
void pick_explain(const struct pick_rule *rule, const struct grid *grid, struct tap point,
                  struct text *out);

#endif
