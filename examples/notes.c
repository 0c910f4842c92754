/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A small service: notes, over HTTP, stored in PostgreSQL.
 *
 *   POST   /notes       the body is the note; 201, {"id" : 7}
 *   GET    /notes       the first 100 notes, as JSON; ?after=ID for the next
 *   GET    /notes/ID    one note, as JSON
 *   DELETE /notes/ID    204
 *   GET    /health      the pool's statistics, as JSON; 503 if the pool has no
 *                       connection
 *
 *   notes [PORT]        on 127.0.0.1 only; 0, the default, is any free port
 *
 * PQPOOL_DSN is the connection string.  The table is that of sql/10-schema.sql.
 * The service also starts without the database, and answers 503 until the
 * database is there.
 *
 * libmicrohttpd runs a thread for each client.  A request leases a connection
 * for its one statement.  The database writes the JSON, so the service escapes
 * nothing.  The database also checks the values, so the service parses nothing.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pqpool/pqpool.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 256,
    CLIENT_IDLE_S = 30,
    NOTE_MAX = 65536, /* bytes */
    ACQUIRE_MS = 2000,
    STATEMENT_MS = 5000,
    DRAIN_MS = 5000
};

struct service {
    pqp_pool *pool;
    atomic_int requests; /* that have begun and are not answered completely */
    atomic_int closing;
};

struct request {
    size_t length;
    char body[NOTE_MAX + 1];
};

/* A request, and its statement.  The one parameter is the body, the ID or
 * `after`.  The statement returns one row with the JSON and, for a POST, the
 * new Location.  It returns no row if there is no such note. */
static const struct route {
    const char *method;
    int of_one; /* 1: /notes/ID, 0: /notes */
    unsigned status;
    const char *sql;
} routes[] = {
    {"POST", 0, MHD_HTTP_CREATED,
     "INSERT INTO notes (body) VALUES ($1)"
     " RETURNING json_build_object('id', id), '/notes/' || id"},
    {"GET", 0, MHD_HTTP_OK,
     "SELECT coalesce(json_agg(page), '[]') FROM (SELECT * FROM notes"
     " WHERE id > $1::bigint ORDER BY id LIMIT 100) AS page"},
    {"GET", 1, MHD_HTTP_OK,
     "SELECT row_to_json(note) FROM notes AS note WHERE id = $1::bigint"},
    {"DELETE", 1, MHD_HTTP_NO_CONTENT,
     "DELETE FROM notes WHERE id = $1::bigint RETURNING ''"},
};
enum { ROUTES = sizeof routes / sizeof *routes };

/* ---- answers ---- */

