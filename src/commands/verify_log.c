/* SPDX-License-Identifier: MIT */
/* verify_log.c - the entries of the log, and where its followers stand in it. */
#include <stdlib.h>
#include <unistd.h>

#include "commands/verify.h"

enum {
    RECORDS_MAX = 4096, /* about, of one read */
    BYTES_MAX = 4 << 20,
    LOOKS = 10, /* at what a server may be moving */
    LOOK_US = 50000,
};

typedef unsigned long long number;

/* ---- entries ---- */

struct walk {
    struct verify *verify;
    unsigned shard;
    struct journal_meta meta;
    struct position last; /* of the entry before */
    bool started;
    uint64_t next; /* seq to go on at */
    struct entries entries;
};

static status_t meta_read(struct walk *walk)
{
    bool found = false;
    status_t status = journal_meta(walk->verify->data_set->journal, walk->shard, &walk->meta,
                                   &found);
    return status == OK && !found ? ERR_CONFIG : status;
}

/* An entry that does not follow the last one is a fault, unless what was between
 * them has just been trimmed. */
static status_t entry_take(struct walk *walk, const struct entry *entry)
{
    bool follows = walk->started ? entry_follows(entry, &walk->last) : entry->seq <= walk->next;
    status_t status = follows ? OK : meta_read(walk);
    if (status == OK && !follows && walk->meta.first_seq <= walk->next)
        verify_fault(walk->verify,
                     "shard %u: the entry at seq %llu of the log does not follow what is before it",
                     walk->shard, (number) entry->seq);
    walk->last = entry_position(entry, 0);
    walk->next = walk->last.seq + 1;
    walk->started = true;
    return status;
}

/* The end of the log must be what its meta says. *ret_again: up to `goal` something is
 * there still to be read. */
static status_t end_check(struct walk *walk, uint64_t goal, bool *ret_again)
{
    status_t status = meta_read(walk);
    *ret_again = false;
    if (status != OK || walk->meta.first_seq > walk->meta.last_seq)
        return status;
    if (walk->next < walk->meta.first_seq) { /* trimmed meanwhile */
        walk->next = walk->meta.first_seq;
        walk->started = false;
    }
    if (walk->next <= goal)
        *ret_again = true;
    else if (walk->last.seq == walk->meta.last_seq &&
             !entry_name_equal(walk->last.name, walk->meta.last_name))
        verify_fault(walk->verify,
                     "shard %u: the last entry of the log is not the one it should be",
                     walk->shard);
    return OK;
}

static status_t entries_take(struct walk *walk)
{
    status_t status = journal_read_from(walk->verify->data_set->journal, walk->shard, walk->next,
                                        RECORDS_MAX, BYTES_MAX, &walk->entries);
    for (size_t i = 0; status == OK && i < walk->entries.count; i++)
        status = entry_take(walk, &walk->entries.entry[i]);
    return status;
}

/* Up to where the log ends now: what servers go on appending is not waited for. */
static status_t entries_walk(struct walk *walk)
{
    const uint64_t goal = walk->meta.last_seq;
    status_t status = OK;
    walk->next = walk->meta.first_seq;
    for (int looks = 0; status == OK && looks < LOOKS;) {
        bool again = false;
        status = entries_take(walk);
        if (status != OK || (walk->entries.count > 0 && walk->next <= goal))
            continue;
        status = end_check(walk, goal, &again);
        if (status != OK || !again)
            return status;
        looks++;
    }
    if (status == ERR_CORRUPT) {
        verify_fault(walk->verify, "shard %u: %s; what is behind it was not looked at", walk->shard,
                     journal_errmsg(walk->verify->data_set->journal));
        return OK;
    }
    if (status == OK)
        verify_fault(walk->verify, "shard %u: seq %llu to %llu are missing at the end of the log",
                     walk->shard, (number) walk->next, (number) goal);
    return status;
}

/* ---- positions ---- */

