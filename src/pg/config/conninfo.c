/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A scanner of connection strings, with libpq's rules for both forms.  It takes
 * out the pool_* keywords.  It also finds the error in a string that libpq
 * refused, because libpq's message would show a part of the password.  Messages
 * give the position as a byte, counted from 1.
 */
#include "pg/config/conninfo.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pg/base/error.h"
#include "pg/base/openssl.h"

struct scan {
    const char *conninfo;
    int uri;                 /* the string is a URI */
    const char *at;          /* the first byte that was not read */
    const char *start, *end; /* of the last pair in the string */
    char *keyword, *value;   /* of the last pair, decoded; in scratch */
    char *scratch;
    size_t size; /* of scratch */
};

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

/* Fills *err.  Returns -1, which scan_next() returns. */
static int malformed(const struct scan *scan, const char *at, const char *what,
                     pqp_error *err)
{
    assert(at >= scan->conninfo);

    pqp__fail(err, PQP_INVALID,
              "connection string is malformed: %s at byte %zu", what,
              (size_t)(at - scan->conninfo) + 1);
    return -1;
}

/* ---- the keyword form: host=a password='b c' ---- */

/* Decodes the value at `p` into `out`.  Returns its end, or NULL if its quote
 * is not closed. */
static const char *read_value(const char *p, char *out)
{
    int quoted = *p == '\'';

    p += quoted;
    while (*p && (quoted ? *p != '\'' : !isspace((unsigned char)*p))) {
        if (*p == '\\' && !*++p)
            break;
        *out++ = *p++;
    }
    *out = '\0';

    if (quoted && *p != '\'')
        return NULL;
    return p + quoted;
}

static int next_of_string(struct scan *scan, pqp_error *err)
{
    const char *p = skip_space(scan->at);
    char *out = scan->scratch;
    scan->start = p;
    if (!*p)
        return 0;

    scan->keyword = out;
    while (*p && *p != '=' && !isspace((unsigned char)*p))
        *out++ = *p++;
    *out++ = '\0';

    p = skip_space(p);
    if (*p != '=')
        return malformed(scan, scan->start,
                         "no = after the keyword (a value with spaces needs "
                         "quotes)",
                         err);

    p = skip_space(p + 1);
    scan->value = out;
    scan->at = scan->end = read_value(p, out);
    if (!scan->at)
        return malformed(scan, p, "unclosed quote", err);
    return 1;
}

/* ---- the query of a URI: ?host=a&password=b%20c ---- */

/* Returns the bytes of the scheme; 0 if the string is not a URI. */
static size_t scheme_length(const char *conninfo)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};
    for (int i = 0; i < 2; i++) {
        if (strncmp(conninfo, schemes[i], strlen(schemes[i])) == 0)
            return strlen(schemes[i]);
    }
    return 0;
}

/* Returns the begin of the query, behind the question mark, or the end of the
 * URI. A user, a password and an address in brackets may contain a question
 * mark too. */
static const char *find_query(const char *p)
{
    const char *user_end = p + strcspn(p, "@/");
    if (*user_end == '@')
        p = user_end + 1;

    for (;; p++) { /* each host */
        if (*p == '[')
            p += strcspn(p, "]");
        p += strcspn(p, "/?,");
        if (*p != ',')
            break;
    }

    p += strcspn(p, "?");
    return *p ? p + 1 : p;
}

/* Decodes from `p` to `end` into `out`.  Returns the byte behind the NUL, or
 * NULL if a %-escape is invalid. */
static char *decode(const char *p, const char *end, char *out)
{
    assert(p <= end);

    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    for (; p < end; p++) {
        if (*p != '%') {
            *out++ = *p;
            continue;
        }

        const char *high = end - p > 2 ? strchr(digits, p[1]) : NULL;
        const char *low = high ? strchr(digits, p[2]) : NULL;
        int c =
            low ? (int)((high - digits) % 16 * 16 + (low - digits) % 16) : 0;
        if (c == 0)
            return NULL;

        *out++ = (char)c;
        p += 2;
    }
    *out++ = '\0';
    return out;
}

static int next_of_query(struct scan *scan, pqp_error *err)
{
    const char *p = scan->at, *end = p + strcspn(p, "&");
    scan->start = p;
    if (!*p)
        return 0;

    const char *equals = p + strcspn(p, "=&");
    if (equals == end || memchr(equals + 1, '=', (size_t)(end - equals - 1)))
        return malformed(scan, p, "not exactly one = in the parameter", err);

    scan->keyword = scan->scratch;
    scan->value = decode(p, equals, scan->keyword);
    if (!scan->value || !decode(equals + 1, end, scan->value))
        return malformed(scan, p, "invalid %-escape in the parameter", err);
    scan->at = scan->end = end + (*end == '&');
    return 1;
}

