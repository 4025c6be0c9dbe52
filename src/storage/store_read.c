/* SPDX-License-Identifier: MIT */
/* store_read.c - one statement a call, each along a primary key or the index of
 * applications_listed, so that a page costs the same in a large store.
 */
#include "storage/store_read.h"

#include <assert.h>

#include "storage/store_internal.h"

/* One page: rows up to a limit, and whether there are more. */
struct page {
    store_each_fn *each;
    void *context;
    size_t left;       /* rows to deliver */
    size_t bytes_left; /* bodies: after this much the page ends */
    bool more;
};

typedef struct item item_fn(sql_rows_t *rows);

static struct item application_item(sql_rows_t *rows)
{
    struct item item = {
        .count = sql_column_number(rows, 2),
        .last = sql_column_number(rows, 3),
        .created = sql_column_integer(rows, 4),
        .updated = sql_column_integer(rows, 5),
    };
    item.token = sql_column_bytes(rows, 0, &item.token_length);
    item.text = sql_column_bytes(rows, 1, &item.text_length);
    return item;
}

static struct item chat_item(sql_rows_t *rows)
{
    struct item item = {
        .number = sql_column_number(rows, 0),
        .count = sql_column_number(rows, 2),
        .last = sql_column_number(rows, 3),
        .created = sql_column_integer(rows, 4),
        .updated = sql_column_integer(rows, 5),
    };
    item.text = sql_column_bytes(rows, 1, &item.text_length);
    return item;
}

static struct item message_item(sql_rows_t *rows)
{
    struct item item = {
        .number = sql_column_number(rows, 0),
        .created = sql_column_integer(rows, 2),
        .updated = sql_column_integer(rows, 3),
    };
    item.text = sql_column_bytes(rows, 1, &item.text_length);
    return item;
}

/* Delivers the rows of a query that has one more than the page holds. */
static status_t page_deliver(struct page *page, status_t status, sql_rows_t *rows, item_fn *read)
{
    if (status != OK)
        return store_status(status);
    page->more = false;
    while (sql_next(rows)) {
        if (page->left == 0) {
            page->more = true;
            break;
        }
        struct item item = read(rows);
        page->each(page->context, &item);
        page->left--;
        if (item.text_length >= page->bytes_left) {
            page->left = 0;
        } else {
            page->bytes_left -= item.text_length;
        }
    }
    return store_status(sql_end(&rows));
}

/* A page of one row that should be there. */
static status_t single_deliver(store_each_fn *each, void *context, status_t status,
                               sql_rows_t *rows, item_fn *read, status_t missing)
{
    struct page page = {.each = each, .context = context, .left = 1, .bytes_left = SIZE_MAX};
    status = page_deliver(&page, status, rows, read);
    return status == OK && page.left > 0 ? missing : status;
}

/* ---- applications ---- */

#define APPLICATION_COLUMNS "token, name, chats_count, last_chat_number, created, updated"

status_t store_find_application(store_t *store, const char *token, size_t token_length,
                                uint64_t *ret_application_id)
{
    sql_rows_t *rows;
    status_t status = store_query_one(store,
                                      "SELECT id FROM applications WHERE token = ? AND visible = 1",
                                      SQL_VALUES(sql_text(token, token_length)), &rows);
    if (status != OK)
        return store_status(status);
    if (!rows)
        return ERR_APPLICATION_NOT_FOUND;
    *ret_application_id = sql_column_number(rows, 0);
    return store_status(sql_end(&rows));
}

status_t store_application(store_t *store, uint64_t application_id, store_each_fn *each,
                           void *context)
{
    sql_rows_t *rows = NULL;
    status_t status = sql_query(store->sql,
                                "SELECT " APPLICATION_COLUMNS " FROM applications "
                                "WHERE id = ? AND visible = 1",
                                SQL_VALUES(sql_number(application_id)), &rows);
    return single_deliver(each, context, status, rows, application_item, ERR_APPLICATION_NOT_FOUND);
}

static status_t cursor_read(store_t *store, const char *token, size_t token_length,
                            int64_t *ret_created)
{
    sql_rows_t *rows;
    status_t status = store_query_one(
        store, "SELECT created FROM applications WHERE token = ? AND importing = 0",
        SQL_VALUES(sql_text(token, token_length)), &rows);
    if (status != OK)
        return store_status(status);
    if (!rows)
        return ERR_CURSOR_NOT_FOUND;
    *ret_created = sql_column_integer(rows, 0);
    return store_status(sql_end(&rows));
}

/* The page's ids first, which the index has: asked for whole rows, MySQL reads all of
 * the table and sorts it. */
status_t store_applications(store_t *store, const char *after, size_t after_length, int64_t until,
                            size_t limit, store_each_fn *each, void *context, bool *ret_more)
{
    int64_t created = INT64_MIN;
    if (after_length > 0) {
        status_t status = cursor_read(store, after, after_length, &created);
        if (status != OK)
            return status;
    }
    struct page page = {.each = each, .context = context, .left = limit, .bytes_left = SIZE_MAX};
    sql_rows_t *rows = NULL;
    status_t status = sql_query(
        store->sql,
        "SELECT " APPLICATION_COLUMNS " FROM (SELECT id AS page_id FROM applications WHERE "
        "visible = 1 AND created >= ? AND created <= ? AND (created > ? OR token > ?) "
        "ORDER BY created, token LIMIT ?) page JOIN applications ON id = page_id "
        "ORDER BY created, token",
        SQL_VALUES(sql_integer(created), sql_integer(until), sql_integer(created),
                   sql_text(after, after_length), sql_integer((int64_t) limit + 1)),
        &rows);
    status = page_deliver(&page, status, rows, application_item);
    if (status == OK)
        *ret_more = page.more;
    return status;
}

