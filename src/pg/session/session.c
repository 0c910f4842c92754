/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A PostgreSQL session as the core's resource: created, detached, destroyed.
 * The owner of the item calls.  Only create waits.
 */
#include "pg/session/session.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pg/base/atexit.h"
#include "pg/connect/connect.h"
#include "pg/session/check.h"
#include "pg/session/failover.h"
#include "pg/session/notice.h"

/* ---- create ---- */

static int reports_on(const PGconn *pg, const char *name)
{
    const char *value = PQparameterStatus(pg, name);
    return value && strcmp(value, "on") == 0;
}

/* Notes how the connection was made, to find later what has changed. */
static void note_start(struct session *session)
{
    PGconn *pg = session->pg;
    assert(PQstatus(pg) == CONNECTION_OK);

    session->pid = PQbackendPID(pg);
    session->encoding = PQclientEncoding(pg);
    session->was_read_only = reports_on(pg, "default_transaction_read_only");
    session->mark_index = pqp__role_mark_index(pg);
}

int pqp__session_create(void *ctx, int64_t deadline, int stop_fd,
                        void **resource, rpool_failure *why)
{
    struct config *config = ctx;
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        *why = (rpool_failure){0};
        snprintf(why->message, sizeof why->message, "out of memory");
        return -1;
    }
    session->config = config;
    session->connect_began = clock_now();

    const struct connect_request request = {.config = config,
                                            .listen = pqp__session_listen,
                                            .arg = session,
                                            .deadline = deadline,
                                            .stop_fd = stop_fd};
    session->pg = pqp__connect(&request, &session->wanted_role, why);
    if (!session->pg) {
        free(session);
        return -1;
    }
    note_start(session);
    *resource = session;
    return 0;
}

/* ---- detach and destroy ---- */

/* The connection is again as PQconnectdb() made it, except for the settings
 * that the borrower changed. */
PGconn *pqp__session_detach(struct session *session)
{
    assert(session->config);

    PGconn *pg = session->pg;
    session->config = NULL;
    if (!pg)
        free(session);
    else
        pqp__notice_unlisten(session);
    return pg;
}

static int is_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

/* PQfinish() sends a Terminate message, and would wait if the socket does not
 * take it.  So the socket is shut down first, unless the session is at rest and
 * its socket is writable.  It is never closed here: libpq still has its
 * number. */
void pqp__session_destroy(void *ctx, void *resource)
{
    (void)ctx;
    struct session *session = resource;
    PGconn *pg = session->pg;

    session->pg = NULL; /* tells the event procedure that we call PQfinish() */
    if (pg) {
        int fd = PQsocket(pg);
        int may_terminate = (session->pending_syncs > 0 ||
                             pqp__is_at_rest(pg, PQtransactionStatus(pg))) &&
                            is_writable(fd);

        if (fd >= 0 && !may_terminate)
            (void)shutdown(fd, SHUT_RDWR);
        if (!pqp__libpq_enter())
            return; /* the process exits: the kernel frees the rest */
        PQfinish(pg);
        pqp__libpq_leave();
    }
    free(session);
}

int pqp__session_fd(void *ctx, void *resource)
{
    (void)ctx;
    const struct session *session = resource;
    return session->pg ? PQsocket(session->pg) : -1;
}
