/* SPDX-License-Identifier: MIT */
#include "commands/import_follow.h"

#include <assert.h>
#include <stdlib.h>

#include "commands/catch_up.h"
#include "commands/wait.h"
#include "common/text.h"
#include "storage/reindex.h"

struct import_follow {
    data_set_t *data_set;
    bool shared;
    catch_up_t *catch_up;
    struct document *documents; /* of the entries at hand */
    size_t *starts;             /* of their bodies in `folded` */
    size_t count, capacity;
    struct buffer folded;
};

import_follow_t *import_follow_new(data_set_t *data_set)
{
    import_follow_t *self = (import_follow_t *) calloc(1, sizeof *self);
    assert(self);
    self->data_set = data_set;
    self->shared = data_set_shared(&data_set->config);
    self->catch_up = catch_up_new(data_set);
    return self;
}

void import_follow_destroy(import_follow_t **follow_p)
{
    import_follow_t *self = *follow_p;
    if (!self)
        return;
    catch_up_destroy(&self->catch_up);
    buffer_free(&self->folded);
    free(self->documents);
    free(self->starts);
    free(self);
    *follow_p = NULL;
}

uint64_t import_follow_dead(const import_follow_t *self)
{
    return self->catch_up->dead;
}

static status_t failed(const import_follow_t *self, unsigned shard, status_t status)
{
    const data_set_t *data_set = self->data_set;
    if (status != OK)
        log_error("import_follow",
                  "shard=%u status=%s reason=\"%s\" journal=\"%s\" store=\"%s\" index=\"%s\"",
                  shard, status_name(status), status_text(status),
                  journal_errmsg(data_set->journal), store_errmsg(data_set->store),
                  data_set->search ? search_errmsg(data_set->search) : "none");
    return status;
}

/* ---- index ---- */

static void document_add(import_follow_t *self, const struct record *record)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : BATCH_RECORDS_MAX;
        self->documents = (struct document *) realloc(self->documents,
                                                      self->capacity * sizeof *self->documents);
        self->starts = (size_t *) realloc(self->starts, self->capacity * sizeof *self->starts);
        if (!self->documents || !self->starts)
            abort();
    }
    self->starts[self->count] = self->folded.length;
    self->documents[self->count++] = (struct document){
        .application_id = record->application_id,
        .chat = record->chat,
        .number = record->number,
        .seq = record->seq,
        .folded_length = text_fold_append(&self->folded, record->text, record->text_length),
    };
}

static status_t documents_collect(import_follow_t *self, const struct entries *entries)
{
    status_t status = OK;
    self->count = 0;
    buffer_clear(&self->folded);
    for (size_t i = 0; status == OK && i < entries->count; i++) {
        struct entry_walk walk;
        struct record record;
        bool more = true;
        entry_walk_start(&walk, &entries->entry[i]);
        while ((status = entry_next(&walk, &record, &more)) == OK && more)
            if (record.type == RECORD_MESSAGE_IMPORTED)
                document_add(self, &record);
    }
    for (size_t i = 0; i < self->count; i++)
        self->documents[i].folded = self->folded.data + self->starts[i];
    return status;
}

static status_t index_follow(import_follow_t *self, unsigned shard, const struct position *position)
{
    if (!self->data_set->search)
        return OK;
    status_t status = documents_collect(self, &self->catch_up->entries);
    if (status == OK)
        status = search_apply(self->data_set->search, shard, self->documents, self->count,
                              position);
    if (status == OK)
        status = search_flush(self->data_set->search);
    if (status == OK)
        status = store_position_set(self->data_set->store, FOLLOWER_INDEXING, shard, position);
    return status;
}

static bool always(void *context, uint64_t documents)
{
    (void) context;
    (void) documents;
    return true;
}

/* An index that does not stand where the store does (an import was broken off, a
 * server was killed) is made anew: rare, and simpler than to catch up. */
