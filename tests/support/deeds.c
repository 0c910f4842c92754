/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What the hostile server does to a client; see deeds.h. */
#include "deeds.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- silence, and the end ---- */

int deed_silence(struct peer *peer, int64_t arg)
{
    char bytes[4096];
    (void)arg;
    while (peer_wait(peer, -1) && recv(peer->fd, bytes, sizeof bytes, 0) > 0)
        ;
    return 0;
}

static int wait_for_stop(const struct peer *peer, int ms)
{
    struct pollfd stop = {.fd = peer->stop, .events = POLLIN};
    return poll(&stop, 1, ms) > 0;
}

int deed_deaf(struct peer *peer, int64_t arg)
{
    (void)arg;
    (void)wait_for_stop(peer, -1);
    return 0;
}

int deed_late(struct peer *peer, int64_t arg)
{
    return !wait_for_stop(peer, (int)arg);
}

static int cut(struct peer *peer, enum peer_cut how)
{
    peer->cut = how;
    peer->cut_after = peer->sent;
    return 0;
}

int deed_fin(struct peer *peer, int64_t arg)
{
    (void)arg;
    return cut(peer, PEER_FIN);
}

int deed_rst(struct peer *peer, int64_t arg)
{
    (void)arg;
    return cut(peer, PEER_RST);
}

int deed_drip(struct peer *peer, int64_t arg)
{
    peer->chunk = 1;
    peer->gap_ms = (int)arg;
    return 1;
}

/* ---- invalid messages ---- */

int deed_length(struct peer *peer, int64_t arg)
{
    static const char zeroes[64];
    return peer_send_head(peer, (char)(arg >> 32), arg & UINT32_MAX) &&
           peer_send_bytes(peer, zeroes, sizeof zeroes) &&
           deed_silence(peer, 0);
}

int deed_message(struct peer *peer, int64_t arg)
{
    return PEER_SEND_RAW(peer, (char)arg, "");
}

int deed_garbage(struct peer *peer, int64_t arg)
{
    (void)arg;
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    return peer_send_bytes(peer, text, sizeof text - 1) &&
           deed_silence(peer, 0);
}

/* ---- errors ---- */

int deed_error_without_code(struct peer *peer, int64_t arg)
{
    peer->answered = 1;
    if (arg != 0)
        return PEER_SEND(peer, 'E', "SERROR\0VERROR\0Mno code at all\0");
    return PEER_SEND(peer, 'E', "SFATAL\0VFATAL\0Mno code at all\0") &&
           cut(peer, PEER_FIN);
}

int deed_fatal(struct peer *peer, int64_t arg)
{
    char body[] = "SFATAL\0VFATAL\0Cxxxxx\0Mthe server says no\0";
    char *code = body + sizeof "SFATAL\0VFATAL\0C" - 1;
    for (int i = 0; i < 5; i++)
        code[i] = (char)(arg >> (32 - 8 * i));
    return PEER_SEND(peer, 'E', body) && cut(peer, PEER_FIN);
}

/* ---- floods ---- */

static int one_row(struct peer *peer, int64_t n)
{
    (void)n;
    return peer_send_row(peer);
}

static int one_result(struct peer *peer, int64_t n)
{
    (void)n;
    return peer_send_description(peer) && peer_send_row(peer) &&
           peer_send_tag(peer);
}

static int one_error(struct peer *peer, int64_t n)
{
    (void)n;
    return PEER_SEND(peer, 'E', "SERROR\0VERROR\0C22012\0Mone more error\0");
}

static int one_notice(struct peer *peer, int64_t n)
{
    (void)n;
    return PEER_SEND(peer, 'N', "SNOTICE\0VNOTICE\0C00000\0Mone more notice\0");
}

static int one_notification(struct peer *peer, int64_t n)
{
    (void)n;
    return PEER_SEND(peer, 'A', "\0\0\0\7channel\0payload");
}

static int one_parameter(struct peer *peer, int64_t n)
{
    char body[64];
    int size = snprintf(body, sizeof body, "name%lld%cvalue", (long long)n, 0);
    return peer_send(peer, 'S', body, (size_t)size + 1);
}

static int flood(struct peer *peer, int64_t times,
                 int (*send_one)(struct peer *, int64_t))
{
    char batch[PEER_BATCH];
    int more = 1;
    peer_begin_batch(peer, batch);
    for (int64_t i = 0; more && (times == 0 || i < times); i++)
        more = send_one(peer, i);
    return peer_end_batch(peer) && more;
}

int deed_results(struct peer *peer, int64_t arg)
{
    return flood(peer, arg, one_result);
}

int deed_rows(struct peer *peer, int64_t arg)
{
    return peer_send_description(peer) && flood(peer, arg, one_row) &&
           peer_send_tag(peer);
}

int deed_big_row(struct peer *peer, int64_t arg)
{
    static const char zeroes[65536];
    int64_t size = arg * 1024 * 1024;
    char head[] = "\0\1\0\0\0\0";
    for (int i = 0; i < 4; i++)
        head[2 + i] = (char)(size >> (24 - 8 * i));
    int more = peer_send_description(peer) &&
               peer_send_head(peer, 'D', size + 10) &&
               peer_send_bytes(peer, head, 6);
    for (int64_t sent = 0; more && sent < size; sent += (int64_t)sizeof zeroes)
        more = peer_send_bytes(peer, zeroes, sizeof zeroes);
    return more && peer_send_tag(peer);
}

int deed_errors(struct peer *peer, int64_t arg)
{
    return flood(peer, arg, one_error);
}

int deed_notices(struct peer *peer, int64_t arg)
{
    return flood(peer, arg, one_notice);
}

int deed_notifications(struct peer *peer, int64_t arg)
{
    return flood(peer, arg, one_notification);
}

int deed_parameters(struct peer *peer, int64_t arg)
{
    return flood(peer, arg, one_parameter);
}
