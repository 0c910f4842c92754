/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A bank, the program that `./dev demo` runs.  64 tellers (threads) share 8
 * connections and make serialisable transfers between accounts.  Half-way the
 * program terminates some of the backends, then restarts the server, and the
 * tellers carry on.  At the end an audit compares the reported outcome of each
 * transfer with the ledger on the server.
 *
 *   bank [SECONDS]
 *
 * PQPOOL_DSN is the connection string.  PQPOOL_SERVER_CTL, if it is set, is a
 * program that restarts the server when it is called with `restart`.
 */
#include "bank/bank.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_MS = 50, SECONDS = 8, PATIENCE_MS = 60000 };

struct bank {
    struct server server;
    struct book book;
    pqp_pool *pool; /* the tellers' */
    struct teller tellers[TELLERS];
    atomic_int closing;
    char trouble[512]; /* the first problem; "" if there is none */
};

static void complain(struct bank *bank, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(struct bank *bank, const char *format, ...)
{
    va_list arguments;

    if (bank->trouble[0])
        return;
    va_start(arguments, format);
    (void)vsnprintf(bank->trouble, sizeof bank->trouble, format, arguments);
    va_end(arguments);
}

/* ---- a transfer: any teller's thread ---- */

struct attempts {
    const struct transfer *transfer;
    int made;
};

static pqp_status run(pqp_conn *conn, const char *sql, int nparams,
                      const char *const *values, pqp_error *err)
{
    return pqp_exec_params(
        conn, PQP_QUERY(.sql = sql, .nparams = nparams, .values = values), NULL,
        err);
}

/* The transaction.  pqp_transact() may run it several times. */
static pqp_status attempt_transfer(void *arg, pqp_conn *conn, pqp_error *err)
{
    struct attempts *attempts = arg;
    const struct transfer *transfer = attempts->transfer;
    char id[TRANSFER_ID_SIZE], src[12], dst[12], amount[12];
    const char *const entry[] = {id, src, dst, amount};

    attempts->made++;
    snprintf(id, sizeof id, TRANSFER_ID, transfer->teller, transfer->number);
    snprintf(src, sizeof src, "%d", transfer->src);
    snprintf(dst, sizeof dst, "%d", transfer->dst);
    snprintf(amount, sizeof amount, "%d", transfer->amount);

    pqp_status status = run(conn,
                            "INSERT INTO ledger (id, src, dst, amount)"
                            " VALUES ($1, $2, $3, $4)",
                            4, entry, err);
    if (status == PQP_OK)
        status = run(conn,
                     "UPDATE accounts SET balance = balance - $2 WHERE id = $1",
                     2, (const char *const[]){src, amount}, err);
    if (status == PQP_OK)
        status = run(conn,
                     "UPDATE accounts SET balance = balance + $2 WHERE id = $1",
                     2, (const char *const[]){dst, amount}, err);
    return status;
}

static void make_transfer(struct teller *teller, struct transfer *transfer)
{
    struct bank *bank = teller->bank;
    struct attempts attempts = {.transfer = transfer};
    pqp_error err;

    pqp_status status = pqp_transact(
        bank->pool, DEADLINE_MS,
        PQP_TX(.isolation = PQP_ISO_SERIALIZABLE, .max_attempts = 10),
        attempt_transfer, &attempts, &err);
    transfer->outcome = status == PQP_OK               ? COMMITTED
                        : err.flags & PQP_ERR_IN_DOUBT ? IN_DOUBT
                                                       : FAILED;
    book_transfer(&bank->book, transfer->outcome, attempts.made, status, &err);
}

/* Returns a number from 0 to below `limit`.  It need not be very random. */
static int draw(struct teller *teller, int limit)
{
    teller->seed = teller->seed * 1664525 + 1013904223;
    return (int)((teller->seed >> 8) % (unsigned)limit);
}

/* Returns the record of the next transfer, or NULL if there is no memory. */
static struct transfer *next_transfer(struct teller *teller)
{
    if (teller->count == teller->capacity) {
        size_t capacity = teller->capacity ? 2 * teller->capacity : 256;
        struct transfer *transfers =
            realloc(teller->transfers, capacity * sizeof *transfers);
        if (!transfers)
            return NULL;
        teller->transfers = transfers;
        teller->capacity = capacity;
    }
    int src = 1 + draw(teller, ACCOUNTS);
    int distance = 1 + draw(teller, ACCOUNTS - 1);
    struct transfer *transfer = &teller->transfers[teller->count];
    *transfer = (struct transfer){.teller = teller->number,
                                  .number = (unsigned)teller->count++,
                                  .src = src,
                                  .dst = 1 + (src - 1 + distance) % ACCOUNTS,
                                  .amount = 1 + draw(teller, 10)};
    return transfer;
}

static void *work(void *arg)
{
    struct teller *teller = arg;
    struct transfer *transfer;

    while (!atomic_load(&teller->bank->closing) &&
           (transfer = next_transfer(teller)) != NULL)
        make_transfer(teller, transfer);
    return NULL;
}

/* ---- the bank's day: the main thread ---- */

static void on_event(void *arg, const pqp_event *event)
{
    struct bank *bank = arg;

    if (event->type == PQP_EVENT_ACQUIRED)
        book_wait(&bank->book, event->ms);
}

/* All threads block these signals, and the main thread takes them in tick().
 * SIGPIPE is blocked so that a closed pipe does not end the process. */
static void block_signals(sigset_t *stop)
{
    sigset_t blocked;

    sigemptyset(stop);
    sigaddset(stop, SIGHUP);
    sigaddset(stop, SIGINT);
    sigaddset(stop, SIGTERM);
    blocked = *stop;
    sigaddset(&blocked, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

/* Waits for one tick.  Returns not 0 if a signal of `stop` arrived. */
static int tick(const sigset_t *stop)
{
    return sigtimedwait(stop, NULL,
                        &(struct timespec){.tv_nsec = TICK_MS * 1000000L}) > 0;
}

/* Prints the progress once a second, and keeps the peaks. */
static void watch(struct bank *bank, int64_t elapsed_ms, int64_t *line_ms)
{
    struct book *book = &bank->book;
    pqp_stats stats = {.size = sizeof stats};
    int on_server =
        bank->server.restarting ? 0 : server_count_backends(&bank->server);

    (void)pqp_pool_stats(bank->pool, &stats);
    if (stats.total > book->peak_in_pool)
        book->peak_in_pool = stats.total;
    if (on_server > book->peak_on_server)
        book->peak_on_server = on_server;
    if (elapsed_ms >= *line_ms) {
        book_print_progress(book, elapsed_ms, stats.waiting);
        *line_ms = (elapsed_ms / 1000 + 1) * 1000;
    }
}

static void terminate_backends(struct bank *bank)
{
    int *count = &bank->book.terminated;
    pqp_error err;

    book_fault(&bank->book, BACKENDS_TERMINATED);
    if (server_terminate_backends(&bank->server, count, &err) != PQP_OK)
        complain(bank, "cannot terminate backends: %s", err.message);
    printf("       %d of %d backends terminated\n", *count, CONNECTIONS);
}

static void begin_restart(struct bank *bank)
{
    book_fault(&bank->book, SERVER_RESTARTED);
    int failed = server_begin_restart(&bank->server);
    if (failed)
        complain(bank, "cannot restart the server: %s", strerror(failed));
    puts("       server restarting");
}

/* Reports the end of a restart, if it has ended or after waiting for it. */
static void end_restart(struct bank *bank, int wait)
{
    int restarted = server_restarted(&bank->server, wait);

    if (restarted < 0)
        complain(bank, "the server did not restart");
    if (restarted > 0) {
        book_fault(&bank->book, SERVER_RESTARTED);
        puts("       server restarted");
    }
}

/* Terminates backends half-way, and restarts the server an eighth of the day
 * later.  Returns 1 when all faults are over and the tellers commit again. */
static int advance_faults(struct bank *bank, int64_t elapsed_ms, int64_t day_ms)
{
    enum fault fault = bank->book.fault;

    if (fault == NO_FAULT && elapsed_ms >= day_ms / 2)
        terminate_backends(bank);
    else if (fault == BACKENDS_TERMINATED && bank->server.control &&
             elapsed_ms >= day_ms * 5 / 8)
        begin_restart(bank);
    else if (bank->server.restarting)
        end_restart(bank, 0);
    else if (fault ==
             (bank->server.control ? SERVER_RESTARTED : BACKENDS_TERMINATED))
        return book_committed_since(&bank->book) >= TELLERS;
    return 0;
}

static void conduct(struct bank *bank, int64_t day_ms, const sigset_t *stop)
{
    int64_t start_ms = now_ms(), elapsed_ms = 0, line_ms = 1000;
    int at_work = 0;

    while (!bank->trouble[0] && (elapsed_ms < day_ms || !at_work)) {
        if (tick(stop))
            complain(bank, "interrupted");
        elapsed_ms = now_ms() - start_ms;
        watch(bank, elapsed_ms, &line_ms);
        at_work = advance_faults(bank, elapsed_ms, day_ms);
        if (elapsed_ms > day_ms + PATIENCE_MS)
            complain(bank, "no service after the last fault");
    }
    if (bank->server.restarting)
        end_restart(bank, 1);
}

static int start_tellers(struct bank *bank)
{
    for (int i = 0; i < TELLERS; i++) {
        struct teller *teller = &bank->tellers[i];
        *teller = (struct teller){
            .bank = bank, .number = (unsigned)i, .seed = (unsigned)i};
        int failed = pthread_create(&teller->thread, NULL, work, teller);
        if (failed) {
            complain(bank, "cannot start a thread: %s", strerror(failed));
            return i;
        }
    }
    return TELLERS;
}

/* Runs the tellers, from the first transfer to the last. */
static void work_all_day(struct bank *bank, int64_t day_ms,
                         const sigset_t *stop)
{
    int started = start_tellers(bank);

    conduct(bank, day_ms, stop);
    atomic_store(&bank->closing, 1);
    /* The tellers keep the handle: after the close the pool refuses it.  After
     * a problem the pool is closed first, so that no teller goes on waiting for
     * a server that may be away. */
    pqp_pool *pool = bank->pool;
    if (bank->trouble[0])
        pqp_pool_close(&pool, 5000);
    for (int i = 0; i < started; i++)
        pthread_join(bank->tellers[i].thread, NULL);
    if (pqp_pool_close(&pool, 5000) != PQP_OK)
        complain(bank, "the pool did not close");
    if (bank->book.peak_in_pool > CONNECTIONS)
        complain(bank, "the pool had more connections than it may");
}

static void run_bank(struct bank *bank, int64_t day_ms, const sigset_t *stop)
{
    int wrong = 0;
    pqp_options options;
    pqp_error err;

    pqp_options_init(&options);
    options.name = "bank";
    options.max_size = options.min_size = CONNECTIONS;
    options.on_event = on_event;
    options.arg = bank;
    book_open(&bank->book);
    if (server_pool(&bank->server, bank->server.name, options, &bank->pool,
                    &err) != PQP_OK) {
        complain(bank, "%s", err.message);
        return;
    }
    printf("%d tellers over %d connections\n", TELLERS, CONNECTIONS);
    work_all_day(bank, day_ms, stop);
    book_close(&bank->book);
    book_print(&bank->book, bank->server.control != NULL);
    if (!bank->trouble[0] &&
        audit(bank->server.office, bank->tellers, &wrong, &err) != PQP_OK)
        complain(bank, "cannot audit: %s", err.message);
    if (wrong)
        complain(bank, "the audit found %d faults", wrong);
    for (int i = 0; i < TELLERS; i++)
        free(bank->tellers[i].transfers);
}

int main(int argc, char **argv)
{
    static struct bank bank; /* too large for a stack */
    int64_t seconds = argc > 1 ? strtol(argv[1], NULL, 10) : SECONDS;
    sigset_t stop;
    pqp_error err;

    if (seconds < 1) {
        fprintf(stderr, "usage: bank [SECONDS]\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    block_signals(&stop);
    if (server_open(&bank.server, getenv("PQPOOL_DSN"),
                    getenv("PQPOOL_SERVER_CTL"), &err) == PQP_OK)
        run_bank(&bank, seconds * 1000, &stop);
    else
        complain(&bank, "%s", err.message);
    if (server_close(&bank.server, &err) != PQP_OK)
        complain(&bank, "cannot drop the schema: %s", err.message);
    printf("demo: %s\n", bank.trouble[0] ? bank.trouble : "OK");
    return bank.trouble[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}
