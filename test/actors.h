/* SPDX-License-Identifier: MIT */
/* actors.h - a data set of a test's own, and the actors that serve it.
 *
 *     test ──request──▶ numbering, query ──▶ journal.db, store.db, search.db
 *          ◀──reply────                      behind the faulty layer of fake_sql.h
 *
 * The actors are the real ones over real sockets, and the files are real. Faults are
 * planted in what the actors open; what the test opens itself (journal, store,
 * search, sql) is never faulty. One set of actors a process. cmocka's asserts are
 * in here too: one thread, the test's own.
 *
 * In place of the journal's file there may be Redis servers of the test's own, in place
 * of the store's a database of its own on the MariaDB that CONFAB_TEST_MARIADB names.
 */
#ifndef ACTORS_H
#define ACTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <czmq.h>

#include <cmocka.h>

#include "commands/data_set.h"
#include "common/actor.h"
#include "common/clock.h"
#include "common/message.h"
#include "fake_sql.h"
#include "redis_server.h"
#include "storage/sql.h"
#include "support.h"

/* In the order in which they are started. */
enum actor_kind { PERSISTENCE, COUNTING, INDEXING, NUMBERING, QUERY, ACTOR_COUNT };
enum file { JOURNAL_FILE, STORE_FILE, SEARCH_FILE, FILE_COUNT };
enum { JOURNALS_MAX = 2 };

struct actors {
    char *folder;
    struct config config; /* to be changed before the actors start */
    data_set_t *data_set;
    zactor_t *actor[ACTOR_COUNT];        /* NUMBERING: who is asked */
    zactor_t *numbering[JOURNALS_MAX];   /* behind it, if there are several journal servers */
    redis_server_t *redis[JOURNALS_MAX]; /* NULL: the journal is a file */
    const char *database;                /* NULL: the store is a file */
    zsock_t *asker[ACTOR_COUNT];         /* DEALER to NUMBERING and QUERY */

    uint64_t last_id;
    struct buffer frame;
    zmq_msg_t answer;   /* in which the strings of `reply` lie */
    struct reply reply; /* the last one that came */

    journal_t *journal;
    store_t *store;
    search_t *search;
    sql_t *sql[FILE_COUNT]; /* NULL: it is no file */
};

/* For the group: once a process. */
int actors_prepare(void **state);
int actors_finish(void **state);

/* For each test: a new data set of one shard; no actor runs yet. */
int actors_set_up(void **state);
int actors_tear_down(void **state);
/* The same with several shards. */
int actors_set_up_sharded(void **state);
/* With several shards, and the journal on one or two servers. */
int actors_set_up_redis(void **state);
int actors_set_up_redis_pair(void **state);
/* With several shards, the journal on a server and the store in a database. */
int actors_set_up_shared(void **state);
/* Whether there is a MariaDB for that. If not that is said; *ret_failures is 1 if there
 * should be one. */
bool actors_can_share(int *ret_failures);

/* Starts an actor that must start. */
void actor_run(struct actors *f, enum actor_kind kind);
/* Starts an actor; false: it did not start. */
bool actor_try(struct actors *f, enum actor_kind kind, status_t *ret_status);
/* Stops it; harmless if it does not run. */
void actor_stop(struct actors *f, enum actor_kind kind);
void actors_run(struct actors *f);
/* In the order of `confab serve`. */
void actors_stop(struct actors *f);
/* Closes and opens the data set as another process would: a new run. */
void actors_reopen(struct actors *f);
/* What every actor of this data set is given; lives as long as the process. */
const struct actor_args *actors_args(const struct actors *f, unsigned server);

/* ---- asking ---- */

/* Sends a request to whom it is for, under a new id, which it returns. */
uint64_t request_send(struct actors *f, const struct request *request);
/* Waits for the next reply of NUMBERING or QUERY, into f->reply. */
void reply_wait(struct actors *f, enum actor_kind from);
/* Both; returns the reply's status. */
status_t ask(struct actors *f, const struct request *request);

/* A request about this place; `text` may be NULL. */
struct request request_of(enum request_type type, const char *token, uint64_t chat, uint64_t number,
                          const char *text);
/* With an idempotency key and a hash of the rest made of these. */
struct request request_keyed(struct request request, uint64_t key, uint64_t rest);

/* These return the number, or 0 if it was refused: f->reply.status tells why. */
uint64_t chat_post(struct actors *f, const char *token);
uint64_t message_post(struct actors *f, const char *token, uint64_t chat, const char *body);
/* Must succeed. */
void application_post(struct actors *f, const char *token);
/* `count` messages "body 1", "body 2"… that must get the next numbers. */
void messages_post(struct actors *f, const char *token, uint64_t chat, uint64_t count);

/* Asks for a message and checks its body. */
void message_check(struct actors *f, const char *token, uint64_t chat, uint64_t number,
                   const char *body);
/* The reply's only item. */
struct item reply_item(struct actors *f);
/* The numbers of the reply's items, as "3 2 1". */
const char *reply_numbers(struct actors *f);

/* ---- waiting ---- */

/* Looks every millisecond; fails the test after half a minute. */
#define WAIT_FOR(condition)                                                      \
    for (int64_t wait_until_us = clock_monotonic_us() + 30000000; !(condition);) \
    wait_pause(wait_until_us, #condition, __FILE__, __LINE__)
void wait_pause(int64_t until_us, const char *condition, const char *file, int line);

/* Fails the test if the condition does not hold all along for some looks of a follower. */
#define STAYS(condition)                                         \
    for (int64_t stays_until_us = clock_monotonic_us() + 350000; \
         clock_monotonic_us() < stays_until_us; zclock_sleep(5)) \
    assert_true(condition)

/* Seq of the last record in the shard's log; of where its followers stand: the store's rows,
 * but for indexing, whose position is in the index. */
uint64_t last_seq(struct actors *f, unsigned shard);
uint64_t followed_seq(struct actors *f, const char *follower, unsigned shard);
/* Waits until a follower has all that is in the log. */
void follower_wait(struct actors *f, const char *follower);

/* ---- looking behind the curtain ---- */

/* The number that a statement of one row and column yields; 0 for none. The text
 * must be a literal. */
int64_t file_number(struct actors *f, enum file file, const char *sql);
void file_run(struct actors *f, enum file file, const char *sql);
/* Keeps all others from writing to the file, until unlocked. */
void file_lock(struct actors *f, enum file file);
void file_unlock(struct actors *f, enum file file);

/* The value of a counter by its name for Prometheus. */
uint64_t metric_value(const char *name);

/* Searches for faults as `confab verify` does: in the store, its counts included,
 * and in the index, which must hold what the store holds. */
void store_check(struct actors *f);
void index_check(struct actors *f);

#endif
