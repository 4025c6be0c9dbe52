/* SPDX-License-Identifier: MIT */
#include "common/message.h"

#include <assert.h>

enum frame_kind { FRAME_REQUEST = 'Q', FRAME_REPLY = 'R', FRAME_WAKE = 'W' };

enum {
    REQUEST_KEYED = 1,
    REQUEST_DESCENDING = 2,
    REQUEST_STALE_ALLOWED = 4,

    REPLY_REPLAYED = 1,
    REPLY_MORE = 2,
    REPLY_COMPLETE = 4,

    STATE_JOURNAL_OK = 1,
    STATE_STORE_OK = 2,
    STATE_SEARCH_OK = 4,
    STATE_SEARCH_NONE = 8,
    STATE_CLOSED = 16,
};

static void frame_start(struct buffer *frame, enum frame_kind kind)
{
    buffer_clear(frame);
    bytes_put(frame, PROTOCOL_VERSION, 1);
    bytes_put(frame, kind, 1);
}

static struct bytes_reader frame_open(const void *frame, size_t length, enum frame_kind kind)
{
    struct bytes_reader reader = bytes_reader(frame, length);
    if (bytes_get(&reader, 1) != PROTOCOL_VERSION || bytes_get(&reader, 1) != kind)
        reader.bad = true;
    return reader;
}

static bool request_is_read(enum request_type type)
{
    return type >= REQUEST_APPLICATIONS;
}

void request_encode(struct buffer *frame, const struct request *request)
{
    frame_start(frame, FRAME_REQUEST);
    bytes_put(frame, request->type, 1);
    bytes_put(frame,
              (request->keyed ? REQUEST_KEYED : 0) |
                  (request->descending ? REQUEST_DESCENDING : 0) |
                  (request->stale_allowed ? REQUEST_STALE_ALLOWED : 0),
              1);
    bytes_put(frame, request->id, 8);
    bytes_put(frame, request->wait_ms_max, 4);
    bytes_put(frame, request->chat, 8);
    bytes_put(frame, request->number, 8);
    bytes_put_string(frame, request->token, request->token_length);
    bytes_put_string(frame, request->text, request->text_length);
    if (request_is_read(request->type)) {
        bytes_put(frame, request->after, 8);
        bytes_put(frame, request->before, 8);
        bytes_put(frame, request->limit, 4);
    }
    if (request->keyed) {
        buffer_append(frame, (const char *) request->key, HASH_LENGTH);
        buffer_append(frame, (const char *) request->request_hash, HASH_LENGTH);
    }
}

static bool request_type_known(uint64_t type)
{
    return (type >= REQUEST_APPLICATION_CREATE && type <= REQUEST_MESSAGE_DELETE) ||
           (type >= REQUEST_APPLICATIONS && type <= REQUEST_STATE);
}

static void hash_get(struct bytes_reader *reader, uint8_t hash[HASH_LENGTH])
{
    const uint8_t *from = bytes_take(reader, HASH_LENGTH);
    if (from)
        memcpy(hash, from, HASH_LENGTH);
}

status_t request_decode(const void *frame, size_t length, struct request *ret_request)
{
    struct bytes_reader reader = frame_open(frame, length, FRAME_REQUEST);
    uint64_t type = bytes_get(&reader, 1), flags = bytes_get(&reader, 1);
    if (!request_type_known(type))
        return ERR_MALFORMED;

    struct request request = {
        .type = (enum request_type) type,
        .keyed = flags & REQUEST_KEYED,
        .descending = flags & REQUEST_DESCENDING,
        .stale_allowed = flags & REQUEST_STALE_ALLOWED,
    };
    request.id = bytes_get(&reader, 8);
    request.wait_ms_max = (uint32_t) bytes_get(&reader, 4);
    request.chat = bytes_get(&reader, 8);
    request.number = bytes_get(&reader, 8);
    request.token = bytes_get_string(&reader, &request.token_length);
    request.text = bytes_get_string(&reader, &request.text_length);
    if (request_is_read(request.type)) {
        request.after = bytes_get(&reader, 8);
        request.before = bytes_get(&reader, 8);
        request.limit = (uint32_t) bytes_get(&reader, 4);
    }
    if (request.keyed) {
        hash_get(&reader, request.key);
        hash_get(&reader, request.request_hash);
    }
    if (!bytes_finished(&reader))
        return ERR_MALFORMED;
    *ret_request = request;
    return OK;
}

void reply_encode(struct buffer *frame, const struct reply *reply)
{
    frame_start(frame, FRAME_REPLY);
    bytes_put(frame, reply->status, 1);
    bytes_put(frame,
              (reply->replayed ? REPLY_REPLAYED : 0) | (reply->more ? REPLY_MORE : 0) |
                  (reply->complete ? REPLY_COMPLETE : 0),
              1);
    bytes_put(frame, reply->id, 8);
    bytes_put(frame, reply->number, 8);
    bytes_put(frame, (uint64_t) reply->time, 8);
    bytes_put(frame, reply->behind, 1);
    bytes_put(frame, reply->behind_seconds, 4);
    bytes_put_string(frame, reply->token, reply->token_length);
    bytes_put(frame, reply->item_count, 4);
    bytes_put_string(frame, reply->items, reply->items_length);
}

