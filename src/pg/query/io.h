/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reading the server's reply to one statement, with a deadline. */
#ifndef PG_QUERY_IO_H
#define PG_QUERY_IO_H

#include <pqpool/pqpool.h>
#include <stdint.h>

/* The reply to the statement that is under way. */
struct reply {
    PGconn *pg;
    int64_t deadline;     /* a time of rpool_now() */
    int64_t grace_end;    /* CLOCK_NEVER until a look at the clock finds the
                             deadline past */
    int wants_rows;       /* the caller takes the result */
    int is_single;        /* the protocol allows one result only */
    PGresult *kept;       /* the first error, or else the last result */
    size_t dropped_bytes; /* of errors after the first one */
    const char *lost_why; /* the cause of LOST, if libpq does not know it */
};

/* Sends the unsent part of the statement and reads all of its results.  Returns
 * OK if the reply is complete, else TIMEOUT, LOST or UNSUPPORTED (COPY). */
pqp_status pqp__reply_read(struct reply *reply);

/* Returns whether the result is an error, or of a kind that no statement of
 * ours may have. */
int pqp__is_error(const PGresult *res);

#endif
