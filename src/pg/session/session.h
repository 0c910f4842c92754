/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A PostgreSQL session: the resource of the core's pool.  Its owner is the
 * owner of its item: the borrower, or the worker that creates, checks or
 * destroys it. Only the owner touches it, so that it needs no lock.
 */
#ifndef PG_SESSION_SESSION_H
#define PG_SESSION_SESSION_H

#include "pg/config/config.h"
#include "pg/config/settings.h"

/* It is also the object of libpq's event procedure and notice receiver.  It
 * lives as long as the PGconn.  A PGresult may live longer and keeps a pointer
 * to the session, but never follows it. */
struct session {
    PGconn *pg;            /* NULL after the borrower called PQfinish() on it */
    struct config *config; /* NULL after a detach */
    uint64_t item_number;  /* of the core; 0 until its first event */
    const pqp_conn *lease; /* the handle of the use that is under way */

    /* As the connection was made; set by create. */
    int pid;                   /* PQbackendPID() */
    int encoding;              /* PQclientEncoding() */
    int was_read_only;         /* default_transaction_read_only was on */
    enum role wanted_role;     /* of the server */
    unsigned mark_index;       /* of the server's address in address_marks */
    int64_t connect_began;     /* a time of rpool_now() */
    PQnoticeReceiver receiver; /* libpq's own, for a detach */
    PQnoticeProcessor processor;

    /* Why the session cannot be leased again. */
    int broken;           /* unfit at once: reset answers DISCARD */
    int server_ended;     /* broken by a message that the server ends it */
    int close_on_release; /* usable until then: reset answers DISCARD */
    int recycle_due;      /* its server failed over: the end of the use recycles
                             the pool */

    /* The answers that a reset or a ping still waits for. */
    int pending_syncs;     /* the number of answers */
    int pinging;           /* the answer is that of a ping */
    int64_t ping_deadline; /* a time of rpool_now() */

    /* The borrower's statements. */
    atomic_int touched; /* the borrower ran one, or has the PGconn */
    int in_statement;   /* pqp__statement() runs, and keeps its own error */
    int statement_sent; /* the server may have received the last one */
    int commit_sent;    /* since pqp_begin() */
    pqp_error tx_error; /* the first error of the open transaction; of value
                           only while the transaction is failed or lost */
};

/* Functions of the core's provider: ctx is a struct config, the resource a
 * struct session.  check.h and reset.h have the others. */
int pqp__session_create(void *ctx, int64_t deadline, int stop_fd,
                        void **resource, rpool_failure *why);
void pqp__session_destroy(void *ctx, void *resource);
int pqp__session_fd(void *ctx, void *resource);

/* Takes the session out of the pool.  Returns its PGconn, whose PQfinish()
 * frees the session; NULL if the borrower has called that already. */
PGconn *pqp__session_detach(struct session *session);

#endif
