/* SPDX-License-Identifier: MIT */
#include "storage/store_scan.h"

#include <assert.h>

#include "storage/store_internal.h"

enum { NUMBERS_MAX = 32 }; /* messages asked for in one statement */

/* ---- one state for many calls ---- */

status_t store_snapshot_begin(store_t *store)
{
    return store_status(sql_begin_read(store->sql));
}

void store_snapshot_end(store_t *store)
{
    sql_rollback(store->sql);
}

/* ---- applications ---- */

static struct scan_application application_read(sql_rows_t *rows)
{
    struct scan_application application = {
        .id = sql_column_number(rows, 0),
        .chats_count = sql_column_number(rows, 3),
        .last_chat = sql_column_number(rows, 4),
        .chats_deleted = sql_column_number(rows, 5),
        .created = sql_column_integer(rows, 6),
        .updated = sql_column_integer(rows, 7),
        .deleted = !sql_column_is_null(rows, 8),
        .importing = sql_column_integer(rows, 9) != 0,
    };
    application.token = sql_column_bytes(rows, 1, &application.token_length);
    application.name = sql_column_bytes(rows, 2, &application.name_length);
    return application;
}

/* "id % 1 = 0" is true of all. */
static struct sql_value shards_value(const struct scan *scan)
{
    return sql_integer(scan->shards ? scan->shards : 1);
}

static struct sql_value shard_value(const struct scan *scan)
{
    return sql_integer(scan->shards > 1 ? scan->shard : 0);
}

/* Where a confined walk ends. */
static struct sql_value last_application(const struct scan *scan)
{
    return sql_integer(scan->within_application ? (int64_t) scan->within_application : INT64_MAX);
}

static struct sql_value last_chat(const struct scan *scan)
{
    return sql_integer(scan->within_chat ? (int64_t) scan->within_chat : INT64_MAX);
}

/* Puts the cursor of chats and messages where a confined walk begins. */
static void scan_enter(struct scan *scan)
{
    assert(scan->limit > 0 && (!scan->within_chat || scan->within_application));
    if (scan->within_application && scan->application_id < scan->within_application) {
        scan->application_id = scan->within_application;
        scan->chat = scan->number = 0;
    }
}

status_t store_scan_applications(store_t *store, struct scan *scan,
                                 void (*each)(void *, const struct scan_application *),
                                 void *context, bool *ret_more)
{
    uint64_t after = scan->application_id;
    if (after < scan->within_application)
        after = scan->within_application - 1;
    sql_rows_t *rows;
    status_t status = sql_query(store->sql,
                                "SELECT id, token, name, chats_count, last_chat_number, "
                                "chats_deleted, created, updated, deleted, importing "
                                "FROM applications WHERE id > ? AND id <= ? AND id % ? = ? "
                                "ORDER BY id LIMIT ?",
                                SQL_VALUES(sql_number(after), last_application(scan),
                                           shards_value(scan), shard_value(scan),
                                           sql_integer((int64_t) scan->limit)),
                                &rows);
    if (status != OK)
        return store_status(status);
    size_t count = 0;
    for (; sql_next(rows); count++) {
        struct scan_application application = application_read(rows);
        scan->application_id = application.id;
        each(context, &application);
    }
    status = store_status(sql_end(&rows));
    if (status == OK)
        *ret_more = count == scan->limit;
    return status;
}

/* ---- chats ---- */

#define CHAT_COLUMNS                                                                        \
    "application_id, number, name, messages_count, last_message_number, messages_deleted, " \
    "created, updated, deleted"

static struct scan_chat chat_read(sql_rows_t *rows)
{
    struct scan_chat chat = {
        .application_id = sql_column_number(rows, 0),
        .number = sql_column_number(rows, 1),
        .messages_count = sql_column_number(rows, 3),
        .last_message = sql_column_number(rows, 4),
        .messages_deleted = sql_column_number(rows, 5),
        .created = sql_column_integer(rows, 6),
        .updated = sql_column_integer(rows, 7),
        .deleted = !sql_column_is_null(rows, 8),
    };
    chat.name = sql_column_bytes(rows, 2, &chat.name_length);
    return chat;
}

struct chats_walk {
    struct scan *scan;
    void (*each)(void *, const struct scan_chat *);
    void *context;
    size_t count;
};

static status_t chats_deliver(struct chats_walk *walk, status_t status, sql_rows_t *rows)
{
    if (status != OK)
        return status;
    for (; sql_next(rows); walk->count++) {
        struct scan_chat chat = chat_read(rows);
        walk->scan->application_id = chat.application_id;
        walk->scan->chat = chat.number;
        walk->each(walk->context, &chat);
    }
    return sql_end(&rows);
}

