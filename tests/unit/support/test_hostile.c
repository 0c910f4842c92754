/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The hostile server, tested with libpq and with a plain socket. */
#include "harness.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"
#include "socket.h"

enum { SOON_MS = 5000 };

static struct hostile *server;

static int tear_down(void **state)
{
    (void)state;
    hostile_stop(server);
    return 0;
}

static void begin(struct hostile_plan plan)
{
    server = hostile_start(&plan);
}

static void keep_quiet(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static PGconn *connect_with(const char *settings)
{
    char conninfo[256];
    (void)snprintf(conninfo, sizeof conninfo,
                   "host=127.0.0.1 port=%d user=u dbname=d password=p "
                   "gssencmode=disable connect_timeout=10 %s",
                   hostile_port(server), settings);
    PGconn *pg = PQconnectdb(conninfo);
    (void)PQsetNoticeReceiver(pg, keep_quiet, NULL);
    return pg;
}

/* Fails the test unless the connection is refused with this text. */
static void refuse_with(const char *text)
{
    PGconn *pg = connect_with("");
    assert_int_equal(PQstatus(pg), CONNECTION_BAD);
    if (!strstr(PQerrorMessage(pg), text))
        fail_msg("\"%s\" is not in: %s", text, PQerrorMessage(pg));
    PQfinish(pg);
}

static PGconn *connect_well(void)
{
    PGconn *pg = connect_with("");
    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    return pg;
}

static void answer_is(PGresult *res, ExecStatusType status)
{
    if (PQresultStatus(res) != status)
        fail_msg("%s: %s", PQresStatus(PQresultStatus(res)),
                 PQresultErrorMessage(res));
    PQclear(res);
}

/* ---- without a fault ---- */

static void hostile_server_behaves_well_when_its_plan_is_empty(void **state)
{
    (void)state;
    begin((struct hostile_plan){.deed = NULL});
    PGconn *pg = connect_well();
    answer_is(PQexec(pg, "SELECT 1"), PGRES_TUPLES_OK);
    answer_is(PQexec(pg, ""), PGRES_EMPTY_QUERY);
    answer_is(PQexec(pg, "BEGIN"), PGRES_COMMAND_OK);
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_INTRANS);
    answer_is(PQexecParams(pg, "SELECT $1", 1, NULL, (const char *[]){"1"},
                           NULL, NULL, 0),
              PGRES_TUPLES_OK);
    answer_is(PQexecParams(pg, "COMMIT", 0, NULL, NULL, NULL, NULL, 0),
              PGRES_COMMAND_OK);
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_IDLE);
    assert_int_equal(hostile_visits(server, HOSTILE_EXTENDED), 2);
    assert_int_equal(hostile_visits(server, HOSTILE_QUERY), 3);
    PQfinish(pg);
}

static void hostile_server_refuses_tls_when_client_asks(void **state)
{
    (void)state;
    begin((struct hostile_plan){.deed = NULL});
    PGconn *pg = connect_with("sslmode=require");
    assert_non_null(strstr(PQerrorMessage(pg), "SSL"));
    PQfinish(pg);
    assert_int_equal(hostile_visits(server, HOSTILE_ENCRYPTION), 1);
}

static void
hostile_server_counts_a_visit_when_cancel_request_comes(void **state)
{
    (void)state;
    begin((struct hostile_plan){.deed = NULL});
    PGconn *pg = connect_well();
    PGcancel *cancel = PQgetCancel(pg);
    char text[256];
    assert_int_equal(PQcancel(cancel, text, sizeof text), 1);
    assert_true(hostile_wait_visits(server, HOSTILE_CANCEL, 1, SOON_MS));
    PQfreeCancel(cancel);
    PQfinish(pg);
}

/* ---- which clients, and where ---- */

static void
hostile_server_misbehaves_to_first_clients_only_when_plan_says_so(void **state)
{
    (void)state;
    begin((struct hostile_plan){.at = HOSTILE_AUTH,
                                .deed = deed_fatal,
                                .arg = DEED_CODE("57P03"),
                                .clients = 2});
    refuse_with("the server says no");
    refuse_with("the server says no");
    PQfinish(connect_well());
    assert_true(hostile_wait_clients(server, 3, SOON_MS));
}

static void
hostile_server_misbehaves_n_times_when_its_plan_says_so(void **state)
{
    (void)state;
    begin((struct hostile_plan){.at = HOSTILE_QUERY,
                                .deed = deed_error_without_code,
                                .arg = 1,
                                .deeds = 2});
    PGconn *first = connect_well(), *second = connect_well();
    answer_is(PQexec(first, "SELECT 1"), PGRES_FATAL_ERROR);
    answer_is(PQexec(second, "SELECT 1"), PGRES_FATAL_ERROR);
    answer_is(PQexec(first, "SELECT 1"), PGRES_TUPLES_OK);
    assert_int_equal(hostile_deeds(server), 2);
    PQfinish(first);
    PQfinish(second);
}

