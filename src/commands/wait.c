/* SPDX-License-Identifier: MIT */
#include "commands/wait.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum { WAIT_US = 30000000, LOOK_US = 20000 }; /* without any progress */

static bool reached(const struct journal_meta *meta, const struct position *position, bool found)
{
    return found && position->epoch == meta->epoch && position->seq >= meta->last_seq;
}

static status_t head_read(data_set_t *data_set, unsigned shard, struct journal_meta *ret_meta)
{
    bool found = false;
    status_t status = journal_meta(data_set->journal, shard, ret_meta, &found);
    return status == OK && (!found || ret_meta->mark) ? ERR_CLOSED : status;
}

static status_t failed(const data_set_t *data_set, unsigned shard, status_t status)
{
    bool history = status == ERR_CLOSED || status == ERR_DIVERGED;
    if (status != OK)
        log_error("store_behind", "shard=%u status=%s reason=\"%s\" journal=\"%s\" store=\"%s\"%s",
                  shard, status_name(status), status_text(status),
                  journal_errmsg(data_set->journal), store_errmsg(data_set->store),
                  history ? " do=\"confab rebuild\"" : "");
    return status;
}

/* A server that lives does it: two would be in each other's way. */
static status_t step_unserved(catch_up_t *catch_up, unsigned shard, bool *ret_moved)
{
    bool served = false;
    struct position position;
    status_t status = data_set_shard_served(catch_up->data_set, shard, &served);
    if (status != OK || served)
        return status;
    status = catch_up_step(catch_up, shard, &position);
    *ret_moved = status == OK && catch_up->entries.count > 0;
    return status;
}

/* catch_up NULL: somebody else moves the store. */
static status_t shard_wait(data_set_t *data_set, catch_up_t *catch_up, unsigned shard)
{
    int64_t until_us = clock_monotonic_us() + WAIT_US;
    struct journal_meta meta = {0};
    struct position position = {0};
    status_t status = head_read(data_set, shard, &meta);
    for (uint64_t before = 0; status == OK; before = position.seq) {
        bool found = false, moved = false;
        status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &position, &found);
        if (status != OK || reached(&meta, &position, found))
            break;
        if (position.seq != before)
            until_us = clock_monotonic_us() + WAIT_US;
        else if (clock_monotonic_us() >= until_us)
            status = ERR_STORE_BEHIND;
        if (status == OK && catch_up)
            status = step_unserved(catch_up, shard, &moved);
        if (!moved)
            usleep(LOOK_US);
    }
    return failed(data_set, shard, status);
}

status_t wait_for_store(data_set_t *data_set)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < data_set->config.shards; shard++)
        status = shard_wait(data_set, NULL, shard);
    return status;
}

status_t wait_or_catch_up_shard(catch_up_t *catch_up, unsigned shard)
{
    return shard_wait(catch_up->data_set, catch_up, shard);
}

status_t wait_or_catch_up(catch_up_t *catch_up)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < catch_up->data_set->config.shards; shard++)
        status = wait_or_catch_up_shard(catch_up, shard);
    return status;
}

status_t store_at_head(data_set_t *data_set, bool *ret_reached)
{
    status_t status = OK;
    *ret_reached = true;
    for (unsigned shard = 0; status == OK && shard < data_set->config.shards; shard++) {
        struct journal_meta meta = {0};
        struct position position;
        bool found = false, holds = false;
        status = head_read(data_set, shard, &meta);
        if (status == OK)
            status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &position,
                                    &found);
        if (status == OK && found)
            status = journal_holds(data_set->journal, shard, &position, &holds);
        if (status == OK && !holds)
            status = ERR_DIVERGED;
        *ret_reached = *ret_reached && status == OK && reached(&meta, &position, found);
        status = failed(data_set, shard, status);
    }
    return status;
}
