/* SPDX-License-Identifier: MIT */
/* test_sql.c - what only SQLite promises behind sql.h; and that the faulty layer of
 * fake_sql.h fails as told.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_sql.h"
#include "sql_fixture.h"
#include "support.h"

struct fixture {
    char *folder;
    const char *path, *url;
    sql_t *sql;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->folder = folder_make();
    f->path = text_of("%s/te?st #1%%.db", f->folder);
    f->url = text_of("sqlite:%s", f->path);
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &f->sql), OK);
    assert_int_equal(sql_script(f->sql, "CREATE TABLE t (id INTEGER PRIMARY KEY, "
                                        "x INTEGER NOT NULL CHECK (x < 100)) STRICT"),
                     OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fake_sql_heal();
    sql_close(&f->sql);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* ---- opening ---- */

static void an_unknown_url_is_refused_and_not_repeated(void **state)
{
    (void) state;
    sql_t *sql = NULL;
    assert_int_equal(sql_open("oracle://me:secret@host/db", SQL_DURABLE, &sql), ERR_CONFIG);
    assert_int_equal(sql_open("sqlite", SQL_DURABLE, &sql), ERR_CONFIG);
    assert_null(strstr(sql_errmsg(NULL), "secret"));
    assert_int_equal(sql_open("sqlite:/no/such/folder/x.db", SQL_DURABLE, &sql), ERR_UNAVAILABLE);
    assert_true(strlen(sql_errmsg(NULL)) > 0);
    assert_null(sql);
}

static void reading_makes_no_file_and_changes_none(void **state)
{
    struct fixture *f = *state;
    sql_t *reader;
    const char *absent = text_of("%s/absent.db", f->folder);
    assert_int_equal(sql_open(text_of("sqlite:%s", absent), SQL_READ_ONLY, &reader),
                     ERR_UNAVAILABLE);
    assert_int_not_equal(access(absent, F_OK), 0);

    assert_int_equal(put(f->sql, 1, 1), OK);
    assert_int_equal(sql_open(f->url, SQL_READ_ONLY, &reader), OK); /* beside a writer */
    assert_int_equal(put(reader, 2, 2), ERR_UNAVAILABLE);
    sql_close(&reader);

    sql_close(&f->sql);
    assert_int_not_equal(access(text_of("%s-wal", f->path), F_OK), 0);
    assert_int_equal(sql_open(f->url, SQL_READ_ONLY, &reader), OK); /* alone */
    assert_int_equal(rows_in_t(reader), 1);
    assert_int_equal(put(reader, 2, 2), ERR_UNAVAILABLE);
    sql_close(&reader);
}

static void file_write(const char *path, const char *content, size_t length)
{
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, length, file), length);
    fclose(file);
}

/* What a killed process leaves: committed rows that are only in the WAL. */
static void reading_sees_what_only_the_wal_has(void **state)
{
    struct fixture *f = *state;
    const char *copy = text_of("%s/copy.db", f->folder);
    size_t length;
    assert_int_equal(put(f->sql, 1, 1), OK);
    for (const char *const *suffix = (const char *const[]){"", "-wal", NULL}; *suffix; suffix++) {
        char *content = file_read(text_of("%s%s", f->path, *suffix), &length);
        assert_non_null(content);
        file_write(text_of("%s%s", copy, *suffix), content, length);
        free(content);
    }
    sql_t *reader;
    assert_int_equal(sql_open(text_of("sqlite:%s", copy), SQL_READ_ONLY, &reader), OK);
    assert_int_equal(rows_in_t(reader), 1);
    sql_close(&reader);
}

/* ---- migrations ---- */

