/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The values of single keywords of libpq, read as libpq reads them. */
#ifndef PG_CONFIG_KEYWORD_H
#define PG_CONFIG_KEYWORD_H

#include <pqpool/pqpool.h>

/* Reads libpq's connect_timeout in seconds into milliseconds, PQP_NEVER for 0
 * and below.  Returns 0, or -1 if the text is not a number. */
int pqp__parse_timeout(const char *seconds, int *ms);
#define PQP__BAD_TIMEOUT "connect_timeout must be a number of seconds"

/* Returns whether each entry of the list is a port that libpq takes, or empty.
 */
int pqp__are_ports(const char *ports);
#define PQP__BAD_PORT "port must be a number from 1 to 65535"

/* Returns whether no entry of the list, except the path of a Unix socket,
 * contains an @.  Such an @ comes from a URI whose password was not encoded. */
int pqp__are_hosts(const char *hosts);

/* Returns the number of entries of a list that is separated by commas. */
int pqp__list_length(const char *list);

/* Returns a copy of the entry at `index`, "" beyond the end.  The caller frees
 * it. NULL for want of memory. */
char *pqp__list_element(const char *list, int index);

/* Returns the keyword of the list that does not have one entry for each host,
 * or NULL if all lists fit.  One port is enough for all hosts. */
const char *pqp__host_list_mismatch(const char *hosts, const char *addresses,
                                    const char *ports);
#define PQP__HOST_LIST_MISMATCH "%s must have one entry for each host"

#endif
