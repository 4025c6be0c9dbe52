/* SPDX-License-Identifier: MIT */
/* verify_index.c - store and index side by side, message by message.
 *
 * Both are walked in the same order, a slice at a time. Of a body only a hash is
 * kept. What a shard's index has not reached is passed over; what differs all the
 * same is a doubt, since both may move while they are walked over.
 */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands/verify.h"
#include "common/text.h"
#include "storage/store_scan.h"

enum { SLICE = 2000, LOOKS = 10, LOOK_US = 200000 };

/* One of the two walks. */
struct side {
    struct sighting sightings[SLICE];
    size_t count, at;
    bool more;
};

struct comparison {
    struct verify *verify;
    struct side store, index;
    struct scan scan;
    struct document_cursor cursor;
    struct buffer folded;
    struct reach {
        bool usable; /* the index is complete up to... */
        uint64_t seq;
    } * reach; /* by shard, before the walk */
    verify_doubts_t *doubts;
    uint64_t not_reached; /* messages */
};

/* ---- how far the index got ---- */

/* An index that was made a moment ago may not be ready to be read. */
static status_t position_read(const struct verify *verify, unsigned shard,
                              struct position *ret_position, bool *ret_found)
{
    search_t *search = verify->data_set->search;
    status_t status = search_position(search, shard, ret_position, ret_found);
    for (int i = 0; status == ERR_SEARCH && verify->moving && i < LOOKS; i++) {
        usleep(LOOK_US);
        status = search_position(search, shard, ret_position, ret_found);
    }
    return status;
}

static status_t reach_read(struct comparison *self, unsigned shard)
{
    struct verify *verify = self->verify;
    data_set_t *data_set = verify->data_set;
    struct position stored, position;
    bool found_stored = false, found = false, holds = false;
    status_t status = store_position(data_set->store, FOLLOWER_PERSISTENCE, shard, &stored,
                                     &found_stored);
    if (status == OK)
        status = position_read(verify, shard, &position, &found);
    if (!found && found_stored && stored.seq == 0) { /* a new data set: nothing is to be indexed */
        position = stored;
        found = true;
    }
    bool same_history = found && found_stored && position.epoch == stored.epoch;
    if (status == OK && same_history && !verify->served)
        status = journal_holds(data_set->journal, shard, &position, &holds);
    if (status != OK)
        return status;
    bool usable = same_history && (holds || verify->served);
    bool ahead = usable && !verify->served && position.seq > stored.seq;
    self->reach[shard] = (struct reach){usable && !ahead, position.seq};
    if (!usable || ahead || (!verify->served && position.seq < stored.seq))
        verify->index_complete = false;
    if (verify->served || verify->index_complete)
        return OK;
    if (!usable)
        verify_pending(verify, "shard %u: the index is not complete and will be made anew", shard);
    else if (ahead)
        verify_pending(verify, "shard %u: the index is %llu records ahead of the store", shard,
                       (unsigned long long) (position.seq - stored.seq));
    else if (position.seq < stored.seq)
        verify_pending(verify, "shard %u: %llu records are in the store and not in the index yet",
                       shard, (unsigned long long) (stored.seq - position.seq));
    return OK;
}

static const struct reach *reach_of(const struct comparison *self, const struct sighting *sighting)
{
    return &self->reach[sighting->application_id % self->verify->shards];
}

/* ---- the two walks ---- */

static void store_sighted(void *self_p, const struct scan_message *message)
{
    struct comparison *self = (struct comparison *) self_p;
    struct sighting *sighting = &self->store.sightings[self->store.count++];
    assert(self->store.count <= SLICE);
    *sighting = (struct sighting){
        .application_id = message->application_id,
        .chat = message->chat,
        .number = message->number,
        .seq = message->seq,
    };
    buffer_clear(&self->folded);
    text_fold_append(&self->folded, message->body, message->body_length);
    sighting->hash = search_hash(self->folded.data ? self->folded.data : "", self->folded.length);
}

