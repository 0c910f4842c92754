/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The table of cells.
 *
 * A cell is the memory of a struct pool, which rpool_open() reuses and which is
 * never freed.  The table has no lock, only atomic operations, because a child
 * of fork() opens pools of its own while another thread of the parent may have
 * held any lock.
 */
#include "handle.h"
#include "failure.h"

#include <stdlib.h>

/* On a 32-bit target a pointer would lose most of the serial, and a stale
 * handle would soon be taken for a good one. */
static_assert(sizeof(rpool *) >= sizeof(uint64_t) &&
                  sizeof(rpool_item *) >= sizeof(uint64_t),
              "a handle is a number of 64 bits that is kept in a pointer: "
              "pqpool needs a 64-bit target");

struct atom rpool__cells[CELL_MASK + 1];
static struct atom taken[CELL_MASK + 1]; /* 1: the cell has a pool */
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
        goto no_work_available;
    if (cond_init(&pool->state_changed) != 0)
        goto no_state_changed;
    return pool;

no_state_changed:
    cond_destroy(&pool->work_available);
no_work_available:
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
        /* In a child of fork(), a thread of the parent may hold the lock. */
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
        assert(!pool_is_open(pool) && pool->cell == i);
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
    assert(atom_load(&taken[pool->cell]) == 1);
    atom_store(&taken[pool->cell], 0);
}

void rpool__cell_close_files(struct pool *pool)
{
    assert(!pool_is_open(pool) && pool->name != NULL);
    stop_close(pool->stop_fd);
    watch_close(&pool->watch);
    free(pool->name);
    pool->name = NULL;
}

uint64_t rpool__next_serial(void)
{
    uint64_t serial = atom_load(&last_serial);
    while (!atom_cas(&last_serial, &serial, serial + 1))
        ;
    return serial + 1;
}

/*
 * Runs in the child of fork().  Marks all gates, so that each call refuses the
 * parent's pools before it takes a lock.  This includes cells without a pool,
 * because a late caller of the parent may hold the mutex of one.  Clears the
 * hints of the thread, because a release with a hint does not read the gate
 * first.
 */
static void in_child(void)
{
    struct thread_memo *memo = thread_memo();
    for (int i = 0; i < THREAD_HINTS; i++)
        memo->hint[i] = (struct thread_hint){0};

    for (int i = 1; i <= CELL_MASK; i++) {
        struct pool *pool = rpool__pool_of((uint64_t)i);
        if (pool != NULL)
            (void)atom_or(&pool->gate, GATE_FORKED);
    }
}

/* Two threads that open the first pools at once may both register in_child().
 * It may run twice. */
int rpool__fork_guard(void)
{
    if (atom_load(&fork_guarded))
        return 0;

    int rc = thread_at_fork(in_child);
    if (rc == 0)
        atom_store(&fork_guarded, 1);
    return rc;
}
