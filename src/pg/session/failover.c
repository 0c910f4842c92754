/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The role of a server, as its sessions report it, and which sessions leave the
 * pool because of it:
 *
 * - a session that reports a role which contradicts target_session_attrs;
 * - if the user did not ask for a standby, and a standby refuses a write: that
 *   session marks the address, and each older session to it that reports a
 *   standby leaves when its owner checks it;
 * - if default_transaction_read_only turned on in two sessions: all.
 *
 * The owner of any session reads and sets the marks in the config; they are
 * atomic.
 */
#include "pg/session/failover.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "pg/base/sqlstate.h"

#define MARK_PAUSE (1000 * CLOCK_MS) /* between two marks of one address */

static const char default_read_only[] = "default_transaction_read_only";

/* ---- the reported role ---- */

/* Returns whether the server reports this value of the parameter; 0 also if it
 * does not report the parameter at all. */
static int parameter_is(const struct session *session, const char *name,
                        const char *value)
{
    const char *reported = PQparameterStatus(session->pg, name);
    return reported != NULL && strcmp(reported, value) == 0;
}

static int is_standby(const struct session *session)
{
    return parameter_is(session, "in_hot_standby", "on");
}

/* A server that does not report its role, because it is older than 14 or behind
 * a pooler, contradicts nothing. */
static int contradicts(const struct session *session)
{
    switch (session->wanted_role) {
    case ROLE_READ_WRITE:
        return is_standby(session) ||
               parameter_is(session, default_read_only, "on");
    case ROLE_READ_ONLY:
        return parameter_is(session, "in_hot_standby", "off") &&
               parameter_is(session, default_read_only, "off");
    case ROLE_PRIMARY:
        return is_standby(session);
    case ROLE_STANDBY:
        return parameter_is(session, "in_hot_standby", "off");
    case ROLE_ANY:
    case ROLE_PREFER_STANDBY:
        break;
    }
    return 0;
}

/* ---- marks of an address ---- */

/* Two addresses may have the same index, and then share a mark.  A session to a
 * standby that refused no write may then be replaced too, which costs a connect
 * and nothing else. */
unsigned pqp__role_mark_index(const PGconn *pg)
{
    const char *address = PQhostaddr(pg), *port = PQport(pg);
    const char *parts[] = {*address ? address : PQhost(pg), port};

    unsigned hash = 2166136261U; /* FNV-1a */
    for (int i = 0; i < 2; i++)
        for (const char *p = parts[i]; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619U;
    return hash % PQP__ADDRESSES;
}

/* A mark in the future replaced the mark of MARK_PAUSE before, which counts
 * until then. */
int pqp__role_mark_applies(const struct session *session, int64_t mark)
{
    if (clock_now() < mark)
        mark -= MARK_PAUSE;
    return session->connect_began < mark && is_standby(session);
}

static int asks_for_standby(enum role wanted)
{
    return wanted == ROLE_STANDBY || wanted == ROLE_PREFER_STANDBY ||
           wanted == ROLE_READ_ONLY;
}

/* Within MARK_PAUSE of the last mark, the next mark is set to the end of that
 * pause.  So the sessions that were made since then leave too, but only once in
 * a pause. */
void pqp__role_mark(struct session *session)
{
    assert(session->mark_index < PQP__ADDRESSES);

    if (asks_for_standby(session->wanted_role) || !is_standby(session))
        return;

    _Atomic int64_t *mark =
        &session->config->address_marks[session->mark_index];
    int64_t last = atomic_load(mark), now = clock_now();
    while (session->connect_began >= last) {
        int64_t next = last + MARK_PAUSE > now ? last + MARK_PAUSE : now;
        if (atomic_compare_exchange_weak(mark, &last, next))
            return;
    }
}

int pqp__role_fits(const struct session *session)
{
    return !contradicts(session) && !pqp__role_is_marked(session);
}

/* ---- a refused write ---- */

/* Returns whether default_transaction_read_only is on now, and was off when the
 * connection was made. */
static int turned_read_only(const struct session *session)
{
    return !session->was_read_only &&
           parameter_is(session, default_read_only, "on");
}

/*
 * in_hot_standby can be changed by the server alone: if it is on, the address
 * is marked at once.
 *
 * default_transaction_read_only may be on because the borrower ran SET.  So the
 * session that was refused a write is closed at its release, and its pid is
 * kept in read_only_pid.  The next statement of any other session is the
 * witness: if the value changed there too, the server failed over.
 */
void pqp__failover_follow(struct session *session, const pqp_error *err)
{
    assert(!session->broken);

    struct config *config = session->config;
    int refused = (pqp__sqlstate_class(err->sqlstate) & PQP__READ_ONLY) != 0;
    int first_pid =
        atomic_load_explicit(&config->read_only_pid, memory_order_relaxed);
    int is_witness = first_pid != 0 && first_pid != session->pid;
    if (!refused && !is_witness)
        return;

    if (refused)
        pqp__role_mark(session);

    int changed = turned_read_only(session);
    int failed_over = is_witness && changed;
    if (failed_over)
        session->recycle_due = 1;
    if (refused && changed)
        session->close_on_release = 1;
    if (is_witness || changed)
        atomic_store(&config->read_only_pid,
                     refused && changed && !failed_over ? session->pid : 0);
}
