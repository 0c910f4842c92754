/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The headers of the protocol; see framing.h.  A typed message is a letter, a
 * length word that counts itself, and a body.  The client's first packets are
 * a length word, a code, and a body.
 */
#include "framing.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    WORD = 4,
    TYPED_HEAD = 5,
    UNTYPED_HEAD = 8,
    TLS_HANDSHAKE = 0x16, /* the first byte of TLS without a request */
    CANCEL_REQUEST = 80877102,
    SSL_REQUEST = 80877103,
    GSS_REQUEST = 80877104
};

void framing_init(struct framing *framing, int from_client)
{
    *framing =
        (struct framing){.from_client = from_client, .typed = !from_client};
}

static uint32_t word_at(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return ntohl(word);
}

static int untyped_message(uint32_t code)
{
    switch (code) {
    case CANCEL_REQUEST:
        return MESSAGE_CANCEL;
    case SSL_REQUEST:
    case GSS_REQUEST:
        return MESSAGE_ENCRYPTION;
    default:
        return MESSAGE_START_UP;
    }
}

/* Called when the header is complete. */
static void begin_untyped(struct framing *f, const unsigned char *bytes)
{
    uint32_t length = word_at(bytes);
    if (length < UNTYPED_HEAD) {
        f->opaque = 1;
        return;
    }
    f->type = untyped_message(word_at(bytes + WORD));
    f->head_size = TYPED_HEAD; /* no more bytes are needed */
    f->left = length;
}

static void begin_answer(struct framing *f)
{
    f->type = MESSAGE_ENCRYPTION;
    f->head_size = TYPED_HEAD;
    f->left = 1;
}

/* Begins a message at its first byte.  Returns 0 if that needs more bytes. */
static int begin(struct framing *f, const unsigned char *bytes, size_t size)
{
    f->position = 0;
    f->head_size = 0;
    f->left = 0;
    if (!f->typed && bytes[0] == TLS_HANDSHAKE) {
        f->opaque = 1;
    } else if (!f->typed) {
        if (size < UNTYPED_HEAD)
            return 0;
        begin_untyped(f, bytes);
    } else if (f->pending > 0 && bytes[0] != 'E') {
        begin_answer(f);
    } else {
        f->type = bytes[0];
    }
    return 1;
}

/* Takes the available part of the header.  Returns the number of its bytes. */
static size_t take_head(struct framing *f, const unsigned char *bytes,
                        size_t size)
{
    size_t missing = (size_t)(TYPED_HEAD - f->head_size);
    size_t take = size < missing ? size : missing;
    memcpy(f->head + f->head_size, bytes, take);
    f->head_size += (int)take;
    if (f->head_size == TYPED_HEAD) {
        uint32_t length = word_at(f->head + 1);
        f->opaque = length < WORD || length > INT32_MAX;
        f->left = f->opaque ? 0 : length - WORD;
    }
    return take;
}

static size_t take_body(struct framing *f, size_t size)
{
    size_t take = size < f->left ? size : (size_t)f->left;
    f->left -= take;
    return take;
}

/* Applies what a complete message means for the following messages. */
static void end(struct framing *f, struct framing *back, unsigned char last)
{
    if (f->from_client && f->type == MESSAGE_ENCRYPTION && back)
        back->pending++;
    if (f->from_client && f->type == MESSAGE_START_UP)
        f->typed = 1;
    if (!f->from_client && f->type == MESSAGE_ENCRYPTION) {
        f->pending--;
        int agreed = last == 'S' || last == 'G';
        f->opaque = agreed;
        if (back)
            back->opaque |= agreed;
    }
    f->type = 0;
}

struct piece framing_take(struct framing *f, struct framing *back,
                          const unsigned char *bytes, size_t size, size_t most)
{
    struct piece piece = {.size = size < most ? size : most};
    if (f->opaque || piece.size == 0)
        return piece;

    if (f->type == 0) {
        piece.begins = 1;
        if (!begin(f, bytes, size))
            return (struct piece){0};
        if (f->opaque)
            return piece;
    }
    piece.type = f->type;
    piece.position = f->position;

    piece.size = f->head_size < TYPED_HEAD ? take_head(f, bytes, piece.size)
                                           : take_body(f, piece.size);
    f->position += piece.size;
    piece.ends = !f->opaque && f->head_size == TYPED_HEAD && f->left == 0;
    if (piece.ends)
        end(f, back, bytes[piece.size - 1]);
    return piece;
}

struct piece framing_peek(const struct framing *framing,
                          const unsigned char *bytes, size_t size, size_t most)
{
    struct framing copy = *framing;
    return framing_take(&copy, NULL, bytes, size, most);
}
