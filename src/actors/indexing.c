/* SPDX-License-Identifier: MIT */
#include "actors/indexing.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/follower.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"
#include "common/metrics.h"
#include "common/text.h"
#include "storage/drafts.h"
#include "storage/reindex.h"
#include "storage/search.h"
#include "storage/store_scan.h"

enum {
    PACE_MS = 200, /* few large transactions cost far less than many small */
    RECORDS_MAX = 8192,
    BYTES_MAX = 2 << 20,
    /* A server's index pays for each flush, and with many shards behind one. */
    SERVER_PACE_MS = 500,
    SERVER_RECORDS_MAX = 16384,
    SERVER_BYTES_MAX = 4 << 20,
    COPY_MS = 1000, /* between copies of the position into the store */
};

typedef struct {
    zsock_t *pipe; /* borrowed from our zactor */
    const struct config *config;
    journal_t *journal; /* borrowed from the follower */
    store_t *store;
    search_t *search;
    struct drafts drafts;
    int64_t *copy_us; /* by shard: when to copy the position next */
    uint64_t *copied; /* by shard: the seq that the store has */
} indexing_t;

static status_t indexing_open(void *self_p, const struct actor_args *args, journal_t *journal,
                              zsock_t *pipe)
{
    indexing_t *self = (indexing_t *) self_p;
    self->journal = journal;
    self->pipe = pipe;
    self->config = args->config;
    self->copy_us = (int64_t *) calloc(args->config->shards, sizeof *self->copy_us);
    self->copied = (uint64_t *) calloc(args->config->shards, sizeof *self->copied);
    assert(self->copy_us && self->copied);
    status_t status = store_open(args->config->store, false, &self->store);
    return status == OK ? search_open(args->config->search, false, &self->search) : status;
}

static void indexing_close(void *self_p)
{
    indexing_t *self = (indexing_t *) self_p;
    search_close(&self->search);
    store_close(&self->store);
    drafts_free(&self->drafts);
    free(self->copy_us);
    free(self->copied);
}

static const char *indexing_errmsg(void *self_p)
{
    indexing_t *self = (indexing_t *) self_p;
    const char *words = search_errmsg(self->search);
    return *words ? words : store_errmsg(self->store);
}

/* ---- locate, and what to do when cut off ---- */

static bool rebuild_progress(void *self_p, uint64_t documents)
{
    indexing_t *self = (indexing_t *) self_p;
    if (documents && documents % 100000 < 4000)
        log_info("index_rebuilding", "documents=%llu", (unsigned long long) documents);
    return !(zsock_events(self->pipe) & ZMQ_POLLIN);
}

static status_t index_rebuild(indexing_t *self, unsigned shard, const char *reason,
                              struct position *ret_position)
{
    log_warning("index_rebuild", "shard=%u reason=\"%s\"", shard, reason);
    status_t status = reindex_shard(self->store, self->search, shard,
                                    (unsigned) self->config->shards, rebuild_progress, self,
                                    ret_position);
    if (status == OK)
        log_info("index_rebuilt", "shard=%u seq=%llu", shard,
                 (unsigned long long) ret_position->seq);
    return status;
}

/* A new data set's index is complete at position 0: nothing to rebuild. */
static status_t index_begin(indexing_t *self, unsigned shard, struct position *ret_position)
{
    struct position stored;
    bool found;
    status_t status = store_position(self->store, FOLLOWER_PERSISTENCE, shard, &stored, &found);
    if (status != OK || !found || stored.seq > 0)
        return status != OK ? status
                            : index_rebuild(self, shard, "the index is not complete", ret_position);
    status = search_apply(self->search, shard, NULL, 0, &stored);
    if (status == OK)
        status = search_flush(self->search);
    if (status == OK)
        *ret_position = stored;
    return status;
}

static status_t indexing_locate(void *self_p, unsigned shard, struct position *ret_position)
{
    indexing_t *self = (indexing_t *) self_p;
    bool found;
    status_t status = search_position(self->search, shard, ret_position, &found);
    if (status == OK && !found)
        status = index_begin(self, shard, ret_position);
    if (status == OK)
        status = store_position_set(self->store, FOLLOWER_INDEXING, shard, ret_position);
    if (status == OK)
        self->copied[shard] = ret_position->seq;
    return status;
}

static status_t indexing_cut_off(void *self_p, unsigned shard, const struct position *position)
{
    indexing_t *self = (indexing_t *) self_p;
    struct position rebuilt;
    status_t status = follower_rejoins(self->journal, self->store, shard, position);
    return status == OK
               ? index_rebuild(self, shard, "the log does not reach back to its position", &rebuilt)
               : status;
}