static enum MHD_Result answer(const struct service *service,
                              struct MHD_Connection *client, unsigned status,
                              const char *json, const char *location)
{
    char *copy = strdup(json);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        copy ? strlen(copy) : 0, copy, MHD_RESPMEM_MUST_FREE);

    if (!copy || !response) {
        free(copy);
        return MHD_NO;
    }
    if (*json)
        MHD_add_response_header(response, "Content-Type", "application/json");
    if (location)
        MHD_add_response_header(response, "Location", location);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, "Retry-After", "1");
    if (atomic_load(&service->closing))
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result queued = MHD_queue_response(client, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Answers with the HTTP status for an error: 503 if the client may try again,
 * 400 if the client's value is invalid, 500 otherwise. */
static enum MHD_Result answer_error(const struct service *service,
                                    struct MHD_Connection *client,
                                    const pqp_error *err)
{
    switch (err->status) {
    case PQP_BUSY:
    case PQP_TIMEOUT:
    case PQP_CONNECT:
    case PQP_CLOSED:
    case PQP_LOST:
        fprintf(stderr, "notes: %s\n", err->message);
        return answer(service, client, MHD_HTTP_SERVICE_UNAVAILABLE,
                      "{\"error\" : \"try again later\"}", NULL);
    case PQP_SERVER:
        if (strncmp(err->sqlstate, "22", 2) == 0) /* data exception */
            return answer(service, client, MHD_HTTP_BAD_REQUEST,
                          "{\"error\" : \"no valid value\"}", NULL);
        break;
    default:
        break;
    }
    fprintf(stderr, "notes: %s\n", err->message);
    return answer(service, client, MHD_HTTP_INTERNAL_SERVER_ERROR,
                  "{\"error\" : \"internal error\"}", NULL);
}

static enum MHD_Result answer_health(const struct service *service,
                                     struct MHD_Connection *client)
{
    pqp_stats stats = PQP_STATS_INIT();
    char json[512];

    (void)pqp_pool_stats(service->pool, &stats);
    int connected = stats.idle + stats.in_use + stats.checking;
    snprintf(json, sizeof json,
             "{\"connected\" : %d, \"idle\" : %d, \"leased\" : %d,"
             " \"connecting\" : %d, \"waiting\" : %d, \"acquired\" : %" PRIu64
             ", \"timed_out\" : %" PRIu64 ", \"created\" : %" PRIu64
             ", \"closed\" : %" PRIu64 ", \"failed\" : %" PRIu64 "}",
             connected, stats.idle, stats.in_use, stats.connecting,
             stats.waiting, stats.acquired, stats.timed_out, stats.created,
             stats.closed, stats.connect_failed);
    return answer(service, client,
                  connected ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, json,
                  NULL);
}

/* ---- requests ---- */

static enum MHD_Result follow(const struct service *service,
                              struct MHD_Connection *client,
                              const struct route *route, const char *value)
{
    PQP_AUTO_CONN conn = NULL;
    PQP_AUTO_RESULT res = NULL;
    pqp_error err;

    pqp_status status = pqp_acquire(service->pool, ACQUIRE_MS, &conn, &err);
    if (status == PQP_OK)
        status = pqp_exec_params(conn,
                                 PQP_QUERY(.sql = route->sql, .nparams = 1,
                                           .values = &value,
                                           .timeout_ms = STATEMENT_MS),
                                 &res, &err);
    pqp_release(&conn); /* first, because the client may be slow */
    if (status != PQP_OK)
        return answer_error(service, client, &err);
    if (PQntuples(res) == 0)
        return answer(service, client, MHD_HTTP_NOT_FOUND,
                      "{\"error\" : \"no such note\"}", NULL);
    return answer(service, client, route->status, PQgetvalue(res, 0, 0),
                  PQnfields(res) > 1 ? PQgetvalue(res, 0, 1) : NULL);
}

/* Answers a request whose body is complete. */
static enum MHD_Result dispatch(const struct service *service,
                                struct MHD_Connection *client,
                                const char *method, const char *url,
                                const struct request *request)
{
    const int of_one = strncmp(url, "/notes/", 7) == 0 && url[7];
    const struct route *route = routes;

    if (strcmp(url, "/health") == 0)
        return answer_health(service, client);
    if (!of_one && strcmp(url, "/notes") != 0)
        return answer(service, client, MHD_HTTP_NOT_FOUND,
                      "{\"error\" : \"no such path\"}", NULL);
    while (route < routes + ROUTES &&
           (route->of_one != of_one || strcmp(route->method, method) != 0))
        route++;
    if (route == routes + ROUTES)
        return answer(service, client, MHD_HTTP_METHOD_NOT_ALLOWED,
                      "{\"error\" : \"no such method here\"}", NULL);
    if (of_one)
        return follow(service, client, route, url + 7);
    if (strcmp(method, "POST") != 0) {
        const char *after =
            MHD_lookup_connection_value(client, MHD_GET_ARGUMENT_KIND, "after");
        return follow(service, client, route, after ? after : "0");
    }
    /* A text of PostgreSQL holds no zero byte, which would end the C string. */
    if (request->length == 0 || strlen(request->body) != request->length)
        return answer(service, client, MHD_HTTP_BAD_REQUEST,
                      "{\"error\" : \"a note is some text\"}", NULL);
    return follow(service, client, route, request->body);
}

static enum MHD_Result begin_request(struct service *service,
                                     struct MHD_Connection *client,
                                     void **state)
{
    const char *length =
        MHD_lookup_connection_value(client, MHD_HEADER_KIND, "Content-Length");

    atomic_fetch_add(&service->requests, 1);
    *state = calloc(1, sizeof(struct request));
    if (length && strtoull(length, NULL, 10) > NOTE_MAX)
        return answer(service, client, MHD_HTTP_CONTENT_TOO_LARGE,
                      "{\"error\" : \"too long a note\"}", NULL);
    return *state ? MHD_YES : MHD_NO;
}

/* libmicrohttpd calls this once when it has the header, then for each piece of
 * the body, and once more when the body is complete. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *client,
                                  const char *url, const char *method,
                                  const char *version, const char *piece,
                                  size_t *piece_length, void **state)
{
    struct service *service = arg;
    struct request *request = *state;

    (void)version;
    if (!request)
        return begin_request(service, client, state);
    if (*piece_length == 0)
        return dispatch(service, client, method, url, request);
    if (*piece_length > NOTE_MAX - request->length)
        return MHD_NO; /* longer than Content-Length said, if there was one */
    memcpy(request->body + request->length, piece, *piece_length);
    request->length += *piece_length;
    *piece_length = 0;
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *client, void **state,
                         enum MHD_RequestTerminationCode how)
{
    struct service *service = arg;

