/* SPDX-License-Identifier: MIT */
/* test_sql_mysql.c - what only a server does behind sql.h: connections that are lost,
 * accounts, packets, character sets, locks.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "database_fixture.h"
#include "sql_fixture.h"

struct fixture {
    const char *name, *url;
    sql_t *sql, *other;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->name = database_name();
    f->url = database_make(f->name);
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &f->sql), OK);
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &f->other), OK);
    assert_int_equal(sql_script(f->sql,
                                "CREATE TABLE t (id BIGINT PRIMARY KEY, x BIGINT, b LONGBLOB)"
                                "; CREATE TABLE s (token VARBINARY(64) PRIMARY KEY, "
                                "text VARCHAR(8)) DEFAULT CHARSET utf8mb4"),
                     OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sql_close(&f->sql);
    sql_close(&f->other);
    database_drop(f->name);
    free(f);
    return 0;
}

static status_t set(sql_t *sql, int64_t id, int64_t x)
{
    return sql_run(sql, "UPDATE t SET x = ? WHERE id = ?",
                   SQL_VALUES(sql_integer(x), sql_integer(id)), NULL);
}

static void kill_connection(struct fixture *f, sql_t *sql)
{
    int64_t id = number_of(sql, "SELECT CONNECTION_ID()");
    assert_int_equal(sql_script(f->other, text_of("KILL %lld", (long long) id)), OK);
    /* It is gone when the server no longer lists it. */
    const char *listed = text_of("SELECT COUNT(*) FROM information_schema.processlist "
                                 "WHERE id = %lld",
                                 (long long) id);
    while (number_of(f->other, listed) > 0)
        ;
}

/* ---- URLs and accounts ---- */

static void a_url_that_is_not_understood_is_not_repeated(void **state)
{
    (void) state;
    static const char *const urls[] = {
        "mysql:me:secret@host:1/db",         "mysql://me:secret@host/db",
        "mysql://me:sec%ret@host:1/db",      "mysql://me:secret@host:1/db?tls=secret",
        "mysql://me:secret@host:1/db?ssl=1", "mysql://me:secret@host:1/db?ssl=required&secret",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        sql_t *sql = NULL;
        if (sql_open(urls[i], SQL_DURABLE, &sql) != ERR_CONFIG)
            fail_msg("%s", urls[i]);
        assert_null(strstr(sql_errmsg(NULL), "sec"));
        assert_null(sql);
    }
    sql_t *sql = NULL;
    assert_int_equal(
        sql_open("mysql://a%40b:p%3Aq@[::1]:1/d%2Fb?ssl_ca=/x&ssl=required", SQL_DURABLE, &sql),
        OK); /* nobody was asked */
    sql_close(&sql);
}

/* "mysql://root@HOST..." with another user. */
static const char *url_of(struct fixture *f, const char *user)
{
    return text_of("mysql://%s@%s/%s", user, strchr(server_url, '@') + 1, f->name);
}

