/* What the JSON files of a Hugging Face / sentence-transformers folder say, checked and in plain
 * fields.  Weights and tokenizer are read by safetensors.h and tokenizer.h. */
#ifndef RETORT_MODEL_FOLDER_H
#define RETORT_MODEL_FOLDER_H

#include "data/base.h"

/* config.json.  DistilBERT's names (dim, n_layers, ...) are translated. */
struct hf_config {
    char model_type[64];   /* "bert", "roberta", "xlm-roberta", "distilbert", "electra" */
    char architecture[96]; /* architectures[0], or "" */
    char hidden_act[32];   /* "gelu", "gelu_new", "gelu_pytorch_tanh", "relu" */
    int vocab_size, hidden_size, embedding_size, num_layers, num_heads, intermediate_size;
    int max_positions, type_vocab_size, pad_token_id, num_labels;
    double layer_norm_eps, hidden_dropout, attention_dropout, initializer_range;
};
/* Fails on: no or bad JSON, another model_type, missing, non-positive or absurd sizes, heads
 * that do not divide, pruned_heads, a position_embedding_type other than absolute, is_decoder.
 * num_labels is transformers' answer: num_labels, else the length of id2label, else 2. */
int hf_config_read(struct hf_config *out, const char *folder, struct error *err);

enum pooling { POOLING_MEAN, POOLING_CLS };
enum dense_activation { DENSE_IDENTITY, DENSE_TANH }; /* after the dense module */

/* modules.json and what it points to; defaults for a bare Hugging Face folder: mean, no dense,
 * no normalise. */
struct st_config {
    bool is_sentence_transformer; /* modules.json was there */
    enum pooling pooling;
    bool normalize;
    char *dense_folder; /* below the model's folder, NULL if none */
    int dense_in, dense_out;
    bool dense_bias;
    enum dense_activation dense_activation;
    int max_seq_length; /* 0 if not given */
    bool lowercase;     /* texts are lower-cased whatever the tokenizer does */
    int truncate_dim;   /* 0 if not given */
    char *query_prompt,
        *document_prompt; /* "" if none; the document's is "document", "passage" or "corpus" */
    char similarity[16];  /* cosine (if not given), dot, euclidean, manhattan */
};
/* Both old (sentence_transformers.models.*) and new (>= 5.4) class paths and pooling keys are
 * read; any other module, pooling or activation is refused by name. */
int st_config_read(struct st_config *out, const char *folder, struct error *err);
void st_config_free(struct st_config *config);
void st_config_release(void *config); /* the same, for hold (guard.h) */
/* What a Dense module's config.json calls it: a class of PyTorch. */
const char *dense_class(enum dense_activation activation);

#endif
