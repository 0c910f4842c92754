/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The provider and the counters of the stress tests; see the header. */
#include "support_stress.h"

#include "base/clock.h"
#include "base/random.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

uint64_t stress_random(uint64_t *state, uint64_t below)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (*state >> 33) % below;
}

static int unlucky(const struct stress *stress)
{
    return (int)random_below(1000) < stress->failing;
}

void stress_enter(struct stress_resource *resource)
{
    if (atomic_fetch_add(&resource->holders, 1) != 0)
        atomic_fetch_add(&resource->stress->overlaps, 1);
}

void stress_leave(struct stress_resource *resource)
{
    atomic_fetch_sub(&resource->holders, 1);
}

static void wait_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

static int create(void *ctx, int64_t deadline, int stop_fd, void **resource,
                  rpool_failure *why)
{
    struct stress *s = ctx;
    (void)deadline;
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    if (poll(&stop, 1, unlucky(s) ? 5 : 0) > 0 || unlucky(s)) {
        why->permanent = random_below(10) == 0;
        (void)snprintf(why->message, sizeof why->message, "unlucky");
        return -1;
    }
    struct stress_resource *r = calloc(1, sizeof *r);
    if (r == NULL)
        abort();
    r->stress = s;
    r->pair[0] = r->pair[1] = -1;
    if (s->sockets && socketpair(AF_UNIX, SOCK_STREAM, 0, r->pair) != 0)
        abort();
    if (r->pair[1] >= 0 && unlucky(s)) {
        (void)close(r->pair[1]);
        r->pair[1] = -1;
    }
    atomic_fetch_add(&s->created, 1);
    *resource = r;
    return 0;
}

static void end(struct stress_resource *r)
{
    stress_enter(r); /* it is never left */
    for (int i = 0; i < 2; i++)
        if (r->pair[i] >= 0)
            (void)close(r->pair[i]);
    free(r);
}

static void destroy(void *ctx, void *resource)
{
    struct stress *s = ctx;
    end(resource);
    atomic_fetch_add(&s->destroyed, 1);
}

void stress_end_detached(struct stress_resource *resource)
{
    struct stress *s = resource->stress;
    end(resource);
    atomic_fetch_add(&s->detached, 1);
}

static int check(void *ctx, void *resource, int64_t idle_ms, int64_t deadline)
{
    struct stress *s = ctx;
    (void)idle_ms;
    stress_enter(resource);
    int verdict = RPOOL_GOOD;
    if (unlucky(s))
        verdict = deadline == 0 || random_below(2) ? RPOOL_AGAIN : RPOOL_BAD;
    stress_leave(resource);
    return verdict;
}

static int reset(void *ctx, void *resource)
{
    struct stress *s = ctx;
    stress_enter(resource);
    int verdict = RPOOL_REUSE;
    if (unlucky(s))
        verdict = random_below(3) == 0 ? RPOOL_DISCARD : RPOOL_CHECK;
    stress_leave(resource);
    return verdict;
}

static int fd_of(void *ctx, void *resource)
{
    (void)ctx;
    return ((struct stress_resource *)resource)->pair[0];
}

static void done(void *ctx)
{
    atomic_fetch_add(&((struct stress *)ctx)->done, 1);
}

void stress_on_event(void *arg, const rpool_event *event)
{
    struct stress *s = arg;
    if (event->type == RPOOL_EVENT_MISUSE)
        atomic_fetch_add(&s->misused, 1);
    else if (event->type == RPOOL_EVENT_FREED)
        atomic_fetch_add(&s->freed, 1);
}

static void *nothing(void *arg)
{
    return arg;
}

/* The first thread makes a sanitizer start a thread of its own. */
static void start_the_sanitizers(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0)
        abort();
    (void)pthread_join(thread, NULL);
}

void stress_begin(struct stress *stress)
{
    start_the_sanitizers();
    memset(stress, 0, sizeof *stress);
    stress->provider = (rpool_provider){.size = sizeof(rpool_provider),
                                        .create = create,
                                        .destroy = destroy,
                                        .check = check,
                                        .reset = reset,
                                        .fd = fd_of,
                                        .done = done};
    stress->seed = number_of("PQPOOL_STRESS_SEED", (uint64_t)rpool_now());
    (void)printf("PQPOOL_STRESS_SEED=%llu\n", (unsigned long long)stress->seed);
    (void)fflush(stdout);
}

int64_t stress_until(void)
{
    return rpool_now() +
           (int64_t)number_of("PQPOOL_STRESS_MS", 3000) * CLOCK_MS;
}

int stress_threads(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return -1;
    for (struct dirent *d; (d = readdir(tasks)) != NULL;)
        count += d->d_name[0] != '.';
    (void)closedir(tasks);
    return count;
}

/* A joined thread may stay visible in /proc for a moment. */
int stress_threads_left(int before)
{
    for (int i = 0; i < 2000 && stress_threads() > before; i++)
        wait_ms(1);
    return stress_threads() - before;
}
