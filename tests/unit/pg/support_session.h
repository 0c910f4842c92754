/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One session on a scripted server, for tests of its provider functions. */
#ifndef SUPPORT_SESSION_H
#define SUPPORT_SESSION_H

#include "pg/config/config.h"
#include "pg/session/session.h"
#include "support.h"
#include "support_mock.h"

extern struct mock *mock;
extern struct config *config;
extern struct session *session;
extern int notices; /* number of NOTICE events since begin() */

int64_t in_ms(int ms);

/* Connects a session; then the server plays `script`. */
void begin(const char *script, pqp_reset how);

/* The same on a server that reports at once that it is a primary and accepts
 * writes, with these target_session_attrs, or NULL. */
void begin_on_primary(const char *wanted, const char *script);

/* The teardown of each test. */
int tear_down(void **state);

/* Call the provider functions. */
int check(int ms);
int check_at_once(void);
int reset(void);

/* Ends the script's 'p', and waits until there is input. */
void let_server_go_on(void);

/* Runs a statement through libpq; the mock answers by its script. */
void borrower_runs(const char *sql);

#endif
