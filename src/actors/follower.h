/* SPDX-License-Identifier: MIT */
/* follower.h - the loop that persistence, indexing and counting share.
 *
 *     journal ──entries──▶ apply ──▶ position
 *
 * A follower finds out where it stands (locate), then reads the log from there
 * and applies it, batch by batch. Whether something took effect is told by the
 * position alone, which moves together with the effect; a wake-up is a hint, and
 * the log is looked at every 100 ms all the same. For each shard:
 *
 *     LOCATING ──located──▶ FOLLOWING ──failed──▶ WAITING ──time is up──▶ LOCATING
 *        ▲                      └──position moved by a twin──▶ LOCATING
 *        └──leased── STANDBY ◀──lease lost── any of these
 *
 * Where the store is a server, other processes may follow too: they share the shards
 * by leases (actors/follower_lease.h), and one that another process has is in STANDBY.
 * In one process alone there is no such state.
 */
#ifndef ACTORS_FOLLOWER_H
#define ACTORS_FOLLOWER_H

#include <czmq.h>

#include "common/actor.h"
#include "storage/journal.h"
#include "storage/store.h"

enum follower_state {
    FOLLOWER_LOCATING,
    FOLLOWER_FOLLOWING,
    FOLLOWER_WAITING,
    FOLLOWER_STANDBY,
    FOLLOWER_STATES
};

struct follower_shard {
    unsigned shard;
    enum follower_state state;
    struct position position; /* FOLLOWING: how far it got */
    int64_t retry_us;         /* WAITING: until then (monotonic) */
    unsigned failures;        /* in a row */
    bool barred;              /* its history is lost: it waits for a rebuild, without a lease */
};

/* What the three differ in. `self` is theirs; errors are told by errmsg. */
struct follower_role {
    const char *name;              /* FOLLOWER_PERSISTENCE and so on */
    const char *wakes_at;          /* endpoint to subscribe to */
    unsigned pace_ms;              /* while busy, one batch at most in this time */
    unsigned look_shared_ms;       /* between looks while other processes follow too, whose
                                        * wake-ups do not come here; 0: as when alone */
    bool bars;                     /* a shard whose history is lost gets no lease, so that a
                                        * rebuild sees that nobody lives on it */
    size_t records_max, bytes_max; /* of one batch, about */

    /* Opens what it needs, in the actor's thread; `journal` is the follower's own
     * handle, and something on `pipe` means that long work should be given up. What
     * is merely away (ERR_STORE, ERR_SEARCH, ERR_JOURNAL) is opened again later, after
     * close(). */
    status_t (*open)(void *self, const struct actor_args *args, journal_t *journal, zsock_t *pipe);
    /* Also after an open() that failed. */
    void (*close)(void *self);
    /* Where the shard's position stands. */
    status_t (*locate)(void *self, unsigned shard, struct position *ret_position);
    /* Applies the entries, at least one, and moves the position to the last of
     * them; or fewer, even none: *ret_position tells. ERR_CONFLICT: a twin moved it. */
    status_t (*apply)(void *self, unsigned shard, const struct position *from,
                      struct entries *entries, struct position *ret_position);
    /* May be NULL. In a turn that applied something, in whatever shards, before tend():
     * what apply() promised takes effect. Failed: every shard that follows locates anew. */
    status_t (*flush)(void *self);
    /* The log does not continue at the position. What to do about it; OK: locate again. */
    status_t (*cut_off)(void *self, unsigned shard, const struct position *position);
    /* Once a turn for each shard that follows, busy or not: a bounded piece of
     * housekeeping. *ret_more: there is more of it, do not sleep. */
    status_t (*tend)(void *self, unsigned shard, const struct position *position, bool *ret_more);
    /* Once at the end for each shard that follows. */
    status_t (*finish)(void *self, unsigned shard, const struct position *position);
    const char *(*errmsg)(void *self);
};

/* The whole life of a follower; the body of its actor function. */
void follower_run(zsock_t *pipe, const struct actor_args *args, const struct follower_role *role,
                  void *self);

/* For roles whose position is the store's, once in a while when idle: ERR_CONFLICT if the
 * row is not what the role left there. The store may have come back older than it went. */
MUST_CHECK status_t follower_stands(store_t *store, const char *follower, unsigned shard,
                                    const struct position *position);

/* For roles that never go past persistence: leaves out the entries that the
 * store has not taken in yet. */
MUST_CHECK status_t follower_cut(store_t *store, unsigned shard, struct entries *entries);

/* For roles that start over from the store when they are cut off at `position`:
 * ERR_DIVERGED if they would stand where the log does not go on either. */
MUST_CHECK status_t follower_rejoins(journal_t *journal, store_t *store, unsigned shard,
                                     const struct position *position);

#endif
