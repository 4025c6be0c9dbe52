/* SPDX-License-Identifier: MIT */
/* sql_fixture.h - what the tests of sql.h put into their table `t` and ask of it.
 *
 * Included after cmocka.h.
 */
#ifndef SQL_FIXTURE_H
#define SQL_FIXTURE_H

#include "storage/sql.h"

static inline status_t put(sql_t *sql, int64_t id, int64_t x)
{
    return sql_run(sql, "INSERT INTO t (id, x) VALUES (?, ?)",
                   SQL_VALUES(sql_integer(id), sql_integer(x)), NULL);
}

static inline int64_t number_of(sql_t *sql, const char *text)
{
    sql_rows_t *rows;
    if (sql_query(sql, text, SQL_NO_VALUES, &rows) != OK)
        fail_msg("%s: %s", text, sql_errmsg(sql));
    assert_true(sql_next(rows));
    int64_t number = sql_column_integer(rows, 0);
    assert_int_equal(sql_end(&rows), OK);
    return number;
}

static inline int64_t rows_in_t(sql_t *sql)
{
    return number_of(sql, "SELECT COUNT(*) FROM t");
}

#endif
