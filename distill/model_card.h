/* README.md of the exported folder, as the Hugging Face Hub reads it: front matter in YAML, then
 * what the model is, for what, under which licences, how it was made, its row of the grid. */
#ifndef RETORT_MODEL_CARD_H
#define RETORT_MODEL_CARD_H

#include "distill/grid.h"
#include "distill/job_run.h"

void model_card(struct text *out, const struct job_run *run, const struct grid *grid,
                const struct tap *picked);
/* Appends what the job says of licences, as one line of plain text. */
void card_licenses(struct text *out, const struct job *job);

#endif