static void index_sighted(void *self_p, const struct indexed *document)
{
    struct comparison *self = (struct comparison *) self_p;
    struct sighting *sighting = &self->index.sightings[self->index.count++];
    assert(self->index.count <= SLICE);
    *sighting = (struct sighting){
        .application_id = document->application_id,
        .chat = document->chat,
        .number = document->number,
        .seq = document->seq,
        .hash = document->hash,
    };
}

/* *ret_sighting NULL: the walk is over. A slice may come back empty. */
static status_t store_next(struct comparison *self, const struct sighting **ret_sighting)
{
    struct side *side = &self->store;
    status_t status = OK;
    while (status == OK && side->at == side->count && side->more) {
        side->at = side->count = 0;
        status = store_scan_messages(self->verify->data_set->store, &self->scan, store_sighted,
                                     self, &side->more);
        self->verify->messages += side->count;
        progress_show(&self->verify->progress, self->verify->messages, 0, 0);
    }
    *ret_sighting = status == OK && side->at < side->count ? &side->sightings[side->at] : NULL;
    return status;
}

static status_t index_next(struct comparison *self, const struct sighting **ret_sighting)
{
    struct side *side = &self->index;
    status_t status = OK;
    while (status == OK && side->at == side->count && side->more) {
        side->at = side->count = 0;
        status = search_scan(self->verify->data_set->search, &self->cursor, SLICE, index_sighted,
                             self, &side->more);
    }
    *ret_sighting = status == OK && side->at < side->count ? &side->sightings[side->at] : NULL;
    return status;
}

/* ---- side by side ---- */

static int place_compare(const struct sighting *a, const struct sighting *b)
{
    if (a->application_id != b->application_id)
        return a->application_id < b->application_id ? -1 : 1;
    if (a->chat != b->chat)
        return a->chat < b->chat ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static status_t message_compare(struct comparison *self, const struct sighting *stored,
                                const struct sighting *indexed)
{
    const struct sighting *sighting = stored ? stored : indexed;
    const struct reach *reach = reach_of(self, sighting);
    if (!reach->usable)
        return OK;
    if (stored && indexed && stored->seq == indexed->seq && stored->hash == indexed->hash)
        return OK;
    if (stored && stored->seq > reach->seq) {
        self->not_reached++;
        return OK;
    }
    return verify_doubts_add(self->doubts, sighting);
}

static status_t step(struct comparison *self, bool *ret_more)
{
    const struct sighting *stored, *indexed;
    status_t status = store_next(self, &stored);
    if (status == OK)
        status = index_next(self, &indexed);
    if (status != OK)
        return status;
    *ret_more = stored || indexed;
    if (!*ret_more)
        return OK;
    int order = !stored ? 1 : !indexed ? -1 : place_compare(stored, indexed);
    status = message_compare(self, order <= 0 ? stored : NULL, order >= 0 ? indexed : NULL);
    self->store.at += order <= 0;
    self->index.at += order >= 0;
    return status;
}

static status_t compare(struct comparison *self)
{
    bool more = true;
    status_t status = OK;
    self->verify->index_complete = true;
    for (unsigned shard = 0; status == OK && shard < self->verify->shards; shard++)
        status = reach_read(self, shard);
    while (status == OK && more)
        status = step(self, &more);
    return status == OK ? verify_doubts_settle(self->doubts) : status;
}

static status_t count_only(struct comparison *self)
{
    const struct sighting *stored;
    status_t status;
    do {
        status = store_next(self, &stored);
        self->store.at = self->store.count;
    } while (status == OK && stored);
    return status;
}

status_t verify_index(struct verify *verify)
{
    struct comparison *self = (struct comparison *) calloc(1, sizeof *self);
    assert(self);
    self->verify = verify;
    self->store.more = self->index.more = true;
    self->scan = (struct scan){.shards = 1, .limit = SLICE};
    self->reach = (struct reach *) calloc(verify->shards, sizeof *self->reach);
    assert(self->reach);
    self->doubts = verify_doubts_new(verify);

    status_t status = verify->data_set->search ? compare(self) : count_only(self);
    verify_doubts_destroy(&self->doubts);
    buffer_free(&self->folded);
    free(self->reach);
    free(self);
    return status == OK ? OK : verify_failed(verify, status);
}
