/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The secrets of a pool, and which part of a text from the server, from libpq
 * or from the caller may be shown.  The lists only grow until the config is
 * freed, so that readers need no lock.
 */
#include "pg/config/secrets.h"

#include <assert.h>
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

static int contains_secret(const struct config *config, const char *value)
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

/* Pushes a copy of the text with a compare-and-swap. */
static int list_push(_Atomic(struct runtime_text *) *list, const char *text)
{
    assert(*text);

    size_t size = strlen(text) + 1;
    struct runtime_text *entry = malloc(sizeof *entry + size);
    if (!entry)
        return -1;

    memcpy(entry->text, text, size);
    entry->next = *list;
    while (!atomic_compare_exchange_weak(list, &entry->next, entry))
        ;
    return 0;
}

static void list_free(struct runtime_text *list)
{
    for (struct runtime_text *next; list; list = next) {
        next = list->next;
        pqp__wipe(list->text, strlen(list->text));
        free(list);
    }
}

int pqp__secrets_add(struct config *config, const char *password)
{
    if (!password || !*password || is_known(config, password))
        return 0;
    return list_push(&config->runtime_secrets, password);
}

int pqp__secrets_exempt(struct config *config, const char *value)
{
    assert(value);

    if (!contains_secret(config, value) ||
        is_listed(config->shown_values, value))
        return 0;
    return list_push(&config->shown_values, value);
}

void pqp__secrets_free(struct config *config)
{
    list_free(config->runtime_secrets);
    list_free(config->shown_values);
}

/* ---- a secret in a text ---- */

/* The ways in which a text may spell a secret. */
enum form { FORM_RAW, FORM_URI, FORM_QUOTED, FORM_COUNT };

enum { SHORTEST_SECRET = 4 }; /* bytes; pqpool.h promises it */
enum { LONGEST_WORD = 15 };   /* characters of a plain word */
enum { MOST_SHOWN = 512 };    /* bytes; no message is longer */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)((at - digits) % 16) : -1;
}

/* Returns how many bytes at `p` stand for the byte c in this form; 0 if they do
 * not. */
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

/* Returns the length of the secret at `p` in its longest form; 0 if it does not
 * stand there.  A secret of less than SHORTEST_SECRET bytes is part of too many
 * words: hiding it would reveal it. */
static size_t length_at(const char *secret, const char *p)
{
    assert(secret && p);

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

/* ---- words ---- */

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

static int is_word_character(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

/* Returns whether the secret is a word that ordinary texts contain too, such as
 * "postgres" or "users".  There it reveals nothing, but "***" in its place
 * would. */
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

/* Returns whether the text calls the part at `p` a password, as password='x'
 * and "password": "x" do, or the part is the password of a URI, as in u:x@host.
 */
static int is_called_password(const char *from, const char *p, size_t length)
{
    assert(p >= from && length > 0);

    static const char *const names[] = {"password", "passwd", "pwd"};
    if (p > from && p[-1] == ':' && p[length] == '@')
        return 1;

    int is_marked = 0;
    for (; p > from && strchr(" '\"=:", p[-1]); p--)
        is_marked |= p[-1] != ' ';
    for (size_t i = 0; is_marked && i < sizeof(names) / sizeof(names[0]); i++) {
        size_t size = strlen(names[i]);
        if ((size_t)(p - from) >= size &&
            strncasecmp(p - size, names[i], size) == 0)
            return 1;
    }
    return 0;
}

/* Returns whether the part at `p` belongs to a value that may be shown, such as
 * the name of the role or the database. */
static int is_in_shown_value(const struct config *config, const char *from,
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

/* ---- hiding ---- */

/* Returns how many bytes at `p` have to be hidden because of this secret.  A
 * secret in an encoded form does not stand there by chance, and is always
 * hidden. */
static size_t hidden_by(const struct config *config, const char *secret,
                        const char *from, const char *p)
{
    assert(secret && p >= from);

    size_t length = length_at(secret, p);
    if (length == 0 || is_called_password(from, p, length))
        return length;
    if (length == strlen(secret) &&
        (is_plain_word(secret) || is_in_shown_value(config, from, p, length)))
        return 0;
    return length;
}

/* Returns how many bytes at `p` have to be hidden because of any secret. */
static size_t secret_length(const struct config *config, const char *from,
                            const char *p)
{
    size_t longest = 0;
    for (int i = 0; i < config->secret_count; i++) {
        size_t length = hidden_by(config, config->secrets[i], from, p);
        longest = length > longest ? length : longest;
    }
    for (const struct runtime_text *s = config->runtime_secrets; s;
         s = s->next) {
        size_t length = hidden_by(config, s->text, from, p);
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* If a secret is a part of a word, the rest of the word would reveal it: the
 * whole word is hidden. */
size_t pqp__hidden_length(const struct config *config, const char *from,
                          const char *p)
{
    assert(p >= from);

    if (!config)
        return 0;

    int begins_word =
        is_word_character(*p) && (p == from || !is_word_character(p[-1]));
    const char *at = p;
    size_t secret = secret_length(config, from, at);
    while (secret == 0 && begins_word && is_word_character(at[1]) &&
           at - p < MOST_SHOWN)
        secret = secret_length(config, from, ++at);
    if (secret == 0)
        return 0;

    const char *end = at + secret;
    while (is_word_character(end[-1]) && is_word_character(*end))
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
