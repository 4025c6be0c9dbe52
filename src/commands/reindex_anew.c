/* SPDX-License-Identifier: MIT */
#include "commands/reindex_anew.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "storage/drafts.h"
#include "storage/reindex.h"

/* Stops trimming as a follower does; the name of its rows. */
#define FOLLOWER_REINDEX "reindex"

enum { RECORDS_MAX = 8192, BYTES_MAX = 4 << 20, TRIES = 10, TURN_PAUSE_US = 100000 };

/* One that was killed a moment ago still has the turn for as long as a lease. */
#define TURN_WAIT_US (LEASE_US + LEASE_US / 2)

/* Chats and applications that were deleted meanwhile: the index that indexing cleaned
 * up was the old one. */
struct purges {
    struct purge *purges;
    size_t count, capacity;
};

struct anew {
    data_set_t *data_set;
    search_t *search; /* the new index */
    struct progress *progress;
    uint64_t owner;             /* of the turn */
    int64_t renew_us;           /* when to say again that we live (monotonic) */
    uint64_t before, documents; /* of the shards before, and of this one */
    unsigned started;           /* shards whose log is followed */
    struct position *positions; /* of those: how far */
    struct entries entries;
    struct drafts drafts;
    struct purges purges;
    status_t follow_status; /* of what progress began */
};

static status_t failed(const struct anew *self, const char *step, status_t status)
{
    if (status == OK)
        return OK;
    const data_set_t *data_set = self->data_set;
    progress_end(self->progress);
    log_error("reindex", "step=%s status=%s reason=\"%s\" index=\"%s\" store=\"%s\" journal=\"%s\"",
              step, status_name(status), status_text(status), search_errmsg(self->search),
              store_errmsg(data_set->store), journal_errmsg(data_set->journal));
    return status;
}

/* ---- the turn: two at once would take each other's index and hold away ---- */

/* Says that we live, when it is time. ERR_CONFLICT: it is another one's turn. */
static status_t turn_keep(struct anew *self)
{
    bool ours = false;
    unsigned members;
    if (clock_monotonic_us() < self->renew_us)
        return OK;
    status_t status = store_lease(self->data_set->store, FOLLOWER_REINDEX, self->owner, 1, NULL,
                                  &ours, &members);
    self->renew_us = clock_monotonic_us() + LEASE_US / 3;
    return status == OK && !ours ? ERR_CONFLICT : status;
}

static status_t turn_take(struct anew *self)
{
    int64_t until_us = clock_monotonic_us() + TURN_WAIT_US;
    status_t status;
    self->owner = journal_random();
    while ((status = turn_keep(self)) == ERR_CONFLICT && clock_monotonic_us() < until_us) {
        usleep(TURN_PAUSE_US);
        self->renew_us = 0;
    }
    return status;
}

static status_t turn_end(struct anew *self)
{
    return store_lease_end(self->data_set->store, FOLLOWER_REINDEX, self->owner);
}

/* ---- the log ---- */

/* Keeps the log from where persistence stands. Just then it may have been trimmed
 * further: so it is looked at again. */
static status_t shard_hold(struct anew *self, unsigned shard)
{
    const data_set_t *data_set = self->data_set;
    struct position *position = &self->positions[shard];
    bool found, holds = false;
    status_t status = OK;
    for (int tries = 0; status == OK && !holds && tries < TRIES; tries++) {
        status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, position, &found);
        if (status == OK && !found)
            status = ERR_DIVERGED;
        if (status == OK)
            status = store_position_set(data_set->store, FOLLOWER_REINDEX, shard, position);
        if (status == OK)
            status = journal_holds(data_set->journal, shard, position, &holds);
    }
    return status == OK && !holds ? ERR_DIVERGED : status;
}

static void purges_keep(struct anew *self)
{
    struct purges *purges = &self->purges;
    size_t count = purges->count + self->drafts.purge_count;
    if (count > purges->capacity) {
        purges->capacity = 2 * count;
        purges->purges = (struct purge *) realloc(purges->purges,
                                                  purges->capacity * sizeof *purges->purges);
        if (!purges->purges)
            abort();
    }
    if (self->drafts.purge_count > 0)
        memcpy(purges->purges + purges->count, self->drafts.purges,
               self->drafts.purge_count * sizeof *purges->purges);
    purges->count = count;
}

/* Leaves out what the store has not taken in yet. */
static status_t entries_cut(struct anew *self, unsigned shard)
{
    struct position stored;
    bool found;
    status_t status = store_position(self->data_set->store, FOLLOWER_PERSISTENCE, shard, &stored,
                                     &found);
    if (status == OK && (!found || stored.epoch != self->positions[shard].epoch))
        return ERR_DIVERGED;
    struct entries *entries = &self->entries;
    while (status == OK && entries->count > 0 &&
           entry_last_seq(&entries->entry[entries->count - 1]) > stored.seq)
        entries->count--;
    return status;
}

