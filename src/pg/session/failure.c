/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errors of the server and of a lost connection, as a pqp_error.  No state, no
 * lock.
 */
#include "pg/session/failure.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/base/error.h"
#include "pg/base/sqlstate.h"
#include "pg/config/secrets.h"

/* Copies five digits and capitals, or "": the text comes from the server, and
 * some servers send none. */
static void copy_sqlstate(char to[6], const char *from)
{
    assert(to);

    to[0] = '\0';
    if (from && strlen(from) == 5 &&
        strspn(from, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
        memcpy(to, from, 6);
}

/* As pqp__fail(), with a text of the server or of libpq, in which secrets are
 * hidden. */
static void fail_with_text(pqp_error *err, const struct config *config,
                           pqp_status status, const char *text,
                           const char *if_empty)
{
    assert(err && text);

    pqp__error_clear(err);
    err->status = status;
    pqp__clean_text(config, err->message, sizeof(err->message), text);
    if (!err->message[0])
        (void)snprintf(err->message, sizeof(err->message), "%s", if_empty);
}

/* The severity decides whether the server ends the session after the message,
 * and not the SQLSTATE: an ERROR of class 08 concerns another server behind
 * this one, or was raised by a function.  The SQLSTATE counts only if no
 * severity was sent. */
static int ends_session(const PGresult *res, unsigned class)
{
    const char *severity =
        PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity)
        return (class & PQP__LOST) != 0;
    return pqp__is_fatal(severity);
}

pqp_status pqp__fail_result(pqp_error *err, const struct config *config,
                            const PGresult *res)
{
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    unsigned class = pqp__sqlstate_class(sqlstate);
    int is_lost = ends_session(res, class);
    pqp_status status = is_lost ? PQP_LOST : PQP_SERVER;
    if (!err)
        return status;

    fail_with_text(err, config, status,
                   message ? message : PQresultErrorMessage(res),
                   "error without a message");
    copy_sqlstate(err->sqlstate, sqlstate);
    if (is_lost)
        err->flags = PQP_ERR_DISCARD;
    else if (class & PQP__RETRY)
        err->flags = PQP_ERR_RETRY;
    return status;
}

/* Returns a copy of the first line, which the caller frees: it has the cause.
 * The lines below it are hints, and that there is no socket any more.  A secret
 * that spans two lines is kept whole, so that it is recognised and hidden. NULL
 * for want of memory. */
static char *first_line(const struct config *config, const char *text)
{
    const char *end = text;
    while (*end && *end != '\n') {
        size_t secret = pqp__hidden_length(config, text, end);
        end += secret ? secret : 1;
    }
    return strndup(text, (size_t)(end - text));
}

pqp_status pqp__fail_lost(pqp_error *err, const struct config *config,
                          const PGconn *pg)
{
    if (!err)
        return PQP_LOST;

    char *cause = first_line(config, pg ? PQerrorMessage(pg) : "");
    int is_known = cause && strcmp(cause, "invalid socket") != 0;
    fail_with_text(err, config, PQP_LOST, is_known ? cause : "",
                   "the connection ended, and libpq does not say why");
    free(cause);
    err->flags = PQP_ERR_DISCARD;
    return PQP_LOST;
}
