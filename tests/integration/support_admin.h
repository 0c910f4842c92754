/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server's superuser, for tests that change what the server allows, and a
 * role made for them, so that what they change is no other test's.
 */
#ifndef SUPPORT_ADMIN_H
#define SUPPORT_ADMIN_H

#define GUEST "pqpool_guest"

/* Runs sql as the superuser, or fails the test; the first value of its result,
 * valid until the next call.  Test thread only. */
const char *admin(const char *sql);

/* Make and drop GUEST, who may log in and nothing else: setup and teardown. */
int guest_comes(void **state);
int guest_goes(void **state);
/* The server's connection string as GUEST. */
const char *guest_dsn(void);

#endif
