/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * PROGRAM CASE SIZE THREADS MS: one measurement of one peer, in a process of
 * its own.  Prints lines of "figure value".
 *
 *   pair    acquire and release, nothing between: rate
 *   hold    each lease is held busy for 50 us: rate, p50 and p99 of the wait
 *   select  SELECT 1: rate, p50 and p99 of all three together
 *   lookup  a row by its key, prepared by hand: the same
 *   cold    until SIZE connections are ready: ms
 *   memory  resident with SIZE idle connections: kb
 *   idle    what the pool's own threads wake up in MS: switches
 *   count   1000 pairs of one thread between two getppid()s: locks, allocations
 *   signal  as hold, under count.so: signals for each wait
 */
#include "bench.h"

#include "histogram.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HOLD_NS = 50000, PAIRS = 64, COUNTED = 1000, ROWS = 1000000 };
enum phase { WARM_UP, MEASURE, DONE };

struct client {
    _Alignas(128) pthread_t thread;
    int index;
    uint32_t random;
    void (*step)(struct client *c);
    uint64_t done;
    struct histogram times;
};

static _Atomic enum phase phase;

_Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pause_ms(int64_t ms)
{
    (void)nanosleep(&(struct timespec){.tv_sec = (time_t)(ms / 1000),
                                       .tv_nsec = (long)(ms % 1000) * 1000000},
                    NULL);
}

/* ---- what one client does, again and again ---- */

static void step_pair(struct client *c)
{
    for (int i = 0; i < PAIRS; i++)
        peer_release(c->index, peer_acquire(c->index));
    c->done += PAIRS;
}

static void step_hold(struct client *c)
{
    int64_t began = now_ns();
    void *lease = peer_acquire(c->index);
    int64_t got = now_ns();
    while (now_ns() < got + HOLD_NS)
        ;
    peer_release(c->index, lease);
    histogram_add(&c->times, got - began);
    c->done++;
}

static void step_select(struct client *c)
{
    int64_t began = now_ns();
    void *lease = peer_acquire(c->index);
    peer_run(lease, "SELECT 1");
    peer_release(c->index, lease);
    histogram_add(&c->times, now_ns() - began);
    c->done++;
}

static void step_lookup(struct client *c)
{
    c->random = c->random * 1664525 + 1013904223;
    int key = 1 + (int)(c->random >> 8) % ROWS;
    int64_t began = now_ns();
    void *lease = peer_acquire(c->index);
    peer_lookup(lease, key);
    peer_release(c->index, lease);
    histogram_add(&c->times, now_ns() - began);
    c->done++;
}

/* ---- many clients ---- */

static void *client_run(void *arg)
{
    struct client *c = arg;
    while (atomic_load(&phase) == WARM_UP)
        c->step(c);
    c->done = 0;
    c->times = (struct histogram){0};
    while (atomic_load(&phase) == MEASURE)
        c->step(c);
    return NULL;
}

static void report(const struct client *clients, int threads, int64_t ns)
{
    static struct histogram all;
    uint64_t done = 0, least = UINT64_MAX;
    for (int i = 0; i < threads; i++) {
        histogram_merge(&all, &clients[i].times);
        done += clients[i].done;
        if (clients[i].done < least)
            least = clients[i].done;
    }
    printf("rate %.0f\n", (double)done * 1e9 / (double)ns);
    printf("fairness %.4f\n", (double)least * threads / (double)done);
    if (clients[0].step == step_pair)
        return;
    printf("p50 %.2f\n", histogram_quantile(&all, .50) / 1000);
    printf("p99 %.2f\n", histogram_quantile(&all, .99) / 1000);
}

static void run_clients(void (*step)(struct client *), int threads, int ms)
{
    struct client *clients = aligned_alloc(_Alignof(struct client),
                                           (size_t)threads * sizeof *clients);
    if (clients == NULL)
        die("out of memory");
    for (int i = 0; i < threads; i++) {
        clients[i] = (struct client){
            .index = i, .random = (uint32_t)i * 2654435761u, .step = step};
        if (pthread_create(&clients[i].thread, NULL, client_run, &clients[i]))
            die("cannot start a thread");
    }
    pause_ms(ms / 5);
    int64_t began = now_ns();
    atomic_store(&phase, MEASURE);
    pause_ms(ms);
    atomic_store(&phase, DONE);
    int64_t took = now_ns() - began;
    for (int i = 0; i < threads; i++)
        (void)pthread_join(clients[i].thread, NULL);
    report(clients, threads, took);
    free(clients);
}

