/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A small service: notes, over HTTP, kept in PostgreSQL.
 *
 *   POST   /notes       the body is the note; 201, {"id": 7}
 *   GET    /notes       the first 100, as JSON; ?after=ID for those that follow
 *   GET    /notes/ID    one, as JSON
 *   DELETE /notes/ID    204
 *   GET    /health      the pool's statistics, as JSON; 503 without connection
 *
 *   notes [PORT]        on 127.0.0.1 only; 0, the default, takes any free port
 *
 * PQPOOL_DSN is the connection string; the table notes is in sql/10-schema.sql.
 * The service starts without the database and answers 503 until it is there.
 * libmicrohttpd runs a thread for each client; each request borrows a
 * connection for its one statement.  The server writes the JSON: it escapes
 * better than we would.
 */
#include <pqpool/pqpool.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CLIENTS_MAX = 256,
    NOTE_MAX = 65536, /* bytes */
    ACQUIRE_MS = 2000,
    STATEMENT_MS = 5000,
    CLIENT_IDLE_S = 30,
    DRAIN_MS = 5000
};

struct service {
    pqp_pool *pool;
    atomic_int requests; /* being served */
    atomic_int closing;
};

struct request {
    size_t length; /* of the body; may exceed what is kept of it */
    char body[NOTE_MAX + 1];
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *client, unsigned status,
                              const char *json, const char *header,
                              const char *value)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(json), (void *)json, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    if (*json)
        MHD_add_response_header(response, "Content-Type", "application/json");
    if (header)
        MHD_add_response_header(response, header, value);
    enum MHD_Result queued = MHD_queue_response(client, status, response);
    MHD_destroy_response(response);
    return queued;
}
