/* SPDX-License-Identifier: MIT */
/* journal_sqlite_counters.c - the rows from which an append checks and numbers. */
#include <assert.h>
#include <string.h>

#include "storage/journal_sqlite.h"

enum {
    LEFTOVERS_SLICE = 512, /* chats removed in one transaction */
    REPLY_REPLAYED = 0x80, /* beside a status */
};

/* ---- applications ---- */

status_t application_load(sql_t *sql, const char *token, size_t token_length,
                          struct application_row *ret_row)
{
    sql_rows_t *rows;
    status_t status = sql_query(sql,
                                "SELECT id, application_id, state, last_chat, change, visible, "
                                "imported FROM applications WHERE token = ?",
                                SQL_VALUES(sql_text(token, token_length)), &rows);
    if (status != OK)
        return status;
    struct application_row row = {0};
    if (sql_next(rows))
        row = (struct application_row){
            .id = sql_column_integer(rows, 0),
            .application_id = (uint64_t) sql_column_integer(rows, 1),
            .state = (enum application_state) sql_column_integer(rows, 2),
            .last_chat = (uint64_t) sql_column_integer(rows, 3),
            .change = (uint64_t) sql_column_integer(rows, 4),
            .visible = (uint64_t) sql_column_integer(rows, 5),
            .imported = (uint64_t) sql_column_integer(rows, 6),
        };
    status = sql_end(&rows);
    if (status == OK)
        *ret_row = row;
    return status;
}

static status_t application_next_id(sql_t *sql, int64_t *ret_id)
{
    sql_rows_t *rows;
    status_t status = sql_query(sql, "SELECT COALESCE(MAX(id), 0) + 1 FROM applications",
                                SQL_NO_VALUES, &rows);
    if (status != OK)
        return status;
    int64_t id = sql_next(rows) ? sql_column_integer(rows, 0) : 0;
    status = sql_end(&rows);
    if (status != OK)
        return status;
    /* Above, the ids of its chats would not fit. */
    if (id <= 0 || id > INT32_MAX)
        return ERR_DATA;
    *ret_id = id;
    return OK;
}

status_t application_add(sql_t *sql, unsigned shard, const char *token, size_t token_length,
                         struct application_row *row)
{
    status_t status = application_next_id(sql, &row->id);
    if (status != OK)
        return status;
    return sql_run(
        sql,
        "INSERT INTO applications (id, shard, token, application_id, state, last_chat, "
        "change, visible, imported) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        SQL_VALUES(sql_integer(row->id), sql_integer(shard), sql_text(token, token_length),
                   sql_integer((int64_t) row->application_id), sql_integer(row->state),
                   sql_integer((int64_t) row->last_chat), sql_integer((int64_t) row->change),
                   sql_integer((int64_t) row->visible), sql_integer((int64_t) row->imported)),
        NULL);
}

status_t application_save(sql_t *sql, const struct application_row *row)
{
    return sql_run(sql,
                   "UPDATE applications SET application_id = ?, state = ?, last_chat = ?, "
                   "change = ?, visible = ?, imported = ? WHERE id = ?",
                   SQL_VALUES(sql_integer((int64_t) row->application_id), sql_integer(row->state),
                              sql_integer((int64_t) row->last_chat),
                              sql_integer((int64_t) row->change),
                              sql_integer((int64_t) row->visible),
                              sql_integer((int64_t) row->imported), sql_integer(row->id)),
                   NULL);
}

status_t application_renew(sql_t *sql, struct application_row *row)
{
    int64_t id;
    status_t status = application_next_id(sql, &id);
    if (status == OK)
        status = leftover_add(sql, row);
    if (status == OK)
        status = sql_run(sql, "UPDATE applications SET id = ? WHERE id = ?",
                         SQL_VALUES(sql_integer(id), sql_integer(row->id)), NULL);
    if (status == OK)
        row->id = id;
    return status;
}

/* ---- chats ---- */

static int64_t chat_id(const struct application_row *application, uint64_t chat)
{
    return application->id << 32 | (int64_t) chat;
}

status_t chat_load(sql_t *sql, const struct application_row *application, uint64_t chat,
                   struct chat_row *ret_row)
{
    *ret_row = (struct chat_row){0};
    if (chat == 0 || chat > UINT32_MAX)
        return OK;
    sql_rows_t *rows;
    status_t status = sql_query(sql,
                                "SELECT last_message, change, imported FROM chats WHERE id = ?",
                                SQL_VALUES(sql_integer(chat_id(application, chat))), &rows);
    if (status != OK)
        return status;
    if (sql_next(rows))
        *ret_row = (struct chat_row){
            .id = chat_id(application, chat),
            .last_message = (uint64_t) sql_column_integer(rows, 0),
            .change = (uint64_t) sql_column_integer(rows, 1),
            .imported = (uint64_t) sql_column_integer(rows, 2),
        };
    return sql_end(&rows);
}

