/* SPDX-License-Identifier: MIT */
/* store_records.c - what each type of record does to the tables.
 *
 * In an UPDATE no assignment may depend on whether those before it are visible:
 * SQLite shows the old values to all of them, MySQL the new ones to those behind.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/store_internal.h"

enum { MESSAGE_COLUMNS = 7 };

static struct sql_value text_value(const struct record *record)
{
    return sql_text(record->text, record->text_length);
}

/* ---- messages created: many rows at once ---- */

static void message_values(struct sql_value values[MESSAGE_COLUMNS], const struct record *record)
{
    bool imported = record->type == RECORD_MESSAGE_IMPORTED;
    values[0] = sql_number(record->application_id);
    values[1] = sql_number(record->chat);
    values[2] = sql_number(record->number);
    values[3] = sql_number(record->seq);
    values[4] = sql_integer(imported ? record->created : record->time);
    values[5] = sql_integer(imported ? record->updated : record->time);
    values[6] = text_value(record);
}

static int record_compare(const void *a_p, const void *b_p)
{
    const struct record *a = *(const struct record *const *) a_p;
    const struct record *b = *(const struct record *const *) b_p;
    if (a->application_id != b->application_id)
        return a->application_id < b->application_id ? -1 : 1;
    if (a->chat != b->chat)
        return a->chat < b->chat ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* In the order of the primary key each page of the table is visited once, and
 * writers of other shards cannot wait for each other in a ring. */
static const struct record **messages_order(store_t *store, const struct record records[],
                                            size_t count)
{
    if (store->order_capacity < count) {
        store->order = realloc(store->order, count * sizeof *store->order);
        assert(store->order);
        store->order_capacity = count;
    }
    bool ordered = true;
    for (size_t i = 0; i < count; i++) {
        store->order[i] = &records[i];
        ordered = ordered && (i == 0 || record_compare(&store->order[i - 1], &store->order[i]) < 0);
    }
    if (!ordered)
        qsort(store->order, count, sizeof *store->order, record_compare);
    return store->order;
}

static status_t messages_insert(store_t *store, const struct record *const records[], size_t count)
{
    assert(count <= ROWS_MAX);
    if (!store->values) {
        store->values = calloc((size_t) ROWS_MAX * MESSAGE_COLUMNS, sizeof *store->values);
        assert(store->values);
    }
    for (size_t i = 0; i < count; i++)
        message_values(store->values + i * MESSAGE_COLUMNS, records[i]);
    return sql_insert(store->sql,
                      "INSERT INTO messages (application_id, chat_number, number, seq, created, "
                      "updated, body) VALUES",
                      MESSAGE_COLUMNS, store->values, count);
}

/* An imported chat begins with all of its numbers deleted; each message takes
 * one back. Numbers above the chat's last should not come, and raise it. */
static status_t messages_imported(store_t *store, const struct record records[], size_t count)
{
    status_t status = OK;
    for (size_t i = 0, next; status == OK && i < count; i = next) {
        const struct record *first = &records[i];
        for (next = i + 1; next < count; next++)
            if (records[next].application_id != first->application_id ||
                records[next].chat != first->chat)
                break;
        int64_t more = (int64_t) (next - i), last = (int64_t) records[next - 1].number;
        status = sql_run(store->sql,
                         "UPDATE chats SET messages_count = messages_count + ?, "
                         "messages_deleted = messages_deleted - ? + CASE WHEN "
                         "last_message_number < ? THEN ? - last_message_number ELSE 0 END, "
                         "last_message_number = CASE WHEN last_message_number < ? THEN ? "
                         "ELSE last_message_number END WHERE application_id = ? AND number = ?",
                         SQL_VALUES(sql_integer(more), sql_integer(more), sql_integer(last),
                                    sql_integer(last), sql_integer(last), sql_integer(last),
                                    sql_number(first->application_id), sql_number(first->chat)),
                         NULL);
    }
    return status;
}

status_t messages_create(store_t *store, const struct record records[], size_t count)
{
    const struct record **order = messages_order(store, records, count);
    status_t status = OK;
    for (size_t done = 0, rows; status == OK && done < count; done += rows) {
        rows = count - done < ROWS_MAX ? count - done : ROWS_MAX;
        status = messages_insert(store, order + done, rows);
    }
    if (status == OK && records[0].type == RECORD_MESSAGE_IMPORTED)
        status = messages_imported(store, records, count);
    return status;
}

/* ---- applications ---- */

static status_t application_insert(store_t *store, const struct record *record, bool imported)
{
    return sql_run(
        store->sql,
        "INSERT INTO applications (id, token, name, last_chat_number, chats_deleted, created, "
        "updated, importing, visible) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        SQL_VALUES(sql_number(record->application_id),
                   sql_text(record->token, record->token_length), text_value(record),
                   sql_number(imported ? record->number : 0),
                   sql_number(imported ? record->number : 0),
                   sql_integer(imported ? record->created : record->time),
                   sql_integer(imported ? record->updated : record->time), sql_integer(imported),
                   sql_integer(!imported)),
        NULL);
}

