/* SPDX-License-Identifier: MIT */
#include "storage/reindex.h"

#include <stdlib.h>

#include "common/text.h"
#include "storage/store_scan.h"

enum { SLICE_DOCUMENTS = 4000 };

#define NOWHERE SIZE_MAX /* where a body starts that is gone */

/* One slice: folded bodies one after the other, and documents that point there. */
struct slice {
    struct document documents[SLICE_DOCUMENTS];
    size_t starts[SLICE_DOCUMENTS];
    size_t count;
    struct buffer folded;
};

static void slice_add(void *slice_p, const struct scan_message *message)
{
    struct slice *slice = (struct slice *) slice_p;
    slice->starts[slice->count] = slice->folded.length;
    slice->documents[slice->count++] = (struct document){
        .application_id = message->application_id,
        .chat = message->chat,
        .number = message->number,
        .seq = message->seq,
        .folded_length = text_fold_append(&slice->folded, message->body, message->body_length),
    };
}

static status_t slice_apply(struct slice *slice, search_t *search, unsigned shard)
{
    for (size_t i = 0; i < slice->count; i++)
        if (slice->starts[i] != NOWHERE)
            slice->documents[i].folded = slice->folded.data + slice->starts[i];
    return search_apply(search, shard, slice->documents, slice->count, NULL);
}

static status_t index_empty(search_t *search, unsigned shard, unsigned shards,
                            reindex_progress_fn *progress, void *context)
{
    bool more = true;
    status_t status = search_reset(search, shard);
    while (status == OK && more) {
        status = search_purge_shard(search, shard, shards, &more);
        if (status == OK && !progress(context, 0))
            status = ERR_STOPPED;
    }
    return status;
}

status_t reindex_scan(store_t *store, search_t *search, unsigned shard, unsigned shards,
                      reindex_progress_fn *progress, void *context)
{
    struct slice *slice = (struct slice *) calloc(1, sizeof *slice);
    if (!slice)
        abort();
    struct scan scan = {.shard = shard, .shards = shards, .limit = SLICE_DOCUMENTS};
    status_t status = OK;
    bool more = true;
    for (uint64_t documents = 0; status == OK && more;) {
        slice->count = 0;
        buffer_clear(&slice->folded);
        status = store_scan_messages(store, &scan, slice_add, slice, &more);
        if (status == OK && slice->count > 0)
            status = slice_apply(slice, search, shard);
        documents += slice->count;
        if (status == OK && !progress(context, documents))
            status = ERR_STOPPED;
    }
    buffer_free(&slice->folded);
    free(slice);
    return status;
}

status_t reindex_shard(store_t *store, search_t *search, unsigned shard, unsigned shards,
                       reindex_progress_fn *progress, void *context, struct position *ret_position)
{
    struct position position;
    bool found;
    status_t status = store_position(store, FOLLOWER_PERSISTENCE, shard, &position, &found);
    if (status == OK && !found)
        status = ERR_DIVERGED;
    /* What follows stays in the log until the index has it. */
    if (status == OK)
        status = store_position_set(store, FOLLOWER_INDEXING, shard, &position);
    if (status == OK)
        status = index_empty(search, shard, shards, progress, context);
    if (status == OK)
        status = reindex_scan(store, search, shard, shards, progress, context);
    if (status == OK)
        status = search_apply(search, shard, NULL, 0, &position);
    if (status == OK)
        status = search_flush(search);
    if (status == OK)
        *ret_position = position;
    return status;
}

/* ---- after a dead record ---- */

static status_t message_reindex(store_t *store, struct slice *slice, const struct record *record)
{
    status_t status = store_messages_by_number(store, record->application_id, record->chat,
                                               &record->number, 1, slice_add, slice);
    if (status == OK && slice->count == 0) {
        slice->starts[0] = NOWHERE;
        slice->documents[slice->count++] = (struct document){
            .application_id = record->application_id,
            .chat = record->chat,
            .number = record->number,
            .seq = record->seq, /* no folded body: it is gone */
        };
    }
    return status;
}

/* Everything below the application or the chat; once more does no harm. */
static status_t below_reindex(store_t *store, search_t *search, unsigned shard, struct slice *slice,
                              const struct record *record)
{
    status_t status = OK;
    bool more = true;
    struct scan scan = {
        .within_application = record->application_id,
        .within_chat = record->chat,
        .limit = SLICE_DOCUMENTS,
    };
    while (status == OK && more) {
        slice->count = 0;
        buffer_clear(&slice->folded);
        status = store_scan_messages(store, &scan, slice_add, slice, &more);
        if (status == OK && slice->count > 0)
            status = slice_apply(slice, search, shard);
    }
    return status;
}

status_t reindex_record(store_t *store, search_t *search, unsigned shard,
                        const struct record *record)
{
    struct slice *slice = (struct slice *) calloc(1, sizeof *slice);
    if (!slice)
        abort();
    status_t status = OK;
    switch (record->type) {
    case RECORD_MESSAGE_CREATED:
    case RECORD_MESSAGE_EDITED:
    case RECORD_MESSAGE_DELETED:
    case RECORD_MESSAGE_IMPORTED:
        status = message_reindex(store, slice, record);
        if (status == OK)
            status = slice_apply(slice, search, shard);
        break;
    case RECORD_APPLICATION_CREATED: /* and all that had joined it */
    case RECORD_CHAT_CREATED:
    case RECORD_APPLICATION_IMPORTED:
    case RECORD_CHAT_IMPORTED:
        status = below_reindex(store, search, shard, slice, record);
        break;
    case RECORD_APPLICATION_RENAMED:
    case RECORD_CHAT_RENAMED:
    case RECORD_APPLICATION_DELETED: /* indexing purges them when it runs */
    case RECORD_CHAT_DELETED:
    case RECORD_IMPORT_ENDED:
        break;
    }
    buffer_free(&slice->folded);
    free(slice);
    return status;
}
