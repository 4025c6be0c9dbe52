/* SPDX-License-Identifier: MIT */
/* store_purge.c - what deleted chats and applications left behind goes, by slices.
 *
 * A deletion hides at once and writes a row of `purges`; here the rows beneath
 * are removed, some at a call, so that new messages need not wait. A chat's own
 * row goes with its messages, an application's stays without its name. Indexing
 * does its part at its own pace, and whoever is last removes the purge.
 */
#include <assert.h>

#include "storage/store_internal.h"

/* Rows of a slice. Large bodies make a row cost up to 16 pages. */
#define SLICE_TEXT "1000"

struct place {
    uint64_t chat, number;
};

static status_t purge_next(store_t *store, const char *text, unsigned shard, unsigned shards,
                           struct purge *ret_purge, bool *ret_found)
{
    assert(shard < shards);
    sql_rows_t *rows;
    status_t status = store_query_one(store, text,
                                      SQL_VALUES(sql_integer(shards), sql_integer(shard)), &rows);
    if (status != OK)
        return status;
    *ret_found = rows != NULL;
    if (rows)
        *ret_purge = (struct purge){
            .application_id = sql_column_number(rows, 0),
            .chat = sql_column_number(rows, 1),
            .seq = sql_column_number(rows, 2),
        };
    return sql_end(&rows);
}

/* The first row behind a slice; *ret_found false: the slice holds all. */
static status_t slice_end(store_t *store, const char *text, const struct sql_value values[],
                          size_t count, struct place *ret_end, bool *ret_found)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store, text, values, count, &rows);
    if (status != OK)
        return status;
    *ret_found = rows != NULL;
    if (rows)
        *ret_end = (struct place){sql_column_number(rows, 0), sql_column_number(rows, 1)};
    return sql_end(&rows);
}

/* Dead records wait for what is gone now. With the token: a lost history may have
 * given the id to another application. A replaced import has lost its token. */
static status_t purge_dead(store_t *store, const struct purge *purge)
{
    struct sql_value application = sql_number(purge->application_id);
    struct sql_value chat = sql_number(purge->chat);
    return sql_run(store->sql,
                   "DELETE FROM dead_records WHERE root IN (0, 1, 2) AND application_id = ? AND "
                   "(? = 0 OR chat = ?) AND EXISTS (SELECT 1 FROM applications WHERE id = ? AND "
                   "(token = dead_records.token OR importing = 1))",
                   SQL_VALUES(application, chat, chat, application), NULL);
}

/* ---- a chat ---- */

static status_t purge_chat(store_t *store, const struct purge *purge, bool *ret_more)
{
    struct sql_value application = sql_number(purge->application_id);
    struct sql_value chat = sql_number(purge->chat);
    struct place end;
    status_t status = slice_end(store,
                                "SELECT chat_number, number FROM messages WHERE application_id = ? "
                                "AND chat_number = ? ORDER BY number LIMIT 1 OFFSET " SLICE_TEXT,
                                SQL_VALUES(application, chat), &end, ret_more);
    if (status != OK)
        return status;
    if (*ret_more)
        return sql_run(store->sql,
                       "DELETE FROM messages WHERE application_id = ? AND chat_number = ? "
                       "AND number < ?",
                       SQL_VALUES(application, chat, sql_number(end.number)), NULL);

    status = sql_run(store->sql,
                     "DELETE FROM messages WHERE application_id = ? AND chat_number = ?",
                     SQL_VALUES(application, chat), NULL);
    if (status == OK)
        status = sql_run(store->sql,
                         "DELETE FROM chats WHERE application_id = ? AND number = ? "
                         "AND deleted IS NOT NULL",
                         SQL_VALUES(application, chat), NULL);
    return status == OK ? purge_dead(store, purge) : status;
}

/* ---- an application ---- */

static status_t purge_application_messages(store_t *store, struct sql_value application,
                                           bool *ret_more)
{
    struct place end;
    status_t status = slice_end(store,
                                "SELECT chat_number, number FROM messages WHERE application_id = ? "
                                "ORDER BY chat_number, number LIMIT 1 OFFSET " SLICE_TEXT,
                                SQL_VALUES(application), &end, ret_more);
    if (status != OK)
        return status;
    if (!*ret_more)
        return sql_run(store->sql, "DELETE FROM messages WHERE application_id = ?",
                       SQL_VALUES(application), NULL);

    struct sql_value chat = sql_number(end.chat);
    status = sql_run(store->sql,
                     "DELETE FROM messages WHERE application_id = ? AND chat_number < ?",
                     SQL_VALUES(application, chat), NULL);
    if (status == OK)
        status = sql_run(store->sql,
                         "DELETE FROM messages WHERE application_id = ? AND chat_number = ? "
                         "AND number < ?",
                         SQL_VALUES(application, chat, sql_number(end.number)), NULL);
    return status;
}

