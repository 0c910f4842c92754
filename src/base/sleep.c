/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A sleeper is a futex word.  It is 0 until the sleeper is roused, and 1 for
 * the rest of its life.
 *
 * No wake-up is lost.  The word becomes 1 before the system call that wakes.
 * The kernel compares the word with 0 and puts the thread to sleep in one step
 * as seen by every FUTEX_WAKE.  So either the comparison finds 1, or the
 * wake-up finds the thread.
 *
 * The word needs no memory order.  Everything that the sleeper reads after its
 * sleep was written under the mutex, which the sleeper takes again.
 *
 * A wake-up may be late: the sleeper has returned, and its stack is used for
 * something else, or is unmapped.  The kernel finds sleeping threads of this
 * process by the number of the address (FUTEX_PRIVATE_FLAG), so a late wake-up
 * can only find a thread that sleeps on another futex at the same address.
 * That thread is then woken for no reason.  A sleeper looks at its word and
 * sleeps again.  glibc's and musl's locks do the same, because any process may
 * destroy a mutex or a semaphore right after another thread has posted it.
 */
#define _GNU_SOURCE /* syscall */
#include "base/sleep.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* From <linux/futex.h>, which musl-gcc does not find. */
enum { FUTEX_WAKE = 1, FUTEX_WAIT_BITSET = 9, FUTEX_PRIVATE_FLAG = 128 };
#define FUTEX_BITSET_MATCH_ANY 0xffffffffU

static_assert(sizeof(struct sleeper) == 4, "a sleeper is a futex word");

void sleeper_init(struct sleeper *sleeper)
{
    atomic_init(&sleeper->roused, 0);
}

static int is_roused(struct sleeper *sleeper)
{
    return atomic_load_explicit(&sleeper->roused, memory_order_relaxed) != 0;
}

/* FUTEX_WAIT_BITSET takes an absolute time of the monotonic clock, FUTEX_WAIT a
 * relative one.  Returns 0 if the thread was woken, or an errno value. */
static int futex_wait(struct sleeper *sleeper, const struct timespec *until)
{
    long rc =
        syscall(SYS_futex, sleeper, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0U,
                until, NULL, FUTEX_BITSET_MATCH_ANY);
    return rc == 0 ? 0 : errno;
}

void sleeper_wait(struct sleeper *sleeper, struct lock *lock, int64_t deadline)
{
    struct timespec t = {.tv_sec = (time_t)(deadline / 1000000000),
                         .tv_nsec = (long)(deadline % 1000000000)};
    const struct timespec *until = deadline == CLOCK_NEVER ? NULL : &t;

    lock_drop(lock);

    /* A signal (EINTR) and a late wake-up cost a system call and no mutex. */
    int rc = 0;
    while (!is_roused(sleeper) && (rc == 0 || rc == EINTR))
        rc = futex_wait(sleeper, until);

    lock_take(lock);
}

struct wake sleeper_rouse(struct sleeper *sleeper)
{
    atomic_store_explicit(&sleeper->roused, 1, memory_order_relaxed);
    return (struct wake){.target = sleeper};
}

/* One thread at most sleeps on a sleeper. */
void wake_send(struct wake wake)
{
    (void)syscall(SYS_futex, wake.target, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1,
                  NULL, NULL, 0);
}
