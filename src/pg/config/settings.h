/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The settings of a connection, merged by libpq from the user's parameters, the
 * service file and the environment. */
#ifndef PG_CONFIG_SETTINGS_H
#define PG_CONFIG_SETTINGS_H

#include "pg/config/config.h"

/* target_session_attrs, as the connection was made with it. */
enum role {
    ROLE_ANY,
    ROLE_READ_WRITE,
    ROLE_READ_ONLY,
    ROLE_PRIMARY,
    ROLE_STANDBY,
    ROLE_PREFER_STANDBY
};

/* Returns the role that a value of target_session_attrs asks for: ROLE_ANY for
 * "" and for a value that libpq does not know. */
enum role pqp__role_named(const char *wanted);

/* The arrays for PQconnectStartParams().  Of a keyword that stands there twice
 * the last one counts.  The strings are borrowed. */
struct keywords {
    const char **keywords, **values;
    int count, room; /* entries, and how many fit before the final NULL */
};

/* Fills in the user's own parameters, with room for `more`.  If without_secrets
 * is not 0, "-" stands in place of each secret.  Returns 0, or -1 for want of
 * memory.  The caller frees *keywords in either case. */
int pqp__keywords_make(struct keywords *keywords, const struct config *config,
                       int more, int without_secrets);
void pqp__keywords_add(struct keywords *keywords, const char *keyword,
                       const char *value);
void pqp__keywords_free(struct keywords *keywords);

/* Returns all settings as libpq merges them, with "-" in place of the password
 * and of each secret that is set.  The caller frees them with PQconninfoFree().
 * NULL for want of memory. */
PQconninfoOption *pqp__settings(const struct config *config);

/* Returns the value of one of the settings, "" if it has none. */
const char *pqp__setting(const PQconninfoOption *settings, const char *keyword);

/* Returns whether libpq refuses the values of the first `count` parameters,
 * together with the environment and the service file of now. */
int pqp__settings_refused(const struct config *config, int count);

#endif
