/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Pools and leases: a thin translation to the core.  A pqp_pool * is the
 * core's rpool * and a pqp_conn * its rpool_item *, by value; the resource is
 * a struct session.  Nothing here has a lock.
 */
#include "pg/internal.h"

#include "base/quick.h"
#include "base/sized.h"
#include "entry.h"

#include <string.h>

#undef pqp_acquire
#undef pqp_try_acquire

static rpool *core_of(const pqp_pool *pool)
{
    return (rpool *)(uintptr_t)pool;
}

static rpool_item *item_of(const pqp_conn *conn)
{
    return (rpool_item *)(uintptr_t)conn;
}

static pqp_status status_of(rpool_status status)
{
    static const pqp_status ours[RPOOL_STATUS_COUNT] = {
        [RPOOL_OK] = PQP_OK,          [RPOOL_INVALID] = PQP_INVALID,
        [RPOOL_NOMEM] = PQP_NOMEM,    [RPOOL_SYSTEM] = PQP_SYSTEM,
        [RPOOL_BUSY] = PQP_BUSY,      [RPOOL_TIMEOUT] = PQP_TIMEOUT,
        [RPOOL_CLOSED] = PQP_CLOSED,  [RPOOL_CREATE] = PQP_CONNECT,
        [RPOOL_FORKED] = PQP_INVALID,
    };
    return ours[status];
}

/* The core's reason, if it has one. */
static pqp_status fail_core(pqp_error *err, rpool_status status,
                            const rpool_failure *why)
{
    pqp_status ours = pqp__fail(
        err, status_of(status), "%s",
        why->message[0] != '\0' ? why->message : rpool_strerror(status));
    if (err != NULL && strlen(why->code) < sizeof err->sqlstate)
        memcpy(err->sqlstate, why->code, strlen(why->code) + 1);
    return ours;
}

static pqp_status report(pqp_error *err, rpool_status status,
                         const rpool_failure *why)
{
    if (status != RPOOL_OK)
        return fail_core(err, status, why);
    pqp__error_clear(err);
    return PQP_OK;
}

static void clear_failure(rpool_failure *why)
{
    why->code[0] = why->message[0] = '\0';
}

/* ---- the pool's life ---- */

static void free_config(void *ctx)
{
    pqp__config_free(ctx);
}

static rpool_provider core_provider(const struct config *config)
{
    return (rpool_provider){
        .size = sizeof(rpool_provider),
        .create = pqp__session_create,
        .destroy = pqp__session_destroy,
        .check = pqp__session_check,
        .look = pqp__session_look,
        .reset = pqp__session_reset,
        .fd = pqp__session_fd,
        .done = free_config,
        .noun = "connection",
        .unused_is_clean = config->options.reset == PQP_RESET_ROLLBACK,
    };
}

static rpool_options core_options(struct config *config)
{
    const pqp_options *from = &config->options;
    return (rpool_options){
        .size = sizeof(rpool_options),
        .name = config->name,
        .max_size = from->max_size,
        .min_size = from->min_size,
        .max_waiters = from->max_waiters,
        .create_concurrency = from->connect_concurrency,
        .create_timeout_ms = from->create_timeout_ms,
        .create_retry_max_ms = from->connect_retry_max_ms,
        .idle_timeout_ms = from->idle_timeout_ms,
        .max_lifetime_ms = from->max_lifetime_ms,
        .max_uses = from->max_uses,
        .check_after_ms = from->ping_after_ms,
        .keepalive_ms = from->keepalive_ms,
        .leak_after_ms = from->leak_after_ms,
        .check_always = from->ping_always,
        .on_event = from->on_event != NULL ? pqp__core_event : NULL,
        .arg = config,
    };
}

pqp_status pqp_pool_open(pqp_pool **pool, const pqp_options *options,
                         pqp_error *err)
{
    if (pool == NULL)
        return pqp__fail(err, PQP_INVALID, "pool is NULL");
    *pool = NULL;
    if (options == NULL)
        return pqp__fail(err, PQP_INVALID, "options is NULL");
    struct config *config = NULL;
    pqp_status status = pqp__config_make(&config, options, err);
    if (status != PQP_OK)
        return status;
    rpool_failure why;
    clear_failure(&why);
    const rpool_options core = core_options(config);
    const rpool_provider provider = core_provider(config);
    rpool *opened = NULL;
    pqp__ending_watch();
    rpool_status rc = rpool_open(&opened, &provider, config, &core, &why);
    if (rc != RPOOL_OK) {
        pqp__config_free(config);
        return fail_core(err, rc, &why);
    }
    config->core = opened;
    *pool = (pqp_pool *)opened;
    pqp__error_clear(err);
    return PQP_OK;
}

pqp_status pqp_pool_wait(pqp_pool *pool, int timeout_ms, pqp_error *err)
{
    rpool_failure why;
    clear_failure(&why);
    return report(err, rpool_wait(core_of(pool), timeout_ms, &why), &why);
}

