/* SPDX-License-Identifier: MIT */
#include "storage/search_sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"

/* FTS5 rewrites its segments again and again: the fewer checkpoints, the fewer
 * pages go to the file that are out of date soon. The WAL grows to some 30 MiB. */
static const char *const settings = "PRAGMA wal_autocheckpoint = 4000";

static status_t index_open(search_sqlite_t *self, const char *url, bool read_only)
{
    /* Durable: what the log was trimmed for must not be lost with the power. */
    status_t status = sql_open(url, read_only ? SQL_READ_ONLY : SQL_DURABLE, &self->sql);
    if (status == OK && !read_only)
        status = sql_script(self->sql, settings);
    if (status == OK)
        status = sql_migrate(self->sql, "search", !read_only);
    return status;
}

static status_t search_sqlite_open(const char *url, bool read_only, search_t **ret_search)
{
    search_sqlite_t *self = calloc(1, sizeof *self);
    assert(self);
    self->search.adapter = &search_sqlite;
    *ret_search = &self->search;

    status_t status = index_open(self, url, read_only);
    if (status == OK || read_only || !sql_damaged(self->sql))
        return status;
    /* All that was in it can be had from the store. */
    snprintf(self->search.damage, sizeof self->search.damage, "%s", sql_errmsg(self->sql));
    sql_close(&self->sql);
    status = sql_put_aside(url);
    return status == OK ? index_open(self, url, read_only) : status;
}

/* Also what a failed search_sqlite_open() left. */
static void search_sqlite_close(search_t *search)
{
    search_sqlite_t *self = (search_sqlite_t *) search;
    sql_close(&self->sql);
    buffer_free(&self->body);
    buffer_free(&self->match);
    free(self);
}

static const char *search_sqlite_errmsg(const search_t *search)
{
    return sql_errmsg(((const search_sqlite_t *) search)->sql);
}

static status_t search_sqlite_backup(search_t *search, const char *path)
{
    return sql_backup(((search_sqlite_t *) search)->sql, path);
}

/* ---- positions ---- */

static status_t search_sqlite_position(search_t *search, unsigned shard,
                                       struct position *ret_position, bool *ret_found)
{
    search_sqlite_t *self = (search_sqlite_t *) search;
    sql_rows_t *rows;
    status_t status = sql_query(self->sql,
                                "SELECT epoch, seq, producer, sequence, time, run FROM positions "
                                "WHERE shard = ?",
                                SQL_VALUES(sql_integer(shard)), &rows);
    if (status != OK)
        return status;

    struct position position = {0};
    bool found = sql_next(rows);
    if (found) {
        position.epoch = (uint64_t) sql_column_integer(rows, 0);
        position.seq = (uint64_t) sql_column_integer(rows, 1);
        position.name.producer = (uint64_t) sql_column_integer(rows, 2);
        position.name.sequence = (uint64_t) sql_column_integer(rows, 3);
        position.time = sql_column_integer(rows, 4);
        position.run = (uint64_t) sql_column_integer(rows, 5);
    }
    status = sql_end(&rows);
    if (status == OK) {
        *ret_position = position;
        *ret_found = found;
    }
    return status;
}

status_t search_sqlite_position_set(search_sqlite_t *self, unsigned shard,
                                    const struct position *position)
{
    return sql_run(self->sql,
                   "REPLACE INTO positions (shard, epoch, seq, producer, sequence, time, run) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?)",
                   SQL_VALUES(sql_integer(shard), sql_integer((int64_t) position->epoch),
                              sql_integer((int64_t) position->seq),
                              sql_integer((int64_t) position->name.producer),
                              sql_integer((int64_t) position->name.sequence),
                              sql_integer(position->time), sql_integer((int64_t) position->run)),
                   NULL);
}

static status_t search_sqlite_reset(search_t *search, unsigned shard)
{
    return sql_run(((search_sqlite_t *) search)->sql, "DELETE FROM positions WHERE shard = ?",
                   SQL_VALUES(sql_integer(shard)), NULL);
}

/* ---- shared ---- */

void search_sqlite_scope(int64_t chat_id, char ret_scope[SCOPE_LENGTH])
{
    enum { PRIVATE_PLANE = 0xF0000, BITS = 11 };
    size_t length = 0;
    for (int shift = 2 * BITS; shift >= 0; shift -= BITS) {
        uint32_t part = (uint32_t) (chat_id >> shift) & ((1u << BITS) - 1);
        length += text_write_character(PRIVATE_PLANE + part, ret_scope + length);
    }
    assert(length == SCOPE_LENGTH);
}

status_t search_sqlite_chat(search_sqlite_t *self, uint64_t application_id, uint64_t chat,
                            int64_t *ret_chat_id)
{
    sql_rows_t *rows;
    status_t status = sql_query(
        self->sql, "SELECT id FROM chats WHERE application_id = ? AND number = ?",
        SQL_VALUES(sql_integer((int64_t) application_id), sql_integer((int64_t) chat)), &rows);
    if (status != OK)
        return status;
    int64_t chat_id = sql_next(rows) ? sql_column_integer(rows, 0) : 0;
    status = sql_end(&rows);
    if (status == OK)
        *ret_chat_id = chat_id;
    return status;
}

status_t search_sqlite_forget(search_sqlite_t *self, int64_t id, const char *body, size_t length)
{
    char scope[SCOPE_LENGTH];
    search_sqlite_scope(id >> 32, scope);
    return sql_run(
        self->sql, "INSERT INTO trigrams (trigrams, rowid, scope, body) VALUES ('delete', ?, ?, ?)",
        SQL_VALUES(sql_integer(id), sql_text(scope, sizeof scope), sql_text(body, length)), NULL);
}

status_t search_sqlite_end(search_sqlite_t *self, status_t status)
{
    if (status == OK)
        status = sql_commit(self->sql);
    if (status != OK)
        sql_rollback(self->sql);
    return status;
}

const struct search_adapter search_sqlite = {
    .scheme = "sqlite",
    .open = search_sqlite_open,
    .close = search_sqlite_close,
    .errmsg = search_sqlite_errmsg,
    .backup = search_sqlite_backup,
    .position = search_sqlite_position,
    .apply = search_sqlite_apply,
    .reset = search_sqlite_reset,
    .purge = search_sqlite_purge,
    .purge_shard = search_sqlite_purge_shard,
    .find = search_sqlite_find,
    .scan = search_sqlite_scan,
};
