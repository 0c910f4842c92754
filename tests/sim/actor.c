/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* One thread of the application: its operations, one by one, and what each may
 * return. */
#include "base/sched.h"
#include "world.h"

#include <string.h>

static uint64_t heard(rpool_event_type type)
{
    return world.events[sim_self()][type];
}

/* ---- pools
 * --------------------------------------------------------------------- */

void era_open(int may_fail)
{
    struct era *era = &world.eras[world.era_count];
    world.opening = 1;
    rpool_options options = world.script->options;
    options.on_event = world.script->mute ? NULL : world_on_event;
    options.arg = era;
    rpool_provider provider = world_provider;
    if (world.script->no_check)
        provider.check = NULL;
    if (world.script->no_reset)
        provider.reset = NULL;
    if (world.script->no_fd)
        provider.fd = NULL;
    rpool_failure why;
    rpool_status status =
        rpool_open(&era->handle, &provider, era, &options, &why);
    if (status == RPOOL_SYSTEM && era->handle == NULL &&
        (may_fail || world.script->misfortune.break_nth > 0))
        goto out;
    if (status != RPOOL_OK)
        sim_fail("open says %s: %s", rpool_status_name(status), why.message);
    struct pool *pool = rpool__pool_of((uintptr_t)era->handle);
    era->model.max_waiters = pool->config.max_waiters;
    era->model.last_ticket = pool->queue.last_ticket;
    for (int i = 0; i < MODEL_SLOTS; i++) {
        uint64_t word = oracle_word(pool, i);
        era->model.slot[i].state = word_state(word);
        era->serials[i] = word & SERIAL_MASK;
        era->times[i] = oracle_times(pool, i);
    }
    era->occupied = pool->counts.occupied;
    era->pool = pool;
    world.era_count++;
out:
    world.opening = 0;
}

void era_close(struct era *era, int timeout_ms)
{
    rpool *handle = era->handle;
    era->closing++;
    rpool_status status = rpool_close(&handle, timeout_ms);
    if (handle != NULL)
        sim_fail("close leaves the handle");
    if (status != RPOOL_OK && status != RPOOL_TIMEOUT &&
        !(status == RPOOL_CLOSED && era->closing > 1))
        sim_fail("close says %s", rpool_status_name(status));
    if (status == RPOOL_TIMEOUT && timeout_ms < 0)
        sim_fail("close without deadline says TIMEOUT");
    if (status == RPOOL_OK && era->made != era->destroyed + era->detached)
        sim_fail("closed: %d made, %d destroyed, %d detached", era->made,
                 era->destroyed, era->detached);
    era->over |= status == RPOOL_OK;
    era->closed = 1;
}

/* ---- acquire
 * ------------------------------------------------------------------- */

static void check_failed(const struct era *era, rpool_status status,
                         int timeout_ms, int was_closed)
{
    int limited = world.script->options.max_waiters >= 0;
    switch (status) {
    case RPOOL_TIMEOUT:
        if (timeout_ms > 0)
            return;
        break;
    case RPOOL_BUSY:
        if (timeout_ms == 0 || limited)
            return;
        break;
    case RPOOL_CLOSED:
        if (era->closing)
            return;
        break;
    case RPOOL_CREATE:
        if (era->permanent && timeout_ms != 0)
            return;
        break;
    default:
        break;
    }
    sim_fail("acquire with %d ms says %s%s", timeout_ms,
             rpool_status_name(status), was_closed ? " when closed" : "");
}

static void check_time(const struct era *era, rpool_status status,
                       int timeout_ms, int64_t began)
{
    int64_t took = sched_now() - began;
    if (status == RPOOL_TIMEOUT && took < timeout_ms * CLOCK_MS)
        sim_fail("acquire with %d ms says TIMEOUT after %d us", timeout_ms,
                 (int)(took / 1000));
    if (timeout_ms >= 0 && world.script->search.slip == 0 && !era->closing &&
        took > timeout_ms * CLOCK_MS + CLOCK_MS)
        sim_fail("acquire with %d ms says %s after %d us", timeout_ms,
                 rpool_status_name(status), (int)(took / 1000));
}

