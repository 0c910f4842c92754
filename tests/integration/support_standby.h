/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A standby of the server; tests that need one are skipped where none can be
 * made.
 */
#ifndef SUPPORT_STANDBY_H
#define SUPPORT_STANDBY_H

/* Starts a new standby, or ends the test as skipped.  Returns the connection
 * string of the test with its port and `setting`. */
const char *standby_start(const char *setting);
/* The standby is a primary from here on. */
void standby_promote(void);
/* A cmocka teardown. */
int standby_ends(void **state);

#endif