static void a_migration_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_script(f->sql, "CREATE TABLE purges (x)"), OK);
    assert_int_not_equal(sql_migrate(f->sql, "store", true), OK);
    assert_int_equal(
        number_of(f->sql, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'messages'"), 0);
    assert_int_equal(sql_script(f->sql, "DROP TABLE purges"), OK);
    assert_int_equal(sql_migrate(f->sql, "store", true), OK);
}

/* ---- backup ---- */

struct writer {
    const char *url;
    int stop;
};

/* Two rows a transaction: a consistent copy has an even number of them. */
static void *write_pairs(void *argument)
{
    struct writer *writer = argument;
    sql_t *sql = NULL;
    status_t status = sql_open(writer->url, SQL_RELAXED, &sql);
    for (int64_t id = 1; status == OK && !__atomic_load_n(&writer->stop, __ATOMIC_RELAXED);
         id += 2) {
        status = sql_begin(sql);
        if (status == OK)
            status = put(sql, id, 1);
        if (status == OK)
            status = put(sql, id + 1, 1);
        if (status == OK)
            status = sql_commit(sql);
    }
    sql_close(&sql);
    return (void *) (intptr_t) status;
}

static void a_backup_is_consistent_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct writer writer = {.url = f->url};
    pthread_t thread;
    void *status;
    assert_int_equal(pthread_create(&thread, NULL, write_pairs, &writer), 0);
    while (rows_in_t(f->sql) < 100)
        usleep(1000);
    for (int i = 0; i < 5; i++) {
        const char *path = text_of("%s/copy-%d.db", f->folder, i);
        assert_int_equal(sql_backup(f->sql, path), OK);
        sql_t *copy;
        assert_int_equal(sql_open(text_of("sqlite:%s", path), SQL_READ_ONLY, &copy), OK);
        int64_t rows = rows_in_t(copy);
        assert_true(rows >= 100 && rows % 2 == 0);
        sql_close(&copy);
        assert_int_not_equal(access(text_of("%s.part", path), F_OK), 0);
    }
    __atomic_store_n(&writer.stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, &status);
    assert_int_equal((intptr_t) status, OK);
}

static void a_backup_replaces_no_file(void **state)
{
    struct fixture *f = *state;
    const char *path = text_of("%s/precious", f->folder);
    file_write(path, "", 0);
    assert_int_equal(sql_backup(f->sql, path), ERR_EXISTS);
    assert_int_equal(sql_backup(f->sql, "/no/such/folder/x.db"), ERR_UNAVAILABLE);
    file_write(text_of("%s/new.db.part", f->folder), "left by a crash", 15);
    assert_int_equal(sql_backup(f->sql, text_of("%s/new.db", f->folder)), OK);
}

/* ---- the faulty layer ---- */

static void faults_come_when_and_where_they_are_planted(void **state)
{
    struct fixture *f = *state;
    sql_t *faulty;
    assert_int_equal(sql_open(text_of("faulty:%s", f->url), SQL_DURABLE, &faulty), OK);
    unsigned before = fake_sql_failures(FAULT_STATEMENT);
    fake_sql_fail(FAULT_STATEMENT, NULL, 1, 2);
    assert_int_equal(put(faulty, 1, 1), OK);
    assert_int_equal(put(faulty, 2, 1), ERR_UNAVAILABLE);
    assert_non_null(strstr(sql_errmsg(faulty), "planted"));
    assert_int_equal(put(faulty, 2, 1), ERR_UNAVAILABLE);
    assert_int_equal(put(faulty, 2, 1), OK);
    assert_int_equal(fake_sql_failures(FAULT_STATEMENT), before + 2);
    assert_int_equal(put(faulty, 2, 1), ERR_CONFLICT);

    fake_sql_fail(FAULT_STATEMENT, "elsewhere.db", 0, FAULT_ALWAYS);
    assert_int_equal(put(faulty, 3, 1), OK);
    fake_sql_fail(FAULT_STATEMENT, f->path, 0, FAULT_ALWAYS);
    assert_int_equal(put(faulty, 4, 1), ERR_UNAVAILABLE);
    fake_sql_heal();

    fake_sql_fail(FAULT_COMMIT, NULL, 0, 1);
    assert_int_equal(sql_begin(faulty), OK);
    assert_int_equal(put(faulty, 4, 1), OK);
    assert_int_equal(sql_commit(faulty), ERR_UNAVAILABLE);
    sql_rollback(faulty);
    assert_int_equal(rows_in_t(f->sql), 3);
    fake_sql_fail(FAULT_COMMIT_UNKNOWN, NULL, 0, 1);
    assert_int_equal(sql_begin(faulty), OK);
    assert_int_equal(put(faulty, 4, 1), OK);
    assert_int_equal(sql_commit(faulty), ERR_UNAVAILABLE);
    sql_rollback(faulty);
    assert_int_equal(rows_in_t(f->sql), 4);
    sql_close(&faulty);

    fake_sql_fail(FAULT_OPEN, NULL, 0, 1);
    assert_int_equal(sql_open(text_of("faulty:%s", f->url), SQL_DURABLE, &faulty), ERR_UNAVAILABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_url_is_refused_and_not_repeated),
        TEST(reading_makes_no_file_and_changes_none),
        TEST(reading_sees_what_only_the_wal_has),
        TEST(a_migration_that_fails_leaves_nothing),
        TEST(a_backup_is_consistent_while_others_write),
        TEST(a_backup_replaces_no_file),
        TEST(faults_come_when_and_where_they_are_planted),
    };
    fake_sql_register();
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
