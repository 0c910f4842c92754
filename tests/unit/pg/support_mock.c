/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/* The scripted server.  `lock` protects what the test reads while the thread
 * serves: the count of connections and the received bytes. */
#include "support_mock.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/thread.h"
#include "base/watch.h"
#include "pg/config/config.h"

struct mock {
    struct thread thread;
    int listener, port, stop, go_on[2];
    char *scripts;
    sem_t serving; /* posted when the thread runs */
    struct lock lock;
    int accepted;
    size_t heard_size;
    char heard[16384];
};

/* ---- bytes ---- */

/* Waits for the descriptor for at most ms (-1: no limit).  Returns 0 if stopped
 * or late. */
static int wait_for(const struct mock *m, int fd, int ms)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = m->stop, .events = POLLIN}};
    return poll(fds, 2, ms) > 0 && !fds[1].revents;
}

static int read_exactly(struct mock *m, int fd, char *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        if (!wait_for(m, fd, -1))
            return 0;
        ssize_t n = read(fd, to + got, size - got);
        if (n <= 0)
            return 0;
        got += (size_t)n;
    }
    return 1;
}

/* Reads a length word and the body, and stores the body. */
static int read_body(struct mock *m, int fd)
{
    uint32_t word;
    char body[4096];
    if (!read_exactly(m, fd, (char *)&word, sizeof word))
        return 0;
    size_t size = ntohl(word) - sizeof word;
    if (size > sizeof body || !read_exactly(m, fd, body, size))
        return 0;
    lock_take(&m->lock);
    if (size <= sizeof m->heard - m->heard_size) {
        memcpy(m->heard + m->heard_size, body, size);
        m->heard_size += size;
    }
    lock_drop(&m->lock);
    return 1;
}

static int read_to_sync(struct mock *m, int fd)
{
    char type = 0;
    while (type != 'Q' && type != 'S') {
        if (!read_exactly(m, fd, &type, 1) || !read_body(m, fd))
            return 0;
    }
    return 1;
}

static int send_all(int fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* Sends in one piece, so that a client that has read once has the whole
 * message. */
static int send_message(int fd, char type, const void *body, size_t size)
{
    char bytes[256] = {type};
    uint32_t word = htonl((uint32_t)(size + sizeof word));
    memcpy(bytes + 1, &word, sizeof word);
    memcpy(bytes + 5, body, size);
    return send_all(fd, bytes, size + 5);
}
/* The body is a literal, sent with its last NUL. */
#define SEND(fd, type, body) send_message((fd), (type), (body), sizeof(body))
/* The same without the last NUL. */
#define SEND_RAW(fd, type, body)                                               \
    send_message((fd), (type), (body), sizeof(body) - 1)

#define FATAL(code) "SFATAL\0VFATAL\0C" code "\0Mthe server says no\0"

/* ---- steps ---- */

/* Sends one column and one row, like a SELECT. */
static int send_row(int fd, const char *value, size_t size)
{
    char head[] = "D\0\0\0\0\0\1\0\0\0";
    uint32_t whole = htonl((uint32_t)size + 10), field = htonl((uint32_t)size);
    memcpy(head + 1, &whole, sizeof whole);
    memcpy(head + 7, &field, sizeof field);
    return SEND_RAW(fd, 'T',
                    "\0\1x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff"
                    "\0\0") &&
           send_all(fd, head, 11) && send_all(fd, value, size) &&
           SEND(fd, 'C', "SELECT 1");
}

/* Sends the head of a message of 2000 bytes, and then far too few bytes of it.
 */
static int drip(struct mock *m, int fd)
{
    struct pollfd stop = {.fd = m->stop, .events = POLLIN};
    int more = send_all(fd, "R\0\0\7\xD0", 5);
    while (more && poll(&stop, 1, 2) == 0)
        more = send_all(fd, "", 1);
    return 0;
}

static int let_in(int fd)
{
    return SEND_RAW(fd, 'R', "\0\0\0\0") &&
           SEND(fd, 'S', "client_encoding\0UTF8") &&
           SEND_RAW(fd, 'K', "\0\0\0\7\0\0\0\7");
}

static int refuse(int fd, char step)
{
    switch (step) {
    case 'P':
        return SEND(fd, 'E', FATAL("28P01"));
    case 'D':
        return SEND(fd, 'E', FATAL("3D000"));
    case 'U':
        return SEND(fd, 'E', FATAL("57P03"));
    case 'T':
        return SEND(fd, 'E', FATAL("57P01"));
    case 'X':
        return SEND(fd, 'E', "SFATAL\0Mno code at all\0");
    case 'R':
        return SEND(fd, 'E', "SERROR\0VERROR\0C25006\0Mno writes here\0");
    case 'b':
        return SEND(fd, 'E', "SERROR\0C08P01\0Mno such command\0");
    default:
        return SEND(fd, 'E', "SERROR\0VERROR\0C42601\0Mnot like this\0");
    }
}

/* '3' to '9' are authentication requests; ':', the next character, is SASL. */
static int ask_password(int fd, char number)
{
    char body[64] = {0, 0, 0, (char)(number - '0')};
    static const char mechanism[] = "SCRAM-SHA-256\0";
    if (number != ':')
        return send_message(fd, 'R', body, number == '5' ? 8 : 4);
    memcpy(body + 4, mechanism, sizeof mechanism);
    return send_message(fd, 'R', body, 4 + sizeof mechanism);
}

/* Reads the client's first record of TLS and answers with an alert, whose
 * number has two digits. */
static int alert(struct mock *m, int fd, const char *number)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hello[4096];
    char record[] = {21, 3, 3, 0, 2, 2, 0};
    record[6] = (char)((strchr(digits, number[0]) - digits) * 16 +
                       (strchr(digits, number[1]) - digits));
    if (!read_exactly(m, fd, (char *)hello, 5))
        return 0;
    size_t size = (size_t)hello[3] << 8 | hello[4];
    return size <= sizeof hello && read_exactly(m, fd, (char *)hello, size) &&
           send_all(fd, record, sizeof record);
}