static status_t purge_add(store_t *store, uint64_t application_id, uint64_t chat, uint64_t seq)
{
    return sql_run(store->sql, "REPLACE INTO purges (application_id, chat, seq) VALUES (?, ?, ?)",
                   SQL_VALUES(sql_number(application_id), sql_number(chat), sql_number(seq)), NULL);
}

static status_t application_delete(store_t *store, const struct record *record)
{
    uint64_t changed;
    status_t status = sql_run(
        store->sql,
        "UPDATE applications SET deleted = ?, visible = 0 "
        "WHERE id = ? AND deleted IS NULL",
        SQL_VALUES(sql_integer(record->time), sql_number(record->application_id)), &changed);
    if (status == OK && changed > 0)
        status = purge_add(store, record->application_id, 0, record->seq);
    return status;
}

/* An import of the token that never ended gives the token up: '#' is in none. */
static status_t application_replace(store_t *store, const struct record *record)
{
    sql_rows_t *rows;
    struct sql_value token = sql_text(record->token, record->token_length);
    status_t status = store_query_one(
        store, "SELECT id FROM applications WHERE token = ? AND importing = 1", SQL_VALUES(token),
        &rows);
    if (status != OK || !rows)
        return status;
    uint64_t id = sql_column_number(rows, 0);
    status = sql_end(&rows);
    if (status != OK)
        return status;

    char aside[TOKEN_MAX];
    int length = snprintf(aside, sizeof aside, "#%llu", (unsigned long long) id);
    status = sql_run(
        store->sql, "UPDATE applications SET token = ?, deleted = ?, visible = 0 WHERE id = ?",
        SQL_VALUES(sql_text(aside, (size_t) length), sql_integer(record->time), sql_number(id)),
        NULL);
    return status == OK ? purge_add(store, id, 0, record->seq) : status;
}

static status_t application_import(store_t *store, const struct record *record)
{
    status_t status = application_replace(store, record);
    return status == OK ? application_insert(store, record, true) : status;
}

/* ---- chats ---- */

static status_t chat_insert(store_t *store, const struct record *record, bool imported)
{
    return sql_run(store->sql,
                   "INSERT INTO chats (application_id, number, name, last_message_number, "
                   "messages_deleted, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?)",
                   SQL_VALUES(sql_number(record->application_id), sql_number(record->chat),
                              text_value(record), sql_number(imported ? record->number : 0),
                              sql_number(imported ? record->number : 0),
                              sql_integer(imported ? record->created : record->time),
                              sql_integer(imported ? record->updated : record->time)),
                   NULL);
}

/* As messages_imported(), one level up. */
static status_t chat_import(store_t *store, const struct record *record)
{
    status_t status = chat_insert(store, record, true);
    if (status != OK)
        return status;
    struct sql_value chat = sql_number(record->chat);
    return sql_run(store->sql,
                   "UPDATE applications SET chats_count = chats_count + 1, "
                   "chats_deleted = chats_deleted - 1 + CASE WHEN last_chat_number < ? "
                   "THEN ? - last_chat_number ELSE 0 END, last_chat_number = CASE WHEN "
                   "last_chat_number < ? THEN ? ELSE last_chat_number END WHERE id = ?",
                   SQL_VALUES(chat, chat, chat, chat, sql_number(record->application_id)), NULL);
}

