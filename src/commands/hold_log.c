/* SPDX-License-Identifier: MIT */
#include "commands/hold_log.h"

#include "common/log.h"

static status_t failed(const store_t *store, status_t status)
{
    log_error("hold", "status=%s reason=\"%s\" detail=\"%s\"", status_name(status),
              status_text(status), store_errmsg(store));
    return status;
}

static status_t store_part(const struct config *config, store_t **ret_store, unsigned *ret_shards)
{
    uint64_t data_set;
    bool found = false;
    store_t *store = NULL;
    status_t status = store_open(config->store, false, &store);
    if (status == OK)
        status = store_data_set(store, &data_set, ret_shards, &found);
    if (status == OK && !found)
        status = ERR_CONFIG;
    if (status != OK) {
        failed(store, status);
        store_close(&store);
        return status;
    }
    *ret_store = store;
    return OK;
}

/* Where the follower stands that is the last; up to there the log may be trimmed. */
static status_t last_position(store_t *store, unsigned shard, struct position *ret_position)
{
    static const char *const followers[] = {FOLLOWER_INDEXING, FOLLOWER_COUNTING};
    bool found;
    status_t status = store_position(store, FOLLOWER_PERSISTENCE, shard, ret_position, &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    for (size_t i = 0; status == OK && i < sizeof followers / sizeof *followers; i++) {
        struct position other;
        status = store_position(store, followers[i], shard, &other, &found);
        if (status == OK && found && other.epoch == ret_position->epoch &&
            other.seq < ret_position->seq)
            *ret_position = other;
    }
    return status;
}

static status_t shard_hold(store_t *store, unsigned shard)
{
    struct position position;
    status_t status = last_position(store, shard, &position);
    return status == OK ? store_position_add(store, FOLLOWER_HOLD, shard, &position) : status;
}

status_t hold_log(const struct config *config)
{
    store_t *store;
    unsigned shards = 0;
    status_t status = store_part(config, &store, &shards);
    if (status != OK)
        return status;
    for (unsigned shard = 0; status == OK && shard < shards; shard++)
        status = shard_hold(store, shard);
    if (status == ERR_EXISTS)
        log_error("hold",
                  "status=%s reason=\"the log is held already\" do=\"wait for the other "
                  "backup, or confab release if there is none\"",
                  status_name(status));
    else if (status != OK)
        failed(store, status);
    if (status != OK && status != ERR_EXISTS && store_position_remove(store, FOLLOWER_HOLD) != OK)
        log_error("hold", "reason=\"it could not be undone\" do=\"confab release\"");
    store_close(&store);
    return status;
}

static status_t holder_remove(store_t *store, const char *follower, unsigned shards, bool *held)
{
    struct position position;
    bool found = false;
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < shards; shard++) {
        status = store_position(store, follower, shard, &position, &found);
        *held |= status == OK && found;
    }
    return status == OK ? store_position_remove(store, follower) : status;
}

status_t hold_release(const struct config *config, bool *ret_held)
{
    store_t *store;
    unsigned shards = 0;
    bool held = false;
    status_t status = store_part(config, &store, &shards);
    if (status != OK)
        return status;
    status = holder_remove(store, FOLLOWER_HOLD, shards, &held);
    if (status == OK)
        status = holder_remove(store, FOLLOWER_REINDEX, shards, &held);
    if (status == OK)
        *ret_held = held;
    else
        failed(store, status);
    store_close(&store);
    return status;
}