/* Two statements instead of "(a, b) > (?, ?)", for which MySQL reads everything. */
status_t store_scan_chats(store_t *store, struct scan *scan,
                          void (*each)(void *, const struct scan_chat *), void *context,
                          bool *ret_more)
{
    scan_enter(scan);
    if (scan->within_chat && scan->chat < scan->within_chat)
        scan->chat = scan->within_chat - 1;
    struct chats_walk walk = {.scan = scan, .each = each, .context = context};
    sql_rows_t *rows = NULL;
    status_t status = sql_query(store->sql,
                                "SELECT " CHAT_COLUMNS " FROM chats WHERE application_id = ? "
                                "AND number > ? AND number <= ? AND application_id % ? = ? "
                                "ORDER BY number LIMIT ?",
                                SQL_VALUES(sql_number(scan->application_id), sql_number(scan->chat),
                                           last_chat(scan), shards_value(scan), shard_value(scan),
                                           sql_integer((int64_t) scan->limit)),
                                &rows);
    status = chats_deliver(&walk, status, rows);
    if (status == OK && walk.count < scan->limit && !scan->within_application) {
        status = sql_query(store->sql,
                           "SELECT " CHAT_COLUMNS " FROM chats WHERE application_id > ? "
                           "AND application_id % ? = ? ORDER BY application_id, number LIMIT ?",
                           SQL_VALUES(sql_number(scan->application_id), shards_value(scan),
                                      shard_value(scan),
                                      sql_integer((int64_t) (scan->limit - walk.count))),
                           &rows);
        status = chats_deliver(&walk, status, rows);
    }
    if (status == OK)
        *ret_more = walk.count == scan->limit;
    return store_status(status);
}

/* ---- messages ---- */

#define MESSAGE_COLUMNS_READ "application_id, chat_number, number, seq, created, updated, body"

static struct scan_message message_read(sql_rows_t *rows)
{
    struct scan_message message = {
        .application_id = sql_column_number(rows, 0),
        .chat = sql_column_number(rows, 1),
        .number = sql_column_number(rows, 2),
        .seq = sql_column_number(rows, 3),
        .created = sql_column_integer(rows, 4),
        .updated = sql_column_integer(rows, 5),
    };
    message.body = sql_column_bytes(rows, 6, &message.body_length);
    return message;
}

typedef void message_fn(void *context, const struct scan_message *message);

struct messages_walk {
    store_t *store;
    struct scan *scan;
    message_fn *each;
    void *context;
    size_t count;
    uint64_t application_id, chat; /* whose state `lives` tells */
    bool lives;
};

/* What is deleted and waits for its purge is passed over. */
static status_t messages_enter_chat(struct messages_walk *walk, const struct scan_message *message)
{
    if (walk->application_id == message->application_id && walk->chat == message->chat)
        return OK;
    sql_rows_t *rows;
    status_t status = store_query_one(
        walk->store,
        "SELECT 1 FROM chats c, applications a WHERE "
        "c.application_id = ? AND c.number = ? AND c.deleted IS NULL "
        "AND a.id = c.application_id AND a.deleted IS NULL",
        SQL_VALUES(sql_number(message->application_id), sql_number(message->chat)), &rows);
    if (status != OK)
        return status;
    walk->application_id = message->application_id;
    walk->chat = message->chat;
    walk->lives = rows != NULL;
    return sql_end(&rows);
}

static status_t messages_deliver(struct messages_walk *walk, status_t status, sql_rows_t *rows)
{
    if (status != OK)
        return status;
    for (; status == OK && sql_next(rows); walk->count++) {
        struct scan_message message = message_read(rows);
        status = messages_enter_chat(walk, &message);
        if (status != OK)
            break;
        walk->scan->application_id = message.application_id;
        walk->scan->chat = message.chat;
        walk->scan->number = message.number;
        if (walk->lives)
            walk->each(walk->context, &message);
    }
    status_t end = sql_end(&rows);
    return status != OK ? status : end;
}

/* The rest of the chat, of the application, of the store, as far as the limit goes. */
static status_t messages_in_chat(struct messages_walk *walk)
{
    struct scan *scan = walk->scan;
    sql_rows_t *rows = NULL;
    status_t status = sql_query(walk->store->sql,
                                "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE "
                                "application_id = ? AND chat_number = ? AND number > ? AND "
                                "application_id % ? = ? ORDER BY number LIMIT ?",
                                SQL_VALUES(sql_number(scan->application_id), sql_number(scan->chat),
                                           sql_number(scan->number), shards_value(scan),
                                           shard_value(scan), sql_integer((int64_t) scan->limit)),
                                &rows);
    return messages_deliver(walk, status, rows);
}

static status_t messages_in_application(struct messages_walk *walk)
{
    struct scan *scan = walk->scan;
    sql_rows_t *rows = NULL;
    status_t status = sql_query(walk->store->sql,
                                "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE "
                                "application_id = ? AND chat_number > ? AND "
                                "application_id % ? = ? ORDER BY chat_number, number LIMIT ?",
                                SQL_VALUES(sql_number(scan->application_id), sql_number(scan->chat),
                                           shards_value(scan), shard_value(scan),
                                           sql_integer((int64_t) (scan->limit - walk->count))),
                                &rows);
    return messages_deliver(walk, status, rows);
}

