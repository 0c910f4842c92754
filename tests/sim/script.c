/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* Draws scripts; see the header. */
#include "script.h"

#include <stdio.h>

static const char *const op_names[OP_COUNT] = {
#define XX(name) #name,
    SCRIPT_OP_MAP(XX)
#undef XX
};

static const int op_weights[OP_COUNT] = {
    [OP_TRY] = 6,     [OP_TIMED] = 12,  [OP_ACQUIRE] = 8, [OP_RELEASE] = 14,
    [OP_DISCARD] = 2, [OP_DETACH] = 2,  [OP_USE] = 8,     [OP_POST] = 3,
    [OP_STEAL] = 3,   [OP_STALE] = 2,   [OP_ABUSE] = 1,   [OP_SLEEP] = 8,
    [OP_HANGUP] = 4,  [OP_STATS] = 2,   [OP_WAIT] = 1,    [OP_DUMP] = 1,
    [OP_RESIZE] = 4,  [OP_RECYCLE] = 3, [OP_SUSPEND] = 2, [OP_RESUME] = 3,
    [OP_CLOSE] = 2,   [OP_REOPEN] = 3};

const char *script_op_name(enum op_kind kind)
{
    return op_names[kind];
}

uint64_t script_hash(uint64_t seed, uint64_t kind, uint64_t index)
{
    uint64_t z = seed * 0x9E3779B97F4A7C15U + kind * 0xD1B54A32D192ED03U +
                 index * 0x8CB92BA72F3D8DD7U + 1;
    z = (z ^ (z >> 32)) * 0xDABA0B6EB09322E3U;
    z = (z ^ (z >> 29)) * 0x94D049BB133111EBU;
    return z ^ (z >> 32);
}

struct draw {
    uint64_t seed, count;
};

/* Returns low to high, both included. */
static int draw(struct draw *d, int low, int high)
{
    uint64_t n = (uint64_t)(high - low) + 1;
    return low + (int)(script_hash(d->seed, 0, d->count++) % n);
}

/* Draws nothing in half of the runs, so that each fault is also seen alone. */
static int draw_rarely(struct draw *d, int low, int high, int else_)
{
    int value = draw(d, low, high);
    return draw(d, 0, 1) ? value : else_;
}

static void draw_search(struct sim_search *s, struct draw *d)
{
    static const int walks[] = {20, 50, 100, 200, 400};
    s->walk = walks[draw(d, 0, 4)];
    s->depth = draw(d, 0, 2) == 0 ? draw(d, 1, 3) : 0;
    s->steps = 2000;
    s->spurious = draw_rarely(d, 10, 100, 0);
    s->slip = draw(d, 0, 3) == 0 ? draw(d, 1, 10) : 0;
}

static void draw_options(rpool_options *o, struct draw *d)
{
    *o = (rpool_options){.size = sizeof *o, .name = "sim"};
    o->max_size = draw(d, 1, 3);
    o->min_size = draw(d, 0, o->max_size);
    o->max_waiters = draw_rarely(d, 1, 2, RPOOL_NEVER);
    o->create_concurrency = draw(d, 1, 2);
    o->create_timeout_ms = draw(d, 20, 500);
    o->create_retry_max_ms = draw(d, 20, 300);
    o->idle_timeout_ms = draw_rarely(d, 5, 100, RPOOL_NEVER);
    o->max_lifetime_ms = draw_rarely(d, 40, 400, RPOOL_NEVER);
    o->max_uses = draw_rarely(d, 1, 4, RPOOL_NEVER);
    o->check_after_ms = draw_rarely(d, 1, 30, RPOOL_NEVER);
    o->keepalive_ms = draw_rarely(d, 10, 80, RPOOL_NEVER);
    o->leak_after_ms = draw_rarely(d, 10, 80, RPOOL_NEVER);
    o->check_always = draw(d, 0, 5) == 0;
}

static void draw_misfortune(struct misfortune *m, struct draw *d)
{
    m->create_fails = draw_rarely(d, 20, 600, 0);
    m->create_permanent = draw_rarely(d, 100, 800, 0);
    m->create_null = draw_rarely(d, 0, 50, 0);
    m->create_hangs = draw_rarely(d, 0, 100, 0);
    m->check_bad = draw_rarely(d, 50, 500, 0);
    m->check_late = draw_rarely(d, 50, 500, 0);
    m->reset_discard = draw_rarely(d, 50, 500, 0);
    m->reset_check = draw_rarely(d, 100, 1000, 0);
    m->slow = draw_rarely(d, 50, 600, 0);
    m->slow_ms = draw(d, 1, 60);
    m->hook = draw_rarely(d, 20, 300, 0);
    m->break_call = draw(d, 0, 1) ? SIM_THREAD_START : SIM_WATCH_ADD;
    m->break_nth = draw_rarely(d, 1, 3, 0);
}

static enum op_kind draw_kind(struct draw *d)
{
    int sum = 0;
    for (int i = 0; i < OP_COUNT; i++)
        sum += op_weights[i];
    int at = draw(d, 0, sum - 1);
    int kind = 0;
    while (at >= op_weights[kind])
        at -= op_weights[kind++];
    return (enum op_kind)kind;
}

void script_draw(struct script *script, uint64_t seed)
{
    struct draw d = {seed, 0};
    *script = (struct script){.seed = seed};
    draw_search(&script->search, &d);
    draw_options(&script->options, &d);
    draw_misfortune(&script->misfortune, &d);
    script->mute = draw(&d, 0, 3) == 0;
    script->no_check = draw(&d, 0, 7) == 0;
    script->no_reset = draw(&d, 0, 2) == 0;
    script->no_fd = draw(&d, 0, 7) == 0;
    script->actors = draw(&d, 3, MAX_ACTORS);
    for (int i = 0; i < script->actors; i++) {
        script->ops[i] = draw(&d, 3, MAX_OPS);
        for (int j = 0; j < script->ops[i]; j++)
            script->op[i][j] = (struct op){.kind = draw_kind(&d),
                                           .old = draw(&d, 0, 9) == 0,
                                           .a = draw(&d, 0, 60),
                                           .b = draw(&d, 0, 20)};
    }
}

void script_print(const struct script *script,
                  const unsigned char dropped[MAX_ACTORS * MAX_OPS])
{
    const rpool_options *o = &script->options;
    (void)printf(
        "  max %d, min %d, waiters %d, concurrency %d, idle %d, "
        "lifetime %d, uses %d, check %d%s, keepalive %d, leak %d",
        o->max_size, o->min_size, o->max_waiters, o->create_concurrency,
        o->idle_timeout_ms, o->max_lifetime_ms, o->max_uses, o->check_after_ms,
        o->check_always ? " (always)" : "", o->keepalive_ms, o->leak_after_ms);
    (void)printf("%s%s%s%s\n", script->mute ? ", mute" : "",
                 script->no_check ? ", no check" : "",
                 script->no_reset ? ", no reset" : "",
                 script->no_fd ? ", no fd" : "");
    for (int i = 0; i < script->actors; i++) {
        (void)printf("  actor %d:", i);
        for (int j = 0; j < script->ops[i]; j++) {
            const struct op *op = &script->op[i][j];
            if (!dropped[i * MAX_OPS + j])
                (void)printf(" %s%s(%d,%d)", op->old ? "old-" : "",
                             op_names[op->kind], op->a, op->b);
        }
        (void)printf("\n");
    }
}
