/* SPDX-License-Identifier: MIT */
/* history_rebuild.c - a new epoch from what journal and store still hold.
 *
 *     1. mark      the shard is closed under the new epoch's name
 *     2. drain     what the log still holds goes to the store (history_drain.c)
 *     3. move      the followers' rows to the new epoch's start: from here on the
 *                  store knows the new epoch, and what followed the old one is fenced
 *     4. count     the store's last numbers are raised to the journal's; what is
 *                  missing is tallied as deleted
 *     5. counters  the journal's are raised to the store's, and its meta is replaced,
 *                  in one step, if it still carries the mark
 *
 * A crash before 3 has lost nothing: the next rebuild takes a new epoch, and drains
 * what is left. After 3 the row's epoch is the mark: the next one goes on at 4. In
 * between, the shard is closed.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "storage/history_internal.h"

/* So far above every old seq begins a new epoch; nobody gives out as many unseen. */
#define BASE_GAP (UINT64_C(1) << 32)

enum { SENTENCE_SIZE = 256, LEASE_STEP_US = 100 * 1000 };

void rebuilding_tell(const struct rebuilding *self, const char *format, ...)
{
    char sentence[SENTENCE_SIZE];
    va_list arguments;
    if (!self->rebuild || !self->rebuild->say)
        return;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    self->rebuild->say(self->rebuild->context, sentence);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- 1. mark ---- */

/* Whether an earlier rebuild got as far as the third step. */
static bool rebuild_resumes(const struct situation *situation)
{
    return situation->meta_found && situation->meta.mark && situation->row_found &&
           situation->row.epoch == situation->meta.mark;
}

static status_t rebuild_mark(struct rebuilding *self)
{
    struct situation *situation = &self->situation;
    uint64_t counter = greater(situation->meta_found ? situation->meta.epoch >> 32 : 0,
                               situation->row_found ? situation->row.epoch >> 32 : 0);
    self->epoch = (counter + 1) << 32 | (journal_random() & UINT32_MAX);
    status_t status = journal_mark(situation->journal, situation->shard, self->epoch, true);
    if (status == OK)
        status = journal_meta(situation->journal, situation->shard, &situation->meta,
                              &situation->meta_found);
    if (status == OK && situation->meta.mark != self->epoch)
        return history_say(situation->reason, ERR_CONFLICT, "Another rebuild is at work.");
    return history_journal(situation, status);
}

/* Which data set, if one side has forgotten it. */
static status_t rebuild_data_set(struct rebuilding *self)
{
    struct situation *situation = &self->situation;
    if (!situation->data_set_found) {
        situation->data_set = (struct data_set){.id = situation->meta.data_set,
                                                .shards = situation->meta.shards};
        if (situation->data_set.id == 0)
            return history_say(situation->reason, ERR_CONFIG,
                               "Neither journal nor store knows which data set this was.");
        status_t status = store_data_set_create(situation->store, situation->data_set.id,
                                                situation->data_set.shards);
        if (status != OK && status != ERR_EXISTS)
            return history_store(situation, status);
    }
    self->shards = situation->data_set.shards;
    if (situation->shard >= self->shards)
        return history_say(situation->reason, ERR_CONFIG, "The data set has %u shards, and no %u.",
                           self->shards, situation->shard);
    return OK;
}

/* ---- 3. move ---- */

static status_t row_move(const struct rebuilding *self, const char *follower,
                         const struct position *to)
{
    const struct situation *situation = &self->situation;
    struct position row;
    bool found = false;
    status_t status = store_position(situation->store, follower, situation->shard, &row, &found);
    if (status == OK && found && row.epoch != to->epoch)
        status = store_position_move(situation->store, follower, situation->shard, &row, to);
    if (status == ERR_CONFLICT)
        return history_say(situation->reason, ERR_CONFLICT, "Another process moves %s's position.",
                           follower);
    return history_store(situation, status);
}

/* Persistence's row as the drain left it: who moves it first has won. */
static status_t rebuild_move(struct rebuilding *self, const struct position *to)
{
    struct situation *situation = &self->situation;
    status_t status;
    if (situation->row_found)
        status = store_position_move(situation->store, FOLLOWER_PERSISTENCE, situation->shard,
                                     &situation->row, to);
    else
        status = store_position_add(situation->store, FOLLOWER_PERSISTENCE, situation->shard, to);
    if (status == ERR_CONFLICT || status == ERR_EXISTS)
        return history_say(situation->reason, ERR_CONFLICT,
                           "Another process moves the store's position.");
    if (status == OK)
        situation->row = *to;
    return history_store(situation, status);
}

/* ---- the whole ---- */

/* Steps 1 to 3. */
static status_t rebuild_begin(struct rebuilding *self, struct position *ret_start)
{
    struct situation *situation = &self->situation;
    status_t status = rebuild_mark(self);
    if (status == OK)
        status = rebuild_data_set(self);
    if (status != OK)
        return status;
    self->last_time = situation->meta.last_time;
    if (situation->row_found && self->last_time < situation->row.time)
        self->last_time = situation->row.time;
    self->base = greater(situation->meta.last_seq, situation->row_found ? situation->row.seq : 0) +
                 BASE_GAP;
    rebuilding_tell(self, "Shard %u is closed. The rest of its log goes to the store.",
                    situation->shard);
    status = rebuild_drain(self);
    if (status == OK && self->fit != JOURNAL_LOST)
        status = rebuild_delete(self);
    if (status != OK)
        return status;
    *ret_start = (struct position){
        .epoch = self->epoch,
        .seq = self->base,
        .name = {self->epoch, 0},
        .time = self->last_time,
        .run = situation->meta.run,
    };
    return rebuild_move(self, ret_start);
}

/* What an earlier rebuild had decided. */
static status_t rebuild_resume(struct rebuilding *self, struct position *ret_start)
{
    const struct situation *situation = &self->situation;
    self->report->resumed = true;
    self->epoch = situation->row.epoch;
    self->base = situation->row.seq;
    self->last_time = situation->row.time;
    *ret_start = situation->row;
    rebuilding_tell(self, "Shard %u: an earlier rebuild was interrupted, this one completes it.",
                    situation->shard);
    return rebuild_data_set(self);
}

/* Steps 4 and 5. */
static status_t rebuild_finish(struct rebuilding *self, const struct position *start)
{
    rebuilding_tell(self, "Counting what the store holds.");
    status_t status = rebuild_count(self, start);
    if (status == OK)
        status = row_move(self, FOLLOWER_INDEXING, start);
    if (status == OK)
        status = row_move(self, FOLLOWER_HOLD, start);
    if (status != OK)
        return status;
    rebuilding_tell(self, "Writing the journal's counters.");
    status = rebuild_counters(self);
    if (status == OK)
        rebuilding_tell(self, "Shard %u is open again.", self->situation.shard);
    return status;
}

/* ERR_EXISTS: all is well. */
static status_t rebuild_needed(struct rebuilding *self)
{
    struct situation *situation = &self->situation;
    status_t status = situation_judge(situation, &self->fit);
    if (status != OK || self->fit != FIT || situation->meta.mark)
        return status;
    return history_say(situation->reason, ERR_EXISTS,
                       "Shard %u is whole: there is nothing to rebuild.", situation->shard);
}

/* A persistence that renews its lease has a journal in which all is well: it is
 * another one than this. One that is cut off or closed does not renew it. */
static status_t rebuild_alone(const struct rebuilding *self)
{
    const struct situation *situation = &self->situation;
    int64_t first = 0;
    for (int waited_us = 0;; waited_us += LEASE_STEP_US) {
        int64_t until = 0, now = 0;
        status_t status = store_lease_until(situation->store, FOLLOWER_PERSISTENCE,
                                            situation->shard, &until, &now);
        if (status != OK)
            return history_store(situation, status);
        if (until <= now)
            return OK;
        if (waited_us == 0) {
            first = until;
            rebuilding_tell(self, "Waiting until no server follows shard %u.", situation->shard);
        }
        if (until != first || waited_us > LEASE_US + LEASE_US / 4)
            return history_say(situation->reason, ERR_CONFLICT,
                               "Shard %u is followed by a running server that has no trouble with "
                               "it: the address of the journal or the store given here is another "
                               "than that server's. If a server has just been started, try again.",
                               situation->shard);
        usleep(LEASE_STEP_US);
    }
}

status_t history_rebuild(journal_t *journal, store_t *store, unsigned shard,
                         const struct rebuild *rebuild, struct rebuild_report *ret_report,
                         struct history_reason *ret_reason)
{
    assert(ret_report && ret_reason);
    *ret_report = (struct rebuild_report){0};
    struct rebuilding self = {
        .situation = {.journal = journal, .store = store, .shard = shard, .reason = ret_reason},
        .rebuild = rebuild,
        .report = ret_report,
    };
    struct situation *situation = &self.situation;
    status_t status = situation_read(situation);
    if (status == OK && situation_has_log(situation) && !situation->row_found &&
        situation->meta.last_seq == 0 && situation->meta.mark == 0)
        status = history_say(ret_reason, ERR_CONFIG,
                             "Shard %u: the making of the data set was interrupted; make it again.",
                             shard);
    bool resumes = status == OK && rebuild_resumes(situation);
    if (status == OK && !resumes)
        status = rebuild_needed(&self);
    if (status == OK)
        status = rebuild_alone(&self);
    if (status != OK)
        return status;

    struct position start;
    status = resumes ? rebuild_resume(&self, &start) : rebuild_begin(&self, &start);
    if (status == OK)
        status = rebuild_finish(&self, &start);
    ret_report->epoch = self.epoch;
    ret_report->base = self.base;
    return status;
}
