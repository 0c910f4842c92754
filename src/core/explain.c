/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The message of a failed acquire or wait: what went wrong, the cause, the
 * numbers. */
#include "explain.h"
#include "entry.h"

#include "base/text.h"

#include <string.h>

/* The state of the pool at the moment of the failure. */
struct view {
    int states[SLOT_STATES];
    const struct slot *oldest; /* the oldest lease, or NULL */
    int64_t since;
    int total, leased, max_size, min_size, waiting;
    int suspended, failing;
    rpool_failure failure; /* of the last creation */
};

static void look_at_slots(const struct pool *pool, struct view *view)
{
    for (uint32_t i = 0; i < atom_load(&pool->slots.count); i++) {
        const struct slot *slot = pool_slot(pool, i);
        enum slot_state state = word_state(atom_load(&slot->word));
        int64_t since = (int64_t)atom_peek(&slot->leased_since);
        view->states[state]++;
        if (state == SLOT_LEASED && since != 0 &&
            (view->oldest == NULL || since < view->since)) {
            view->oldest = slot;
            view->since = since;
        }
        view->total += state != SLOT_EMPTY;
    }
    view->leased = view->states[SLOT_LEASED] + view->states[SLOT_RETURNING];
}

static void look(struct pool *pool, struct view *view)
{
    *view = (struct view){0};
    look_at_slots(pool, view);
    lock_take(&pool->lock);
    view->max_size = pool->limits.max_size;
    view->min_size = pool->limits.min_size;
    view->waiting = pool->queue.length;
    view->suspended = (atom_load(&pool->gate) & GATE_SUSPENDED) != 0;
    view->failing = pool_is_failing(pool);
    view->failure = pool->backoff.failure;
    rpool__unlock_quietly(pool);
}

static int all_are_leased(const struct view *view)
{
    return view->leased >= view->max_size;
}

static void add_time(struct text *text, int64_t ms)
{
    int in_seconds = ms >= 10000;
    text_add(text, "%lld %s", (long long)(in_seconds ? ms / 1000 : ms),
             in_seconds ? "s" : "ms");
}

/* ", oldest for 12 s from main.c:42 (handler)" */
static void add_oldest(struct text *text, const struct view *view)
{
    enum { NAME = 40 };
    const struct slot *slot = view->oldest;
    if (slot == NULL)
        return;
    text_add(text, ", oldest for ");
    add_time(text, (clock_coarse() - view->since) / CLOCK_MS);
    const char *file = (const char *)(uintptr_t)atom_peek(&slot->file);
    const char *func = (const char *)(uintptr_t)atom_peek(&slot->func);
    if (file != NULL) {
        const char *slash = strrchr(file, '/');
        text_add(text, " from ");
        text_add_at_most(text, NAME, slash != NULL ? slash + 1 : file);
        text_add(text, ":%d", (int)atom_peek(&slot->line));
    }
    if (func != NULL) {
        text_add(text, file != NULL ? " (" : " from (");
        text_add_at_most(text, NAME, func);
        text_add(text, ")");
    }
}

static void add_leased(struct text *text, const struct view *view)
{
    text_add(text, "all %d of %d are leased", view->leased, view->leased);
    add_oldest(text, view);
}

/* "2 of 4 items exist (1 leased, oldest for 20 ms from a.c:7 (f), 1 idle)" */
static void add_sizes(struct text *text, const struct pool *pool,
                      const struct view *view)
{
    static const struct {
        enum slot_state state;
        const char *name;
    } others[] = {{SLOT_IDLE, "idle"},
                  {SLOT_CHECKING, "being checked"},
                  {SLOT_CREATING, "being created"},
                  {SLOT_CLOSING, "being closed"}};
    text_add(text, "%d of %d %ss exist", view->total, view->max_size,
             pool->provider.noun);
    const char *before = " (";
    if (view->leased > 0) {
        text_add(text, "%s%d leased", before, view->leased);
        add_oldest(text, view);
        before = ", ";
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        int count = view->states[others[i].state];
        if (count > 0) {
            text_add(text, "%s%d %s", before, count, others[i].name);
            before = ", ";
        }
    }
    if (view->total > 0)
        text_add(text, ")");
}

/* Adds what went wrong.  waited_ms is negative for rpool_wait() and for a
 * try-acquire. */
static void add_head(struct text *text, const struct pool *pool,
                     const struct view *view, rpool_status status,
                     int64_t waited_ms)
{
    const char *noun = pool->provider.noun;
    text_add(text, "pool \"");
    text_add_at_most(text, 64, pool->name);
    text_add(text, "\": ");
    if (status == RPOOL_CLOSED)
        text_add(text, "closed while the caller waited");
    else if (status == RPOOL_BUSY && waited_ms < 0)
        text_add(text, "no %s without waiting", noun);
    else if (waited_ms < 0)
        text_add(text, "%d of min_size %d %ss are ready",
                 view->total - view->states[SLOT_CREATING] -
                     view->states[SLOT_CLOSING],
                 view->min_size, noun);
    else
        text_add(text, "no %s", noun);
    if (status == RPOOL_TIMEOUT && waited_ms >= 0) {
        text_add(text, " within ");
        add_time(text, waited_ms);
    }
}

/* Returns the cause, or NULL if the numbers say enough. */
static const char *cause(const struct view *view, rpool_status status,
                         int64_t waited_ms)
{
    if (status == RPOOL_CLOSED)
        return NULL;
    if (status == RPOOL_BUSY && waited_ms >= 0)
        return "the waiter queue is full";
    if (view->failing && !all_are_leased(view))
        return view->failure.message;
    if (view->suspended)
        return "the pool is suspended";
    if (status != RPOOL_BUSY || all_are_leased(view))
        return NULL;
    if (view->waiting > 0)
        return "others wait already";
    return view->states[SLOT_IDLE] > 0 ? "the idle ones must be checked first"
                                       : "nothing is idle";
}

/* Adds the failure's code, the numbers of items, and that of waiters. */
static void add_tail(struct text *text, const struct pool *pool,
                     const struct view *view, const char *why)
{
    if (why == view->failure.message && view->failure.code[0] != '\0')
        text_add(text, " (%s)", view->failure.code);
    text_add(text, why != NULL ? "; " : ": ");
    if (all_are_leased(view))
        add_leased(text, view);
    else
        add_sizes(text, pool, view);
    text_add(text, "; %d waiting", view->waiting);
}

/* Makes the tail first, so that a long cause is cut and the numbers are not. */
void rpool__explain(struct pool *pool, rpool_failure *why, rpool_status status,
                    int64_t waited_ms)
{
    if (why == NULL)
        return;
    struct view view;
    look(pool, &view);

    char numbers[256];
    struct text text, tail;
    const char *because = cause(&view, status, waited_ms);
    text_init(&tail, numbers, sizeof numbers);
    add_tail(&tail, pool, &view, because);

    text_init(&text, why->message, sizeof why->message);
    add_head(&text, pool, &view, status, waited_ms);
    if (because != NULL) {
        text_add(&text, ": ");
        text_add_at_most(&text, text.size - 1 - text.used - tail.used, because);
    }
    text_add(&text, "%s", numbers);
    if (view.failing && because != view.failure.message)
        text_add(&text, "; last failure: %s", view.failure.message);

    why->permanent = status == RPOOL_CREATE && view.failure.permanent;
    (void)memcpy(why->code, view.failing ? view.failure.code : "",
                 view.failing ? sizeof view.failure.code : 1);
}
