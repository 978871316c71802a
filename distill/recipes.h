/* Published methods as settings: a recipe gives values to job keys that the job leaves out.
 *
 * A recipe is nothing but keys, which `retort plan` shows resolved and which a job overrides one by
 * one.  What was published beside the method (data, steps, learning rates) is left to the job,
 * except where the method stands or falls with it.
 */
#ifndef RETORT_RECIPES_H
#define RETORT_RECIPES_H

#include "distill/job_keys.h"

extern const struct key_word recipe_words[]; /* names; ends with a zeroed row */
/* The keys of the recipe as YAML. */
const char *recipe_keys(int recipe);
/* Markdown table of all recipes, for the README. */
void recipes_reference(struct text *out);

#endif
