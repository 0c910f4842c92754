/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The sequential reference model; see the header. */
#include "model.h"

#include "sim.h"

static const char *const names[SLOT_STATES] = {
    "empty",  "creating",  "idle",     "checking",
    "leased", "returning", "disposing"};

uint64_t model_taken[SLOT_STATES][SLOT_STATES];

const unsigned char model_legal[SLOT_STATES][SLOT_STATES] = {
    [SLOT_EMPTY] = {[SLOT_CREATING] = 1},
    [SLOT_CREATING] = {[SLOT_IDLE] = 1, [SLOT_CLOSING] = 1, [SLOT_EMPTY] = 1},
    [SLOT_IDLE] = {[SLOT_LEASED] = 1,
                   [SLOT_CHECKING] = 1,
                   [SLOT_RETURNING] = 1,
                   [SLOT_CLOSING] = 1},
    [SLOT_CHECKING] = {[SLOT_LEASED] = 1, [SLOT_IDLE] = 1, [SLOT_CLOSING] = 1},
    [SLOT_LEASED] = {[SLOT_RETURNING] = 1, [SLOT_IDLE] = 1, [SLOT_CLOSING] = 1},
    [SLOT_RETURNING] = {[SLOT_IDLE] = 1, [SLOT_CLOSING] = 1, [SLOT_EMPTY] = 1},
    [SLOT_CLOSING] = {[SLOT_EMPTY] = 1},
};

static int is_claim(enum slot_state from, enum slot_state to)
{
    return from == SLOT_IDLE && (to == SLOT_LEASED || to == SLOT_CHECKING);
}

static int is_nobodys(enum slot_state state)
{
    return state == SLOT_IDLE || state == SLOT_EMPTY || state == SLOT_CLOSING;
}

void model_move(struct model *m, int index, enum slot_state to, int thread)
{
    struct model_slot *s = &m->slot[index];
    if (!model_legal[s->state][to])
        sim_fail("slot %d: %s to %s", index, names[s->state], names[to]);
    model_taken[s->state][to]++;
    if (is_claim(s->state, to)) {
        s->owner = thread;
        s->in_turn = !m->line_closed;
    } else if (s->state == SLOT_LEASED && to == SLOT_RETURNING) {
        if (!s->leased)
            sim_fail("slot %d: given back before it was leased", index);
        s->owner = thread;
        s->leased = 0;
    } else if (s->leased) {
        sim_fail("slot %d: leased, but goes to %s", index, names[to]);
    } else if (!is_nobodys(s->state) && s->owner != 0 && s->owner != thread) {
        sim_fail("slot %d: %s of thread %d, but thread %d makes it %s", index,
                 names[s->state], s->owner, thread, names[to]);
    }
    if (s->state == SLOT_CHECKING && s->owner == 0 && to == SLOT_LEASED) {
        /* it took back an item that it had handed to the workers */
        s->owner = thread;
        s->in_turn = 1;
    }
    if (is_nobodys(to))
        s->owner = 0;
    s->state = to;
}

void model_hand_over(struct model *m, int index)
{
    struct model_slot *s = &m->slot[index];
    if (s->state != SLOT_CHECKING)
        sim_fail("slot %d is handed over, but %s", index, names[s->state]);
    s->owner = 0;
}

static int place_of(const struct model *m, int thread)
{
    int at = 0;
    while (at < m->waiting && m->line[at].thread != thread)
        at++;
    if (at == m->waiting)
        sim_fail("thread %d is not in line", thread);
    return at;
}

void model_stand(struct model *m, uint64_t ticket, int thread)
{
    int newcomer = ticket > m->last_ticket;
    if (newcomer && m->max_waiters >= 0 && m->waiting >= m->max_waiters)
        sim_fail("%d wait, but only %d may", m->waiting + 1, m->max_waiters);
    if (m->waiting == MODEL_LINE)
        sim_fail("the model's line is full");
    if (newcomer)
        m->last_ticket = ticket;
    int at = m->waiting++;
    for (; at > 0 && m->line[at - 1].ticket > ticket; at--)
        m->line[at] = m->line[at - 1];
    m->line[at] = (struct model_waiter){ticket, thread};
}

static void take_out(struct model *m, int at)
{
    m->waiting--;
    for (int i = at; i < m->waiting; i++)
        m->line[i] = m->line[i + 1];
}

void model_gate(struct model *m, int line_closed)
{
    m->line_closed = line_closed;
    for (int i = 0; !line_closed && i < MODEL_SLOTS; i++)
        m->slot[i].in_turn = 1;
}

void model_leave(struct model *m, int thread)
{
    int at = place_of(m, thread);
    for (int i = 0; at == 0 && i < MODEL_SLOTS; i++) {
        if (m->slot[i].owner == thread)
            m->slot[i].in_turn = 1;
    }
    take_out(m, at);
}

void model_answer(struct model *m, int thread, int index)
{
    int at = place_of(m, thread);
    if (index >= 0) {
        struct model_slot *s = &m->slot[index];
        if (at != 0)
            sim_fail("slot %d goes to number %d in line", index, at + 1);
        if (s->leased || (s->state != SLOT_LEASED && s->state != SLOT_CHECKING))
            sim_fail("slot %d is %s, but is granted", index, names[s->state]);
        s->owner = thread;
        s->in_turn = 1;
    }
    take_out(m, at);
}

void model_result(struct model *m, int thread, int index)
{
    for (int i = 0; i < m->waiting; i++) {
        if (m->line[i].thread == thread)
            sim_fail("thread %d returns, but stands in line", thread);
    }
    for (int i = 0; i < MODEL_SLOTS; i++) {
        const struct model_slot *s = &m->slot[i];
        if (i != index && !s->leased && s->owner == thread)
            sim_fail("thread %d returns, but has slot %d, %s", thread, i,
                     names[s->state]);
    }
    if (index < 0)
        return;
    struct model_slot *s = &m->slot[index];
    if (s->state != SLOT_LEASED || s->leased || s->owner != thread)
        sim_fail("slot %d is returned to thread %d, but is %s of %d", index,
                 thread, names[s->state], s->owner);
    if (!s->in_turn)
        sim_fail("thread %d overtook the line", thread);
    s->leased = 1;
}
