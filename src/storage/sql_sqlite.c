/* SPDX-License-Identifier: MIT */
/* sql_sqlite.c - SQLite behind sql.h: statements and transactions.
 *
 * A writing transaction begins IMMEDIATE: one that read first and wants to write
 * later is refused at once when another wrote in between, whatever the busy
 * timeout.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "storage/sql_sqlite.h"

enum { STATEMENTS_CAPACITY = 64 }; /* at first; a power of two */

typedef struct {
    struct sql_rows rows;
    sqlite3_stmt *prepared;
    int result; /* of the last step */
} sql_sqlite_rows_t;

/* ---- errors ---- */

static status_t status_of(int result, int extended)
{
    switch (result) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return OK;
    case SQLITE_CONSTRAINT:
        return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
                       extended == SQLITE_CONSTRAINT_ROWID
                   ? ERR_CONFLICT
                   : ERR_DATA;
    case SQLITE_ERROR: /* the text does not fit the tables; also found out by a later run */
        return ERR_SCHEMA;
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return ERR_DATA;
    default:
        return ERR_UNAVAILABLE;
    }
}

status_t sqlite_check(sql_sqlite_t *self, int result)
{
    int extended = sqlite3_extended_errcode(self->db);
    int primary = result & 0xff;
    status_t status = status_of(primary, extended);
    if (status != OK)
        self->sql.damaged = primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT;
    return status == OK ? OK : sql_fail(&self->sql, status, "%s", sqlite3_errmsg(self->db));
}

/* ---- prepared statements ---- */

static size_t statement_place(const sql_sqlite_t *self, const char *text)
{
    size_t place = (size_t) (((uintptr_t) text * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
    for (place &= self->capacity - 1; self->statements[place].text;
         place = (place + 1) & (self->capacity - 1))
        if (self->statements[place].text == text)
            break;
    return place;
}

void statements_grow(sql_sqlite_t *self)
{
    struct statement *old = self->statements;
    size_t old_capacity = self->capacity;
    self->capacity = old ? 2 * old_capacity : STATEMENTS_CAPACITY;
    self->statements = calloc(self->capacity, sizeof *self->statements);
    assert(self->statements);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].text)
            self->statements[statement_place(self, old[i].text)] = old[i];
    free(old);
}

/* The statement kept for `text`; what is prepared at first is `whole`. */
static status_t statement_get(sql_sqlite_t *self, const char *text, const char *whole,
                              sqlite3_stmt **ret_prepared)
{
    struct statement *statement = &self->statements[statement_place(self, text)];
    if (!statement->text) {
        sqlite3_stmt *prepared = NULL;
        int result = sqlite3_prepare_v3(self->db, whole, -1, SQLITE_PREPARE_PERSISTENT, &prepared,
                                        NULL);
        if (result != SQLITE_OK)
            return sqlite_check(self, result);
        *statement = (struct statement){.text = text, .prepared = prepared};
        *ret_prepared = prepared;
        if (++self->count > self->capacity / 2)
            statements_grow(self);
        return OK;
    }
    /* Another text at an address that was used before would run the old one. */
    assert(strncmp(sqlite3_sql(statement->prepared), text, strlen(text)) == 0);
    assert(!sqlite3_stmt_busy(statement->prepared));
    *ret_prepared = statement->prepared;
    return OK;
}

/* `lifetime`: SQLITE_STATIC if the bytes outlive the run, else SQLITE_TRANSIENT. */
static int bind_one(sqlite3_stmt *prepared, int place, const struct sql_value *value,
                    sqlite3_destructor_type lifetime)
{
    switch (value->type) {
    case SQL_NULL:
        return sqlite3_bind_null(prepared, place);
    case SQL_INTEGER:
        return sqlite3_bind_int64(prepared, place, value->integer);
    case SQL_TEXT: /* a NULL pointer would become an SQL NULL */
        return sqlite3_bind_text64(prepared, place, value->length ? value->bytes : "",
                                   value->length, lifetime, SQLITE_UTF8);
    case SQL_BLOB:
        return sqlite3_bind_blob64(prepared, place, value->length ? value->bytes : "",
                                   value->length, lifetime);
    }
    return SQLITE_MISUSE;
}