static status_t purge_application_chats(store_t *store, struct sql_value application,
                                        bool *ret_more)
{
    struct place end;
    status_t status = slice_end(store,
                                "SELECT number, 0 FROM chats WHERE application_id = ? "
                                "ORDER BY number LIMIT 1 OFFSET " SLICE_TEXT,
                                SQL_VALUES(application), &end, ret_more);
    if (status != OK)
        return status;
    if (!*ret_more)
        return sql_run(store->sql, "DELETE FROM chats WHERE application_id = ?",
                       SQL_VALUES(application), NULL);
    return sql_run(store->sql, "DELETE FROM chats WHERE application_id = ? AND number < ?",
                   SQL_VALUES(application, sql_number(end.chat)), NULL);
}

/* The application's row stays without its name; of an import that was replaced
 * it goes. Purges of single chats are part of this one, for both. */
static status_t purge_application_end(store_t *store, struct sql_value application)
{
    status_t status = sql_run(store->sql,
                              "UPDATE applications SET name = '' WHERE id = ? AND importing = 0",
                              SQL_VALUES(application), NULL);
    if (status == OK)
        status = sql_run(store->sql, "DELETE FROM applications WHERE id = ? AND importing = 1",
                         SQL_VALUES(application), NULL);
    if (status == OK)
        status = sql_run(store->sql, "DELETE FROM purges WHERE application_id = ? AND chat > 0",
                         SQL_VALUES(application), NULL);
    return status;
}

static status_t purge_application(store_t *store, const struct purge *purge, bool *ret_more)
{
    struct sql_value application = sql_number(purge->application_id);
    status_t status = purge_application_messages(store, application, ret_more);
    if (status == OK && !*ret_more)
        status = purge_application_chats(store, application, ret_more);
    if (status == OK && !*ret_more)
        status = purge_dead(store, purge);
    if (status == OK && !*ret_more)
        status = purge_application_end(store, application);
    return status;
}

/* ---- the port ---- */

/* Marks one part done; with both done the purge is over. */
static status_t purge_done(store_t *store, const char *text, const struct purge *purge)
{
    struct sql_value application = sql_number(purge->application_id);
    struct sql_value chat = sql_number(purge->chat);
    status_t status = sql_run(store->sql, text, SQL_VALUES(application, chat), NULL);
    if (status == OK)
        status = sql_run(store->sql,
                         "DELETE FROM purges WHERE application_id = ? AND chat = ? "
                         "AND store_done = 1 AND indexing_done = 1",
                         SQL_VALUES(application, chat), NULL);
    return status;
}

status_t store_purge(store_t *store, unsigned shard, unsigned shards, bool *ret_more)
{
    struct purge purge;
    bool found;
    status_t status = purge_next(store,
                                 "SELECT application_id, chat, seq FROM purges WHERE store_done = "
                                 "0 AND application_id % ? = ? ORDER BY seq LIMIT 1",
                                 shard, shards, &purge, &found);
    if (status != OK || !found) {
        if (status == OK)
            *ret_more = false;
        return store_status(status);
    }

    status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    bool rows_left = false;
    status = purge.chat ? purge_chat(store, &purge, &rows_left)
                        : purge_application(store, &purge, &rows_left);
    if (status == OK && !rows_left)
        status = purge_done(store,
                            "UPDATE purges SET store_done = 1 WHERE application_id = ? "
                            "AND chat = ?",
                            &purge);
    status = store_finish(store, status);
    if (status == OK)
        *ret_more = true; /* of this purge or, for all we know, of another */
    return store_status(status);
}

status_t store_purge_next_indexing(store_t *store, unsigned shard, unsigned shards,
                                   struct purge *ret_purge, bool *ret_found)
{
    return store_status(purge_next(store,
                                   "SELECT application_id, chat, seq FROM purges WHERE "
                                   "indexing_done = 0 AND application_id % ? = ? ORDER BY seq "
                                   "LIMIT 1",
                                   shard, shards, ret_purge, ret_found));
}

status_t store_purge_done_indexing(store_t *store, const struct purge *purge)
{
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = purge_done(store,
                        "UPDATE purges SET indexing_done = 1 WHERE application_id = ? "
                        "AND chat = ?",
                        purge);
    return store_status(store_finish(store, status));
}

status_t store_purge_again_indexing(store_t *store, const struct purge *purge)
{
    struct sql_value application = sql_number(purge->application_id);
    struct sql_value chat = sql_number(purge->chat);
    uint64_t changed = 0;
    sql_rows_t *waiting;
    status_t status = store_query_one(store,
                                      "SELECT 1 FROM purges WHERE application_id = ? AND chat = ? "
                                      "AND indexing_done = 0",
                                      SQL_VALUES(application, chat), &waiting);
    bool waits = status == OK && waiting;
    if (status == OK)
        status = sql_end(&waiting);
    if (status != OK || waits) /* as a rule: nothing is to be written */
        return store_status(status);

    status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = sql_run(store->sql,
                     "UPDATE purges SET indexing_done = 0 WHERE application_id = ? AND chat = ?",
                     SQL_VALUES(application, chat), &changed);
    if (status == OK && changed == 0)
        status = sql_run(store->sql,
                         "INSERT INTO purges (application_id, chat, seq, store_done) "
                         "VALUES (?, ?, ?, 1)",
                         SQL_VALUES(application, chat, sql_number(purge->seq)), NULL);
    return store_status(store_finish(store, status));
}
