/* SPDX-FileCopyrightText: 2026 the pqpool authors */
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the files of the PostgreSQL layer share.
 *
 * A config belongs to a pool: written before rpool_open, read-only after but
 * for `suspect`, `marks` and the passwords that it learns, freed by
 * provider.done.  A session belongs to whoever has its item: the borrower, or
 * the worker that creates, checks or destroys it.  Nothing here has a lock.
 */
#ifndef PG_INTERNAL_H
#define PG_INTERNAL_H

#include <pqpool/pqpool.h>
#include <pqpool/rpool.h>
#include <stdatomic.h>

/* ---- config: options.c, conninfo.c ---- */

struct parameter { /* one keyword for PQconnectStartParams */
    char *keyword, *value;
};

struct learned { /* a text that was found by connecting; never changes */
    struct learned *next;
    char text[];
};

enum { PQP__ADDRESSES = 64 }; /* that are told apart */

struct config {
    pqp_options options; /* effective numbers; conninfo NULL, name ours */
    char *name;
    struct parameter *parameters; /* the user's, complete; secrets among them */
    int parameter_count;
    char *
        *secrets; /* every value never to be shown: borrowed from parameters */
    int secret_count;
    /* Passwords that are not the string's, and settings that hold a password
     * and are none, as the name of a role; only added to, by whoever connects
     */
    _Atomic(struct learned *) learned, names;
    int timeout_is_open; /* neither field nor string set the connect timeout */
    _Atomic(rpool *) core; /* set right after rpool_open, NULL before */
    _Atomic int64_t marks[PQP__ADDRESSES]; /* role.c's, rpool_now(); 0: none */
    atomic_int suspect; /* pid of the session that was refused a write and says
                           that its default turned read-only; 0: none */
};

/* Validates and merges options and conninfo; *config is ready for use.  */
pqp_status pqp__config_make(struct config **config, const pqp_options *options,
                            pqp_error *err);
/* Wipes the secrets.  NULL is a no-op. */
void pqp__config_free(struct config *config);
/* From now on this password (NULL and "" are none) is a secret too, whether it
 * came from the environment, a file or a service.  0, or -1 for want of
 * memory.  Thread: any. */
int pqp__config_learn(struct config *config, const char *password);
/* From now on the value of this setting may be shown, also where it holds a
 * password of now.  0, or -1 for want of memory.  Thread: any. */
int pqp__config_name(struct config *config, const char *value);

/* Seconds as libpq takes them, into milliseconds, PQP_NEVER for 0 and below.
 * 0, or -1: it is no number. */
int pqp__parse_timeout(const char *seconds, int *ms);
#define PQP__BAD_TIMEOUT "connect_timeout must be a number of seconds"

/* Whether each is a port that libpq takes, or empty. */
int pqp__are_ports(const char *ports);
#define PQP__BAD_PORT "port must be a number from 1 to 65535"

/* The keyword of the list that has not one entry for each host; NULL: all fit,
 * as libpq sees it. */
const char *pqp__misfit(const char *hosts, const char *addresses,
                        const char *ports);
#define PQP__MISFIT "%s is a list that does not fit the hosts"

/* Whether libpq refuses the first `count` parameters for what they are, with
 * the environment and the service file as they are now. */
int pqp__refused(const struct config *config, int count);

/* Takes the pool_* keywords out of a keyword string or URI: each is given to
 * `set` (0 to go on), the rest, unchanged, is returned; free with
 * pqp__wipe_free.  NULL and *err on bad input. */
char *pqp__conninfo_split(const char *conninfo,
                          int (*set)(void *arg, const char *keyword,
                                     const char *value, pqp_error *err),
                          void *arg, pqp_error *err);

/* ---- tls.c: the one file that knows OpenSSL ---- */

/* From now on OpenSSL's handler of exit() is there. */
void pqp__tls_begin(void);
void pqp__wipe(void *at, size_t size);
/* Wipes up to the NUL and frees; NULL is a no-op. */
void pqp__wipe_free(char *text);

