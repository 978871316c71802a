/* retort inspect: model folders, safetensors, vectors (inspect.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/model_folder.h"
#include "data/npy.h"
#include "data/output.h"
#include "data/safetensors.h"
#include "data/tokenizer.h"
#include "distill/checkpoint.h"
#include "distill/inspect.h"
#include "distill/pca.h"
#include "student/bm25.h"
#include "student/index.h"

enum { TENSORS_SHOWN = 24 };

/* ---- weights ---- */

/* Elements of a checkpoint, by where they belong. */
struct weights {
    double all, embeddings, blocks, bytes;
    bool has_classifier;
};

static struct weights weigh(const struct safetensors *st)
{
    static const double sizes[] = {4, 2, 2, 8, 8, 4, 1, 1};
    struct weights weights = {0};
    for (int i = 0; i < safetensors_count(st); i++) {
        const struct tensor *tensor = safetensors_at(st, i);
        double elements = (double)tensor_elements(tensor);
        weights.bytes += elements * sizes[tensor->dtype];
        if (!tensor_is_float(tensor)) continue;
        weights.all += elements;
        if (strstr(tensor->name, "embeddings")) weights.embeddings += elements;
        if (strstr(tensor->name, "layer.")) weights.blocks += elements;
        if (strncmp(tensor->name, "classifier", 10) == 0) weights.has_classifier = true;
    }
    return weights;
}

static void weight_facts(struct text *out, const struct weights *weights, int layers)
{
    char all[16], embeddings[16], layer[16], bytes[16];
    fact(out, "parameters", "%s: embeddings %s, each layer %s; %s on disk",
         short_number(all, weights->all), short_number(embeddings, weights->embeddings),
         short_number(layer, layers ? weights->blocks / layers : 0),
         short_bytes(bytes, weights->bytes));
}

static void pca_facts(struct text *out, const struct pca *pca)
{
    bool centred = false;
    for (int i = 0; i < pca->input_size; i++) centred = centred || pca->mean[i] != 0;
    fact(out, "kind", "principal components");
    fact(out, "components", "%d of %d dimensions, %s; they explain %.1f %%", pca->output_size,
         pca->input_size, centred ? "centred" : "not centred", 100 * pca->explained);
    fact(out, "eigenvalues", "%.4g, %.4g, ... %.4g", (double)pca->eigenvalues[0],
         (double)pca->eigenvalues[pca->output_size > 1],
         (double)pca->eigenvalues[pca->output_size - 1]);
}

static int inspect_pca(struct text *out, const char *path, struct error *err)
{
    struct pca pca;
    if (pca_read(&pca, path, err)) return -1;
    pca_facts(out, &pca);
    pca_free(&pca);
    return 0;
}

static void tensor_facts(struct text *out, const struct safetensors *st)
{
    struct weights weights = weigh(st);
    struct checkpoint_state state;
    int count = safetensors_count(st);
    bool is_checkpoint = checkpoint_state_of(&state, st);
    char all[16], bytes[16], description[128];
    fact(out, "kind", is_checkpoint ? "checkpoint of training" : "safetensors");
    if (is_checkpoint) {
        fact(out, "steps", "%llu%s", (unsigned long long)state.step,
             state.finished ? ", the last one" : "");
        if (state.best >= 0) fact(out, "best on dev", "%.4f", state.best);
    }
    /* A checkpoint holds each parameter and two moments of it. */
    fact(out, "tensors", "%d, %s parameters%s, %s", count,
         short_number(all, is_checkpoint ? weights.all / 3 : weights.all),
         is_checkpoint ? " and their moments" : "", short_bytes(bytes, weights.bytes));
    for (int i = 0; i < count && i < TENSORS_SHOWN; i++) {
        const struct tensor *tensor = safetensors_at(st, i);
        fact(out, "", "%-60s %s", tensor->name, tensor_describe(description, tensor));
    }
    if (count > TENSORS_SHOWN) fact(out, "", "... and %d more", count - TENSORS_SHOWN);
}

