/* SPDX-License-Identifier: MIT */
/* store_dead.c - records that the database refused.
 *
 * A dead creation is a root: what comes later for the thing that it should have
 * made joins it, and waits with it for `confab dead retry` or `drop`. A dead edit
 * or deletion is no root: a later one of the same thing can do without it.
 */
#include <assert.h>
#include <string.h>

#include "storage/store_internal.h"

/* ---- roots ---- */

static bool creates(enum record_type type)
{
    switch (type) {
    case RECORD_APPLICATION_CREATED:
    case RECORD_CHAT_CREATED:
    case RECORD_MESSAGE_CREATED:
    case RECORD_APPLICATION_IMPORTED:
    case RECORD_CHAT_IMPORTED:
    case RECORD_MESSAGE_IMPORTED:
        return true;
    case RECORD_APPLICATION_RENAMED:
    case RECORD_CHAT_RENAMED:
    case RECORD_MESSAGE_EDITED:
    case RECORD_APPLICATION_DELETED:
    case RECORD_CHAT_DELETED:
    case RECORD_MESSAGE_DELETED:
    case RECORD_IMPORT_ENDED:
        return false;
    }
    return false;
}

/* The message that a record is about, or 0: imports of others have another number there. */
static uint64_t record_target(const struct record *record)
{
    switch (record->type) {
    case RECORD_MESSAGE_CREATED:
    case RECORD_MESSAGE_EDITED:
    case RECORD_MESSAGE_DELETED:
    case RECORD_MESSAGE_IMPORTED:
        return record->number;
    case RECORD_APPLICATION_CREATED:
    case RECORD_CHAT_CREATED:
    case RECORD_APPLICATION_RENAMED:
    case RECORD_CHAT_RENAMED:
    case RECORD_APPLICATION_DELETED:
    case RECORD_CHAT_DELETED:
    case RECORD_APPLICATION_IMPORTED:
    case RECORD_CHAT_IMPORTED:
    case RECORD_IMPORT_ENDED:
        return 0;
    }
    return 0;
}

/* A statement for each application: DISTINCT would read all roots, of which a
 * lost history may leave very many. */
status_t dead_roots_read(store_t *store, struct dead_roots *ret_roots)
{
    *ret_roots = (struct dead_roots){0};
    uint64_t application_id = 0;
    for (;;) {
        sql_rows_t *rows;
        status_t status = store_query_one(store,
                                          "SELECT application_id FROM dead_records WHERE root = 1 "
                                          "AND application_id > ? ORDER BY application_id LIMIT 1",
                                          SQL_VALUES(sql_number(application_id)), &rows);
        if (status != OK || !rows)
            return status;
        application_id = sql_column_number(rows, 0);
        status = sql_end(&rows);
        ret_roots->too_many = ret_roots->count == DEAD_ROOTS_MAX;
        if (status != OK || ret_roots->too_many)
            return status;
        ret_roots->application_id[ret_roots->count++] = application_id;
    }
}

status_t dead_cover(store_t *store, const struct record *record, enum dead_cover *ret_cover)
{
    sql_rows_t *rows;
    struct sql_value application = sql_number(record->application_id);
    struct sql_value chat = sql_number(record->chat);
    status_t status = store_query_one(
        store,
        "SELECT dropped FROM dead_records WHERE root = 1 AND application_id = ? AND chat = 0 "
        "AND target = 0 UNION ALL "
        "SELECT dropped FROM dead_records WHERE root = 1 AND application_id = ? AND chat = ? "
        "AND target = 0 UNION ALL "
        "SELECT dropped FROM dead_records WHERE root = 1 AND application_id = ? AND chat = ? "
        "AND target = ? LIMIT 1",
        SQL_VALUES(application, application, chat, application, chat,
                   sql_number(record_target(record))),
        &rows);
    if (status != OK)
        return status;
    if (!rows) {
        *ret_cover = COVER_NONE;
        return OK;
    }
    *ret_cover = sql_column_integer(rows, 0) ? COVER_DROPPED : COVER_DEAD;
    return sql_end(&rows);
}

/* ---- putting aside ---- */

/* What never came to life was created and deleted, as far as numbers go. Of an
 * import all numbers are deleted to begin with. */
static status_t root_tally(store_t *store, const struct record *record)
{
    if (record->type == RECORD_MESSAGE_CREATED)
        return messages_tally(store, record->application_id, record->chat, record->number);
    if (record->type == RECORD_CHAT_CREATED)
        return chats_tally(store, record->application_id, record->chat);
    return OK;
}

