/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the bank share.  bank.c makes the transfers and the
 * faults happen, book.c counts, server.c knows the server, audit.c checks.
 */
#ifndef BANK_H
#define BANK_H

#include <pqpool/pqpool.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TELLERS = 64,
    CONNECTIONS = 8,
    ACCOUNTS = 1000,
    OPENING_BALANCE = 1000,
    DEADLINE_MS = 20000 /* of every acquire; the server may be away so long */
};

/* The transfer's id says which teller made it and how many it made before. */
enum { TRANSFER_ID_SIZE = 37 };
#define TRANSFER_ID "%08x-0000-4000-8000-%012x"

enum outcome { COMMITTED, FAILED, IN_DOUBT, OUTCOMES };

struct transfer {
    unsigned teller, number;
    int src, dst, amount;
    enum outcome outcome; /* as the application was told */
    int found;            /* by the audit, in the ledger */
};

/* ---- book.c: what the application saw; any thread ---- */

enum fault { NO_FAULT, BACKENDS_TERMINATED, SERVER_RESTARTED, FAULTS };

enum { LONGEST_WAIT_MS = 2 * DEADLINE_MS, ERROR_KINDS = 16 };

struct error_kind {
    pqp_status status;
    char sqlstate[6];
    int64_t count;
};

struct book {
    pthread_mutex_t lock;
    int64_t transfers[OUTCOMES];
    int64_t retries;
    enum fault fault; /* the last one */
    int64_t committed_before;
    int64_t last_commit_ms;         /* of now_ms() */
    int64_t longest_gap_ms[FAULTS]; /* between two commits, after each fault */
    int64_t waits, waited_ms[LONGEST_WAIT_MS + 1]; /* acquires, by their ms */
    struct error_kind errors[ERROR_KINDS];
    int peak_in_pool, peak_on_server;
    int terminated; /* backends */
};

int64_t now_ms(void);
void book_open(struct book *book);
/* A transfer is over: err says how, and counts only if status is not OK. */
void book_transfer(struct book *book, enum outcome outcome, int attempts,
                   pqp_status status, const pqp_error *err);
void book_wait(struct book *book, int64_t waited_ms);
/* A fault begins, or is over. */
void book_fault(struct book *book, enum fault fault);
/* How many transfers were committed since the last call of book_fault. */
int64_t book_committed_since(struct book *book);
void book_print_progress(struct book *book, int64_t elapsed_ms, int waiting);
/* Once all tellers have gone. */
void book_close(struct book *book);
void book_print(const struct book *book, int may_restart);

/* ---- server.c: the demo's own schema, its backends, its server ---- */

struct server {
    const char *dsn;
    const char *control; /* a program that restarts the server, or NULL */
    pid_t restarting;    /* that program while it runs, else 0 */
    char name[32];       /* of the schema, and the tellers' application_name */
    int created;
    pqp_pool *office; /* one connection, apart from the tellers' */
};

/* Creates the schema with its accounts.  dsn and control are borrowed; control
 * may be NULL.  Whatever it returns, server_close ends it. */
pqp_status server_open(struct server *server, const char *dsn,
                       const char *control, pqp_error *err);
/* Drops the schema. */
pqp_status server_close(struct server *server, pqp_error *err);
/* Opens a pool that works in the schema; options->conninfo is ignored. */
pqp_status server_pool(const struct server *server, const char *application,
                       pqp_options options, pqp_pool **pool, pqp_error *err);
/* How many backends the tellers have on the server; 0 if it does not say. */
int server_count_backends(struct server *server);
/* Terminates half of them and says how many. */
pqp_status server_terminate_backends(struct server *server, int *count,
                                     pqp_error *err);
/* 0, or an errno. */
int server_begin_restart(struct server *server);
/* 1 it is done, 0 not yet (never if `wait` is not 0), -1 it has failed. */
int server_restarted(struct server *server, int wait);

/* ---- audit.c ---- */

struct teller {
    struct bank *bank;
    pthread_t thread;
    unsigned number, seed;
    struct transfer *transfers; /* all it ever made */
    size_t count, capacity;
};

/* Compares what the tellers were told with the ledger, and the ledger with the
 * balances.  Prints what it finds and, in *wrong, counts what is wrong. */
pqp_status audit(pqp_pool *pool, struct teller tellers[TELLERS], int *wrong,
                 pqp_error *err);

#endif