status_t reply_decode(const void *frame, size_t length, struct reply *ret_reply)
{
    struct bytes_reader reader = frame_open(frame, length, FRAME_REPLY);
    struct reply reply = {.status = (status_t) bytes_get(&reader, 1)};
    uint64_t flags = bytes_get(&reader, 1);
    reply.replayed = flags & REPLY_REPLAYED;
    reply.more = flags & REPLY_MORE;
    reply.complete = flags & REPLY_COMPLETE;
    reply.id = bytes_get(&reader, 8);
    reply.number = bytes_get(&reader, 8);
    reply.time = (int64_t) bytes_get(&reader, 8);
    uint64_t behind = bytes_get(&reader, 1);
    reply.behind = (enum behind) behind;
    reply.behind_seconds = (uint32_t) bytes_get(&reader, 4);
    reply.token = bytes_get_string(&reader, &reply.token_length);
    reply.item_count = (uint32_t) bytes_get(&reader, 4);
    reply.items = bytes_get_string(&reader, &reply.items_length);
    if (!bytes_finished(&reader) || reply.status > ERR_STOPPED || behind > BEHIND_UNKNOWN)
        return ERR_MALFORMED;
    *ret_reply = reply;
    return OK;
}

void wake_encode(struct buffer *frame, const struct wake *wake)
{
    frame_start(frame, FRAME_WAKE);
    bytes_put(frame, wake->topic, 1);
    bytes_put(frame, wake->shard, 4);
    bytes_put(frame, wake->epoch, 8);
    bytes_put(frame, wake->seq, 8);
}

status_t wake_decode(const void *frame, size_t length, struct wake *ret_wake)
{
    struct bytes_reader reader = frame_open(frame, length, FRAME_WAKE);
    struct wake wake = {.topic = (enum wake_topic) bytes_get(&reader, 1)};
    wake.shard = (uint32_t) bytes_get(&reader, 4);
    wake.epoch = bytes_get(&reader, 8);
    wake.seq = bytes_get(&reader, 8);
    if (!bytes_finished(&reader))
        return ERR_MALFORMED;
    *ret_wake = wake;
    return OK;
}

void state_encode(struct buffer *items, const struct state *state)
{
    bytes_put(items,
              (state->journal_ok ? STATE_JOURNAL_OK : 0) | (state->store_ok ? STATE_STORE_OK : 0) |
                  (state->search_ok ? STATE_SEARCH_OK : 0) |
                  (state->search_none ? STATE_SEARCH_NONE : 0) | (state->closed ? STATE_CLOSED : 0),
              1);
    bytes_put(items, state->pending, 8);
    bytes_put(items, state->store_lag_ms, 8);
    bytes_put(items, state->search_lag_ms, 8);
    bytes_put(items, state->counts_lag_ms, 8);
}

status_t state_decode(const struct reply *reply, struct state *ret_state)
{
    struct bytes_reader reader = bytes_reader(reply->items, reply->items_length);
    uint64_t flags = bytes_get(&reader, 1);
    struct state state = {
        .journal_ok = flags & STATE_JOURNAL_OK,
        .store_ok = flags & STATE_STORE_OK,
        .search_ok = flags & STATE_SEARCH_OK,
        .search_none = flags & STATE_SEARCH_NONE,
        .closed = flags & STATE_CLOSED,
    };
    state.pending = bytes_get(&reader, 8);
    state.store_lag_ms = bytes_get(&reader, 8);
    state.search_lag_ms = bytes_get(&reader, 8);
    state.counts_lag_ms = bytes_get(&reader, 8);
    if (!bytes_finished(&reader))
        return ERR_MALFORMED;
    *ret_state = state;
    return OK;
}

void item_encode(struct buffer *items, const struct item *item)
{
    assert(item->span_count <= SPANS_MAX);
    bytes_put_string(items, item->token, item->token_length);
    bytes_put(items, item->number, 8);
    bytes_put_string(items, item->text, item->text_length);
    bytes_put(items, item->count, 8);
    bytes_put(items, item->last, 8);
    bytes_put(items, (uint64_t) item->created, 8);
    bytes_put(items, (uint64_t) item->updated, 8);
    bytes_put(items, item->span_count, 1);
    for (size_t i = 0; i < item->span_count; i++) {
        bytes_put(items, item->spans[i].start, 4);
        bytes_put(items, item->spans[i].end, 4);
    }
}

status_t item_decode(struct bytes_reader *items, struct item *ret_item)
{
    struct item item = {0};
    item.token = bytes_get_string(items, &item.token_length);
    item.number = bytes_get(items, 8);
    item.text = bytes_get_string(items, &item.text_length);
    item.count = bytes_get(items, 8);
    item.last = bytes_get(items, 8);
    item.created = (int64_t) bytes_get(items, 8);
    item.updated = (int64_t) bytes_get(items, 8);
    item.span_count = (size_t) bytes_get(items, 1);
    if (items->bad || item.span_count > SPANS_MAX)
        return ERR_MALFORMED;
    for (size_t i = 0; i < item.span_count; i++) {
        item.spans[i].start = (size_t) bytes_get(items, 4);
        item.spans[i].end = (size_t) bytes_get(items, 4);
    }
    if (items->bad)
        return ERR_MALFORMED;
    *ret_item = item;
    return OK;
}
