/* Signs of many queries side by side: see dots.h. */
#include "nn/dots.h"

#include <string.h>

static size_t padded(size_t count)
{
    return (count + DOTS_ROWS - 1) / DOTS_ROWS * DOTS_ROWS;
}

size_t dots_turned_size(size_t count, size_t dim)
{
    return (dim + 31) / 32 * padded(count);
}

void dots_turn_signs(struct turned_signs *out, const void *queries)
{
    size_t bytes = (out->dim + 7) / 8, row = padded(out->count);
    memset(out->words, 0, dots_turned_size(out->count, out->dim) * sizeof *out->words);
    for (size_t q = 0; q < out->count; q++)
        for (size_t i = 0; i < out->dim; i++) {
            unsigned char byte = ((const unsigned char *)queries)[q * bytes + i / 8];
            unsigned char *word = (unsigned char *)&out->words[i / 32 * row + q];
            word[i / 8 % 4] |= (unsigned char)(byte & 0x80 >> i % 8);
        }
}
