/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Unsolicited input: messages that came although no statement of ours is under
 * way.  The session's owner calls; there is no lock, and no call here waits.
 */
#include "pg/session/input.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "pg/base/error.h"
#include "pg/session/failure.h"

enum { MAX_READS = 1024 }; /* of at least 8 kB each */

/* Returns 1 also if the peer has closed the connection. */
static int socket_has_input(const PGconn *pg)
{
    char byte;
    return recv(PQsocket(pg), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Reads once and lets libpq parse its input, also if the socket had none.
 * Returns 0, or -1 if the session is over. */
static int read_once(struct session *session)
{
    assert(session->pg);

    int is_alive = PQconsumeInput(session->pg);
    (void)PQisBusy(session->pg); /* parses */
    return is_alive && !session->broken ? 0 : -1;
}

/* The session also fails if the peer sends faster than we read, for MAX_READS
 * reads.  With TLS, libpq may have read one part of a record, and the other
 * part raises no event on the socket: one more read fetches it. */
int pqp__input_read(struct session *session)
{
    assert(session->pg);

    int reads = 0;
    for (; socket_has_input(session->pg); reads++)
        if (reads == MAX_READS || read_once(session))
            return -1;
    return reads > 0 && PQsslInUse(session->pg) ? read_once(session) : 0;
}

/* The rest of the input is read and discarded.  libpq goes on reading after a
 * failed send, and would take that rest for the answer to a later statement. */
void pqp__session_shut(struct session *session)
{
    assert(session->pg);

    session->broken = 1;
    (void)shutdown(PQsocket(session->pg), SHUT_RDWR);
    for (int n = 0; n < MAX_READS && PQconsumeInput(session->pg); n++)
        (void)PQisBusy(session->pg);
}

pqp_status pqp__session_read_unsolicited(struct session *session,
                                         pqp_error *err)
{
    assert(err);

    if (pqp__input_read(session) == 0)
        return PQP_OK;

    const pqp_error *cause = &session->tx_error;
    if (cause->status == PQP_LOST)
        *err = *cause;
    else if (PQstatus(session->pg) != CONNECTION_OK)
        (void)pqp__fail_lost(err, session->config, session->pg);
    else
        (void)pqp__fail(err, PQP_LOST,
                        "the statement was not sent: the server had sent an "
                        "answer that belongs to no statement");
    err->flags |= PQP_ERR_DISCARD;
    pqp__session_shut(session);
    return PQP_LOST;
}
