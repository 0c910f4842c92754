/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The words that each thread keeps about the pools that it uses; all are zero
 * at first. */
#ifndef BASE_MEMO_H
#define BASE_MEMO_H

#include <stdint.h>

/* The slot of a pool that this thread had last.  The core says what the words
 * mean. */
struct thread_hint {
    uint64_t key;   /* of the pool; 0: the hint is empty */
    uint64_t lease; /* the last that this thread had of that slot */
    void *pool, *slot;
    int64_t time; /* when it was given back */
};

/* Two hints, so that a thread may alternate between two pools. */
enum { THREAD_HINTS = 2 };

struct thread_memo {
    struct thread_hint hint[THREAD_HINTS];
    const void *callout; /* the callback of a pool that it is in */
};

#endif
