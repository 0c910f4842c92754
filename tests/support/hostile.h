/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A hostile server: it speaks PostgreSQL's protocol well, up to the point of
 * the conversation where its plan has a deed (deeds.h).  It serves many
 * clients at once, each from a thread of its own, on a free port of 127.0.0.1.
 *
 *   struct hostile *server = hostile_start(&(struct hostile_plan){
 *       .at = HOSTILE_QUERY, .deed = deed_results});
 *   ... connect to 127.0.0.1, hostile_port(server), with sslmode=prefer,
 *       disable or require; the server answers 'N' to a request for TLS ...
 *   hostile_stop(server);
 *
 * It answers every statement: an empty one with EmptyQueryResponse; BEGIN,
 * COMMIT, ROLLBACK, DISCARD ALL and the like with their tag; any other with one
 * row of one column, "1".  Every function may be called by any thread.
 */
#ifndef TESTS_SUPPORT_HOSTILE_H
#define TESTS_SUPPORT_HOSTILE_H

#include <stdint.h>

#include "deeds.h"

struct hostile;

/* The points of a conversation.  A deed is done before the server sends its
 * message of that point. */
enum hostile_point {
    HOSTILE_ACCEPT,      /* the client has connected; nothing was read */
    HOSTILE_ENCRYPTION,  /* the answer to SSLRequest or GSSENCRequest */
    HOSTILE_AUTH,        /* the first answer to the start-up packet */
    HOSTILE_SCRAM,       /* SASLContinue; only if scram_iterations is set */
    HOSTILE_PARAMETER,   /* ParameterStatus */
    HOSTILE_KEY,         /* BackendKeyData */
    HOSTILE_FIRST_READY, /* ReadyForQuery of the start-up */
    HOSTILE_QUERY,       /* the answer to Query */
    HOSTILE_EXTENDED,    /* the answer to Execute */
    HOSTILE_READY,       /* ReadyForQuery after an answer */
    HOSTILE_CANCEL,      /* a CancelRequest, which has no answer but the end */
    HOSTILE_POINTS
};

/* A plan of all zeroes is a server without a fault. */
struct hostile_plan {
    enum hostile_point at;
    hostile_deed deed; /* NULL: none */
    int64_t arg;
    int nth;     /* the deed is done when a client comes to the point for the
                  * nth time, and each time after that; 0 and 1: the first */
    int clients; /* the plan is for this many clients; later clients are served
                  * without a fault; 0: for all */
    int deeds;   /* all clients together do the deed this many times; 0: no
                  * limit */
    /* Not 0: the client must log in by SCRAM-SHA-256 with this many iterations.
     * The server knows no password, and refuses with 28P01 at the end. */
    int64_t scram_iterations;
    /* How the server sends all its bytes: */
    size_t chunk; /* at most this many bytes at once; 0: no limit */
    int gap_ms;   /* pause between two chunks */
    enum peer_cut cut;
    uint64_t cut_after; /* cut after this many bytes to the client */
};

/* NULL is a plan without a fault. */
struct hostile *hostile_start(const struct hostile_plan *plan);
void hostile_stop(struct hostile *server);
int hostile_port(const struct hostile *server);

/* Sets the plan for clients that connect from now on. */
void hostile_set(struct hostile *server, const struct hostile_plan *plan);

/* Return how many clients connected, how often clients came to a point (for
 * example, how many Query messages came), and how many deeds were begun. */
int hostile_clients(struct hostile *server);
int hostile_visits(struct hostile *server, enum hostile_point point);
int hostile_deeds(struct hostile *server);
/* Return 1 if the number becomes at least `count` within `ms`, else 0. */
int hostile_wait_clients(struct hostile *server, int count, int ms);
int hostile_wait_visits(struct hostile *server, enum hostile_point point,
                        int count, int ms);
int hostile_wait_deeds(struct hostile *server, int count, int ms);

#endif
