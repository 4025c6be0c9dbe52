/* SPDX-License-Identifier: MIT */
#include "storage/sql.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/text.h"
#include "storage/migrations.h"
#include "storage/sql_adapter.h"

enum {
    ADAPTERS_MAX = 4,
    MIGRATION_NAME_SIZE = 191,
    HASH_BYTES = 32,
    HASH_HEX_SIZE = 2 * HASH_BYTES + 1,
};

static const struct sql_adapter *adapters[ADAPTERS_MAX] = {&sql_sqlite, &sql_mysql};

/* A failed sql_open() leaves no handle that could keep the words. */
static _Thread_local char open_errmsg[SQL_ERRMSG_SIZE];
static _Thread_local bool open_damaged;

/* ---- opening ---- */

void sql_adapter_register(const struct sql_adapter *adapter)
{
    size_t i = 0;
    while (adapters[i] && adapters[i] != adapter)
        i++;
    assert(i < ADAPTERS_MAX - 1);
    adapters[i] = adapter;
}

static const struct sql_adapter *adapter_find(const char *url)
{
    size_t i = 0;
    while (adapters[i] && !text_has_scheme(url, adapters[i]->scheme))
        i++;
    return adapters[i];
}

status_t sql_open(const char *url, enum sql_mode mode, sql_t **ret_sql)
{
    assert(url && ret_sql);
    const struct sql_adapter *adapter = adapter_find(url);
    open_damaged = false;
    if (!adapter) {
        /* Not the URL itself: there may be a password in it. */
        snprintf(open_errmsg, sizeof open_errmsg, "no database is known by the scheme of this URL");
        return ERR_CONFIG;
    }

    sql_t *sql = NULL;
    status_t status = adapter->open(strchr(url, ':') + 1, mode, &sql);
    if (status != OK) {
        snprintf(open_errmsg, sizeof open_errmsg, "%s",
                 sql && sql->errmsg[0] ? sql->errmsg : status_text(status));
        open_damaged = sql && sql->damaged;
        sql_close(&sql);
        return status;
    }
    assert(sql && sql->adapter && sql->dialect);
    *ret_sql = sql;
    return OK;
}

void sql_close(sql_t **sql_p)
{
    sql_t *sql = *sql_p;
    if (!sql)
        return;
    sql->adapter->close(sql);
    *sql_p = NULL;
}

const char *sql_errmsg(const sql_t *sql)
{
    return sql ? sql->errmsg : open_errmsg;
}

bool sql_damaged(const sql_t *sql)
{
    return sql ? sql->damaged : open_damaged;
}

status_t sql_put_aside(const char *url)
{
    const struct sql_adapter *adapter = adapter_find(url);
    assert(adapter); /* the URL was opened before */
    status_t status = adapter->put_aside(strchr(url, ':') + 1);
    if (status != OK)
        snprintf(open_errmsg, sizeof open_errmsg, "it cannot be put aside: %s", strerror(errno));
    return status;
}

status_t sql_fail(sql_t *sql, status_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql->errmsg, sizeof sql->errmsg, format, arguments);
    va_end(arguments);
    return status;
}

/* ---- what every adapter does in its own way ---- */

status_t sql_begin(sql_t *sql)
{
    return sql->adapter->begin(sql);
}

status_t sql_begin_read(sql_t *sql)
{
    return sql->adapter->begin_read(sql);
}

status_t sql_commit(sql_t *sql)
{
    return sql->adapter->commit(sql);
}

void sql_rollback(sql_t *sql)
{
    sql->adapter->rollback(sql);
}

status_t sql_run(sql_t *sql, const char *text, const struct sql_value values[], size_t count,
                 uint64_t *ret_changed)
{
    assert(text && (values || count == 0));
    return sql->adapter->run(sql, text, values, count, ret_changed);
}

status_t sql_insert(sql_t *sql, const char *text, size_t columns, const struct sql_value values[],
                    size_t rows)
{
    assert(text && columns > 0);
    return rows == 0 ? OK : sql->adapter->insert(sql, text, columns, values, rows);
}

status_t sql_query(sql_t *sql, const char *text, const struct sql_value values[], size_t count,
                   sql_rows_t **ret_rows)
{
    assert(text && (values || count == 0) && ret_rows);
    return sql->adapter->query(sql, text, values, count, ret_rows);
}

bool sql_next(sql_rows_t *rows)
{
    return rows->sql->adapter->next(rows);
}

status_t sql_end(sql_rows_t **rows_p)
{
    sql_rows_t *rows = *rows_p;
    *rows_p = NULL;
    return rows ? rows->sql->adapter->end(rows) : OK;
}

int64_t sql_column_integer(sql_rows_t *rows, int column)
{
    return rows->sql->adapter->column_integer(rows, column);
}

const char *sql_column_bytes(sql_rows_t *rows, int column, size_t *ret_length)
{
    return rows->sql->adapter->column_bytes(rows, column, ret_length);
}

bool sql_column_is_null(sql_rows_t *rows, int column)
{
    return rows->sql->adapter->column_is_null(rows, column);
}

