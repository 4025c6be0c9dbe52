/* SPDX-License-Identifier: MIT */
/* contract_sql.c - what sql.h promises, kept by every database behind it. */
#include <pthread.h>

#include "common/clock.h"
#include "database_fixture.h"
#include "sql_fixture.h"

struct fixture {
    char *folder;
    const char *name; /* of the database on the server, or NULL */
    const char *url;
    sql_t *sql;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = folder_make();
    f->name = server_url ? database_name() : NULL;
    f->url = server_url ? database_make(f->name) : text_of("sqlite:%s/sql.db", f->folder);
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &f->sql), OK);
    assert_int_equal(sql_script(f->sql, "CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, "
                                        "x INTEGER NOT NULL CHECK (x < 100));"
                                        "CREATE TABLE v (id BIGINT NOT NULL PRIMARY KEY, "
                                        "i BIGINT, t TEXT, b BLOB)"),
                     OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sql_close(&f->sql);
    if (f->name)
        database_drop(f->name);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* ---- values and statements ---- */

static void values_come_back_as_they_went(void **state)
{
    struct fixture *f = *state;
    static const char odd[] = "a\0b '\" \\ ? % \r\n\x1a \xf0\x9f\x98\x80 ";
    static const char bytes[] = "\xff\x00'\\\xe2";
    assert_int_equal(sql_run(f->sql,
                             "INSERT INTO v (id, i, t, b) VALUES (1, ?, ?, ?), (2, ?, ?, ?)",
                             SQL_VALUES(sql_integer(INT64_MIN), sql_text(odd, sizeof odd - 1),
                                        sql_blob(bytes, sizeof bytes - 1), sql_null(),
                                        sql_text(NULL, 0), sql_blob(NULL, 0)),
                             NULL),
                     OK);
    sql_rows_t *rows;
    size_t length;
    assert_int_equal(sql_query(f->sql, "SELECT i, t, b FROM v ORDER BY id", SQL_NO_VALUES, &rows),
                     OK);
    assert_true(sql_next(rows));
    assert_true(sql_column_integer(rows, 0) == INT64_MIN);
    assert_false(sql_column_is_null(rows, 0));
    assert_memory_equal(sql_column_bytes(rows, 1, &length), odd, sizeof odd - 1);
    assert_int_equal(length, sizeof odd - 1);
    assert_memory_equal(sql_column_bytes(rows, 2, &length), bytes, sizeof bytes - 1);
    assert_int_equal(length, sizeof bytes - 1);
    assert_true(sql_next(rows));
    assert_true(sql_column_is_null(rows, 0));
    assert_int_equal(sql_column_integer(rows, 0), 0);
    assert_false(sql_column_is_null(rows, 1));
    assert_non_null(sql_column_bytes(rows, 1, &length));
    assert_int_equal(length, 0);
    assert_false(sql_column_is_null(rows, 2));
    assert_false(sql_next(rows));
    assert_false(sql_next(rows));
    assert_int_equal(sql_end(&rows), OK);
    assert_null(rows);
    assert_int_equal(sql_end(&rows), OK);
}

static void other_statements_run_while_a_result_is_open(void **state)
{
    struct fixture *f = *state;
    sql_rows_t *rows;
    for (int64_t id = 1; id <= 3; id++)
        assert_int_equal(put(f->sql, id, 10), OK);
    assert_int_equal(sql_query(f->sql, "SELECT id FROM t ORDER BY id", SQL_NO_VALUES, &rows), OK);
    int64_t sum = 0;
    while (sql_next(rows)) {
        sum += sql_column_integer(rows, 0);
        assert_int_equal(sql_run(f->sql, "UPDATE t SET x = x + 1 WHERE id = ?",
                                 SQL_VALUES(sql_integer(sql_column_integer(rows, 0))), NULL),
                         OK);
    }
    assert_int_equal(sql_end(&rows), OK);
    assert_int_equal(sum, 6);
    assert_int_equal(number_of(f->sql, "SELECT SUM(x) FROM t"), 33);
}

static void the_clock_is_the_one_on_the_wall(void **state)
{
    struct fixture *f = *state;
    int64_t before = clock_us(), now = 0;
    assert_int_equal(sql_clock(f->sql, &now), OK);
    assert_true(now > before - 1000000 && now < clock_us() + 1000000);
}

static void any_number_of_statements_is_kept(void **state)
{
    struct fixture *f = *state;
    const char *texts[500];
    for (int i = 0; i < 500; i++)
        texts[i] = text_of("SELECT %d", i);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 500; i++)
            assert_int_equal(number_of(f->sql, texts[i]), i);
}

