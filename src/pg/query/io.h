/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Reading the reply to one statement, with a deadline. */
#ifndef PG_QUERY_IO_H
#define PG_QUERY_IO_H

#include <pqpool/pqpool.h>
#include <stdint.h>

/* One statement under way. */
struct reply {
    PGconn *pg;
    int64_t deadline;
    int64_t end;     /* CLOCK_NEVER until the deadline was found to be past */
    int wants_rows;  /* the caller takes the result */
    int is_one;      /* the protocol answers it with one result */
    PGresult *kept;  /* the last result, but rather the first error */
    size_t dropped;  /* bytes of the errors that came after that one */
    const char *why; /* of LOST, where libpq does not know it */
};

/* Sends what is left to send, and reads all results.  Returns OK, or TIMEOUT,
 * LOST or UNSUPPORTED if the answer is not complete. */
pqp_status pqp__reply_read(struct reply *x);

/* Whether the result is an error, or not one that ends a statement. */
int pqp__is_error(const PGresult *res);

#endif
