/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The clients and the threads of the hostile server; see hostile.h.  `lock`
 * protects what the threads share. */
#include "hostile.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/thread.h"
#include "base/watch.h"
#include "socket.h"
#include "talk.h"

enum { BACKLOG = 64 };

struct client {
    struct list link;
    struct thread thread;
    struct talk talk;
    struct hostile *server;
    int plan_number;
    int gone; /* its thread does nothing more */
};

struct hostile {
    struct thread thread; /* accepts */
    int listener, port, stop;
    struct list clients; /* owned by the accepting thread until it has ended */

    struct lock lock;
    struct cond changed;
    struct hostile_plan plan;
    int plan_number; /* incremented with each plan */
    int done;        /* deeds done for this plan */
    int planned;     /* how many clients the plan is still for; -1: all */
    int accepted;
    int visits[HOSTILE_POINTS];
    int deeds;
};

/* A client of a plan that was replaced does no deed that the plan limits. */
static int may_do_deed_locked(const struct hostile *h,
                              const struct client *client)
{
    const struct hostile_plan *plan = &client->talk.plan;
    return plan->deeds == 0 ||
           (client->plan_number == h->plan_number && h->done < plan->deeds);
}

static int count_visit(void *arg, enum hostile_point point, int is_due)
{
    const struct client *client = arg;
    struct hostile *h = client->server;
    lock_take(&h->lock);
    int is_done = is_due && may_do_deed_locked(h, client);
    h->visits[point]++;
    h->deeds += is_done;
    h->done += is_done && client->plan_number == h->plan_number;
    cond_wake_all(&h->changed);
    lock_drop(&h->lock);
    return is_done;
}

static void *serve(void *arg)
{
    struct client *client = arg;
    struct peer *peer = &client->talk.peer;
    talk(&client->talk);
    if (peer->cut == PEER_RST && peer->sent >= peer->cut_after)
        socket_close_rst(peer->fd);
    else
        socket_close_fin(peer->fd);
    lock_take(&client->server->lock);
    client->gone = 1;
    lock_drop(&client->server->lock);
    return NULL;
}

/* Joins the threads of clients that have left, or of all. */
static void reap_clients(struct hostile *h, int all)
{
    for (struct list *node = h->clients.next, *next; node != &h->clients;
         node = next) {
        struct client *client = container_of(node, struct client, link);
        next = node->next;
        lock_take(&h->lock);
        int gone = client->gone;
        lock_drop(&h->lock);
        if (!all && !gone)
            continue;
        thread_join(&client->thread);
        list_remove(node);
        free(client);
    }
}

/* Returns the plan for a new client. */
static struct hostile_plan take_plan(struct hostile *h, int *number)
{
    struct hostile_plan plan = {.deed = NULL};
    lock_take(&h->lock);
    if (h->planned != 0)
        plan = h->plan;
    if (h->planned > 0)
        h->planned--;
    *number = h->plan_number;
    h->accepted++;
    cond_wake_all(&h->changed);
    lock_drop(&h->lock);
    return plan;
}

static void begin_client(struct hostile *h, int fd)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    client->server = h;
    struct talk *talk = &client->talk;
    talk->plan = take_plan(h, &client->plan_number);
    talk->visit = count_visit;
    talk->arg = client;
    talk->peer.fd = fd;
    talk->peer.stop = h->stop;
    talk->peer.chunk = talk->plan.chunk;
    talk->peer.gap_ms = talk->plan.gap_ms;
    talk->peer.cut = talk->plan.cut;
    talk->peer.cut_after = talk->plan.cut_after;
    list_push_back(&h->clients, &client->link);
    if (thread_start(&client->thread, serve, client) != 0)
        abort();
}

static void *accept_clients(void *arg)
{
    struct hostile *h = arg;
    struct pollfd fds[2] = {{.fd = h->listener, .events = POLLIN},
                            {.fd = h->stop, .events = POLLIN}};
    while (poll(fds, 2, -1) > 0 && fds[1].revents == 0) {
        int fd = socket_accept(h->listener);
        reap_clients(h, 0);
        if (fd >= 0)
            begin_client(h, fd);
    }
    return NULL;
}

/* ---- life ---- */

struct hostile *hostile_start(const struct hostile_plan *plan)
{
    struct hostile *h = calloc(1, sizeof *h);
    if (!h || lock_init(&h->lock) != 0 || cond_init(&h->changed) != 0)
        abort();
    list_init(&h->clients);
    if (plan)
        hostile_set(h, plan);
    h->stop = stop_open();
    h->listener = socket_bind_tcp(&h->port);
    if (h->stop < 0 || h->listener < 0 || listen(h->listener, BACKLOG) != 0 ||
        thread_start(&h->thread, accept_clients, h) != 0)
        abort();
    return h;
}

void hostile_stop(struct hostile *h)
{
    stop_raise(h->stop);
    thread_join(&h->thread);
    reap_clients(h, 1);
    (void)close(h->listener);
    stop_close(h->stop);
    cond_destroy(&h->changed);
    lock_destroy(&h->lock);
    free(h);
}

int hostile_port(const struct hostile *h)
{
    return h->port;
}

void hostile_set(struct hostile *h, const struct hostile_plan *plan)
{
    lock_take(&h->lock);
    h->plan = *plan;
    h->plan_number++;
    h->done = 0;
    h->planned = plan->clients > 0 ? plan->clients : -1;
    lock_drop(&h->lock);
}

/* ---- counts, and waiting for them ---- */

/* `count` is a counter of the server. */
static int read_count(struct hostile *h, const int *count)
{
    lock_take(&h->lock);
    int value = *count;
    lock_drop(&h->lock);
    return value;
}

static int wait_for(struct hostile *h, const int *count, int wanted, int ms)
{
    int64_t deadline = clock_after(clock_now(), ms);
    lock_take(&h->lock);
    while (*count < wanted && clock_now() < deadline)
        cond_wait(&h->changed, &h->lock, deadline);
    int enough = *count >= wanted;
    lock_drop(&h->lock);
    return enough;
}

int hostile_clients(struct hostile *h)
{
    return read_count(h, &h->accepted);
}

int hostile_visits(struct hostile *h, enum hostile_point point)
{
    return read_count(h, &h->visits[point]);
}

int hostile_deeds(struct hostile *h)
{
    return read_count(h, &h->deeds);
}

int hostile_wait_deeds(struct hostile *h, int count, int ms)
{
    return wait_for(h, &h->deeds, count, ms);
}

int hostile_wait_clients(struct hostile *h, int count, int ms)
{
    return wait_for(h, &h->accepted, count, ms);
}

int hostile_wait_visits(struct hostile *h, enum hostile_point point, int count,
                        int ms)
{
    return wait_for(h, &h->visits[point], count, ms);
}
