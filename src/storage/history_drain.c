/* SPDX-License-Identifier: MIT */
/* history_drain.c - what the log still holds goes to the store.
 *
 *     it fits             what follows the position is applied
 *     the store is older  the position jumps over the hole to where the log begins,
 *                         and all of the log is applied
 *     the journal is      nothing follows the position. Up to the last entry that the
 *     older, or a fork    store shows to have, the log is a part of its history; what
 *                         comes after goes into dead_records
 *
 * A record that cannot be applied, or whose application or chat was lost in the
 * hole, goes into dead_records too. Each entry is one transaction with the
 * position's move, so that a second rebuild goes on where the first one died.
 */
#include "storage/history_internal.h"

enum { READ_RECORDS = 1024, READ_BYTES = 1 << 20 };

/* ---- what follows the position ---- */

static status_t entries_read(struct drain *drain, uint64_t seq)
{
    const struct situation *situation = &drain->self->situation;
    return history_journal(situation, journal_read_from(situation->journal, situation->shard, seq,
                                                        READ_RECORDS, READ_BYTES, &drain->entries));
}

/* Applies what chains to the position, whose row moves along. */
static status_t drain_chain(struct drain *drain)
{
    struct situation *situation = &drain->self->situation;
    for (;;) {
        status_t status = entries_read(drain, situation->row.seq + 1);
        if (status != OK || drain->entries.count == 0)
            return status;
        for (size_t i = 0; i < drain->entries.count; i++) {
            const struct entry *entry = &drain->entries.entry[i];
            if (!entry_follows(entry, &situation->row))
                return OK;
            status = entry_take(drain, entry);
            if (status == OK)
                status = entry_apply(drain, entry);
            if (status != OK)
                return status;
        }
    }
}

/* ---- what does not ---- */

/* Up to which seq the store knows the log, which is one chain: 0 for none of it. */
static status_t known_find(struct drain *drain, uint64_t from, uint64_t *ret_seq)
{
    *ret_seq = 0;
    for (;;) {
        status_t status = entries_read(drain, from);
        if (status != OK || drain->entries.count == 0)
            return status;
        for (size_t i = 0; i < drain->entries.count; i++) {
            const struct entry *entry = &drain->entries.entry[i];
            bool known = false;
            status = entry_take(drain, entry);
            if (status == OK)
                status = entry_known(drain, entry, &known);
            if (status != OK)
                return status;
            from = entry_last_seq(entry) + 1;
            if (known)
                *ret_seq = from - 1;
        }
    }
}

static status_t entry_bury(struct drain *drain, const struct entry *entry)
{
    const struct situation *situation = &drain->self->situation;
    status_t status = OK;
    for (size_t i = 0; status == OK && i < entry->count; i++)
        status = store_dead_add(situation->store, situation->shard, &drain->records[i],
                                "it is of a history of the journal that was lost");
    drain->self->report->dead += entry->count;
    return history_store(situation, status);
}

/* Puts into dead_records what the store does not know. */
static status_t drain_rest(struct drain *drain, uint64_t from)
{
    uint64_t known = 0;
    status_t status = known_find(drain, from, &known);
    while (status == OK) {
        status = entries_read(drain, from);
        if (status != OK || drain->entries.count == 0)
            break;
        for (size_t i = 0; status == OK && i < drain->entries.count; i++) {
            const struct entry *entry = &drain->entries.entry[i];
            from = entry_last_seq(entry) + 1;
            if (from - 1 <= known) {
                drain->self->report->known += entry->count;
                continue;
            }
            status = entry_take(drain, entry);
            if (status == OK)
                status = entry_bury(drain, entry);
        }
    }
    return status;
}

/* ---- the hole ---- */

/* Moves the position to where the log begins. */
static status_t hole_jump(struct drain *drain)
{
    struct situation *situation = &drain->self->situation;
    status_t status = entries_read(drain, 0);
    if (status != OK)
        return status;
    const struct journal_meta *meta = &situation->meta;
    struct position to = {
        .epoch = meta->epoch,
        .seq = meta->last_seq,
        .name = meta->last_name,
        .time = meta->last_time,
        .run = meta->run,
    };
    if (drain->entries.count) {
        const struct entry *first = &drain->entries.entry[0];
        to.seq = first->seq - 1;
        to.name = first->predecessor;
        to.time = first->time;
    }
    rebuilding_tell(drain->self, "The store jumps from %llu over a hole to %llu.",
                    (unsigned long long) situation->row.seq, (unsigned long long) to.seq);
    if (situation->row_found)
        status = store_position_move(situation->store, FOLLOWER_PERSISTENCE, situation->shard,
                                     &situation->row, &to);
    else
        status = store_position_add(situation->store, FOLLOWER_PERSISTENCE, situation->shard, &to);
    if (status == ERR_CONFLICT || status == ERR_EXISTS)
        return history_say(situation->reason, ERR_CONFLICT,
                           "Another process moves the store's position.");
    if (status == OK) {
        situation->row = to;
        situation->row_found = true;
        drain->self->report->hole = true;
    }
    return history_store(situation, status);
}

status_t rebuild_drain(struct rebuilding *self)
{
    if (!situation_has_log(&self->situation))
        return OK;
    struct drain drain = {.self = self};
    status_t status = OK;
    uint64_t rest = 0;
    if (self->fit == STORE_LOST)
        status = hole_jump(&drain);
    if (status == OK && self->fit != JOURNAL_LOST) {
        status = drain_chain(&drain);
        rest = self->situation.row.seq + 1;
    }
    if (status == OK)
        status = drain_rest(&drain, rest);
    drain_free(&drain);
    return status;
}