static void check_lease(struct actor *a, struct era *era, rpool_item *item)
{
    struct thing *t = rpool_resource(item);
    if (t == NULL || t->era != era || t->gone ||
        t->leased == world.script->mute || t->holder != 0)
        sim_fail("actor %d got the item of another lease", a->index);
    if (t->owes)
        sim_fail("resource %d is leased with a pending answer", t->number);
    t->leased = 1;
    if (!world.script->mute && rpool_number(item) != t->item)
        sim_fail("the lease's number is not its resource's");
    t->holder = a->index + 1;
}

static int free_hand(const struct actor *a)
{
    for (int i = 0; i < MAX_HELD; i++)
        if (a->held[i] == NULL)
            return i;
    return -1;
}

static int slot_index(const rpool_item *item)
{
    return item == NULL ? -1 : (int)((uintptr_t)item >> CELL_BITS & SLOT_MASK);
}

static void acquire(struct actor *a, struct era *era, int timeout_ms)
{
    int hand = free_hand(a);
    if (hand < 0)
        return;
    int was_closed = era->closed;
    int64_t began = sched_now();
    uint64_t acquired = heard(RPOOL_EVENT_ACQUIRED);
    uint64_t timed_out = heard(RPOOL_EVENT_TIMED_OUT);
    rpool_item *item = NULL;
    rpool_failure why;
    rpool_status status = rpool_acquire(era->handle, timeout_ms, &item, &why);
    oracle_step(); /* the acquire wrote times after the last step */
    if (!era->freed)
        model_result(&era->model, sim_self(), slot_index(item));
    world_trace("acquire(%d) says %s", timeout_ms, rpool_status_name(status));
    check_time(era, status, timeout_ms, began);
    if ((item != NULL) != (status == RPOOL_OK) ||
        (status == RPOOL_OK && was_closed))
        sim_fail("acquire says %s", rpool_status_name(status));
    if (!world.script->mute &&
        (heard(RPOOL_EVENT_ACQUIRED) - acquired != (status == RPOOL_OK) ||
         heard(RPOOL_EVENT_TIMED_OUT) - timed_out != (status == RPOOL_TIMEOUT)))
        sim_fail("acquire says %s, but not its events",
                 rpool_status_name(status));
    if (status != RPOOL_OK) {
        check_failed(era, status, timeout_ms, was_closed);
        return;
    }
    check_lease(a, era, item);
    a->held[hand] = item;
    a->held_era[hand] = era;
    a->posted[hand] = 0;
}

/* ---- the end of a lease
 * ------------------------------------------------------------ */

static void dispose_of_detached(void *resource)
{
    struct thing *t = resource;
    if (t == NULL)
        return;
    if (!t->detached || t->gone || t->busy || sim_fd_watched(t->fd))
        sim_fail("resource %d was not detached", t->number);
    t->gone = 1;
    sim_fd_close(t->fd);
}

static void end_lease(enum op_kind kind, rpool_item *item)
{
    if (kind == OP_DETACH)
        dispose_of_detached(rpool_detach(&item));
    else if (kind == OP_DISCARD)
        rpool_discard(&item);
    else
        rpool_release(&item);
    if (item != NULL)
        sim_fail("the handle is left");
}

static void give_back(struct actor *a, enum op_kind kind, int which)
{
    int hand = which % MAX_HELD;
    if (a->held[hand] == NULL)
        hand = MAX_HELD - 1 - hand;
    rpool_item *item = a->held[hand];
    if (item == NULL)
        return;
    uint64_t before = heard(RPOOL_EVENT_RELEASED) + heard(RPOOL_EVENT_DETACHED);
    int shared = a->posted[hand];
    if (world.script->mute) {
        struct thing *t = rpool_resource(item);
        if (t == NULL)
            sim_fail("actor %d has lost its lease", a->index);
        t->leased = t->holder = 0;
        t->detached = kind == OP_DETACH;
        t->era->detached += t->detached;
    }
    a->ended = item;
    a->held[hand] = NULL;
    end_lease(kind, item);
    uint64_t ended =
        heard(RPOOL_EVENT_RELEASED) + heard(RPOOL_EVENT_DETACHED) - before;
    if (ended != 1 && !(shared && ended == 0) && !world.script->mute)
        sim_fail("a release ended %d leases", (int)ended);
}

