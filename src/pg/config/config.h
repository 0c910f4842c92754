/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The config of a pool: effective options, parameters for libpq, and secrets.
 * It is written before rpool_open() and freed by provider.done.  In between it
 * is read-only, except for the atomic fields.
 */
#ifndef PG_CONFIG_CONFIG_H
#define PG_CONFIG_CONFIG_H

#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>
#include <stdatomic.h>

struct parameter { /* one keyword for PQconnectStartParams() */
    char *keyword, *value;
};

struct runtime_text { /* a text that was found by connecting; never changes */
    struct runtime_text *next;
    char text[];
};

enum { PQP__ADDRESSES = 64 }; /* that failover.c tells apart */

struct config {
    pqp_options options; /* effective numbers; conninfo NULL, name ours */
    char *name;
    struct parameter *parameters; /* the user's, complete; secrets among them */
    int parameter_count;

    char **secrets; /* values never to be shown: borrowed from parameters */
    int secret_count;
    /* Passwords that are not the string's, and settings that hold a password
     * and are none, as the name of a role; only added to, by whoever connects
     */
    _Atomic(struct runtime_text *) runtime_secrets, shown_values;

    int timeout_is_open;   /* neither field nor string set connect_timeout */
    _Atomic(rpool *) core; /* set right after rpool_open(); NULL before */

    /* The state of failover.c, which lives as long as the pool. */
    _Atomic int64_t
        address_marks[PQP__ADDRESSES]; /* times of rpool_now(); 0: none */
    atomic_int read_only_pid; /* pid of the session that was refused a write and
                           says that its default turned read-only; 0: none */
};

/* Validates and merges options and connection string into a new config. */
pqp_status pqp__config_make(struct config **config, const pqp_options *options,
                            pqp_error *err);

/* Wipes the secrets and frees the config.  NULL is a no-op. */
void pqp__config_free(struct config *config);

#endif
