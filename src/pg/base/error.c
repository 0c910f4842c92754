/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Statuses, errors and their texts: what an SQLSTATE means, and what of a text
 * from the server, from libpq or from the caller may be shown.  Every message
 * passes through pqp__clean_text.  No state, no lock.
 */
#include "pg/internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static_assert(sizeof(pqp_error) == 512, "pqp_error is part of the ABI");

/* ---- names ---- */

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

/* ---- SQLSTATE ---- */

/* By prefix; the first that fits.  PERMANENT speaks of an attempt to connect:
 * that is where the pool asks for it. */
static const struct {
    char prefix[6];
    unsigned class;
} sqlstates[] = {
    {"08", PQP__LOST},         /* connection exception */
    {"0A000", PQP__PERMANENT}, /* feature_not_supported */
    {"22023", PQP__PERMANENT}, /* invalid_parameter_value: start-up option */
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

/* Five digits and capitals, or "": what is stored is the server's word, and
 * some servers send none. */
static void copy_sqlstate(char to[6], const char *from)
{
    to[0] = '\0';
    if (from && strlen(from) == 5 &&
        strspn(from, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
        memcpy(to, from, 6);
}

/* ---- what may be shown ---- */

/* How a secret may be written in a text. */
enum form { FORM_RAW, FORM_URI, FORM_QUOTED, FORM_COUNT };

enum { SHORTEST_SECRET = 4 }; /* bytes; as the header says */
enum { LONGEST_WORD = 15 };   /* characters */
enum { MOST_SHOWN = 512 };    /* bytes; no message is longer */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

/* How many bytes at `p` stand for the byte c; 0: they do not. */
static size_t unit_length(const char *p, char c, enum form form)
{
    if (form == FORM_URI && p[0] == '%' && hex_digit(p[1]) >= 0 &&
        hex_digit(p[2]) >= 0)
        return (char)(hex_digit(p[1]) * 16 + hex_digit(p[2])) == c ? 3 : 0;
    if (form == FORM_QUOTED && p[0] == '\\')
        return p[1] == c ? 2 : 0;
    if (form == FORM_QUOTED && p[0] == '\'' && p[1] == '\'')
        return c == '\'' ? 2 : 0;
    return p[0] == c ? 1 : 0;
}

/* How long `secret` is where it stands at `p`, in its longest form; 0: it does
 * not.  A short one stands in too many words: what is hidden would tell it. */
static size_t length_of(const char *secret, const char *p)
{
    size_t longest = 0;
    if (strnlen(secret, SHORTEST_SECRET) < SHORTEST_SECRET)
        return 0;
    for (int form = 0; form < FORM_COUNT; form++) {
        size_t length = 0, unit = 1;
        for (const char *c = secret; *c && unit; c++, length += unit)
            unit = unit_length(p + length, *c, (enum form)form);
        if (unit && length > longest)
            longest = length;
    }
    return longest;
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

static int is_of_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

/* A secret that stands in ordinary texts too, as "postgres" or "users".  Shown
 * there it tells nothing; a "***" in its place would. */
static int is_plain_word(const char *secret)
{
    size_t characters = 0;
    for (const char *p = secret; *p; p++) {
        if (!is_letter(*p) && !strchr("_-.", *p))
            return 0;
        characters += ((unsigned char)*p & 0xC0) != 0x80;
    }
    return characters <= LONGEST_WORD;
}

/* Whether the text before `p` names what stands there a password, as
 * password='x' or "password": "x", or it is that of a URI, as u:x@host. */
static int is_called_password(const char *from, const char *p, size_t length)
{
    static const char *const names[] = {"password", "passwd", "pwd"};
    if (p > from && p[-1] == ':' && p[length] == '@')
        return 1;
    int marked = 0;
    for (; p > from && strchr(" '\"=:", p[-1]); p--)
        marked |= p[-1] != ' ';
    for (size_t i = 0; marked && i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i]);
        if ((size_t)(p - from) >= size &&
            strncasecmp(p - size, names[i], size) == 0)
            return 1;
    }
    return 0;
}

/* Whether what stands at `p` is a part of a name that is no secret, as that of
 * the role or the database. */
static int is_in_name(const struct config *config, const char *from,
                      const char *p, size_t length)
{
    for (const struct learned *n = config->names; n; n = n->next) {
        size_t size = strlen(n->text);
        for (size_t k = 0; k + length <= size && k <= (size_t)(p - from); k++) {
            if (strncmp(p - k, n->text, size) == 0)
                return 1;
        }
    }
    return 0;
}

/* How much at `p` is to be hidden of a secret that may stand there; 0: none. */
static size_t hidden_of(const struct config *config, const char *secret,
                        const char *from, const char *p)
{
    size_t length = length_of(secret, p);
    if (length == 0 || is_called_password(from, p, length))
        return length;
    /* What is spelled in another way is no word that stands there by chance. */
    if (length == strlen(secret) &&
        (is_plain_word(secret) || is_in_name(config, from, p, length)))
        return 0;
    return length;
}

/* How long the secret that is to be hidden at `p` is there; 0: none is. */
static size_t secret_length(const struct config *config, const char *from,
                            const char *p)
{
    size_t longest = 0;
    for (int i = 0; i < config->secret_count; i++) {
        size_t length = hidden_of(config, config->secrets[i], from, p);
        longest = length > longest ? length : longest;
    }
    for (const struct learned *l = config->learned; l; l = l->next) {
        size_t length = hidden_of(config, l->text, from, p);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* How much of the text `from` is to be hidden from `p` on.  Of a word that a
 * secret is a part of the rest would tell it: the word is hidden as a whole. */
static size_t hidden_length(const struct config *config, const char *from,
                            const char *p)
{
    if (!config)
        return 0;
    int begins_word = is_of_word(*p) && (p == from || !is_of_word(p[-1]));
    const char *at = p;
    size_t secret = secret_length(config, from, at);
    while (secret == 0 && begins_word && is_of_word(at[1]) &&
           at - p < MOST_SHOWN)
        secret = secret_length(config, from, ++at);
    if (secret == 0)
        return 0;
    const char *end = at + secret;
    while (is_of_word(end[-1]) && is_of_word(*end))
        end++;
    return (size_t)(end - p);
}

/* Bytes of the UTF-8 character at `p`; 0: it is none. */
static size_t character_length(const unsigned char *p)
{
    /* Unicode's table of well-formed sequences, without ASCII. */
    static const struct form_of_utf8 {
        unsigned char first, last, length, second_low, second_high;
    } forms[] = {
        {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
        {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F},
        {0xEE, 0xEF, 3, 0x80, 0xBF}, {0xF0, 0xF0, 4, 0x90, 0xBF},
        {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
        {0xFF, 0xFF, 0, 0xFF, 0x00}, /* the end: nothing fits */
    };
    if (p[0] < 0x80)
        return 1;
    const struct form_of_utf8 *form = forms;
    while (p[0] > form->last)
        form++;
    if (p[0] < form->first || p[1] < form->second_low ||
        p[1] > form->second_high)
        return 0;
    for (size_t i = 2; i < form->length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return form->length;
}

static int is_control(const unsigned char *p)
{
    return p[0] < 0x20 || p[0] == 0x7F || (p[0] == 0xC2 && p[1] < 0xA0);
}

/* A text under construction; `full` once something did not fit, so that no
 * later and shorter piece follows the gap. */
struct line {
    char *at;
    size_t size, used;
    size_t mark; /* where "..." fits behind a whole piece */
    int full;
};

static const char dots[] = "...";

static void line_add(struct line *line, const char *from, size_t length)
{
    if (line->used + length >= line->size)
        line->full = 1;
    if (line->full)
        return;
    memcpy(line->at + line->used, from, length);
    line->used += length;
    if (line->used + sizeof dots <= line->size)
        line->mark = line->used;
}

static void line_trim(struct line *line)
{
    while (line->used && line->at[line->used - 1] == ' ')
        line->used--;
}

/* What was cut ends with "...", if there is room for it at all. */
static void line_end(struct line *line)
{
    int marked = line->full && line->size >= sizeof dots;
    if (marked)
        line->used = line->mark;
    line_trim(line);
    line->at[line->used] = '\0';
    if (marked)
        memcpy(line->at + line->used, dots, sizeof dots);
}

/* Adds the character at `p`, or what stands for it; returns its length. */
static size_t line_add_character(struct line *line, const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t length = character_length(u);
    if (!length)
        line_add(line, "?", 1);
    else if (!is_control(u))
        line_add(line, p, length);
    else if (line->used && line->at[line->used - 1] != ' ')
        line_add(line, " ", 1);
    return length ? length : 1;
}

void pqp__clean_text(const struct config *config, char *to, size_t size,
                     const char *from)
{
    struct line line = {.at = to, .size = size};
    /* Secrets may overlap: whatever any of them covers is hidden. */
    const char *hidden = from;
    for (const char *p = from; *p && !line.full;) {
        size_t secret = hidden_length(config, from, p);
        if (secret && p >= hidden)
            line_add(&line, "***", 3);
        if (p + secret > hidden)
            hidden = p + secret;
        p += p < hidden ? 1 : line_add_character(&line, p);
    }
    line_end(&line);
}

void pqp__drop_hints(char *text)
{
    char *to = text;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        length += line[length] == '\n';
        if (line[0] != '\t') {
            memmove(to, line, length);
            to += length;
        }
        line += length;
    }
    *to = '\0';
}

/* ---- errors ---- */

pqp_status pqp__fail(pqp_error *err, pqp_status status, const char *format, ...)
{
    if (!err)
        return status;
    /* An argument may be err->message; cleaning only makes a text shorter. */
    char buffer[2 * sizeof(err->message)];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));
    va_list args;
    va_start(args, format);
    text_add_list(&text, format, args);
    va_end(args);
    pqp__error_clear(err);
    err->status = status;
    pqp__clean_text(NULL, err->message, sizeof(err->message), buffer);
    return status;
}

pqp_status pqp__fail_named(pqp_error *err, const char *what, const char *name)
{
    char buffer[64];
    struct text text;
    text_init(&text, buffer, sizeof(buffer));
    text_add(&text, "%s", name);
    return pqp__fail(err, PQP_INVALID, "%s \"%s\"", what, buffer);
}

/* As pqp__fail, with a text of the other end. */
static void fail_with_text(pqp_error *err, const struct config *config,
                           pqp_status status, const char *text,
                           const char *if_empty)
{
    pqp__error_clear(err);
    err->status = status;
    pqp__clean_text(config, err->message, sizeof(err->message), text);
    if (!err->message[0])
        (void)snprintf(err->message, sizeof(err->message), "%s", if_empty);
}

/* The server ends the session after it.  Its severity says so, whatever the
 * SQLSTATE: an ERROR of class 08 speaks of a server behind this one, or is what
 * a function raises.  Only where no severity came does the SQLSTATE count. */
static int is_fatal(const PGresult *res, unsigned class)
{
    const char *severity =
        PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (!severity)
        return (class & PQP__LOST) != 0;
    return strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

pqp_status pqp__fail_result(pqp_error *err, const struct config *config,
                            const PGresult *res)
{
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    unsigned class = pqp__sqlstate_class(sqlstate);
    int lost = is_fatal(res, class);
    pqp_status status = lost ? PQP_LOST : PQP_SERVER;
    if (!err)
        return status;
    fail_with_text(err, config, status,
                   message ? message : PQresultErrorMessage(res),
                   "error without a message");
    copy_sqlstate(err->sqlstate, sqlstate);
    if (lost)
        err->flags = PQP_ERR_DISCARD;
    else if (class & PQP__RETRY)
        err->flags = PQP_ERR_RETRY;
    return status;
}

/* The first line is the cause.  What libpq adds below it only follows from it:
 * hints, and that there is no socket any more.  A secret may span two lines.
 * NULL for want of memory. */
static char *first_line(const struct config *config, const char *text)
{
    const char *end = text;
    while (*end && *end != '\n') {
        size_t secret = hidden_length(config, text, end);
        end += secret ? secret : 1;
    }
    return strndup(text, (size_t)(end - text));
}

pqp_status pqp__fail_lost(pqp_error *err, const struct config *config,
                          const PGconn *pg)
{
    if (!err)
        return PQP_LOST;
    char *cause = first_line(config, pg ? PQerrorMessage(pg) : "");
    int is_known = cause && strcmp(cause, "invalid socket") != 0;
    fail_with_text(err, config, PQP_LOST, is_known ? cause : "",
                   "it ended, and libpq does not say why");
    free(cause);
    err->flags = PQP_ERR_DISCARD;
    return PQP_LOST;
}
