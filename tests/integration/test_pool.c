/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The life of a pool: open, fill, resize, recycle, suspend, close. */
#include "support_pg.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static int no_backend_is_left(void *arg)
{
    (void)arg;
    return count_backends() == 0;
}

static void pool_fills_to_min_size_when_opened(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 5, .min_size = 3);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    pqp_stats stats = stats_of(pool);
    assert_int_equal(stats.total, 3);
    assert_int_equal(stats.idle, 3);
    assert_int_equal(count_backends(), 3);
    close_pool(&pool);
}

/* F01 */
static void backends_end_when_pool_is_closed(void **state)
{
    (void)state;
    struct recorder r = RECORDER_INIT;
    pqp_pool *pool =
        open_pool(.max_size = 4, .min_size = 4, .on_event = record, .arg = &r);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    close_pool(&pool);
    assert_int_equal(count_of(&r, PQP_EVENT_CREATED), 4);
    assert_int_equal(count_of(&r, PQP_EVENT_CLOSED), 4);
    assert_string_equal(event_of(&r, PQP_EVENT_CLOSED, 3).reason,
                        "pool closed");
    assert_true(becomes(no_backend_is_left, NULL));
}

static int count_threads(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static int has_one_thread(void *arg)
{
    return count_threads() <= *(const int *)arg;
}

/* F16 */
static void threads_end_when_pool_is_closed(void **state)
{
    (void)state;
    int before = count_threads();
    pqp_pool *pool = open_pool(.max_size = 4, .min_size = 4);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    assert_true(count_threads() > before);
    close_pool(&pool);
    assert_true(becomes(has_one_thread, &before));
}

/* F02 F05 F06 */
static void
lease_works_until_release_when_pool_is_closed_meanwhile(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1), *stale = pool;
    pqp_conn *conn = borrow(pool), *other = NULL;
    assert_int_equal(pqp_pool_close(&pool, 50), PQP_TIMEOUT);
    assert_null(pool);
    assert_int_equal(pqp_acquire(stale, 50, &other, NULL), PQP_CLOSED);
    assert_string_equal(ask(conn, "SELECT 1"), "1");
    pqp_release(&conn);
    assert_true(becomes(no_backend_is_left, NULL));
    assert_int_equal(pqp_pool_close(&stale, 0), PQP_CLOSED);
}

struct waiting {
    pqp_pool *pool;
    pqp_status status;
    int64_t took;
};

static void *wait_for_a_lease(void *arg)
{
    struct waiting *w = arg;
    PQP_AUTO_CONN conn = NULL;
    int64_t start = now_ms();
    w->status = pqp_acquire(w->pool, SOON_MS, &conn, NULL);
    w->took = now_ms() - start;
    return NULL;
}

static int somebody_waits(void *pool)
{
    return stats_of(pool).waiting > 0;
}

/* F04 */
static void waiter_gets_closed_at_once_when_pool_is_closed(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    struct waiting w = {.pool = pool};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_a_lease, &w), 0);
    assert_true(becomes(somebody_waits, pool));
    pqp_status status = pqp_pool_close(&pool, 0);
    pthread_join(thread, NULL);
    assert_int_equal(status, PQP_TIMEOUT);
    assert_int_equal(w.status, PQP_CLOSED);
    assert_true(w.took < SOON_MS / 2);
    pqp_release(&conn);
    assert_true(becomes(no_backend_is_left, NULL));
}

/* F12 P22 */
static void connections_are_replaced_when_pool_is_recycled(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *leased = borrow(pool), *idle = borrow(pool);
    int pids[2] = {backend_of(leased), backend_of(idle)};
    pqp_release(&idle);
    pqp_pool_recycle(pool);
    assert_string_equal(ask(leased, "SELECT 1"), "1");
    pqp_release(&leased);
    for (int i = 0; i < 2; i++) {
        assert_true(becomes(backend_is_gone, &pids[i]));
        leased = borrow(pool);
        assert_int_not_equal(backend_of(leased), pids[0]);
        assert_int_not_equal(backend_of(leased), pids[1]);
        pqp_release(&leased);
    }
    close_pool(&pool);
}

