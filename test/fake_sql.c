/* SPDX-License-Identifier: MIT */
#include "fake_sql.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/sql_adapter.h"

struct plan {
    char where[256];
    int delay, times; /* times 0: nothing is planned */
    unsigned failures;
};

static struct plan plans[FAULT_COUNT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over plans */

typedef struct {
    struct sql sql;
    sql_t *real;
    char *url;
} fake_sql_t;

/* ---- plans ---- */

void fake_sql_fail(enum fault fault, const char *where, int delay, int times)
{
    pthread_mutex_lock(&lock);
    struct plan *plan = &plans[fault];
    snprintf(plan->where, sizeof plan->where, "%s", where ? where : "");
    plan->delay = delay;
    plan->times = times;
    pthread_mutex_unlock(&lock);
}

void fake_sql_heal(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < FAULT_COUNT; i++)
        plans[i].times = 0;
    pthread_mutex_unlock(&lock);
}

unsigned fake_sql_failures(enum fault fault)
{
    pthread_mutex_lock(&lock);
    unsigned failures = plans[fault].failures;
    pthread_mutex_unlock(&lock);
    return failures;
}

/* Counts a call; true if it is one that has to fail. */
static bool fails(enum fault fault, const char *url)
{
    bool failing = false;
    pthread_mutex_lock(&lock);
    struct plan *plan = &plans[fault];
    if (plan->times != 0 && strstr(url, plan->where)) {
        if (plan->delay > 0) {
            plan->delay--;
        } else {
            failing = true;
            plan->failures++;
            if (plan->times > 0)
                plan->times--;
        }
    }
    pthread_mutex_unlock(&lock);
    return failing;
}

/* ---- the layer ---- */

static fake_sql_t *fake(sql_t *sql)
{
    return (fake_sql_t *) sql;
}

/* What the real one said becomes what we say. */
static status_t pass(sql_t *sql, status_t status)
{
    return status == OK ? OK : sql_fail(sql, status, "%s", sql_errmsg(fake(sql)->real));
}

static status_t planted(sql_t *sql)
{
    return sql_fail(sql, ERR_UNAVAILABLE, "a fault planted by a test");
}

static status_t fake_begin(sql_t *sql)
{
    if (fails(FAULT_BEGIN, fake(sql)->url))
        return planted(sql);
    return pass(sql, sql_begin(fake(sql)->real));
}

static status_t fake_begin_read(sql_t *sql)
{
    if (fails(FAULT_BEGIN, fake(sql)->url))
        return planted(sql);
    return pass(sql, sql_begin_read(fake(sql)->real));
}

static status_t fake_commit(sql_t *sql)
{
    if (fails(FAULT_COMMIT, fake(sql)->url)) {
        sql_rollback(fake(sql)->real);
        return planted(sql);
    }
    status_t status = pass(sql, sql_commit(fake(sql)->real));
    if (status == OK && fails(FAULT_COMMIT_UNKNOWN, fake(sql)->url))
        return planted(sql);
    return status;
}

static void fake_rollback(sql_t *sql)
{
    sql_rollback(fake(sql)->real);
}

static status_t fake_run(sql_t *sql, const char *text, const struct sql_value values[],
                         size_t count, uint64_t *ret_changed)
{
    if (fails(FAULT_STATEMENT, fake(sql)->url))
        return planted(sql);
    return pass(sql, sql_run(fake(sql)->real, text, values, count, ret_changed));
}

static status_t fake_insert(sql_t *sql, const char *text, size_t columns,
                            const struct sql_value values[], size_t rows)
{
    if (fails(FAULT_STATEMENT, fake(sql)->url))
        return planted(sql);
    return pass(sql, sql_insert(fake(sql)->real, text, columns, values, rows));
}

/* The result is the real one's, and calls on it go there. */
static status_t fake_query(sql_t *sql, const char *text, const struct sql_value values[],
                           size_t count, sql_rows_t **ret_rows)
{
    if (fails(FAULT_QUERY, fake(sql)->url))
        return planted(sql);
    return pass(sql, sql_query(fake(sql)->real, text, values, count, ret_rows));
}

static status_t fake_script(sql_t *sql, const char *text)
{
    return pass(sql, sql_script(fake(sql)->real, text));
}

static status_t fake_clock(sql_t *sql, int64_t *ret_us)
{
    if (fails(FAULT_QUERY, fake(sql)->url))
        return planted(sql);
    return pass(sql, sql_clock(fake(sql)->real, ret_us));
}

static status_t fake_backup(sql_t *sql, const char *path)
{
    return pass(sql, sql_backup(fake(sql)->real, path));
}

static status_t fake_migrate_lock(sql_t *sql)
{
    return pass(sql, fake(sql)->real->adapter->migrate_lock(fake(sql)->real));
}

static status_t fake_migrate_unlock(sql_t *sql, bool keep)
{
    return pass(sql, fake(sql)->real->adapter->migrate_unlock(fake(sql)->real, keep));
}

static void fake_close(sql_t *sql)
{
    sql_close(&fake(sql)->real);
    free(fake(sql)->url);
    free(sql);
}

static status_t fake_open(const char *where, enum sql_mode mode, sql_t **ret_sql);

static const struct sql_adapter adapter = {
    .scheme = "faulty",
    .open = fake_open,
    .close = fake_close,
    .begin = fake_begin,
    .begin_read = fake_begin_read,
    .commit = fake_commit,
    .rollback = fake_rollback,
    .run = fake_run,
    .insert = fake_insert,
    .query = fake_query,
    .script = fake_script,
    .clock = fake_clock,
    .backup = fake_backup,
    .migrate_lock = fake_migrate_lock,
    .migrate_unlock = fake_migrate_unlock,
};

static status_t fake_open(const char *where, enum sql_mode mode, sql_t **ret_sql)
{
    fake_sql_t *self = calloc(1, sizeof *self);
    assert(self);
    self->sql.adapter = &adapter;
    self->url = strdup(where);
    assert(self->url);
    *ret_sql = &self->sql;
    if (fails(FAULT_OPEN, where))
        return planted(&self->sql);
    status_t status = sql_open(where, mode, &self->real);
    if (status != OK)
        return sql_fail(&self->sql, status, "%s", sql_errmsg(NULL));
    self->sql.dialect = self->real->dialect;
    return OK;
}

void fake_sql_register(void)
{
    sql_adapter_register(&adapter);
}
