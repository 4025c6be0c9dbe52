/* SPDX-License-Identifier: MIT */
/* store_lease.c - several processes share the shards of a follower.
 *
 * Leases have tables of their own. A renewal comes every second or so and from
 * everybody, and must not wait for the row that persistence holds while it writes a
 * batch, nor keep a batch waiting. Rows are changed one by one in the order of the
 * shards, each by compare-and-set, so that nobody waits in a ring and nobody takes
 * what somebody else has just taken.
 */
#include <assert.h>
#include <string.h>

#include "storage/store_internal.h"

/* Who was not heard of for so long is forgotten. */
#define MEMBER_KEPT_US (60 * LEASE_US)

struct lease {
    uint64_t owner; /* 0: nobody */
    int64_t until;
};

/* One call. */
struct leasing {
    store_t *store;
    struct sql_value follower;
    uint64_t owner;
    unsigned shards;
    const bool *barred;
    int64_t now;
    unsigned members;
    struct lease leases[SHARDS_MAX];
    bool found[SHARDS_MAX]; /* there is a row */
};

static bool is_barred(const struct leasing *self, unsigned shard)
{
    return self->barred && self->barred[shard];
}

/* ---- members ---- */

static status_t member_renew(struct leasing *self)
{
    uint64_t changed = 0;
    struct sql_value owner = sql_number(self->owner);
    struct sql_value until = sql_integer(self->now + LEASE_US);
    status_t status = sql_run(self->store->sql,
                              "UPDATE lease_members SET alive_until = ? "
                              "WHERE follower = ? AND owner = ?",
                              SQL_VALUES(until, self->follower, owner), &changed);
    if (status != OK || changed > 0)
        return status;
    return sql_run(self->store->sql,
                   "INSERT INTO lease_members (follower, owner, alive_until) VALUES (?, ?, ?)",
                   SQL_VALUES(self->follower, owner, until), NULL);
}

/* How many live, and whether somebody is to be forgotten. */
static status_t members_count(struct leasing *self, bool *ret_forget)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->store->sql,
                                "SELECT alive_until FROM lease_members WHERE follower = ?",
                                SQL_VALUES(self->follower), &rows);
    if (status != OK)
        return status;
    *ret_forget = false;
    while (sql_next(rows)) {
        int64_t until = sql_column_integer(rows, 0);
        self->members += until > self->now;
        *ret_forget = *ret_forget || until < self->now - MEMBER_KEPT_US;
    }
    return sql_end(&rows);
}

/* Alone, so that it waits for nobody with locks in its hands. */
static status_t members_forget(struct leasing *self)
{
    return sql_run(self->store->sql,
                   "DELETE FROM lease_members WHERE follower = ? AND alive_until < ?",
                   SQL_VALUES(self->follower, sql_integer(self->now - MEMBER_KEPT_US)), NULL);
}

/* ---- leases ---- */

static status_t leases_read(struct leasing *self)
{
    sql_rows_t *rows;
    status_t status = sql_query(self->store->sql,
                                "SELECT shard, owner, lease_until FROM leases WHERE follower = ?",
                                SQL_VALUES(self->follower), &rows);
    if (status != OK)
        return status;
    while (sql_next(rows)) {
        int64_t shard = sql_column_integer(rows, 0);
        if (shard < 0 || shard >= self->shards)
            continue;
        self->found[shard] = true;
        self->leases[shard] = (struct lease){
            .owner = sql_column_number(rows, 1),
            .until = sql_column_integer(rows, 2),
        };
    }
    return sql_end(&rows);
}

/* The first time of a follower: rows for all, that nobody holds. Somebody else may be
 * doing the same. */
static status_t leases_make(struct leasing *self)
{
    status_t status = leases_read(self);
    for (unsigned shard = 0; status == OK && shard < self->shards; shard++) {
        if (self->found[shard])
            continue;
        status = sql_run(self->store->sql,
                         "INSERT INTO leases (follower, shard, owner, lease_until) "
                         "VALUES (?, ?, 0, 0)",
                         SQL_VALUES(self->follower, sql_integer(shard)), NULL);
        if (status == ERR_CONFLICT)
            status = OK;
    }
    return status;
}

