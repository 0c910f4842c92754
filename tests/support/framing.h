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
    int typed;   /* of the client: the start-up packet was seen */
    int pending; /* of the server: answers to encryption requests it owes */
    int opaque;  /* the rest is bytes without messages */
    int type;    /* of the present message; 0 between two messages */
    int head_size;
    unsigned char head[5];
    uint64_t position; /* in the present message */
    uint64_t left;     /* of its body */
};

/* Consecutive bytes of one message, or of no message (type 0). */
struct piece {
    size_t size;
    int type;
    int begins, ends; /* holds its message's first byte, its last byte */
    uint64_t
        position; /* of its first byte in the message; the type is byte 0 */
};

void framing_init(struct framing *framing, int from_client);

/* Describes the first piece of `bytes`, of at most `most` bytes, without going
 * past it.  Its size is 0 if more bytes are needed to know the type. */
struct piece framing_peek(const struct framing *framing,
                          const unsigned char *bytes, size_t size, size_t most);

/* Goes past the piece that framing_peek() describes.  `back` is the framing of
 * the other direction. */
struct piece framing_take(struct framing *framing, struct framing *back,
                          const unsigned char *bytes, size_t size, size_t most);

#endif
