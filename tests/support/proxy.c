/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The thread and the control of the fault proxy; see proxy.h.  `lock` protects
 * all fields except those that never change.  The thread holds the lock except
 * while it waits for events, so that a new rule applies to all later bytes.
 */
#include "proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/thread.h"
#include "base/watch.h"
#include "pair.h"
#include "socket.h"

enum { BACKLOG = 64, EVENTS = 64 };
/* Tokens of epoll events.  FIRST_PAIR is the first pair's. */
enum { TOKEN_WAKE, TOKEN_LISTENER, FIRST_PAIR };

struct proxy {
    struct thread thread;
    int port, epoll, wake;
    int reserve; /* keeps the port while no socket listens; -1: a Unix socket */
    char *directory; /* of the Unix socket, else NULL */

    struct lock lock;
    struct cond changed;
    int stopping;
    int listener; /* -1: connections are refused */
    char *host;   /* of the server */
    int server_port;
    struct fault_rule rules[ENDS]; /* of new connections */
    struct fault_rule next[ENDS];  /* of the next connection only ... */
    int has_next[ENDS];            /* ... if this is set */
    struct pair **pairs;           /* all connections, by number - 1 */
    int count, room;
    struct list open;
};

/* ---- the thread ---- */

static struct pair *pair_of(struct list *node)
{
    return container_of(node, struct pair, link);
}

static void settle_locked(struct pair *pair)
{
    pair_settle(pair);
    if (!pair->open)
        list_remove(&pair->link);
}

static void add_pair_locked(struct proxy *p, int client, int server)
{
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 64;
        p->pairs = realloc(p->pairs, (size_t)p->room * sizeof(struct pair *));
        if (!p->pairs)
            abort();
    }
    uint64_t token = FIRST_PAIR + (uint64_t)p->count * ENDS;
    struct pair *pair = pair_open(p->epoll, token, client, server);
    p->pairs[p->count++] = pair;
    list_push_back(&p->open, &pair->link);
    for (int end = 0; end < ENDS; end++) {
        flow_set(&pair->flow[end],
                 p->has_next[end] ? &p->next[end] : &p->rules[end]);
        p->has_next[end] = 0;
    }
    settle_locked(pair);
}

static void accept_locked(struct proxy *p)
{
    int client = p->listener < 0 ? -1 : socket_accept(p->listener);
    if (client < 0)
        return;
    int server = socket_connect(p->host, p->server_port);
    if (server < 0)
        socket_close_fin(client);
    else
        add_pair_locked(p, client, server);
}

static void handle_locked(struct proxy *p, uint64_t token)
{
    uint64_t count;
    if (token == TOKEN_WAKE) {
        ssize_t n = read(p->wake, &count, sizeof count);
        (void)n;
    } else if (token == TOKEN_LISTENER) {
        accept_locked(p);
    } else {
        struct pair *pair = p->pairs[(token - FIRST_PAIR) / ENDS];
        pair_read(pair, (token - FIRST_PAIR) % ENDS);
    }
}

/* Lets each open pair act.  Returns when the next one has to. */
static int64_t settle_all_locked(struct proxy *p)
{
    int64_t due = CLOCK_NEVER, now = clock_now();
    for (struct list *node = p->open.next, *next; node != &p->open;
         node = next) {
        struct pair *pair = pair_of(node);
        next = node->next;
        settle_locked(pair);
        int64_t at = pair_due(pair, now);
        due = at < due ? at : due;
    }
    cond_wake_all(&p->changed);
    return due;
}

static void *serve(void *arg)
{
    struct proxy *p = arg;
    struct epoll_event events[EVENTS];
    lock_take(&p->lock);
    while (!p->stopping) {
        int64_t due = settle_all_locked(p);
        lock_drop(&p->lock);
        int n = epoll_wait(p->epoll, events, EVENTS,
                           clock_ms_until(due, clock_now()));
        lock_take(&p->lock);
        for (int i = 0; i < n; i++)
            handle_locked(p, events[i].data.u64);
    }
    lock_drop(&p->lock);
    return NULL;
}

/* ---- life ---- */

