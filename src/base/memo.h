/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* What each thread remembers about the pools that it uses.  All fields are zero
 * when the thread starts. */
#ifndef BASE_MEMO_H
#define BASE_MEMO_H

#include <stdint.h>

/* The slot that this thread gave back last to one pool.  core/slot.h says what
 * it is used for. */
struct thread_hint {
    uint64_t key;   /* the pool's handle; 0 if the hint is empty */
    uint64_t lease; /* the handle of this thread's last lease of the slot */
    void *pool, *slot;
    int64_t time; /* when the slot was given back */
};

/* Two hints, so that a thread may alternate between two pools. */
enum { THREAD_HINTS = 2 };

struct thread_memo {
    struct thread_hint hint[THREAD_HINTS];
    const void *callout; /* the innermost callback that the thread is in */
};

#endif
