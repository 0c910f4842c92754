/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * ask SQL: prints the first value of the server's answer at PQPOOL_DSN. It uses
 * libpq alone, so that the checks of the examples do not rely on pqpool. It
 * exits with 2 if it cannot connect.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    const char *dsn = getenv("PQPOOL_DSN");
    PGconn *pg = PQconnectdb(dsn ? dsn : "");
    PGresult *res = NULL;
    int code = 2;

    if (PQstatus(pg) != CONNECTION_OK) {
        fputs("ask: no server answers\n", stderr);
    } else {
        res = PQexec(pg, argc > 1 ? argv[1] : "SELECT 1");
        code = PQresultStatus(res) == PGRES_TUPLES_OK ? 0 : 1;
        if (code == 0)
            puts(PQgetvalue(res, 0, 0));
        else
            fputs(PQresultErrorMessage(res), stderr);
    }
    PQclear(res);
    PQfinish(pg);
    return code;
}
