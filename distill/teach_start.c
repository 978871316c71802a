#include "distill/teach_start.h"

#include <string.h>

#include "data/collection.h"
#include "data/progress.h"
#include "data/wordpiece_train.h"
#include "distill/word_vectors.h"
#include "teacher/mimetic.h"
#include "teacher/training.h"

/* A WordPiece vocabulary of the documents, which every query is about. */
static int train_vocabulary(struct tokenizer **out, const struct job *job,
                            const struct collection *collection, struct error *err)
{
    struct wordpiece_training how = WORDPIECE_TRAINING_DEFAULTS;
    how.vocab_size = job->teach.vocabulary_size;
    struct wordpiece_trainer *trainer = wordpiece_trainer_open(&how);
    for (size_t d = 0; d < collection->documents.count; d++)
        wordpiece_trainer_add(trainer, collection->documents.values[d]);
    int status = wordpiece_trainer_train(trainer, out, err);
    wordpiece_trainer_close(trainer);
    if (!status) note("teach: a vocabulary of %d tokens", tokenizer_vocab_size(*out));
    return status;
}

/* Deviations, in the model's initializer_range.  What a word is must outweigh where it stands, or
 * attention would begin with likeness of places. */
enum { WORDS = 4, POSITIONS = 2 };

static int start_words(struct cross_encoder *ce, const struct job *job,
                       const struct collection *collection, struct pool *pool, struct error *err)
{
    struct encoder *encoder = cross_encoder_trained(ce);
    const struct encoder_config *config = &encoder->config;
    int row = params_find(encoder->params, "embeddings.word_embeddings.weight");
    REQUIRE(row >= 0);
    const struct word_vectors how = {.vocab_size = config->vocab_size,
                                     .dim = config->embedding_size,
                                     .deviation = WORDS * config->initializer_range,
                                     .tok = cross_encoder_tokenizer(ce),
                                     .texts = collection->documents.values,
                                     .count = collection->documents.count,
                                     .seed = (uint64_t)job->seed};
    if (word_vectors_make(params_values(encoder->params, row), &how, pool, err)) return -1;
    mimetic_positions(encoder, POSITIONS * config->initializer_range);
    encoder_refresh(encoder);
    return 0;
}

static int start_new(struct cross_encoder **out, const struct job *job,
                     const struct training_start *start, const struct collection *collection,
                     struct pool *pool, struct error *err)
{
    struct tokenizer *tok = NULL;
    struct encoder_config config;
    int status = strcmp(job->teach.vocabulary, "train") == 0
                     ? train_vocabulary(&tok, job, collection, err)
                     : tokenizer_open(&tok, job->teach.vocabulary, err);
    if (status) return -1;
    if (job_teacher_config(&config, job, err)) {
        tokenizer_close(tok);
        return -1;
    }
    config.vocab_size = tokenizer_vocab_size(tok);
    if (cross_encoder_new(out, &config, tok, start, err)) return -1;
    if (!job->teach.word_vectors || start_words(*out, job, collection, pool, err) == 0) return 0;
    cross_encoder_close(*out);
    *out = NULL;
    return -1;
}

int teach_start(struct cross_encoder **out, const struct job *job,
                const struct collection *collection, struct pool *pool, struct error *err)
{
    const struct training_start start = {
        .precision = job->precision, .dropout = job->teach.dropout, .seed = (uint64_t)job->seed};
    *out = NULL;
    if (strcmp(job->teach.init, "random") == 0)
        return start_new(out, job, &start, collection, pool, err);
    return cross_encoder_begin(out, job->teach.init, &start, err);
}
