/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The names and texts of the public enums. */
#include <pqpool/rpool.h>

#define XX(name, text) "RPOOL_" #name,
static const char *const status_names[] = {RPOOL_STATUS_MAP(XX)};
#undef XX
#define XX(name, text) text,
static const char *const status_texts[] = {RPOOL_STATUS_MAP(XX)};
static const char *const reason_texts[] = {RPOOL_REASON_MAP(XX)};
#undef XX
#define XX(name) #name,
static const char *const event_names[] = {RPOOL_EVENT_MAP(XX)};
#undef XX

const char *rpool_status_name(rpool_status status)
{
    return (unsigned)status < RPOOL_STATUS_COUNT ? status_names[status] : "?";
}

const char *rpool_strerror(rpool_status status)
{
    return (unsigned)status < RPOOL_STATUS_COUNT ? status_texts[status] : "?";
}

const char *rpool_event_name(rpool_event_type type)
{
    return (unsigned)type < RPOOL_EVENT_COUNT ? event_names[type] : "?";
}

const char *rpool_reason_text(rpool_reason reason)
{
    return (unsigned)reason < RPOOL_REASON_COUNT ? reason_texts[reason] : "?";
}
