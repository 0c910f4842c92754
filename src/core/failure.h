/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
#ifndef CORE_FAILURE_H
#define CORE_FAILURE_H

#include <pqpool/rpool.h>

/* Writes the message into *why, which may be NULL, and returns the status.  The
 * mutex may be held: only the caller's memory is written. */
rpool_status rpool__fail(rpool_failure *why, rpool_status status,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
