/* SPDX-License-Identifier: MIT */
/* database_fixture.h - the databases that tests of the store run on: a file of SQLite,
 * and a database of one's own on each server that the environment names.
 *
 *     CONFAB_TEST_MARIADB, CONFAB_TEST_MYSQL    "mysql://root@127.0.0.1:PORT"
 *     CONFAB_TEST_REQUIRED=1                    one that is not named is a failure
 */
#ifndef DATABASE_FIXTURE_H
#define DATABASE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_sql.h"
#include "storage/sql.h"
#include "support.h"

static const char *server_url; /* NULL: this run is about SQLite */

static inline void server_do(const char *text)
{
    sql_t *sql;
    assert_int_equal(sql_open(server_url, SQL_DURABLE, &sql), OK);
    if (sql_script(sql, text) != OK)
        fail_msg("%s: %s", text, sql_errmsg(sql));
    sql_close(&sql);
}

/* A name that no other test has. */
static inline const char *database_name(void)
{
    static int count;
    return text_of("confab_test_%d_%d", (int) getpid(), ++count);
}

static inline const char *database_make(const char *name)
{
    server_do(text_of("CREATE DATABASE %s CHARACTER SET utf8mb4", name));
    return text_of("%s/%s", server_url, name);
}

static inline void database_drop(const char *name)
{
    server_do(text_of("DROP DATABASE IF EXISTS %s", name));
}

/* ---- running ---- */

struct server {
    const char *name, *variable;
};

/* The group on the server; without one: a failure if it is required, else said loudly. */
static inline int run_on_server(const char *what, const struct server *server,
                                const struct CMUnitTest tests[], size_t count,
                                CMFixtureFunction set_up_all, CMFixtureFunction tear_down_all)
{
    server_url = getenv(server->variable);
    if (server_url && server_url[0])
        return _cmocka_run_group_tests(text_of("%s on %s", what, server->name), tests, count,
                                       set_up_all, tear_down_all);
    const char *required = getenv("CONFAB_TEST_REQUIRED");
    bool fails = required && strcmp(required, "1") == 0;
    print_message("%s: %s on %s was NOT tested: %s is not set "
                  "(scripts/services run mariadb mysql -- COMMAND sets it)\n",
                  fails ? "FAILED" : "SKIPPED", what, server->name, server->variable);
    return fails;
}

static const struct server servers[] = {
    {"MariaDB", "CONFAB_TEST_MARIADB"},
    {"MySQL", "CONFAB_TEST_MYSQL"},
};

static inline int run_on_servers(const char *what, const struct CMUnitTest tests[], size_t count,
                                 CMFixtureFunction set_up_all, CMFixtureFunction tear_down_all)
{
    int failures = 0;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        failures += run_on_server(what, &servers[i], tests, count, set_up_all, tear_down_all);
    return failures ? 1 : 0;
}

/* The whole group once for each kind of database. */
static inline int run_on_all(const char *what, const struct CMUnitTest tests[], size_t count,
                             CMFixtureFunction set_up_all, CMFixtureFunction tear_down_all)
{
    fake_sql_register();
    server_url = NULL;
    int failures = _cmocka_run_group_tests(text_of("%s on SQLite", what), tests, count, set_up_all,
                                           tear_down_all);
    failures += run_on_servers(what, tests, count, set_up_all, tear_down_all);
    return failures ? 1 : 0;
}

#endif
