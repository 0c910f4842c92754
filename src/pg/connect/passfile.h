/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The password file. */
#ifndef PG_CONNECT_PASSFILE_H
#define PG_CONNECT_PASSFILE_H

#include <pqpool/pqpool.h>

/* Returns the reason for which libpq would ignore the password file with a
 * warning on stderr, in static storage; NULL if libpq reads the file, or if
 * there is none. */
const char *pqp__passfile_fault(const PQconninfoOption *settings);

#endif
