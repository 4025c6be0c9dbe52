/* SPDX-License-Identifier: MIT */
/* journal_sqlite_rebuild.c - counters anew, all in one transaction.
 *
 * What is given gets the base as its last change; what has another one at the end
 * was not given, and the store does not hold it.
 */
#include <assert.h>
#include <string.h>

#include "storage/journal_sqlite.h"

static journal_sqlite_t *cast(journal_t *journal)
{
    return (journal_sqlite_t *) journal;
}

/* A failure ends the transaction, and with it the rebuild. */
static status_t ended(journal_sqlite_t *self, status_t status)
{
    if (status == OK)
        return OK;
    status = journal_sqlite_failed(self, self->sql, status);
    sql_rollback(self->sql);
    return status;
}

status_t journal_sqlite_rebuild_begin(journal_t *journal, unsigned shard, uint64_t base)
{
    journal_sqlite_t *self = cast(journal);
    self->rebuild_shard = shard;
    self->rebuild_base = base;
    self->rebuild_token_length = 0;
    sql_rollback(self->sql); /* one that was given up */
    return ended(self, sql_begin(self->sql));
}

static status_t application_given(journal_sqlite_t *self, const char *token, size_t token_length,
                                  const struct application_row *given)
{
    struct application_row *row = &self->rebuild_application;
    self->rebuild_token_length = 0;
    status_t status = application_load(self->sql, token, token_length, row);
    if (status != OK)
        return status;
    int64_t id = row->id;
    uint64_t last_chat = row->last_chat, imported = row->imported;
    *row = *given;
    row->id = id;
    row->imported = imported;
    if (row->last_chat < last_chat)
        row->last_chat = last_chat;
    status = id ? application_save(self->sql, row)
                : application_add(self->sql, self->rebuild_shard, token, token_length, row);
    if (status == OK) {
        memcpy(self->rebuild_token, token, token_length);
        self->rebuild_token_length = token_length;
    }
    return status;
}

status_t journal_sqlite_rebuild_application(journal_t *journal, const char *token,
                                            size_t token_length, uint64_t application_id,
                                            enum existence existence, uint64_t last_chat)
{
    static const enum application_state state[] = {STATE_IMPORTING, STATE_THERE, STATE_DELETED};
    journal_sqlite_t *self = cast(journal);
    struct application_row given = {
        .application_id = application_id,
        .state = state[existence],
        .last_chat = last_chat,
        .change = self->rebuild_base,
        .visible = self->rebuild_base,
    };
    return ended(self, application_given(self, token, token_length, &given));
}

static status_t chat_given(journal_sqlite_t *self, uint64_t chat, uint64_t last_message)
{
    struct application_row *application = &self->rebuild_application;
    struct chat_row row;
    status_t status = chat_load(self->sql, application, chat, &row);
    if (status != OK)
        return status;
    row.change = self->rebuild_base;
    if (row.last_message < last_message)
        row.last_message = last_message;
    status = row.id ? chat_save(self->sql, &row) : chat_add(self->sql, application, chat, &row);
    if (status == OK && application->last_chat < chat) {
        application->last_chat = chat;
        status = application_save(self->sql, application);
    }
    return status;
}

status_t journal_sqlite_rebuild_chat(journal_t *journal, const char *token, size_t token_length,
                                     uint64_t chat, uint64_t last_message)
{
    journal_sqlite_t *self = cast(journal);
    assert(token_length == self->rebuild_token_length &&
           memcmp(token, self->rebuild_token, token_length) == 0);
    return ended(self, chat_given(self, chat, last_message));
}

/* The chats of what was given are as given, so that none may be left over. Those of
 * an import that was begun anew go here: its number may be drawn again. */
static status_t leftovers_clear(sql_t *sql, struct sql_value shard)
{
    status_t status = sql_run(sql,
                              "DELETE FROM leftovers WHERE application IN "
                              "(SELECT id FROM applications WHERE shard = ?)",
                              &shard, 1, NULL);
    if (status == OK)
        status = sql_run(sql,
                         "DELETE FROM chats WHERE id IN (SELECT chats.id FROM leftovers JOIN chats "
                         "ON chats.id > application << 32 AND chats.id < (application + 1) << 32 "
                         "WHERE application NOT IN (SELECT id FROM applications))",
                         SQL_NO_VALUES, NULL);
    if (status == OK)
        status = sql_run(sql,
                         "DELETE FROM leftovers WHERE application NOT IN "
                         "(SELECT id FROM applications)",
                         SQL_NO_VALUES, NULL);
    return status;
}

/* Of what was not given. An import that had not ended leaves its token free. */
static status_t rest_remove(sql_t *sql, unsigned shard, uint64_t base)
{
    struct sql_value values[] = {sql_integer((int64_t) base), sql_integer(shard)};
    status_t status = sql_run(sql,
                              "UPDATE applications SET state = 2, change = ?1 "
                              "WHERE change <> ?1 AND shard = ?2 AND state <> 0",
                              values, 2, NULL);
    if (status == OK)
        status = sql_run(sql,
                         "DELETE FROM chats WHERE change <> ? AND id >> 32 IN "
                         "(SELECT id FROM applications WHERE shard = ?)",
                         values, 2, NULL);
    if (status == OK)
        status = leftovers_clear(sql, values[1]);
    if (status == OK)
        status = sql_run(sql,
                         "DELETE FROM applications WHERE change <> ? AND shard = ? AND state = 0",
                         values, 2, NULL);
    if (status == OK)
        status = sql_run(
            sql, "DELETE FROM entries WHERE id >= ? AND id <= ?",
            SQL_VALUES(sql_integer(shard_id(shard, 0)), sql_integer(shard_id_last(shard))), NULL);
    return status;
}

static status_t meta_replace(sql_t *sql, uint64_t mark, const struct journal_meta *meta,
                             uint64_t *ret_changed)
{
    return sql_run(
        sql,
        "UPDATE shards SET data_set = ?3, shards = ?4, epoch = ?5, mark = 0, checked = ?6, "
        "last_seq = ?7, last_producer = ?5, last_sequence = 0, last_time = ?8, "
        "application_change = ?7, bytes = 0, trimmed_seq = ?7, trimmed_bytes = 0 "
        "WHERE shard = ?1 AND mark = ?2",
        SQL_VALUES(sql_integer(meta->shard), sql_integer((int64_t) mark),
                   sql_integer((int64_t) meta->data_set), sql_integer(meta->shards),
                   sql_integer((int64_t) meta->epoch), sql_integer((int64_t) meta->checked),
                   sql_integer((int64_t) meta->last_seq), sql_integer(meta->last_time)),
        ret_changed);
}

status_t journal_sqlite_rebuild_end(journal_t *journal, uint64_t mark,
                                    const struct journal_meta *meta)
{
    journal_sqlite_t *self = cast(journal);
    assert(meta->shard == self->rebuild_shard && meta->last_seq == self->rebuild_base);
    uint64_t changed = 0;
    status_t status = rest_remove(self->sql, meta->shard, meta->last_seq);
    if (status == OK)
        status = meta_replace(self->sql, mark, meta, &changed);
    if (status == OK && changed == 0) {
        sql_rollback(self->sql);
        return journal_fail(journal, ERR_CONFLICT, "the shard no longer carries the mark");
    }
    if (status == OK)
        status = sql_commit(self->sql);
    return ended(self, status);
}
