/* nn/batch: packing, and cutting by a token budget. */
#include "tests/support.h"

#include "nn/batch.h"

#include <stdlib.h>
#include <string.h>

START_TEST(sequences_stand_end_to_end)
{
    static const int32_t ids[] = {5, 6, 7, 8}, types[] = {0, 1, 1, 0};
    struct batch batch = {0};
    batch_add(&batch, ids, types, 3);
    batch_add(&batch, ids + 3, NULL, 1);
    ck_assert_int_eq(batch.num_seqs, 2);
    ck_assert_int_eq(batch.num_tokens, 4);
    ck_assert_mem_eq(batch.offsets, ((int[]){0, 3, 4}), 3 * sizeof(int));
    ck_assert_mem_eq(batch.ids, ids, sizeof ids);
    ck_assert_mem_eq(batch.types, types, sizeof types);
    for (int i = 0; i < 1000; i++) batch_add(&batch, ids, types, 4);
    ck_assert_int_eq(batch.offsets[1002], 4004);
    ck_assert_int_eq(batch.ids[4003], 8);
    batch_clear(&batch);
    ck_assert_int_eq(batch.num_tokens, 0);
    batch_add(&batch, ids + 1, types, 2);
    ck_assert_mem_eq(batch.offsets, ((int[]){0, 2}), 2 * sizeof(int));
    ck_assert_int_eq(batch.ids[0], 6);
    batch_free(&batch);
    ck_assert_ptr_null(batch.offsets);
}
END_TEST

static size_t tokens_of(const struct chunks *chunks, size_t chunk, const int *lengths)
{
    size_t tokens = 0;
    for (size_t i = chunks->starts[chunk]; i < chunks->starts[chunk + 1]; i++)
        tokens += (size_t)lengths[chunks->order[i]];
    return tokens;
}

START_TEST(chunks_hold_all_longest_first_within_the_budget)
{
    enum { COUNT = 500, BUDGET = 300 };
    int lengths[COUNT];
    bool seen[COUNT] = {false};
    for (int i = 0; i < COUNT; i++) lengths[i] = 1 + (int)(random_bits(1, 2, (uint64_t)i) % 350);
    struct chunks chunks;
    chunks_cut(&chunks, lengths, COUNT, BUDGET);
    ck_assert_uint_eq(chunks.starts[chunks.num_chunks], COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t seq = chunks.order[i];
        ck_assert(!seen[seq]);
        seen[seq] = true;
        if (i == 0) continue;
        uint32_t before = chunks.order[i - 1];
        ck_assert(lengths[before] > lengths[seq] ||
                  (lengths[before] == lengths[seq] && before < seq));
    }
    for (size_t c = 0; c < chunks.num_chunks; c++) {
        size_t tokens = tokens_of(&chunks, c, lengths);
        ck_assert(tokens <= BUDGET || chunks.starts[c + 1] == chunks.starts[c] + 1);
        if (c + 1 < chunks.num_chunks) /* the next one would not have fitted */
            ck_assert_uint_gt(tokens + (size_t)lengths[chunks.order[chunks.starts[c + 1]]], BUDGET);
    }
    chunks_free(&chunks);
}
END_TEST

/* All there, as many chunks for each share, the fullest hardly fuller than the emptiest. */
START_TEST(shared_chunks_cost_the_same)
{
    enum { COUNT = 500, BUDGET = 1000, LONGEST = 256 };
    int lengths[COUNT];
    for (int i = 0; i < COUNT; i++)
        lengths[i] = 1 + (int)(random_bits(1, 2, (uint64_t)i) % LONGEST);
    for (size_t shares = 1; shares <= 5; shares++)
        for (size_t count = 0; count <= COUNT; count += count < 10 ? 1 : 49) {
            bool seen[COUNT] = {false};
            struct chunks chunks;
            chunks_share(&chunks, lengths, count, BUDGET, shares);
            ck_assert_uint_eq(chunks.starts[chunks.num_chunks], count);
            ck_assert(chunks.num_chunks % shares == 0 || chunks.num_chunks == count);
            size_t least = SIZE_MAX, most = 0, all = 0;
            for (size_t c = 0; c < chunks.num_chunks; c++) {
                size_t tokens = tokens_of(&chunks, c, lengths);
                ck_assert_uint_gt(tokens, 0);
                all += tokens;
                if (tokens < least) least = tokens;
                if (tokens > most) most = tokens;
            }
            ck_assert_uint_le(most, BUDGET + LONGEST);
            if (count > 400) ck_assert_uint_le(most - least, LONGEST / 4); /* seen: 35 */
            ck_assert(chunks.num_chunks <= shares || (chunks.num_chunks - shares) * BUDGET < all);
            for (size_t i = 0; i < count; i++) {
                ck_assert(!seen[chunks.order[i]]);
                seen[chunks.order[i]] = true;
            }
            chunks_free(&chunks);
        }
}
END_TEST

START_TEST(no_sequences_make_no_chunks)
{
    struct chunks chunks;
    chunks_cut(&chunks, NULL, 0, 512);
    ck_assert_uint_eq(chunks.num_chunks, 0);
    chunks_free(&chunks);
    chunks_cut(&chunks, (int[]){700}, 1, 512);
    ck_assert_uint_eq(chunks.num_chunks, 1);
    ck_assert_uint_eq(chunks.starts[1], 1);
    chunks_free(&chunks);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(sequences_stand_end_to_end),
        TEST(chunks_hold_all_longest_first_within_the_budget),
        TEST(shared_chunks_cost_the_same),
        TEST(no_sequences_make_no_chunks),
        {0},
    };
    return run_tests("nn/batch", rows);
}
