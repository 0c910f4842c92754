/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The role of a server, primary or standby, as its sessions report it, and
 * which sessions leave the pool because of it.  A session leaves if it reports
 * a role that contradicts target_session_attrs.  If no standby was asked for, a
 * write that a standby refuses marks the address, and the sessions to it that
 * report a standby leave, each when its owner looks at it.  The marks in the
 * config are atomic and are read and set by the owner of any session.
 */
#include "pg/session/failover.h"

#include <string.h>

#include "base/clock.h"
#include "pg/base/sqlstate.h"

#define MARK_PAUSE (1000 * CLOCK_MS) /* between two marks of one address */

/* ---- what is reported ---- */

/* 1, or 0; also 0 if the server reports nothing of that name. */
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

/* A server that does not report its role, older than 14 or behind a pooler,
 * contradicts nothing. */
static int contradicts(const struct session *session)
{
    static const char read_only[] = "default_transaction_read_only";
    switch (session->wanted_role) {
    case ROLE_READ_WRITE:
        return is_standby(session) || parameter_is(session, read_only, "on");
    case ROLE_READ_ONLY:
        return parameter_is(session, "in_hot_standby", "off") &&
               parameter_is(session, read_only, "off");
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

/* ---- marks ---- */

/* Addresses that share a place share its mark: a session to a standby that
 * nobody wrote to may then be replaced too. */
unsigned pqp__role_place(const PGconn *pg)
{
    const char *address = PQhostaddr(pg), *port = PQport(pg);
    const char *parts[] = {*address ? address : PQhost(pg), port};
    unsigned hash = 2166136261U; /* FNV-1a */
    for (int i = 0; i < 2; i++)
        for (const char *p = parts[i]; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 16777619U;
    return hash % PQP__ADDRESSES;
}

/* A mark that is still to come took the place of the one a pause before. */
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

/* Within a pause of the last mark the next one is set at the pause's end: the
 * sessions that were made since then leave too, but once in a pause. */
void pqp__role_mark(struct session *session)
{
    if (asks_for_standby(session->wanted_role) || !is_standby(session))
        return;
    _Atomic int64_t *place =
        &session->config->address_marks[session->mark_index];
    int64_t last = atomic_load(place), now = clock_now();
    while (session->connect_began >= last) {
        int64_t next = last + MARK_PAUSE > now ? last + MARK_PAUSE : now;
        if (atomic_compare_exchange_weak(place, &last, next))
            return;
    }
}

int pqp__role_fits(const struct session *session)
{
    return !contradicts(session) && !pqp__role_is_marked(session);
}

/* ---- a refused write ---- */

/* The default of its transactions is read-only, and was not when we connected.
 */
static int turned_read_only(const struct session *session)
{
    const char *value =
        PQparameterStatus(session->pg, "default_transaction_read_only");
    return !session->was_read_only && value != NULL && strcmp(value, "on") == 0;
}

/* A server that took writes when we connected refuses one.  in_hot_standby is
 * the server's alone: sessions to that standby leave.
 * default_transaction_read_only may be this borrower's SET: its session leaves,
 * and what the next statement of another one brings says whether it was more
 * than that. */
void pqp__failover_follow(struct session *session, const pqp_error *err)
{
    struct config *config = session->config;
    int refused = (pqp__sqlstate_class(err->sqlstate) & PQP__READ_ONLY) != 0;
    int suspect =
        atomic_load_explicit(&config->read_only_pid, memory_order_relaxed);
    int is_witness = suspect != 0 && suspect != session->pid;
    if (!refused && !is_witness)
        return;
    if (refused)
        pqp__role_mark(session);
    int changed = turned_read_only(session);
    int failover = is_witness && changed;
    if (failover)
        session->recycle_due = 1;
    if (refused && changed)
        session->close_on_release = 1;
    if (is_witness || changed)
        atomic_store(&config->read_only_pid,
                     refused && changed && !failover ? session->pid : 0);
}