static int bind(sqlite3_stmt *prepared, const struct sql_value values[], size_t count,
                sqlite3_destructor_type lifetime)
{
    assert((int) count == sqlite3_bind_parameter_count(prepared));
    int result = SQLITE_OK;
    for (size_t i = 0; result == SQLITE_OK && i < count; i++)
        result = bind_one(prepared, (int) i + 1, &values[i], lifetime);
    return result;
}

/* Binds, runs to the end, and makes the statement ready for its next use. */
static status_t statement_run(sql_sqlite_t *self, sqlite3_stmt *prepared,
                              const struct sql_value values[], size_t count)
{
    int result = bind(prepared, values, count, SQLITE_STATIC);
    while (result == SQLITE_OK || result == SQLITE_ROW)
        result = sqlite3_step(prepared);
    status_t status = sqlite_check(self, result);
    sqlite3_reset(prepared);
    return status;
}

/* ---- running ---- */

status_t sqlite_run(sql_t *sql, const char *text, const struct sql_value values[], size_t count,
                    uint64_t *ret_changed)
{
    sql_sqlite_t *self = (sql_sqlite_t *) sql;
    sqlite3_stmt *prepared = NULL;
    status_t status = statement_get(self, text, text, &prepared);
    if (status == OK)
        status = statement_run(self, prepared, values, count);
    if (status == OK && ret_changed)
        *ret_changed = (uint64_t) sqlite3_changes64(self->db);
    return status;
}

static status_t sqlite_begin(sql_t *sql)
{
    return sqlite_run(sql, "BEGIN IMMEDIATE", SQL_NO_VALUES, NULL);
}

static void sqlite_rollback(sql_t *sql)
{
    /* A full disk, among others, has rolled back already. */
    if (sqlite3_get_autocommit(((sql_sqlite_t *) sql)->db))
        return;
    status_t status = sqlite_run(sql, "ROLLBACK", SQL_NO_VALUES, NULL);
    (void) status; /* nothing is left to do; errmsg has it */
}

static status_t sqlite_begin_read(sql_t *sql)
{
    status_t status = sqlite_run(sql, "BEGIN", SQL_NO_VALUES, NULL);
    if (status != OK)
        return status;
    /* The snapshot is taken by the first read. */
    status = sqlite_run(sql, "SELECT 1 FROM sqlite_schema LIMIT 1", SQL_NO_VALUES, NULL);
    if (status != OK)
        sqlite_rollback(sql);
    return status;
}

static status_t sqlite_commit(sql_t *sql)
{
    return sqlite_run(sql, "COMMIT", SQL_NO_VALUES, NULL);
}

/* A row at a time costs SQLite less than a statement of many rows, which keeps
 * an undo log of its own. */
static status_t insert_rows(sql_sqlite_t *self, sqlite3_stmt *prepared, size_t columns,
                            const struct sql_value values[], size_t rows)
{
    status_t status = OK;
    for (size_t i = 0; status == OK && i < rows; i++)
        status = statement_run(self, prepared, values + i * columns, columns);
    return status;
}

static status_t insert_prepare(sql_sqlite_t *self, const char *text, size_t columns,
                               sqlite3_stmt **ret_prepared)
{
    if (self->statements[statement_place(self, text)].text)
        return statement_get(self, text, text, ret_prepared);
    struct buffer whole = {0};
    buffer_append_text(&whole, text);
    for (size_t i = 0; i < columns; i++)
        buffer_append_text(&whole, i == 0 ? " (?" : ", ?");
    buffer_append_text(&whole, ")");
    status_t status = statement_get(self, text, whole.data, ret_prepared);
    buffer_free(&whole);
    return status;
}

