/* SPDX-License-Identifier: MIT */
/* search_sqlite_apply.c - documents into the index.
 *
 * FTS5 gathers a transaction's trigrams in memory and writes them out at the
 * end, as one segment, provided that the ids ascend: at each step back it writes
 * what it has. So a batch is sorted by id first. The larger the batch, the
 * cheaper a document: a trigram that occurs in many is written once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "storage/search_sqlite.h"

/* A document of the batch at hand. */
struct place {
    const struct document *document;
    int64_t id; /* 0: not there, and nothing to do */
    bool fresh; /* above all ids of its chat: not there yet */
};

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int places_by_chat(const void *a_p, const void *b_p)
{
    const struct document *a = ((const struct place *) a_p)->document;
    const struct document *b = ((const struct place *) b_p)->document;
    int order = compare(a->application_id, b->application_id);
    return order ? order : compare(a->chat, b->chat);
}

/* Of the same id the oldest version first, and of equal ones the first given. */
static int places_by_id(const void *a_p, const void *b_p)
{
    const struct place *a = a_p, *b = b_p;
    int order = compare((uint64_t) a->id, (uint64_t) b->id);
    if (order == 0)
        order = compare(a->document->seq, b->document->seq);
    return order ? order : compare((uintptr_t) a->document, (uintptr_t) b->document);
}

static status_t chat_add(search_sqlite_t *self, const struct document *document,
                         int64_t *ret_chat_id)
{
    status_t status = sql_run(self->sql, "INSERT INTO chats (application_id, number) VALUES (?, ?)",
                              SQL_VALUES(sql_integer((int64_t) document->application_id),
                                         sql_integer((int64_t) document->chat)),
                              NULL);
    if (status != OK)
        return status;
    return search_sqlite_chat(self, document->application_id, document->chat, ret_chat_id);
}

/* The highest id of a chat's documents, 0 if there is none. */
static status_t chat_highest(search_sqlite_t *self, int64_t chat_id, int64_t *ret_id)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->sql, "SELECT max(id) FROM documents WHERE id BETWEEN ? AND ?",
                                SQL_VALUES(sql_integer(document_id(chat_id, 0)),
                                           sql_integer(document_id(chat_id, NUMBER_MAX))),
                                &rows);
    if (status != OK)
        return status;
    int64_t id = sql_next(rows) ? sql_column_integer(rows, 0) : 0;
    status = sql_end(&rows);
    if (status == OK)
        *ret_id = id;
    return status;
}

/* Gives ids to documents of one chat. */
static status_t chat_locate(search_sqlite_t *self, struct place places[], size_t count)
{
    const struct document *first = places[0].document;
    int64_t chat_id, highest = 0;
    status_t status = search_sqlite_chat(self, first->application_id, first->chat, &chat_id);
    bool bodies = false;
    for (size_t i = 0; i < count; i++)
        bodies |= places[i].document->folded != NULL;
    if (status == OK && chat_id > 0)
        status = chat_highest(self, chat_id, &highest);
    else if (status == OK && bodies)
        status = chat_add(self, first, &chat_id);
    if (status != OK || chat_id == 0)
        return status;

    for (size_t i = 0; i < count; i++) {
        places[i].id = document_id(chat_id, places[i].document->number);
        places[i].fresh = places[i].id > highest;
    }
    return OK;
}

static status_t batch_locate(search_sqlite_t *self, struct place places[], size_t count)
{
    status_t status = OK;
    qsort(places, count, sizeof *places, places_by_chat);
    for (size_t i = 0, end; status == OK && i < count; i = end) {
        for (end = i + 1; end < count && places_by_chat(&places[i], &places[end]) == 0;)
            end++;
        status = chat_locate(self, places + i, end - i);
    }
    qsort(places, count, sizeof *places, places_by_id);
    return status;
}

/* The version of a document, its body in self->body. */
static status_t document_read(search_sqlite_t *self, int64_t id, bool *ret_found, uint64_t *ret_seq)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->sql, "SELECT seq, body FROM documents WHERE id = ?",
                                SQL_VALUES(sql_integer(id)), &rows);
    if (status != OK)
        return status;
    bool found = sql_next(rows);
    buffer_clear(&self->body);
    if (found) {
        *ret_seq = (uint64_t) sql_column_integer(rows, 0);
        size_t length;
        const char *body = sql_column_bytes(rows, 1, &length);
        buffer_append(&self->body, body, length);
    }
    *ret_found = found;
    return sql_end(&rows);
}

static status_t document_add(search_sqlite_t *self, int64_t id, const struct document *document)
{
    char scope[SCOPE_LENGTH];
    search_sqlite_scope(id >> 32, scope);
    struct sql_value body = sql_text(document->folded, document->folded_length);
    status_t status = sql_run(
        self->sql, "REPLACE INTO documents (id, seq, body) VALUES (?, ?, ?)",
        SQL_VALUES(sql_integer(id), sql_integer((int64_t) document->seq), body), NULL);
    if (status != OK)
        return status;
    return sql_run(self->sql, "INSERT INTO trigrams (rowid, scope, body) VALUES (?, ?, ?)",
                   SQL_VALUES(sql_integer(id), sql_text(scope, sizeof scope), body), NULL);
}

/* A document that is there already: replaced, removed, or known better. */
static status_t document_replace(search_sqlite_t *self, int64_t id, uint64_t seq,
                                 const struct document *document)
{
    if (document->seq < seq)
        return OK;
    if (document->folded && document->folded_length == self->body.length &&
        memcmp(document->folded, self->body.data, self->body.length) == 0)
        return sql_run(self->sql, "UPDATE documents SET seq = ? WHERE id = ?",
                       SQL_VALUES(sql_integer((int64_t) document->seq), sql_integer(id)), NULL);

    status_t status = search_sqlite_forget(self, id, self->body.data, self->body.length);
    if (status != OK)
        return status;
    if (document->folded)
        return document_add(self, id, document);
    return sql_run(self->sql, "DELETE FROM documents WHERE id = ?", SQL_VALUES(sql_integer(id)),
                   NULL);
}

static status_t document_write(search_sqlite_t *self, const struct place *place)
{
    const struct document *document = place->document;
    bool found = false;
    uint64_t seq = 0;
    status_t status = OK;
    if (!place->fresh)
        status = document_read(self, place->id, &found, &seq);
    if (status == OK && found)
        status = document_replace(self, place->id, seq, document);
    else if (status == OK && document->folded)
        status = document_add(self, place->id, document);
    return status;
}

static status_t batch_write(search_sqlite_t *self, const struct document documents[], size_t count)
{
    struct place *places = calloc(count ? count : 1, sizeof *places);
    assert(places);
    for (size_t i = 0; i < count; i++)
        places[i].document = &documents[i];

    status_t status = batch_locate(self, places, count);
    for (size_t i = 0; status == OK && i < count; i++) {
        bool last = i + 1 == count || places[i + 1].id != places[i].id;
        if (last && places[i].id != 0) /* earlier versions in the batch are out of date */
            status = document_write(self, &places[i]);
    }
    free(places);
    return status;
}

status_t search_sqlite_apply(search_t *search, unsigned shard, const struct document documents[],
                             size_t count, const struct position *position)
{
    search_sqlite_t *self = (search_sqlite_t *) search;
    status_t status = sql_begin(self->sql);
    if (status != OK)
        return status;
    status = batch_write(self, documents, count);
    if (status == OK && position)
        status = search_sqlite_position_set(self, shard, position);
    return search_sqlite_end(self, status);
}
