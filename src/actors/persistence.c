/* SPDX-License-Identifier: MIT */
#include "actors/persistence.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/follower.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "common/metrics.h"
#include "storage/history.h"
#include "storage/journal.h"
#include "storage/persist.h"
#include "storage/store.h"

enum {
    PACE_MS = 5,
    LOOK_SHARED_MS = 10, /* an append of another process is seen after this */
    RECORDS_MAX = 8192,  /* about, of one transaction */
    BYTES_MAX = 2 << 20,
    TEND_MS = 1000, /* between trims */
};

/* What is kept about a shard beside its position. */
struct upkeep {
    int64_t trim_us; /* when to trim next */
    bool purge;      /* there may be something to purge */
    bool closed;     /* the log was told that it is closed */
};

typedef struct {
    const struct config *config;
    journal_t *journal; /* borrowed from the follower */
    store_t *store;
    persist_t *persist;
    zsock_t *wakeups;      /* PUB: the store moved */
    struct upkeep *upkeep; /* one a shard */
    struct buffer frame;
} persistence_t;

static void record_dead(void *self_p, const struct record *record, const char *reason)
{
    (void) self_p;
    metrics_add(METRIC_RECORDS_DEAD, 1);
    log_error("record_dead",
              "seq=%llu type=%d application=%.*s chat=%llu number=%llu reason=\"%s\" "
              "do=\"confab dead list\"",
              (unsigned long long) record->seq, record->type,
              (int) (record->token_length < 8 ? record->token_length : 8), record->token,
              (unsigned long long) record->chat, (unsigned long long) record->number, reason);
}

static status_t persistence_open(void *self_p, const struct actor_args *args, journal_t *journal,
                                 zsock_t *pipe)
{
    (void) pipe;
    persistence_t *self = (persistence_t *) self_p;
    self->config = args->config;
    self->journal = journal;
    self->upkeep = (struct upkeep *) calloc(args->config->shards, sizeof *self->upkeep);
    assert(self->upkeep);
    status_t status = store_open(args->config->store, false, &self->store);
    if (status != OK)
        return status;
    self->persist = persist_new(self->store, record_dead, self);
    self->wakeups = zsock_new(ZMQ_PUB);
    return !self->wakeups || zsock_bind(self->wakeups, WAKE_PERSISTENCE_ENDPOINT) < 0 ? ERR_CONFIG
                                                                                      : OK;
}

static void persistence_close(void *self_p)
{
    persistence_t *self = (persistence_t *) self_p;
    persist_destroy(&self->persist);
    store_close(&self->store);
    actor_unbind(&self->wakeups, WAKE_PERSISTENCE_ENDPOINT);
    buffer_free(&self->frame);
    free(self->upkeep);
}

static const char *persistence_errmsg(void *self_p)
{
    return store_errmsg(((persistence_t *) self_p)->store);
}

static void wake_readers(persistence_t *self, unsigned shard, const struct position *position)
{
    const struct wake wake = {WAKE_PERSISTED, shard, position->epoch, position->seq};
    wake_encode(&self->frame, &wake);
    frame_send(zsock_resolve(self->wakeups), self->frame.data, self->frame.length, 0);
}

/* ---- locate, and what to do when cut off ---- */

/* Closed: writes wait for a rebuild. Said once, however often it is looked at. */
static status_t history_judge(persistence_t *self, unsigned shard, status_t status,
                              const struct history_reason *reason)
{
    struct upkeep *upkeep = &self->upkeep[shard];
    if (status == ERR_CLOSED && !upkeep->closed)
        log_write(LEVEL_ERROR, NULL, "history_lost", "shard=%u reason=\"%s\" do=\"confab rebuild\"",
                  shard, reason->text);
    if (status == OK || status == ERR_CLOSED)
        upkeep->closed = status == ERR_CLOSED;
    return status;
}

/* A journal that began another life is checked here too, or it would take nothing before
 * somebody wrote to it. */
static status_t persistence_locate(void *self_p, unsigned shard, struct position *ret_position)
{
    persistence_t *self = (persistence_t *) self_p;
    struct history_reason reason = {""};
    bool found = false;
    status_t status = history_check(self->journal, self->store, shard, NULL, &reason);
    status = history_judge(self, shard, status, &reason);
    if (status == OK)
        status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, ret_position, &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    if (status == OK)
        wake_readers(self, shard, ret_position);
    self->upkeep[shard].purge = true;
    return status;
}

/* Either a twin moved on and trimmed, and the row is not what it was; or the
 * history that the store has seen is not in the log: then the shard is closed. */
static status_t persistence_cut_off(void *self_p, unsigned shard, const struct position *position)
{
    persistence_t *self = (persistence_t *) self_p;
    struct history_reason reason = {""};
    status_t status = history_recheck(self->journal, self->store, shard, &reason);
    if (status == OK) /* unless the row is still the same: then the break is behind it */
        return follower_rejoins(self->journal, self->store, shard, position);
    return history_judge(self, shard, status, &reason);
}