status_t dead_put(store_t *store, unsigned shard, const struct record *record, const char *reason,
                  bool joins)
{
    bool root = creates(record->type) && !joins;
    status_t status = sql_run(
        store->sql,
        "REPLACE INTO dead_records (shard, seq, type, application_id, token, chat, number, target, "
        "time, created, updated, text, reason, root, joined) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        SQL_VALUES(sql_integer(shard), sql_number(record->seq), sql_integer(record->type),
                   sql_number(record->application_id),
                   sql_text(record->token, record->token_length), sql_number(record->chat),
                   sql_number(record->number), sql_number(record_target(record)),
                   sql_integer(record->time), sql_integer(record->created),
                   sql_integer(record->updated), sql_blob(record->text, record->text_length),
                   sql_text(reason, strlen(reason)), sql_integer(root), sql_integer(joins)),
        NULL);
    return status == OK && root ? root_tally(store, record) : status;
}

/* ---- reading back ---- */

#define DEAD_COLUMNS                                                                              \
    "seq, type, application_id, token, chat, number, time, created, updated, text, root, shard, " \
    "reason"

/* Its strings live until the next row. */
static struct record dead_read(sql_rows_t *rows)
{
    struct record record = {
        .seq = sql_column_number(rows, 0),
        .type = (enum record_type) sql_column_integer(rows, 1),
        .application_id = sql_column_number(rows, 2),
        .chat = sql_column_number(rows, 4),
        .number = sql_column_number(rows, 5),
        .time = sql_column_integer(rows, 6),
        .created = sql_column_integer(rows, 7),
        .updated = sql_column_integer(rows, 8),
    };
    record.token = sql_column_bytes(rows, 3, &record.token_length);
    record.text = sql_column_bytes(rows, 9, &record.text_length);
    return record;
}

status_t store_dead_each(store_t *store,
                         void (*each)(void *context, const struct dead_record *dead), void *context)
{
    sql_rows_t *rows;
    status_t status = sql_query(store->sql,
                                "SELECT " DEAD_COLUMNS " FROM dead_records WHERE dropped = 0 "
                                "ORDER BY shard, seq",
                                SQL_NO_VALUES, &rows);
    if (status != OK)
        return store_status(status);
    struct buffer reason = {0};
    while (sql_next(rows)) {
        size_t length;
        const char *bytes = sql_column_bytes(rows, 12, &length);
        buffer_clear(&reason);
        buffer_append(&reason, bytes, length);
        struct dead_record dead = {
            .shard = (unsigned) sql_column_integer(rows, 11),
            .record = dead_read(rows),
            .reason = reason.data,
        };
        each(context, &dead);
    }
    buffer_free(&reason);
    return store_status(sql_end(&rows));
}

/* A dead record taken out of the table, with its strings. */
struct dead_copy {
    struct record record;
    struct buffer strings;
    bool root;
};

static void dead_copy_read(struct dead_copy *copy, sql_rows_t *rows)
{
    buffer_clear(&copy->strings);
    copy->record = dead_read(rows);
    copy->root = sql_column_integer(rows, 10) != 0;
    buffer_append(&copy->strings, copy->record.token, copy->record.token_length);
    buffer_append(&copy->strings, copy->record.text, copy->record.text_length);
    copy->record.token = copy->strings.data;
    copy->record.text = copy->strings.data + copy->record.token_length;
}

/* ERR_CONFLICT: there is no such dead record. */
static status_t dead_find(store_t *store, unsigned shard, uint64_t seq, struct dead_copy *copy)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store,
                                      "SELECT " DEAD_COLUMNS " FROM dead_records "
                                      "WHERE shard = ? AND seq = ? AND dropped = 0",
                                      SQL_VALUES(sql_integer(shard), sql_number(seq)), &rows);
    if (status != OK)
        return status;
    if (!rows)
        return ERR_CONFLICT;
    dead_copy_read(copy, rows);
    return sql_end(&rows);
}

/* The first record after `seq` that joined `root`; *ret_found false: no more. */
static status_t dead_next_joined(store_t *store, unsigned shard, const struct record *root,
                                 uint64_t seq, struct dead_copy *copy, bool *ret_found)
{
    sql_rows_t *rows;
    struct sql_value chat = sql_number(root->chat), target = sql_number(record_target(root));
    status_t status = store_query_one(store,
                                      "SELECT " DEAD_COLUMNS " FROM dead_records WHERE shard = ? "
                                      "AND seq > ? AND joined = 1 AND application_id = ? "
                                      "AND (? = 0 OR chat = ?) AND (? = 0 OR target = ?) "
                                      "ORDER BY seq LIMIT 1",
                                      SQL_VALUES(sql_integer(shard), sql_number(seq),
                                                 sql_number(root->application_id), chat, chat,
                                                 target, target),
                                      &rows);
    if (status != OK)
        return status;
    *ret_found = rows != NULL;
    if (rows)
        dead_copy_read(copy, rows);
    return sql_end(&rows);
}