/* Sends "28000:some_text)" as a FATAL error. */
static int refuse_with(int fd, const char *spec)
{
    char body[200] = "SFATAL\0VFATAL\0C";
    size_t used = sizeof "SFATAL\0VFATAL\0C" - 1;
    memcpy(body + used, spec, 5);
    used += 6;
    body[used++] = 'M';
    for (const char *p = spec + 6; *p != ')'; p++)
        body[used++] = *p == '_' ? ' ' : *p;
    return send_message(fd, 'E', body, used + 2);
}

static int answer(int fd, char step)
{
    static const char big[100000];
    static const char twice[] = "C\0\0\0\x0DSELECT 0\0Z\0\0\0\5I"
                                "C\0\0\0\x0DSELECT 9\0Z\0\0\0\5I";
    switch (step) {
    case 'S':
        return send_all(fd, "S", 1);
    case 'N':
        return send_all(fd, "N", 1);
    case 'k':
        return let_in(fd);
    case 'H':
        return let_in(fd) && SEND(fd, 'S', "server_version\00015.0") &&
               SEND(fd, 'S', "in_hot_standby\0off");
    case 'o':
        return let_in(fd) && SEND_RAW(fd, 'Z', "I");
    case 'z':
        return SEND_RAW(fd, 'Z', "I");
    case 't':
        return SEND_RAW(fd, 'Z', "T");
    case 'f':
        return SEND_RAW(fd, 'Z', "E");
    case 'e':
        return SEND_RAW(fd, 'I', "");
    case 'c':
        return SEND(fd, 'C', "ROLLBACK");
    case 'x':
        return SEND_RAW(fd, '1', "") && SEND_RAW(fd, '2', "") &&
               SEND_RAW(fd, 'n', "");
    case 'm':
        return SEND(fd, 'N', "SNOTICE\0Mof a pooler\0");
    case 'J':
        return send_all(fd, twice, sizeof twice - 1);
    case 'u':
        return send_row(fd, "one", 3);
    case 'M':
        return send_row(fd, big, sizeof big);
    case 'y':
        return SEND(fd, 'S', "in_hot_standby\0on");
    case 'Y':
        return SEND(fd, 'S', "in_hot_standby\0off");
    case 'v':
        return SEND(fd, 'S', "default_transaction_read_only\0on");
    case 'V':
        return SEND(fd, 'S', "default_transaction_read_only\0off");
    case 'n':
        return SEND(fd, 'N', "SNOTICE\0VNOTICE\0C00000\0Mtwo\nlines\0");
    case 'a':
        return SEND(fd, 'A', "\0\0\0\7channel\0");
    case 'h':
        return SEND_RAW(fd, 'H', "\0\0\0");
    case 'i':
        return SEND_RAW(fd, 'G', "\0\0\0");
    case 'g':
        return send_all(fd, "what is this?\n", 14);
    default:
        return refuse(fd, step);
    }
}

/* Plays the step at `*script` and moves on.  Returns 0 if the connection is
 * over. */
