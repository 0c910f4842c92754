/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Statistics, and the dump of all slots. */
#include "entry.h"
#include "handle.h"

#include "base/sized.h"
#include "base/text.h"

#include <string.h>

/* Counts the slots in batches, with the mutex free in between.  An item that
 * changes its state meanwhile may be counted in both states, or in none. */
static void count_slots_locked(struct pool *pool, rpool_stats *stats)
    POOL_LOCKED(pool)
{
    int states[SLOT_STATES] = {0};
    for (uint32_t i = 0; i < atom_load(&pool->slots.count); i++) {
        const struct slot *slot = pool_slot(pool, i);
        states[word_state(atom_load(&slot->word))]++;
        stats->acquired += atom_peek(&slot->leases);
        stats->checked += atom_peek(&slot->checks);
        if ((i + 1) % HOLD_BATCH == 0) {
            rpool__unlock_and_notify(pool);
            lock_take(&pool->lock);
        }
    }
    stats->checking = states[SLOT_CHECKING];
    stats->in_use = states[SLOT_LEASED] + states[SLOT_RETURNING];
}

/* The pool knows the numbers of items in total, creating and closing.  The
 * counted numbers are fitted to them, and the remaining items are idle. */
static void add_sizes_locked(const struct pool *pool, rpool_stats *stats)
    POOL_LOCKED(pool)
{
    stats->total = pool->counts.occupied;
    stats->creating = pool->counts.creating;
    stats->closing = pool->counts.closing;
    int others = stats->total - stats->creating - stats->closing;
    if (stats->in_use > others)
        stats->in_use = others;
    if (stats->checking > others - stats->in_use)
        stats->checking = others - stats->in_use;
    stats->idle = others - stats->in_use - stats->checking;
}

rpool_status rpool_stats_get(rpool *handle, rpool_stats *out)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    if (out == NULL || !sized_is_writable(out))
        return RPOOL_INVALID;
    if (!rpool__enter(pool, (uintptr_t)handle))
        return rpool__refusal(pool, NULL);

    rpool_stats counted = {0};
    count_slots_locked(pool, &counted);

    rpool_stats stats = pool->stats;
    stats.waiting = pool->queue.length;
    stats.max_size = pool->limits.max_size;
    stats.acquired = counted.acquired;
    stats.checked = counted.checked;
    stats.in_use = counted.in_use;
    stats.checking = counted.checking;
    add_sizes_locked(pool, &stats);
    assert(stats.idle >= 0 && stats.checking >= 0 && stats.in_use >= 0);
    rpool__leave_and_drain(pool);
    sized_write(out, &stats, sizeof stats);
    return RPOOL_OK;
}

static const char *state_name(enum slot_state state)
{
    static const char *const names[SLOT_STATES] = {
        "empty",  "creating",  "idle",   "checking",
        "leased", "returning", "closing"};
    assert(state < SLOT_STATES);
    return names[state];
}

static void describe_slot(const struct pool *pool, const struct slot *slot,
                          uint64_t word, int64_t now, struct text *text)
{
    enum slot_state state = word_state(word);
    text_add(text, "slot %u: %s", (unsigned)slot->index, state_name(state));
    if (state == SLOT_CREATING)
        return;
    text_add(text, ", %s %llu", pool->provider.noun,
             (unsigned long long)atom_peek(&slot->number));
    int64_t since = (int64_t)atom_peek(
        state == SLOT_LEASED ? &slot->leased_since : &slot->idle_since);
    if (since > now)
        since = now; /* the lease changed while it was read */
    if (since != 0 && (state == SLOT_LEASED || state == SLOT_IDLE))
        text_add(text, ", for %lld ms", (long long)((now - since) / CLOCK_MS));
    const char *file = (const char *)(uintptr_t)atom_peek(&slot->file);
    const char *func = (const char *)(uintptr_t)atom_peek(&slot->func);
    if (state == SLOT_LEASED && func != NULL)
        text_add(text, ", acquired in %s", func);
    if (state == SLOT_LEASED && file != NULL)
        text_add(text, " at %s:%d", file, (int)atom_peek(&slot->line));
}

void rpool_dump(rpool *handle, void (*line)(void *arg, const char *text),
                void *arg)
{
    struct pool *pool = rpool__pool_of((uintptr_t)handle);
    rpool_stats s = {.size = sizeof s};
    if (line == NULL || rpool_stats_get(handle, &s) != RPOOL_OK ||
        !rpool__enter(pool, (uintptr_t)handle))
        return;
    rpool__unlock_and_notify(pool);

    char buffer[512];
    struct text text;
    text_init(&text, buffer, sizeof buffer);
    text_add(&text,
             "pool \"%s\": %d of %d: %d idle, %d leased, %d checking, %d "
             "creating, %d closing; %d waiting",
             pool->name, s.total, s.max_size, s.idle, s.in_use, s.checking,
             s.creating, s.closing, s.waiting);
    line(arg, buffer);

    for (uint32_t i = 0; i < atom_load(&pool->slots.count); i++) {
        const struct slot *slot = pool_slot(pool, i);
        uint64_t word = atom_load(&slot->word);
        if (word_state(word) == SLOT_EMPTY)
            continue;
        text_init(&text, buffer, sizeof buffer);
        describe_slot(pool, slot, word, clock_coarse(), &text);
        line(arg, buffer);
    }

    lock_take(&pool->lock);
    rpool__leave_and_drain(pool);
}

int64_t rpool_now(void)
{
    return clock_now();
}
