/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The figures of the bank.  Every teller reports to one book, under its lock.
 * At some thousand transfers a second no teller waits long for that lock.
 */
#include "bank.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void book_open(struct book *book)
{
    memset(book, 0, sizeof *book);
    pthread_mutex_init(&book->lock, NULL);
    book->last_commit_ms = now_ms();
}

static void count_gap_locked(struct book *book)
{
    int64_t now = now_ms();
    int64_t *longest = &book->longest_gap_ms[book->fault];

    if (now - book->last_commit_ms > *longest)
        *longest = now - book->last_commit_ms;
    book->last_commit_ms = now;
}

static void count_error_locked(struct book *book, pqp_status status,
                               const char *sqlstate)
{
    struct error_kind *kind = book->errors;
    struct error_kind *last = &book->errors[ERROR_KINDS - 1];

    while (kind < last && kind->count > 0 &&
           (kind->status != status || strcmp(kind->sqlstate, sqlstate) != 0))
        kind++;
    kind->status = status;
    snprintf(kind->sqlstate, sizeof kind->sqlstate, "%s", sqlstate);
    kind->count++;
}

void book_transfer(struct book *book, enum outcome outcome, int attempts,
                   pqp_status status, const pqp_error *err)
{
    pthread_mutex_lock(&book->lock);
    book->transfers[outcome]++;
    if (attempts > 1)
        book->retries += attempts - 1;
    if (outcome == COMMITTED)
        count_gap_locked(book);
    else
        count_error_locked(book, status, err->sqlstate);
    pthread_mutex_unlock(&book->lock);
}

void book_wait(struct book *book, int64_t waited_ms)
{
    if (waited_ms > LONGEST_WAIT_MS)
        waited_ms = LONGEST_WAIT_MS;
    pthread_mutex_lock(&book->lock);
    book->waits++;
    book->waited_ms[waited_ms]++;
    pthread_mutex_unlock(&book->lock);
}

void book_fault(struct book *book, enum fault fault)
{
    pthread_mutex_lock(&book->lock);
    book->fault = fault;
    book->committed_before = book->transfers[COMMITTED];
    pthread_mutex_unlock(&book->lock);
}

int64_t book_committed_since(struct book *book)
{
    pthread_mutex_lock(&book->lock);
    int64_t since = book->transfers[COMMITTED] - book->committed_before;
    pthread_mutex_unlock(&book->lock);
    return since;
}

/* Returns the shortest wait that `percent` of the acquires did not exceed. */
static int wait_percentile(const struct book *book, int percent)
{
    int64_t below = book->waits * percent / 100;
    int ms = 0;

    for (int64_t seen = book->waited_ms[0];
         seen < below && ms < LONGEST_WAIT_MS; seen += book->waited_ms[ms])
        ms++;
    return ms;
}

void book_print_progress(struct book *book, int64_t elapsed_ms, int waiting)
{
    pthread_mutex_lock(&book->lock);
    int64_t committed = book->transfers[COMMITTED];
    int64_t retries = book->retries;
    int p50 = wait_percentile(book, 50);
    int p99 = wait_percentile(book, 99);
    pthread_mutex_unlock(&book->lock);

    printf("%3" PRId64 " s: %7" PRId64 " transfers, %6" PRId64
           " retries, %2d waiting, acquire p50 %d ms, p99 %d ms\n",
           elapsed_ms / 1000, committed, retries, waiting, p50, p99);
}

void book_close(struct book *book)
{
    count_gap_locked(book); /* the last gap, which no commit ended */
    pthread_mutex_destroy(&book->lock);
}

static void print_errors(const struct book *book)
{
    const char *label = "errors seen";

    for (const struct error_kind *kind = book->errors;
         kind < &book->errors[ERROR_KINDS] && kind->count > 0; kind++) {
        printf("%-17s %" PRId64 " %s %s\n", label, kind->count,
               pqp_status_name(kind->status), kind->sqlstate);
        label = "";
    }
    if (*label)
        printf("%-17s none\n", label);
}

void book_print(const struct book *book, int may_restart)
{
    static const char *const when[FAULTS] = {"before any fault",
                                             "after backends were terminated",
                                             "after the server was restarted"};

    printf("\n%-17s %" PRId64 " committed, %" PRId64 " failed, %" PRId64
           " in doubt\n",
           "transfers", book->transfers[COMMITTED], book->transfers[FAILED],
           book->transfers[IN_DOUBT]);
    printf("%-17s %" PRId64 "\n", "retries", book->retries);
    print_errors(book);
    for (int i = 0; i < FAULTS && i <= (int)book->fault; i++)
        printf("%-17s %" PRId64 " ms %s\n", i ? "" : "without service",
               book->longest_gap_ms[i], when[i]);
    printf("%-17s p50 %d ms, p90 %d ms, p99 %d ms, max %d ms\n", "acquire",
           wait_percentile(book, 50), wait_percentile(book, 90),
           wait_percentile(book, 99), wait_percentile(book, 100));
    printf("%-17s %d in the pool, %d on the server\n", "peak connections",
           book->peak_in_pool, book->peak_on_server);
    printf("%-17s %d backends terminated, server %s\n\n", "faults",
           book->terminated,
           book->fault == SERVER_RESTARTED ? "restarted"
           : may_restart                   ? "not restarted"
                                           : "not restarted: not ours");
}