int inspect_safetensors(struct text *out, const char *path, struct error *err)
{
    struct safetensors *st;
    if (safetensors_open(&st, path, err)) return -1;
    bool is_pca = safetensors_find(st, "components") && safetensors_find(st, "eigenvalues");
    if (!is_pca) tensor_facts(out, st);
    safetensors_close(st);
    return is_pca ? inspect_pca(out, path, err) : 0;
}

/* ---- model folders ---- */

static const char *kind_of(const struct hf_config *config, const struct st_config *st,
                           const struct weights *weights)
{
    if (st->is_sentence_transformer) return "dual encoder (sentence-transformers)";
    if (strstr(config->architecture, "SequenceClassification") || weights->has_classifier)
        return "cross-encoder";
    return "encoder without a head";
}

static void encoder_facts(struct text *out, const struct hf_config *config)
{
    fact(out, "architecture", "%s%s%s%s", config->model_type, *config->architecture ? " (" : "",
         config->architecture, *config->architecture ? ")" : "");
    fact(out, "layers", "%d of width %d, %d heads, feed-forward %d (%s)", config->num_layers,
         config->hidden_size, config->num_heads, config->intermediate_size, config->hidden_act);
    fact(out, "positions", "%d tokens; vocabulary %d", config->max_positions, config->vocab_size);
}

static void dual_encoder_facts(struct text *out, const struct st_config *st)
{
    fact(out, "pooling", "%s", st->pooling == POOLING_CLS ? "first token" : "mean");
    if (st->dense_folder)
        fact(out, "projection", "%d to %d%s%s", st->dense_in, st->dense_out,
             st->dense_bias ? ", with bias" : "",
             st->dense_activation == DENSE_TANH ? ", tanh" : "");
    fact(out, "embeddings", "%s, compared by %s", st->normalize ? "of length 1" : "of any length",
         st->similarity);
    if (st->max_seq_length) fact(out, "longest text", "%d tokens", st->max_seq_length);
    if (st->truncate_dim) fact(out, "cut", "to %d dimensions", st->truncate_dim);
    if (*st->query_prompt) fact(out, "query prompt", "\"%s\"", st->query_prompt);
    if (*st->document_prompt) fact(out, "doc. prompt", "\"%s\"", st->document_prompt);
}

/* A model whose tokenizer retort cannot read is still worth a look. */
void tokenizer_facts(struct text *out, const char *folder)
{
    struct tokenizer *tokenizer;
    struct error err = {0};
    if (tokenizer_open(&tokenizer, folder, &err)) {
        fact(out, "tokenizer", "%s", err.message);
        return;
    }
    fact(out, "tokenizer", "%d entries, %s", tokenizer_vocab_size(tokenizer),
         tokenizer_lowercases(tokenizer) ? "lower-cases" : "keeps case");
    if (tokenizer_model_max_length(tokenizer))
        fact(out, "", "texts of at most %d tokens", tokenizer_model_max_length(tokenizer));
    tokenizer_close(tokenizer);
}

int inspect_tokenizer(struct text *out, const char *folder, struct error *err)
{
    (void)err;
    fact(out, "kind", "tokenizer without a model");
    tokenizer_facts(out, folder);
    return 0;
}

int inspect_module(struct text *out, const char *folder, struct error *err)
{
    char *path = path_join(folder, "config.json");
    fact(out, "module", "of a sentence-transformers folder, which is the one to inspect");
    int status = inspect_json(out, path, err);
    free(path);
    return status;
}

int inspect_model(struct text *out, const char *folder, struct error *err)
{
    struct hf_config config;
    struct st_config st = {0};
    struct safetensors *tensors = NULL;
    if (hf_config_read(&config, folder, err) || st_config_read(&st, folder, err) ||
        safetensors_open(&tensors, folder, err)) {
        st_config_free(&st);
        return -1;
    }
    struct weights weights = weigh(tensors);
    const char *kind = kind_of(&config, &st, &weights);
    if (strcmp(kind, "cross-encoder") == 0)
        fact(out, "kind", "cross-encoder, %d label%s", config.num_labels,
             config.num_labels == 1 ? "" : "s");
    else
        fact(out, "kind", "%s", kind);
    encoder_facts(out, &config);
    weight_facts(out, &weights, config.num_layers);
    tokenizer_facts(out, folder);
    if (st.is_sentence_transformer) dual_encoder_facts(out, &st);
    safetensors_close(tensors);
    st_config_free(&st);
    return 0;
}