static void misuse(rpool_item *item)
{
    uint64_t before = heard(RPOOL_EVENT_RELEASED) + heard(RPOOL_EVENT_DETACHED);
    if (rpool_resource(item) != NULL || rpool_number(item) != 0)
        sim_fail("a stale handle is taken for a lease");
    end_lease(OP_RELEASE, item);
    if (heard(RPOOL_EVENT_RELEASED) + heard(RPOOL_EVENT_DETACHED) != before)
        sim_fail("a stale handle ended a lease");
}

static void steal(void)
{
    rpool_item *item = world.board;
    world.board = NULL;
    if (item != NULL)
        end_lease(OP_RELEASE, item);
}

/* ---- the rest
 * ------------------------------------------------------------------------- */

static void use(struct actor *a, int which, int ms)
{
    int hand = which % MAX_HELD;
    rpool_item *item = a->held[hand];
    void *resource = NULL;
    if (item == NULL)
        return;
    rpool_status status = rpool_begin_use(item, &resource);
    struct thing *t = resource;
    /* another thread has ended the lease */
    if (status == RPOOL_INVALID && a->posted[hand])
        return;
    if (status != RPOOL_OK || t->holder != a->index + 1 || t->busy)
        sim_fail("actor %d has no item behind its lease", a->index);
    t->busy = 1;
    sim_sleep_ms(ms);
    if (t->gone || t->holder != a->index + 1)
        sim_fail("resource %d is taken away in its use", t->number);
    t->busy = 0;
    /* a thread that ended it during its use made it unfit */
    t->unfit |= a->posted[hand];
    rpool_end_use(item);
}

static void post(struct actor *a, int which)
{
    int hand = which % MAX_HELD;
    if (a->held[hand] == NULL || world.script->mute)
        return;
    world.board = a->held[hand];
    a->posted[hand] = 1;
}

static void hang_up(int which)
{
    int alive = 0;
    for (int i = 0; i < world.thing_count; i++)
        alive += !world.things[i]->gone && !world.things[i]->hung;
    int chosen = alive == 0 ? -1 : which % alive;
    for (int i = 0; i < world.thing_count; i++) {
        struct thing *t = world.things[i];
        if (!t->gone && !t->hung && chosen-- == 0) {
            t->hung = 1;
            sim_hang_up(t->fd);
            return;
        }
    }
}

static void look_at_stats(const struct era *era)
{
    rpool_stats s = {.size = sizeof s};
    int closed = era->closing;
    rpool_status status = rpool_stats_get(era->handle, &s);
    if (status == RPOOL_CLOSED && (closed || era->closing))
        return;
    if (status != RPOOL_OK ||
        s.total != s.idle + s.in_use + s.checking + s.creating + s.closing ||
        s.total > MODEL_SLOTS || s.idle < 0 || s.in_use < 0 || s.waiting < 0)
        sim_fail("statistics say %s: %d idle, %d leased, %d in all",
                 rpool_status_name(status), s.idle, s.in_use, s.total);
}

static void count_line(void *arg, const char *text)
{
    if (text[0] == '\0' || sim_locks_held() > 0)
        sim_fail("a line of the dump is empty or with a lock held");
    ++*(int *)arg;
}

static void expect_status(const char *call, rpool_status status,
                          const struct era *era)
{
    if (status != RPOOL_OK && !(status == RPOOL_CLOSED && era->closing))
        sim_fail("%s says %s", call, rpool_status_name(status));
}

