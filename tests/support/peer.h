/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One client of the hostile server, and the messages of the protocol that the
 * server exchanges with it.  Each function returns 1, or 0 if the conversation
 * is over: the client has left, the server is to stop, or the plan has cut the
 * connection.  Used by the one thread that serves this client.
 */
#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include <stddef.h>
#include <stdint.h>

enum peer_cut { PEER_NO_CUT, PEER_FIN, PEER_RST };

enum { PEER_BODY = 65536 };

struct peer {
    int fd, stop;
    /* How the server sends: */
    size_t chunk;      /* at most this many bytes at once; 0: no limit */
    int gap_ms;        /* pause between two chunks */
    enum peer_cut cut; /* how it cuts after `cut_after` bytes */
    uint64_t cut_after, sent;
    char *batch; /* not NULL: collects small messages */
    size_t collected;
    int described; /* the client already has the RowDescription */
    int answered;  /* the rest of the current answer is left out */
    /* The message that was read last: */
    int type; /* as in framing.h */
    size_t size;
    char body[PEER_BODY + 1]; /* a NUL follows it */
};

/* Returns 1 when the client has sent something, 0 if `ms` have passed (-1: no
 * limit). */
int peer_wait(const struct peer *peer, int ms);

/* Read a packet without a type letter, or a message. */
int peer_read_packet(struct peer *peer);
int peer_read_message(struct peer *peer);

int peer_send_bytes(struct peer *peer, const void *bytes, size_t size);
/* Sends a message of that type. */
int peer_send(struct peer *peer, char type, const void *body, size_t size);
/* The body is a literal, sent with or without its last NUL. */
#define PEER_SEND(peer, type, body)                                            \
    peer_send((peer), (type), (body), sizeof(body))
#define PEER_SEND_RAW(peer, type, body)                                        \
    peer_send((peer), (type), (body), sizeof(body) - 1)
/* Sends only the head of a message, with any length word. */
int peer_send_head(struct peer *peer, char type, int64_t length);
/* Until peer_end_batch(), messages are sent together, PEER_BATCH bytes at once,
 * so that the server is faster than its client. */
enum { PEER_BATCH = 65536 };
void peer_begin_batch(struct peer *peer, char batch[PEER_BATCH]);
int peer_end_batch(struct peer *peer);
/* Sends the RowDescription of one text column, unless Describe has sent it;
 * DataRow; the tag of a SELECT. */
int peer_send_description(struct peer *peer);
int peer_send_row(struct peer *peer);
int peer_send_tag(struct peer *peer);

#endif
