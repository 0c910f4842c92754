/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The literals of structs, and PQP_IGNORE.  This file is compiled as C and as
 * C++20, and calls nothing of the library.  With IGNORED defined it must not
 * compile.
 */
#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>
#include <stddef.h>
#include <stdio.h>

static int failures;

static void check(int is_right, const char *what)
{
    if (is_right)
        return;
    (void)fprintf(stderr, "wrong: %s\n", what);
    failures++;
}
#define CHECK(condition) check(condition, #condition)

/* An address lives as long as the call that it is an argument of. */
static void check_options(const pqp_options *options)
{
    CHECK(options->size == sizeof(pqp_options));
    CHECK(options->conninfo != NULL && options->conninfo[0] == 'h');
    CHECK(options->name == NULL);
    CHECK(options->max_size == 8);
    CHECK(options->min_size == 0);
    CHECK(options->arg == NULL);
}

static void check_query(const pqp_query *query)
{
    CHECK(query->size == sizeof(pqp_query));
    CHECK(query->nparams == 1);
    CHECK(query->values != NULL && query->values[0][0] == '7');
    CHECK(query->formats == NULL);
}

static void check_tx(const pqp_tx *tx, pqp_isolation isolation)
{
    CHECK(tx->size == sizeof(pqp_tx));
    CHECK(tx->isolation == isolation);
    CHECK(tx->backoff_ms == 0);
}

static void check_core_options(const rpool_options *options, int max_size)
{
    CHECK(options->size == sizeof(rpool_options));
    CHECK(options->max_size == max_size);
    CHECK(options->arg == NULL);
}

static void check_site(const rpool_site *site, int line)
{
    CHECK(site->file != NULL && site->func != NULL);
    CHECK(site->line == line);
}

static void check_addresses(void)
{
    const char *const values[] = {"7"};
    check_options(PQP_OPTIONS(.conninfo = "host=db", .max_size = 8));
    check_query(PQP_QUERY(.sql = "SELECT $1", .nparams = 1, .values = values));
    check_tx(PQP_TX(.isolation = PQP_ISO_SERIALIZABLE), PQP_ISO_SERIALIZABLE);
    check_tx(PQP_TX(), PQP_ISO_DEFAULT);
    check_core_options(RPOOL_OPTIONS(.max_size = 3), 3);
    check_core_options(RPOOL_OPTIONS(), 0);
    check_site(RPOOL_HERE, __LINE__);
}

static void destroy(void *ctx, void *resource)
{
    (void)ctx, (void)resource;
}

/* Objects with a name: in arrays and in static storage too. */
static void check_objects(void)
{
    static const char *const values[] = {"7"};
    static const pqp_query queries[] = {
        PQP_QUERY_INIT(.sql = "a", .nparams = 1, .values = values),
        PQP_QUERY_INIT(.sql = "b", .nparams = 1, .values = values)};
    static const rpool_provider provider =
        RPOOL_PROVIDER_INIT(.destroy = destroy, .noun = "buffer");
    pqp_options options = PQP_OPTIONS_INIT(.conninfo = "host=db");
    pqp_tx tx = PQP_TX_INIT(.isolation = PQP_ISO_READ_COMMITTED);
    rpool_options core = RPOOL_OPTIONS_INIT(.max_size = 4);
    pqp_stats stats = PQP_STATS_INIT();
    rpool_stats core_stats = RPOOL_STATS_INIT();

    options.max_size = 8;
    check_options(&options);
    check_query(&queries[0]);
    check_query(&queries[1]);
    check_tx(&tx, PQP_ISO_READ_COMMITTED);
    check_core_options(&core, 4);
    CHECK(provider.size == sizeof provider && provider.create == NULL);
    CHECK(provider.destroy == destroy && provider.unused_is_clean == 0);
    CHECK(stats.size == sizeof stats && stats.connect_us == 0);
    CHECK(core_stats.size == sizeof core_stats && core_stats.created == 0);
}

static int calls;

PQP_NODISCARD static pqp_status call_status(void)
{
    calls++;
    return PQP_TIMEOUT;
}

PQP_NODISCARD static void *call_pointer(void)
{
    calls++;
    return NULL;
}

static void check_ignored(void)
{
    PQP_IGNORE(call_status());
    PQP_IGNORE(call_pointer());
#ifdef IGNORED
    call_status();
#endif
    CHECK(calls == 2);
}

int main(void)
{
    check_addresses();
    check_objects();
    check_ignored();
    return failures > 0;
}
