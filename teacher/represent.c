/* Early-layer representations of single texts: the mean of a low layer's hidden states over the
 * text's own tokens. */
#include "teacher/cross_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "nn/encode.h"

int text_form_parse(enum text_form *out, const char *name, struct error *err)
{
    for (int form = FORM_SINGLE; form <= FORM_PAIR; form++)
        if (strcmp(name, text_form_name(form)) == 0) {
            *out = form;
            return 0;
        }
    return fail_usage(err, "%s is no form of input; use single or pair", name);
}

const char *text_form_name(enum text_form form)
{
    return form == FORM_PAIR ? "pair" : "single";
}

struct text_input cross_encoder_text_input(const struct cross_encoder *ce, enum text_form form,
                                           int max_tokens)
{
    /* [CLS] x [SEP] x [SEP]: each copy as long as it is in [CLS] x [SEP] */
    int wanted = form == FORM_PAIR && max_tokens > 0 ? 2 * max_tokens - 1 : max_tokens;
    return (struct text_input){.form = form, .max_length = cross_encoder_max_length(ce, wanted)};
}

struct represent_work {
    int hidden_size;
    int num_specials, copies; /* of a whole sequence: [CLS] x [SEP] has 2 and 1 */
    const int *layers;
    int num_layers;
    float *const *out; /* [num_layers][n, hidden_size] */
};

/* out [width] = mean of rows first .. first + count - 1 of hidden [., width] */
static void mean_rows(float *out, const float *hidden, size_t first, size_t count, size_t width)
{
    memset(out, 0, width * sizeof *out);
    for (size_t t = first; t < first + count; t++)
        for (size_t j = 0; j < width; j++) out[j] += hidden[t * width + j];
    for (size_t j = 0; j < width; j++) out[j] /= (float)count;
}

static void represent_done(void *arg, int worker, const struct encoder_pass *pass,
                           const struct batch *batch, const uint32_t *items)
{
    (void)worker;
    const struct represent_work *work = arg;
    size_t width = (size_t)work->hidden_size;
    for (int l = 0; l < work->num_layers; l++) {
        const float *hidden = encoder_hidden(pass, work->layers[l]);
        for (int s = 0; s < batch->num_seqs; s++) {
            /* One special token in front.  Where both copies were cut, longest_first leaves the
             * first the shorter one by a token if they differ, hence the division that rounds
             * down. */
            size_t start = (size_t)batch->offsets[s];
            size_t length = (size_t)batch->offsets[s + 1] - start;
            size_t own = (length - (size_t)work->num_specials) / (size_t)work->copies;
            float *row = work->out[l] + items[s] * width;
            mean_rows(row, hidden, own ? start + 1 : start, own ? own : 1, width);
        }
    }
}

/* How many special tokens the tokenizer's template puts around a text, or around a pair. */
static int count_specials(const struct tokenizer *tok, struct text_input input)
{
    struct token_list ids = {0};
    tokenizer_encode(tok, &ids, "", input.form == FORM_PAIR ? "" : NULL, input.max_length);
    int count = (int)ids.count;
    token_list_free(&ids);
    return count;
}

void cross_encoder_represent(const struct cross_encoder *ce, struct pool *pool,
                             const char *const *texts, size_t n, struct text_input input,
                             const int *layers, int num_layers, float *const *out)
{
    const struct tokenizer *tok = cross_encoder_tokenizer(ce);
    struct represent_work work = {.hidden_size = cross_encoder_config(ce)->hidden_size,
                                  .num_specials = count_specials(tok, input),
                                  .copies = input.form == FORM_PAIR ? 2 : 1,
                                  .layers = layers,
                                  .num_layers = num_layers,
                                  .out = out};
    int deepest = 0;
    for (int l = 0; l < num_layers; l++)
        if (layers[l] > deepest) deepest = layers[l];
    REQUIRE(deepest <= cross_encoder_config(ce)->num_layers);

    struct sequences sequences;
    sequences_encode(&sequences, tok, pool, texts, input.form == FORM_PAIR ? texts : NULL, n, "",
                     input.max_length);
    struct encode_workers *workers = encode_workers_open(cross_encoder_encoder(ce), pool);
    encode_sequences(workers, &sequences, deepest, represent_done, &work);
    encode_workers_close(workers);
    sequences_free(&sequences);
}
