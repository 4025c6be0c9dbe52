/* SPDX-License-Identifier: MIT */
/* store_counts.c - how many there are: tallies by persistence, counts by counting.
 *
 * Numbers are dense and never reused, so that what lives below an application or
 * a chat is its last number less the tally of what was deleted.
 */
#include <assert.h>

#include "storage/store_internal.h"

enum {
    RECOUNT_MAX = 256, /* chats of one transaction */
    RECOUNT_TRIES = 5, /* of each */
};

/* ---- tallies ---- */

status_t chats_tally(store_t *store, uint64_t application_id, uint64_t chat)
{
    return sql_run(store->sql,
                   "UPDATE applications SET chats_deleted = chats_deleted + 1, last_chat_number = "
                   "CASE WHEN last_chat_number < ? THEN ? ELSE last_chat_number END WHERE id = ?",
                   SQL_VALUES(sql_number(chat), sql_number(chat), sql_number(application_id)),
                   NULL);
}

status_t messages_tally(store_t *store, uint64_t application_id, uint64_t chat, uint64_t number)
{
    return sql_run(store->sql,
                   "UPDATE chats SET messages_deleted = messages_deleted + 1, last_message_number "
                   "= CASE WHEN last_message_number < ? THEN ? ELSE last_message_number END "
                   "WHERE application_id = ? AND number = ?",
                   SQL_VALUES(sql_number(number), sql_number(number), sql_number(application_id),
                              sql_number(chat)),
                   NULL);
}

/* ---- counting ---- */

/* Counts first, from the old last number, for databases that show assignments
 * to those behind them. */
static status_t count_write(store_t *store, const struct count *count)
{
    struct sql_value last = sql_number(count->last);
    struct sql_value application = sql_number(count->application_id);
    if (count->chat == 0)
        return sql_run(store->sql,
                       "UPDATE applications SET chats_count = CASE WHEN last_chat_number < ? "
                       "THEN ? ELSE last_chat_number END - chats_deleted, last_chat_number = "
                       "CASE WHEN last_chat_number < ? THEN ? ELSE last_chat_number END "
                       "WHERE id = ?",
                       SQL_VALUES(last, last, last, last, application), NULL);
    return sql_run(store->sql,
                   "UPDATE chats SET messages_count = CASE WHEN last_message_number < ? THEN ? "
                   "ELSE last_message_number END - messages_deleted, last_message_number = "
                   "CASE WHEN last_message_number < ? THEN ? ELSE last_message_number END "
                   "WHERE application_id = ? AND number = ?",
                   SQL_VALUES(last, last, last, last, application, sql_number(count->chat)), NULL);
}

status_t store_counts(store_t *store, unsigned shard, const struct position *from,
                      const struct position *to, const struct count counts[], size_t count)
{
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = position_move(store, FOLLOWER_COUNTING, shard, from, to);
    for (size_t i = 0; status == OK && i < count; i++)
        status = count_write(store, &counts[i]);
    return store_status(store_finish(store, status));
}

/* ---- counting anew ---- */

/* Two numbers of one row; zeros if there is none. */
static status_t numbers_read(store_t *store, const char *text, const struct sql_value values[],
                             size_t count, uint64_t *ret_first, uint64_t *ret_second)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store, text, values, count, &rows);
    if (status != OK)
        return status;
    *ret_first = rows ? sql_column_number(rows, 0) : 0;
    *ret_second = rows ? sql_column_number(rows, 1) : 0;
    return sql_end(&rows);
}

status_t recount_application(store_t *store, uint64_t application_id)
{
    struct sql_value id = sql_number(application_id);
    uint64_t living, highest, last, unused;
    status_t status = numbers_read(store,
                                   "SELECT last_chat_number, 0 FROM applications WHERE id = ?",
                                   SQL_VALUES(id), &last, &unused);
    if (status == OK) /* tombstones have numbers too */
        status = numbers_read(store,
                              "SELECT COUNT(*) - COUNT(deleted), MAX(number) FROM chats "
                              "WHERE application_id = ?",
                              SQL_VALUES(id), &living, &highest);
    if (status != OK)
        return status;
    last = last < highest ? highest : last;
    return sql_run(store->sql,
                   "UPDATE applications SET chats_count = ?, last_chat_number = ?, "
                   "chats_deleted = ? WHERE id = ?",
                   SQL_VALUES(sql_number(living), sql_number(last), sql_number(last - living), id),
                   NULL);
}

