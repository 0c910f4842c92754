/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Events: what a pool reports to the listener of its options, on_event.
 * pqpool.h includes this header.
 */
#ifndef PQPOOL_EVENT_H
#define PQPOOL_EVENT_H

#include <pqpool/export.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The names of the event types.  The fields that an event sets beside size,
 * type, pool, connection and backend_pid stand in the comment. */
#define PQP_EVENT_MAP(XX)                                                      \
    XX(CREATED)       /* a connection was made: ms it took */                  \
    XX(CREATE_FAILED) /* a connection could not be made: message, sqlstate */  \
    XX(CLOSED)        /* a connection is about to be closed: reason */         \
    XX(ACQUIRED)      /* a lease began: ms waited, file, func, line */         \
    XX(RELEASED)      /* a lease ended by release or discard: ms leased */     \
    XX(DETACHED)      /* a lease ended by detach, no RELEASED: ms leased */    \
    XX(TIMED_OUT)     /* an acquire timed out: ms waited */                    \
    XX(REFUSED)       /* an acquire was refused: the waiter queue is full */   \
    XX(LEAK)          /* a lease lasts longer than leak_after_ms: ms leased */ \
    XX(LEAK_RETURNED) /* a lease that had a LEAK ended: ms leased */           \
    XX(MISUSE)        /* a call was refused: message */                        \
    XX(DEGRADED)      /* a thread is missing or stuck: message */              \
    XX(NOTICE)        /* the server sent a notice: message, sqlstate */        \
    XX(FREED)         /* the last event of the pool: arg may be freed */
#define XX(name) PQP_EVENT_##name,
typedef enum pqp_event_type {
    PQP_EVENT_MAP(XX) PQP_EVENT_COUNT
} pqp_event_type;
#undef XX

/* One event.  All pointers are borrowed: they are good until the listener
 * returns.  An older library may have a smaller struct: a field that ends
 * beyond `size` is not there. */
typedef struct pqp_event {
    size_t size; /* of the struct, in bytes */
    pqp_event_type type;
    int backend_pid;      /* process id of the server's backend, 0 if none */
    const char *pool;     /* the option `name` of the pool */
    uint64_t connection;  /* unique in the process, unlike a pid; 0 if none */
    int64_t ms;           /* milliseconds: see PQP_EVENT_MAP */
    const char *reason;   /* CLOSED: a text of RPOOL_REASON_MAP; else "" */
    const char *message;  /* one line, never NULL; "" if there is none */
    const char *sqlstate; /* CREATE_FAILED, NOTICE; else "" */
    const char *file, *func; /* where the lease was acquired, or NULL */
    int line;                /* of the acquire, 0 if unknown */
    int reserved;
} pqp_event;

/*
 * A listener.  `arg` is the option of that name.
 *
 * The pool calls the listener without any lock, in the thread that owns the
 * connection at that moment.  The events of one connection come in their order;
 * those of different connections may come at the same time, from different
 * threads.  A worker reports LEAK, so the lease may have ended by then;
 * LEAK_RETURNED always comes after the LEAK of the same lease.
 *
 * The listener must not block for long, and it must return: see the caveats in
 * pqpool.h.  It may call the pool.  pqp_pool_close() only begins to close
 * there, and an acquire that would have to wait is refused with PQP_BUSY.
 */
typedef void (*pqp_event_fn)(void *arg, const pqp_event *event);

/* Returns the name of an event type, such as "CREATED", or "?" if `type` is
 * none.  Thread: any. */
PQP_EXPORT const char *pqp_event_name(pqp_event_type type);

#ifdef __cplusplus
}
#endif
#endif