static void a_wrong_password_is_said_and_not_shown(void **state)
{
    struct fixture *f = *state;
    sql_t *sql;
    sql_rows_t *rows;
    assert_int_equal(sql_open(url_of(f, "confab_nobody:secret"), SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_query(sql, "SELECT 1", SQL_NO_VALUES, &rows), ERR_UNAVAILABLE);
    assert_non_null(strstr(sql_errmsg(sql), "denied"));
    assert_null(strstr(sql_errmsg(sql), "secret"));
    sql_close(&sql);
}

static void a_password_may_have_any_character(void **state)
{
    struct fixture *f = *state;
    const char *user = f->name;
    static const char *const hosts[] = {"%", "localhost"}; /* MariaDB has a nobody there */
    for (size_t i = 0; i < 2; i++) {
        server_do(text_of("CREATE USER '%s'@'%s' IDENTIFIED BY 'p@s:/%%?'", user, hosts[i]));
        server_do(text_of("GRANT ALL ON %s.* TO '%s'@'%s'", f->name, user, hosts[i]));
    }
    sql_t *sql;
    sql_rows_t *rows;
    const char *url = url_of(f, text_of("%s:p%%40s%%3a%%2F%%25%%3f", user));
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    status_t status = sql_query(sql, "SELECT 1", SQL_NO_VALUES, &rows);
    const char *words = text_of("%s", sql_errmsg(sql));
    if (status == OK)
        assert_int_equal(sql_end(&rows), OK);
    sql_close(&sql);
    server_do(text_of("DROP USER '%s'@'%%', '%s'@'localhost'", user, user));
    if (status != OK)
        fail_msg("%s", words);
}

static void a_database_that_is_not_there_has_to_be_made(void **state)
{
    (void) state;
    sql_t *sql;
    assert_int_equal(sql_open(text_of("%s/confab_no_such", server_url), SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_migrate(sql, "store", false), ERR_SCHEMA);
    assert_int_equal(sql_migrate(sql, "store", true), ERR_SCHEMA);
    assert_non_null(strstr(sql_errmsg(sql), "CREATE DATABASE confab_no_such"));
    sql_close(&sql);
}

/* The server either has TLS, and then it is used, or the connection is refused. */
static void tls_is_used_where_it_is_required(void **state)
{
    struct fixture *f = *state;
    sql_t *sql;
    sql_rows_t *rows;
    bool has = number_of(f->sql, "SELECT @@have_ssl = 'YES'") == 1;
    assert_int_equal(sql_open(text_of("%s?ssl=required", f->url), SQL_DURABLE, &sql), OK);
    status_t status = sql_query(sql, "SHOW STATUS LIKE 'Ssl_cipher'", SQL_NO_VALUES, &rows);
    assert_int_equal(status, has ? OK : ERR_UNAVAILABLE);
    if (has) {
        size_t length;
        assert_true(sql_next(rows));
        sql_column_bytes(rows, 1, &length);
        assert_true(length > 0);
        assert_int_equal(sql_end(&rows), OK);
    }
    sql_close(&sql);
    assert_int_equal(sql_open(text_of("%s?ssl_ca=/no/such/authority", f->url), SQL_DURABLE, &sql),
                     OK);
    assert_int_equal(sql_query(sql, "SELECT 1", SQL_NO_VALUES, &rows), ERR_UNAVAILABLE);
    sql_close(&sql);
}

/* ---- connections ---- */

/* A port on which somebody listens and never answers. */
static int port_listen(int *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void a_server_that_is_away_fails_fast(void **state)
{
    (void) state;
    int port;
    int fd = port_listen(&port);
    const char *url = text_of("mysql://me:secret@127.0.0.1:%d/db", port);
    sql_t *sql, *another;
    int64_t start = clock_monotonic_us();
    assert_int_equal(sql_open(url, SQL_DURABLE, &sql), OK);
    assert_int_equal(sql_begin(sql), ERR_UNAVAILABLE);
    int64_t first = clock_monotonic_us();
    assert_true(first - start < 4000000); /* a time-out of 1 s */
    assert_null(strstr(sql_errmsg(sql), "a moment ago"));
    assert_int_equal(sql_begin(sql), ERR_UNAVAILABLE);
    assert_non_null(strstr(sql_errmsg(sql), "a moment ago"));
    assert_int_equal(sql_open(url, SQL_READ_ONLY, &another), OK);
    assert_int_equal(sql_begin_read(another), ERR_UNAVAILABLE);
    assert_non_null(strstr(sql_errmsg(another), "a moment ago"));
    assert_null(strstr(sql_errmsg(another), "secret"));
    sql_rollback(another);
    sql_close(&another);
    sql_close(&sql);
    close(fd);
}

static void what_was_lost_within_a_transaction_is_not_made_up_for(void **state)
{
    struct fixture *f = *state;
    sql_rows_t *rows;
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(put(f->sql, 1, 1), OK);
    kill_connection(f, f->sql);
    assert_int_equal(put(f->sql, 2, 2), ERR_UNAVAILABLE);
    assert_true(strlen(sql_errmsg(f->sql)) > 0);
    assert_int_equal(put(f->sql, 3, 3), ERR_UNAVAILABLE);
    assert_int_equal(sql_query(f->sql, "SELECT 1", SQL_NO_VALUES, &rows), ERR_UNAVAILABLE);
    assert_int_equal(sql_commit(f->sql), ERR_UNAVAILABLE);
    sql_rollback(f->sql);
    sql_rollback(f->sql);
    assert_int_equal(rows_in_t(f->sql), 0);
    assert_int_equal(put(f->sql, 4, 4), OK);
}

static void a_connection_that_nobody_used_is_made_again(void **state)
{
    struct fixture *f = *state;
    kill_connection(f, f->sql);
    assert_int_equal(rows_in_t(f->sql), 0);
    kill_connection(f, f->sql);
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(put(f->sql, 1, 1), OK);
    assert_int_equal(sql_commit(f->sql), OK);
    kill_connection(f, f->sql); /* nobody knows whether a write has happened: not twice */
    assert_int_equal(put(f->sql, 2, 2), ERR_UNAVAILABLE);
    assert_int_equal(put(f->sql, 2, 2), OK);
    assert_int_equal(rows_in_t(f->sql), 2);
}

static void a_result_outlives_its_connection(void **state)
{
    struct fixture *f = *state;
    sql_rows_t *rows;
    assert_int_equal(put(f->sql, 1, 11), OK);
    assert_int_equal(sql_query(f->sql, "SELECT x FROM t", SQL_NO_VALUES, &rows), OK);
    kill_connection(f, f->sql);
    assert_int_equal(put(f->sql, 2, 2), ERR_UNAVAILABLE);
    assert_true(sql_next(rows));
    assert_int_equal(sql_column_integer(rows, 0), 11);
    assert_int_equal(sql_end(&rows), OK);
}

/* Some servers begin another one by themselves, in which all that follows would stay. */
static void a_commit_ends_the_transaction_whatever_the_server_would_do(void **state)
{
    struct fixture *f = *state;
    sql_t *sql;
    server_do("SET GLOBAL completion_type = 'CHAIN'");
    assert_int_equal(sql_open(f->url, SQL_DURABLE, &sql), OK);
    status_t status = sql_begin(sql);
    server_do("SET GLOBAL completion_type = 'NO_CHAIN'");
    assert_int_equal(status, OK);
    assert_int_equal(put(sql, 1, 1), OK);
    assert_int_equal(sql_commit(sql), OK);
    assert_int_equal(put(sql, 2, 2), OK);
    assert_int_equal(rows_in_t(f->other), 2);
    sql_close(&sql);
}

/* ---- packets ---- */

static void rows_of_several_packets_are_inserted_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 50, BYTES = 60000 };
    char *bytes = malloc(BYTES);
    memset(bytes, '\'', BYTES); /* each is escaped */
    struct sql_value values[2 * ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[2 * i] = sql_integer(i);
        values[2 * i + 1] = sql_blob(bytes, BYTES);
    }
    static const char text[] = "INSERT INTO t (id, b) VALUES";
    assert_int_equal(put(f->sql, ROWS - 1, 0), OK);
    assert_int_equal(sql_insert(f->sql, text, 2, values, ROWS), ERR_CONFLICT);
    assert_int_equal(rows_in_t(f->sql), 1);
    assert_int_equal(sql_insert(f->sql, text, 2, values, ROWS - 1), OK);
    assert_int_equal(number_of(f->sql, "SELECT SUM(LENGTH(b)) FROM t"), (ROWS - 1) * BYTES);
    free(bytes);
}

static void what_no_packet_can_hold_is_no_bad_data(void **state)
{
    struct fixture *f = *state;
    size_t length = (size_t) number_of(f->sql, "SELECT @@max_allowed_packet") + 1;
    char *bytes = malloc(length);
    memset(bytes, 'x', length);
    assert_int_equal(sql_run(f->sql, "INSERT INTO t (id, b) VALUES (1, ?)",
                             SQL_VALUES(sql_blob(bytes, length)), NULL),
                     ERR_UNAVAILABLE);
    free(bytes);
    assert_int_equal(put(f->sql, 1, 1), OK);
}

/* ---- values ---- */

static status_t put_text(struct fixture *f, const char *token, const char *text)
{
    return sql_run(f->sql, "INSERT INTO s (token, text) VALUES (?, ?)",
                   SQL_VALUES(sql_text(token, strlen(token)), sql_text(text, strlen(text))), NULL);
}

static void keys_are_compared_by_their_bytes(void **state)
{
    struct fixture *f = *state;
    static const char *const tokens[] = {"token",  "Token",        "token ",
                                         " token", "tok\xc3\xa9n", "token\t"};
    enum { TOKENS = sizeof tokens / sizeof tokens[0] };
    for (size_t i = 0; i < TOKENS; i++)
        assert_int_equal(put_text(f, tokens[i], "x"), OK);
    for (size_t i = 0; i < TOKENS; i++) {
        sql_rows_t *rows;
        size_t length, count = 0;
        assert_int_equal(sql_query(f->sql, "SELECT token FROM s WHERE token = ?",
                                   SQL_VALUES(sql_text(tokens[i], strlen(tokens[i]))), &rows),
                         OK);
        for (; sql_next(rows); count++)
            assert_string_equal(sql_column_bytes(rows, 0, &length), tokens[i]);
        assert_int_equal(sql_end(&rows), OK);
        assert_int_equal(count, 1);
    }
}

static void bad_data_is_refused_whatever_the_server_allows(void **state)
{
    struct fixture *f = *state;
    server_do("SET SESSION sql_mode = ''");
    assert_int_equal(put_text(f, "a", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80"), OK);
    assert_int_equal(put_text(f, "a", "x"), ERR_CONFLICT);
    assert_null(strstr(sql_errmsg(f->sql), "'a'"));
    assert_int_equal(put_text(f, "b", "nine char"), ERR_DATA);
    assert_int_equal(put_text(f, "c", "sec\xffret"), ERR_DATA);
    assert_null(strstr(sql_errmsg(f->sql), "sec"));
    assert_int_equal(sql_run(f->sql, "INSERT INTO t (id) VALUES (NULL)", SQL_NO_VALUES, NULL),
                     ERR_DATA);
    assert_int_equal(sql_run(f->sql, "INSERT INTO t (id) VALUES ('x')", SQL_NO_VALUES, NULL),
                     ERR_DATA);
    assert_int_equal(
        sql_run(f->sql, "INSERT INTO t (id) VALUES (9223372036854775808)", SQL_NO_VALUES, NULL),
        ERR_DATA);
    assert_int_equal(rows_in_t(f->sql), 0);
    assert_int_equal(number_of(f->sql, "SELECT COUNT(*) FROM s"), 1);
}

static void one_text_is_one_statement(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_run(f->sql, "DELETE FROM s; DELETE FROM t", SQL_NO_VALUES, NULL),
                     ERR_SCHEMA);
    assert_int_equal(sql_script(f->sql, "INSERT INTO t (id) VALUES (1); nonsense; "
                                        "INSERT INTO t (id) VALUES (2)"),
                     ERR_SCHEMA);
    assert_int_equal(rows_in_t(f->sql), 1);
    assert_int_equal(sql_run(f->sql, "DELETE FROM s; DELETE FROM t", SQL_NO_VALUES, NULL),
                     ERR_SCHEMA);
}

/* ---- locks ---- */

static void who_waits_too_long_for_a_lock_comes_back_later(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f->sql, 1, 1), OK);
    assert_int_equal(sql_begin(f->other), OK);
    assert_int_equal(set(f->other, 1, 2), OK);
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(set(f->sql, 1, 3), ERR_UNAVAILABLE);
    sql_rollback(f->sql);
    assert_int_equal(sql_commit(f->other), OK);
    assert_int_equal(set(f->sql, 1, 3), OK);
}