/* ---- apply ---- */

static status_t persistence_apply(void *self_p, unsigned shard, const struct position *from,
                                  struct entries *entries, struct position *ret_position)
{
    persistence_t *self = (persistence_t *) self_p;
    uint64_t before = from->seq;
    status_t status = persist_apply(self->persist, shard, from, entries, ret_position);
    if (status != OK)
        return status;
    metrics_add(METRIC_RECORDS_STORED, ret_position->seq - before);
    self->upkeep[shard].purge = true;
    wake_readers(self, shard, ret_position);
    return OK;
}

/* ---- tend ---- */

/* An idle shard may have been closed, rebuilt, or begun another life meanwhile. */
static status_t meta_judge(const struct journal_meta *meta, bool found,
                           const struct position *position)
{
    if (found && meta->mark)
        return ERR_CLOSED;
    bool same = found && meta->epoch == position->epoch && meta->checked == meta->run;
    return same ? OK : ERR_CONFLICT; /* it is located anew */
}

/* Up to where the log may go: to the slowest registered follower; or, if only indexing is
 * so late that the backlog is near its limit, without it: it starts over from the store.
 * A reindex that was killed stays registered, and must not stop all writing. */
static status_t trim_to(persistence_t *self, unsigned shard, const struct journal_meta *meta,
                        uint64_t *ret_seq)
{
    const struct config *config = self->config;
    status_t status = store_positions_lowest(self->store, shard, meta->epoch, false, ret_seq);
    if (status != OK || (meta->last_seq + 1 - meta->first_seq <= config->backlog_records / 10 * 9 &&
                         meta->bytes <= config->backlog_bytes / 10 * 9))
        return status;
    uint64_t without = *ret_seq;
    status = store_positions_lowest(self->store, shard, meta->epoch, true, &without);
    if (without > *ret_seq)
        log_warning("indexing_cut_off",
                    "shard=%u trimmed_to=%llu reason=\"the backlog is near "
                    "its limit and only indexing, or a reindex, is that late\"",
                    shard, (unsigned long long) without);
    *ret_seq = without;
    return status;
}

/* One slice, so that records need not wait for it. */
static status_t trim(persistence_t *self, unsigned shard, const struct position *position,
                     bool *ret_more)
{
    uint64_t seq = 0;
    struct journal_meta meta;
    bool found = false;
    *ret_more = false;
    status_t status = journal_meta(self->journal, shard, &meta, &found);
    if (status == OK)
        status = meta_judge(&meta, found, position);
    if (status == OK)
        status = follower_stands(self->store, FOLLOWER_PERSISTENCE, shard, position);
    if (status == OK)
        status = trim_to(self, shard, &meta, &seq);
    return status == OK ? journal_trim(self->journal, shard, seq, ret_more) : status;
}

/* Purging is looked for after changes, and once a second: a twin may have left some. */
static status_t persistence_tend(void *self_p, unsigned shard, const struct position *position,
                                 bool *ret_more)
{
    persistence_t *self = (persistence_t *) self_p;
    struct upkeep *upkeep = &self->upkeep[shard];
    int64_t now = clock_monotonic_us();
    status_t status = OK;
    if (now >= upkeep->trim_us) {
        status = trim(self, shard, position, ret_more);
        upkeep->purge = true;
        if (!*ret_more)
            upkeep->trim_us = now + TEND_MS * 1000;
    }
    if (status == OK && upkeep->purge)
        status = store_purge(self->store, shard, (unsigned) self->config->shards, &upkeep->purge);
    *ret_more |= upkeep->purge;
    return status;
}

static status_t persistence_finish(void *self_p, unsigned shard, const struct position *position)
{
    bool more = true;
    status_t status = OK;
    while (status == OK && more)
        status = trim((persistence_t *) self_p, shard, position, &more);
    return status;
}

static const struct follower_role persistence_role = {
    .name = FOLLOWER_PERSISTENCE,
    .wakes_at = WAKE_NUMBERING_ENDPOINT,
    .pace_ms = PACE_MS,
    .look_shared_ms = LOOK_SHARED_MS,
    .bars = true,
    .records_max = RECORDS_MAX,
    .bytes_max = BYTES_MAX,
    .open = persistence_open,
    .close = persistence_close,
    .locate = persistence_locate,
    .apply = persistence_apply,
    .cut_off = persistence_cut_off,
    .tend = persistence_tend,
    .finish = persistence_finish,
    .errmsg = persistence_errmsg,
};

void persistence_actor(zsock_t *pipe, void *args)
{
    persistence_t self = {0};
    follower_run(pipe, (const struct actor_args *) args, &persistence_role, &self);
}
