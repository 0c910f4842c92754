/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The names and texts of statuses, and the names of events.
 */
#include <pqpool/pqpool.h>

const char *pqp_status_name(pqp_status status)
{
    static const char *const names[] = {
#define XX(name, text) "PQP_" #name,
        PQP_STATUS_MAP(XX)
#undef XX
    };
    return (unsigned)status < PQP_STATUS_COUNT ? names[status] : "?";
}

const char *pqp_strerror(pqp_status status)
{
    static const char *const texts[] = {
#define XX(name, text) text,
        PQP_STATUS_MAP(XX)
#undef XX
    };
    return (unsigned)status < PQP_STATUS_COUNT ? texts[status] : "?";
}

const char *pqp_event_name(pqp_event_type type)
{
    static const char *const names[] = {
#define XX(name) #name,
        PQP_EVENT_MAP(XX)
#undef XX
    };
    return (unsigned)type < PQP_EVENT_COUNT ? names[type] : "?";
}