/* One batch of a shard's log into the new index; *ret_more: there was something. */
static status_t shard_follow(struct anew *self, unsigned shard, bool *ret_more)
{
    const data_set_t *data_set = self->data_set;
    struct position *position = &self->positions[shard];
    status_t status = turn_keep(self);
    if (status == OK)
        status = journal_read(data_set->journal, shard, position, RECORDS_MAX, BYTES_MAX,
                              &self->entries);
    if (status == OK && self->entries.count > 0)
        status = entries_cut(self, shard);
    *ret_more = status == OK && self->entries.count > 0;
    if (status != OK || self->entries.count == 0)
        return status;
    struct position to = entry_position(&self->entries.entry[self->entries.count - 1],
                                        position->run);
    status = drafts_make(&self->drafts, data_set->store, &self->entries);
    if (status == OK)
        status = search_apply(self->search, shard, self->drafts.documents, self->drafts.count, &to);
    if (status != OK)
        return status;
    purges_keep(self);
    *position = to;
    return store_position_set(data_set->store, FOLLOWER_REINDEX, shard, position);
}

static status_t shard_catch_up(struct anew *self, unsigned shard)
{
    bool more = true;
    status_t status = OK;
    while (status == OK && more)
        status = shard_follow(self, shard, &more);
    return status;
}

/* ---- the scan ---- */

/* Between slices a batch of each log, so that no backlog gathers behind the hold. */
static bool scan_progress(void *self_p, uint64_t documents)
{
    struct anew *self = (struct anew *) self_p;
    bool more;
    self->documents = documents;
    progress_show(self->progress, self->before + documents, 0, 0);
    for (unsigned i = 0; self->follow_status == OK && i < self->started; i++)
        self->follow_status = shard_follow(self, i, &more);
    return self->follow_status == OK;
}

static status_t shard_scan(struct anew *self, unsigned shard)
{
    status_t status = shard_hold(self, shard);
    if (status != OK)
        return failed(self, "hold", status);
    self->started = shard + 1;
    self->documents = 0;
    status = search_apply(self->search, shard, NULL, 0, &self->positions[shard]);
    if (status == OK)
        status = reindex_scan(self->data_set->store, self->search, shard,
                              (unsigned) self->data_set->config.shards, scan_progress, self);
    self->before += self->documents;
    return failed(self, "scan", status == ERR_STOPPED ? self->follow_status : status);
}

/* ---- the end ---- */

static status_t publish(struct anew *self)
{
    status_t status = OK;
    for (unsigned shard = 0; status == OK && shard < self->started; shard++)
        status = shard_catch_up(self, shard);
    if (status == OK)
        status = search_flush(self->search);
    uint64_t refused = search_refused(self->search);
    if (status == OK && refused > 0)
        log_error("documents_refused", "count=%llu reason=\"%s\"", (unsigned long long) refused,
                  search_errmsg(self->search));
    if (status == OK)
        status = search_publish(self->search);
    return failed(self, "publish", status);
}

/* *ret_ours: the shard's position in the new index is where this left it. If not, a
 * server has found the new index and goes on in it from there. */
static status_t position_look(struct anew *self, unsigned shard, bool *ret_ours)
{
    struct position there;
    bool found;
    status_t status = search_position(self->search, shard, &there, &found);
    if (status == OK && !found)
        status = ERR_CONFLICT;
    if (status == OK)
        *ret_ours = position_same_place(&there, &self->positions[shard]);
    return status;
}

/* What a server put into the old index at the last moment is put into the new one too. */
static status_t shard_settle(struct anew *self, unsigned shard)
{
    bool ours = false;
    status_t status = position_look(self, shard, &ours);
    if (status != OK || !ours)
        return status;
    struct position before = self->positions[shard];
    status = shard_catch_up(self, shard);
    if (status == OK)
        status = search_flush(self->search);
    if (status != ERR_CONFLICT)
        return status;
    self->positions[shard] = before;
    status = position_look(self, shard, &ours);
    return status == OK && ours ? ERR_CONFLICT : status;
}

static status_t settle(struct anew *self)
{
    status_t status = OK;
    for (size_t i = 0; status == OK && i < self->purges.count; i++)
        status = store_purge_again_indexing(self->data_set->store, &self->purges.purges[i]);
    for (unsigned shard = 0; status == OK && shard < self->started; shard++)
        status = shard_settle(self, shard);
    return failed(self, "settle", status);
}

static status_t in_turn(struct anew *self)
{
    unsigned shards = (unsigned) self->data_set->config.shards;
    status_t status = search_open_anew(self->data_set->config.search, &self->search);
    if (status != OK)
        return failed(self, "open", status);
    for (unsigned shard = 0; status == OK && shard < shards; shard++)
        status = shard_scan(self, shard);
    if (status == OK)
        status = publish(self);
    return status == OK ? settle(self) : status;
}

static status_t all(struct anew *self)
{
    status_t status = turn_take(self);
    if (status == ERR_CONFLICT)
        log_error("reindex", "reason=\"another reindex is under way\"");
    else if (status != OK)
        return failed(self, "begin", status);
    else
        status = in_turn(self);
    /* After a conflict another one is under way, and the rows are that one's. */
    status_t released = status == ERR_CONFLICT
                            ? OK
                            : store_position_remove(self->data_set->store, FOLLOWER_REINDEX);
    status_t ended = turn_end(self);
    released = failed(self, "release", released != OK ? released : ended);
    return status != OK ? status : released;
}

status_t reindex_anew(data_set_t *data_set, struct progress *progress, uint64_t *ret_documents)
{
    struct anew self = {.data_set = data_set, .progress = progress};
    self.positions = (struct position *) calloc(data_set->config.shards, sizeof *self.positions);
    assert(self.positions);
    status_t status = all(&self);
    *ret_documents = self.before;
    search_close(&self.search);
    entries_free(&self.entries);
    drafts_free(&self.drafts);
    free(self.purges.purges);
    free(self.positions);
    return status;
}
