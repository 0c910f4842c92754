/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The config of a pool: the effective options, the parameters for libpq, and
 * the secrets.  pqp_pool_open() makes it, and provider.done of the core frees
 * it. In between it is read-only, except for the atomic fields, so that no lock
 * is needed.
 */
#ifndef PG_CONFIG_CONFIG_H
#define PG_CONFIG_CONFIG_H

#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>
#include <stdatomic.h>

struct parameter { /* one keyword for PQconnectStartParams() */
    char *keyword, *value;
};

/* A text that a connect added to one of the lists below; never changed. */
struct runtime_text {
    struct runtime_text *next;
    char text[];
};

/* The number of marks of addresses that failover.c has. */
enum { PQP__ADDRESSES = 64 };

struct config {
    pqp_options options; /* effective; conninfo is NULL, name is ours */
    char *name;
    int timeout_is_open;   /* the user set no connect timeout: the environment
                              and the service file may */
    _Atomic(rpool *) core; /* set right after rpool_open(); NULL before */

    /* The parameters of the connection string, complete, with the secrets. */
    struct parameter *parameters;
    int parameter_count;

    /* The secrets among the parameters; borrowed from them. */
    char **secrets;
    int secret_count;

    /* secrets.c adds to these lists while a worker connects. */
    _Atomic(struct runtime_text *) runtime_secrets; /* passwords that do not
                                                       come from the string */
    _Atomic(struct runtime_text *) shown_values;    /* settings that contain a
                                                       secret by chance, such as
                                                       the name of a role */

    /* failover.c owns these; they live here because they outlive a session. */
    _Atomic int64_t address_marks[PQP__ADDRESSES]; /* times of rpool_now(); 0
                                                      for no mark */
    atomic_int read_only_pid; /* of the session that was refused a write after
                                 its default turned read-only; 0 for none */
};

/* Validates and merges options and connection string into a new config. Returns
 * OK, or another status with *config NULL and *err (NULL allowed). */
pqp_status pqp__config_make(struct config **config, const pqp_options *options,
                            pqp_error *err);

/* Wipes the secrets and frees the config.  NULL is a no-op. */
void pqp__config_free(struct config *config);

#endif
