/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The declarations that the files of the bank share.  bank.c makes the
 * transfers and the faults, book.c counts, server.c knows the server, audit.c
 * checks.
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
    DEADLINE_MS =
        20000 /* of every acquire: the server may be away for so long */
};

/* The id of a transfer holds the teller's number, and how many transfers that
 * teller made before. */
enum { TRANSFER_ID_SIZE = 37 };
#define TRANSFER_ID "%08x-0000-4000-8000-%012x"

enum outcome { COMMITTED, FAILED, IN_DOUBT, OUTCOMES };

struct transfer {
    unsigned teller, number;
    int src, dst, amount;
    enum outcome outcome; /* as pqp_transact() reported it */
    int found;            /* how often the audit found it in the ledger */
};

/* ---- book.c: the figures of the application; any thread ---- */

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
    int64_t waits, waited_ms[LONGEST_WAIT_MS + 1]; /* acquires by their wait */
    struct error_kind errors[ERROR_KINDS];
    int peak_in_pool, peak_on_server;
    int terminated; /* backends */
};

int64_t now_ms(void);
void book_open(struct book *book);
/* Counts a transfer that has ended.  err is read only if status is not OK. */
void book_transfer(struct book *book, enum outcome outcome, int attempts,
                   pqp_status status, const pqp_error *err);
void book_wait(struct book *book, int64_t waited_ms);
/* Notes that a fault begins, or is over. */
void book_fault(struct book *book, enum fault fault);
/* Returns the number of commits since the last call of book_fault(). */
int64_t book_committed_since(struct book *book);
void book_print_progress(struct book *book, int64_t elapsed_ms, int waiting);
/* The caller has joined all tellers. */
void book_close(struct book *book);
void book_print(const struct book *book, int may_restart);

/* ---- server.c: the schema of the demo, its backends, its server ---- */

struct server {
    const char *dsn;
    const char *control; /* a program that restarts the server, or NULL */
    pid_t restarting;    /* that program while it runs, else 0 */
    char name[32];       /* of the schema, and the tellers' application_name */
    int created;
    pqp_pool *office; /* one connection, apart from the tellers' */
};

/* Creates the schema with its accounts.  dsn and control are borrowed; control
 * may be NULL.  The caller calls server_close(), also after a failure. */
pqp_status server_open(struct server *server, const char *dsn,
                       const char *control, pqp_error *err);
/* Drops the schema. */
pqp_status server_close(struct server *server, pqp_error *err);
/* Opens a pool that works in the schema.  options.conninfo is ignored. */
pqp_status server_pool(const struct server *server, const char *application,
                       pqp_options options, pqp_pool **pool, pqp_error *err);
/* Returns the number of the tellers' backends, or 0 if the server is away. */
int server_count_backends(struct server *server);
/* Terminates half of those backends, and sets *count to their number. */
pqp_status server_terminate_backends(struct server *server, int *count,
                                     pqp_error *err);
/* Returns 0 or an errno. */
int server_begin_restart(struct server *server);
/* Returns 1 if the restart is done, 0 if it still runs (never if `wait` is not
 * 0), -1 if it failed. */
int server_restarted(struct server *server, int wait);

/* ---- audit.c ---- */

struct teller {
    struct bank *bank;
    pthread_t thread;
    unsigned number, seed;
    struct transfer *transfers; /* all that the teller made */
    size_t count, capacity;
};

/* Compares the reported outcomes with the ledger, and the ledger with the
 * balances.  Prints the figures, and counts the faults in *wrong. */
pqp_status audit(pqp_pool *pool, struct teller tellers[TELLERS], int *wrong,
                 pqp_error *err);

#endif