static status_t index_start(import_follow_t *self, unsigned shard, const struct position *stored)
{
    struct position position;
    bool found = false;
    data_set_t *data_set = self->data_set;
    if (!data_set->search)
        return OK;
    status_t status = search_position(data_set->search, shard, &position, &found);
    if (status == OK && !found && stored->seq == 0) {
        status = search_apply(data_set->search, shard, NULL, 0, stored);
        return status == OK ? search_flush(data_set->search) : status;
    }
    if (status != OK || (found && position_same_place(&position, stored)))
        return status;
    log_info("index_rebuild", "shard=%u reason=\"it does not stand where the store does\"", shard);
    return reindex_shard(data_set->store, data_set->search, shard,
                         (unsigned) data_set->config.shards, always, NULL, &position);
}

/* ---- counts ---- */

/* Nothing between the two needs counting. */
static status_t counting_move(import_follow_t *self, unsigned shard, const struct position *to)
{
    struct position from;
    bool found;
    status_t status = store_position(self->data_set->store, FOLLOWER_COUNTING, shard, &from,
                                     &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    if (status == OK && !position_same_place(&from, to))
        status = store_counts(self->data_set->store, shard, &from, to, NULL, 0);
    return status;
}

static status_t counting_start(import_follow_t *self, unsigned shard, const struct position *stored)
{
    struct position position;
    bool found;
    status_t status = store_position(self->data_set->store, FOLLOWER_COUNTING, shard, &position,
                                     &found);
    if (status == OK && (!found || !position_same_place(&position, stored)))
        status = store_recount(self->data_set->store, shard,
                               (unsigned) self->data_set->config.shards, stored);
    return status;
}

/* ---- all of it ---- */

status_t import_follow_start(import_follow_t *self)
{
    if (self->shared)
        return OK;
    status_t status = catch_up_all(self->catch_up);
    for (unsigned shard = 0; status == OK && shard < self->data_set->config.shards; shard++) {
        struct position stored;
        bool found;
        status = store_position(self->data_set->store, FOLLOWER_PERSISTENCE, shard, &stored,
                                &found);
        if (status == OK && !found)
            status = ERR_DIVERGED;
        if (status == OK)
            status = counting_start(self, shard, &stored);
        if (status == OK)
            status = index_start(self, shard, &stored);
        status = failed(self, shard, status);
    }
    return status;
}

static status_t shard_trim(import_follow_t *self, unsigned shard, uint64_t epoch)
{
    uint64_t seq = 0;
    bool more = true;
    status_t status = store_positions_lowest(self->data_set->store, shard, epoch, false, &seq);
    while (status == OK && more)
        status = journal_trim(self->data_set->journal, shard, seq, &more);
    return status;
}

/* The index of a running server must not be moved on by anybody else. */
static status_t shared_follow(import_follow_t *self, unsigned shard)
{
    struct position position;
    bool served = false;
    status_t status = data_set_shard_served(self->data_set, shard, &served);
    if (status != OK)
        return failed(self, shard, status);
    do
        status = served ? OK : catch_up_step(self->catch_up, shard, &position);
    while (status == OK && !served && self->catch_up->entries.count > 0);
    return status;
}

status_t import_follow_shard(import_follow_t *self, unsigned shard)
{
    if (self->shared)
        return shared_follow(self, shard);
    for (;;) {
        struct position position;
        status_t status = catch_up_step(self->catch_up, shard, &position);
        if (status != OK || self->catch_up->entries.count == 0)
            return status;
        status = index_follow(self, shard, &position);
        if (status == OK)
            status = counting_move(self, shard, &position);
        if (status == OK)
            status = shard_trim(self, shard, position.epoch);
        if (status != OK)
            return failed(self, shard, status);
    }
}

status_t import_follow_end(import_follow_t *self)
{
    status_t status = OK;
    if (self->shared)
        return wait_or_catch_up(self->catch_up);
    for (unsigned shard = 0; status == OK && shard < self->data_set->config.shards; shard++)
        status = import_follow_shard(self, shard);
    return status;
}
