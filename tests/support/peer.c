/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Bytes and messages to and from a client; see peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "framing.h"

enum { WORD = 4 };

/* Returns 1 if ready, 0 if late or stopped. */
static int wait_ready(const struct peer *peer, short events, int ms)
{
    struct pollfd fds[2] = {{.fd = peer->fd, .events = events},
                            {.fd = peer->stop, .events = POLLIN}};
    return poll(fds, 2, ms) > 0 && fds[1].revents == 0;
}

int peer_wait(const struct peer *peer, int ms)
{
    return wait_ready(peer, POLLIN, ms);
}

/* ---- reading ---- */

static int read_exactly(struct peer *peer, char *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        if (!peer_wait(peer, -1))
            return 0;
        ssize_t n = recv(peer->fd, to + got, size - got, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return 0;
        got += n > 0 ? (size_t)n : 0;
    }
    return 1;
}

static uint32_t word_at(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return ntohl(word);
}

/* Reads a length word and the body.  Bytes beyond PEER_BODY are dropped. */
static int read_body(struct peer *peer)
{
    char word[WORD];
    if (!read_exactly(peer, word, sizeof word) || word_at(word) < WORD)
        return 0;
    size_t size = word_at(word) - WORD;
    peer->size = size < PEER_BODY ? size : PEER_BODY;
    if (!read_exactly(peer, peer->body, peer->size))
        return 0;
    peer->body[peer->size] = '\0';

    for (size_t rest = size - peer->size; rest > 0;) {
        char bytes[4096];
        size_t part = rest < sizeof bytes ? rest : sizeof bytes;
        if (!read_exactly(peer, bytes, part))
            return 0;
        rest -= part;
    }
    return 1;
}

int peer_read_packet(struct peer *peer)
{
    enum { CANCEL = 80877102, SSL = 80877103, GSS = 80877104 };
    if (!read_body(peer) || peer->size < WORD)
        return 0;
    uint32_t code = word_at(peer->body);
    peer->type = code == CANCEL               ? MESSAGE_CANCEL
                 : code == SSL || code == GSS ? MESSAGE_ENCRYPTION
                                              : MESSAGE_START_UP;
    return 1;
}

int peer_read_message(struct peer *peer)
{
    char type;
    if (!read_exactly(peer, &type, 1) || !read_body(peer))
        return 0;
    peer->type = (unsigned char)type;
    return 1;
}

/* ---- sending ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Returns how many of `size` bytes may be sent at once, or 0 if the connection
 * has to be cut here. */
static size_t next_part(const struct peer *peer, size_t size)
{
    if (peer->chunk > 0)
        size = least(size, peer->chunk);
    if (peer->cut != PEER_NO_CUT)
        size = least(size, (size_t)(peer->cut_after - peer->sent));
    return size;
}

/* Returns 1 after the pause, 0 if the server is to stop. */
static int wait_gap(const struct peer *peer)
{
    struct pollfd stop = {.fd = peer->stop, .events = POLLIN};
    return peer->gap_ms == 0 || poll(&stop, 1, peer->gap_ms) == 0;
}

static int send_now(struct peer *peer, const char *at, size_t size)
{
    while (size > 0) {
        size_t part = next_part(peer, size);
        if (part == 0 || !wait_ready(peer, POLLOUT, -1))
            return 0;
        ssize_t n = send(peer->fd, at, part, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return 0;
        if (n <= 0)
            continue;
        at += n;
        size -= (size_t)n;
        peer->sent += (uint64_t)n;
        if (size > 0 && !wait_gap(peer))
            return 0;
    }
    /* The cut comes after these bytes, not before the next ones. */
    return peer->cut == PEER_NO_CUT || peer->sent < peer->cut_after;
}

static int send_batch(struct peer *peer)
{
    size_t size = peer->collected;
    peer->collected = 0;
    return send_now(peer, peer->batch, size);
}

int peer_send_bytes(struct peer *peer, const void *bytes, size_t size)
{
    if (!peer->batch)
        return send_now(peer, bytes, size);
    if (size > PEER_BATCH - peer->collected && !send_batch(peer))
        return 0;
    if (size > PEER_BATCH)
        return send_now(peer, bytes, size);
    memcpy(peer->batch + peer->collected, bytes, size);
    peer->collected += size;
    return 1;
}

void peer_begin_batch(struct peer *peer, char batch[PEER_BATCH])
{
    peer->batch = batch;
    peer->collected = 0;
}

int peer_end_batch(struct peer *peer)
{
    int sent = send_batch(peer);
    peer->batch = NULL;
    return sent;
}

int peer_send_head(struct peer *peer, char type, int64_t length)
{
    char head[1 + WORD] = {type};
    uint32_t word = htonl((uint32_t)length);
    memcpy(head + 1, &word, sizeof word);
    return peer_send_bytes(peer, head, sizeof head);
}

/* Sends small messages in one piece, so that a client that has read once has
 * the whole message. */
int peer_send(struct peer *peer, char type, const void *body, size_t size)
{
    char bytes[1024] = {type};
    uint32_t word = htonl((uint32_t)(size + WORD));
    if (size > sizeof bytes - 1 - WORD)
        return peer_send_head(peer, type, (int64_t)(size + WORD)) &&
               peer_send_bytes(peer, body, size);
    memcpy(bytes + 1, &word, sizeof word);
    memcpy(bytes + 1 + WORD, body, size);
    return peer_send_bytes(peer, bytes, 1 + WORD + size);
}

int peer_send_description(struct peer *peer)
{
    int described = peer->described;
    peer->described = 0;
    if (described)
        return 1;
    return PEER_SEND_RAW(peer, 'T',
                         "\0\1x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff"
                         "\xff\xff\xff\xff\0\0");
}

int peer_send_row(struct peer *peer)
{
    return PEER_SEND_RAW(peer, 'D', "\0\1\0\0\0\1x");
}

int peer_send_tag(struct peer *peer)
{
    return PEER_SEND(peer, 'C', "SELECT 1");
}