/* On each connection, as a user who prepares by hand would. */
static void prepare_all(int resources)
{
    void **leases = calloc((size_t)resources, sizeof *leases);
    if (leases == NULL)
        die("out of memory");
    for (int i = 0; i < resources; i++) {
        leases[i] = peer_acquire(i);
        peer_run(leases[i], "PREPARE lookup(int) AS SELECT abalance"
                            " FROM pgbench_accounts WHERE aid = $1");
    }
    for (int i = 0; i < resources; i++)
        peer_release(i, leases[i]);
    free(leases);
}

/* ---- what is counted ---- */

/* The number behind a word at the start of a line of a file of /proc. */
static long proc_number(const char *path, const char *word)
{
    char line[256];
    long number = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, word, strlen(word)) == 0)
            number = strtol(line + strlen(word), NULL, 10);
    (void)fclose(file);
    return number;
}

/* Voluntary context switches of all threads but this one. */
static long other_switches(void)
{
    long sum = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        die("no /proc/self/task");
    for (struct dirent *d; (d = readdir(tasks)) != NULL;) {
        char path[64];
        if (d->d_name[0] == '.' || strtol(d->d_name, NULL, 10) == getpid())
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status",
                       d->d_name);
        sum += proc_number(path, "voluntary_ctxt_switches:");
    }
    (void)closedir(tasks);
    return sum;
}

static void run_idle(int ms)
{
    peer_release(0, peer_acquire(0));
    pause_ms(300);
    long before = other_switches();
    pause_ms(ms);
    printf("switches %ld\n", other_switches() - before);
}

/* count.so's, in its order. */
struct counts {
    uint64_t locks, allocations, signals, waits;
};

static struct counts counts_now(void)
{
    void *self = dlopen(NULL, RTLD_NOW);
    void *symbol = dlsym(self, "bench_counts");
    struct counts counts = {0};
    if (symbol == NULL)
        die("count.so is not preloaded");
    memcpy(&counts, symbol, sizeof counts);
    return counts;
}

/* The first pairs may arm the cleaner and start a worker: apart. */
static void run_count(void)
{
    for (int i = 0; i < COUNTED; i++)
        peer_release(0, peer_acquire(0));
    pause_ms(300);
    peer_release(0, peer_acquire(0));
    struct counts before = counts_now();
    (void)getppid();
    for (int i = 0; i < COUNTED; i++)
        peer_release(0, peer_acquire(0));
    (void)getppid();
    struct counts after = counts_now();
    printf("locks %.3f\n", (double)(after.locks - before.locks) / COUNTED);
    printf("allocations %.3f\n",
           (double)(after.allocations - before.allocations) / COUNTED);
}

static void run_signal(int threads, int ms)
{
    struct counts before = counts_now();
    run_clients(step_hold, threads, ms);
    struct counts after = counts_now();
    printf("signals %.3f\n", (double)(after.signals - before.signals) /
                                 (double)(after.waits - before.waits));
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("usage: PROGRAM CASE SIZE THREADS MS");
    const char *what = argv[1];
    int size = (int)strtol(argv[2], NULL, 10);
    int threads = (int)strtol(argv[3], NULL, 10);
    int ms = (int)strtol(argv[4], NULL, 10);
    int is_select = strcmp(what, "select") == 0;
    int is_lookup = strcmp(what, "lookup") == 0;
    int is_cold = strcmp(what, "cold") == 0;
    int is_memory = strcmp(what, "memory") == 0;
    int64_t began = now_ns();
    int resources = peer_open(size, threads,
                              is_select || is_lookup || is_cold || is_memory);
    if (is_cold)
        printf("ms %.2f\n", (double)(now_ns() - began) / 1e6);
    else if (is_memory)
        printf("kb %ld\n", proc_number("/proc/self/status", "VmRSS:"));
    else if (is_select)
        run_clients(step_select, threads, ms);
    else if (is_lookup)
        prepare_all(resources), run_clients(step_lookup, threads, ms);
    else if (strcmp(what, "pair") == 0)
        run_clients(step_pair, threads, ms);
    else if (strcmp(what, "hold") == 0)
        run_clients(step_hold, threads, ms);
    else if (strcmp(what, "idle") == 0)
        run_idle(ms);
    else if (strcmp(what, "count") == 0)
        run_count();
    else if (strcmp(what, "signal") == 0)
        run_signal(threads, ms);
    else
        die("no such case");
    (void)fflush(stdout);
    _exit(0);
}