/* ---- apply and flush ---- */

static status_t purges_note(indexing_t *self)
{
    status_t status = OK;
    for (size_t i = 0; status == OK && i < self->drafts.purge_count; i++)
        status = store_purge_again_indexing(self->store, &self->drafts.purges[i]);
    return status; /* the rest is done by tend() */
}

static status_t indexing_apply(void *self_p, unsigned shard, const struct position *from,
                               struct entries *entries, struct position *ret_position)
{
    indexing_t *self = (indexing_t *) self_p;
    status_t status = follower_cut(self->store, shard, entries);
    if (status != OK || entries->count == 0)
        return status;

    struct position to = entry_position(&entries->entry[entries->count - 1], from->run);
    status = drafts_make(&self->drafts, self->store, entries);
    if (status == OK)
        status = purges_note(self);
    if (status == OK)
        status = search_apply(self->search, shard, self->drafts.documents, self->drafts.count, &to);
    if (status != OK)
        return status;
    metrics_add(METRIC_RECORDS_INDEXED, self->drafts.count);
    *ret_position = to;
    return OK;
}

/* One document that the index will never take must not stop all others. */
static void refused_tell(indexing_t *self)
{
    uint64_t refused = search_refused(self->search);
    metrics_add(METRIC_DOCUMENTS_REFUSED, refused);
    if (refused > 0)
        log_error("documents_refused", "count=%llu reason=\"%s\" do=\"confab reindex\"",
                  (unsigned long long) refused, search_errmsg(self->search));
}

static status_t indexing_flush(void *self_p)
{
    indexing_t *self = (indexing_t *) self_p;
    status_t status = search_flush(self->search);
    refused_tell(self);
    return status;
}

/* ---- tend ---- */

/* Removes a slice of a deleted chat or application, once all that was created
 * in it has been indexed. */
static status_t purge_slice(indexing_t *self, unsigned shard, const struct position *position,
                            bool *ret_more)
{
    struct purge purge;
    bool found, more = false;
    *ret_more = false;
    status_t status = store_purge_next_indexing(self->store, shard, (unsigned) self->config->shards,
                                                &purge, &found);
    if (status != OK || !found || purge.seq > position->seq)
        return status;
    status = search_purge(self->search, purge.application_id, purge.chat, &more);
    if (status == OK && !more)
        status = store_purge_done_indexing(self->store, &purge);
    *ret_more = status == OK;
    return status;
}

static status_t position_copy(indexing_t *self, unsigned shard, const struct position *position)
{
    if (self->copied[shard] == position->seq)
        return OK;
    status_t status = store_position_set(self->store, FOLLOWER_INDEXING, shard, position);
    if (status == OK)
        self->copied[shard] = position->seq;
    return status;
}

static status_t indexing_tend(void *self_p, unsigned shard, const struct position *position,
                              bool *ret_more)
{
    indexing_t *self = (indexing_t *) self_p;
    int64_t now = clock_monotonic_us();
    status_t status = OK;
    if (now >= self->copy_us[shard]) {
        status = position_copy(self, shard, position);
        self->copy_us[shard] = now + COPY_MS * 1000;
    }
    return status == OK ? purge_slice(self, shard, position, ret_more) : status;
}

static status_t indexing_finish(void *self_p, unsigned shard, const struct position *position)
{
    return position_copy((indexing_t *) self_p, shard, position);
}

static const struct follower_role indexing_role = {
    .name = FOLLOWER_INDEXING,
    .wakes_at = WAKE_PERSISTENCE_ENDPOINT,
    .pace_ms = PACE_MS,
    .records_max = RECORDS_MAX,
    .bytes_max = BYTES_MAX,
    .open = indexing_open,
    .close = indexing_close,
    .locate = indexing_locate,
    .apply = indexing_apply,
    .flush = indexing_flush,
    .cut_off = indexing_cut_off,
    .tend = indexing_tend,
    .finish = indexing_finish,
    .errmsg = indexing_errmsg,
};

void indexing_actor(zsock_t *pipe, void *args)
{
    indexing_t self = {0};
    struct follower_role role = indexing_role;
    if (!text_has_scheme(((const struct actor_args *) args)->config->search, "sqlite")) {
        role.pace_ms = SERVER_PACE_MS;
        role.records_max = SERVER_RECORDS_MAX;
        role.bytes_max = SERVER_BYTES_MAX;
    }
    follower_run(pipe, (const struct actor_args *) args, &role, &self);
}
