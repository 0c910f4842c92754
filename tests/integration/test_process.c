/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The pool in a process: it leaves the application's signals alone, and the
 * process may exit without closing the pool.
 */
#include "support_pg.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- signals ---- */

/* The application's setting for every signal. */
struct signals {
    struct sigaction action[32];
    sigset_t blocked;
};

static void look_at_signals(struct signals *signals)
{
    memset(signals, 0, sizeof *signals);
    for (int n = 1; n < 32; n++)
        assert_int_equal(sigaction(n, NULL, &signals->action[n]), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &signals->blocked), 0);
}

static void assert_same_signals(const struct signals *a,
                                const struct signals *b)
{
    for (int n = 1; n < 32; n++) {
        assert_true(a->action[n].sa_handler == b->action[n].sa_handler);
        assert_int_equal(sigismember(&a->blocked, n),
                         sigismember(&b->blocked, n));
    }
}

static void lose_and_write(const char *dsn)
{
    pqp_pool *pool =
        open_pool_with(PQP_OPTIONS(.conninfo = dsn, .max_size = 1));
    pqp_conn *conn = borrow(pool);
    kill_backend(backend_of(conn));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pqp_exec(conn, "SELECT 1", NULL, NULL), PQP_LOST);
    for (int i = 0; i < 3; i++)
        PQclear(PQexec(pqp_pgconn(conn), "SELECT 1"));
    pqp_release(&conn);
    conn = borrow(pool);
    kill_backend(backend_of(conn));
    pqp_release(&conn); /* the peer of the closing message is gone */
    close_pool(&pool);
}

/* K02: a write to a closed connection would end the process. */
static void process_gets_no_sigpipe_when_the_server_is_gone(void **state)
{
    (void)state;
    struct signals before, after;
    struct sigaction action = {.sa_handler = SIG_DFL};
    assert_int_equal(sigaction(SIGPIPE, &action, NULL), 0);
    look_at_signals(&before);
    lose_and_write(pg_dsn());
    lose_and_write(pg_dsn_with("sslmode=disable"));
    look_at_signals(&after);
    assert_same_signals(&before, &after);
}

/* Reads the line of a thread's status that begins with `key` into `line`. */
static int thread_says(const char *id, const char *key, char *line, int size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%.16s/status", id);
    FILE *file = fopen(path, "r");
    int found = 0;
    while (file != NULL && !found && fgets(line, size, file) != NULL)
        found = strncmp(line, key, strlen(key)) == 0;
    if (file != NULL)
        (void)fclose(file);
    return found;
}

/* K04: the application's threads have to get the signals.  Bit n - 1 is signal
 * n. */
static void pool_threads_block_every_signal_when_they_run(void **state)
{
    (void)state;
    const unsigned long long never = (1ULL << (SIGKILL - 1)) |
                                     (1ULL << (SIGSTOP - 1)) |
                                     (3ULL << (32 - 1)); /* libc's own */
    pqp_pool *pool = open_pool(.name = "k04", .max_size = 4, .min_size = 4);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    int threads = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char line[128];
        if (!thread_says(entry->d_name, "Name:\tk04", line, sizeof line))
            continue;
        threads++;
        assert_true(thread_says(entry->d_name, "SigBlk:", line, sizeof line));
        unsigned long long blocked = strtoull(line + 8, NULL, 16);
        assert_true((blocked | never) == ~0ULL);
    }
    (void)closedir(dir);
    assert_true(threads >= 2); /* the cleaner and a worker */
    close_pool(&pool);
}

/* ---- the end ---- */

static int in_child;

/* For LeakSanitizer: a process that exits in the middle of its work leaks. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return in_child;
}

/* Runs `live` in a child process.  Returns not 0 if the child exits with
 * success. */
static int ends_well(void (*live)(const char *dsn), const char *dsn)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(SOON_MS / 1000);
        in_child = 1;
        live(dsn);
        exit(EXIT_SUCCESS); /* NOLINT: the others of its threads are the test */
    }
    int status = -1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* Leaves one connection idle, one leased, and one in a transaction. */
static void leave_sessions(const char *dsn)
{
    pqp_pool *pool = NULL;
    pqp_conn *conns[3] = {NULL};
    if (pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = dsn, .max_size = 3),
                      NULL) != PQP_OK)
        _exit(2);
    for (int i = 0; i < 3; i++)
        if (pqp_acquire(pool, SOON_MS, &conns[i], NULL) != PQP_OK)
            _exit(3);
    if (!PQsslInUse(pqp_pgconn(conns[0])) ||
        pqp_exec(conns[0], "BEGIN", NULL, NULL) != PQP_OK)
        _exit(4);
    pqp_release(&conns[1]);
}

static void leave_a_connect(const char *dsn)
{
    pqp_pool *pool = NULL;
    pqp_conn *conn = NULL;
    pqp_stats stats = {.size = sizeof stats};
    if (pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = dsn, .max_size = 1),
                      NULL) != PQP_OK)
        _exit(2);
    if (pqp_acquire(pool, 50, &conn, NULL) != PQP_TIMEOUT)
        _exit(3);
    if (pqp_pool_stats(pool, &stats) != PQP_OK || stats.connecting != 1)
        _exit(4);
}

/* Leaves connects at a random moment. */
static void leave_many_connects(const char *dsn)
{
    pqp_pool *pool = NULL;
    if (pqp_pool_open(&pool,
                      PQP_OPTIONS(.conninfo = dsn, .max_size = 16,
                                  .min_size = 16, .connect_concurrency = 8),
                      NULL) != PQP_OK)
        _exit(2);
    pause_ms((int)(getpid() % 40));
}

/* Opens a port that accepts connections and never answers.  It needs no thread,
 * because a fork would lose that thread. */
static int open_silence(int *port)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && listen(fd, 8) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* F17: while the pool's threads work, over TLS, in any order of the exit
 * handlers. */
static void process_exits_cleanly_when_pools_are_still_open(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(ends_well(leave_sessions, pg_dsn_with("sslmode=require")));
    for (int i = 0; i < 20; i++)
        assert_true(ends_well(leave_many_connects, pg_dsn()));
    char place[64];
    int port, fd = open_silence(&port);
    /* Kerberos' own exit handlers do not wait for its users, so it is turned
     * off. */
    (void)snprintf(place, sizeof place,
                   "host=127.0.0.1 port=%d gssencmode=disable", port);
    assert_true(ends_well(leave_a_connect, pg_dsn_with(place)));
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_gets_no_sigpipe_when_the_server_is_gone),
        cmocka_unit_test(pool_threads_block_every_signal_when_they_run),
        cmocka_unit_test(process_exits_cleanly_when_pools_are_still_open),
    };
    return run_with_server(tests);
}
