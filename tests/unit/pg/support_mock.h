/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A server that plays a script: just enough of the protocol to show libpq
 * what no real server does on request.  It listens on a loopback port of its
 * own and serves one connection after the other from one thread.
 *
 * A script is one letter a step; at its end the connection is closed.
 *   s  read the start-up packet           o  let the client in, ready
 *   q  read up to a Query or a Sync       z  ready, idle
 *   e  the answer to an empty query       t  ready, in a transaction
 *   c  CommandComplete                    x  begin of an extended answer
 *   r  an ERROR, 42601                    n  a NOTICE with a line end
 *   P  FATAL 28P01   D  FATAL 3D000       a  a NOTIFY
 *   U  FATAL 57P03   T  FATAL 57P01       h  CopyOutResponse
 *   X  FATAL without SQLSTATE             i  CopyInResponse
 *   g  garbage                            d  one byte every few ms, for ever
 *   w  silence until the client leaves    p  silence until mock_go_on()
 *   k  as o, but not yet ready            f  ready, in a failed transaction
 *   b  an ERROR as a pooler sends it: 08P01, without the field V
 *   y  reports in_hot_standby on          v  default_transaction_read_only on
 *   Y  reports it off                     V  off
 *   R  an ERROR, 25006                    m  a NOTICE without SQLSTATE
 *   u  a row and its CommandComplete      M  the same with 100 kB
 *   H  as k, from a server that says that it is no standby
 *   J  two whole answers in one piece, SELECT 0 and SELECT 9
 *   l  a quarter of a second, for lateness
 *   S  "S", yes to TLS                    N  "N", no to TLS or GSSAPI
 *   j  read one message, a password
 *   A3 asks for a password, A5 for an MD5, A7 for GSSAPI; other numbers go on
 *      in ASCII, as A: for 10, which is SASL, by SCRAM-SHA-256
 *   !28  read the client's first record of TLS, answer with this fatal alert
 *   (28000:no_entry)  FATAL with this SQLSTATE and text, _ for a space
 */
#ifndef TESTS_SUPPORT_MOCK_H
#define TESTS_SUPPORT_MOCK_H

#include <stddef.h>
#include <stdint.h>

struct mock;

/* There is one script for each connection, separated by a space; the last one
 * serves all later ones.  Returns NULL if it cannot be started. */
struct mock *mock_start(const char *scripts);
void mock_stop(struct mock *mock);
int mock_port(const struct mock *mock);

/* Ends the current or the next 'p'.  Thread: any. */
void mock_go_on(struct mock *mock);

/* Returns how many connections were accepted so far. */
int mock_accepted(struct mock *mock);
/* Returns whether this text, with its NUL, was read from a client. */
int mock_heard(struct mock *mock, const char *text);

/* Returns a port on which no socket listens. */
int mock_closed_port(void);

/* Makes a config for hosts and ports in libpq's syntax. */
struct config;
struct config *mock_config(const char *hosts, const char *ports);
void mock_config_set(struct config *config, const char *keyword,
                     const char *value);
void mock_config_free(struct config *config);

/* The second call returns how many bytes were written to stderr between the
 * two. */
void stderr_catch(void);
size_t stderr_caught(void);

#endif