/* ---- vectors ---- */

struct lengths {
    double sum, shortest, longest;
    size_t count, broken; /* of which are not finite */
};

static void add_length(struct lengths *lengths, const float *row, size_t cols)
{
    double square = 0;
    for (size_t col = 0; col < cols; col++) square += (double)row[col] * (double)row[col];
    double length = sqrt(square);
    bool first = lengths->count == lengths->broken;
    lengths->count++;
    if (!isfinite(square)) {
        lengths->broken++;
        return;
    }
    lengths->sum += length;
    lengths->shortest = first ? length : fmin(lengths->shortest, length);
    lengths->longest = first ? length : fmax(lengths->longest, length);
}

static void length_facts(struct text *out, const struct lengths *lengths)
{
    size_t whole = lengths->count - lengths->broken;
    if (whole)
        fact(out, "lengths", "mean %.6g, from %.6g to %.6g", lengths->sum / (double)whole,
             lengths->shortest, lengths->longest);
    if (lengths->broken) fact(out, "broken", "%zu vectors hold NaN or infinity", lengths->broken);
}

int inspect_npy(struct text *out, const char *path, struct error *err)
{
    struct matrix matrix;
    struct lengths lengths = {0};
    if (npy_read(&matrix, path, err)) return -1;
    for (size_t row = 0; row < matrix.rows; row++)
        add_length(&lengths, matrix.values + row * matrix.cols, matrix.cols);
    fact(out, "kind", "NumPy matrix");
    fact(out, "vectors", "%zu of %zu dimensions", matrix.rows, matrix.cols);
    length_facts(out, &lengths);
    matrix_free(&matrix);
    return 0;
}

static void stored_facts(struct text *out, const struct stored_vectors *vectors)
{
    struct lengths lengths = {0};
    float *row = xcalloc((size_t)vectors->dim, sizeof *row);
    for (size_t i = 0; i < vectors->count; i++) {
        stored_row(row, vectors, i);
        add_length(&lengths, row, (size_t)vectors->dim);
    }
    free(row);
    fact(out, "vectors", "%zu of %d dimensions, %s", vectors->count, vectors->dim,
         vector_type_name(vectors->type));
    length_facts(out, &lengths);
}

int inspect_index(struct text *out, const char *folder, struct error *err)
{
    struct vector_index index;
    if (vector_index_open(&index, folder, err)) return -1;
    fact(out, "kind", "index for retort search");
    fact(out, "model", "%s, %d layers, %d dimensions%s", index.info.model, index.info.layers,
         index.info.dim, index.info.normalized ? ", of length 1" : "");
    size_t count = index.info.count;
    const char *first = "", *last = "";
    stored_facts(out, &index.vectors);
    int status = count ? id_list_get(&first, &index.ids, 0, err) ||
                             id_list_get(&last, &index.ids, count - 1, err)
                       : 0;
    if (count) fact(out, "documents", "%s to %s", first, last);
    vector_index_free(&index);
    return status ? -1 : 0;
}

/* Reads all of it, so that a damaged file is told here. */
int inspect_bm25(struct text *out, const char *path, struct error *err)
{
    struct bm25 *index;
    if (bm25_open(&index, path, err)) return -1;
    int status = bm25_verify(index, err);
    struct bm25_facts facts = bm25_facts(index);
    char terms[16], postings[16], bytes[16];
    if (status == 0) {
        fact(out, "kind", "index of words (BM25) for retort search; its checksum is right");
        fact(out, "weights", "k1 %g, b %g", facts.k1, facts.b);
        fact(out, "size", "%s terms, %s postings, %s", short_number(terms, (double)facts.terms),
             short_number(postings, (double)facts.postings),
             short_bytes(bytes, (double)facts.bytes));
        fact(out, "documents", "%zu, of %.1f terms in the mean, %s to %s", facts.documents,
             facts.mean_length, bm25_id(index, 0), bm25_id(index, facts.documents - 1));
    }
    bm25_free(index);
    return status;
}
