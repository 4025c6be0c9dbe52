/* SPDX-License-Identifier: MIT */
/* follower_lease.h - which of several processes follows which shard, inside.
 *
 *     follower ──[struct lease_order][barred]──▶ keeper ──store_lease()──▶ store
 *              ◀────[members][owned]──────────     │
 *                                                  └ every third of the leases' time
 *
 * The keeper is a thread of its own with a store handle of its own: leases live on
 * however long the follower's turn takes, when an index is made anew or a server that
 * is away uses up a time-out. While the store does not answer it says nothing, and the
 * follower goes on with what it has: what keeps two from doing the same twice is the
 * compare-and-set of the position, not the lease. Included by follower*.c only.
 */
#ifndef ACTORS_FOLLOWER_LEASE_H
#define ACTORS_FOLLOWER_LEASE_H

#include <czmq.h>

#include "common/actor.h"

/* Begins to keep leases with the first order. Stopped, it gives them up, so that others
 * take over at once. */
void follower_lease_actor(zsock_t *pipe, void *args);

struct lease_order {
    char follower[16]; /* FOLLOWER_PERSISTENCE and so on */
};

/* Both frames are bytes of this process; `barred` and `owned` are one bool a shard. */
bool follower_lease_order(zactor_t *keeper, const char *follower, const bool barred[],
                          unsigned shards);
/* The newest of what the keeper said; false: nothing new. */
bool follower_lease_take(zactor_t *keeper, bool ret_owned[], unsigned shards,
                         unsigned *ret_members);

#endif