/* ---- ending.c ---- */

/* From now on exit() waits for who is in libpq; before there is a thread. */
void pqp__ending_watch(void);

/* ---- error.c ---- */

/* What an SQLSTATE means; a set of bits, 0 for an ordinary error. */
enum {
    PQP__LOST = 1,      /* with FATAL: the session is gone */
    PQP__READ_ONLY = 2, /* no writes here: failover */
    PQP__RETRY = 4,     /* the transaction may run again */
    PQP__BACKOFF = 8,   /* the server is full or starting */
    PQP__PERMANENT = 16 /* trying again does not help */
};
/* NULL and "" are ordinary errors. */
unsigned pqp__sqlstate_class(const char *sqlstate);

/* Fills *err (NULL allowed) with status and text, made one line; returns
 * status. */
pqp_status pqp__fail(pqp_error *err, pqp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* INVALID, and a name that the caller gave: its first 63 bytes. */
pqp_status pqp__fail_named(pqp_error *err, const char *what, const char *name);
static inline void pqp__error_clear(pqp_error *err)
{
    if (err == NULL)
        return;
    err->status = PQP_OK;
    err->flags = 0;
    err->sqlstate[0] = '\0';
    err->message[0] = '\0';
}
/* Copies `from`, without secrets, control bytes and line ends, into `to`.  What
 * does not fit is cut between two characters and ends with "...". */
void pqp__clean_text(const struct config *config, char *to, size_t size,
                     const char *from);
/* Removes from a text of libpq its hints, which are the lines that begin with a
 * tab, whatever the language. */
void pqp__drop_hints(char *text);
/* The error of a result the server sent: SERVER or LOST, with SQLSTATE and
 * flags; message is the primary message. */
pqp_status pqp__fail_result(pqp_error *err, const struct config *config,
                            const PGresult *res);
/* LOST, with the first line of libpq's text. */
pqp_status pqp__fail_lost(pqp_error *err, const struct config *config,
                          const PGconn *pg);

/* ---- session: session.c, connect.c, resolve.c ---- */

/* target_session_attrs, as the connection was made with it. */
enum role {
    ROLE_ANY,
    ROLE_READ_WRITE,
    ROLE_READ_ONLY,
    ROLE_PRIMARY,
    ROLE_STANDBY,
    ROLE_PREFER_STANDBY
};

/* The object of libpq's event procedure and notice receiver.  It lives as long
 * as the PGconn; the PGresults, which keep pointers to it, never look at it. */
struct session {
    PGconn *pg;                /* NULL once the borrower has PQfinish()ed it */
    struct config *config;     /* NULL once it was detached */
    uint64_t number;           /* of the item; 0 until the core gave one */
    int pid;                   /* PQbackendPID at connect */
    int encoding;              /* PQclientEncoding at connect */
    const pqp_conn *lease;     /* of the call of ours that is under way */
    PQnoticeReceiver receiver; /* libpq's own, which ours stands in for */
    PQnoticeProcessor processor;
    atomic_int touched;    /* the borrower ran something, or has the PGconn */
    int broken;            /* unfit for reuse: reset answers DISCARD */
    int ended;             /* broken by the server's last words */
    int stale;             /* reset answers DISCARD; good until then */
    int answers;           /* Syncs sent by reset or ping, not yet answered */
    int pinging;           /* the outstanding answer is that of a ping */
    int64_t ping_deadline; /* of the outstanding answers, rpool_now() */
    int was_read_only;     /* as reported at connect */
    enum role wanted;      /* of the server */
    unsigned place;        /* of the server's address in config->marks */
    int64_t began;         /* to connect, rpool_now() */
    int sent;              /* any of the last statement; 0: not any of it */
    int committed;         /* pqp_commit sent COMMIT since pqp_begin */
    int in_statement;      /* a statement of ours is under way, which keeps its
                              own first error */
    pqp_error first;       /* what the open transaction failed with; to be asked
                              while it is failed or lost only */
};

/* The provider's functions, with ctx a struct config and resource a session. */
int pqp__session_create(void *ctx, int64_t deadline, int stop_fd,
                        void **resource, rpool_failure *why);
void pqp__session_destroy(void *ctx, void *resource);
int pqp__session_check(void *ctx, void *resource, int64_t idle_ms,
                       int64_t deadline);
int pqp__session_reset(void *ctx, void *resource);
int pqp__session_fd(void *ctx, void *resource);
/* As check, of what is here already: sends nothing and waits for nothing.  One
 * system call if nothing is. */
int pqp__session_look(void *ctx, void *resource);
/* Around calls of libpq that read from the session: until the end, a message
 * that libpq drops breaks the session.  Not nested. */
void pqp__reading_begin(struct session *session);
void pqp__reading_end(void);
/* Before a statement: what came since the last answer belongs to none, and
 * cannot pass for the answer to this one if it is read now.  If it was an
 * answer or the end, LOST and *err, and the connection is ended. */
pqp_status pqp__session_read_unasked(struct session *session, pqp_error *err);
/* Ends the connection of a session at rest, so that no statement of the
 * borrower, through libpq either, gets an answer from it any more.  This and
 * the one above are called between pqp__reading_begin and pqp__reading_end. */
void pqp__session_end(struct session *session);

/* Ends the session but not its PGconn, which is returned: its PQfinish frees
 * the rest. */
PGconn *pqp__session_detach(struct session *session);

/* Connects in libpq's steps; NULL and *why.  The notice receiver and the event
 * procedure of `session` are installed before the first byte is read. */
PGconn *pqp__connect(struct config *config, struct session *session,
                     int64_t deadline, int stop_fd, rpool_failure *why);

/* ---- role.c ---- */

/* "" and what libpq does not know ask for no role. */
enum role pqp__role_named(const char *wanted);
/* The place of a connection's address in config->marks. */
unsigned pqp__role_place(const PGconn *pg);
/* Whether the session may be leased as far as the role goes that its server
 * reports.  The caller has the session, and its input was read. */
int pqp__role_fits(const struct session *session);
/* As pqp__role_fits, but only whether another session had the address marked.
 * Costs two loads as long as none has. */
int pqp__role_is_marked(const struct session *session);
/* A write was refused (25006).  If the server reports that it is a standby, and
 * no standby was asked for, its address is marked: this session is not leased
 * again, nor are others to it that report the same. */
void pqp__role_mark(struct session *session);

/* wait.c: sleeps until the socket is readable (for_write 0) or also writable,
 * stop_fd (or -1) is readable, or the deadline.  1 ready, 0 deadline, -1 stop
 * or error. */
int pqp__wait_socket(int fd, int for_write, int stop_fd, int64_t deadline);

/* ---- statements: statement.c ---- */

/* Begins a call of ours on a lease: refuses a stale handle, a second thread and
 * a broken session.  NULL and *err.  Every success is paired with pqp__leave,
 * and the session is nobody else's until then. */
struct session *pqp__enter(const pqp_conn *conn, pqp_error *err);
void pqp__leave(struct session *session);
/* Sends and reads one query (params NULL: simple protocol) under a deadline
 * of rpool_now(); as pqp_exec.  After LOST session->sent says whether the
 * server may have it.  Lock-free; the caller has entered. */
pqp_status pqp__statement(struct session *session, const pqp_query *query,
                          int simple, int64_t deadline, PGresult **res,
                          pqp_error *err);

/* ---- events.c ---- */

/* Fills in size and pool, and calls on_event if there is one. */
void pqp__event(const struct config *config, const pqp_event *event);
/* The core's events as ours; arg is the config. */
void pqp__core_event(void *arg, const rpool_event *event);

#endif