status_t recount_chat(store_t *store, uint64_t application_id, uint64_t chat)
{
    struct sql_value application = sql_number(application_id), number = sql_number(chat);
    uint64_t living, highest, last, unused;
    status_t status = numbers_read(store,
                                   "SELECT last_message_number, 0 FROM chats "
                                   "WHERE application_id = ? AND number = ?",
                                   SQL_VALUES(application, number), &last, &unused);
    if (status == OK)
        status = numbers_read(store,
                              "SELECT COUNT(*), MAX(number) FROM messages "
                              "WHERE application_id = ? AND chat_number = ?",
                              SQL_VALUES(application, number), &living, &highest);
    if (status != OK)
        return status;
    last = last < highest ? highest : last;
    return sql_run(store->sql,
                   "UPDATE chats SET messages_count = ?, last_message_number = ?, "
                   "messages_deleted = ? "
                   "WHERE application_id = ? AND number = ? AND deleted IS NULL",
                   SQL_VALUES(sql_number(living), sql_number(last), sql_number(last - living),
                              application, number),
                   NULL);
}

/* The first living chat after *chat; 0: there is none. */
static status_t chat_next(store_t *store, uint64_t application_id, uint64_t *chat)
{
    uint64_t unused;
    return numbers_read(store,
                        "SELECT number, 0 FROM chats WHERE application_id = ? AND number > ? "
                        "AND deleted IS NULL ORDER BY number LIMIT 1",
                        SQL_VALUES(sql_number(application_id), sql_number(*chat)), chat, &unused);
}

status_t recount_chats(store_t *store, uint64_t application_id)
{
    uint64_t chat = 0;
    status_t status = chat_next(store, application_id, &chat);
    while (status == OK && chat) {
        status = recount_chat(store, application_id, chat);
        if (status == OK)
            status = chat_next(store, application_id, &chat);
    }
    return status;
}

/* A walk over what has to be counted: an application, then its chats. */
struct recount {
    store_t *store;
    unsigned shard, shards;
    uint64_t application_id, chat; /* where it stands; 0: before the first */
    bool more;
};

static status_t recount_next_application(struct recount *recount)
{
    uint64_t id, unused;
    status_t status = numbers_read(recount->store,
                                   "SELECT id, 0 FROM applications WHERE id > ? AND id % ? = ? "
                                   "AND deleted IS NULL ORDER BY id LIMIT 1",
                                   SQL_VALUES(sql_number(recount->application_id),
                                              sql_integer(recount->shards),
                                              sql_integer(recount->shard)),
                                   &id, &unused);
    if (status != OK)
        return status;
    recount->more = id != 0;
    recount->application_id = id;
    recount->chat = 0;
    return id ? recount_application(recount->store, id) : OK;
}

static status_t recount_step(struct recount *recount)
{
    status_t status = chat_next(recount->store, recount->application_id, &recount->chat);
    if (status != OK)
        return status;
    return recount->chat ? recount_chat(recount->store, recount->application_id, recount->chat)
                         : recount_next_application(recount);
}

/* One transaction, so that persistence waits for a while and no longer. */
static status_t recount_slice(struct recount *recount)
{
    status_t status = sql_begin(recount->store->sql);
    if (status != OK)
        return status;
    status = persistence_lock(recount->store, recount->shard);
    for (int i = 0; status == OK && recount->more && i < RECOUNT_MAX; i++)
        status = recount_step(recount);
    return store_finish(recount->store, status);
}

/* Who counts or persists at the same time may be in the way: MySQL then ends one of the
 * two as a deadlock. In a large store that must not be a reason to begin anew. */
static status_t recount_slice_again(struct recount *recount)
{
    const struct recount start = *recount;
    status_t status = recount_slice(recount);
    for (int i = 1; status == ERR_UNAVAILABLE && i < RECOUNT_TRIES; i++) {
        *recount = start;
        status = recount_slice(recount);
    }
    return status;
}

status_t store_recount(store_t *store, unsigned shard, unsigned shards,
                       const struct position *position)
{
    assert(shard < shards);
    struct recount recount = {.store = store, .shard = shard, .shards = shards, .more = true};
    status_t status = OK;
    while (status == OK && recount.more)
        status = recount_slice_again(&recount);
    if (status != OK)
        return store_status(status);
    return store_position_set(store, FOLLOWER_COUNTING, shard, position);
}