static void *set_first(void *sql)
{
    return (void *) (intptr_t) set(sql, 1, 20);
}

/* One of the two is undone, and does nothing more until it says that it knows. */
static void a_deadlock_undoes_one_of_the_two(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *result;
    assert_int_equal(put(f->sql, 1, 0), OK);
    assert_int_equal(put(f->sql, 2, 0), OK);
    assert_int_equal(sql_begin(f->sql), OK);
    assert_int_equal(sql_begin(f->other), OK);
    assert_int_equal(set(f->sql, 1, 10), OK);
    assert_int_equal(set(f->other, 2, 20), OK);
    assert_int_equal(pthread_create(&thread, NULL, set_first, f->other), 0);
    status_t mine = set(f->sql, 2, 10);
    pthread_join(thread, &result);
    status_t others = (status_t) (intptr_t) result;
    assert_true((mine == OK) != (others == OK));
    sql_t *victim = mine == OK ? f->other : f->sql, *winner = mine == OK ? f->sql : f->other;
    assert_int_equal(mine == OK ? others : mine, ERR_UNAVAILABLE);
    assert_int_equal(sql_commit(winner), OK);
    assert_int_equal(put(victim, 3, 3), ERR_UNAVAILABLE);
    sql_rollback(victim);
    assert_int_equal(put(victim, 3, 3), OK);
    assert_int_equal(number_of(victim, "SELECT COUNT(DISTINCT x) FROM t WHERE id < 3"), 1);
}