/* F18 */
static void acquire_waits_when_pool_is_suspended_until_resume(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .min_size = 1);
    assert_int_equal(pqp_pool_wait(pool, SOON_MS, NULL), PQP_OK);
    assert_int_equal(pqp_pool_suspend(pool), PQP_OK);
    pqp_conn *conn = NULL;
    assert_int_equal(pqp_acquire(pool, 50, &conn, NULL), PQP_TIMEOUT);
    struct waiting w = {.pool = pool};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_a_lease, &w), 0);
    assert_true(becomes(somebody_waits, pool));
    assert_int_equal(pqp_pool_resume(pool), PQP_OK);
    pthread_join(thread, NULL);
    assert_int_equal(w.status, PQP_OK);
    close_pool(&pool);
}

/* G01 */
static void waiter_is_served_when_resize_raises_max_size(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1);
    pqp_conn *conn = borrow(pool);
    struct waiting w = {.pool = pool};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_a_lease, &w), 0);
    assert_true(becomes(somebody_waits, pool));
    assert_int_equal(pqp_pool_resize(pool, 2, 0), PQP_OK);
    pthread_join(thread, NULL);
    assert_int_equal(w.status, PQP_OK);
    pqp_release(&conn);
    close_pool(&pool);
}

static int has_one_left(void *pool)
{
    return stats_of(pool).total == 1;
}

/* G02 */
static void leases_go_on_when_resize_lowers_max_size(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 3);
    pqp_conn *conns[3];
    for (int i = 0; i < 3; i++)
        conns[i] = borrow(pool);
    assert_int_equal(pqp_pool_resize(pool, 1, 0), PQP_OK);
    for (int i = 0; i < 3; i++)
        assert_string_equal(ask(conns[i], "SELECT 1"), "1");
    for (int i = 0; i < 3; i++)
        pqp_release(&conns[i]);
    assert_true(becomes(has_one_left, pool));
    close_pool(&pool);
}

/* G04 G05 */
static void resize_changes_nothing_when_a_size_is_invalid(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2), *stale = pool;
    assert_int_equal(pqp_pool_resize(pool, 0, 0), PQP_INVALID);
    assert_int_equal(pqp_pool_resize(pool, -1, 0), PQP_INVALID);
    assert_int_equal(pqp_pool_resize(pool, 2, 3), PQP_INVALID);
    assert_int_equal(pqp_pool_resize(pool, 2, -1), PQP_INVALID);
    pqp_conn *a = borrow(pool), *b = borrow(pool), *c = NULL;
    assert_int_equal(pqp_acquire(pool, 50, &c, NULL), PQP_TIMEOUT);
    pqp_release(&a);
    pqp_release(&b);
    close_pool(&pool);
    assert_int_not_equal(pqp_pool_resize(stale, 2, 0), PQP_OK);
}

static int has_three(void *pool)
{
    return stats_of(pool).total == 3;
}

/* G07 */
static void pool_fills_up_when_resize_raises_min_size(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 3);
    assert_int_equal(pqp_pool_resize(pool, 3, 3), PQP_OK);
    assert_true(becomes(has_three, pool));
    close_pool(&pool);
}

/* P28 */
static void
connection_is_replaced_when_it_was_leased_max_uses_times(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 1, .max_uses = 3);
    int pids[6];
    for (int i = 0; i < 6; i++) {
        pqp_conn *conn = borrow(pool);
        pids[i] = backend_of(conn);
        pqp_release(&conn);
    }
    assert_int_equal(pids[0], pids[2]);
    assert_int_equal(pids[3], pids[5]);
    assert_int_not_equal(pids[2], pids[3]);
    close_pool(&pool);
}

struct text_seen {
    int lines, found;
    const char *needle;
};

static void see_line(void *arg, const char *text)
{
    struct text_seen *seen = arg;
    seen->lines++;
    seen->found += strstr(text, seen->needle) != NULL;
}

