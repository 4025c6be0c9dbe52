/* SPDX-License-Identifier: MIT */
#include "storage/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/store_internal.h"

enum { ERRMSG_SIZE = 256 };

/* A failed store_open() leaves no handle that could keep the words. */
static _Thread_local char open_errmsg[ERRMSG_SIZE];

/* ---- opening ---- */

status_t store_open(const char *url, bool read_only, store_t **ret_store)
{
    store_t *store = calloc(1, sizeof *store);
    assert(store);
    status_t status = sql_open(url, read_only ? SQL_READ_ONLY : SQL_DURABLE, &store->sql);
    if (status == OK)
        status = sql_migrate(store->sql, "store", false);
    if (status != OK) {
        snprintf(open_errmsg, sizeof open_errmsg, "%s", sql_errmsg(store->sql));
        store_close(&store);
        return status == ERR_UNAVAILABLE ? ERR_STORE : status;
    }
    *ret_store = store;
    return OK;
}

void store_close(store_t **store_p)
{
    store_t *store = *store_p;
    if (!store)
        return;
    sql_close(&store->sql);
    free(store->values);
    free(store->order);
    free(store);
    *store_p = NULL;
}

const char *store_errmsg(const store_t *store)
{
    return store ? sql_errmsg(store->sql) : open_errmsg;
}

status_t store_migrate(const char *url, char *ret_errmsg, size_t errmsg_size)
{
    sql_t *sql = NULL;
    status_t status = sql_open(url, SQL_DURABLE, &sql);
    if (status == OK)
        status = sql_migrate(sql, "store", true);
    if (status != OK)
        snprintf(ret_errmsg, errmsg_size, "%s", sql_errmsg(sql));
    sql_close(&sql);
    return status == ERR_UNAVAILABLE ? ERR_STORE : status;
}

status_t store_backup(store_t *store, const char *path)
{
    return store_status(sql_backup(store->sql, path));
}

/* ---- shared by the store's files ---- */

status_t store_finish(store_t *store, status_t status)
{
    if (status == OK)
        status = sql_commit(store->sql);
    if (status != OK)
        sql_rollback(store->sql);
    return status;
}

status_t store_query_one(store_t *store, const char *text, const struct sql_value values[],
                         size_t count, sql_rows_t **ret_rows)
{
    sql_rows_t *rows = NULL;
    status_t status = sql_query(store->sql, text, values, count, &rows);
    if (status == OK && !sql_next(rows))
        status = sql_end(&rows);
    if (status == OK)
        *ret_rows = rows;
    return status;
}

/* ---- the data set ---- */

status_t store_data_set(store_t *store, uint64_t *ret_data_set, unsigned *ret_shards,
                        bool *ret_found)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store, "SELECT data_set, shards FROM data_sets WHERE id = 1",
                                      SQL_NO_VALUES, &rows);
    if (status != OK)
        return store_status(status);
    *ret_found = rows != NULL;
    if (rows) {
        *ret_data_set = sql_column_number(rows, 0);
        *ret_shards = (unsigned) sql_column_integer(rows, 1);
    }
    return store_status(sql_end(&rows));
}

status_t store_data_set_create(store_t *store, uint64_t data_set, unsigned shards)
{
    assert(shards > 0);
    status_t status = sql_run(store->sql,
                              "INSERT INTO data_sets (id, data_set, shards) VALUES (1, ?, ?)",
                              SQL_VALUES(sql_number(data_set), sql_integer(shards)), NULL);
    return status == ERR_CONFLICT ? ERR_EXISTS : store_status(status);
}

/* ---- positions ---- */

static struct sql_value follower_value(const char *follower)
{
    return sql_text(follower, strlen(follower));
}

status_t store_position(store_t *store, const char *follower, unsigned shard,
                        struct position *ret_position, bool *ret_found)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store,
                                      "SELECT epoch, seq, name_producer, name_sequence, time, run "
                                      "FROM positions WHERE follower = ? AND shard = ?",
                                      SQL_VALUES(follower_value(follower), sql_integer(shard)),
                                      &rows);
    if (status != OK)
        return store_status(status);
    *ret_found = rows != NULL;
    if (rows)
        *ret_position = (struct position){
            .epoch = sql_column_number(rows, 0),
            .seq = sql_column_number(rows, 1),
            .name = {.producer = sql_column_number(rows, 2),
                     .sequence = sql_column_number(rows, 3)},
            .time = sql_column_integer(rows, 4),
            .run = sql_column_number(rows, 5),
        };
    return store_status(sql_end(&rows));
}

