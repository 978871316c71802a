/* Models of random weights and texts of a known length, to measure encoders with. */
#ifndef RETORT_TESTS_BENCH_ENCODERS_H
#define RETORT_TESTS_BENCH_ENCODERS_H

#include "student/embedder.h"
#include "teacher/cross_encoder_parts.h"
#include "tests/bench/bench.h"

enum { MAX_LENGTH = 512 }; /* tokens that a model takes */

struct shape {
    const char *name; /* of its scoring */
    int layers, hidden, inner, heads;
    size_t pairs, tiny_pairs;
};
extern const struct shape minilm;

/* The bench's own. */
struct cross_encoder *open_model(struct bench *bench, const struct shape *shape,
                                 enum precision precision);
/* A student of the cross-encoder's own weights, which it borrows: mean pooling, no projection. */
void borrow_encoder(struct embedder *out, const struct cross_encoder *ce, struct pool *pool);

/* The fastest of those that keep to f32's results: not int8. */
enum precision best_precision(void);

struct inputs {
    struct pool *pool;
    const char **first, **second; /* [count]; second NULL: not pairs */
    size_t count;
    double flops[NUM_PHASES], all_flops; /* of a forward */
};
/* Texts, or pairs of a short query and the rest, of so many tokens, special ones included; length
 * 0: of mixed lengths. */
void make_inputs(struct inputs *out, struct bench *bench, size_t count, size_t length, bool pairs);
void free_inputs(struct inputs *inputs);
/* Fills the flops.  first_only: the last block is wanted for each first token alone. */
void count_flops(struct inputs *inputs, const struct encoder_config *config, size_t length,
                 bool first_only);
/* What its works are held against. */
enum peak peak_of(const struct encoder *encoder);

#endif
