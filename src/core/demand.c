/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * How many items should be created, and when: the demand, and the back-off
 * after creations that failed.  All with the mutex held; nothing is called.
 */
#include "demand.h"
#include "failure.h"

#include "base/random.h"

/* An item that lasts that long was made well. */
#define STILLBORN_WINDOW (1000 * CLOCK_MS)

/* For those who wait, creations that fail permanently are tried five times a
 * second, in case that the cause is gone. */
#define PERMANENT_RETRY (200 * CLOCK_MS)

/* ---- the demand ---- */

/* Creations that may still end in time. */
static int hopeful_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    return pool->counts.creating - pool->threads.stuck_creating;
}

int rpool__need_locked(const struct pool *pool)
{
    uint64_t gate = atom_load(&pool->gate);
    if (gate & GATE_CLOSED)
        return 0;
    int wanted = (gate & GATE_SUSPENDED ? 0 : pool->queue.length) +
                 pool->demand.create_requested;
    int fresh = pool_existing(pool) - pool->counts.ageing;
    int missing = pool->limits.min_size - fresh;
    int need = (wanted > missing ? wanted : missing) - hopeful_locked(pool);
    int room = pool->limits.max_size - pool->counts.occupied;
    return need < room ? need : room;
}

int64_t rpool__retry_due_locked(const struct pool *pool)
{
    int waiting =
        atom_load(&pool->gate) & GATE_SUSPENDED ? 0 : pool->queue.length;
    return waiting + pool->demand.create_requested +
                       pool->demand.min_size_waits >
                   0
               ? pool->backoff.urgent_until
               : pool->backoff.until;
}

/* After a failure one prober at a time, until one succeeds. */
int rpool__may_create_locked(const struct pool *pool)
{
    int at_once = pool_is_failing(pool) ? 1 : pool->config.create_concurrency;
    return hopeful_locked(pool) < at_once && rpool__need_locked(pool) > 0;
}

/* ---- the back-off ---- */

void rpool__end_backoff_locked(struct pool *pool)
{
    int64_t now = clock_now();
    if (!pool_is_failing(pool) ||
        (pool->backoff.stillborn && now < pool->backoff.until))
        return;
    pool->backoff.until = pool->backoff.urgent_until = 0;
    pool->backoff.healthy_since = now;
}

/* How long the pause after the present row of failures may be. */
static int64_t longest_pause_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t most = 100 * CLOCK_MS;
    for (int i = 0;
         i < pool->backoff.failures && most < pool->config.create_retry_max;
         i++)
        most *= 2;
    return most < pool->config.create_retry_max ? most
                                                : pool->config.create_retry_max;
}

/* Of a pause out of `most` the same part of a quarter of the longest pause that
 * there is: while somebody waits, service returns soon after an outage. */
static int64_t shortened(const struct pool *pool, int64_t pause, int64_t most)
{
    int64_t quarter = pool->config.create_retry_max / 4;
    return most <= quarter ? pause : pause / 1000 * quarter / (most / 1000);
}

/*
 * Full jitter: a random time up to 100 ms, doubling, at most create_retry_max.
 * A row of failures ends when for a moment there was none.  A permanent failure
 * pauses for all of that, but while somebody waits for PERMANENT_RETRY only.
 */
static void start_backoff_locked(struct pool *pool, const rpool_failure *why)
    POOL_LOCKED(pool)
{
    int64_t now = clock_now();
    if (!pool_is_failing(pool) &&
        now - pool->backoff.healthy_since >= STILLBORN_WINDOW)
        pool->backoff.failures = 0;
    pool->backoff.failure = *why;
    pool->backoff.stillborn = 0;
    pool->backoff.round++;
    int64_t most = longest_pause_locked(pool);
    if (pool->backoff.failures < INT32_MAX)
        pool->backoff.failures++;
    if (why->permanent) {
        pool->backoff.urgent_until = now + PERMANENT_RETRY;
        pool->backoff.until =
            now + (PERMANENT_RETRY > pool->config.create_retry_max
                       ? PERMANENT_RETRY
                       : pool->config.create_retry_max);
    } else {
        int64_t pause = (int64_t)random_below((uint64_t)most);
        pool->backoff.until = now + pause;
        pool->backoff.urgent_until = now + shortened(pool, pause, most);
    }
}

/* Of those that are lost together the first has brought the pause. */
void rpool__count_stillborn_locked(struct pool *pool, const struct slot *slot,
                                   rpool_reason reason)
{
    int64_t now = clock_now();
    if (atom_peek(&slot->leases) > atom_peek(&slot->first_lease) ||
        now - (int64_t)atom_peek(&slot->idle_since) >= STILLBORN_WINDOW ||
        now < pool->backoff.until)
        return;
    rpool_failure why;
    (void)rpool__fail(&why, RPOOL_CREATE, "a new %s left: %s",
                      pool->provider.noun, rpool_reason_text(reason));
    start_backoff_locked(pool, &why);
    pool->backoff.stillborn = 1;
    pool->backoff.urgent_until = pool->backoff.until;
}

void rpool__count_failure_locked(struct pool *pool, uint64_t round,
                                 const rpool_failure *why)
{
    if (round == pool->backoff.round ||
        (why->permanent && !pool->backoff.failure.permanent))
        start_backoff_locked(pool, why);
}