static status_t position_read(const struct verify *verify, const char *follower, unsigned shard,
                              struct position *ret_position, bool *ret_found)
{
    return store_position(verify->data_set->store, follower, shard, ret_position, ret_found);
}

/* A position that moves while it is looked for is looked for again. */
static status_t position_holds(const struct verify *verify, const char *follower, unsigned shard,
                               struct position *ret_position, bool *ret_found, bool *ret_holds)
{
    status_t status = position_read(verify, follower, shard, ret_position, ret_found);
    *ret_holds = false;
    for (int looks = 0; status == OK && *ret_found && looks < LOOKS; looks++) {
        struct position again;
        status = journal_holds(verify->data_set->journal, shard, ret_position, ret_holds);
        if (status != OK || *ret_holds)
            break;
        status = position_read(verify, follower, shard, &again, ret_found);
        if (status != OK || !verify->moving || position_same_place(&again, ret_position))
            break;
        *ret_position = again;
        usleep(LOOK_US);
    }
    return status;
}

static status_t persistence_check(struct verify *verify, const struct walk *walk,
                                  struct position *ret_position)
{
    bool found, holds;
    status_t status = position_holds(verify, FOLLOWER_PERSISTENCE, walk->shard, ret_position,
                                     &found, &holds);
    if (status != OK)
        return status;
    if (!found)
        verify_fault(verify, "shard %u: the store has no position in the log", walk->shard);
    else if (!holds)
        verify_fault(verify,
                     "shard %u: seq %llu, where the store stands, is not in the log: "
                     "confab rebuild mends it",
                     walk->shard, (number) ret_position->seq);
    else if (!verify->served && ret_position->seq < walk->meta.last_seq)
        verify_pending(verify, "shard %u: %llu records are in the log and not in the store yet",
                       walk->shard, (number) (walk->meta.last_seq - ret_position->seq));
    return OK;
}

static status_t counting_check(struct verify *verify, unsigned shard, const struct position *stored)
{
    struct position position;
    bool found, holds;
    status_t status = position_holds(verify, FOLLOWER_COUNTING, shard, &position, &found, &holds);
    if (status != OK || verify->served)
        return status;
    if (!found || !holds)
        verify_pending(verify, "shard %u: everything is to be counted anew", shard);
    else if (position.seq < stored->seq)
        verify_pending(verify, "shard %u: %llu records are in the store and not counted yet", shard,
                       (number) (stored->seq - position.seq));
    return OK;
}

static status_t hold_check(struct verify *verify, const char *follower, const char *what,
                           unsigned shard)
{
    struct position position;
    bool found;
    status_t status = position_read(verify, follower, shard, &position, &found);
    if (status == OK && found)
        verify_note(verify,
                    "shard %u: the log is held at seq %llu by a %s; if none is running, "
                    "confab release lets it go",
                    shard, (number) position.seq, what);
    return status;
}

static status_t shard_verify(struct verify *verify, unsigned shard)
{
    struct walk walk = {.verify = verify, .shard = shard};
    struct position stored = {0};
    status_t status = meta_read(&walk);
    bool closed = status == OK && walk.meta.mark;
    if (closed)
        verify_fault(verify, "shard %u is closed: its history was lost; confab rebuild mends it",
                     shard);
    if (status == OK)
        status = entries_walk(&walk);
    if (status == OK && !closed)
        status = persistence_check(verify, &walk, &stored);
    if (status == OK && !closed)
        status = counting_check(verify, shard, &stored);
    if (status == OK)
        status = hold_check(verify, FOLLOWER_HOLD, "backup", shard);
    if (status == OK)
        status = hold_check(verify, FOLLOWER_REINDEX, "reindex", shard);
    entries_free(&walk.entries);
    return status;
}

status_t verify_log(struct verify *verify)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < verify->shards; shard++)
        status = shard_verify(verify, shard);
    return status == OK ? OK : verify_failed(verify, status);
}
