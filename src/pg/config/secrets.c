/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The secrets of a pool, and which part of a text from the server, from libpq
 * or from the caller may be shown.  The lists only grow, without a lock.
 */
#include "pg/config/secrets.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pg/base/line.h"
#include "pg/base/openssl.h"

/* ---- the lists ---- */

static int is_listed(const struct runtime_text *list, const char *text)
{
    while (list && strcmp(list->text, text) != 0)
        list = list->next;
    return list != NULL;
}

static int is_known(const struct config *config, const char *password)
{
    for (int i = 0; i < config->secret_count; i++) {
        if (strcmp(config->secrets[i], password) == 0)
            return 1;
    }
    return is_listed(config->runtime_secrets, password);
}

static int holds_secret(const struct config *config, const char *value)
{
    for (int i = 0; i < config->secret_count; i++) {
        if (*config->secrets[i] && strstr(value, config->secrets[i]))
            return 1;
    }
    const struct runtime_text *known = config->runtime_secrets;
    while (known && !strstr(value, known->text))
        known = known->next;
    return known != NULL;
}

static int add_learned(_Atomic(struct runtime_text *) *list, const char *text)
{
    size_t size = strlen(text) + 1;
    struct runtime_text *learned = malloc(sizeof *learned + size);
    if (!learned)
        return -1;
    memcpy(learned->text, text, size);
    learned->next = *list;
    while (!atomic_compare_exchange_weak(list, &learned->next, learned))
        ;
    return 0;
}

int pqp__secrets_add(struct config *config, const char *password)
{
    if (!password || !*password || is_known(config, password))
        return 0;
    return add_learned(&config->runtime_secrets, password);
}

int pqp__secrets_exempt(struct config *config, const char *value)
{
    if (!holds_secret(config, value) || is_listed(config->shown_values, value))
        return 0;
    return add_learned(&config->shown_values, value);
}

static void free_learned(struct runtime_text *list)
{
    for (struct runtime_text *next; list; list = next) {
        next = list->next;
        pqp__wipe(list->text, strlen(list->text));
        free(list);
    }
}

void pqp__secrets_free(struct config *config)
{
    free_learned(config->runtime_secrets);
    free_learned(config->shown_values);
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
    for (const struct runtime_text *n = config->shown_values; n; n = n->next) {
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
    for (const struct runtime_text *l = config->runtime_secrets; l;
         l = l->next) {
        size_t length = hidden_of(config, l->text, from, p);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* How much of the text `from` is to be hidden from `p` on.  Of a word that a
 * secret is a part of the rest would tell it: the word is hidden as a whole. */
size_t pqp__hidden_length(const struct config *config, const char *from,
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

static size_t hidden_in_config(const void *arg, const char *from, const char *p)
{
    return pqp__hidden_length(arg, from, p);
}

void pqp__clean_text(const struct config *config, char *to, size_t size,
                     const char *from)
{
    pqp__line_copy(to, size, from, hidden_in_config, config);
}