static void changed_rows_are_those_that_the_condition_met(void **state)
{
    struct fixture *f = *state;
    uint64_t changed = 9;
    assert_int_equal(put(f->sql, 1, 10), OK);
    assert_int_equal(put(f->sql, 2, 10), OK);
    assert_int_equal(sql_run(f->sql, "UPDATE t SET x = 10 WHERE id < 9", SQL_NO_VALUES, &changed),
                     OK);
    assert_int_equal(changed, 2);
    assert_int_equal(sql_run(f->sql, "DELETE FROM t WHERE id = 9", SQL_NO_VALUES, &changed), OK);
    assert_int_equal(changed, 0);
}

static void errors_come_in_classes(void **state)
{
    struct fixture *f = *state;
    sql_rows_t *rows;
    assert_int_equal(put(f->sql, 1, 10), OK);
    assert_int_equal(put(f->sql, 1, 10), ERR_CONFLICT);
    assert_int_equal(put(f->sql, 2, 100), ERR_DATA);
    assert_true(strlen(sql_errmsg(f->sql)) > 0);
    assert_int_equal(sql_run(f->sql, "INSERT INTO t (id, x) VALUES (3, NULL)", SQL_NO_VALUES, NULL),
                     ERR_DATA);
    assert_int_equal(sql_run(f->sql, "INSERT INTO t VALUES (4, 'x')", SQL_NO_VALUES, NULL),
                     ERR_DATA);
    assert_int_equal(sql_query(f->sql, "SELECT no FROM where_", SQL_NO_VALUES, &rows), ERR_SCHEMA);
    assert_int_equal(put(f->sql, 5, 10), OK);
    assert_int_equal(rows_in_t(f->sql), 2);
}

static void rows_are_inserted_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    static struct sql_value values[600];
    for (int i = 0; i < 300; i++) {
        values[2 * i] = sql_integer(i);
        values[2 * i + 1] = sql_integer(1);
    }
    static const char text[] = "INSERT INTO t (id, x) VALUES";
    assert_int_equal(sql_insert(f->sql, text, 2, values, 0), OK);
    assert_int_equal(sql_insert(f->sql, text, 2, values, 300), OK);
    assert_int_equal(rows_in_t(f->sql), 300);
    assert_int_equal(sql_insert(f->sql, "REPLACE INTO t (id, x) VALUES", 2, values, 10), OK);
    assert_int_equal(sql_run(f->sql, "DELETE FROM t WHERE id <> 150", SQL_NO_VALUES, NULL), OK);
    assert_int_equal(sql_insert(f->sql, text, 2, values, 300), ERR_CONFLICT);
    assert_int_equal(rows_in_t(f->sql), 1);
}

/* ---- transactions ---- */

static void a_transaction_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    sql_rollback(f->sql);
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(put(f->sql, 1, 1), OK);
    sql_rollback(f->sql);
    sql_rollback(f->sql);
    assert_int_equal(rows_in_t(f->sql), 0);
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(put(f->sql, 1, 1), OK);
    assert_int_equal(put(f->sql, 1, 1), ERR_CONFLICT);
    assert_int_equal(put(f->sql, 2, 1), OK);
    assert_int_equal(sql_commit(f->sql), OK);
    assert_int_equal(rows_in_t(f->sql), 2);

    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(put(f->sql, 3, 1), OK);
    sql_close(&f->sql);
    sql_close(&f->sql);
    assert_int_equal(sql_open(f->url, SQL_RELAXED, &f->sql), OK);
    assert_int_equal(rows_in_t(f->sql), 2);
}

static void *begin_and_put(void *argument)
{
    sql_t *sql = argument;
    status_t status = sql_begin(sql);
    if (status == OK)
        status = put(sql, 2, 2);
    if (status == OK)
        status = sql_commit(sql);
    return (void *) (intptr_t) status;
}

