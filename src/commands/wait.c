/* SPDX-License-Identifier: MIT */
#include "commands/wait.h"

#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

enum { WAIT_US = 30000000, LOOK_US = 20000 };

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

static status_t shard_wait(data_set_t *data_set, unsigned shard, int64_t until_us)
{
    struct journal_meta meta = {0};
    struct position position;
    bool found = false;
    status_t status = head_read(data_set, shard, &meta);
    while (status == OK) {
        status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &position, &found);
        if (status != OK || reached(&meta, &position, found))
            break;
        if (clock_monotonic_us() >= until_us)
            status = ERR_STORE_BEHIND;
        usleep(LOOK_US);
    }
    return failed(data_set, shard, status);
}

status_t wait_for_store(data_set_t *data_set)
{
    int64_t until_us = clock_monotonic_us() + WAIT_US;
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < data_set->config.shards; shard++)
        status = shard_wait(data_set, shard, until_us);
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