static status_t dead_delete(store_t *store, unsigned shard, uint64_t seq)
{
    return sql_run(store->sql, "DELETE FROM dead_records WHERE shard = ? AND seq = ?",
                   SQL_VALUES(sql_integer(shard), sql_number(seq)), NULL);
}

/* ---- retry and drop ---- */

static status_t dead_run(store_t *store, unsigned shard, const struct record *record)
{
    status_t status = dead_delete(store, shard, record->seq);
    if (status == OK)
        status = records_apply(store, shard, record, 1, NULL, NULL);
    return status;
}

/* The record, and what joined it, may have changed any number below itself. */
static status_t dead_recount(store_t *store, const struct record *record)
{
    status_t status = record->chat ? recount_chat(store, record->application_id, record->chat)
                                   : recount_chats(store, record->application_id);
    return status == OK ? recount_application(store, record->application_id) : status;
}

static status_t dead_retry(store_t *store, unsigned shard, const struct dead_copy *first,
                           struct dead_copy *joined)
{
    status_t status = dead_run(store, shard, &first->record);
    bool found = first->root;
    uint64_t seq = first->record.seq;
    while (status == OK && found) {
        status = dead_next_joined(store, shard, &first->record, seq, joined, &found);
        if (status != OK || !found)
            break;
        seq = joined->record.seq;
        status = dead_run(store, shard, &joined->record);
    }
    return status == OK ? dead_recount(store, &first->record) : status;
}

/* A dropped creation stays as a stub: what comes later for it must not become
 * rows that belong to nothing. */
static status_t dead_drop(store_t *store, unsigned shard, const struct dead_copy *first,
                          struct dead_copy *joined)
{
    if (!first->root)
        return dead_delete(store, shard, first->record.seq);
    status_t status = sql_run(
        store->sql,
        "UPDATE dead_records SET dropped = 1, text = ? "
        "WHERE shard = ? AND seq = ?",
        SQL_VALUES(sql_blob("", 0), sql_integer(shard), sql_number(first->record.seq)), NULL);
    bool found = true;
    while (status == OK) {
        status = dead_next_joined(store, shard, &first->record, first->record.seq, joined, &found);
        if (status != OK || !found)
            break;
        status = dead_delete(store, shard, joined->record.seq);
    }
    return status;
}

typedef status_t dead_action(store_t *store, unsigned shard, const struct dead_copy *first,
                             struct dead_copy *joined);

static status_t dead_transaction(store_t *store, unsigned shard, uint64_t seq, dead_action *action)
{
    struct dead_copy first = {0}, joined = {0};
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = persistence_lock(store, shard);
    if (status == OK)
        status = dead_find(store, shard, seq, &first);
    if (status == OK)
        status = action(store, shard, &first, &joined);
    status = store_finish(store, status);
    buffer_free(&first.strings);
    buffer_free(&joined.strings);
    return store_status(status);
}

status_t store_dead_retry(store_t *store, unsigned shard, uint64_t seq)
{
    return dead_transaction(store, shard, seq, dead_retry);
}

status_t store_dead_drop(store_t *store, unsigned shard, uint64_t seq)
{
    return dead_transaction(store, shard, seq, dead_drop);
}

/* ---- rebuild ---- */

static status_t dead_add(store_t *store, unsigned shard, const struct record *record,
                         const char *reason)
{
    sql_rows_t *rows;
    enum dead_cover cover = COVER_NONE;
    status_t status = store_query_one(
        store, "SELECT 1 FROM dead_records WHERE shard = ? AND seq = ?",
        SQL_VALUES(sql_integer(shard), sql_number(record->seq)), &rows);
    if (status != OK)
        return status;
    if (rows)
        return sql_end(&rows);
    status = dead_cover(store, record, &cover);
    if (status == OK)
        status = dead_put(store, shard, record, reason, cover != COVER_NONE);
    return status;
}

status_t store_dead_add(store_t *store, unsigned shard, const struct record *record,
                        const char *reason)
{
    assert(record && reason);
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = dead_add(store, shard, record, reason);
    return store_status(store_finish(store, status));
}
