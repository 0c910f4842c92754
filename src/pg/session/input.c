/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Input that no statement of ours asked for.  Called by the owner of the
 * session; no lock, and nothing here waits.
 */
#include "pg/session/input.h"

#include <errno.h>
#include <sys/socket.h>

#include "pg/base/error.h"
#include "pg/session/failure.h"

enum { MAX_READS = 1024 }; /* of at least 8 kB each */

/* Also if the other end has hung up. */
static int socket_has_input(const PGconn *pg)
{
    char byte;
    return recv(PQsocket(pg), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* libpq takes apart what it has, also if there was nothing to read.  Returns 0
 * or -1. */
static int read_once(struct session *session)
{
    int alive = PQconsumeInput(session->pg);
    (void)PQisBusy(session->pg);
    return alive && !session->broken ? 0 : -1;
}

/* Of a TLS record libpq may have read a part: the last read is for the rest,
 * which raises no event on the socket.  A peer that sends faster than we read,
 * for so long, is not fit. */
int pqp__input_read(struct session *session)
{
    int reads = 0;
    for (; socket_has_input(session->pg); reads++)
        if (reads == MAX_READS || read_once(session))
            return -1;
    return reads > 0 && PQsslInUse(session->pg) ? read_once(session) : 0;
}

/* What is on its way is discarded with the rest: libpq, which reads on after it
 * could not send, would take it for the answer to a next statement. */
void pqp__session_shut(struct session *session)
{
    session->broken = 1;
    (void)shutdown(PQsocket(session->pg), SHUT_RDWR);
    for (int n = 0; n < MAX_READS && PQconsumeInput(session->pg); n++)
        (void)PQisBusy(session->pg);
}

pqp_status pqp__session_read_unsolicited(struct session *session,
                                         pqp_error *err)
{
    const pqp_error *said = &session->tx_error;
    if (pqp__input_read(session) == 0)
        return PQP_OK;
    if (said->status == PQP_LOST)
        *err = *said;
    else if (PQstatus(session->pg) != CONNECTION_OK)
        (void)pqp__fail_lost(err, session->config, session->pg);
    else
        (void)pqp__fail(err, PQP_LOST,
                        "the server sent an answer that belongs to no "
                        "statement; this one was not sent");
    err->flags |= PQP_ERR_DISCARD;
    pqp__session_shut(session);
    return PQP_LOST;
}
