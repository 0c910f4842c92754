/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What the hostile server sends when it does no deed; see talk.h. */
#include "talk.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "framing.h"

/* Comes to a point.  Returns 1 if the server then sends its message. */
static int reach(struct talk *t, enum hostile_point point)
{
    const struct hostile_plan *plan = &t->plan;
    int nth = plan->nth > 1 ? plan->nth : 1;
    int is_due =
        ++t->visits[point] >= nth && plan->at == point && plan->deed != NULL;
    int is_done = t->visit(t->arg, point, is_due);
    return !is_done || plan->deed(&t->peer, plan->arg);
}

/* ---- start-up ---- */

/* Reads packets up to the startup packet, and refuses encryption. */
static int receive_start_up(struct talk *t)
{
    while (peer_read_packet(&t->peer)) {
        switch (t->peer.type) {
        case MESSAGE_START_UP:
            return 1;
        case MESSAGE_CANCEL:
            (void)reach(t, HOSTILE_CANCEL);
            return 0;
        default:
            if (!reach(t, HOSTILE_ENCRYPTION) ||
                !peer_send_bytes(&t->peer, "N", 1))
                return 0;
        }
    }
    return 0;
}

/* Returns the client's nonce, the end of SASLInitialResponse: "...,r=NONCE". */
static const char *client_nonce(const struct peer *peer)
{
    for (size_t i = 0; i + 2 < peer->size; i++)
        if (memcmp(peer->body + i, "r=", 2) == 0)
            return peer->body + i + 2;
    return "";
}

static int send_scram_challenge(struct talk *t)
{
    char body[512] = {0, 0, 0, 11};
    int size =
        snprintf(body + 4, sizeof body - 4, "r=%.300sSERVER,s=c2FsdA==,i=%lld",
                 client_nonce(&t->peer), (long long)t->plan.scram_iterations);
    return peer_send(&t->peer, 'R', body, (size_t)size + 4);
}

static int demand_scram(struct talk *t)
{
    struct peer *peer = &t->peer;
    return PEER_SEND(peer, 'R', "\0\0\0\12SCRAM-SHA-256\0") &&
           peer_read_message(peer) && reach(t, HOSTILE_SCRAM) &&
           send_scram_challenge(t) && peer_read_message(peer) &&
           deed_fatal(peer, DEED_CODE("28P01"));
}

static int send_ready(struct talk *t, enum hostile_point point)
{
    int more = reach(t, point) && peer_send(&t->peer, 'Z', &t->status, 1);
    t->peer.answered = t->peer.described = 0;
    return more;
}

static int let_in(struct talk *t)
{
    struct peer *peer = &t->peer;
    if (!reach(t, HOSTILE_AUTH))
        return 0;
    if (t->plan.scram_iterations != 0)
        return demand_scram(t);
    return PEER_SEND_RAW(peer, 'R', "\0\0\0\0") &&
           reach(t, HOSTILE_PARAMETER) &&
           PEER_SEND(peer, 'S', "server_version\00015.0") &&
           PEER_SEND(peer, 'S', "client_encoding\0UTF8") &&
           PEER_SEND(peer, 'S', "standard_conforming_strings\0on") &&
           PEER_SEND(peer, 'S', "in_hot_standby\0off") &&
           PEER_SEND(peer, 'S', "default_transaction_read_only\0off") &&
           reach(t, HOSTILE_KEY) &&
           PEER_SEND_RAW(peer, 'K', "\0\0\0\7\0\0\0\7") &&
           send_ready(t, HOSTILE_FIRST_READY);
}

/* ---- statements ---- */

static const char *const commands[] = {"BEGIN", "COMMIT", "ROLLBACK",
                                       "DISCARD ALL", "SET"};

/* Returns the command that the statement begins with, or NULL if it returns a
 * row. */
static const char *command_of(const char *sql)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strncasecmp(sql, commands[i], strlen(commands[i])) == 0)
            return commands[i];
    return NULL;
}

static int send_tag(struct talk *t, const char *command)
{
    if (strcmp(command, "BEGIN") == 0)
        t->status = 'T';
    else if (command[0] == 'C' || command[0] == 'R')
        t->status = 'I';
    return peer_send(&t->peer, 'C', command, strlen(command) + 1);
}

/* Sends the server's own answer, unless a deed has answered. */
static int answer_query(struct talk *t, const char *sql)
{
    const char *command = command_of(sql);
    struct peer *peer = &t->peer;
    if (peer->answered)
        return 1;
    if (!*sql)
        return PEER_SEND_RAW(peer, 'I', "");
    if (command)
        return send_tag(t, command);
    return peer_send_description(peer) && peer_send_row(peer) &&
           peer_send_tag(peer);
}

/* ---- extended query ---- */

static void keep_statement(struct talk *t)
{
    const struct peer *peer = &t->peer;
    const char *nul = memchr(peer->body, '\0', peer->size);
    (void)snprintf(t->sql, sizeof t->sql, "%s", nul ? nul + 1 : "");
}

static int describe(struct talk *t)
{
    int has_rows = t->sql[0] && !command_of(t->sql);
    if (!has_rows)
        return PEER_SEND_RAW(&t->peer, 'n', "");
    t->peer.described = peer_send_description(&t->peer);
    return t->peer.described;
}

static int execute(struct talk *t)
{
    return reach(t, HOSTILE_EXTENDED) && answer_query(t, t->sql);
}

static int answer(struct talk *t)
{
    struct peer *peer = &t->peer;
    switch (peer->type) {
    case 'X':
        return 0;
    case 'Q':
        return reach(t, HOSTILE_QUERY) && answer_query(t, peer->body) &&
               send_ready(t, HOSTILE_READY);
    case 'P':
        keep_statement(t);
        return PEER_SEND_RAW(peer, '1', "");
    case 'B':
        return PEER_SEND_RAW(peer, '2', "");
    case 'C':
        return PEER_SEND_RAW(peer, '3', "");
    case 'D':
        return describe(t);
    case 'E':
        return execute(t);
    case 'S':
        return send_ready(t, HOSTILE_READY);
    default:
        return 1;
    }
}

void talk(struct talk *t)
{
    t->status = 'I';
    int more = reach(t, HOSTILE_ACCEPT) && receive_start_up(t) && let_in(t);
    while (more && peer_read_message(&t->peer))
        more = answer(t);
}
