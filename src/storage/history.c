/* SPDX-License-Identifier: MIT */
#include "storage/history.h"

#include <assert.h>

#include "storage/history_internal.h"

enum { TRIES_MAX = 100 }; /* as often may the position move while it is looked at */

/* ---- which data set ---- */

status_t history_data_set(journal_t *journal, store_t *store, struct data_set *ret_data_set,
                          bool *ret_found, struct history_reason *ret_reason)
{
    struct situation situation = {.journal = journal, .store = store, .reason = ret_reason};
    struct data_set set = {0};
    unsigned shards = 0;
    bool found = false;
    status_t status = history_store(&situation, store_data_set(store, &set.id, &shards, &found));
    set.shards = shards;
    for (unsigned shard = 0; status == OK && shard < (found ? set.shards : SHARDS_MAX); shard++) {
        struct journal_meta meta;
        bool there = false;
        situation.shard = shard;
        status = history_journal(&situation, journal_meta(journal, shard, &meta, &there));
        if (status != OK || !there || meta.data_set == 0)
            continue;
        if (!found)
            set = (struct data_set){.id = meta.data_set, .shards = meta.shards};
        found = true;
        if (meta.data_set != set.id || meta.shards != set.shards || meta.shard != shard)
            status = history_say(ret_reason, ERR_CONFIG,
                                 "Shard %u of the journal belongs to another data set than the "
                                 "rest: one of the addresses is wrong.",
                                 shard);
    }
    if (status == OK) {
        if (found)
            *ret_data_set = set;
        *ret_found = found;
    }
    return status;
}

/* ---- make ---- */

static struct position position_first(const struct journal_meta *meta)
{
    return (struct position){
        .epoch = meta->epoch,
        .seq = meta->last_seq,
        .name = meta->last_name,
        .time = meta->last_time,
    };
}

/* Registers who is not registered yet, where persistence stands. A twin that did so
 * in between may have moved on: what it wrote stays. */
static status_t rows_make(const struct situation *situation, bool indexing)
{
    const char *const followers[] = {FOLLOWER_PERSISTENCE, FOLLOWER_COUNTING, FOLLOWER_INDEXING};
    struct position position = situation->row_found ? situation->row
                                                    : position_first(&situation->meta);
    status_t status = OK;
    for (size_t i = 0; status == OK && i < (indexing ? 3 : 2); i++) {
        struct position row;
        bool found = false;
        status = store_position(situation->store, followers[i], situation->shard, &row, &found);
        if (status == OK && !found)
            status = store_position_add(situation->store, followers[i], situation->shard,
                                        &position);
        if (status == ERR_EXISTS)
            status = OK;
    }
    return history_store(situation, status);
}

/* Meta first, so that a row never stands for a shard that is not there. */
static status_t meta_make(struct situation *situation, const struct data_set *data_set)
{
    struct journal_meta meta = {
        .data_set = data_set->id,
        .shards = data_set->shards,
        .shard = situation->shard,
        .epoch = UINT64_C(1) << 32 | (journal_random() & UINT32_MAX),
    };
    status_t status = journal_create(situation->journal, &meta);
    if (status == OK || status == ERR_EXISTS) /* a twin was faster */
        status = journal_meta(situation->journal, situation->shard, &situation->meta,
                              &situation->meta_found);
    return history_journal(situation, status);
}

static status_t make_check(const struct situation *situation, const struct data_set *data_set)
{
    const struct journal_meta *meta = &situation->meta;
    struct history_reason *reason = situation->reason;
    if (situation->meta_found && meta->mark)
        return history_say(reason, ERR_CLOSED, "Shard %u is closed. %s", situation->shard,
                           HISTORY_REMEDY);
    bool journal_other = situation->meta_found &&
                         (meta->data_set != data_set->id || meta->shards != data_set->shards);
    bool store_other = situation->data_set_found &&
                       (situation->data_set.id != data_set->id ||
                        situation->data_set.shards != data_set->shards);
    if (journal_other || store_other)
        return history_say(reason, ERR_CONFIG, "The %s holds another data set (shard %u).",
                           journal_other ? "journal" : "store", situation->shard);
    if (!situation->meta_found && situation->row_found)
        return history_say(reason, ERR_CLOSED,
                           "Shard %u: the journal holds nothing, and the store does. %s",
                           situation->shard, HISTORY_REMEDY);
    if (situation->meta_found && !situation->row_found && meta->last_seq > 0)
        return history_say(reason, ERR_CLOSED,
                           "Shard %u: the journal was written to, and the store does not know it. "
                           "%s",
                           situation->shard, HISTORY_REMEDY);
    return OK;
}

/* Loads both sides and checks them. A journal that was written to without a row is
 * looked at twice: a twin may have made the row and appended between the two looks. */
static status_t make_load(struct situation *situation, const struct data_set *data_set)
{
    status_t status = OK;
    for (int i = 0; i < 2; i++) {
        status = situation_load(situation);
        if (status == OK)
            status = make_check(situation, data_set);
        if (status != ERR_CLOSED || situation->row_found)
            break;
    }
    return status;
}

status_t history_make(journal_t *journal, store_t *store, unsigned shard,
                      const struct data_set *data_set, bool indexing,
                      struct history_reason *ret_reason)
{
    assert(data_set->id != 0 && shard < data_set->shards && data_set->shards <= SHARDS_MAX);
    struct situation situation = {
        .journal = journal, .store = store, .shard = shard, .reason = ret_reason};
    status_t status = make_load(&situation, data_set);
    if (status == OK && !situation.meta_found) {
        status = meta_make(&situation, data_set);
        if (status == OK) /* a twin may have made another one */
            status = make_load(&situation, data_set);
    }
    if (status == OK && !situation.data_set_found) {
        status = store_data_set_create(store, data_set->id, data_set->shards);
        status = history_store(&situation, status == ERR_EXISTS ? OK : status);
        if (status == OK)
            status = make_load(&situation, data_set); /* likewise */
    }
    return status == OK ? rows_make(&situation, indexing) : status;
}