    (void)client, (void)how;
    free(*state);
    *state = NULL;
    atomic_fetch_sub(&service->requests, 1);
}

/* ---- the service's life ---- */

/* Accepts no new client, and waits for the requests that have begun. */
static void drain(struct service *service, struct MHD_Daemon *daemon)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000000L};

    atomic_store(&service->closing, 1);
    int listener = MHD_quiesce_daemon(daemon);
    for (int ms = 0; ms < DRAIN_MS && atomic_load(&service->requests); ms += 10)
        nanosleep(&pause, NULL);
    MHD_stop_daemon(daemon);
    if (listener >= 0)
        close(listener);
}

/* Serves until a signal of `stop` arrives. */
static int serve(struct service *service, uint16_t port, const sigset_t *stop)
{
    const struct sockaddr_in here = {.sin_family = AF_INET,
                                     .sin_port = htons(port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
            MHD_USE_ITC,
        port, NULL, NULL, on_request, service, MHD_OPTION_SOCK_ADDR, &here,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, service,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CLIENTS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CLIENT_IDLE_S, MHD_OPTION_END);
    int signal_number;

    if (!daemon) {
        fprintf(stderr, "notes: cannot listen on port %u\n", port);
        return EXIT_FAILURE;
    }
    printf("notes: listening on 127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout);
    sigwait(stop, &signal_number);
    drain(service, daemon);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct service service;
    const char *dsn = getenv("PQPOOL_DSN");
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    sigset_t stop, blocked;
    pqp_error err;

    if (port < 0 || port > UINT16_MAX) {
        fprintf(stderr, "usage: notes [PORT]\n");
        return 2;
    }
    /* All threads block the signals, and the main thread waits for them.  With
     * SIGPIPE blocked, a client that has gone away is an error of send(). */
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    blocked = stop;
    sigaddset(&blocked, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);

    pqp_status status = pqp_pool_open(
        &service.pool,
        PQP_OPTIONS(.conninfo = dsn, .name = "notes", .min_size = 1), &err);
    if (status != PQP_OK) {
        fprintf(stderr, "notes: %s\n", err.message);
        return EXIT_FAILURE;
    }
    int code = serve(&service, (uint16_t)port, &stop);
    if (pqp_pool_close(&service.pool, 1000) != PQP_OK)
        fprintf(stderr, "notes: some connections were still leased\n");
    return code;
}
