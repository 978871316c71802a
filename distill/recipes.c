#include "distill/recipes.h"

#include <string.h>

enum recipe {
    RECIPE_RETORT,
    RECIPE_2DMSE,
    RECIPE_ESE,
    RECIPE_ADAPTIVE_LAYER,
    RECIPE_MATRYOSHKA,
    RECIPE_MATRYOSHKA2D,
    RECIPE_STARBUCKS,
    RECIPE_HPD,
    RECIPE_DE2CE,
    RECIPE_MARGIN_MSE,
    NUM_RECIPES
};

const struct key_word recipe_words[NUM_RECIPES + 1] = {
    {"retort", RECIPE_RETORT},
    {"2dmse", RECIPE_2DMSE},
    {"ese", RECIPE_ESE},
    {"adaptive-layer", RECIPE_ADAPTIVE_LAYER},
    {"matryoshka", RECIPE_MATRYOSHKA},
    {"matryoshka2d", RECIPE_MATRYOSHKA2D},
    {"starbucks", RECIPE_STARBUCKS},
    {"hpd", RECIPE_HPD},
    {"de2ce", RECIPE_DE2CE},
    {"margin-mse", RECIPE_MARGIN_MSE},
};

/* Numbers and sources: docs/methods.md.  Where a method trains the hidden state itself, the student
 * has no projection. */
/* clang-format off */
static const struct {
    const char *summary, *keys;
} recipes[NUM_RECIPES] = {
    [RECIPE_RETORT] = {
        "labels, the teacher's distributions and self-distillation at all of student.taps",
        ""},
    [RECIPE_2DMSE] = {
        "labels at a drawn layer and the last, at a drawn width and the full one; the drawn layer "
        "copies the last one's coordinates, which give way (Li et al. 2024)",
        "student: {projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: 1, dims: 1, full_width: all, same_widths: true}\n"
        "  coordinate_kl: {temperature: 1, detached: false}\n"
        "  loss: {listwise_kl: 0, self_kl: 0, coordinate_kl: 1, hpd: 0}\n"},
    [RECIPE_ESE] = {
        "labels at 128 dimensions of every layer, which copy a projection of their layer, and at "
        "the last one's full width (Li et al. 2025)",
        "student: {projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: all, embeddings: true, dims: all, widths: [128], full_width: last}\n"
        "  tap_weights: log\n"
        "  loss: {listwise_kl: 0, self_kl: 0, compress: 1, hpd: 0}\n"},
    [RECIPE_ADAPTIVE_LAYER] = {
        "labels at a drawn layer and the last, whose coordinates it copies (AdaptiveLayerLoss)",
        "student: {projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: 1, embeddings: true, dims: 0, full_width: all}\n"
        "  loss: {listwise_kl: 0, self_kl: 0, coordinate_kl: 1, hpd: 0}\n"},
    [RECIPE_MATRYOSHKA] = {
        "labels at every width of the last layer (Kusupati et al. 2022)",
        "student: {projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: 0, dims: all, full_width: none}\n"
        "  loss: {listwise_kl: 0, self_kl: 0, hpd: 0}\n"},
    [RECIPE_MATRYOSHKA2D] = {
        "adaptive-layer at one drawn width for each of the two layers (Matryoshka2dLoss)",
        "student: {projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: 1, embeddings: true, dims: 1, full_width: none}\n"
        "  loss: {listwise_kl: 0, self_kl: 0, coordinate_kl: 1, hpd: 0}\n"},
    [RECIPE_STARBUCKS] = {
        "labels at all of student.taps, whose dot products copy the full model's (Zhuang et al. "
        "2024)",
        "student: {projection: none, pooling: cls}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  similarity: dot\n"
        "  temperature: 1\n"
        "  loss: {listwise_kl: 0, self_kl: 1, hpd: 0}\n"},
    [RECIPE_HPD] = {
        "the full model alone copies the teacher's vectors, without labels (Zhao et al. 2022)",
        "distill:\n"
        "  hpd: {epochs: 5, batch_texts: 256}\n"
        "  taps: drawn\n"
        "  sample: {layers: 0, dims: 0, full_width: last}\n"
        "  epochs: 0\n"
        "  principal_axes: false\n"},
    [RECIPE_DE2CE] = {
        "labels at the full model alone, from the teacher's first block and a random one (DE-2 CE)",
        "student: {init: {from: teacher, layers: [1, 0]}, projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: 0, dims: 0, full_width: last}\n"
        "  loss: {listwise_kl: 0, self_kl: 0, hpd: 0}\n"},
    [RECIPE_MARGIN_MSE] = {
        "the full model alone copies the teacher's margins by dot products (Hofstätter et al. "
        "2020)",
        "student: {projection: none}\n"
        "distill:\n"
        "  hpd: {epochs: 0}\n"
        "  taps: drawn\n"
        "  sample: {layers: 0, dims: 0, full_width: last}\n"
        "  similarity: dot\n"
        "  temperature: 1\n"
        "  loss: {info_nce: 0, listwise_kl: 0, margin_mse: 1, self_kl: 0, hpd: 0}\n"},
};
/* clang-format on */

const char *recipe_keys(int recipe)
{
    REQUIRE(recipe >= 0 && recipe < NUM_RECIPES);
    return recipes[recipe].keys;
}

void recipes_reference(struct text *out)
{
    text_puts(out, "| recipe | what it trains | keys |\n|---|---|---|\n");
    for (int r = 0; r < NUM_RECIPES; r++) {
        text_printf(out, "| `%s` | %s | ", recipe_words[r].word, recipes[r].summary);
        for (const char *line = recipes[r].keys; *line; line += strcspn(line, "\n") + 1)
            text_printf(out, "%s`%.*s`", line == recipes[r].keys ? "" : "<br>",
                        (int)strcspn(line, "\n"), line);
        text_puts(out, " |\n");
    }
}
