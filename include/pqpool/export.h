/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Attributes of the public declarations. */
#ifndef PQPOOL_EXPORT_H
#define PQPOOL_EXPORT_H

/* The shared library exports the function. */
#define PQP_EXPORT __attribute__((visibility("default")))

/* The compiler warns if a caller drops the result of the call: the caller
 * would lose a resource, or go on as if the call had succeeded. */
#define PQP_NODISCARD __attribute__((warn_unused_result))

/* Drops the result of a PQP_NODISCARD call on purpose, in C and in C++.  A cast
 * to void is not enough for gcc, which warns about it too.
 *
 *     PQP_IGNORE(pqp_pool_wait(pool, 2000, &err));
 */
#define PQP_IGNORE(call) ((void)!(call))

#endif
