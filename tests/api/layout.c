/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The layout of every struct that callers store or fill in, as it was
 * published. If this file does not compile, programs that use the library
 * break.  A field that is added at the end of a struct with a size is a new
 * line and a new size here.  Nothing else changes within a soname.
 */
#include <assert.h>
#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>
#include <stddef.h>

#define SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type)
#define AT(type, field, offset)                                                \
    static_assert(offsetof(type, field) == (offset), #type "." #field)

SIZE(pqp_error, 512);
AT(pqp_error, status, 0);
AT(pqp_error, flags, 4);
AT(pqp_error, sqlstate, 8);
AT(pqp_error, message, 14);

SIZE(pqp_event, 88);
AT(pqp_event, size, 0);
AT(pqp_event, type, 8);
AT(pqp_event, backend_pid, 12);
AT(pqp_event, pool, 16);
AT(pqp_event, connection, 24);
AT(pqp_event, ms, 32);
AT(pqp_event, reason, 40);
AT(pqp_event, message, 48);
AT(pqp_event, sqlstate, 56);
AT(pqp_event, file, 64);
AT(pqp_event, func, 72);
AT(pqp_event, line, 80);
AT(pqp_event, reserved, 84);

SIZE(pqp_options, 104);
AT(pqp_options, size, 0);
AT(pqp_options, conninfo, 8);
AT(pqp_options, name, 16);
AT(pqp_options, max_size, 24);
AT(pqp_options, min_size, 28);
AT(pqp_options, max_waiters, 32);
AT(pqp_options, connect_timeout_ms, 36);
AT(pqp_options, connect_concurrency, 40);
AT(pqp_options, create_timeout_ms, 44);
AT(pqp_options, connect_retry_max_ms, 48);
AT(pqp_options, idle_timeout_ms, 52);
AT(pqp_options, max_lifetime_ms, 56);
AT(pqp_options, max_uses, 60);
AT(pqp_options, ping_after_ms, 64);
AT(pqp_options, ping_timeout_ms, 68);
AT(pqp_options, keepalive_ms, 72);
AT(pqp_options, leak_after_ms, 76);
AT(pqp_options, ping_always, 80);
AT(pqp_options, reset, 84);
AT(pqp_options, on_event, 88);
AT(pqp_options, arg, 96);

SIZE(pqp_query, 64);
AT(pqp_query, size, 0);
AT(pqp_query, sql, 8);
AT(pqp_query, timeout_ms, 16);
AT(pqp_query, nparams, 20);
AT(pqp_query, result_format, 24);
AT(pqp_query, reserved, 28);
AT(pqp_query, types, 32);
AT(pqp_query, values, 40);
AT(pqp_query, lengths, 48);
AT(pqp_query, formats, 56);

SIZE(pqp_tx, 32);
AT(pqp_tx, size, 0);
AT(pqp_tx, isolation, 8);
AT(pqp_tx, read_only, 12);
AT(pqp_tx, deferrable, 16);
AT(pqp_tx, max_attempts, 20);
AT(pqp_tx, backoff_ms, 24);
AT(pqp_tx, reserved, 28);

SIZE(pqp_stats, 136);
AT(pqp_stats, size, 0);
AT(pqp_stats, total, 8);
AT(pqp_stats, idle, 12);
AT(pqp_stats, in_use, 16);
AT(pqp_stats, checking, 20);
AT(pqp_stats, connecting, 24);
AT(pqp_stats, closing, 28);
AT(pqp_stats, waiting, 32);
AT(pqp_stats, reserved, 36);
AT(pqp_stats, acquired, 40);
AT(pqp_stats, waited, 48);
AT(pqp_stats, timed_out, 56);
AT(pqp_stats, created, 64);
AT(pqp_stats, closed, 72);
AT(pqp_stats, connect_failed, 80);
AT(pqp_stats, wait_us, 88);
AT(pqp_stats, refused, 96);
AT(pqp_stats, detached, 104);
AT(pqp_stats, pinged, 112);
AT(pqp_stats, misused, 120);
AT(pqp_stats, connect_us, 128);

SIZE(rpool_failure, 512);
AT(rpool_failure, permanent, 0);
AT(rpool_failure, code, 4);
AT(rpool_failure, message, 16);

SIZE(rpool_provider, 80);
AT(rpool_provider, size, 0);
AT(rpool_provider, create, 8);
AT(rpool_provider, destroy, 16);
AT(rpool_provider, check, 24);
AT(rpool_provider, look, 32);
AT(rpool_provider, reset, 40);
AT(rpool_provider, fd, 48);
AT(rpool_provider, done, 56);
AT(rpool_provider, noun, 64);
AT(rpool_provider, unused_is_clean, 72);

SIZE(rpool_site, 24);
AT(rpool_site, file, 0);
AT(rpool_site, func, 8);
AT(rpool_site, line, 16);
AT(rpool_site, reserved, 20);

SIZE(rpool_event, 88);
AT(rpool_event, size, 0);
AT(rpool_event, type, 8);
AT(rpool_event, reason, 12);
AT(rpool_event, pool, 16);
AT(rpool_event, item, 24);
AT(rpool_event, resource, 32);
AT(rpool_event, ms, 40);
AT(rpool_event, site, 48);
AT(rpool_event, message, 72);
AT(rpool_event, failure, 80);

SIZE(rpool_options, 88);
AT(rpool_options, size, 0);
AT(rpool_options, name, 8);
AT(rpool_options, max_size, 16);
AT(rpool_options, min_size, 20);
AT(rpool_options, max_waiters, 24);
AT(rpool_options, create_concurrency, 28);
AT(rpool_options, create_timeout_ms, 32);
AT(rpool_options, create_retry_max_ms, 36);
AT(rpool_options, idle_timeout_ms, 40);
AT(rpool_options, max_lifetime_ms, 44);
AT(rpool_options, max_uses, 48);
AT(rpool_options, check_after_ms, 52);
AT(rpool_options, keepalive_ms, 56);
AT(rpool_options, leak_after_ms, 60);
AT(rpool_options, check_always, 64);
AT(rpool_options, reserved, 68);
AT(rpool_options, on_event, 72);
AT(rpool_options, arg, 80);

SIZE(rpool_stats, 224);
AT(rpool_stats, size, 0);
AT(rpool_stats, total, 8);
AT(rpool_stats, idle, 12);
AT(rpool_stats, in_use, 16);
AT(rpool_stats, checking, 20);
AT(rpool_stats, creating, 24);
AT(rpool_stats, closing, 28);
AT(rpool_stats, waiting, 32);
AT(rpool_stats, max_size, 36);
AT(rpool_stats, acquired, 40);
AT(rpool_stats, waited, 48);
AT(rpool_stats, timed_out, 56);
AT(rpool_stats, refused, 64);
AT(rpool_stats, created, 72);
AT(rpool_stats, create_failed, 80);
AT(rpool_stats, closed, 88);
AT(rpool_stats, detached, 96);
AT(rpool_stats, checked, 104);
AT(rpool_stats, misused, 112);
AT(rpool_stats, wait_us, 120);
AT(rpool_stats, create_us, 128);
AT(rpool_stats, closed_by, 136);

/* Values that the programs of callers contain. */
static_assert(PQP_OK == 0, "PQP_OK");
static_assert(PQP_UNSUPPORTED == 10, "PQP_UNSUPPORTED");
static_assert(PQP_EVENT_CREATED == 0, "PQP_EVENT_CREATED");
static_assert(PQP_EVENT_FREED == 13, "PQP_EVENT_FREED");
static_assert(PQP_RESET_CLOSE == 2, "PQP_RESET_CLOSE");
static_assert(PQP_ISO_SERIALIZABLE == 3, "PQP_ISO_SERIALIZABLE");
static_assert(RPOOL_OK == 0, "RPOOL_OK");
static_assert(RPOOL_FORKED == 8, "RPOOL_FORKED");
static_assert(RPOOL_EVENT_FREED == 12, "RPOOL_EVENT_FREED");
static_assert(RPOOL_REASON_SHUTDOWN == 10, "RPOOL_REASON_SHUTDOWN");
static_assert(RPOOL_BAD == 2, "RPOOL_BAD");
static_assert(RPOOL_DISCARD == 2, "RPOOL_DISCARD");
