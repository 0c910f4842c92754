/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * fork(): the child may not use the parent's pools, may open pools of its own,
 * and does not disturb the parent.  A child reports its result by _exit().
 */
#include "support_pg.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns the child's exit status; 0 is good.  An alarm ends a child that
 * hangs. */
static int in_child(int (*child)(void *arg), void *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(SOON_MS / 1000);
        _exit(child(arg));
    }
    assert_true(pid > 0);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

struct family {
    pqp_pool *pool;
    pqp_conn *conn;
};

static int use_what_the_parent_has(void *arg)
{
    struct family *f = arg;
    pqp_conn *conn = NULL;
    PGresult *res = NULL;
    pqp_stats stats = {.size = sizeof stats};
    if (pqp_acquire(f->pool, -1, &conn, NULL) != PQP_INVALID || conn != NULL)
        return 1;
    if (pqp_exec(f->conn, "SELECT 1", &res, NULL) != PQP_INVALID)
        return 2;
    if (pqp_begin(f->conn, NULL, NULL) != PQP_INVALID)
        return 3;
    if (pqp_pgconn(f->conn) != NULL)
        return 4;
    if (pqp_pool_wait(f->pool, -1, NULL) != PQP_INVALID)
        return 5;
    if (pqp_pool_stats(f->pool, &stats) != PQP_INVALID)
        return 6;
    if (pqp_pool_resize(f->pool, 1, 0) != PQP_INVALID)
        return 7;
    pqp_pool_recycle(f->pool);
    pqp_conn *copy = f->conn;
    if (pqp_detach(&copy) != NULL)
        return 8;
    copy = f->conn;
    pqp_release(&copy);
    copy = f->conn;
    pqp_discard(&copy);
    return pqp_pool_close(&f->pool, -1) != PQP_INVALID ? 9 : 0;
}

/* J01 J03 */
static void
every_call_is_refused_when_a_fork_child_uses_the_parents_pool(void **state)
{
    (void)state;
    struct family f = {.pool = open_pool(.max_size = 2)};
    f.conn = borrow(f.pool);
    int pid = backend_of(f.conn);
    must_exec(f.conn, "CREATE TEMP TABLE mine (n int)");
    assert_int_equal(in_child(use_what_the_parent_has, &f), 0);
    assert_string_equal(ask(f.conn, "SELECT count(*) FROM mine"), "0");
    pqp_release(&f.conn);
    f.conn = borrow(f.pool);
    assert_int_equal(backend_of(f.conn), pid);
    pqp_release(&f.conn);
    close_pool(&f.pool);
}

static int open_a_pool_of_its_own(void *arg)
{
    (void)arg;
    pqp_pool *pool = NULL;
    pqp_conn *conn = NULL;
    if (pqp_pool_open(&pool, PQP_OPTIONS(.conninfo = pg_dsn(), .max_size = 2),
                      NULL) != PQP_OK)
        return 1;
    if (pqp_acquire(pool, SOON_MS, &conn, NULL) != PQP_OK)
        return 2;
    if (pqp_exec(conn, "SELECT 1", NULL, NULL) != PQP_OK)
        return 3;
    pqp_release(&conn);
    return pqp_pool_close(&pool, SOON_MS) == PQP_OK ? 0 : 4;
}

/* J08 */
static void fork_child_can_open_a_pool_when_the_parent_has_one(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *conn = borrow(pool);
    assert_int_equal(in_child(open_a_pool_of_its_own, NULL), 0);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&pool);
}

struct storm {
    pqp_pool *pool;
    atomic_int over;
};

static void *storm(void *arg)
{
    struct storm *s = arg;
    while (!atomic_load(&s->over)) {
        PQP_AUTO_CONN conn = NULL;
        if (pqp_acquire(s->pool, SOON_MS, &conn, NULL) == PQP_OK)
            pqp_discard(&conn);
    }
    return NULL;
}

static int acquire_fails_fast(void *arg)
{
    pqp_conn *conn = NULL;
    return pqp_acquire((pqp_pool *)arg, -1, &conn, NULL) == PQP_INVALID ? 0 : 1;
}

/* J04 J07 */
static void fork_hangs_no_process_when_threads_acquire_meanwhile(void **state)
{
    (void)state;
    struct storm s = {.pool = open_pool(.max_size = 2)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, storm, &s), 0);
    int failed = 0;
    for (int i = 0; i < 50; i++)
        failed += in_child(acquire_fails_fast, s.pool) != 0;
    atomic_store(&s.over, 1);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failed, 0);
    PQP_AUTO_CONN conn = borrow(s.pool);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    close_pool(&s.pool);
}

/* J06 */
static void
descriptors_of_the_pool_are_close_on_exec_when_pool_is_open(void **state)
{
    (void)state;
    int open_before[1024] = {0};
    for (int fd = 0; fd < 1024; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) >= 0;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *conn = borrow(pool);
    int ours = 0;
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || open_before[fd])
            continue;
        ours++;
        assert_int_not_equal(flags & FD_CLOEXEC, 0);
    }
    assert_true(ours >= 2);
    pqp_release(&conn);
    close_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_call_is_refused_when_a_fork_child_uses_the_parents_pool),
        cmocka_unit_test(fork_child_can_open_a_pool_when_the_parent_has_one),
        cmocka_unit_test(fork_hangs_no_process_when_threads_acquire_meanwhile),
        cmocka_unit_test(
            descriptors_of_the_pool_are_close_on_exec_when_pool_is_open),
    };
    return run_with_server(tests);
}
