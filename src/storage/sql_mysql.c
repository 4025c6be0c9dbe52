/* SPDX-License-Identifier: MIT */
/* sql_mysql.c - MySQL and MariaDB behind sql.h: statements, transactions, results.
 *
 * Values are written into the statements, since a statement of many rows is what
 * makes them fast: value_append() is the one wall against injection. Several
 * statements in one text are refused by the server except in sql_script(). Results
 * are read at once, so that other statements may run meanwhile.
 */
#include <assert.h>
#include <errno.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "storage/sql_mysql.h"

enum {
    PACKET_BYTES = 1 << 20, /* of a statement with many rows */
    AGAIN_US = 500 * 1000,  /* what failed later than this is not tried again */
    MIGRATE_LOCK_WAIT_S = 60,
};

typedef struct {
    struct sql_rows rows;
    MYSQL_RES *result;
    MYSQL_ROW row;
    unsigned long *lengths;
} sql_mysql_rows_t;

/* ---- statements ---- */

static void integer_append(struct buffer *buffer, int64_t integer)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = integer < 0 ? -(uint64_t) integer : (uint64_t) integer;
    do {
        digits[--at] = (char) ('0' + left % 10);
    } while (left /= 10);
    if (integer < 0)
        buffer_append(buffer, "-", 1);
    buffer_append(buffer, digits + at, sizeof digits - at);
}

/* The connection is there: what has to be escaped depends on it. */
static void value_append(sql_mysql_t *self, const struct sql_value *value)
{
    struct buffer *buffer = &self->statement;
    switch (value->type) {
    case SQL_NULL:
        buffer_append_text(buffer, "NULL");
        return;
    case SQL_INTEGER:
        integer_append(buffer, value->integer);
        return;
    case SQL_TEXT:
        buffer_append_text(buffer, "'");
        break;
    case SQL_BLOB:
        buffer_append_text(buffer, "_binary'");
        break;
    }
    char *to = buffer_reserve(buffer, 2 * value->length + 1);
    if (value->length)
        buffer->length += mysql_real_escape_string(self->db, to, value->bytes, value->length);
    buffer_append_text(buffer, "'");
}

/* The text with its values in the places of the marks; none is within quotes. */
static void statement_build(sql_mysql_t *self, const char *text, const struct sql_value values[],
                            size_t count)
{
    size_t used = 0;
    buffer_clear(&self->statement);
    for (const char *mark; (mark = strchr(text, '?')); text = mark + 1) {
        assert(used < count);
        buffer_append(&self->statement, text, (size_t) (mark - text));
        value_append(self, &values[used++]);
    }
    assert(used == count);
    buffer_append_text(&self->statement, text);
}

/* Sends what was built and reads the answer. */
static status_t statement_send(sql_mysql_t *self, MYSQL_RES **ret_result)
{
    MYSQL_RES *result = NULL;
    bool failed = mysql_real_query(self->db, self->statement.data, self->statement.length) != 0;
    if (!failed) {
        result = mysql_store_result(self->db);
        failed = !result && mysql_errno(self->db) != 0;
    }
    if (!self->pinned)
        buffer_shrink(&self->statement);
    if (failed)
        return mysql_failed(self);
    if (ret_result) {
        *ret_result = result;
    } else {
        mysql_free_result(result);
    }
    return OK;
}

static status_t statement_once(sql_mysql_t *self, const char *text, const struct sql_value values[],
                               size_t count, MYSQL_RES **ret_result)
{
    status_t status = mysql_ensure(self);
    if (status != OK)
        return status;
    statement_build(self, text, values, count);
    return statement_send(self, ret_result);
}

/* A statement that may run twice. A server that was restarted, or that closes what
 * nobody uses, is noticed by the next statement only: then once more. */
static status_t statement_again(sql_mysql_t *self, const char *text,
                                const struct sql_value values[], size_t count,
                                MYSQL_RES **ret_result)
{
    bool old = self->db && !self->pinned;
    int64_t start = clock_monotonic_us();
    status_t status = statement_once(self, text, values, count, ret_result);
    if (status == ERR_UNAVAILABLE && old && !self->db && clock_monotonic_us() - start < AGAIN_US)
        status = statement_once(self, text, values, count, ret_result);
    return status;
}

