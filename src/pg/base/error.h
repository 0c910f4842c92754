/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Filling in a pqp_error. */
#ifndef PG_BASE_ERROR_H
#define PG_BASE_ERROR_H

#include <pqpool/pqpool.h>
#include <stddef.h>

/* Fills *err (NULL allowed) with the status and the text, as one line.  Returns
 * the status. */
pqp_status pqp__fail(pqp_error *err, pqp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills *err (NULL allowed) with INVALID and `what`, followed by the first 63
 * bytes of `name` in quotes, which came from the caller.  Returns INVALID. */
pqp_status pqp__fail_named(pqp_error *err, const char *what, const char *name);

/* Sets *err (NULL allowed) to success. */
static inline void pqp__error_clear(pqp_error *err)
{
    if (err == NULL)
        return;
    err->status = PQP_OK;
    err->flags = 0;
    err->sqlstate[0] = '\0';
    err->message[0] = '\0';
}

#endif