/* From what was read to what is wished; *ret_held: by us now. */
static status_t lease_set(struct leasing *self, unsigned shard, struct lease to, bool *ret_held)
{
    const struct lease *from = &self->leases[shard];
    uint64_t changed;
    status_t status = sql_run(self->store->sql,
                              "UPDATE leases SET owner = ?, lease_until = ? WHERE follower = ? "
                              "AND shard = ? AND owner = ? AND lease_until = ?",
                              SQL_VALUES(sql_number(to.owner), sql_integer(to.until),
                                         self->follower, sql_integer(shard),
                                         sql_number(from->owner), sql_integer(from->until)),
                              &changed);
    if (status == OK)
        *ret_held = changed > 0 && to.owner == self->owner;
    return status;
}

/* Keeps what we hold up to the fair share, gives the rest back, takes what is free. */
static status_t leases_share(struct leasing *self, bool *ret_owned)
{
    unsigned share = (self->shards + self->members - 1) / self->members;
    unsigned kept = 0, held = 0;
    for (unsigned shard = 0; shard < self->shards; shard++)
        kept += self->leases[shard].owner == self->owner && !is_barred(self, shard);
    unsigned to_take = kept < share ? share - kept : 0;

    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < self->shards; shard++) {
        const struct lease *lease = &self->leases[shard];
        bool mine = lease->owner == self->owner, barred = is_barred(self, shard);
        struct lease to = {.owner = self->owner, .until = self->now + LEASE_US};
        ret_owned[shard] = false;
        if (mine) {
            if (barred || held == share)
                to = (struct lease){0};
        } else if (barred || to_take == 0 || (lease->owner && lease->until > self->now)) {
            continue;
        }
        status = lease_set(self, shard, to, &ret_owned[shard]);
        held += ret_owned[shard];
        to_take -= !mine && ret_owned[shard];
    }
    return status;
}

/* ---- the port ---- */

static status_t lease(struct leasing *self, bool *ret_owned, bool *ret_forget)
{
    status_t status = member_renew(self);
    if (status == OK)
        status = members_count(self, ret_forget);
    if (status == OK)
        status = leases_read(self);
    return status == OK ? leases_share(self, ret_owned) : status;
}

static bool leases_complete(const struct leasing *self)
{
    unsigned shard = 0;
    while (shard < self->shards && self->found[shard])
        shard++;
    return shard == self->shards;
}

status_t store_lease(store_t *store, const char *follower, uint64_t owner, unsigned shards,
                     const bool *barred, bool *ret_owned, unsigned *ret_members)
{
    assert(owner != 0 && shards > 0 && shards <= SHARDS_MAX);
    struct leasing self = {
        .store = store,
        .follower = sql_text(follower, strlen(follower)),
        .owner = owner,
        .shards = shards,
        .barred = barred,
    };
    bool forget = false;
    status_t status = leases_read(&self);
    if (status == OK && !leases_complete(&self))
        status = leases_make(&self);
    if (status == OK)
        status = sql_clock(store->sql, &self.now);
    if (status == OK)
        status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = store_finish(store, lease(&self, ret_owned, &forget));
    if (status == OK && forget)
        status = members_forget(&self);
    if (status == OK)
        *ret_members = self.members;
    return store_status(status);
}

status_t store_lease_end(store_t *store, const char *follower, uint64_t owner)
{
    struct sql_value name = sql_text(follower, strlen(follower));
    status_t status = sql_run(store->sql,
                              "UPDATE leases SET owner = 0, lease_until = 0 "
                              "WHERE follower = ? AND owner = ?",
                              SQL_VALUES(name, sql_number(owner)), NULL);
    if (status == OK)
        status = sql_run(store->sql, "DELETE FROM lease_members WHERE follower = ? AND owner = ?",
                         SQL_VALUES(name, sql_number(owner)), NULL);
    return store_status(status);
}

status_t store_lease_until(store_t *store, const char *follower, unsigned shard, int64_t *ret_until,
                           int64_t *ret_now)
{
    sql_rows_t *rows;
    status_t status = sql_clock(store->sql, ret_now);
    if (status == OK)
        status = store_query_one(
            store, "SELECT lease_until FROM leases WHERE follower = ? AND shard = ?",
            SQL_VALUES(sql_text(follower, strlen(follower)), sql_integer(shard)), &rows);
    if (status != OK)
        return store_status(status);
    *ret_until = rows ? sql_column_integer(rows, 0) : 0;
    return store_status(sql_end(&rows));
}