static status_t mysql_run(sql_t *sql, const char *text, const struct sql_value values[],
                          size_t count, uint64_t *ret_changed)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    status_t status = statement_once(self, text, values, count, NULL);
    if (status == OK && ret_changed)
        *ret_changed = mysql_affected_rows(self->db);
    return status;
}

/* ---- transactions ---- */

static status_t mysql_begin(sql_t *sql)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    assert(!self->pinned);
    status_t status = statement_again(self, "START TRANSACTION", SQL_NO_VALUES, NULL);
    self->pinned = status == OK;
    return status;
}

static void mysql_adapter_rollback(sql_t *sql)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    if (!self->pinned)
        return;
    if (self->db && mysql_query(self->db, "ROLLBACK") != 0)
        mysql_lose(self);
    mysql_pin_end(self);
}

static status_t mysql_begin_read(sql_t *sql)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    mysql_be_patient(self);
    status_t status = statement_once(self, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                                     SQL_NO_VALUES, NULL);
    if (status == OK)
        status = statement_once(self, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                                SQL_NO_VALUES, NULL);
    self->pinned = status == OK;
    if (status != OK)
        mysql_pin_end(self);
    return status;
}

/* After a COMMIT that failed nothing is known of the connection. */
static status_t mysql_adapter_commit(sql_t *sql)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    status_t status = statement_once(self, "COMMIT", SQL_NO_VALUES, NULL);
    if (status == OK) {
        mysql_pin_end(self);
    } else {
        mysql_lose(self);
    }
    return status;
}

/* ---- rows ---- */

/* As many rows as one packet should have, at least one; returns how many. */
static size_t rows_build(sql_mysql_t *self, const char *text, size_t columns,
                         const struct sql_value values[], size_t rows)
{
    size_t row = 0;
    buffer_clear(&self->statement);
    buffer_append_text(&self->statement, text);
    for (; row < rows && (row == 0 || self->statement.length < PACKET_BYTES); row++) {
        for (size_t i = 0; i < columns; i++) {
            buffer_append_text(&self->statement, i ? "," : row ? ",(" : " (");
            value_append(self, values++);
        }
        buffer_append_text(&self->statement, ")");
    }
    return row;
}

/* `all` false: only if one packet is enough, else *ret_done is 0. */
static status_t rows_insert(sql_mysql_t *self, const char *text, size_t columns,
                            const struct sql_value values[], size_t rows, bool all,
                            size_t *ret_done)
{
    size_t done = 0;
    status_t status = mysql_ensure(self);
    while (status == OK && done < rows) {
        size_t built = rows_build(self, text, columns, values + done * columns, rows - done);
        if (!all && built < rows)
            break;
        status = statement_send(self, NULL);
        done += built;
    }
    *ret_done = done;
    return status;
}

static status_t mysql_insert(sql_t *sql, const char *text, size_t columns,
                             const struct sql_value values[], size_t rows)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    size_t done;
    status_t status = rows_insert(self, text, columns, values, rows, self->pinned, &done);
    if (status != OK || done == rows)
        return status;
    status = mysql_begin(sql);
    if (status == OK)
        status = rows_insert(self, text, columns, values, rows, true, &done);
    if (status == OK)
        status = mysql_adapter_commit(sql);
    if (status != OK)
        mysql_adapter_rollback(sql);
    return status;
}

/* ---- results ---- */

static status_t mysql_adapter_query(sql_t *sql, const char *text, const struct sql_value values[],
                                    size_t count, sql_rows_t **ret_rows)
{
    MYSQL_RES *result = NULL;
    status_t status = statement_again((sql_mysql_t *) sql, text, values, count, &result);
    if (status != OK)
        return status;
    sql_mysql_rows_t *rows = calloc(1, sizeof *rows);
    assert(rows);
    rows->rows.sql = sql;
    rows->result = result;
    *ret_rows = &rows->rows;
    return OK;
}

static bool mysql_next(sql_rows_t *sql_rows)
{
    sql_mysql_rows_t *rows = (sql_mysql_rows_t *) sql_rows;
    rows->row = rows->result ? mysql_fetch_row(rows->result) : NULL;
    rows->lengths = rows->row ? mysql_fetch_lengths(rows->result) : NULL;
    return rows->row != NULL;
}

/* All of it was read by sql_query(). */
static status_t mysql_end(sql_rows_t *sql_rows)
{
    sql_mysql_rows_t *rows = (sql_mysql_rows_t *) sql_rows;
    mysql_free_result(rows->result);
    free(rows);
    return OK;
}

