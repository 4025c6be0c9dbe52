/* SPDX-License-Identifier: MIT */
/* store_apply.c - persistence: records become rows.
 *
 * The position moves first: with the rows first, the slower of two followers
 * would take its twin's rows for bad data. Creations of messages that follow
 * each other go together; everything else is rare and goes one by one.
 */
#include <assert.h>

#include "storage/store_internal.h"

/* ---- records in their order ---- */

/* What has to happen to a record: be applied, be put aside, or nothing. */
static status_t record_fate(store_t *store, const struct dead_roots *roots,
                            const struct record *record, enum dead_cover *ret_cover)
{
    *ret_cover = COVER_NONE;
    return dead_roots_may_cover(roots, record) ? dead_cover(store, record, ret_cover) : OK;
}

/* How many records from the first on are creations of messages, good ones. */
static status_t messages_run(store_t *store, const struct dead_roots *roots,
                             const struct record records[], size_t count, const bool *dead,
                             size_t *ret_run)
{
    size_t run = 0;
    for (; run < count; run++) {
        enum dead_cover cover = COVER_NONE;
        if (records[run].type != records[0].type || (dead && dead[run]))
            break;
        status_t status = record_fate(store, roots, &records[run], &cover);
        if (status != OK)
            return status;
        if (cover != COVER_NONE)
            break;
    }
    *ret_run = run;
    return OK;
}

static status_t records_apply_in_order(store_t *store, unsigned shard,
                                       const struct record records[], size_t count,
                                       const bool *dead, const char *dead_reason)
{
    struct dead_roots roots;
    status_t status = dead_roots_read(store, &roots);
    for (size_t i = 0, run; status == OK && i < count; i += run) {
        const bool *dead_here = dead ? dead + i : NULL;
        if (record_creates_message(&records[i])) {
            status = messages_run(store, &roots, records + i, count - i, dead_here, &run);
            if (status == OK && run > 0) {
                status = messages_create(store, records + i, run);
                continue;
            }
        }
        run = 1;
        enum dead_cover cover = COVER_NONE;
        if (status == OK)
            status = record_fate(store, &roots, &records[i], &cover);
        if (status != OK)
            break;
        if (cover == COVER_NONE && !(dead && dead[i])) {
            status = record_apply(store, &records[i]);
        } else if (cover != COVER_DROPPED) {
            const char *reason = dead && dead[i] ? dead_reason : "belongs to a dead record";
            status = dead_put(store, shard, &records[i], reason, cover == COVER_DEAD);
            if (status == OK)
                status = dead_roots_read(store, &roots);
        }
    }
    return status;
}

status_t records_apply(store_t *store, unsigned shard, const struct record records[], size_t count,
                       const bool *dead, const char *dead_reason)
{
    status_t status = records_apply_in_order(store, shard, records, count, dead, dead_reason);
    return status == ERR_CONFLICT ? ERR_DATA : status;
}

/* ---- the port ---- */

status_t store_apply(store_t *store, const struct change *change)
{
    assert(change->count > 0 && (!change->dead || change->dead_reason));
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = position_move(store, FOLLOWER_PERSISTENCE, change->shard, &change->from, &change->to);
    if (status == OK)
        status = records_apply(store, change->shard, change->records, change->count, change->dead,
                               change->dead_reason);
    return store_status(store_finish(store, status));
}

status_t store_try(store_t *store, const struct record records[], size_t count)
{
    status_t status = sql_begin(store->sql);
    if (status != OK)
        return store_status(status);
    status = records_apply(store, 0, records, count, NULL, NULL);
    sql_rollback(store->sql);
    return store_status(status);
}
