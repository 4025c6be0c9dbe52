/* SPDX-License-Identifier: MIT */
/* store_internal.h - what the files store*.c share; nobody else includes it.
 *
 * Functions here speak in the statuses of sql.h, and run inside a transaction
 * of their caller; the public functions translate with store_status().
 */
#ifndef STORAGE_STORE_INTERNAL_H
#define STORAGE_STORE_INTERNAL_H

#include "storage/sql.h"
#include "storage/store.h"

/* Rows of one INSERT. */
enum { ROWS_MAX = 1024 };

struct store {
    sql_t *sql;
    struct sql_value *values;    /* of ROWS_MAX rows; made at the first use */
    const struct record **order; /* of the records at hand, by primary key */
    size_t order_capacity;
};

/* 64 unsigned bits as the database keeps them. */
static inline struct sql_value sql_number(uint64_t number)
{
    return sql_integer((int64_t) number);
}

static inline uint64_t sql_column_number(sql_rows_t *rows, int column)
{
    return (uint64_t) sql_column_integer(rows, column);
}

/* What the store's callers hear of an sql_ function's status. */
static inline status_t store_status(status_t status)
{
    return status == ERR_UNAVAILABLE || status == ERR_SCHEMA ? ERR_STORE : status;
}

/* Ends a transaction: commits if all went well so far, else rolls back. */
status_t store_finish(store_t *store, status_t status);

/* Runs a query that has one row or none and leaves it at that row. *ret_rows is
 * NULL when there is none; otherwise sql_end() it. */
status_t store_query_one(store_t *store, const char *text, const struct sql_value values[],
                         size_t count, sql_rows_t **ret_rows);

/* The position's compare-and-set: ERR_CONFLICT if it is not `from`. */
status_t position_move(store_t *store, const char *follower, unsigned shard,
                       const struct position *from, const struct position *to);

/* Keeps persistence of the shard, in any process, out of this transaction. */
status_t persistence_lock(store_t *store, unsigned shard);

/* ---- store_apply.c ---- */

/* Applies records in their order; a unique key that is taken is ERR_DATA. */
status_t records_apply(store_t *store, unsigned shard, const struct record records[], size_t count,
                       const bool *dead, const char *dead_reason);

/* ---- store_records.c ---- */

static inline bool record_creates_message(const struct record *record)
{
    return record->type == RECORD_MESSAGE_CREATED || record->type == RECORD_MESSAGE_IMPORTED;
}

/* Creations of messages, all of one type, with many rows a statement. */
status_t messages_create(store_t *store, const struct record records[], size_t count);
/* Any record, alone. */
status_t record_apply(store_t *store, const struct record *record);

/* ---- store_dead.c ---- */

enum { DEAD_ROOTS_MAX = 16 };

/* Which applications have dead creations, asked once a transaction, so that
 * nothing else costs a query when there are none. */
struct dead_roots {
    size_t count;
    bool too_many; /* more than are listed: ask for each record */
    uint64_t application_id[DEAD_ROOTS_MAX];
};

enum dead_cover {
    COVER_NONE,    /* nothing it belongs to is dead */
    COVER_DEAD,    /* it joins */
    COVER_DROPPED, /* it is dropped, as what it belongs to was */
};

status_t dead_roots_read(store_t *store, struct dead_roots *ret_roots);

/* Quick: false means that nothing dead is in the record's application. */
static inline bool dead_roots_may_cover(const struct dead_roots *roots, const struct record *record)
{
    for (size_t i = 0; i < roots->count; i++)
        if (roots->application_id[i] == record->application_id)
            return true;
    return roots->too_many;
}

status_t dead_cover(store_t *store, const struct record *record, enum dead_cover *ret_cover);

/* In the columns `root` (what it is) and `joined` (what it belongs to). */
enum dead_kind {
    DEAD_NONE = 0,
    DEAD_ROOT = 1,
    DEAD_RIVAL = 2, /* of a lost history; its number or id was given again */
};

/* As dead_cover(), by roots or by rivals. */
status_t dead_cover_of(store_t *store, const struct record *record, enum dead_kind kind,
                       enum dead_cover *ret_cover);

enum dead_parents {
    PARENTS_LIVE,    /* or it needs none */
    PARENTS_DELETED, /* its application or chat was deleted, and shows it */
    PARENTS_GONE,    /* they are not there */
    PARENTS_FOREIGN, /* the application is another one that has the same id */
};

status_t dead_parents(store_t *store, const struct record *record, enum dead_parents *ret_parents);

/* The message that a record is about, or 0: imports of others have another number there. */
uint64_t record_target(const struct record *record);

/* Puts a record aside, with the effects that its creation and deletion would
 * have had on numbers and tallies; `joins`: it belongs to a dead creation. */
status_t dead_put(store_t *store, unsigned shard, const struct record *record, const char *reason,
                  bool joins);

/* ---- store_counts.c ---- */

/* One child more is deleted, and its number was given. */
status_t chats_tally(store_t *store, uint64_t application_id, uint64_t chat);
status_t messages_tally(store_t *store, uint64_t application_id, uint64_t chat, uint64_t number);

/* Counts anew from the rows, last numbers and tallies too. */
status_t recount_application(store_t *store, uint64_t application_id);
status_t recount_chat(store_t *store, uint64_t application_id, uint64_t chat);
/* All chats of an application. */
status_t recount_chats(store_t *store, uint64_t application_id);

#endif