/* ---- chats ---- */

#define CHAT_COLUMNS "number, name, messages_count, last_message_number, created, updated"
#define APPLICATION_LIVES \
    " AND EXISTS (SELECT 1 FROM applications a WHERE a.id = ? AND a.visible = 1)"

static int64_t range_before(const struct range *range)
{
    return range->before == 0 || range->before > INT64_MAX ? INT64_MAX : (int64_t) range->before;
}

static int64_t range_after(const struct range *range)
{
    return range->after > INT64_MAX ? INT64_MAX : (int64_t) range->after;
}

status_t store_chats(store_t *store, uint64_t application_id, const struct range *range,
                     store_each_fn *each, void *context, bool *ret_more)
{
    static const char *const ascending =
        "SELECT " CHAT_COLUMNS " FROM chats WHERE application_id = ? AND number > ? AND number < ? "
        "AND deleted IS NULL" APPLICATION_LIVES " ORDER BY number LIMIT ?";
    static const char *const descending =
        "SELECT " CHAT_COLUMNS " FROM chats WHERE application_id = ? AND number > ? AND number < ? "
        "AND deleted IS NULL" APPLICATION_LIVES " ORDER BY number DESC LIMIT ?";
    struct page page = {
        .each = each, .context = context, .left = range->limit, .bytes_left = SIZE_MAX};
    sql_rows_t *rows = NULL;
    status_t status = sql_query(
        store->sql, range->descending ? descending : ascending,
        SQL_VALUES(sql_number(application_id), sql_integer(range_after(range)),
                   sql_integer(range_before(range)), sql_number(application_id),
                   sql_integer((int64_t) range->limit + 1)),
        &rows);
    status = page_deliver(&page, status, rows, chat_item);
    if (status == OK)
        *ret_more = page.more;
    return status;
}

status_t store_chat(store_t *store, uint64_t application_id, uint64_t chat, store_each_fn *each,
                    void *context)
{
    sql_rows_t *rows = NULL;
    status_t status = sql_query(
        store->sql,
        "SELECT " CHAT_COLUMNS " FROM chats WHERE application_id = ? "
        "AND number = ? AND deleted IS NULL" APPLICATION_LIVES,
        SQL_VALUES(sql_number(application_id), sql_number(chat), sql_number(application_id)),
        &rows);
    return single_deliver(each, context, status, rows, chat_item, ERR_CHAT_NOT_FOUND);
}

/* ---- messages ---- */

#define MESSAGE_COLUMNS_READ "number, body, created, updated"
#define CHAT_LIVES                                                                   \
    " AND EXISTS (SELECT 1 FROM chats c, applications a WHERE c.application_id = ? " \
    "AND c.number = ? AND c.deleted IS NULL AND a.id = c.application_id AND a.visible = 1)"

status_t store_messages(store_t *store, uint64_t application_id, uint64_t chat,
                        const struct range *range, size_t bytes_max, store_each_fn *each,
                        void *context, bool *ret_more)
{
    static const char *const ascending =
        "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE application_id = ? "
        "AND chat_number = ? AND number > ? AND number < ?" CHAT_LIVES " ORDER BY number LIMIT ?";
    static const char *const descending =
        "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE application_id = ? "
        "AND chat_number = ? AND number > ? AND number < ?" CHAT_LIVES
        " ORDER BY number DESC LIMIT ?";
    struct page page = {
        .each = each, .context = context, .left = range->limit, .bytes_left = bytes_max};
    sql_rows_t *rows = NULL;
    status_t status = sql_query(
        store->sql, range->descending ? descending : ascending,
        SQL_VALUES(sql_number(application_id), sql_number(chat), sql_integer(range_after(range)),
                   sql_integer(range_before(range)), sql_number(application_id), sql_number(chat),
                   sql_integer((int64_t) range->limit + 1)),
        &rows);
    status = page_deliver(&page, status, rows, message_item);
    if (status == OK)
        *ret_more = page.more;
    return status;
}

status_t store_message(store_t *store, uint64_t application_id, uint64_t chat, uint64_t number,
                       store_each_fn *each, void *context)
{
    sql_rows_t *rows = NULL;
    status_t status = sql_query(store->sql,
                                "SELECT " MESSAGE_COLUMNS_READ " FROM messages WHERE "
                                "application_id = ? AND chat_number = ? AND number = ?" CHAT_LIVES,
                                SQL_VALUES(sql_number(application_id), sql_number(chat),
                                           sql_number(number), sql_number(application_id),
                                           sql_number(chat)),
                                &rows);
    return single_deliver(each, context, status, rows, message_item, ERR_MESSAGE_NOT_FOUND);
}
