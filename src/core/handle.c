/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table of cells and what handles mean.  A shell is a struct pool without
 * a pool: it is recycled by the next open and never freed, so that whatever
 * handle is looked up finds words to compare.  The table is only swapped into,
 * never locked: a child of fork() opens pools of its own while the parent's
 * locks may be anyone's.
 */
#include "handle.h"
#include "failure.h"

#include <assert.h>
#include <stdlib.h>

/* On a 32-bit target a pointer would lose most of the serial, and a stale
 * handle would soon be taken for a good one. */
static_assert(sizeof(rpool *) >= sizeof(uint64_t) &&
                  sizeof(rpool_item *) >= sizeof(uint64_t),
              "a handle is a number of 64 bits that is kept in a pointer: "
              "pqpool needs a 64-bit target");

struct atom rpool__cells[CELL_MASK + 1]; /* struct pool *, from 1 */
static struct atom taken[CELL_MASK + 1]; /* 1: some open pool's */
static struct atom last_serial;
static struct atom fork_guarded;

static struct pool *cell_make(int index)
{
    struct pool *pool = aligned_alloc(128, (sizeof *pool + 127) / 128 * 128);
    if (pool == NULL)
        return NULL;
    *pool = (struct pool){.cell = index};
    atom_put(&pool->gate, GATE_CLOSED);
    if (lock_init(&pool->lock) != 0)
        goto no_lock;
    if (cond_init(&pool->work_available) != 0)
        goto no_work;
    if (cond_init(&pool->state_changed) != 0)
        goto no_changed;
    return pool;
no_changed:
    cond_destroy(&pool->work_available);
no_work:
    lock_destroy(&pool->lock);
no_lock:
    free(pool);
    return NULL;
}

rpool_status rpool__cell_take(struct pool **out, rpool_failure *why)
{
    for (int i = 1; i <= CELL_MASK; i++) {
        uint64_t is_free = 0;
        struct pool *pool = rpool__pool_of((uint64_t)i);
        /* A parent's shell stays the parent's: its lock may be held. */
        if (pool != NULL && (atom_load(&pool->gate) & GATE_FORKED) != 0)
            continue;
        if (!atom_cas(&taken[i], &is_free, 1))
            continue;
        pool = rpool__pool_of((uint64_t)i);
        if (pool == NULL)
            pool = cell_make(i);
        if (pool == NULL) {
            atom_store(&taken[i], 0);
            return rpool__fail(why, RPOOL_NOMEM, "no memory for another pool");
        }
        atom_store(&rpool__cells[i], (uint64_t)(uintptr_t)pool);
        *out = pool;
        return RPOOL_OK;
    }
    return rpool__fail(why, RPOOL_BUSY,
                       "cannot open another pool: the process has %d, which is "
                       "the limit (a closed pool counts until its last lease "
                       "and thread end)",
                       CELL_MASK);
}

void rpool__cell_free(struct pool *pool)
{
    atom_store(&taken[pool->cell], 0);
}

uint64_t rpool__next_serial(void)
{
    uint64_t serial = atom_load(&last_serial);
    while (!atom_cas(&last_serial, &serial, serial + 1))
        ;
    return serial + 1;
}

/* In the child, nothing of the parent's pools may be touched: every gate says
 * so, before any lock.  The child's thread forgets its hints, so that it gives
 * back nothing of the parent's without a look at the gate. */
static void in_child(void)
{
    struct thread_memo *memo = thread_memo();
    for (int i = 0; i < THREAD_HINTS; i++)
        memo->hint[i] = (struct thread_hint){0};
    for (int i = 1; i <= CELL_MASK; i++) {
        struct pool *pool = rpool__pool_of((uint64_t)i);
        if (pool != NULL) /* a straggler may hold the mutex of a free one */
            (void)atom_or(&pool->gate, GATE_FORKED);
    }
}

/* Registered twice by two first opens at once, it does no harm. */
int rpool__fork_guard(void)
{
    if (atom_load(&fork_guarded))
        return 0;
    int rc = thread_at_fork(in_child);
    if (rc == 0)
        atom_store(&fork_guarded, 1);
    return rc;
}

void rpool__cell_close_files(struct pool *pool)
{
    stop_close(pool->stop_fd);
    watch_close(&pool->watch);
    free(pool->name);
    pool->name = NULL;
}