static int play(struct mock *m, int fd, const char **script)
{
    char byte, step = *(*script)++;
    switch (step) {
    case 'A':
        return ask_password(fd, *(*script)++);
    case '!':
        *script += 2;
        return alert(m, fd, *script - 2);
    case '(':
        if (!refuse_with(fd, *script))
            return 0;
        *script += strcspn(*script, ")") + 1;
        return 1;
    case 'j':
        return read_exactly(m, fd, &byte, 1) && read_body(m, fd);
    case 's':
        return read_body(m, fd);
    case 'q':
        return read_to_sync(m, fd);
    case 'w':
        while (read_exactly(m, fd, &byte, 1))
            ;
        return 0;
    case 'p':
        return read_exactly(m, m->go_on[0], &byte, 1);
    case 'l':
        return !wait_for(m, m->stop, 250);
    case 'd':
        return drip(m, fd);
    default:
        return answer(fd, step);
    }
}

static void *serve(void *arg)
{
    struct mock *m = arg;
    const char *script = m->scripts;
    sem_post(&m->serving);
    while (wait_for(m, m->listener, -1)) {
        int fd = accept(m->listener, NULL, NULL);
        if (fd < 0)
            break;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        lock_take(&m->lock);
        m->accepted++;
        lock_drop(&m->lock);
        size_t length = strcspn(script, " ");
        for (const char *p = script; p < script + length && play(m, fd, &p);)
            ;
        close(fd);
        if (script[length])
            script += length + 1;
    }
    return NULL;
}

/* ---- life ---- */

/* Binds a loopback socket to a free port, without listening. */
static int bound_socket(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, size) ||
        getsockname(fd, (struct sockaddr *)&at, &size)) {
        close(fd);
        return -1;
    }
    *port = ntohs(at.sin_port);
    return fd;
}

/* Returns when the new thread runs, so that a test may fork() then: locks of
 * AddressSanitizer are held while a thread starts, and would stay locked in the
 * child. */
struct mock *mock_start(const char *scripts)
{
    struct mock *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->scripts = strdup(scripts);
    m->stop = stop_open();
    m->listener = bound_socket(&m->port);
    if (m->stop < 0 || pipe(m->go_on) || listen(m->listener, 8) ||
        lock_init(&m->lock) || sem_init(&m->serving, 0, 0) ||
        thread_start(&m->thread, serve, m))
        abort();
    while (sem_wait(&m->serving))
        ;
    return m;
}

void mock_stop(struct mock *m)
{
    stop_raise(m->stop);
    thread_join(&m->thread);
    stop_close(m->stop);
    close(m->listener);
    close(m->go_on[0]);
    close(m->go_on[1]);
    lock_destroy(&m->lock);
    sem_destroy(&m->serving);
    free(m->scripts);
    free(m);
}

int mock_port(const struct mock *m)
{
    return m->port;
}

void mock_go_on(struct mock *m)
{
    if (write(m->go_on[1], "", 1) != 1)
        abort();
}

int mock_accepted(struct mock *m)
{
    lock_take(&m->lock);
    int accepted = m->accepted;
    lock_drop(&m->lock);
    return accepted;
}

int mock_heard(struct mock *m, const char *text)
{
    size_t size = strlen(text) + 1;
    int found = 0;
    lock_take(&m->lock);
    for (size_t i = 0; !found && i + size <= m->heard_size; i++)
        found = memcmp(m->heard + i, text, size) == 0;
    lock_drop(&m->lock);
    return found;
}

int mock_closed_port(void)
{
    int port = 0;
    close(bound_socket(&port));
    return port;
}

/* ---- a config ---- */

enum { ROOM = 16 };

void mock_config_set(struct config *config, const char *keyword,
                     const char *value)
{
    if (config->parameter_count == ROOM)
        abort();
    config->parameters[config->parameter_count++] =
        (struct parameter){strdup(keyword), strdup(value)};
}

struct config *mock_config(const char *hosts, const char *ports)
{
    struct config *config = calloc(1, sizeof *config);
    if (!config)
        abort();
    config->parameters = calloc(ROOM, sizeof *config->parameters);
    config->secrets = calloc(ROOM, sizeof *config->secrets);
    config->name = strdup("mock");
    config->options.connect_timeout_ms = 60000;
    config->options.ping_timeout_ms = 60000;
    mock_config_set(config, "host", hosts);
    mock_config_set(config, "port", ports);
    mock_config_set(config, "user", "somebody");
    mock_config_set(config, "sslmode", "disable");
    mock_config_set(config, "gssencmode", "disable");
    return config;
}

void mock_config_free(struct config *config)
{
    pqp__config_free(config);
}

/* ---- stderr ---- */

static int real_stderr = -1;
static FILE *caught;

void stderr_catch(void)
{
    (void)fflush(stderr);
    caught = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    if (!caught || dup2(fileno(caught), STDERR_FILENO) < 0)
        abort();
}

size_t stderr_caught(void)
{
    (void)fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    (void)fseek(caught, 0, SEEK_END);
    size_t size = (size_t)ftell(caught);
    (void)fclose(caught);
    return size;
}