static void hostile_server_follows_new_plan_when_it_is_replaced(void **state)
{
    (void)state;
    begin((struct hostile_plan){.deed = NULL});
    PQfinish(connect_well());
    hostile_set(server, &(struct hostile_plan){.at = HOSTILE_AUTH,
                                               .deed = deed_garbage});
    refuse_with("");
    hostile_set(server, &(struct hostile_plan){.deed = NULL});
    PQfinish(connect_well());
}

static void
hostile_server_misbehaves_at_nth_query_when_plan_says_so(void **state)
{
    (void)state;
    begin(
        (struct hostile_plan){.at = HOSTILE_QUERY, .deed = deed_fin, .nth = 3});
    PGconn *pg = connect_well();
    answer_is(PQexec(pg, "SELECT 1"), PGRES_TUPLES_OK);
    answer_is(PQexec(pg, "SELECT 1"), PGRES_TUPLES_OK);
    answer_is(PQexec(pg, "SELECT 1"), PGRES_FATAL_ERROR);
    assert_int_equal(PQstatus(pg), CONNECTION_BAD);
    assert_int_equal(hostile_deeds(server), 1);
    PQfinish(pg);
}

static void
connect_fails_when_hostile_server_sends_fin_at_any_startup_point(void **state)
{
    (void)state;
    static const enum hostile_point points[] = {
        HOSTILE_ACCEPT,    HOSTILE_ENCRYPTION, HOSTILE_AUTH,
        HOSTILE_PARAMETER, HOSTILE_KEY,        HOSTILE_FIRST_READY};
    begin((struct hostile_plan){.deed = NULL});
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        hostile_set(server,
                    &(struct hostile_plan){.at = points[i], .deed = deed_fin});
        refuse_with("");
        assert_int_equal(hostile_deeds(server), i + 1);
    }
}

/* ---- deeds ---- */

static void error_has_no_sqlstate_when_hostile_server_sends_none(void **state)
{
    (void)state;
    begin((struct hostile_plan){
        .at = HOSTILE_QUERY, .deed = deed_error_without_code, .arg = 1});
    PGconn *pg = connect_well();
    PGresult *res = PQexec(pg, "SELECT 1");
    assert_int_equal(PQresultStatus(res), PGRES_FATAL_ERROR);
    assert_null(PQresultErrorField(res, PG_DIAG_SQLSTATE));
    PQclear(res);
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    assert_int_equal(PQtransactionStatus(pg), PQTRANS_IDLE);
    PQfinish(pg);
}

/* Counts results up to `most`, and then stops reading. */
static int count_results(PGconn *pg, int most)
{
    int count = 0;
    assert_true(PQsendQuery(pg, "SELECT 1"));
    for (PGresult *res; count < most && (res = PQgetResult(pg)) != NULL;
         count++)
        PQclear(res);
    return count;
}

static void hostile_flood_is_endless_only_when_plan_gives_no_count(void **state)
{
    (void)state;
    static const struct {
        hostile_deed deed;
        int results; /* with the server's own answer, for a flood of 5 */
    } cases[] = {{deed_results, 6},       {deed_rows, 2},
                 {deed_errors, 6},        {deed_notices, 1},
                 {deed_notifications, 1}, {deed_parameters, 1}};
    begin((struct hostile_plan){.deed = NULL});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hostile_set(server, &(struct hostile_plan){.at = HOSTILE_QUERY,
                                                   .deed = cases[i].deed,
                                                   .arg = 5});
        PGconn *pg = connect_well();
        assert_int_equal(count_results(pg, 100), cases[i].results);
        PQfinish(pg);
    }
    hostile_set(server, &(struct hostile_plan){.at = HOSTILE_QUERY,
                                               .deed = deed_results});
    PGconn *pg = connect_well();
    assert_int_equal(count_results(pg, 5000), 5000);
    PQfinish(pg);
}

static void
invalid_lengths_and_types_are_sent_when_plan_asks_for_them(void **state)
{
    (void)state;
    static const int64_t lengths[] = {DEED_LENGTH('Z', -1), DEED_LENGTH('T', 3),
                                      DEED_LENGTH('E', 0x7fffffff)};
    begin((struct hostile_plan){.deed = NULL});
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        hostile_set(server, &(struct hostile_plan){.at = HOSTILE_ACCEPT,
                                                   .deed = deed_length,
                                                   .arg = lengths[i]});
        int fd = socket_connect("127.0.0.1", hostile_port(server));
        struct pollfd one = {.fd = fd, .events = POLLIN};
        unsigned char head[5];
        assert_int_equal(poll(&one, 1, SOON_MS), 1);
        assert_int_equal(recv(fd, head, sizeof head, 0), 5);
        int64_t length =
            (int64_t)head[1] << 24 | head[2] << 16 | head[3] << 8 | head[4];
        assert_int_equal(DEED_LENGTH(head[0], length), lengths[i]);
        (void)close(fd);
    }
    hostile_set(server, &(struct hostile_plan){.at = HOSTILE_QUERY,
                                               .deed = deed_message,
                                               .arg = '~'});
    PGconn *pg = connect_well();
    assert_true(PQsendQuery(pg, "SELECT 1"));
    answer_is(PQgetResult(pg), PGRES_FATAL_ERROR);
    PQfinish(pg);
}

