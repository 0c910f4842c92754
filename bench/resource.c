/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* A connection of libpq's own, or a byte that stands for one. */
#include "bench.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

const char *resource_conninfo(void)
{
    const char *dsn = getenv("BENCH_DSN");
    if (dsn == NULL)
        die("BENCH_DSN is not set");
    return dsn;
}

void *resource_make(int real)
{
    if (!real) {
        void *stand_in = malloc(1);
        if (stand_in == NULL)
            die("out of memory");
        return stand_in;
    }
    PGconn *pg = PQconnectdb(resource_conninfo());
    if (PQstatus(pg) != CONNECTION_OK)
        die(PQerrorMessage(pg));
    return pg;
}

static void finish(PGconn *pg, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        die(PQerrorMessage(pg));
    PQclear(res);
}

void resource_run(void *resource, const char *sql)
{
    finish(resource, PQexec(resource, sql));
}

void resource_lookup(void *resource, int key)
{
    char text[12];
    (void)snprintf(text, sizeof text, "%d", key);
    const char *values[] = {text};
    finish(resource,
           PQexecPrepared(resource, "lookup", 1, values, NULL, NULL, 0));
}