static void a_writer_waits_for_the_other(void **state)
{
    struct fixture *f = *state;
    sql_t *other;
    pthread_t thread;
    void *status;
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &other), OK);
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(put(f->sql, 1, 1), OK);
    assert_int_equal(pthread_create(&thread, NULL, begin_and_put, other), 0);
    assert_int_equal(sql_commit(f->sql), OK);
    pthread_join(thread, &status);
    assert_int_equal((intptr_t) status, OK);
    assert_int_equal(rows_in_t(f->sql), 2);
    sql_close(&other);
}

static void a_snapshot_stays(void **state)
{
    struct fixture *f = *state;
    sql_t *reader;
    assert_int_equal(sql_open(f->url, SQL_READ_ONLY, &reader), OK);
    assert_int_equal(sql_begin_read(reader), OK);
    assert_int_equal(put(f->sql, 1, 1), OK);
    assert_int_equal(rows_in_t(reader), 0);
    assert_int_equal(sql_commit(reader), OK);
    assert_int_equal(rows_in_t(reader), 1);
    sql_close(&reader);
}

/* ---- migrations ---- */

static const char *dialect(void)
{
    return server_url ? "mysql" : "sqlite";
}

static void migrations_are_applied_once_and_checked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_migrate(f->sql, "store", false), ERR_SCHEMA);
    assert_int_equal(sql_migrate(f->sql, "store", true), OK);
    assert_int_equal(sql_migrate(f->sql, "store", true), OK);
    assert_int_equal(sql_migrate(f->sql, "store", false), OK);
    int64_t applied = number_of(f->sql, "SELECT COUNT(*) FROM schema_migrations");
    assert_true(applied > 0);

    assert_int_equal(sql_script(f->sql, text_of("INSERT INTO schema_migrations VALUES "
                                                "('%s/store_9999_future.sql', 'x', 1)",
                                                dialect())),
                     OK);
    assert_int_equal(sql_migrate(f->sql, "store", false), ERR_SCHEMA);
    assert_int_equal(sql_migrate(f->sql, "store", true), ERR_SCHEMA);
    assert_non_null(strstr(sql_errmsg(f->sql), "9999_future"));
    assert_int_equal(
        sql_script(f->sql, text_of("DELETE FROM schema_migrations WHERE name LIKE '%%future%%';"
                                   "INSERT INTO schema_migrations VALUES "
                                   "('%s/other_0001_set.sql', 'x', 1)",
                                   dialect())),
        OK);
    assert_int_equal(sql_migrate(f->sql, "store", false), OK);
    assert_int_equal(sql_script(f->sql, "UPDATE schema_migrations SET hash = 'x'"), OK);
    assert_int_equal(sql_migrate(f->sql, "store", true), ERR_SCHEMA);
}

static void *migrate_once(void *argument)
{
    sql_t *sql = NULL;
    status_t status = sql_open(argument, SQL_DURABLE, &sql);
    if (status == OK)
        status = sql_migrate(sql, "store", true);
    sql_close(&sql);
    return (void *) (intptr_t) status;
}

static void several_may_migrate_a_new_database_at_once(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    const char *url = server_url ? f->url : text_of("sqlite:%s/new.db", f->folder);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_once, (void *) url), 0);
    for (int i = 0; i < 4; i++) {
        void *status;
        pthread_join(threads[i], &status);
        assert_int_equal((intptr_t) status, OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_come_back_as_they_went),
        TEST(other_statements_run_while_a_result_is_open),
        TEST(the_clock_is_the_one_on_the_wall),
        TEST(any_number_of_statements_is_kept),
        TEST(changed_rows_are_those_that_the_condition_met),
        TEST(errors_come_in_classes),
        TEST(rows_are_inserted_together_or_not_at_all),
        TEST(a_transaction_is_all_or_nothing),
        TEST(a_writer_waits_for_the_other),
        TEST(a_snapshot_stays),
        TEST(migrations_are_applied_once_and_checked),
        TEST(several_may_migrate_a_new_database_at_once),
    };
    return run_on_all("sql.h", tests, sizeof tests / sizeof tests[0], NULL, NULL);
}