static status_t chat_delete(store_t *store, const struct record *record)
{
    uint64_t changed;
    struct sql_value application = sql_number(record->application_id);
    struct sql_value chat = sql_number(record->chat);
    status_t status = sql_run(
        store->sql,
        "UPDATE chats SET deleted = ? WHERE application_id = ? AND number = ? AND deleted IS NULL",
        SQL_VALUES(sql_integer(record->time), application, chat), &changed);
    if (status != OK || changed == 0)
        return status;
    status = chats_tally(store, record->application_id, record->chat);
    if (status == OK)
        status = purge_add(store, record->application_id, record->chat, record->seq);
    return status;
}

/* The time of a change is shown in milliseconds, and "edited" is told by it: it is
 * always at least one later than the time before. Takes the time twice. */
#define UPDATED_LATER                                                  \
    "updated = CASE WHEN ? >= updated - updated % 1000 + 1000 THEN ? " \
    "ELSE updated - updated % 1000 + 1000 END"

/* ---- messages changed ---- */

static status_t message_edit(store_t *store, const struct record *record)
{
    /* Not if a later edit is there already: this one may have been dead for a while. */
    return sql_run(store->sql,
                   "UPDATE messages SET body = ?, seq = ?, " UPDATED_LATER
                   " WHERE application_id = ? AND chat_number = ? AND number = ? AND seq < ?",
                   SQL_VALUES(text_value(record), sql_number(record->seq),
                              sql_integer(record->time), sql_integer(record->time),
                              sql_number(record->application_id), sql_number(record->chat),
                              sql_number(record->number), sql_number(record->seq)),
                   NULL);
}

static status_t message_delete(store_t *store, const struct record *record)
{
    uint64_t changed;
    status_t status = sql_run(
        store->sql,
        "DELETE FROM messages WHERE application_id = ? AND chat_number = ? AND number = ?",
        SQL_VALUES(sql_number(record->application_id), sql_number(record->chat),
                   sql_number(record->number)),
        &changed);
    if (status == OK && changed > 0)
        status = messages_tally(store, record->application_id, record->chat, record->number);
    return status;
}

/* ---- one record of any type ---- */

status_t record_apply(store_t *store, const struct record *record)
{
    struct sql_value application = sql_number(record->application_id);
    struct sql_value time = sql_integer(record->time);
    switch (record->type) {
    case RECORD_APPLICATION_CREATED:
        return application_insert(store, record, false);
    case RECORD_CHAT_CREATED:
        return chat_insert(store, record, false);
    case RECORD_MESSAGE_CREATED:
    case RECORD_MESSAGE_IMPORTED:
        return messages_create(store, record, 1);
    case RECORD_APPLICATION_RENAMED:
        return sql_run(store->sql,
                       "UPDATE applications SET name = ?, " UPDATED_LATER
                       " WHERE id = ? AND deleted IS NULL",
                       SQL_VALUES(text_value(record), time, time, application), NULL);
    case RECORD_CHAT_RENAMED:
        return sql_run(
            store->sql,
            "UPDATE chats SET name = ?, " UPDATED_LATER
            " WHERE application_id = ? AND number = ? AND deleted IS NULL",
            SQL_VALUES(text_value(record), time, time, application, sql_number(record->chat)),
            NULL);
    case RECORD_MESSAGE_EDITED:
        return message_edit(store, record);
    case RECORD_APPLICATION_DELETED:
        return application_delete(store, record);
    case RECORD_CHAT_DELETED:
        return chat_delete(store, record);
    case RECORD_MESSAGE_DELETED:
        return message_delete(store, record);
    case RECORD_APPLICATION_IMPORTED:
        return application_import(store, record);
    case RECORD_CHAT_IMPORTED:
        return chat_import(store, record);
    case RECORD_IMPORT_ENDED:
        return sql_run(store->sql,
                       "UPDATE applications SET importing = 0, visible = 1 "
                       "WHERE id = ? AND importing = 1 AND deleted IS NULL",
                       SQL_VALUES(application), NULL);
    }
    return ERR_DATA; /* from a newer build; its CRC was right */
}