static int64_t mysql_column_integer(sql_rows_t *rows, int column)
{
    const char *text = ((sql_mysql_rows_t *) rows)->row[column];
    return text ? strtoll(text, NULL, 10) : 0;
}

static const char *mysql_column_bytes(sql_rows_t *sql_rows, int column, size_t *ret_length)
{
    sql_mysql_rows_t *rows = (sql_mysql_rows_t *) sql_rows;
    const char *bytes = rows->row[column];
    *ret_length = bytes ? rows->lengths[column] : 0;
    return bytes ? bytes : "";
}

static bool mysql_column_is_null(sql_rows_t *rows, int column)
{
    return !((sql_mysql_rows_t *) rows)->row[column];
}

static status_t integer_query(sql_t *sql, const char *text, const struct sql_value values[],
                              size_t count, int64_t *ret_integer)
{
    sql_rows_t *rows;
    status_t status = mysql_adapter_query(sql, text, values, count, &rows);
    if (status != OK)
        return status;
    *ret_integer = mysql_next(rows) ? mysql_column_integer(rows, 0) : 0;
    return mysql_end(rows);
}

static status_t mysql_clock(sql_t *sql, int64_t *ret_us)
{
    return integer_query(sql, "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
                         SQL_NO_VALUES, ret_us);
}

/* ---- scripts and migrations ---- */

static status_t mysql_script(sql_t *sql, const char *text)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    status_t status = mysql_ensure(self);
    if (status != OK)
        return status;
    if (mysql_set_server_option(self->db, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0)
        return mysql_failed(self);
    int left = mysql_query(self->db, text) == 0 ? 0 : 1; /* more: 0, none: -1, failed: 1 */
    while (left == 0) {
        mysql_free_result(mysql_store_result(self->db));
        left = mysql_next_result(self->db);
    }
    if (left > 0)
        status = mysql_failed(self);
    if (self->db && mysql_set_server_option(self->db, MYSQL_OPTION_MULTI_STATEMENTS_OFF) != 0)
        mysql_lose(self);
    return status;
}

/* The lock is the connection's: it goes with it. */
static status_t mysql_migrate_lock(sql_t *sql)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    int64_t locked = 0;
    mysql_be_patient(self);
    status_t status = integer_query(
        sql, "SELECT GET_LOCK(CONCAT('confab_', LEFT(MD5(DATABASE()), 32)), ?)",
        SQL_VALUES(sql_integer(MIGRATE_LOCK_WAIT_S)), &locked);
    if (status == OK && locked != 1)
        status = sql_fail(sql, ERR_UNAVAILABLE, "another process is migrating this database");
    self->pinned = status == OK;
    if (status != OK)
        mysql_pin_end(self);
    return status;
}

/* Nothing is taken back: each CREATE has committed. Closes the connection. */
static status_t mysql_migrate_unlock(sql_t *sql, bool keep)
{
    sql_mysql_t *self = (sql_mysql_t *) sql;
    bool lost = self->broken;
    mysql_pin_end(self);
    return keep && lost ? ERR_UNAVAILABLE : OK;
}

/* ---- what is SQLite's only ---- */

static status_t mysql_put_aside(const char *where)
{
    (void) where;
    errno = ENOTSUP;
    return ERR_UNAVAILABLE;
}

static status_t mysql_backup(sql_t *sql, const char *path)
{
    (void) path;
    return sql_fail(sql, ERR_CONFIG,
                    "a store in MySQL is copied by the database's own tools (mysqldump)");
}

/* ---- the adapter ---- */

const struct sql_adapter sql_mysql = {
    .scheme = "mysql",
    .open = mysql_open,
    .close = mysql_shut,
    .put_aside = mysql_put_aside,
    .begin = mysql_begin,
    .begin_read = mysql_begin_read,
    .commit = mysql_adapter_commit,
    .rollback = mysql_adapter_rollback,
    .run = mysql_run,
    .insert = mysql_insert,
    .query = mysql_adapter_query,
    .next = mysql_next,
    .end = mysql_end,
    .column_integer = mysql_column_integer,
    .column_bytes = mysql_column_bytes,
    .column_is_null = mysql_column_is_null,
    .script = mysql_script,
    .clock = mysql_clock,
    .backup = mysql_backup,
    .migrate_lock = mysql_migrate_lock,
    .migrate_unlock = mysql_migrate_unlock,
};
