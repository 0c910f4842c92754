/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server's superuser, for tests that change server settings, and a guest
 * role whose rights a test may change without an effect on other tests.
 */
#ifndef SUPPORT_ADMIN_H
#define SUPPORT_ADMIN_H

#define GUEST "pqpool_guest"

/* Runs sql as the superuser, or fails the test.  Returns the first value of the
 * result, valid until the next call.  Only for the test's main thread. */
const char *admin(const char *sql);

/* Create and drop the role GUEST, which may only log in.  A setup and a
 * teardown. */
int guest_comes(void **state);
int guest_goes(void **state);
/* Returns the server's connection string for the role GUEST. */
const char *guest_dsn(void);

#endif
