/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server that the demo runs on: a schema for the demo, the backends of the
 * tellers, and a restart if the server is a throw-away one.  All statements
 * here use one connection, in a pool of its own, the office.  So this
 * connection too comes back after a restart.
 */
#include "bank.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static pqp_status fail(pqp_error *err, pqp_status status, const char *message)
{
    *err = (pqp_error){.status = status};
    snprintf(err->message, sizeof err->message, "%s", message);
    return status;
}

/* ---- connections ---- */

/* In both forms of a connection string, a later keyword beats an earlier one.
 */
static int extend_dsn(char *to, size_t size, const char *dsn,
                      const char *schema, const char *application)
{
    int length;

    if (strncmp(dsn, "postgres://", 11) == 0 ||
        strncmp(dsn, "postgresql://", 13) == 0)
        length = snprintf(
            to, size, "%s%coptions=-csearch_path%%3D%s&application_name=%s",
            dsn, strchr(dsn, '?') ? '&' : '?', schema, application);
    else
        length = snprintf(to, size,
                          "%s options=-csearch_path=%s application_name=%s",
                          dsn, schema, application);
    return length >= 0 && (size_t)length < size ? 0 : -1;
}

pqp_status server_pool(const struct server *server, const char *application,
                       pqp_options options, pqp_pool **pool, pqp_error *err)
{
    char dsn[4096];

    if (extend_dsn(dsn, sizeof dsn, server->dsn, server->name, application))
        return fail(err, PQP_INVALID, "the connection string is too long");
    options.conninfo = dsn;
    return pqp_pool_open(pool, &options, err);
}

/* ---- the schema ---- */

/* Creates the tables of sql/ in the schema, by search_path, and enough accounts
 * that transfers collide sometimes, but not always. */
static pqp_status create_schema(struct server *server, pqp_error *err)
{
    static const char *const files[] = {SQL_DIR "/10-schema.sql",
                                        SQL_DIR "/20-seed.sql"};
    char sql[32768];
    size_t used =
        (size_t)snprintf(sql, sizeof sql, "CREATE SCHEMA %s;\n", server->name);
    PQP_AUTO_CONN conn = NULL;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(files[i], "r");
        if (!file)
            return fail(err, PQP_SYSTEM, "cannot read " SQL_DIR);
        used += fread(sql + used, 1, sizeof sql - used, file);
        (void)fclose(file);
    }
    int rest = snprintf(sql + used, sizeof sql - used,
                        "INSERT INTO accounts SELECT n, %d"
                        " FROM generate_series(1, %d) AS n"
                        " ON CONFLICT DO NOTHING; ANALYZE accounts",
                        OPENING_BALANCE, ACCOUNTS);
    if (rest < 0 || (size_t)rest >= sizeof sql - used)
        return fail(err, PQP_SYSTEM, "the schema is too long: " SQL_DIR);

    pqp_status status = pqp_acquire(server->office, 5000, &conn, err);
    if (status != PQP_OK)
        return status;
    server->created = 1; /* perhaps; server_close() drops it if it exists */
    return pqp_exec(conn, sql, NULL, err);
}

pqp_status server_open(struct server *server, const char *dsn,
                       const char *control, pqp_error *err)
{
    *server = (struct server){
        .dsn = dsn ? dsn : "",
        .control = control && *control ? control : NULL,
    };
    snprintf(server->name, sizeof server->name, "pqpool_demo_%ld",
             (long)getpid());
    pqp_options options;
    pqp_options_init(&options);
    options.name = "office";
    options.max_size = 1;
    pqp_status status =
        server_pool(server, "pqpool_office", options, &server->office, err);
    return status == PQP_OK ? create_schema(server, err) : status;
}

pqp_status server_close(struct server *server, pqp_error *err)
{
    char sql[64];
    pqp_status status = server->created ? PQP_LOST : PQP_OK;

    snprintf(sql, sizeof sql, "DROP SCHEMA IF EXISTS %s CASCADE", server->name);
    for (int i = 0; i < 3 && status == PQP_LOST; i++)
        status = pqp_pool_exec_params(server->office, DEADLINE_MS,
                                      PQP_QUERY(.sql = sql), NULL, err);
    pqp_pool_close(&server->office, 5000);
    return status;
}

/* ---- the backends ---- */

/* Asks for one number about the tellers' backends; $1 is their
 * application_name. */
static pqp_status ask(struct server *server, int timeout_ms, const char *sql,
                      int *answer, pqp_error *err)
{
    const char *const values[] = {server->name};
    PQP_AUTO_RESULT res = NULL;

    *answer = 0;
    pqp_status status =
        pqp_pool_exec_params(server->office, timeout_ms,
                             PQP_QUERY(.sql = sql, .timeout_ms = timeout_ms,
                                       .nparams = 1, .values = values),
                             &res, err);
    if (status == PQP_OK)
        *answer = (int)strtol(PQgetvalue(res, 0, 0), NULL, 10);
    return status;
}

int server_count_backends(struct server *server)
{
    int count;

    (void)ask(server, 500,
              "SELECT count(*) FROM pg_stat_activity"
              " WHERE application_name = $1",
              &count, NULL);
    return count;
}

pqp_status server_terminate_backends(struct server *server, int *count,
                                     pqp_error *err)
{
    return ask(server, DEADLINE_MS,
               "SELECT count(pg_terminate_backend(pid)) FROM"
               " (SELECT pid FROM pg_stat_activity WHERE application_name = $1"
               " LIMIT 4) AS victim",
               count, err);
}

/* ---- the restart ---- */

int server_begin_restart(struct server *server)
{
    char control[4096], verb[] = "restart";
    char *const arguments[] = {control, verb, NULL};
    posix_spawnattr_t attributes;
    sigset_t none;

    snprintf(control, sizeof control, "%s", server->control);
    sigemptyset(&none);
    int failed = posix_spawnattr_init(&attributes);
    if (failed)
        return failed;
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    failed = posix_spawnp(&server->restarting, control, NULL, &attributes,
                          arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

int server_restarted(struct server *server, int wait)
{
    int status;
    pid_t ended = waitpid(server->restarting, &status, wait ? 0 : WNOHANG);

    if (ended == 0)
        return 0;
    server->restarting = 0;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : -1;
}
