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
    return pool->creating - pool->stuck_creating;
}

int rpool__need_locked(const struct pool *pool)
{
    uint64_t gate = atom_load(&pool->gate);
    if (gate & GATE_CLOSED)
        return 0;
    int wanted = (gate & GATE_SUSPENDED ? 0 : pool->waiting) + pool->asked;
    int fresh = pool_existing(pool) - pool->ageing;
    int missing = pool->min_size - fresh;
    int need = (wanted > missing ? wanted : missing) - hopeful_locked(pool);
    int room = pool->max_size - pool->occupied;
    return need < room ? need : room;
}

int64_t rpool__retry_due_locked(const struct pool *pool)
{
    int waiting = atom_load(&pool->gate) & GATE_SUSPENDED ? 0 : pool->waiting;
    return waiting + pool->asked + pool->awaiting > 0 ? pool->urgent_at
                                                      : pool->retry_at;
}

/* After a failure one prober at a time, until one succeeds. */
int rpool__may_create_locked(const struct pool *pool)
{
    int at_once = pool_is_failing(pool) ? 1 : pool->create_concurrency;
    return hopeful_locked(pool) < at_once && rpool__need_locked(pool) > 0;
}

/* ---- the back-off ---- */

void rpool__end_pause_locked(struct pool *pool)
{
    int64_t now = clock_now();
    if (!pool_is_failing(pool) || (pool->lost && now < pool->retry_at))
        return;
    pool->retry_at = pool->urgent_at = 0;
    pool->good_since = now;
}

/* How long the pause after the present row of failures may be. */
static int64_t longest_pause_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    int64_t most = 100 * CLOCK_MS;
    for (int i = 0; i < pool->failures && most < pool->create_retry_max; i++)
        most *= 2;
    return most < pool->create_retry_max ? most : pool->create_retry_max;
}

/* Of a pause out of `most` the same part of a quarter of the longest pause that
 * there is: while somebody waits, service returns soon after an outage. */
static int64_t shortened(const struct pool *pool, int64_t pause, int64_t most)
{
    int64_t quarter = pool->create_retry_max / 4;
    return most <= quarter ? pause : pause / 1000 * quarter / (most / 1000);
}

/*
 * Full jitter: a random time up to 100 ms, doubling, at most create_retry_max.
 * A row of failures ends when for a moment there was none.  A permanent failure
 * pauses for all of that, but while somebody waits for PERMANENT_RETRY only.
 */
static void pause_locked(struct pool *pool, const rpool_failure *why)
    POOL_LOCKED(pool)
{
    int64_t now = clock_now();
    if (!pool_is_failing(pool) && now - pool->good_since >= STILLBORN_WINDOW)
        pool->failures = 0;
    pool->failure = *why;
    pool->lost = 0;
    pool->round++;
    int64_t most = longest_pause_locked(pool);
    if (pool->failures < INT32_MAX)
        pool->failures++;
    if (why->permanent) {
        pool->urgent_at = now + PERMANENT_RETRY;
        pool->retry_at = now + (PERMANENT_RETRY > pool->create_retry_max
                                    ? PERMANENT_RETRY
                                    : pool->create_retry_max);
    } else {
        int64_t pause = (int64_t)random_below((uint64_t)most);
        pool->retry_at = now + pause;
        pool->urgent_at = now + shortened(pool, pause, most);
    }
}

/* Of those that are lost together the first has brought the pause. */
void rpool__lost_locked(struct pool *pool, const struct slot *slot,
                        rpool_reason reason)
{
    int64_t now = clock_now();
    if (atom_peek(&slot->leases) > atom_peek(&slot->first_lease) ||
        now - (int64_t)atom_peek(&slot->idle_since) >= STILLBORN_WINDOW ||
        now < pool->retry_at)
        return;
    rpool_failure why;
    (void)rpool__fail(&why, RPOOL_CREATE, "a new %s left: %s",
                      pool->provider.noun, rpool_reason_text(reason));
    pause_locked(pool, &why);
    pool->lost = 1;
    pool->urgent_at = pool->retry_at;
}

void rpool__count_failure_locked(struct pool *pool, uint64_t round,
                                 const rpool_failure *why)
{
    if (round == pool->round || (why->permanent && !pool->failure.permanent))
        pause_locked(pool, why);
}
