/* SPDX-License-Identifier: MIT */
/* search_sqlite_purge.c - documents out of the index, many at a time. */
#include <assert.h>

#include "storage/search_sqlite.h"

/* Documents removed in one transaction, each about as dear as one put in. */
enum { SLICE = 1000 };

/* Which chats a purge is about. */
struct purge_scope {
    const char *next; /* SQL: the id of the first of them that is left */
    struct sql_value values[2];
};

static status_t chat_next(search_sqlite_t *self, const struct purge_scope *scope,
                          int64_t *ret_chat_id)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->sql, scope->next, scope->values, 2, &rows);
    if (status != OK)
        return status;
    *ret_chat_id = sql_next(rows) ? sql_column_integer(rows, 0) : 0;
    return sql_end(&rows);
}

/* Takes up to `limit` documents of a chat out of the trigrams; *ret_last is the
 * id of the last one. */
static status_t documents_forget(search_sqlite_t *self, int64_t chat_id, size_t limit,
                                 int64_t *ret_last, size_t *ret_count)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->sql,
                                "SELECT id, body FROM documents WHERE id BETWEEN ? AND ? "
                                "ORDER BY id LIMIT ?",
                                SQL_VALUES(sql_integer(document_id(chat_id, 0)),
                                           sql_integer(document_id(chat_id, NUMBER_MAX)),
                                           sql_integer((int64_t) limit)),
                                &rows);
    if (status != OK)
        return status;

    size_t count = 0;
    while (status == OK && sql_next(rows)) {
        size_t length;
        *ret_last = sql_column_integer(rows, 0);
        const char *body = sql_column_bytes(rows, 1, &length);
        status = search_sqlite_forget(self, *ret_last, body, length);
        count++;
    }
    status_t end = sql_end(&rows);
    *ret_count = count;
    return status != OK ? status : end;
}

/* Removes up to `limit` documents of a chat, and with the last of them the chat. */
static status_t chat_purge(search_sqlite_t *self, int64_t chat_id, size_t limit, size_t *ret_count)
{
    int64_t last = 0;
    status_t status = documents_forget(self, chat_id, limit, &last, ret_count);
    if (status == OK && *ret_count > 0)
        status = sql_run(self->sql, "DELETE FROM documents WHERE id BETWEEN ? AND ?",
                         SQL_VALUES(sql_integer(document_id(chat_id, 0)), sql_integer(last)), NULL);
    if (status == OK && *ret_count < limit)
        status = sql_run(self->sql, "DELETE FROM chats WHERE id = ?",
                         SQL_VALUES(sql_integer(chat_id)), NULL);
    return status;
}

static status_t chats_purge(search_sqlite_t *self, const struct purge_scope *scope, bool *ret_more)
{
    status_t status = sql_begin(self->sql);
    if (status != OK)
        return status;

    bool more = true;
    for (size_t left = SLICE; status == OK && more && left > 0;) {
        int64_t chat_id = 0;
        size_t count = 0;
        status = chat_next(self, scope, &chat_id);
        more = chat_id != 0;
        if (status == OK && more)
            status = chat_purge(self, chat_id, left, &count);
        count++; /* an empty chat is work as well */
        left -= count < left ? count : left;
    }
    status = search_sqlite_end(self, status);
    if (status == OK)
        *ret_more = more;
    return status;
}

status_t search_sqlite_purge(search_t *search, uint64_t application_id, uint64_t chat,
                             bool *ret_more)
{
    struct purge_scope scope = {
        .next = "SELECT id FROM chats WHERE application_id = ? AND number = ?",
        .values = {sql_integer((int64_t) application_id), sql_integer((int64_t) chat)},
    };
    if (chat == 0)
        scope.next = "SELECT id FROM chats WHERE application_id = ? AND number > ? "
                     "ORDER BY number LIMIT 1";
    return chats_purge((search_sqlite_t *) search, &scope, ret_more);
}

/* All there is, without looking at it. */
static status_t purge_everything(search_sqlite_t *self, bool *ret_more)
{
    status_t status = sql_begin(self->sql);
    if (status != OK)
        return status;
    status = sql_script(self->sql, "INSERT INTO trigrams (trigrams) VALUES ('delete-all');"
                                   "DELETE FROM documents;"
                                   "DELETE FROM chats");
    status = search_sqlite_end(self, status);
    if (status == OK)
        *ret_more = false;
    return status;
}

status_t search_sqlite_purge_shard(search_t *search, unsigned shard, unsigned shards,
                                   bool *ret_more)
{
    search_sqlite_t *self = (search_sqlite_t *) search;
    if (shards == 1)
        return purge_everything(self, ret_more);

    /* An application's id tells its shard. */
    struct purge_scope scope = {
        .next = "SELECT id FROM chats WHERE application_id % ? = ? ORDER BY id LIMIT 1",
        .values = {sql_integer(shards), sql_integer(shard)},
    };
    return chats_purge(self, &scope, ret_more);
}
