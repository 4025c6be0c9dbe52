/* SPDX-License-Identifier: MIT */
#include "actors/counting.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/follower.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"

enum {
    PACE_MS = 100,
    RECORDS_MAX = 16384,
    BYTES_MAX = 4 << 20,
    TOUCHED_MAX = 1 << 16, /* chats collected before an early flush */
    SLOTS = 2 * TOUCHED_MAX,
    LOOK_MS = 1000, /* between looks at the row of an idle shard */
};

struct tally {
    struct position written; /* what the store has */
    int64_t flush_us;        /* when to write next */
    int64_t look_us;         /* when to look at the store's row next */
    struct count *counts;    /* touched since */
    size_t count;
    uint32_t *slots; /* hash table into counts: index + 1 */
};

typedef struct {
    const struct config *config;
    journal_t *journal; /* borrowed from the follower */
    store_t *store;
    struct tally *tallies; /* one a shard */
} counting_t;

static status_t counting_open(void *self_p, const struct actor_args *args, journal_t *journal,
                              zsock_t *pipe)
{
    counting_t *self = (counting_t *) self_p;
    (void) pipe;
    self->journal = journal;
    self->config = args->config;
    self->tallies = (struct tally *) calloc(args->config->shards, sizeof *self->tallies);
    assert(self->tallies);
    for (uint64_t i = 0; i < args->config->shards; i++) {
        /* Untouched pages of these cost no memory. */
        self->tallies[i].counts = (struct count *) calloc(TOUCHED_MAX, sizeof(struct count));
        self->tallies[i].slots = (uint32_t *) calloc(SLOTS, sizeof(uint32_t));
        assert(self->tallies[i].counts && self->tallies[i].slots);
    }
    return store_open(args->config->store, false, &self->store);
}

static const char *counting_errmsg(void *self_p)
{
    return store_errmsg(((counting_t *) self_p)->store);
}

/* ---- what was touched ---- */

static void tally_clear(struct tally *tally)
{
    if (tally->count > 0) /* else all are zero */
        memset(tally->slots, 0, SLOTS * sizeof *tally->slots);
    tally->count = 0;
}

static void tally_touch(struct tally *tally, uint64_t application_id, uint64_t chat, uint64_t last)
{
    uint64_t hash = (application_id * 0x9e3779b97f4a7c15u ^ chat) * 0x9e3779b97f4a7c15u;
    size_t slot = hash >> 47;
    _Static_assert(SLOTS == 1 << 17, "the hash gives 17 bits");
    for (; tally->slots[slot]; slot = (slot + 1) % SLOTS) {
        struct count *count = &tally->counts[tally->slots[slot] - 1];
        if (count->application_id == application_id && count->chat == chat) {
            if (last > count->last)
                count->last = last;
            return;
        }
    }
    assert(tally->count < TOUCHED_MAX);
    tally->counts[tally->count++] = (struct count){application_id, chat, last};
    tally->slots[slot] = (uint32_t) tally->count;
}

static void record_touch(struct tally *tally, const struct record *record)
{
    switch (record->type) {
    case RECORD_CHAT_CREATED:
        tally_touch(tally, record->application_id, 0, record->chat);
        break;
    case RECORD_CHAT_DELETED:
        tally_touch(tally, record->application_id, 0, 0);
        break;
    case RECORD_MESSAGE_CREATED:
        tally_touch(tally, record->application_id, record->chat, record->number);
        break;
    case RECORD_MESSAGE_DELETED:
        tally_touch(tally, record->application_id, record->chat, 0);
        break;
    case RECORD_APPLICATION_CREATED:
    case RECORD_APPLICATION_RENAMED:
    case RECORD_APPLICATION_DELETED:
    case RECORD_CHAT_RENAMED:
    case RECORD_MESSAGE_EDITED:
    case RECORD_APPLICATION_IMPORTED: /* an import's end sets its counts itself */
    case RECORD_CHAT_IMPORTED:
    case RECORD_MESSAGE_IMPORTED:
    case RECORD_IMPORT_ENDED:
        break;
    }
}

/* ---- the follower's role ---- */

static status_t recount(counting_t *self, unsigned shard, const char *reason)
{
    struct position stored;
    bool found;
    status_t status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, &stored, &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    if (status != OK)
        return status;
    log_warning("recount", "shard=%u reason=\"%s\"", shard, reason);
    return store_recount(self->store, shard, (unsigned) self->config->shards, &stored);
}

