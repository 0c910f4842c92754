/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The superuser and the guest role; see support_admin.h. */
#include "support_admin.h"

#include <stdio.h>

#include "support_pg.h"

static void say_nothing(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

const char *admin(const char *sql)
{
    static char value[8192];
    PGconn *pg = PQconnectdb(pg_admin_dsn());
    (void)PQsetNoticeProcessor(pg, say_nothing, NULL);
    PGresult *res = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(res);
    int ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!ok)
        print_error("%s: %s\n", sql, PQerrorMessage(pg));
    int any = PQntuples(res) > 0 && !PQgetisnull(res, 0, 0);
    (void)snprintf(value, sizeof value, "%s", any ? PQgetvalue(res, 0, 0) : "");
    PQclear(res);
    PQfinish(pg);
    assert_true(ok);
    return value;
}

int guest_comes(void **state)
{
    (void)state;
    (void)admin("DROP ROLE IF EXISTS " GUEST);
    (void)admin("CREATE ROLE " GUEST " LOGIN PASSWORD 'guest-secret'");
    return 0;
}

int guest_goes(void **state)
{
    (void)state;
    (void)admin("DROP ROLE IF EXISTS " GUEST);
    return 0;
}

const char *guest_dsn(void)
{
    return pg_dsn_with("user=" GUEST " password=guest-secret");
}