static status_t sqlite_insert(sql_t *sql, const char *text, size_t columns,
                              const struct sql_value values[], size_t rows)
{
    sql_sqlite_t *self = (sql_sqlite_t *) sql;
    sqlite3_stmt *prepared = NULL;
    status_t status = insert_prepare(self, text, columns, &prepared);
    if (status != OK)
        return status;
    if (rows == 1 || !sqlite3_get_autocommit(self->db))
        return insert_rows(self, prepared, columns, values, rows);

    status = sqlite_begin(sql);
    if (status == OK)
        status = insert_rows(self, prepared, columns, values, rows);
    if (status == OK)
        status = sqlite_commit(sql);
    if (status != OK)
        sqlite_rollback(sql);
    return status;
}

/* It is within this process. */
static status_t sqlite_clock(sql_t *sql, int64_t *ret_us)
{
    (void) sql;
    *ret_us = clock_us();
    return OK;
}

static status_t sqlite_script(sql_t *sql, const char *text)
{
    sql_sqlite_t *self = (sql_sqlite_t *) sql;
    return sqlite_check(self, sqlite3_exec(self->db, text, NULL, NULL, NULL));
}

/* ---- results ---- */

static status_t sqlite_query(sql_t *sql, const char *text, const struct sql_value values[],
                             size_t count, sql_rows_t **ret_rows)
{
    sql_sqlite_t *self = (sql_sqlite_t *) sql;
    sqlite3_stmt *prepared = NULL;
    status_t status = statement_get(self, text, text, &prepared);
    if (status == OK)
        status = sqlite_check(self, bind(prepared, values, count, SQLITE_TRANSIENT));
    if (status != OK)
        return status;

    sql_sqlite_rows_t *rows = malloc(sizeof *rows);
    assert(rows);
    *rows = (sql_sqlite_rows_t){.rows.sql = sql, .prepared = prepared, .result = SQLITE_OK};
    *ret_rows = &rows->rows;
    return OK;
}

static bool sqlite_next(sql_rows_t *sql_rows)
{
    sql_sqlite_rows_t *rows = (sql_sqlite_rows_t *) sql_rows;
    if (rows->result != SQLITE_OK && rows->result != SQLITE_ROW)
        return false;
    rows->result = sqlite3_step(rows->prepared);
    return rows->result == SQLITE_ROW;
}

static status_t sqlite_end(sql_rows_t *sql_rows)
{
    sql_sqlite_rows_t *rows = (sql_sqlite_rows_t *) sql_rows;
    status_t status = sqlite_check((sql_sqlite_t *) sql_rows->sql, rows->result);
    sqlite3_reset(rows->prepared);
    sqlite3_clear_bindings(rows->prepared);
    free(rows);
    return status;
}

static int64_t sqlite_column_integer(sql_rows_t *rows, int column)
{
    return sqlite3_column_int64(((sql_sqlite_rows_t *) rows)->prepared, column);
}

static const char *sqlite_column_bytes(sql_rows_t *rows, int column, size_t *ret_length)
{
    sqlite3_stmt *prepared = ((sql_sqlite_rows_t *) rows)->prepared;
    const char *bytes = sqlite3_column_blob(prepared, column);
    *ret_length = (size_t) sqlite3_column_bytes(prepared, column);
    return bytes ? bytes : "";
}

static bool sqlite_column_is_null(sql_rows_t *rows, int column)
{
    return sqlite3_column_type(((sql_sqlite_rows_t *) rows)->prepared, column) == SQLITE_NULL;
}

/* ---- the adapter ---- */

static status_t sqlite_migrate_unlock(sql_t *sql, bool keep)
{
    status_t status = keep ? sqlite_commit(sql) : OK;
    if (!keep || status != OK)
        sqlite_rollback(sql);
    return status;
}

const struct sql_adapter sql_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .put_aside = sqlite_put_aside,
    .begin = sqlite_begin,
    .begin_read = sqlite_begin_read,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .run = sqlite_run,
    .insert = sqlite_insert,
    .query = sqlite_query,
    .next = sqlite_next,
    .end = sqlite_end,
    .column_integer = sqlite_column_integer,
    .column_bytes = sqlite_column_bytes,
    .column_is_null = sqlite_column_is_null,
    .script = sqlite_script,
    .clock = sqlite_clock,
    .backup = sqlite_backup,
    .migrate_lock = sqlite_begin,
    .migrate_unlock = sqlite_migrate_unlock,
};
