/* SPDX-License-Identifier: MIT */
/* query_search.c - the index proposes numbers, the store decides: each hit is read
 * from the store, folded and compared again, and its highlights are computed from
 * what was read. So old or deleted text is never shown, and all engines answer
 * alike. */
#include "actors/query_parts.h"

#include <stdlib.h>

#include "common/text.h"
#include "storage/store_scan.h"

/* Keeps a message if it contains the query now. */
static void hit_take(void *self_p, const struct scan_message *message)
{
    query_worker_t *self = (query_worker_t *) self_p;
    struct hit *hit = &self->hits[self->hit_count];
    buffer_clear(&self->folded);
    size_t length = text_fold_append(&self->folded, message->body, message->body_length);
    hit->item = (struct item){
        .number = message->number,
        .text_length = message->body_length,
        .created = message->created,
        .updated = message->updated,
    };
    hit->item.span_count = text_find_all(self->folded.data, length, self->needle.data,
                                         self->needle.length, hit->item.spans, SPANS_MAX);
    if (hit->item.span_count == 0)
        return;
    hit->start = self->bodies.length;
    buffer_append(&self->bodies, message->body, message->body_length);
    self->hit_count++;
}

static int number_compare(const void *a, const void *b)
{
    uint64_t p = *(const uint64_t *) a, q = *(const uint64_t *) b;
    return (p > q) - (p < q);
}

/* Reads the proposed messages and encodes those that match, in walking order,
 * until the page is full: then *ret_full. */
static status_t hits_add(query_worker_t *self, uint64_t numbers[], size_t count, size_t *bytes,
                         bool *ret_full)
{
    const struct request *request = &self->request;
    self->hit_count = 0;
    buffer_clear(&self->bodies);
    qsort(numbers, count, sizeof *numbers, number_compare);
    status_t status = store_messages_by_number(self->store, self->task.application_id,
                                               request->chat, numbers, count, hit_take, self);
    if (status != OK)
        return status;
    for (size_t i = 0; i < self->hit_count; i++) {
        struct hit *hit = &self->hits[request->descending ? self->hit_count - 1 - i : i];
        if (self->reply.item_count == request->limit || *bytes > PAGE_BYTES_MAX) {
            self->reply.more = *ret_full = true;
            return OK;
        }
        hit->item.text = self->bodies.data + hit->start;
        *bytes += hit->item.text_length;
        item_encode(&self->items, &hit->item);
        self->reply.item_count++;
    }
    return OK;
}

/* Complete: the index had seen the chat's last change before it was asked. */
static status_t completeness_judge(query_worker_t *self)
{
    struct position position;
    bool found;
    unsigned shard = token_shard(self->request.token, self->request.token_length,
                                 (unsigned) self->args->config->shards);
    status_t status = search_position(self->search, shard, &position, &found);
    if (status == OK)
        self->reply.complete = found && !self->task.journal_down &&
                               self->task.behind == BEHIND_NOT &&
                               position.epoch == self->task.epoch &&
                               position.seq >= self->task.change;
    return status;
}

static status_t search_once(query_worker_t *self)
{
    const struct request *request = &self->request;
    uint64_t numbers[HITS_MAX], after = request->after, before = request->before;
    size_t bytes = 0, count, wanted = request->limit < HITS_MAX ? request->limit + 1 : HITS_MAX;
    bool full = false;
    buffer_clear(&self->items);
    self->reply.item_count = 0;
    self->reply.more = false;

    status_t status = completeness_judge(self);
    do {
        if (status == OK)
            status = search_find(self->search, self->task.application_id, request->chat,
                                 self->needle.data, self->needle.length, after, before,
                                 request->descending, wanted, numbers, &count);
        if (status != OK)
            return status;
        if (count > 0 && request->descending)
            before = numbers[count - 1];
        else if (count > 0)
            after = numbers[count - 1];
        bool last = count < wanted;
        status = hits_add(self, numbers, count, &bytes, &full);
        full |= last;
    } while (status == OK && !full);
    return status;
}

status_t query_search(query_worker_t *self)
{
    buffer_clear(&self->needle);
    text_fold_append(&self->needle, self->request.text, self->request.text_length);
    status_t status = search_once(self);
    if (status == ERR_CONFLICT) /* a reindex has just put another index in its place */
        status = search_once(self);
    buffer_shrink(&self->bodies);
    buffer_shrink(&self->folded);
    return status == ERR_CONFLICT ? ERR_SEARCH : status;
}

void query_search_free(query_worker_t *self)
{
    buffer_free(&self->needle);
    buffer_free(&self->folded);
    buffer_free(&self->bodies);
}
