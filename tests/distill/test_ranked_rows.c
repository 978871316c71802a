/* distill/ranked_rows: each source's lists are what the source gives alone. */
#include "distill/ranked_rows.h"
#include "tests/support.h"

#include <stdlib.h>

#include "data/collection.h"
#include "student/bm25.h"

enum { DOCUMENTS = 9, QUERIES = 3, DEPTH = 4, WIDTH = 5 };
static const uint32_t queries[QUERIES] = {2, 0, 1};

START_TEST(chance_is_without_repeats_and_by_query)
{
    struct ranked_rows list, again;
    const uint32_t other[QUERIES] = {0, 1, 2};
    ranked_rows_init(&list, CANDIDATE_CHANCE, QUERIES, DEPTH);
    ranked_rows_init(&again, CANDIDATE_CHANCE, QUERIES, DEPTH);
    rank_by_chance(&list, queries, DOCUMENTS, 13);
    rank_by_chance(&again, other, DOCUMENTS, 13);
    for (size_t q = 0; q < QUERIES; q++) {
        struct mined_list mined = ranked_rows_of(&list, q);
        ck_assert_uint_eq(mined.count, DEPTH);
        ck_assert_int_eq(mined.source, CANDIDATE_CHANCE);
        for (size_t i = 0; i < DEPTH; i++) {
            ck_assert_uint_lt(mined.documents[i], DOCUMENTS);
            for (size_t j = 0; j < i; j++)
                ck_assert_uint_ne(mined.documents[i], mined.documents[j]);
            /* a query draws the same wherever it stands in the list */
            ck_assert_uint_eq(mined.documents[i], ranked_rows_of(&again, queries[q]).documents[i]);
        }
    }
    ranked_rows_free(&list);
    ranked_rows_free(&again);
}
END_TEST

START_TEST(few_documents_are_all_drawn)
{
    struct ranked_rows list;
    ranked_rows_init(&list, CANDIDATE_CHANCE, 1, 10);
    rank_by_chance(&list, queries, 3, 13);
    ck_assert_uint_eq(ranked_rows_of(&list, 0).count, 3);
    ranked_rows_free(&list);
}
END_TEST

START_TEST(vectors_rank_by_inner_product)
{
    float u[QUERIES * WIDTH], v[DOCUMENTS * WIDTH];
    for (size_t i = 0; i < QUERIES * WIDTH; i++) u[i] = test_value(1, i);
    for (size_t i = 0; i < DOCUMENTS * WIDTH; i++) v[i] = test_value(2, i);
    struct ranked_rows list;
    struct pool *pool = pool_open(2);
    ranked_rows_init(&list, CANDIDATE_GUIDE, QUERIES, DEPTH);
    rank_by_vectors(&list, u, v, DOCUMENTS, WIDTH, pool);
    for (size_t q = 0; q < QUERIES; q++) {
        struct mined_list mined = ranked_rows_of(&list, q);
        double scores[DOCUMENTS] = {0};
        for (size_t d = 0; d < DOCUMENTS; d++)
            for (size_t i = 0; i < WIDTH; i++)
                scores[d] += (double)u[q * WIDTH + i] * v[d * WIDTH + i];
        ck_assert_uint_eq(mined.count, DEPTH);
        for (size_t rank = 0; rank < DEPTH; rank++) { /* as many better ones as its rank */
            size_t better = 0;
            for (size_t d = 0; d < DOCUMENTS; d++)
                better += scores[d] > scores[mined.documents[rank]];
            ck_assert_uint_eq(better, rank);
        }
    }
    ranked_rows_free(&list);
    pool_close(pool);
}
END_TEST

START_TEST(bm25_ranks_as_its_search)
{
    const char *documents[] = {"a red boat", "a blue boat", "the old house", "a boat by the house"};
    const char *texts[] = {"house", "boat house", "nothing here"};
    const struct collection collection = {.documents = {.values = documents, .count = 4},
                                          .queries = {.values = texts, .count = QUERIES}};
    struct ranked_rows list;
    struct pool *pool = pool_open(2);
    struct bm25 *index = bm25_build(documents, 4, 0.9, 0.4, NULL);
    ranked_rows_init(&list, CANDIDATE_BM25, QUERIES, DEPTH);
    rank_by_bm25(&list, &collection, queries, 0.9, 0.4, pool);
    for (size_t q = 0; q < QUERIES; q++) {
        struct hit hits[DEPTH];
        size_t found = bm25_search(index, texts[queries[q]], DEPTH, hits);
        struct mined_list mined = ranked_rows_of(&list, q);
        ck_assert_uint_eq(mined.count, found);
        for (size_t h = 0; h < found; h++) ck_assert_uint_eq(mined.documents[h], hits[h].row);
    }
    ck_assert_uint_eq(ranked_rows_of(&list, 0).count, 0);
    ck_assert_uint_eq(ranked_rows_of(&list, 2).count, 4);
    bm25_free(index);
    ranked_rows_free(&list);
    pool_close(pool);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(chance_is_without_repeats_and_by_query),
                                    TEST(few_documents_are_all_drawn),
                                    TEST(vectors_rank_by_inner_product),
                                    TEST(bm25_ranks_as_its_search),
                                    {0}};
    return run_tests("distill/ranked_rows", rows);
}
