/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * How many items should be created, and when: the demand of callers, and the
 * back-off after creations that failed.  Nothing here makes a callback.
 */
#include "demand.h"
#include "failure.h"

#include "base/random.h"

/* An item that dies later than this after its creation was healthy. */
#define STILLBORN_WINDOW (1000 * CLOCK_MS)

/* While a caller waits, creations that fail permanently are repeated after this
 * time, in case the cause is gone. */
#define PERMANENT_RETRY (200 * CLOCK_MS)

/* ---- the demand ---- */

/* Returns the number of running creations that are not stuck. */
static int hopeful_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    assert(pool->threads.stuck_creating >= 0);
    assert(pool->threads.stuck_creating <= pool->counts.creating);
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
    assert(wanted >= 0 && fresh >= 0);
    return need < room ? need : room;
}

int64_t rpool__retry_due_locked(const struct pool *pool)
{
    int suspended = (atom_load(&pool->gate) & GATE_SUSPENDED) != 0;
    int callers = pool->demand.create_requested + pool->demand.min_size_waits;
    if (!suspended)
        callers += pool->queue.length;
    return callers > 0 ? pool->backoff.urgent_until : pool->backoff.until;
}

/* After a failure, one creation at a time tests whether the cause is gone. */
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

/* Returns the upper limit of the next pause: 100 ms, doubled for each failure
 * in a row, but at most create_retry_max. */
static int64_t longest_pause_locked(const struct pool *pool) POOL_LOCKED(pool)
{
    assert(pool->backoff.failures >= 0);
    int64_t limit = pool->config.create_retry_max;
    int64_t most = 100 * CLOCK_MS;
    for (int i = 0; i < pool->backoff.failures && most < limit; i++)
        most *= 2;
    return most < limit ? most : limit;
}

/* Returns the pause while a caller waits.  It is shorter, so that service
 * returns soon after an outage: a pause of up to `most` is scaled to one of up
 * to a quarter of create_retry_max. */
static int64_t shortened(const struct pool *pool, int64_t pause, int64_t most)
{
    assert(pause >= 0 && pause <= most);
    int64_t quarter = pool->config.create_retry_max / 4;
    return most <= quarter ? pause : pause / 1000 * quarter / (most / 1000);
}

/*
 * Starts or extends the back-off.  The pause is a random part of the longest
 * one (full jitter).  A permanent failure pauses for create_retry_max, but only
 * for PERMANENT_RETRY while a caller waits.  If no creation failed during
 * STILLBORN_WINDOW, the failure is the first in a row.
 */
static void start_backoff_locked(struct pool *pool, const rpool_failure *why)
    POOL_LOCKED(pool)
{
    struct backoff *backoff = &pool->backoff;
    int64_t now = clock_now();
    if (!pool_is_failing(pool) &&
        now - backoff->healthy_since >= STILLBORN_WINDOW)
        backoff->failures = 0;
    backoff->failure = *why;
    backoff->stillborn = 0;
    backoff->round++;

    int64_t most = longest_pause_locked(pool);
    if (backoff->failures < INT32_MAX)
        backoff->failures++;
    if (why->permanent) {
        backoff->urgent_until = now + PERMANENT_RETRY;
        backoff->until = now + (PERMANENT_RETRY > pool->config.create_retry_max
                                    ? PERMANENT_RETRY
                                    : pool->config.create_retry_max);
    } else {
        int64_t pause = (int64_t)random_below((uint64_t)most);
        backoff->until = now + pause;
        backoff->urgent_until = now + shortened(pool, pause, most);
    }
    assert(pool_is_failing(pool) && backoff->urgent_until <= backoff->until);
}

/* If several new items die together, only the first starts the back-off. */
void rpool__count_stillborn_locked(struct pool *pool, const struct slot *slot,
                                   rpool_reason reason)
{
    int64_t now = clock_now();
    if (atom_peek(&slot->leases) > atom_peek(&slot->first_lease) ||
        now - (int64_t)atom_peek(&slot->idle_since) >= STILLBORN_WINDOW ||
        now < pool->backoff.until)
        return;

    rpool_failure why;
    (void)rpool__fail(&why, RPOOL_CREATE, "a new %s was closed: %s",
                      pool->provider.noun, rpool_reason_text(reason));
    start_backoff_locked(pool, &why);
    pool->backoff.stillborn = 1;
    pool->backoff.urgent_until = pool->backoff.until;
}

/* A permanent failure after others that are not is worth a new round: callers
 * must be told at once. */
void rpool__count_failure_locked(struct pool *pool, uint64_t round,
                                 const rpool_failure *why)
{
    assert(round <= pool->backoff.round);
    if (round == pool->backoff.round ||
        (why->permanent && !pool->backoff.failure.permanent))
        start_backoff_locked(pool, why);
}
