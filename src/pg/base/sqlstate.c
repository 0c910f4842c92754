/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The meaning of an SQLSTATE and of a severity.  No state, no lock.
 */
#include "pg/base/sqlstate.h"

#include <assert.h>
#include <string.h>

/* The first prefix that fits decides.  PERMANENT concerns an attempt to
 * connect: only explain.c asks for it. */
static const struct {
    char prefix[6];
    unsigned class;
} sqlstates[] = {
    {"08", PQP__LOST},         /* connection exception */
    {"0A000", PQP__PERMANENT}, /* feature_not_supported */
    {"22023",
     PQP__PERMANENT}, /* invalid_parameter_value of a start-up option */
    {"25006", PQP__READ_ONLY}, /* read_only_sql_transaction */
    {"25P03", PQP__LOST},      /* idle_in_transaction_session_timeout */
    {"25P04", PQP__LOST},      /* transaction_timeout */
    {"28", PQP__PERMANENT},    /* invalid authorization specification */
    {"3D000", PQP__PERMANENT}, /* invalid_catalog_name: no such database */
    {"40001", PQP__RETRY},     /* serialization_failure */
    {"40P01", PQP__RETRY},     /* deadlock_detected */
    {"42501", PQP__PERMANENT}, /* insufficient_privilege */
    {"42601", PQP__PERMANENT}, /* syntax_error: a start-up option */
    {"42602", PQP__PERMANENT}, /* invalid_name: the same */
    {"42704", PQP__PERMANENT}, /* undefined_object: the same */
    {"53300", PQP__BACKOFF},   /* too_many_connections */
    {"55P02", PQP__PERMANENT}, /* cant_change_runtime_param */
    {"57P01", PQP__LOST},      /* admin_shutdown */
    {"57P02", PQP__LOST},      /* crash_shutdown */
    {"57P03", PQP__BACKOFF},   /* cannot_connect_now */
    {"57P04", PQP__LOST},      /* database_dropped */
    {"57P05", PQP__LOST},      /* idle_session_timeout */
};

unsigned pqp__sqlstate_class(const char *sqlstate)
{
    if (!sqlstate)
        return 0;

    for (size_t i = 0; i < sizeof(sqlstates) / sizeof(sqlstates[0]); i++) {
        const char *prefix = sqlstates[i].prefix;
        if (strncmp(sqlstate, prefix, strlen(prefix)) == 0)
            return sqlstates[i].class;
    }
    return 0;
}

const char *pqp__severity(const PGresult *res)
{
    assert(res);

    const char *severity =
        PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity)
        severity = PQresultErrorField(res, PG_DIAG_SEVERITY);
    return severity ? severity : "";
}

int pqp__is_fatal(const char *severity)
{
    assert(severity);
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}