static status_t messages_in_store(struct messages_walk *walk)
{
    struct scan *scan = walk->scan;
    sql_rows_t *rows = NULL;
    status_t status = sql_query(walk->store->sql,
                                "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE "
                                "application_id > ? AND application_id % ? = ? "
                                "ORDER BY application_id, chat_number, number LIMIT ?",
                                SQL_VALUES(sql_number(scan->application_id), shards_value(scan),
                                           shard_value(scan),
                                           sql_integer((int64_t) (scan->limit - walk->count))),
                                &rows);
    return messages_deliver(walk, status, rows);
}

status_t store_scan_messages(store_t *store, struct scan *scan, message_fn *each, void *context,
                             bool *ret_more)
{
    scan_enter(scan);
    if (scan->within_chat && scan->chat < scan->within_chat) {
        scan->chat = scan->within_chat;
        scan->number = 0;
    }
    struct messages_walk walk = {.store = store, .scan = scan, .each = each, .context = context};
    status_t status = messages_in_chat(&walk);
    if (status == OK && walk.count < scan->limit && !scan->within_chat)
        status = messages_in_application(&walk);
    if (status == OK && walk.count < scan->limit && !scan->within_application)
        status = messages_in_store(&walk);
    if (status == OK)
        *ret_more = walk.count == scan->limit;
    return store_status(status);
}

/* ---- given messages ---- */

#define MARKS_8 "?, ?, ?, ?, ?, ?, ?, ?"

static status_t messages_by_number(store_t *store, uint64_t application_id, uint64_t chat,
                                   const uint64_t numbers[], size_t count, message_fn *each,
                                   void *context)
{
    struct sql_value values[NUMBERS_MAX + 4];
    values[0] = values[2] = sql_number(application_id);
    values[1] = values[3] = sql_number(chat);
    for (size_t i = 0; i < NUMBERS_MAX; i++) /* one statement fits all: the last is repeated */
        values[4 + i] = sql_number(numbers[i < count ? i : count - 1]);
    sql_rows_t *rows;
    status_t status = sql_query(store->sql,
                                "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE EXISTS ("
                                "SELECT 1 FROM chats c, applications a WHERE c.application_id = ? "
                                "AND c.number = ? AND c.deleted IS NULL AND a.id = "
                                "c.application_id AND a.deleted IS NULL) AND application_id = ? "
                                "AND chat_number = ? AND number IN (" MARKS_8 ", " MARKS_8
                                ", " MARKS_8 ", " MARKS_8 ") ORDER BY number",
                                values, sizeof values / sizeof values[0], &rows);
    if (status != OK)
        return status;
    while (sql_next(rows)) {
        struct scan_message message = message_read(rows);
        each(context, &message);
    }
    return sql_end(&rows);
}

status_t store_messages_by_number(store_t *store, uint64_t application_id, uint64_t chat,
                                  const uint64_t numbers[], size_t count, message_fn *each,
                                  void *context)
{
    status_t status = OK;
    for (size_t done = 0, now; status == OK && done < count; done += now) {
        now = count - done < NUMBERS_MAX ? count - done : NUMBERS_MAX;
        status = messages_by_number(store, application_id, chat, numbers + done, now, each,
                                    context);
    }
    return store_status(status);
}

/* ---- last numbers ---- */

/* The greater of two columns of a query's single row. */
static status_t last_read(store_t *store, const char *text, const struct sql_value values[],
                          size_t count, uint64_t *ret_last)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store, text, values, count, &rows);
    if (status != OK)
        return store_status(status);
    uint64_t stored = sql_column_number(rows, 0), highest = sql_column_number(rows, 1);
    *ret_last = stored > highest ? stored : highest;
    return store_status(sql_end(&rows));
}

status_t store_last_chat(store_t *store, uint64_t application_id, uint64_t *ret_last)
{
    struct sql_value id = sql_number(application_id);
    return last_read(store,
                     "SELECT (SELECT last_chat_number FROM applications WHERE id = ?), "
                     "(SELECT MAX(number) FROM chats WHERE application_id = ?)",
                     SQL_VALUES(id, id), ret_last);
}

status_t store_last_message(store_t *store, uint64_t application_id, uint64_t chat,
                            uint64_t *ret_last)
{
    struct sql_value application = sql_number(application_id), number = sql_number(chat);
    return last_read(store,
                     "SELECT (SELECT last_message_number FROM chats WHERE application_id = ? "
                     "AND number = ?), (SELECT MAX(number) FROM messages "
                     "WHERE application_id = ? AND chat_number = ?)",
                     SQL_VALUES(application, number, application, number), ret_last);
}