static void wait_ready(const struct era *era, int ms)
{
    rpool_failure why;
    rpool_status status = rpool_wait(era->handle, ms, &why);
    if (status != RPOOL_TIMEOUT && !(status == RPOOL_CREATE && era->permanent))
        expect_status("wait", status, era);
}

static int holds(const struct actor *a)
{
    return free_hand(a) != 0 || a->held[1] != NULL;
}

/* Sometimes one of the calls that open needs fails. */
static void reopen(const struct op *op)
{
    static const enum sim_call calls[] = {SIM_THREAD_START, SIM_WATCH_OPEN,
                                          SIM_STOP_OPEN};
    enum sim_call call = calls[op->a % 3];
    int breaks = op->b % 2;
    sim_break(call, 1 + op->b / 2 % 2, breaks);
    era_open(breaks);
    sim_break(call, 1, 0);
}

static void steer(struct actor *a, const struct op *op, struct era *era)
{
    int max = 1 + op->a % (MODEL_SLOTS - 1), lines = 0;
    switch (op->kind) {
    case OP_RESIZE:
        era->resized = 1;
        expect_status("resize",
                      rpool_resize(era->handle, max, op->b % (max + 1)), era);
        break;
    case OP_RECYCLE:
        era->recycled = 1;
        expect_status("recycle", rpool_recycle(era->handle), era);
        break;
    case OP_SUSPEND:
        expect_status("suspend", rpool_suspend(era->handle), era);
        break;
    case OP_RESUME:
        expect_status("resume", rpool_resume(era->handle), era);
        break;
    case OP_CLOSE:
        era_close(era, op->a % 3 != 0 ? op->b : holds(a) ? 0 : -1);
        break;
    case OP_REOPEN:
        if (era->closed && !world.opening && world.era_count < MAX_POOLS &&
            era == &world.eras[world.era_count - 1])
            reopen(op);
        break;
    case OP_DUMP:
        rpool_dump(era->handle, count_line, &lines);
        break;
    default:
        sim_fail("no such operation");
    }
}

static void perform(struct actor *a, const struct op *op)
{
    world_trace("%s(%d, %d)%s", script_op_name(op->kind), op->a, op->b,
                op->old ? " old" : "");
    int newest = world.era_count - 1;
    struct era *era = &world.eras[op->old && newest > 0 ? newest - 1 : newest];
    switch (op->kind) {
    case OP_TRY:
        acquire(a, era, 0);
        break;
    case OP_TIMED:
        acquire(a, era, op->a + 1);
        break;
    case OP_ACQUIRE:
        acquire(a, era, holds(a) ? op->a + 1 : -1);
        break;
    case OP_RELEASE:
    case OP_DISCARD:
    case OP_DETACH:
        give_back(a, op->kind, op->a);
        break;
    case OP_USE:
        use(a, op->a, op->b);
        break;
    case OP_POST:
        post(a, op->a);
        break;
    case OP_STEAL:
        steal();
        break;
    case OP_STALE:
        if (a->ended != NULL)
            misuse(a->ended);
        break;
    case OP_ABUSE:
        misuse((rpool_item *)(uintptr_t)script_hash(world.script->seed, 3,
                                                    (uint64_t)op->a));
        break;
    case OP_SLEEP:
        sim_sleep_ms(op->a);
        break;
    case OP_HANGUP:
        hang_up(op->a);
        break;
    case OP_STATS:
        look_at_stats(era);
        break;
    case OP_WAIT:
        wait_ready(era, op->a);
        break;
    default:
        steer(a, op, era);
    }
}

void actor_run(void *arg)
{
    struct actor *a = arg;
    a->thread = sim_self();
    for (; a->at < world.script->ops[a->index]; a->at++) {
        if (!world.dropped[a->index * MAX_OPS + a->at])
            perform(a, &world.script->op[a->index][a->at]);
    }
    for (int i = 0; i < MAX_HELD; i++)
        give_back(a, OP_RELEASE, i);
    world.finished++;
}
