/* Any bytes as judgements: refused, or read such that each is found again. */
#include <string.h>

#include "data/qrels.h"
#include "tests/fuzz/support.h"

static void check_query(const struct qrels *qrels, const struct judged_query *query)
{
    size_t relevant = 0;
    REQUIRE(qrels_find(qrels, query->id) == query && query->count > 0 && *query->id);
    for (size_t i = 0; i < query->count; i++) {
        const struct judgement *judgement = &query->judgements[i];
        REQUIRE(*judgement->document);
        REQUIRE(qrels_grade(query, judgement->document) == judgement->grade);
        relevant += judgement->grade > 0;
    }
    REQUIRE(qrels_relevant(query) == relevant);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct qrels qrels;
    struct error err = {0};
    int status = qrels_read(&qrels, fuzz_file("qrels", bytes, size), &err);
    check_answer(status, &err);
    REQUIRE((status == 0) == (qrels.count > 0));
    for (size_t i = 0; i < qrels.count; i++) check_query(&qrels, &qrels.queries[i]);
    qrels_free(&qrels);
    return 0;
}
