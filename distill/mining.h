/* Candidates of a job's queries: train, then dev, ranked by one source after the other, made into
 * sets.  What the mine stage and the teach stage share.
 *
 *     struct mining mining;
 *     mining_open(&mining, run, &run->dev);
 *     mining_bm25(&mining);
 *     rank_by_vectors(mining_add(&mining, CANDIDATE_TEACHER), u, v, ...);   // u: [mining.count, .]
 *     mining_sets(&mining, 32, &sets);
 *     mining_free(&mining);
 */
#ifndef RETORT_MINING_H
#define RETORT_MINING_H

#include "distill/job_run.h"
#include "distill/ranked_rows.h"

struct mining {
    const struct job_run *run;
    uint32_t *queries;                  /* [count] rows: train, then dev */
    const struct judged_query **judged; /* [count] */
    size_t count, num_train;
    struct ranked_rows *lists; /* [num_lists] of all the queries */
    size_t num_lists, capacity;
};
/* The train queries that data.max_train_queries leaves, and dev's. */
void mining_open(struct mining *out, const struct job_run *run, const struct query_set *dev);
void mining_free(struct mining *mining);
/* Another source's lists, mine.depth deep, to be ranked before the next is added. */
struct ranked_rows *mining_add(struct mining *mining, int source);
void mining_bm25(struct mining *mining); /* adds and ranks */
/* sets->sets[q] is that of query q: its positives, mine.positives at most, and up to `scored`
 * others, from the sources in turn (mine_query). */
void mining_sets(const struct mining *mining, size_t scored, struct candidate_sets *sets);

#endif
