/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Preloaded: counts locks, allocations, signals and waits of the process. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Read by name, in this order. */
extern _Atomic uint64_t bench_counts[4];
_Atomic uint64_t bench_counts[4];
enum { LOCKS, ALLOCATIONS, SIGNALS, WAITS };

/* glibc's own names behind the standard ones. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static int (*next_lock)(pthread_mutex_t *);
static int (*next_signal)(pthread_cond_t *);
static int (*next_broadcast)(pthread_cond_t *);
static int (*next_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*next_timedwait)(pthread_cond_t *, pthread_mutex_t *,
                             const struct timespec *);

/* From the library itself: RTLD_NEXT would give the oldest version of each
 * symbol. */
static void find(void *library, const char *name, void *where)
{
    void *symbol = dlsym(library, name);
    memcpy(where, &symbol, sizeof symbol);
}

__attribute__((constructor)) static void find_all(void)
{
    void *library = dlopen("libc.so.6", RTLD_NOW);
    find(library, "pthread_mutex_lock", &next_lock);
    find(library, "pthread_cond_signal", &next_signal);
    find(library, "pthread_cond_broadcast", &next_broadcast);
    find(library, "pthread_cond_wait", &next_wait);
    find(library, "pthread_cond_timedwait", &next_timedwait);
}

static void count(int what)
{
    (void)atomic_fetch_add_explicit(&bench_counts[what], 1,
                                    memory_order_relaxed);
    if (next_lock == NULL)
        find_all();
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    count(LOCKS);
    return next_lock(mutex);
}

int pthread_cond_signal(pthread_cond_t *cond)
{
    count(SIGNALS);
    return next_signal(cond);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    count(SIGNALS);
    return next_broadcast(cond);
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    count(WAITS);
    return next_wait(cond, mutex);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *until)
{
    count(WAITS);
    return next_timedwait(cond, mutex, until);
}

/* Before the dynamic linker is ready: counts, and finds nothing. */
void *malloc(size_t size)
{
    bench_counts[ALLOCATIONS]++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    bench_counts[ALLOCATIONS]++;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    bench_counts[ALLOCATIONS]++;
    return __libc_realloc(old, size);
}
