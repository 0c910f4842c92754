/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A standby of the test server.  Tests that need one are skipped where none can
 * be started.
 */
#ifndef SUPPORT_STANDBY_H
#define SUPPORT_STANDBY_H

/* Starts a new standby, or ends the test as skipped.  Returns the test's
 * connection string with the standby's port and `setting`. */
const char *standby_start(const char *setting);
/* Promotes the standby to a primary. */
void standby_promote(void);
/* Drops the standby.  A cmocka teardown. */
int standby_ends(void **state);

#endif
