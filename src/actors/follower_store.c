/* SPDX-License-Identifier: MIT */
/* follower_store.c - what roles ask of the positions in the store. */
#include "actors/follower.h"

status_t follower_stands(store_t *store, const char *follower, unsigned shard,
                         const struct position *position)
{
    struct position stored;
    bool found;
    status_t status = store_position(store, follower, shard, &stored, &found);
    bool stands = found && position_equal(position, &stored);
    return status == OK && !stands ? ERR_CONFLICT : status;
}

status_t follower_cut(store_t *store, unsigned shard, struct entries *entries)
{
    struct position stored;
    bool found;
    status_t status = store_position(store, FOLLOWER_PERSISTENCE, shard, &stored, &found);
    if (status != OK)
        return status;
    while (entries->count > 0) {
        const struct entry *last = &entries->entry[entries->count - 1];
        if (found && last->epoch == stored.epoch && entry_last_seq(last) <= stored.seq)
            break;
        entries->count--;
    }
    return OK;
}

status_t follower_rejoins(journal_t *journal, store_t *store, unsigned shard,
                          const struct position *position)
{
    struct position stored;
    bool found, holds = false;
    status_t status = store_position(store, FOLLOWER_PERSISTENCE, shard, &stored, &found);
    if (status == OK && found && !position_equal(position, &stored))
        status = journal_holds(journal, shard, &stored, &holds);
    return status == OK && !holds ? ERR_DIVERGED : status;
}