/* ---- both forms ---- */

/* Begins a scan, which scan_close() ends in any case.  Returns 0, or -1 for
 * want of memory. */
static int scan_open(struct scan *scan, const char *conninfo)
{
    assert(conninfo);

    size_t scheme = scheme_length(conninfo);
    *scan = (struct scan){
        .conninfo = conninfo,
        .uri = scheme != 0,
        .at = scheme ? find_query(conninfo + scheme) : conninfo,
        .size = strlen(conninfo) + 2, /* one NUL for =, one for the end */
    };
    scan->scratch = malloc(scan->size);
    return scan->scratch ? 0 : -1;
}

static void scan_close(struct scan *scan)
{
    if (scan->scratch)
        pqp__wipe(scan->scratch, scan->size);
    free(scan->scratch);
}

/* Reads the next pair.  Returns 1, 0 if none is left, or -1 and *err. */
static int scan_next(struct scan *scan, pqp_error *err)
{
    assert(scan->at && scan->scratch);
    return scan->uri ? next_of_query(scan, err) : next_of_string(scan, err);
}

/* ---- taking out our keywords ---- */

static int is_ours(const char *keyword)
{
    return strncmp(keyword, "pool_", 5) == 0;
}

char *pqp__conninfo_split(const char *conninfo,
                          int (*set)(void *arg, const char *keyword,
                                     const char *value, pqp_error *err),
                          void *arg, pqp_error *err)
{
    struct scan scan;
    int failed = scan_open(&scan, conninfo);
    char *rest = calloc(1, scan.size), *out = rest;
    if (failed || !rest) {
        pqp__fail(err, PQP_NOMEM,
                  "out of memory while reading the connection string");
        goto out;
    }

    const char *copied = conninfo; /* the part before it is in rest */
    int found;
    while ((found = scan_next(&scan, err)) > 0) {
        if (!is_ours(scan.keyword))
            continue;
        failed = set(arg, scan.keyword, scan.value, err);
        if (failed)
            goto out;

        memcpy(out, copied, (size_t)(scan.start - copied));
        out += scan.start - copied;
        copied = scan.end;
    }
    memcpy(out, copied, strlen(copied));
    failed = found;
out:
    scan_close(&scan);
    if (!failed)
        return rest;
    pqp__wipe_free(rest);
    return NULL;
}

/* ---- explaining what libpq refused ---- */

static const PQconninfoOption *find_keyword(const PQconninfoOption *known,
                                            const char *keyword)
{
    while (known->keyword && strcmp(known->keyword, keyword) != 0)
        known++;
    return known->keyword ? known : NULL;
}

/* Names the unknown keyword, if it has the form of one and cannot be the rest
 * of a password that was not quoted. */
static void unknown_keyword(const struct scan *scan, int behind_secret,
                            pqp_error *err)
{
    assert(scan->keyword);

    size_t length = strspn(scan->keyword, "abcdefghijklmnopqrstuvwxyz_"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789");
    if (behind_secret || length == 0 || length > 40 || scan->keyword[length])
        malformed(scan, scan->start, "unknown keyword", err);
    else
        pqp__fail(err, PQP_INVALID, "connection string: unknown keyword \"%s\"",
                  scan->keyword);
}

pqp_status pqp__conninfo_explain(const char *conninfo, pqp_error *err)
{
    struct scan scan;
    PQconninfoOption *known = PQconninfoParse("", NULL);
    pqp_status status = PQP_NOMEM;
    if (scan_open(&scan, conninfo) != 0 || !known) {
        pqp__fail(err, status,
                  "out of memory while reading the connection string");
        goto out;
    }

    status = PQP_INVALID;
    int behind_secret = scan.uri && strchr(scan.at, '@');
    int found;
    while ((found = scan_next(&scan, err)) > 0) {
        const PQconninfoOption *option = find_keyword(known, scan.keyword);
        if (!option && !is_ours(scan.keyword)) {
            unknown_keyword(&scan, behind_secret, err);
            goto out;
        }
        if (option && option->dispchar[0] == '*')
            behind_secret = 1;
    }
    if (found == 0)
        pqp__fail(err, status,
                  "connection string is malformed: user, password, address or "
                  "database");
out:
    scan_close(&scan);
    PQconninfoFree(known);
    return status;
}