static int watch_fd(const struct proxy *p, int fd, uint64_t token)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
    return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Returns 0, or -1 and errno. */
static int begin_to_listen(struct proxy *p)
{
    p->listener = p->directory ? socket_bind_unix(p->directory, p->port)
                               : socket_bind_tcp(&p->port);
    if (p->listener < 0 || listen(p->listener, BACKLOG) != 0)
        return -1;
    return watch_fd(p, p->listener, TOKEN_LISTENER);
}

static void end_to_listen(struct proxy *p)
{
    if (p->listener >= 0)
        (void)close(p->listener);
    p->listener = -1;
}

static char *copy(const char *text)
{
    char *own = strdup(text);
    if (!own)
        abort();
    return own;
}

static void free_proxy(struct proxy *p)
{
    for (int i = 0; i < p->count; i++)
        pair_free(p->pairs[i]);
    end_to_listen(p);
    if (p->reserve >= 0)
        (void)close(p->reserve);
    if (p->wake >= 0)
        stop_close(p->wake);
    if (p->epoll >= 0)
        (void)close(p->epoll);
    cond_destroy(&p->changed);
    lock_destroy(&p->lock);
    free(p->pairs);
    free(p->directory);
    free(p->host);
    free(p);
}

static struct proxy *start(struct proxy *p, const char *host, int port)
{
    p->host = copy(host);
    p->server_port = port;
    p->listener = -1;
    list_init(&p->open);
    if (lock_init(&p->lock) != 0 || cond_init(&p->changed) != 0)
        abort();

    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = stop_open();
    if (p->epoll < 0 || p->wake < 0 || watch_fd(p, p->wake, TOKEN_WAKE) != 0 ||
        begin_to_listen(p) != 0 || thread_start(&p->thread, serve, p) != 0) {
        int rc = errno;
        free_proxy(p);
        errno = rc;
        return NULL;
    }
    return p;
}

struct proxy *proxy_start(const char *host, int port)
{
    struct proxy *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->reserve = socket_bind_tcp(&p->port);
    return start(p, host, port);
}

struct proxy *proxy_start_unix(const char *directory, int port,
                               const char *server_host, int server_port)
{
    struct proxy *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->reserve = -1;
    p->directory = copy(directory);
    p->port = port;
    return start(p, server_host, server_port);
}

void proxy_stop(struct proxy *p)
{
    lock_take(&p->lock);
    p->stopping = 1;
    lock_drop(&p->lock);
    stop_raise(p->wake);
    thread_join(&p->thread);
    if (p->directory) {
        char path[128];
        (void)snprintf(path, sizeof path, "%.80s/.s.PGSQL.%d", p->directory,
                       p->port);
        (void)unlink(path);
    }
    free_proxy(p);
}

int proxy_port(const struct proxy *p)
{
    return p->port;
}

/* ---- control ---- */

void proxy_route(struct proxy *p, const char *host, int port)
{
    lock_take(&p->lock);
    free(p->host);
    p->host = copy(host);
    p->server_port = port;
    lock_drop(&p->lock);
}

void proxy_listen(struct proxy *p, int accepts)
{
    lock_take(&p->lock);
    if (!accepts)
        end_to_listen(p);
    else if (p->listener < 0 && begin_to_listen(p) != 0)
        abort();
    lock_drop(&p->lock);
}

static int is_meant(int direction, int end)
{
    return direction == BOTH_WAYS || direction == end;
}

static void set_pair_locked(struct pair *pair, int direction,
                            const struct fault_rule *rule)
{
    for (int end = 0; end < ENDS; end++) {
        pair->flow[end].dropping = 0; /* set by a silence that ends now */
        if (is_meant(direction, end))
            flow_set(&pair->flow[end], rule);
    }
}

static void set_new_locked(struct proxy *p, int which, int end,
                           const struct fault_rule *rule)
{
    p->has_next[end] = which == PROXY_NEXT;
    if (which == PROXY_NEXT)
        p->next[end] = *rule;
    else
        p->rules[end] = *rule;
}