status_t chat_add(sql_t *sql, const struct application_row *application, uint64_t chat,
                  struct chat_row *row)
{
    assert(chat > 0 && chat <= UINT32_MAX);
    row->id = chat_id(application, chat);
    return sql_run(
        sql, "INSERT INTO chats (id, last_message, change, imported) VALUES (?, ?, ?, ?)",
        SQL_VALUES(sql_integer(row->id), sql_integer((int64_t) row->last_message),
                   sql_integer((int64_t) row->change), sql_integer((int64_t) row->imported)),
        NULL);
}

status_t chat_save(sql_t *sql, const struct chat_row *row)
{
    return sql_run(sql, "UPDATE chats SET last_message = ?, change = ?, imported = ? WHERE id = ?",
                   SQL_VALUES(sql_integer((int64_t) row->last_message),
                              sql_integer((int64_t) row->change),
                              sql_integer((int64_t) row->imported), sql_integer(row->id)),
                   NULL);
}

status_t chat_remove(sql_t *sql, const struct chat_row *row)
{
    return sql_run(sql, "DELETE FROM chats WHERE id = ?", SQL_VALUES(sql_integer(row->id)), NULL);
}

status_t leftover_add(sql_t *sql, const struct application_row *application)
{
    return sql_run(sql, "INSERT INTO leftovers (application) VALUES (?)",
                   SQL_VALUES(sql_integer(application->id)), NULL);
}

status_t leftovers_remove(sql_t *sql, bool *ret_more)
{
    *ret_more = false;
    sql_rows_t *rows;
    status_t status = sql_query(sql, "SELECT MIN(application) FROM leftovers", SQL_NO_VALUES,
                                &rows);
    if (status != OK)
        return status;
    int64_t application = sql_next(rows) ? sql_column_integer(rows, 0) : 0;
    status = sql_end(&rows);
    if (status != OK || application == 0)
        return status;

    uint64_t removed = 0;
    status = sql_run(sql,
                     "DELETE FROM chats WHERE id IN (SELECT id FROM chats WHERE id > ?1 << 32 AND "
                     "id < (?1 + 1) << 32 LIMIT ?2)",
                     SQL_VALUES(sql_integer(application), sql_integer(LEFTOVERS_SLICE)), &removed);
    *ret_more = true;
    if (status == OK && removed < LEFTOVERS_SLICE)
        status = sql_run(sql, "DELETE FROM leftovers WHERE application = ?",
                         SQL_VALUES(sql_integer(application)), NULL);
    return status;
}

/* ---- idempotency keys ---- */

/* What the row at hand says to a group of the same key. */
static void key_answer(sql_rows_t *rows, struct record_group *group)
{
    size_t length;
    const char *hash = sql_column_bytes(rows, 1, &length);
    if (length != HASH_LENGTH || memcmp(hash, group->request_hash, HASH_LENGTH) != 0) {
        group->status = ERR_KEY_REUSED;
        return;
    }
    group->status = OK;
    group->replayed = true;
    group->time = sql_column_integer(rows, 2);
    if (group->type != RECORD_APPLICATION_CREATED)
        group->first_number = (uint64_t) sql_column_integer(rows, 3);
    const char *token = sql_column_bytes(rows, 4, &length);
    group->result_token_length = length < TOKEN_MAX ? length : TOKEN_MAX;
    memcpy(group->result_token, token, group->result_token_length);
}

status_t key_load(sql_t *sql, int64_t now, struct record_group *group, bool *ret_known)
{
    *ret_known = false;
    sql_rows_t *rows;
    status_t status = sql_query(
        sql, "SELECT id, request_hash, time, number, token FROM keys WHERE key = ?",
        SQL_VALUES(sql_blob(group->key, HASH_LENGTH)), &rows);
    if (status != OK)
        return status;
    int64_t over = 0;
    if (sql_next(rows)) {
        *ret_known = sql_column_integer(rows, 2) > now - JOURNAL_KEEP_US;
        if (*ret_known)
            key_answer(rows, group);
        else
            over = sql_column_integer(rows, 0);
    }
    status = sql_end(&rows);
    /* Rows are only removed at the beginning: this one has to wait for that. */
    if (status == OK && over)
        status = sql_run(sql, "UPDATE keys SET key = NULL WHERE id = ?",
                         SQL_VALUES(sql_integer(over)), NULL);
    return status;
}

status_t key_add(sql_t *sql, struct shard_row *shard, const struct record_group *group,
                 uint64_t number)
{
    int64_t id = shard_id(shard->shard, shard->keys_next++);
    return sql_run(sql,
                   "INSERT INTO keys (id, key, request_hash, time, number, token) VALUES "
                   "(?, ?, ?, ?, ?, ?)",
                   SQL_VALUES(sql_integer(id), sql_blob(group->key, HASH_LENGTH),
                              sql_blob(group->request_hash, HASH_LENGTH), sql_integer(group->time),
                              sql_integer((int64_t) number),
                              sql_text(group->result_token, group->result_token_length)),
                   NULL);
}