static void row_has_many_mebibytes_when_plan_asks_for_them(void **state)
{
    (void)state;
    begin((struct hostile_plan){
        .at = HOSTILE_QUERY, .deed = deed_big_row, .arg = 3});
    PGconn *pg = connect_well();
    assert_true(PQsendQuery(pg, "SELECT 1"));
    PGresult *res = PQgetResult(pg);
    assert_int_equal(PQgetlength(res, 0, 0), 3 * 1024 * 1024);
    PQclear(res);
    PQfinish(pg);
}

static void
scram_uses_iteration_count_of_plan_when_client_authenticates(void **state)
{
    (void)state;
    begin((struct hostile_plan){.scram_iterations = 4096});
    refuse_with("the server says no");
    assert_int_equal(hostile_visits(server, HOSTILE_SCRAM), 1);
}

/* ---- how it sends ---- */

static void
client_understands_hostile_server_when_it_sends_single_bytes(void **state)
{
    (void)state;
    begin((struct hostile_plan){.chunk = 1});
    PGconn *pg = connect_well();
    answer_is(PQexec(pg, "SELECT 1"), PGRES_TUPLES_OK);
    PQfinish(pg);
}

/* Reads to the end.  Returns the number of bytes.  *reset: the end was RST. */
static int read_to_end(int fd, int *reset)
{
    int count = 0;
    char bytes[1024];
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&one, 1, SOON_MS), 1);
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        *reset = n < 0;
        if (n <= 0)
            return count;
        count += (int)n;
    }
}

static void connection_is_cut_after_n_bytes_when_plan_says_so(void **state)
{
    (void)state;
    static const char start_up[] = "\0\0\0\12\0\3\0\0u\0";
    begin((struct hostile_plan){.deed = NULL});
    for (unsigned n = 1; n <= 40; n++) {
        int how = n % 2 ? PEER_RST : PEER_FIN, reset = 0;
        hostile_set(server, &(struct hostile_plan){.cut = (enum peer_cut)how,
                                                   .cut_after = n});
        int fd = socket_connect("127.0.0.1", hostile_port(server));
        struct pollfd one = {.fd = fd, .events = POLLOUT};
        assert_int_equal(poll(&one, 1, SOON_MS), 1);
        assert_int_equal(send(fd, start_up, 10, MSG_NOSIGNAL), 10);
        assert_int_equal(read_to_end(fd, &reset), n);
        assert_int_equal(reset, how == PEER_RST);
        (void)close(fd);
    }
}

static void silent_clients_are_closed_when_hostile_server_stops(void **state)
{
    (void)state;
    begin((struct hostile_plan){.at = HOSTILE_ACCEPT, .deed = deed_deaf});
    int fd = socket_connect("127.0.0.1", hostile_port(server));
    assert_true(hostile_wait_visits(server, HOSTILE_ACCEPT, 1, SOON_MS));
    hostile_stop(server);
    int reset;
    assert_int_equal(read_to_end(fd, &reset), 0);
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hostile_server_behaves_well_when_its_plan_is_empty),
        TEST(hostile_server_refuses_tls_when_client_asks),
        TEST(hostile_server_counts_a_visit_when_cancel_request_comes),
        TEST(hostile_server_misbehaves_to_first_clients_only_when_plan_says_so),
        TEST(hostile_server_misbehaves_n_times_when_its_plan_says_so),
        TEST(hostile_server_follows_new_plan_when_it_is_replaced),
        TEST(hostile_server_misbehaves_at_nth_query_when_plan_says_so),
        TEST(connect_fails_when_hostile_server_sends_fin_at_any_startup_point),
        TEST(error_has_no_sqlstate_when_hostile_server_sends_none),
        TEST(hostile_flood_is_endless_only_when_plan_gives_no_count),
        TEST(invalid_lengths_and_types_are_sent_when_plan_asks_for_them),
        TEST(row_has_many_mebibytes_when_plan_asks_for_them),
        TEST(scram_uses_iteration_count_of_plan_when_client_authenticates),
        TEST(client_understands_hostile_server_when_it_sends_single_bytes),
        TEST(connection_is_cut_after_n_bytes_when_plan_says_so),
        cmocka_unit_test(silent_clients_are_closed_when_hostile_server_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