void proxy_set(struct proxy *p, int which, enum proxy_direction direction,
               const struct fault_rule *rule)
{
    lock_take(&p->lock);
    for (int end = 0; which <= 0 && end < ENDS; end++) {
        if (is_meant((int)direction, end))
            set_new_locked(p, which, end, rule);
    }
    for (struct list *node = p->open.next, *next; node != &p->open;
         node = next) {
        struct pair *pair = pair_of(node);
        next = node->next;
        if (which == PROXY_ALL ||
            (which > 0 && which <= p->count && pair == p->pairs[which - 1])) {
            set_pair_locked(pair, (int)direction, rule);
            settle_locked(pair);
        }
    }
    cond_wake_all(&p->changed);
    lock_drop(&p->lock);
    stop_raise(p->wake);
}

void proxy_pass(struct proxy *p)
{
    proxy_set(p, PROXY_ALL, BOTH_WAYS, &(struct fault_rule){0});
}

/* ---- counts, and waiting for them ---- */

enum subject { ACCEPTED, OPEN, BYTES, MESSAGES, REACHED };

struct question {
    enum subject about;
    int number, direction, type;
};

static uint64_t answer_locked(const struct proxy *p, const struct question *q)
{
    uint64_t open = 0;
    switch (q->about) {
    case ACCEPTED:
        return (uint64_t)p->count;
    case OPEN:
        for (const struct list *n = p->open.next; n != &p->open; n = n->next)
            open++;
        return open;
    default:
        break;
    }
    if (q->number < 1 || q->number > p->count)
        return 0;
    const struct flow *flow = &p->pairs[q->number - 1]->flow[q->direction];
    switch (q->about) {
    case BYTES:
        return flow->bytes;
    case MESSAGES:
        return (uint64_t)flow->messages[q->type];
    default:
        return (uint64_t)flow->place.reached;
    }
}

static uint64_t answer(struct proxy *p, struct question q)
{
    lock_take(&p->lock);
    uint64_t count = answer_locked(p, &q);
    lock_drop(&p->lock);
    return count;
}

static int wait_for(struct proxy *p, struct question q, uint64_t count, int ms)
{
    int64_t deadline = clock_after(clock_now(), ms);
    uint64_t now;
    lock_take(&p->lock);
    /* The number of open connections falls, and must match exactly. */
    while (now = answer_locked(p, &q),
           (q.about == OPEN ? now != count : now < count) &&
               clock_now() < deadline)
        cond_wait(&p->changed, &p->lock, deadline);
    lock_drop(&p->lock);
    return q.about == OPEN ? now == count : now >= count;
}

int proxy_accepted(struct proxy *p)
{
    return (int)answer(p, (struct question){.about = ACCEPTED});
}

int proxy_open_count(struct proxy *p)
{
    return (int)answer(p, (struct question){.about = OPEN});
}

uint64_t proxy_bytes(struct proxy *p, int number,
                     enum proxy_direction direction)
{
    return answer(p, (struct question){BYTES, number, (int)direction, 0});
}

int proxy_messages(struct proxy *p, int number, enum proxy_direction direction,
                   int type)
{
    return (int)answer(
        p, (struct question){MESSAGES, number, (int)direction, type});
}

int proxy_wait_accepted(struct proxy *p, int count, int ms)
{
    return wait_for(p, (struct question){.about = ACCEPTED}, (uint64_t)count,
                    ms);
}

int proxy_wait_open(struct proxy *p, int count, int ms)
{
    return wait_for(p, (struct question){.about = OPEN}, (uint64_t)count, ms);
}

int proxy_wait_bytes(struct proxy *p, int number,
                     enum proxy_direction direction, uint64_t count, int ms)
{
    return wait_for(p, (struct question){BYTES, number, (int)direction, 0},
                    count, ms);
}

int proxy_wait_messages(struct proxy *p, int number,
                        enum proxy_direction direction, int type, int count,
                        int ms)
{
    return wait_for(p,
                    (struct question){MESSAGES, number, (int)direction, type},
                    (uint64_t)count, ms);
}

int proxy_wait_reached(struct proxy *p, int number,
                       enum proxy_direction direction, int ms)
{
    return wait_for(p, (struct question){REACHED, number, (int)direction, 0}, 1,
                    ms);
}
