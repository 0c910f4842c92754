/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * rpool without a database: a pool of worker processes.  Each process is a
 * shell that reads a number and answers its square.  To start one is expensive,
 * to ask one is cheap.  The provider says how a process is started, checked,
 * cleaned after a lease and ended, and which socket shows that it died.
 */
#include <errno.h>
#include <poll.h>
#include <pqpool/rpool.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct worker {
    pid_t pid;
    int fd; /* the pool's end of its standard input and output */
};

/* ---- the provider ---- */

/* Starts the process with `theirs` as standard input and output. */
static int spawn_worker(pid_t *pid, int theirs)
{
    char name[] = "sh", option[] = "-c";
    char program[] = "while read -r n; do echo $((n * n)); done";
    char *const arguments[] = {name, option, program, NULL};
    posix_spawn_file_actions_t actions;

    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
    if (!failed)
        failed =
            posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
    if (!failed)
        failed =
            posix_spawn(pid, "/bin/sh", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int worker_create(void *ctx, int64_t deadline, int stop_fd,
                         void **resource, rpool_failure *why)
{
    int ends[2];
    struct worker *worker = malloc(sizeof *worker);

    (void)ctx, (void)deadline, (void)stop_fd; /* this never blocks */
    int failed = worker ? 0 : ENOMEM;

    if (!failed && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        failed = errno;
    if (!failed) {
        failed = spawn_worker(&worker->pid, ends[1]);
        close(ends[1]);
        if (failed)
            close(ends[0]);
    }

    if (failed) {
        free(worker);
        snprintf(why->message, sizeof why->message, "cannot start a worker: %s",
                 strerror(failed));
        why->permanent = failed == ENOENT;
        return -1;
    }

    worker->fd = ends[0];
    *resource = worker;
    return 0;
}

static void worker_destroy(void *ctx, void *resource)
{
    struct worker *worker = resource;

    (void)ctx;
    close(worker->fd);
    /* The process is not reaped yet, so no other process has its pid. */
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, NULL, 0);
    free(worker);
}

/* The pool calls this before it leases an item that was idle for
 * check_after_ms. */
static int worker_check(void *ctx, void *resource, int64_t idle_ms,
                        int64_t deadline)
{
    const struct worker *worker = resource;
    siginfo_t info = {0};

    (void)ctx, (void)idle_ms, (void)deadline;
    if (waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOHANG | WNOWAIT))
        return RPOOL_BAD;
    return info.si_pid ? RPOOL_BAD : RPOOL_GOOD;
}

/* If the borrower left an answer unread, the next borrower would read it. */
static int worker_reset(void *ctx, void *resource)
{
    const struct worker *worker = resource;
    char byte;
    ssize_t n = recv(worker->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    (void)ctx;
    return n < 0 && errno == EAGAIN ? RPOOL_REUSE : RPOOL_DISCARD;
}

static int worker_fd(void *ctx, void *resource)
{
    (void)ctx;
    return ((const struct worker *)resource)->fd;
}

static void workers_done(void *ctx)
{
    (void)ctx;
    puts("done: nothing of the pool runs any more");
}

static const rpool_provider worker_provider =
    RPOOL_PROVIDER_INIT(.create = worker_create, .destroy = worker_destroy,
                        .check = worker_check, .reset = worker_reset,
                        .fd = worker_fd, .done = workers_done,
                        .noun = "worker");

/* ---- the borrowers ---- */

/* Sends n and waits for the answer, without reading it. */
static int ask(const rpool_item *item, int n)
{
    const struct worker *worker = rpool_resource(item);
    char line[16];
    int length = snprintf(line, sizeof line, "%d\n", n);

    if (!worker || send(worker->fd, line, (size_t)length, MSG_NOSIGNAL) < 0)
        return -1;
    struct pollfd answer = {.fd = worker->fd, .events = POLLIN};
    return poll(&answer, 1, 1000) == 1 ? 0 : -1;
}

static void print_square(const rpool_item *item, int n)
{
    const struct worker *worker = rpool_resource(item);
    char answer[32] = "no answer\n";

    if (ask(item, n) == 0) {
        ssize_t got = recv(worker->fd, answer, sizeof answer - 1, 0);
        answer[got > 0 ? got : 0] = '\0';
    }
    printf("%d squared: %s", n, answer);
}

/* Two workers serve two borrowers.  The third waits until its deadline. */
static rpool_status lease_all(rpool *pool, rpool_failure *why)
{
    RPOOL_AUTO_ITEM first = NULL;
    RPOOL_AUTO_ITEM second = NULL;
    RPOOL_AUTO_ITEM third = NULL;

    rpool_status status = rpool_acquire(pool, 1000, &first, why);
    if (status == RPOOL_OK)
        status = rpool_acquire(pool, 1000, &second, why);
    if (status != RPOOL_OK)
        return status;
    print_square(first, 12);
    print_square(second, 13);
    status = rpool_acquire(pool, 50, &third, why);
    printf("a third borrower: %s\n", rpool_strerror(status));
    return status == RPOOL_TIMEOUT ? RPOOL_OK : status;
}

/* A worker that is released with an unread answer is not leased again. */
static rpool_status leave_answer_unread(rpool *pool, rpool_failure *why)
{
    RPOOL_AUTO_ITEM item = NULL;
    rpool_status status = rpool_acquire(pool, 1000, &item, why);

    if (status == RPOOL_OK && ask(item, 14) < 0)
        puts("no answer");
    return status;
}

/* A worker that dies while it is idle is replaced before the next lease. */
static rpool_status kill_idle_worker(rpool *pool, sem_t *peer_closed,
                                     rpool_failure *why)
{
    rpool_item *item = NULL;
    rpool_status status = rpool_acquire(pool, 1000, &item, why);

    if (status != RPOOL_OK)
        return status;
    pid_t pid = ((const struct worker *)rpool_resource(item))->pid;
    rpool_release(&item);
    kill(pid, SIGKILL);
    sem_wait(peer_closed); /* on_event() posts it when the pool notices */

    status = rpool_acquire(pool, 1000, &item, why);
    if (status == RPOOL_OK)
        print_square(item, 15);
    rpool_release(&item);
    return status == RPOOL_OK ? rpool_wait(pool, 5000, why) : status;
}

static void on_event(void *arg, const rpool_event *event)
{
    sem_t *peer_closed = arg;

    if (event->type == RPOOL_EVENT_CLOSED)
        printf("worker closed: %s\n", rpool_reason_text(event->reason));
    if (event->type == RPOOL_EVENT_CLOSED &&
        event->reason == RPOOL_REASON_HANGUP)
        sem_post(peer_closed);
}

int main(void)
{
    sem_t peer_closed;
    rpool *pool = NULL;
    rpool_failure why = {0};

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    sem_init(&peer_closed, 0, 0);
    rpool_status status = rpool_open(
        &pool, &worker_provider, NULL,
        RPOOL_OPTIONS(.name = "workers", .max_size = 2, .min_size = 2,
                      .on_event = on_event, .arg = &peer_closed),
        &why);
    if (status == RPOOL_OK)
        status = rpool_wait(pool, 5000, &why);
    if (status == RPOOL_OK)
        status = lease_all(pool, &why);
    if (status == RPOOL_OK)
        status = leave_answer_unread(pool, &why);
    if (status == RPOOL_OK)
        status = kill_idle_worker(pool, &peer_closed, &why);
    if (status != RPOOL_OK)
        fprintf(stderr, "pool_anything: %s: %s\n", rpool_strerror(status),
                why.message);

    rpool_close(&pool, 1000);
    sem_destroy(&peer_closed);
    return status == RPOOL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