/* ---- check ---- */

static bool own_tells(const struct journal_meta *meta, const struct position *own)
{
    return own && own->epoch == meta->epoch && own->seq >= meta->first_seq;
}

/* Is what the caller itself appended last still there? Nobody knows once it has been
 * trimmed away, which may happen between two questions. */
static status_t own_judge(const struct situation *situation, const struct position *own,
                          enum fit *fit)
{
    struct journal_meta meta = situation->meta;
    bool holds = true, found = true;
    status_t status = OK;
    if (own_tells(&meta, own))
        status = journal_holds(situation->journal, situation->shard, own, &holds);
    if (status == OK && !holds)
        status = journal_meta(situation->journal, situation->shard, &meta, &found);
    status = history_journal(situation, status);
    if (status == OK && !holds && found && own_tells(&meta, own)) {
        *fit = JOURNAL_LOST;
        history_say(situation->reason, OK,
                    "Shard %u: the entry at %llu, which this server appended, is no longer in the "
                    "log: the journal has lost history. %s",
                    situation->shard, (unsigned long long) own->seq, HISTORY_REMEDY);
    }
    return status;
}

/* The verdict was good: enters the run. ERR_CONFLICT: look again. */
static status_t run_enter(const struct situation *situation)
{
    struct position row = situation->row;
    row.run = situation->meta.run;
    status_t status = OK;
    if (row.run != situation->row.run)
        status = store_position_move(situation->store, FOLLOWER_PERSISTENCE, situation->shard,
                                     &situation->row, &row);
    if (status != OK)
        return status == ERR_CONFLICT ? status : history_store(situation, status);
    status = journal_checked(situation->journal, situation->shard, situation->meta.checked,
                             situation->meta.run);
    return status == ERR_CONFLICT ? status : history_journal(situation, status);
}

/* Closes the shard, and keeps the reason. */
static status_t shard_mark(const struct situation *situation)
{
    struct history_reason why = *situation->reason;
    status_t status = journal_mark(situation->journal, situation->shard, journal_random(), false);
    status = history_journal(situation, status);
    if (status != OK)
        return status;
    *situation->reason = why;
    return ERR_CLOSED;
}

/* The verdict was bad: closes the shard, unless the row has moved meanwhile (a
 * twin may have gone on and trimmed). ERR_CONFLICT: look again. */
static status_t shard_close(const struct situation *situation)
{
    struct position row;
    bool found = false;
    status_t status = history_store(
        situation,
        store_position(situation->store, FOLLOWER_PERSISTENCE, situation->shard, &row, &found));
    if (status != OK)
        return status;
    if (found != situation->row_found || (found && !position_equal(&row, &situation->row)))
        return ERR_CONFLICT;
    return shard_mark(situation);
}

static status_t check_once(struct situation *situation, const struct position *own, bool again)
{
    status_t status = situation_read(situation);
    if (status != OK)
        return status;
    if (situation->meta_found && situation->meta.mark)
        return history_say(situation->reason, ERR_CLOSED, "Shard %u is closed. %s",
                           situation->shard, HISTORY_REMEDY);
    if (!again && situation_has_log(situation) && situation->meta.checked == situation->meta.run)
        return OK;
    if (situation_has_log(situation) && !situation->row_found && situation->meta.last_seq == 0)
        return history_say(situation->reason, ERR_CONFIG,
                           "Shard %u: the making of the data set was interrupted; make it again.",
                           situation->shard);
    enum fit fit = FIT;
    status = situation_judge(situation, &fit);
    if (status == OK && fit == FIT)
        status = own_judge(situation, own, &fit);
    if (status != OK)
        return status;
    return fit == FIT ? run_enter(situation) : shard_close(situation);
}

static status_t check(journal_t *journal, store_t *store, unsigned shard,
                      const struct position *own, bool again, struct history_reason *ret_reason)
{
    struct situation situation = {
        .journal = journal, .store = store, .shard = shard, .reason = ret_reason};
    status_t status = ERR_CONFLICT;
    for (int i = 0; status == ERR_CONFLICT && i < TRIES_MAX; i++)
        status = check_once(&situation, own, again);
    if (status == ERR_CONFLICT)
        return history_say(ret_reason, ERR_STORE,
                           "Shard %u: the store's position moves whenever it is looked at.", shard);
    return status;
}

status_t history_check(journal_t *journal, store_t *store, unsigned shard,
                       const struct position *own, struct history_reason *ret_reason)
{
    return check(journal, store, shard, own, false, ret_reason);
}

status_t history_recheck(journal_t *journal, store_t *store, unsigned shard,
                         struct history_reason *ret_reason)
{
    return check(journal, store, shard, NULL, true, ret_reason);
}

status_t history_own(journal_t *journal, unsigned shard, const struct position *own,
                     struct history_reason *ret_reason)
{
    struct situation situation = {.journal = journal, .shard = shard, .reason = ret_reason};
    enum fit fit = FIT;
    status_t status = journal_meta(journal, shard, &situation.meta, &situation.meta_found);
    status = history_journal(&situation, status);
    if (status == OK && situation.meta_found && !situation.meta.mark)
        status = own_judge(&situation, own, &fit);
    return status == OK && fit != FIT ? shard_mark(&situation) : status;
}