status_t sql_clock(sql_t *sql, int64_t *ret_us)
{
    return sql->adapter->clock(sql, ret_us);
}

status_t sql_script(sql_t *sql, const char *text)
{
    return sql->adapter->script(sql, text);
}

status_t sql_backup(sql_t *sql, const char *path)
{
    return sql->adapter->backup(sql, path);
}

/* ---- migrations ---- */

/* True if the migration is of this dialect and set: "sqlite/store_0001_tables.sql". */
static bool migration_belongs(const char *name, const char *dialect, const char *set)
{
    size_t dialect_length = strlen(dialect), set_length = strlen(set);
    return strncmp(name, dialect, dialect_length) == 0 && name[dialect_length] == '/' &&
           strncmp(name + dialect_length + 1, set, set_length) == 0 &&
           name[dialect_length + 1 + set_length] == '_';
}

static const struct migration *migration_next(const struct migration *migration, const sql_t *sql,
                                              const char *set)
{
    while (migration->name && !migration_belongs(migration->name, sql->dialect, set))
        migration++;
    return migration;
}

static void migration_hash(const struct migration *migration, char ret_hex[HASH_HEX_SIZE])
{
    unsigned char hash[HASH_BYTES];
    crypto_generichash(hash, sizeof hash, (const unsigned char *) migration->text,
                       strlen(migration->text), NULL, 0);
    sodium_bin2hex(ret_hex, HASH_HEX_SIZE, hash, sizeof hash);
}

static bool column_equals(sql_rows_t *rows, int column, const char *text)
{
    size_t length;
    const char *bytes = sql_column_bytes(rows, column, &length);
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

/* Goes along what was applied and what is compiled in, both by name. OK: what
 * was applied is a beginning of what is compiled in; *ret_next is the first one
 * that is missing (its name is NULL: none). */
static status_t migrations_compare(sql_t *sql, const char *set, const struct migration **ret_next)
{
    sql_rows_t *rows;
    status_t status = sql_query(sql, "SELECT name, hash FROM schema_migrations ORDER BY name",
                                SQL_NO_VALUES, &rows);
    if (status != OK)
        return status;

    const struct migration *migration = migration_next(migrations, sql, set);
    while (status == OK && sql_next(rows)) {
        char name[MIGRATION_NAME_SIZE];
        size_t length;
        const char *bytes = sql_column_bytes(rows, 0, &length);
        snprintf(name, sizeof name, "%.*s", (int) length, bytes);
        if (!migration_belongs(name, sql->dialect, set))
            continue;
        char hash[HASH_HEX_SIZE];
        if (!migration->name || !column_equals(rows, 0, migration->name)) {
            status = sql_fail(sql, ERR_SCHEMA, "the database has a migration %s", name);
            break;
        }
        migration_hash(migration, hash);
        if (!column_equals(rows, 1, hash)) {
            status = sql_fail(sql, ERR_SCHEMA, "%s is not what was applied", migration->name);
            break;
        }
        migration = migration_next(migration + 1, sql, set);
    }

    status_t end = sql_end(&rows);
    if (status == OK && end == OK)
        *ret_next = migration;
    return status != OK ? status : end;
}

static status_t migration_apply(sql_t *sql, const struct migration *migration)
{
    char hash[HASH_HEX_SIZE];
    migration_hash(migration, hash);
    status_t status = sql_script(sql, migration->text);
    if (status != OK) {
        char words[SQL_ERRMSG_SIZE];
        snprintf(words, sizeof words, "%s", sql->errmsg);
        return sql_fail(sql, status, "%s failed: %s", migration->name, words);
    }
    return sql_run(sql, "INSERT INTO schema_migrations (name, hash, applied) VALUES (?, ?, ?)",
                   SQL_VALUES(sql_text(migration->name, strlen(migration->name)),
                              sql_text(hash, strlen(hash)), sql_integer((int64_t) time(NULL))),
                   NULL);
}

/* Under the lock. */
static status_t migrations_apply(sql_t *sql, const char *set)
{
    status_t status = sql_script(sql, "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                      "name VARCHAR(190) NOT NULL PRIMARY KEY, "
                                      "hash VARCHAR(64) NOT NULL, applied BIGINT NOT NULL)");
    const struct migration *next = NULL;
    if (status == OK)
        status = migrations_compare(sql, set, &next);
    while (status == OK && next->name) {
        status = migration_apply(sql, next);
        if (status == OK)
            next = migration_next(next + 1, sql, set);
    }
    return status;
}

status_t sql_migrate(sql_t *sql, const char *set, bool apply)
{
    const struct migration *next = NULL;
    status_t status = migrations_compare(sql, set, &next);
    if (status == OK && !next->name)
        return OK;
    if (!apply && status == OK)
        return sql_fail(sql, ERR_SCHEMA, "%s is missing", next->name);
    if (!apply || (status != OK && status != ERR_SCHEMA))
        return status;

    status = sql->adapter->migrate_lock(sql);
    if (status != OK)
        return status;
    status = migrations_apply(sql, set);
    status_t unlock = sql->adapter->migrate_unlock(sql, status == OK);
    return status != OK ? status : unlock;
}