status_t keys_expire(sql_t *sql, struct shard_row *shard, int64_t now, uint64_t limit,
                     uint64_t *ret_removed)
{
    uint64_t end = shard->keys_first + limit < shard->keys_next ? shard->keys_first + limit
                                                                : shard->keys_next;
    *ret_removed = 0;
    if (end == shard->keys_first)
        return OK;
    status_t status = sql_run(sql, "DELETE FROM keys WHERE id >= ? AND id < ? AND time <= ?",
                              SQL_VALUES(sql_integer(shard_id(shard->shard, shard->keys_first)),
                                         sql_integer(shard_id(shard->shard, end)),
                                         sql_integer(now - JOURNAL_KEEP_US)),
                              ret_removed);
    shard->keys_first += *ret_removed;
    return status;
}

/* ---- producers ---- */

/* A stored reply: time, number of groups, then for each its status, with
 * REPLY_REPLAYED also its time and token, and if it is OK its number. */
static void reply_encode_groups(struct buffer *reply, const struct batch *batch, int64_t time)
{
    buffer_clear(reply);
    bytes_put(reply, (uint64_t) time, 8);
    bytes_put(reply, batch->count, 4);
    for (size_t i = 0; i < batch->count; i++) {
        const struct record_group *group = &batch->groups[i];
        bytes_put(reply, group->status | (group->replayed ? REPLY_REPLAYED : 0), 1);
        if (group->replayed) {
            bytes_put(reply, (uint64_t) group->time, 8);
            bytes_put_string(reply, group->result_token, group->result_token_length);
        }
        if (group->status == OK)
            bytes_put(reply, group->first_number, 4);
    }
}

/* It comes from a disk. */
static bool reply_possible(const struct record_group *group)
{
    static const status_t refusals[] = {
        ERR_APPLICATION_NOT_FOUND,
        ERR_CHAT_NOT_FOUND,
        ERR_MESSAGE_NOT_FOUND,
        ERR_KEY_REUSED,
        ERR_KEYS_FULL,
        ERR_OVERLOADED,
        ERR_EXISTS,
        ERR_DATA,
    };
    bool numbered = group->type == RECORD_CHAT_CREATED || group->type == RECORD_MESSAGE_CREATED;
    if (group->status == OK)
        return !numbered || group->first_number > 0;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (group->status == refusals[i])
            return true;
    return false;
}

static bool reply_decode_groups(const char *bytes, size_t length, struct batch *batch)
{
    struct bytes_reader reader = bytes_reader(bytes, length);
    int64_t time = (int64_t) bytes_get(&reader, 8);
    if (bytes_get(&reader, 4) != batch->count)
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        struct record_group *group = &batch->groups[i];
        unsigned code = (unsigned) bytes_get(&reader, 1);
        group->status = (status_t) (code & ~(unsigned) REPLY_REPLAYED);
        group->replayed = code & REPLY_REPLAYED;
        group->time = group->status == OK ? time : 0;
        const char *token = group->token;
        size_t token_length = group->type == RECORD_APPLICATION_CREATED && group->status == OK
                                  ? group->token_length
                                  : 0;
        if (group->replayed) {
            group->time = (int64_t) bytes_get(&reader, 8);
            token = bytes_get_string(&reader, &token_length);
        }
        if (group->status == OK)
            group->first_number = bytes_get(&reader, 4);
        if (!reply_possible(group))
            return false;
        group->result_token_length = token_length < TOKEN_MAX ? token_length : TOKEN_MAX;
        memcpy(group->result_token, token, group->result_token_length);
    }
    return bytes_finished(&reader);
}

status_t producer_load(sql_t *sql, struct batch *batch, uint64_t *ret_sequence, bool *ret_replayed)
{
    *ret_sequence = 0;
    *ret_replayed = false;
    sql_rows_t *rows;
    status_t status = sql_query(
        sql, "SELECT sequence, reply FROM producers WHERE shard = ? AND producer = ?",
        SQL_VALUES(sql_integer(batch->shard), sql_integer((int64_t) batch->producer)), &rows);
    if (status != OK)
        return status;
    if (sql_next(rows)) {
        *ret_sequence = (uint64_t) sql_column_integer(rows, 0);
        if (*ret_sequence == batch->sequence) {
            size_t length;
            const char *reply = sql_column_bytes(rows, 1, &length);
            *ret_replayed = reply_decode_groups(reply, length, batch);
        }
    }
    return sql_end(&rows);
}

status_t producer_save(sql_t *sql, struct buffer *reply, const struct batch *batch, int64_t time,
                       int64_t now)
{
    reply_encode_groups(reply, batch, time);
    return sql_run(sql,
                   "INSERT OR REPLACE INTO producers (shard, producer, sequence, time, reply) "
                   "VALUES (?, ?, ?, ?, ?)",
                   SQL_VALUES(sql_integer(batch->shard), sql_integer((int64_t) batch->producer),
                              sql_integer((int64_t) batch->sequence), sql_integer(now),
                              sql_blob(reply->data, reply->length)),
                   NULL);
}

status_t producers_expire(sql_t *sql, unsigned shard, int64_t now)
{
    return sql_run(sql,
                   "DELETE FROM producers WHERE shard = ?1 AND time <= ?2 AND "
                   "time < (SELECT MAX(time) FROM producers WHERE shard = ?1)",
                   SQL_VALUES(sql_integer(shard), sql_integer(now - JOURNAL_KEEP_US)), NULL);
}
