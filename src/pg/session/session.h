/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A PostgreSQL session: the resource of the core's pool.  It belongs to the
 * owner of its item: the borrower, or the worker that creates, checks or
 * destroys it.  It has no lock.
 */
#ifndef PG_SESSION_SESSION_H
#define PG_SESSION_SESSION_H

#include "pg/config/config.h"
#include "pg/config/settings.h"

/* The object of libpq's event procedure and notice receiver.  It lives as long
 * as the PGconn; the PGresults, which keep pointers to it, never look at it. */
struct session {
    PGconn *pg;                /* NULL once the borrower has PQfinish()ed it */
    struct config *config;     /* NULL once it was detached */
    uint64_t item_number;      /* of the item; 0 until the core gave one */
    int pid;                   /* PQbackendPID at connect */
    int encoding;              /* PQclientEncoding at connect */
    const pqp_conn *lease;     /* of the call of ours that is under way */
    PQnoticeReceiver receiver; /* libpq's own, which ours stands in for */
    PQnoticeProcessor processor;
    atomic_int touched;    /* the borrower ran something, or has the PGconn */
    int broken;            /* unfit for reuse: reset answers DISCARD */
    int server_ended;      /* broken by the server's last words */
    int close_on_release;  /* reset answers DISCARD; good until then */
    int pending_syncs;     /* Syncs sent by reset or ping, not yet answered */
    int pinging;           /* the outstanding answer is that of a ping */
    int64_t ping_deadline; /* of the outstanding answers, rpool_now() */
    int was_read_only;     /* as reported at connect */
    enum role wanted_role; /* of the server */
    unsigned mark_index; /* of the server's address in config->address_marks */
    int64_t connect_began; /* to connect, rpool_now() */
    int recycle_due;       /* its server failed over; done when the use ends */
    int statement_sent;    /* any of the last statement; 0: not any of it */
    int commit_sent;       /* pqp_commit sent COMMIT since pqp_begin */
    int in_statement;      /* a statement of ours is under way, which keeps its
                              own first error */
    pqp_error tx_error;    /* what the open transaction failed with; to be asked
                           while it is failed or lost only */
};

/* Functions of the core's provider: ctx is a struct config, the resource a
 * struct session.  check.h and reset.h have the others. */
int pqp__session_create(void *ctx, int64_t deadline, int stop_fd,
                        void **resource, rpool_failure *why);
void pqp__session_destroy(void *ctx, void *resource);
int pqp__session_fd(void *ctx, void *resource);

/* Ends the session but not its PGconn, which is returned.  PQfinish() of it
 * frees the rest. */
PGconn *pqp__session_detach(struct session *session);

#endif