static void dump_names_source_line_when_a_connection_is_leased(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 2);
    pqp_conn *conn = NULL;
    char needle[64];
    (void)snprintf(needle, sizeof needle, "test_pool.c:%d", __LINE__ + 1);
    assert_int_equal(pqp_acquire(pool, SOON_MS, &conn, NULL), PQP_OK);
    struct text_seen seen = {.needle = needle};
    pqp_pool_dump(pool, see_line, &seen);
    assert_int_equal(seen.lines, 2);
    assert_int_equal(seen.found, 1);
    pqp_release(&conn);
    close_pool(&pool);
}

struct hammer {
    pqp_pool *pool;
    int odd;
};

static void *hammer(void *arg)
{
    struct hammer *h = arg;
    for (;;) {
        PQP_AUTO_CONN conn = NULL;
        pqp_status status = pqp_acquire(h->pool, SOON_MS, &conn, NULL);
        if (status == PQP_CLOSED)
            return NULL;
        if (status != PQP_OK ||
            pqp_exec(conn, "SELECT 1", NULL, NULL) != PQP_OK)
            h->odd++;
    }
}

/* F21 */
static void acquires_return_closed_when_pool_is_closed_under_load(void **state)
{
    (void)state;
    pqp_pool *pool = open_pool(.max_size = 4);
    struct hammer hammers[16];
    pthread_t threads[16];
    for (int i = 0; i < 16; i++) {
        hammers[i] = (struct hammer){.pool = pool};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &hammers[i]),
                         0);
    }
    pause_ms(200);
    pqp_status status = pqp_pool_close(&pool, SOON_MS);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(status, PQP_OK);
    for (int i = 0; i < 16; i++)
        assert_int_equal(hammers[i].odd, 0);
    assert_true(becomes(no_backend_is_left, NULL));
}

static void close_in_event(void *arg, const pqp_event *event)
{
    struct waiting *w = arg;
    pqp_pool *pool = w->pool;
    if (event->type == PQP_EVENT_RELEASED)
        w->status = pqp_pool_close(&pool, SOON_MS);
}

/* F09 */
static void close_returns_busy_when_called_in_a_listener(void **state)
{
    (void)state;
    struct waiting w = {.status = PQP_OK};
    w.pool = open_pool(.max_size = 1, .on_event = close_in_event, .arg = &w);
    pqp_conn *conn = borrow(w.pool);
    pqp_release(&conn);
    assert_int_equal(w.status, PQP_BUSY);
    assert_int_equal(pqp_acquire(w.pool, 0, &conn, NULL), PQP_CLOSED);
    assert_int_equal(pqp_pool_close(&w.pool, SOON_MS), PQP_OK);
    assert_true(becomes(no_backend_is_left, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_fills_to_min_size_when_opened),
        cmocka_unit_test(backends_end_when_pool_is_closed),
        cmocka_unit_test(threads_end_when_pool_is_closed),
        cmocka_unit_test(
            lease_works_until_release_when_pool_is_closed_meanwhile),
        cmocka_unit_test(waiter_gets_closed_at_once_when_pool_is_closed),
        cmocka_unit_test(connections_are_replaced_when_pool_is_recycled),
        cmocka_unit_test(acquire_waits_when_pool_is_suspended_until_resume),
        cmocka_unit_test(waiter_is_served_when_resize_raises_max_size),
        cmocka_unit_test(leases_go_on_when_resize_lowers_max_size),
        cmocka_unit_test(resize_changes_nothing_when_a_size_is_invalid),
        cmocka_unit_test(pool_fills_up_when_resize_raises_min_size),
        cmocka_unit_test(
            connection_is_replaced_when_it_was_leased_max_uses_times),
        cmocka_unit_test(dump_names_source_line_when_a_connection_is_leased),
        cmocka_unit_test(acquires_return_closed_when_pool_is_closed_under_load),
        cmocka_unit_test(close_returns_busy_when_called_in_a_listener),
    };
    return run_with_server(tests);
}
