/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * pair rpool | pqp | use: PAIRS uncontended acquires and releases in pairs(),
 * for a program that counts its instructions.  The server of pqp and use is
 * played by a thread.  use: between the two the lease is used once, as pqp_exec
 * does it, so that the release resets the session.
 */
#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/lease.h"
#include "pg/session/session.h"
#include "support_mock.h"

enum { WARM_UP = 100, PAIRS = 10000, LEAK_MS = 60000 };

static rpool *core;
static pqp_pool *pool;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "pair: %s\n", what);
    exit(1);
}

/* ---- the core alone ---- */

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    (void)deadline, (void)stop_fd, (void)why;
    *resource = ctx;
    return 0;
}

static void destroy(void *ctx, void *resource)
{
    (void)ctx, (void)resource;
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    (void)ctx, (void)resource, (void)idle_ms, (void)deadline;
    return RPOOL_GOOD;
}

static void open_core(void)
{
    static int thing;
    const rpool_provider provider = {.size = sizeof provider,
                                     .create = create,
                                     .destroy = destroy,
                                     .check = check};
    rpool_failure why;
    if (rpool_open(&core, &provider, &thing,
                   RPOOL_OPTIONS(.max_size = 1, .min_size = 1,
                                 .check_after_ms = RPOOL_NEVER,
                                 .leak_after_ms = LEAK_MS),
                   &why) != RPOOL_OK ||
        rpool_wait(core, -1, &why) != RPOOL_OK)
        die(why.message);
}

static void pair_core(void)
{
    rpool_item *item;
    if (rpool_acquire(core, -1, &item, NULL) != RPOOL_OK)
        die("cannot acquire");
    rpool_release(&item);
}

/* ---- with libpq ---- */

static void open_pool(void)
{
    struct mock *mock = mock_start("sow");
    char conninfo[128];
    pqp_error err;
    if (mock == NULL)
        die("no server");
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d user=x dbname=x sslmode=disable",
                   mock_port(mock));
    if (pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = conninfo, .max_size = 1,
                                  .min_size = 1, .ping_after_ms = PQP_NEVER,
                                  .leak_after_ms = LEAK_MS),
                      &err) != PQP_OK ||
        pqp_pool_wait(pool, -1, &err) != PQP_OK)
        die(err.message);
}

static void pair_pool(void)
{
    pqp_conn *conn;
    pqp_error err;
    if (pqp_acquire(pool, -1, &conn, &err) != PQP_OK)
        die(err.message);
    pqp_release(&conn);
}

static void pair_with_use(void)
{
    pqp_conn *conn;
    pqp_error err;
    if (pqp_acquire(pool, -1, &conn, &err) != PQP_OK)
        die(err.message);
    struct session *session = pqp__use_begin(conn, &err);
    if (session == NULL)
        die(err.message);
    pqp__use_end(session);
    pqp_release(&conn);
}

/* ---- */

/* The instruction counter finds this function by its name. */
void pairs(void (*pair)(void), int n);
__attribute__((noinline)) void pairs(void (*pair)(void), int n)
{
    for (int i = 0; i < n; i++)
        pair();
}

static const struct {
    const char *name;
    void (*open)(void), (*pair)(void);
} cases[] = {{"rpool", open_core, pair_core},
             {"pqp", open_pool, pair_pool},
             {"use", open_pool, pair_with_use}};

int main(int argc, char **argv)
{
    size_t i = 0, count = sizeof cases / sizeof cases[0];
    while (argc == 2 && i < count && strcmp(argv[1], cases[i].name) != 0)
        i++;
    if (argc != 2 || i == count)
        die("usage: pair rpool | pqp | use");
    cases[i].open();
    for (int n = 0; n < WARM_UP; n++)
        cases[i].pair();
    pairs(cases[i].pair, PAIRS);
    exit(0);
}