pqp_status pqp_pool_resize(pqp_pool *pool, int max_size, int min_size)
{
    return status_of(rpool_resize(core_of(pool), max_size, min_size));
}

pqp_status pqp_pool_recycle(pqp_pool *pool)
{
    return status_of(rpool_recycle(core_of(pool)));
}

pqp_status pqp_pool_suspend(pqp_pool *pool)
{
    return status_of(rpool_suspend(core_of(pool)));
}

pqp_status pqp_pool_resume(pqp_pool *pool)
{
    return status_of(rpool_resume(core_of(pool)));
}

pqp_status pqp_pool_close(pqp_pool **pool, int timeout_ms)
{
    if (pool == NULL)
        return PQP_OK;
    rpool *core = core_of(*pool);
    pqp_status status = status_of(rpool_close(&core, timeout_ms));
    *pool = (pqp_pool *)core;
    return status;
}

/* ---- borrowing ---- */

struct request { /* of an acquire; in memory before the first call, so that no
                    register has to be kept for what goes wrong */
    pqp_pool *pool;
    int timeout_ms;
    pqp_conn **conn;
    pqp_error *err;
    rpool_site site;
};

__attribute__((noinline)) static pqp_status
acquire_slowly(const struct request *r)
{
    rpool_failure why;
    clear_failure(&why);
    rpool_item *item = NULL;
    rpool_status status = rpool_acquire_at(core_of(r->pool), r->timeout_ms,
                                           &item, &why, &r->site);
    *r->conn = (pqp_conn *)item;
    return report(r->err, status, &why);
}

/* The core's quick path comes first: it needs no room for a failure. */
QUICK pqp_status pqp_acquire_at(pqp_pool *pool, int timeout_ms, pqp_conn **conn,
                                pqp_error *err, const char *file, int line,
                                const char *func)
{
    if (conn == NULL)
        return pqp__fail(err, PQP_INVALID, "conn is NULL");
    const struct request r = {pool,
                              timeout_ms,
                              conn,
                              err,
                              {.file = file, .func = func, .line = line}};
    rpool_item *item = rpool__acquire_own(core_of(pool), &r.site);
    if (item == NULL)
        return acquire_slowly(&r);
    *r.conn = (pqp_conn *)item;
    pqp__error_clear(r.err);
    return PQP_OK;
}

pqp_status pqp_acquire(pqp_pool *pool, int timeout_ms, pqp_conn **conn,
                       pqp_error *err)
{
    return pqp_acquire_at(pool, timeout_ms, conn, err, NULL, 0, NULL);
}

pqp_status pqp_try_acquire(pqp_pool *pool, pqp_conn **conn)
{
    return pqp_acquire_at(pool, 0, conn, NULL, NULL, 0, NULL);
}

QUICK void pqp_release(pqp_conn **conn)
{
    if (conn == NULL)
        return;
    rpool_item *item = item_of(*conn);
    *conn = NULL;
    rpool__release(item);
}

void pqp_discard(pqp_conn **conn)
{
    if (conn == NULL)
        return;
    rpool_item *item = item_of(*conn);
    *conn = NULL;
    rpool_discard(&item);
}

PGconn *pqp_detach(pqp_conn **conn)
{
    if (conn == NULL)
        return NULL;
    rpool_item *item = item_of(*conn);
    *conn = NULL;
    struct session *session = rpool_detach(&item);
    return session != NULL ? pqp__session_detach(session) : NULL;
}

/* The borrower may run something: what came before is no answer to it.  Once in
 * a lease, so that a second thread which only asks for the PGconn reads
 * nothing. */
static void read_before_use(const rpool_item *item)
{
    void *resource = NULL;
    if (rpool_begin_use(item, &resource) != RPOOL_OK)
        return;
    struct session *session = resource;
    session->touched = 1;
    pqp__reading_begin(session);
    pqp_error ignored;
    if (session->pg != NULL)
        (void)pqp__session_read_unasked(session, &ignored);
    pqp__reading_end();
    rpool_end_use(item);
}

PGconn *pqp_pgconn(const pqp_conn *conn)
{
    rpool_item *item = item_of(conn);
    const struct session *session = rpool_resource(item);
    if (session != NULL && !session->touched) {
        read_before_use(item);
        session = rpool_resource(item);
    }
    return session != NULL ? session->pg : NULL;
}

/* ---- looking inside ---- */

pqp_status pqp_pool_stats(pqp_pool *pool, pqp_stats *stats)
{
    if (stats == NULL || !sized_is_writable(stats))
        return PQP_INVALID;
    rpool_stats core = {.size = sizeof core};
    rpool_status status = rpool_stats_get(core_of(pool), &core);
    if (status != RPOOL_OK)
        return status_of(status);
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
    rpool_dump(core_of(pool), line, arg);
}

int pqp_version(void)
{
    return PQPOOL_VERSION_NUMBER;
}
