/* Text to token ids, exactly as Hugging Face's tokenizers library does it.
 *
 * Reads tokenizer.json, or vocab.txt with tokenizer_config.json.  Today: WordPiece with
 * BertNormalizer and BertPreTokenizer (BERT, MiniLM, DistilBERT, ELECTRA); other models are refused
 * by name.  Truncation and padding stored in tokenizer.json are ignored: the caller says how long.
 *
 *     struct tokenizer *tok;
 *     if (tokenizer_open(&tok, "models/minilm-l6-ce", err)) return -1;
 *     struct token_list ids = {0};
 *     tokenizer_encode(tok, &ids, "a query", "a document", 256); // [CLS] a query [SEP] ...
 */
#ifndef RETORT_TOKENIZER_H
#define RETORT_TOKENIZER_H

#include "data/base.h"

struct tokenizer; /* immutable after opening: may be shared by threads */

struct token_list {
    int32_t *ids;
    int32_t *types; /* 0 for the first text and its specials, 1 for the second (by the template) */
    size_t count, capacity;
};
void token_list_free(struct token_list *list);

/* folder holds tokenizer.json or vocab.txt.  Where tokenizer_config.json contradicts tokenizer.json
 * (do_lower_case, strip_accents, tokenize_chinese_chars) the former is taken, as transformers does,
 * and a warning printed. */
int tokenizer_open(struct tokenizer **out, const char *folder, struct error *err);
/* As opening a folder with these tokens as vocab.txt (ids 0, 1, ...) and do_lower_case alone in
 * tokenizer_config.json.  The tokens are copied; [UNK], [CLS] and [SEP] must be among them. */
int tokenizer_make(struct tokenizer **out, const char *const *tokens, size_t count, bool lowercase,
                   struct error *err);
void tokenizer_close(struct tokenizer *tok);

/* Replaces *out by the ids of one text (second NULL) or a pair, special tokens included, cut to
 * max_length by tokenizers' longest_first: the longer text to what the shorter leaves, both to half
 * where both are longer (of an odd place the longer has it, the second where they are equal).
 * A max_length below the number of special tokens leaves these alone.  Text should be UTF-8
 * (unicode.h: utf8_check); wrong bytes are read as U+FFFD. */
void tokenizer_encode(const struct tokenizer *tok, struct token_list *out, const char *first,
                      const char *second, int max_length);
/* Without special tokens, untruncated. */
void tokenizer_encode_plain(const struct tokenizer *tok, struct token_list *out, const char *text);

int tokenizer_vocab_size(const struct tokenizer *tok); /* largest id + 1 */
/* A token's text; NULL where no token has the id. */
const char *tokenizer_token(const struct tokenizer *tok, int32_t id);
int32_t tokenizer_unknown_id(const struct tokenizer *tok);
/* Flagged special in the tokenizer's files ([UNK] is, too), or added by its template. */
bool tokenizer_is_special(const struct tokenizer *tok, int32_t id);
/* model_max_length of tokenizer_config.json; 0 where absent or absurd (1e30). */
int tokenizer_model_max_length(const struct tokenizer *tok);
bool tokenizer_lowercases(const struct tokenizer *tok);

/* Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and vocab.txt (unless its
 * ids have gaps) into folder, which is made, with max_length as the one length in all of them.
 * Files that the model's folder had are copied with that change; missing ones are made. */
int tokenizer_export(const struct tokenizer *tok, const char *folder, int max_length,
                     struct error *err);

#endif
