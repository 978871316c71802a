#include "distill/recipes.h"

#include <string.h>

/* Numbers and sources: methods.md 1.1 to 1.7.  Where a method trains the hidden state itself, the
 * student has no projection. */
static const struct {
    const char *name, *summary, *keys;
} recipes[] = {
    {"retort",
     "labels, the teacher's distributions, self-distillation and HPD at all of student.taps", ""},
    {"matryoshka", "labels at every width of the last layer (Kusupati et al. 2022)",
     "student: {projection: none}\n"
     "distill:\n"
     "  hpd: {epochs: 0}\n"
     "  taps: drawn\n"
     "  sample: {layers: 0, dims: all, full_width: none}\n"
     "  loss: {listwise_kl: 0, self_kl: 0, hpd: 0}\n"},
    {"starbucks",
     "labels at all of student.taps, whose dot products copy the full model's distribution (Zhuang "
     "et al. 2024)",
     "student: {projection: none, pooling: cls}\n"
     "distill:\n"
     "  hpd: {epochs: 0}\n"
     "  similarity: dot\n"
     "  temperature: 1\n"
     "  loss: {listwise_kl: 0, self_kl: 1, hpd: 0}\n"},
    {"de2ce", "the full model alone, from the teacher's first block and a random one (DE-2 CE)",
     "student: {init: {from: teacher, layers: [1, 0]}, projection: none}\n"
     "distill:\n"
     "  hpd: {epochs: 0}\n"
     "  taps: drawn\n"
     "  sample: {layers: 0, dims: 0, full_width: last}\n"
     "  loss: {listwise_kl: 0, self_kl: 0, hpd: 0}\n"},
    {"margin-mse",
     "the full model alone copies the teacher's margins by dot products (Hofstätter et al. 2020)",
     "student: {projection: none}\n"
     "distill:\n"
     "  hpd: {epochs: 0}\n"
     "  taps: drawn\n"
     "  sample: {layers: 0, dims: 0, full_width: last}\n"
     "  similarity: dot\n"
     "  temperature: 1\n"
     "  loss: {info_nce: 0, listwise_kl: 0, margin_mse: 1, self_kl: 0, hpd: 0}\n"},
};

enum { NUM_RECIPES = sizeof recipes / sizeof *recipes };

const struct key_word recipe_words[NUM_RECIPES + 1] = {
    {"retort", 0}, {"matryoshka", 1}, {"starbucks", 2}, {"de2ce", 3}, {"margin-mse", 4}};

const char *recipe_keys(int recipe)
{
    REQUIRE(recipe >= 0 && recipe < NUM_RECIPES);
    return recipes[recipe].keys;
}

void recipes_reference(struct text *out)
{
    text_puts(out, "| recipe | what it trains | keys |\n|---|---|---|\n");
    for (int r = 0; r < NUM_RECIPES; r++) {
        text_printf(out, "| `%s` | %s | ", recipes[r].name, recipes[r].summary);
        for (const char *line = recipes[r].keys; *line; line += strcspn(line, "\n") + 1)
            text_printf(out, "%s`%.*s`", line == recipes[r].keys ? "" : "<br>",
                        (int)strcspn(line, "\n"), line);
        text_puts(out, " |\n");
    }
}
