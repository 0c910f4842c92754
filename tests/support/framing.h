/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Cuts one direction of a PostgreSQL conversation into messages, by their
 * headers alone.
 *
 * The packets that have no type letter get one here.  After the server has
 * agreed to TLS or GSSAPI encryption, and after a length that is none, the rest
 * of the direction is bytes without messages.
 */
#ifndef TESTS_SUPPORT_FRAMING_H
#define TESTS_SUPPORT_FRAMING_H

#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGE_START_UP = '^',   /* the client's start-up packet */
    MESSAGE_ENCRYPTION = '?', /* SSLRequest, GSSENCRequest, and the answer */
    MESSAGE_CANCEL = '!',     /* CancelRequest */
    MESSAGE_ANY = '*'         /* in a rule: a message of any type */
};

struct framing {
    int from_client;
    int typed; /* of the client: the startup packet was seen */
    /* of the server: answers to encryption requests that are due */
    int pending;
    int opaque; /* the rest is bytes without messages */
    int type;   /* of the current message; 0 between two messages */
    int head_size;
    unsigned char head[5];
    uint64_t position; /* in the current message */
    uint64_t left;     /* bytes left of its body */
};

/* Consecutive bytes of one message, or of no message (type 0). */
struct piece {
    size_t size;
    int type;
    /* it holds the first byte, or the last byte, of its message */
    int begins, ends;
    uint64_t
        /* of its first byte in the message; the type letter is byte 0 */
        position;
};

void framing_init(struct framing *framing, int from_client);

/* Describes the first piece of `bytes`, of at most `most` bytes, without
 * passing it.  The piece has size 0 if more bytes are needed to know its type.
 */
struct piece framing_peek(const struct framing *framing,
                          const unsigned char *bytes, size_t size, size_t most);

/* Passes the piece that framing_peek() describes.  `back` is the framing of the
 * other direction. */
struct piece framing_take(struct framing *framing, struct framing *back,
                          const unsigned char *bytes, size_t size, size_t most);

#endif