/* `text` inserts a row of these columns. */
static status_t position_write(store_t *store, const char *text, const char *follower,
                               unsigned shard, const struct position *position)
{
    return sql_run(store->sql, text,
                   SQL_VALUES(follower_value(follower), sql_integer(shard),
                              sql_number(position->epoch), sql_number(position->seq),
                              sql_number(position->name.producer),
                              sql_number(position->name.sequence), sql_integer(position->time),
                              sql_number(position->run)),
                   NULL);
}

#define POSITION_COLUMNS                                                                \
    "positions (follower, shard, epoch, seq, name_producer, name_sequence, time, run) " \
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

status_t store_position_set(store_t *store, const char *follower, unsigned shard,
                            const struct position *position)
{
    return store_status(
        position_write(store, "REPLACE INTO " POSITION_COLUMNS, follower, shard, position));
}

status_t store_position_add(store_t *store, const char *follower, unsigned shard,
                            const struct position *position)
{
    status_t status = position_write(store, "INSERT INTO " POSITION_COLUMNS, follower, shard,
                                     position);
    return status == ERR_CONFLICT ? ERR_EXISTS : store_status(status);
}

status_t position_move(store_t *store, const char *follower, unsigned shard,
                       const struct position *from, const struct position *to)
{
    uint64_t changed;
    status_t status = sql_run(
        store->sql,
        "UPDATE positions SET epoch = ?, seq = ?, name_producer = ?, name_sequence = ?, time = ?, "
        "run = ? WHERE follower = ? AND shard = ? AND epoch = ? AND seq = ? "
        "AND name_producer = ? AND name_sequence = ? AND time = ? AND run = ?",
        SQL_VALUES(sql_number(to->epoch), sql_number(to->seq), sql_number(to->name.producer),
                   sql_number(to->name.sequence), sql_integer(to->time), sql_number(to->run),
                   follower_value(follower), sql_integer(shard), sql_number(from->epoch),
                   sql_number(from->seq), sql_number(from->name.producer),
                   sql_number(from->name.sequence), sql_integer(from->time), sql_number(from->run)),
        &changed);
    return status == OK && changed == 0 ? ERR_CONFLICT : status;
}

status_t store_position_move(store_t *store, const char *follower, unsigned shard,
                             const struct position *from, const struct position *to)
{
    return store_status(position_move(store, follower, shard, from, to));
}

status_t store_position_remove(store_t *store, const char *follower)
{
    return store_status(sql_run(store->sql, "DELETE FROM positions WHERE follower = ?",
                                SQL_VALUES(follower_value(follower)), NULL));
}

status_t store_positions_lowest(store_t *store, unsigned shard, uint64_t epoch,
                                bool without_indexes, uint64_t *ret_seq)
{
    sql_rows_t *rows;
    status_t status = store_query_one(
        store,
        "SELECT MIN(seq) FROM positions WHERE shard = ? AND epoch = ? "
        "AND (? = 0 OR follower NOT IN (?, ?))",
        SQL_VALUES(sql_integer(shard), sql_number(epoch), sql_integer(without_indexes),
                   follower_value(FOLLOWER_INDEXING), follower_value(FOLLOWER_REINDEX)),
        &rows);
    if (status != OK)
        return store_status(status);
    *ret_seq = sql_column_number(rows, 0); /* NULL reads as 0 */
    return store_status(sql_end(&rows));
}

/* Whoever persists moves this row first, so holding it holds them. */
status_t persistence_lock(store_t *store, unsigned shard)
{
    return sql_run(store->sql,
                   "UPDATE positions SET run = run "
                   "WHERE follower = ? AND shard = ?",
                   SQL_VALUES(follower_value(FOLLOWER_PERSISTENCE), sql_integer(shard)), NULL);
}
