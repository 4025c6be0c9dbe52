/* SPDX-License-Identifier: MIT */
/* history_situation.c - what journal and store say of a shard, and whether it fits. */
#include <stdarg.h>
#include <stdio.h>

#include "storage/history_internal.h"

/* ---- reasons ---- */

status_t history_say(struct history_reason *reason, status_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason->text, sizeof reason->text, format, arguments);
    va_end(arguments);
    return status;
}

status_t history_journal(const struct situation *situation, status_t status)
{
    if (status == OK)
        return OK;
    const char *words = journal_errmsg(situation->journal);
    return history_say(situation->reason, status == ERR_CORRUPT ? ERR_CORRUPT : ERR_JOURNAL,
                       "The journal's shard %u: %s.", situation->shard,
                       words[0] ? words : status_text(status));
}

status_t history_store(const struct situation *situation, status_t status)
{
    if (status == OK)
        return OK;
    return history_say(situation->reason, ERR_STORE, "The store, at shard %u: %s.",
                       situation->shard, store_errmsg(situation->store));
}

/* ---- what both sides say ---- */

bool situation_has_log(const struct situation *situation)
{
    return situation->meta_found && situation->meta.epoch != 0;
}

status_t situation_load(struct situation *situation)
{
    unsigned shards = 0;
    status_t status = history_store(situation,
                                    store_data_set(situation->store, &situation->data_set.id,
                                                   &shards, &situation->data_set_found));
    situation->data_set.shards = shards;
    if (status == OK)
        status = history_store(situation, store_position(situation->store, FOLLOWER_PERSISTENCE,
                                                         situation->shard, &situation->row,
                                                         &situation->row_found));
    /* The journal after the store, so that the log has what the row names. */
    if (status == OK)
        status = history_journal(situation, journal_meta(situation->journal, situation->shard,
                                                         &situation->meta, &situation->meta_found));
    if (status == OK && situation_has_log(situation) && situation->data_set_found &&
        (situation->meta.data_set != situation->data_set.id ||
         situation->meta.shards != situation->data_set.shards ||
         situation->meta.shard != situation->shard))
        status = history_say(situation->reason, ERR_CONFIG,
                             "Journal and store hold different data sets: the address of one of "
                             "them is wrong (shard %u).",
                             situation->shard);
    return status;
}

status_t situation_read(struct situation *situation)
{
    status_t status = situation_load(situation);
    if (status == OK && !situation_has_log(situation) && !situation->row_found &&
        !situation->data_set_found)
        status = history_say(situation->reason, ERR_CONFIG,
                             "Neither journal nor store holds a data set.");
    return status;
}

/* The first entry that is left, if any. */
static status_t log_first(const struct situation *situation, uint64_t *ret_seq)
{
    struct entries entries = {0};
    status_t status = history_journal(
        situation, journal_read_from(situation->journal, situation->shard, 0, 1, 1, &entries));
    if (status == OK)
        *ret_seq = entries.count ? entries.entry[0].seq : situation->meta.last_seq + 1;
    entries_free(&entries);
    return status;
}

static uint64_t epoch_counter(uint64_t epoch)
{
    return epoch >> 32;
}

/* The position is not in the log: who is to blame? */
static status_t situation_blame(const struct situation *situation, enum fit *ret_fit)
{
    const struct journal_meta *meta = &situation->meta;
    const struct position *row = &situation->row;
    struct history_reason *reason = situation->reason;
    unsigned long long at = row->seq, last = meta->last_seq;
    unsigned shard = situation->shard;
    *ret_fit = JOURNAL_LOST;
    if (epoch_counter(row->epoch) < epoch_counter(meta->epoch)) {
        *ret_fit = STORE_LOST;
        history_say(reason, OK, "Shard %u: the store is of an older epoch than the journal. %s",
                    shard, HISTORY_REMEDY);
        return OK;
    }
    if (row->epoch != meta->epoch) {
        history_say(reason, OK, "Shard %u: the journal is of an older epoch than the store. %s",
                    shard, HISTORY_REMEDY);
        return OK;
    }
    uint64_t first = 0;
    status_t status = log_first(situation, &first);
    if (status != OK)
        return status;
    if (row->seq + 1 < first) {
        *ret_fit = STORE_LOST;
        history_say(reason, OK,
                    "Shard %u: the store stands at %llu and the log begins at %llu: the store is "
                    "older than what the journal still holds. %s",
                    shard, at, (unsigned long long) first, HISTORY_REMEDY);
    } else if (row->seq > meta->last_seq) {
        history_say(reason, OK,
                    "Shard %u: the store stands at %llu and the journal ends at %llu: the journal "
                    "has lost history. %s",
                    shard, at, last, HISTORY_REMEDY);
    } else {
        history_say(reason, OK,
                    "Shard %u: what the journal holds at %llu is not what the store took from "
                    "there: they have different histories. %s",
                    shard, at, HISTORY_REMEDY);
    }
    return OK;
}

status_t situation_judge(const struct situation *situation, enum fit *ret_fit)
{
    unsigned shard = situation->shard;
    if (!situation_has_log(situation)) {
        *ret_fit = JOURNAL_LOST;
        return history_say(situation->reason, OK,
                           "Shard %u: the journal holds nothing, and the store does. %s", shard,
                           HISTORY_REMEDY);
    }
    if (!situation->row_found) {
        *ret_fit = STORE_LOST;
        return history_say(situation->reason, OK,
                           "Shard %u: the journal was written to, and the store does not know it. "
                           "%s",
                           shard, HISTORY_REMEDY);
    }
    bool holds = false;
    status_t status = history_journal(
        situation, journal_holds(situation->journal, shard, &situation->row, &holds));
    if (status != OK)
        return status;
    *ret_fit = FIT;
    return holds ? OK : situation_blame(situation, ret_fit);
}