/* ---- migrations, backup ---- */

/* Each CREATE commits at once: what a migration that was cut off has made, stays. */
static void a_migration_that_was_cut_off_is_run_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_migrate(f->sql, "store", true), OK);
    assert_int_equal(sql_script(f->sql, "DROP TABLE purges; DELETE FROM schema_migrations"), OK);
    assert_int_equal(sql_migrate(f->sql, "store", false), ERR_SCHEMA);
    assert_int_equal(sql_migrate(f->sql, "store", true), OK);
    assert_int_equal(number_of(f->sql, "SELECT COUNT(*) FROM purges"), 0);
    assert_int_equal(sql_backup(f->sql, "/no/such/folder/x"), ERR_CONFIG);
}

static void a_read_only_handle_does_not_write(void **state)
{
    struct fixture *f = *state;
    sql_t *reader;
    assert_int_equal(sql_open(f->url, SQL_READ_ONLY, &reader), OK);
    assert_int_equal(put(reader, 1, 1), ERR_UNAVAILABLE);
    assert_int_equal(rows_in_t(reader), 0);
    sql_close(&reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_url_that_is_not_understood_is_not_repeated),
        TEST(a_wrong_password_is_said_and_not_shown),
        TEST(a_password_may_have_any_character),
        TEST(a_database_that_is_not_there_has_to_be_made),
        TEST(tls_is_used_where_it_is_required),
        TEST(a_server_that_is_away_fails_fast),
        TEST(what_was_lost_within_a_transaction_is_not_made_up_for),
        TEST(a_connection_that_nobody_used_is_made_again),
        TEST(a_result_outlives_its_connection),
        TEST(a_commit_ends_the_transaction_whatever_the_server_would_do),
        TEST(rows_of_several_packets_are_inserted_together_or_not_at_all),
        TEST(what_no_packet_can_hold_is_no_bad_data),
        TEST(keys_are_compared_by_their_bytes),
        TEST(bad_data_is_refused_whatever_the_server_allows),
        TEST(one_text_is_one_statement),
        TEST(who_waits_too_long_for_a_lock_comes_back_later),
        TEST(a_deadlock_undoes_one_of_the_two),
        TEST(a_migration_that_was_cut_off_is_run_again),
        TEST(a_read_only_handle_does_not_write),
    };
    return run_on_servers("a server behind sql.h", tests, sizeof tests / sizeof tests[0], NULL,
                          NULL);
}
