/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Pools: open, wait, resize, recycle, suspend, resume and close.  Each function
 * translates to the core, which has the locks.
 */
#include "pg/pool.h"

#include <assert.h>
#include <string.h>

#include "pg/base/atexit.h"
#include "pg/base/error.h"
#include "pg/config/config.h"
#include "pg/listener.h"
#include "pg/session/check.h"
#include "pg/session/reset.h"
#include "pg/session/session.h"

/* ---- statuses and errors of the core ---- */

pqp_status pqp__status_of(rpool_status status)
{
    static const pqp_status ours[RPOOL_STATUS_COUNT] = {
        [RPOOL_OK] = PQP_OK,          [RPOOL_INVALID] = PQP_INVALID,
        [RPOOL_NOMEM] = PQP_NOMEM,    [RPOOL_SYSTEM] = PQP_SYSTEM,
        [RPOOL_BUSY] = PQP_BUSY,      [RPOOL_TIMEOUT] = PQP_TIMEOUT,
        [RPOOL_CLOSED] = PQP_CLOSED,  [RPOOL_CREATE] = PQP_CONNECT,
        [RPOOL_FORKED] = PQP_INVALID,
    };
    assert((unsigned)status < RPOOL_STATUS_COUNT);
    return ours[status];
}

/* Takes the message and the SQLSTATE of the core's failure; if it has no
 * message, the text of the status. */
static pqp_status fail_core(pqp_error *err, rpool_status status,
                            const rpool_failure *why)
{
    assert(status != RPOOL_OK);

    pqp_status ours = pqp__fail(
        err, pqp__status_of(status), "%s",
        why->message[0] != '\0' ? why->message : rpool_strerror(status));

    if (err != NULL && strlen(why->code) < sizeof err->sqlstate)
        memcpy(err->sqlstate, why->code, strlen(why->code) + 1);
    return ours;
}

pqp_status pqp__error_of_core(pqp_error *err, rpool_status status,
                              const rpool_failure *why)
{
    if (status != RPOOL_OK)
        return fail_core(err, status, why);

    pqp__error_clear(err);
    return PQP_OK;
}

/* ---- open ---- */

static void free_config(void *ctx)
{
    pqp__config_free(ctx);
}

static rpool_provider core_provider(const struct config *config)
{
    assert(config->options.size != 0);

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
    assert(config->name);

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
    pqp__failure_clear(&why);
    const rpool_options core = core_options(config);
    const rpool_provider provider = core_provider(config);
    rpool *opened = NULL;

    pqp__atexit_register();
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

/* ---- an open pool ---- */

pqp_status pqp_pool_wait(pqp_pool *pool, int timeout_ms, pqp_error *err)
{
    rpool_failure why;
    pqp__failure_clear(&why);
    return pqp__error_of_core(
        err, rpool_wait(pqp__core_of(pool), timeout_ms, &why), &why);
}

pqp_status pqp_pool_resize(pqp_pool *pool, int max_size, int min_size)
{
    return pqp__status_of(rpool_resize(pqp__core_of(pool), max_size, min_size));
}

pqp_status pqp_pool_recycle(pqp_pool *pool)
{
    return pqp__status_of(rpool_recycle(pqp__core_of(pool)));
}

pqp_status pqp_pool_suspend(pqp_pool *pool)
{
    return pqp__status_of(rpool_suspend(pqp__core_of(pool)));
}

pqp_status pqp_pool_resume(pqp_pool *pool)
{
    return pqp__status_of(rpool_resume(pqp__core_of(pool)));
}

pqp_status pqp_pool_close(pqp_pool **pool, int timeout_ms)
{
    if (pool == NULL)
        return PQP_OK;

    rpool *core = pqp__core_of(*pool);
    pqp_status status = pqp__status_of(rpool_close(&core, timeout_ms));
    *pool = (pqp_pool *)core;
    return status;
}
