/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One proxied connection; see pair.h. */
#include "pair.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "socket.h"

struct pair *pair_open(int epoll, uint64_t token, int client, int server)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        abort();
    pair->token = token;
    pair->epoll = epoll;
    pair->fd[CLIENT] = client;
    pair->fd[SERVER] = server;
    pair->open = 1;
    flow_init(&pair->flow[CLIENT], &pair->flow[SERVER], 1);
    flow_init(&pair->flow[SERVER], &pair->flow[CLIENT], 0);
    return pair;
}

void pair_close(struct pair *pair, enum fault_action how)
{
    for (int end = 0; end < ENDS; end++) {
        if (how == FAULT_RST)
            socket_close_rst(pair->fd[end]);
        else
            socket_close_fin(pair->fd[end]);
        pair->fd[end] = -1;
        flow_free(&pair->flow[end]);
    }
    pair->open = 0;
}

void pair_free(struct pair *pair)
{
    if (pair->open)
        pair_close(pair, FAULT_FIN);
    free(pair);
}

/* Ends the connection after a broken socket, unless a silence hides that from
 * the other end. */
static void fail(struct pair *pair, int end)
{
    struct flow *flow = &pair->flow[end];
    if (flow->dropping || flow->place.reached) {
        flow->at_end = 1;
        flow_discard(&pair->flow[!end]);
    } else {
        pair_close(pair, FAULT_RST);
    }
}

void pair_read(struct pair *pair, int end)
{
    struct flow *flow = &pair->flow[end];
    if (pair->open && flow_wants_input(flow) && flow_read(flow, pair->fd[end]))
        fail(pair, end);
}

/* ---- settling ---- */

/* Takes the action of a rule that concerns both directions. */
static void obey(struct pair *pair, enum fault_action action)
{
    if (action == FAULT_SILENCE)
        pair->flow[CLIENT].dropping = pair->flow[SERVER].dropping = 1;
    else if (action != FAULT_PASS)
        pair_close(pair, action);
}

/* Returns 1 if both peers have closed, and nothing is held or still to be sent.
 */
static int is_over(const struct pair *pair)
{
    int over = 1;
    for (int end = 0; end < ENDS; end++) {
        const struct flow *flow = &pair->flow[end];
        over &= flow->at_end && flow->queued == 0 && flow->input_size == 0;
    }
    return over;
}

static void watch(struct pair *pair, int end, int64_t now)
{
    uint32_t events = 0;
    if (flow_wants_input(&pair->flow[end]))
        events |= EPOLLIN;
    if (flow_wants_output(&pair->flow[!end], now))
        events |= EPOLLOUT;
    if (events == pair->watched[end])
        return;

    /* A socket without wanted events is not registered, because epoll would
     * report its end again and again. */
    struct epoll_event event = {.events = events,
                                .data.u64 = pair->token + (uint64_t)end};
    int op = !events               ? EPOLL_CTL_DEL
             : !pair->watched[end] ? EPOLL_CTL_ADD
                                   : EPOLL_CTL_MOD;
    if (epoll_ctl(pair->epoll, op, pair->fd[end], &event) != 0)
        abort();
    pair->watched[end] = events;
}

void pair_settle(struct pair *pair)
{
    for (int end = 0; pair->open && end < ENDS; end++) {
        struct flow *flow = &pair->flow[end];
        flow_judge(flow);
        if (flow_write(flow, pair->fd[!end]))
            fail(pair, !end);
        else
            obey(pair, flow_verdict(flow));
    }
    if (pair->open && is_over(pair))
        pair_close(pair, FAULT_FIN);

    int64_t now = clock_now();
    for (int end = 0; pair->open && end < ENDS; end++)
        watch(pair, end, now);
}

int64_t pair_due(const struct pair *pair, int64_t now)
{
    int64_t next = CLOCK_NEVER;
    for (int end = 0; pair->open && end < ENDS; end++) {
        int64_t due = flow_due(&pair->flow[end]);
        /* Overdue bytes wait for their socket. */
        if (due > now && due < next)
            next = due;
    }
    return next;
}