static status_t counting_locate(void *self_p, unsigned shard, struct position *ret_position)
{
    counting_t *self = (counting_t *) self_p;
    struct tally *tally = &self->tallies[shard];
    bool found;
    status_t status = store_position(self->store, FOLLOWER_COUNTING, shard, &tally->written,
                                     &found);
    if (status == OK && !found) {
        status = recount(self, shard, "counting has no position");
        if (status == OK)
            status = store_position(self->store, FOLLOWER_COUNTING, shard, &tally->written, &found);
    }
    if (status != OK)
        return status;
    tally_clear(tally);
    *ret_position = tally->written;
    return OK;
}

static status_t counting_cut_off(void *self_p, unsigned shard, const struct position *position)
{
    counting_t *self = (counting_t *) self_p;
    status_t status = follower_rejoins(self->journal, self->store, shard, position);
    return status == OK ? recount(self, shard, "the log does not reach back to its position")
                        : status;
}

/* Takes in whole entries while the tally has room for all that they may touch. */
static status_t counting_apply(void *self_p, unsigned shard, const struct position *from,
                               struct entries *entries, struct position *ret_position)
{
    counting_t *self = (counting_t *) self_p;
    struct tally *tally = &self->tallies[shard];
    status_t status = follower_cut(self->store, shard, entries);
    for (size_t i = 0; status == OK && i < entries->count; i++) {
        struct entry_walk walk;
        struct record record;
        bool more = true;
        if (tally->count + entries->entry[i].count > TOUCHED_MAX)
            return tally->count > 0 ? OK : ERR_CORRUPT; /* after a flush there is room */
        entry_walk_start(&walk, &entries->entry[i]);
        while ((status = entry_next(&walk, &record, &more)) == OK && more)
            record_touch(tally, &record);
        if (status == OK)
            *ret_position = entry_position(&entries->entry[i], from->run);
    }
    return status;
}

static status_t flush(counting_t *self, unsigned shard, const struct position *position)
{
    struct tally *tally = &self->tallies[shard];
    status_t status = store_counts(self->store, shard, &tally->written, position, tally->counts,
                                   tally->count);
    if (status != OK)
        return status;
    tally->written = *position;
    tally_clear(tally);
    return OK;
}

/* The flush is due by time, or when too much of the log waits for it, or when
 * the tally is half full. */
static status_t counting_tend(void *self_p, unsigned shard, const struct position *position,
                              bool *ret_more)
{
    counting_t *self = (counting_t *) self_p;
    struct tally *tally = &self->tallies[shard];
    int64_t now = clock_monotonic_us();
    uint64_t unwritten = position->seq - tally->written.seq;
    if (now >= tally->look_us) {
        tally->look_us = now + LOOK_MS * 1000;
        status_t status = follower_stands(self->store, FOLLOWER_COUNTING, shard, &tally->written);
        if (status != OK)
            return status;
    }
    if (unwritten == 0 || (now < tally->flush_us && tally->count < TOUCHED_MAX / 2 &&
                           unwritten < self->config->backlog_records / 10))
        return OK;
    tally->flush_us = now + (int64_t) self->config->counts_flush * 1000;
    *ret_more = true;
    return flush(self, shard, position);
}

static status_t counting_finish(void *self_p, unsigned shard, const struct position *position)
{
    counting_t *self = (counting_t *) self_p;
    return position->seq == self->tallies[shard].written.seq ? OK : flush(self, shard, position);
}

static void counting_close(void *self_p)
{
    counting_t *self = (counting_t *) self_p;
    store_close(&self->store);
    for (uint64_t i = 0; self->tallies && i < self->config->shards; i++) {
        free(self->tallies[i].counts);
        free(self->tallies[i].slots);
    }
    free(self->tallies);
}

static const struct follower_role counting_role = {
    .name = FOLLOWER_COUNTING,
    .wakes_at = WAKE_PERSISTENCE_ENDPOINT,
    .pace_ms = PACE_MS,
    .records_max = RECORDS_MAX,
    .bytes_max = BYTES_MAX,
    .open = counting_open,
    .close = counting_close,
    .locate = counting_locate,
    .apply = counting_apply,
    .cut_off = counting_cut_off,
    .tend = counting_tend,
    .finish = counting_finish,
    .errmsg = counting_errmsg,
};

void counting_actor(zsock_t *pipe, void *args)
{
    counting_t self = {0};
    follower_run(pipe, (const struct actor_args *) args, &counting_role, &self);
}
