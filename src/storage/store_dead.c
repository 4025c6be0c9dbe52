/* SPDX-License-Identifier: MIT */
/* store_dead.c - records that the database refused.
 *
 * A dead creation is a root: what comes later for the thing that it should have
 * made joins it, and waits with it for `confab dead retry` or `drop`. A dead edit
 * or deletion is no root: a later one of the same thing can do without it.
 *
 * A rebuild buries what a lost history of the journal acknowledged. That history
 * may have given a number, or an application's id, that the store's own has given
 * too: such a creation is a rival. The lost history's changes of it join it, those
 * of the thing that lives do not.
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

uint64_t record_target(const struct record *record)
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

/* With the token, since histories that parted may give one id to two applications. */
status_t dead_cover_of(store_t *store, const struct record *record, enum dead_kind kind,
                       enum dead_cover *ret_cover)
{
    sql_rows_t *rows;
    struct sql_value root = sql_integer(kind), application = sql_number(record->application_id);
    struct sql_value chat = sql_number(record->chat);
    struct sql_value token = sql_text(record->token, record->token_length);
    status_t status = store_query_one(
        store,
        "SELECT dropped FROM dead_records WHERE root = ? AND application_id = ? AND chat = 0 "
        "AND target = 0 AND token = ? UNION ALL "
        "SELECT dropped FROM dead_records WHERE root = ? AND application_id = ? AND chat = ? "
        "AND target = 0 AND token = ? UNION ALL "
        "SELECT dropped FROM dead_records WHERE root = ? AND application_id = ? AND chat = ? "
        "AND target = ? AND token = ? LIMIT 1",
        SQL_VALUES(root, application, token, root, application, chat, token, root, application,
                   chat, sql_number(record_target(record)), token),
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

status_t dead_cover(store_t *store, const struct record *record, enum dead_cover *ret_cover)
{
    return dead_cover_of(store, record, DEAD_ROOT, ret_cover);
}

/* ---- what is there ---- */

static enum dead_parents parents_judge(sql_rows_t *rows, const struct record *record)
{
    bool in_chat = record->chat && record->type != RECORD_CHAT_CREATED &&
                   record->type != RECORD_CHAT_IMPORTED;
    size_t length;
    const char *token = sql_column_bytes(rows, 0, &length);
    if (length != record->token_length || memcmp(token, record->token, length) != 0)
        return PARENTS_FOREIGN;
    if (sql_column_integer(rows, 1))
        return PARENTS_DELETED;
    if (in_chat && !sql_column_integer(rows, 2))
        return PARENTS_GONE;
    return in_chat && sql_column_integer(rows, 3) ? PARENTS_DELETED : PARENTS_LIVE;
}

status_t dead_parents(store_t *store, const struct record *record, enum dead_parents *ret_parents)
{
    sql_rows_t *rows;
    status_t status = store_query_one(
        store,
        "SELECT applications.token, applications.deleted IS NOT NULL, chats.number IS NOT NULL, "
        "chats.deleted IS NOT NULL FROM applications LEFT JOIN chats ON "
        "chats.application_id = applications.id AND chats.number = ? WHERE applications.id = ?",
        SQL_VALUES(sql_number(record->chat), sql_number(record->application_id)), &rows);
    if (status != OK)
        return status;
    if (!rows) {
        bool needs_none = record->type == RECORD_APPLICATION_CREATED ||
                          record->type == RECORD_APPLICATION_IMPORTED;
        *ret_parents = needs_none ? PARENTS_LIVE : PARENTS_GONE;
        return OK;
    }
    *ret_parents = parents_judge(rows, record);
    return sql_end(&rows);
}

/* Whether what a creation should make is there, deleted or not, or is a root's. */
static status_t dead_key_taken(store_t *store, const struct record *record, bool *ret_taken)
{
    sql_rows_t *rows;
    uint64_t target = record_target(record);
    struct sql_value application = sql_number(record->application_id);
    struct sql_value chat = sql_number(record->chat), number = sql_number(target);
    struct sql_value of_application = sql_integer(record->chat == 0);
    status_t status = store_query_one(
        store,
        "SELECT 1 FROM applications WHERE id = ? AND ? = 1 UNION ALL "
        "SELECT 1 FROM chats WHERE application_id = ? AND number = ? AND ? = 0 UNION ALL "
        "SELECT 1 FROM messages WHERE application_id = ? AND chat_number = ? AND number = ? "
        "UNION ALL SELECT 1 FROM dead_records WHERE root = 1 AND application_id = ? "
        "AND chat = ? AND target = ? AND token = ? LIMIT 1",
        SQL_VALUES(application, of_application, application, chat, number, application, chat,
                   number, application, chat, number,
                   sql_text(record->token, record->token_length)),
        &rows);
    if (status != OK)
        return status;
    *ret_taken = rows != NULL;
    return rows ? sql_end(&rows) : OK;
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

static status_t dead_insert(store_t *store, unsigned shard, const struct record *record,
                            const char *reason, enum dead_kind root, enum dead_kind joined)
{
    return sql_run(
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
                   sql_text(reason, strlen(reason)), sql_integer(root), sql_integer(joined)),
        NULL);
}

status_t dead_put(store_t *store, unsigned shard, const struct record *record, const char *reason,
                  bool joins)
{
    bool root = creates(record->type) && !joins;
    status_t status = dead_insert(store, shard, record, reason, root ? DEAD_ROOT : DEAD_NONE,
                                  joins ? DEAD_ROOT : DEAD_NONE);
    return status == OK && root ? root_tally(store, record) : status;
}

/* ---- rebuild ---- */

/* Of a history that was lost: first it is asked what that history made. */
static status_t dead_bury(store_t *store, unsigned shard, const struct record *record,
                          const char *reason)
{
    enum dead_cover cover = COVER_NONE;
    enum dead_parents parents = PARENTS_GONE;
    bool rival = false;
    status_t status = dead_cover_of(store, record, DEAD_RIVAL, &cover);
    if (status == OK && cover != COVER_NONE)
        return dead_insert(store, shard, record, reason, DEAD_NONE, DEAD_RIVAL);
    if (status == OK)
        status = dead_parents(store, record, &parents);
    if (status == OK && creates(record->type))
        status = dead_key_taken(store, record, &rival);
    if (status != OK)
        return status;
    if (rival || parents == PARENTS_FOREIGN)
        return dead_insert(store, shard, record, reason,
                           creates(record->type) ? DEAD_RIVAL : DEAD_NONE, DEAD_NONE);
    status = dead_cover(store, record, &cover);
    if (status == OK)
        status = dead_put(store, shard, record, reason, cover != COVER_NONE);
    return status;
}

static status_t dead_add(store_t *store, unsigned shard, const struct record *record,
                         const char *reason)
{
    sql_rows_t *rows;
    status_t status = store_query_one(
        store, "SELECT 1 FROM dead_records WHERE shard = ? AND seq = ?",
        SQL_VALUES(sql_integer(shard), sql_number(record->seq)), &rows);
    if (status != OK)
        return status;
    return rows ? sql_end(&rows) : dead_bury(store, shard, record, reason);
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
