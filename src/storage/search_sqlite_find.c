/* SPDX-License-Identifier: MIT */
/* search_sqlite_find.c - questions to the index.
 *
 * The trigrams of a query tell which documents of the chat may hold it; each of
 * those is looked at. Queries that have no trigram look at all documents of the
 * chat instead: 100,000 of them are some 25 ms.
 */
#include <assert.h>
#include <string.h>

#include "common/text.h"
#include "storage/search_sqlite.h"

enum {
    TRIGRAM = 3,
    /* Each more takes time to begin with, and few leave much to sort out. */
    TRIGRAMS_MAX = 4,
};

/* The bytes before the nth character, from 0. */
static size_t text_offset(const char *text, size_t length, size_t nth)
{
    size_t at = 0;
    for (; nth > 0 && at < length; nth--)
        for (at++; at < length && ((unsigned char) text[at] & 0xC0) == 0x80;)
            at++;
    return at;
}

/* In quotes nothing has a meaning but the quote, which is doubled. */
static void match_add(struct buffer *match, const char *text, size_t length)
{
    buffer_append_text(match, match->length ? " AND \"" : "\"");
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            buffer_append(match, "\"", 1);
        buffer_append(match, text + i, 1);
    }
    buffer_append(match, "\"", 1);
}

/* The chat's own trigram, and some of the query's, spread over all of it. */
static void match_make(struct buffer *match, int64_t chat_id, const char *folded, size_t length,
                       size_t code_points)
{
    char scope[SCOPE_LENGTH];
    search_sqlite_scope(chat_id, scope);
    buffer_clear(match);
    match_add(match, scope, sizeof scope);

    size_t count = (code_points + TRIGRAM - 1) / TRIGRAM;
    if (count > TRIGRAMS_MAX)
        count = TRIGRAMS_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t nth = count == 1 ? 0 : i * (code_points - TRIGRAM) / (count - 1);
        size_t begin = text_offset(folded, length, nth);
        match_add(match, folded + begin, text_offset(folded + begin, length - begin, TRIGRAM));
    }
}

static status_t candidates_by_trigrams(search_sqlite_t *self, int64_t lowest, int64_t highest,
                                       bool descending, sql_rows_t **ret_rows)
{
    static const char *const texts[] = {
        "SELECT d.id, d.body FROM trigrams t CROSS JOIN documents d ON d.id = t.rowid "
        "WHERE t.trigrams MATCH ? AND t.rowid BETWEEN ? AND ? ORDER BY t.rowid",
        "SELECT d.id, d.body FROM trigrams t CROSS JOIN documents d ON d.id = t.rowid "
        "WHERE t.trigrams MATCH ? AND t.rowid BETWEEN ? AND ? ORDER BY t.rowid DESC",
    };
    return sql_query(self->sql, texts[descending],
                     SQL_VALUES(sql_text(self->match.data, self->match.length), sql_integer(lowest),
                                sql_integer(highest)),
                     ret_rows);
}

static status_t candidates_all(search_sqlite_t *self, int64_t lowest, int64_t highest,
                               bool descending, sql_rows_t **ret_rows)
{
    static const char *const texts[] = {
        "SELECT id, body FROM documents WHERE id BETWEEN ? AND ? ORDER BY id",
        "SELECT id, body FROM documents WHERE id BETWEEN ? AND ? ORDER BY id DESC",
    };
    return sql_query(self->sql, texts[descending],
                     SQL_VALUES(sql_integer(lowest), sql_integer(highest)), ret_rows);
}

status_t search_sqlite_find(search_t *search, uint64_t application_id, uint64_t chat,
                            const char *folded, size_t folded_length, uint64_t lowest,
                            uint64_t highest, bool descending, size_t limit, uint64_t ret_numbers[],
                            size_t *ret_count)
{
    search_sqlite_t *self = (search_sqlite_t *) search;
    int64_t chat_id;
    status_t status = search_sqlite_chat(self, application_id, chat, &chat_id);
    if (status != OK || chat_id == 0)
        return status;

    int64_t first = document_id(chat_id, lowest), last = document_id(chat_id, highest);
    size_t code_points = text_code_points(folded, folded_length);
    sql_rows_t *rows;
    if (code_points < TRIGRAM || memchr(folded, '\0', folded_length)) {
        status = candidates_all(self, first, last, descending, &rows);
    } else {
        match_make(&self->match, chat_id, folded, folded_length, code_points);
        status = candidates_by_trigrams(self, first, last, descending, &rows);
    }
    if (status != OK)
        return status;

    size_t count = 0;
    while (count < limit && sql_next(rows)) {
        size_t length;
        const char *body = sql_column_bytes(rows, 1, &length);
        if (memmem(body, length, folded, folded_length))
            ret_numbers[count++] = (uint64_t) sql_column_integer(rows, 0) & NUMBER_MAX;
    }
    status = sql_end(&rows);
    if (status == OK)
        *ret_count = count;
    return status;
}

/* ---- walking over everything ---- */

static const char *const scan_text =
    "SELECT c.application_id, c.number, d.id & 4294967295, d.seq, d.body "
    "FROM chats c CROSS JOIN documents d ON d.id > (c.id << 32 | CASE "
    "WHEN c.application_id = ? AND c.number = ? THEN ? ELSE 0 END) "
    "AND d.id <= (c.id << 32 | 4294967295) "
    "WHERE (c.application_id, c.number) >= (?, ?) "
    "ORDER BY c.application_id, c.number, d.id LIMIT ?";

static struct indexed document_at(sql_rows_t *rows)
{
    size_t length;
    const char *body = sql_column_bytes(rows, 4, &length);
    return (struct indexed){
        .application_id = (uint64_t) sql_column_integer(rows, 0),
        .chat = (uint64_t) sql_column_integer(rows, 1),
        .number = (uint64_t) sql_column_integer(rows, 2),
        .seq = (uint64_t) sql_column_integer(rows, 3),
        .hash = search_hash(body ? body : "", length),
    };
}

status_t search_sqlite_scan(search_t *search, struct document_cursor *cursor, size_t limit,
                            void (*each)(void *context, const struct indexed *document),
                            void *context, bool *ret_more)
{
    search_sqlite_t *self = (search_sqlite_t *) search;
    struct sql_value application_id = sql_integer((int64_t) cursor->application_id);
    struct sql_value chat = sql_integer((int64_t) cursor->chat);
    sql_rows_t *rows;
    status_t status = sql_query(self->sql, scan_text,
                                SQL_VALUES(application_id, chat,
                                           sql_integer((int64_t) cursor->number), application_id,
                                           chat, sql_integer((int64_t) limit)),
                                &rows);
    if (status != OK)
        return status;

    size_t count = 0;
    while (sql_next(rows)) {
        struct indexed document = document_at(rows);
        each(context, &document);
        *cursor = (struct document_cursor){document.application_id, document.chat, document.number};
        count++;
    }
    status = sql_end(&rows);
    if (status == OK)
        *ret_more = count == limit;
    return status;
}
