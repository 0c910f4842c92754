/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Statistics and the dump of a pool, and the version of the library.
 */
#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>

#include "base/sized.h"
#include "pg/pool.h"

pqp_status pqp_pool_stats(pqp_pool *pool, pqp_stats *stats)
{
    if (stats == NULL || !sized_is_writable(stats))
        return PQP_INVALID;

    rpool_stats core = {.size = sizeof core};
    rpool_status status = rpool_stats_get(pqp__core_of(pool), &core);
    if (status != RPOOL_OK)
        return pqp__status_of(status);

    const pqp_stats all = {
        .size = sizeof all,
        .total = core.total,
        .idle = core.idle,
        .in_use = core.in_use,
        .checking = core.checking,
        .connecting = core.creating,
        .closing = core.closing,
        .waiting = core.waiting,
        .acquired = core.acquired,
        .waited = core.waited,
        .timed_out = core.timed_out,
        .created = core.created,
        .closed = core.closed,
        .connect_failed = core.create_failed,
        .wait_us = core.wait_us,
        .refused = core.refused,
        .detached = core.detached,
        .pinged = core.checked,
        .misused = core.misused,
        .connect_us = core.create_us,
    };
    sized_write(stats, &all, sizeof all);
    return PQP_OK;
}

void pqp_pool_dump(pqp_pool *pool, void (*line)(void *arg, const char *text),
                   void *arg)
{
    rpool_dump(pqp__core_of(pool), line, arg);
}

int pqp_version(void)
{
    return PQPOOL_VERSION_NUMBER;
}
