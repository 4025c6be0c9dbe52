/* SPDX-License-Identifier: MIT */
#include "actors/numbering_batch.h"

#include <stdlib.h>
#include <string.h>

static bool asker_joins(const struct request *request)
{
    return request->type == REQUEST_MESSAGE_CREATE && !request->keyed;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By shard, then in the order that a batch must have (enum record_type), then by
 * chat, then as they came. */
static int asker_compare(const void *a_p, const void *b_p)
{
    const struct asker *a = *(struct asker *const *) a_p, *b = *(struct asker *const *) b_p;
    const struct request *p = &a->request, *q = &b->request;
    int order = compare(a->shard, b->shard);
    if (!order)
        order = compare(p->type, q->type);
    if (!order && p->type == REQUEST_MESSAGE_CREATE) {
        order = compare(p->keyed, q->keyed);
        if (!order && !p->keyed) {
            order = compare(p->chat, q->chat);
            if (!order)
                order = compare(p->token_length, q->token_length);
            if (!order)
                order = memcmp(p->token, q->token, p->token_length);
        }
    }
    return order ? order : compare((uintptr_t) a, (uintptr_t) b);
}

static bool asker_same_group(const struct asker *a, const struct asker *b)
{
    const struct request *p = &a->request, *q = &b->request;
    return asker_joins(p) && asker_joins(q) && p->chat == q->chat &&
           p->token_length == q->token_length && !memcmp(p->token, q->token, p->token_length);
}

static struct record_group group_of(const struct request *request, uint32_t count)
{
    struct record_group group = {
        .type = (enum record_type) request->type,
        .token = request->token,
        .token_length = request->token_length,
        .chat = request->chat,
        .number = request->number,
        .count = count,
        .keyed = request->keyed,
        .status = ERR_JOURNAL,
    };
    memcpy(group.key, request->key, HASH_LENGTH);
    memcpy(group.request_hash, request->request_hash, HASH_LENGTH);
    return group;
}

/* Makes the group that begins at order[i]; `number` is its place in its shard's batch.
 * Returns how many askers are in it. */
static uint32_t group_make(struct asker_batch *self, size_t i, size_t number,
                           struct record_group *group)
{
    uint32_t members = 0;
    do {
        struct asker *asker = self->order[i + members];
        asker->group = number;
        asker->place = members;
        self->records[members++] = (struct group_record){
            .text = asker->request.text,
            .text_length = asker->request.text_length,
            .number = asker->request.number,
        };
    } while (i + members < self->count &&
             self->order[i + members]->shard == self->order[i]->shard &&
             asker_same_group(self->order[i], self->order[i + members]));
    size_t before = self->encoded.length;
    *group = group_of(&self->order[i]->request, members);
    group_encode(&self->encoded, group->type, group->token, group->token_length, group->chat,
                 self->records, members);
    group->length = self->encoded.length - before;
    return members;
}

size_t asker_batch_make(struct asker_batch *self)
{
    size_t batches = 0, groups = 0;
    struct batch *batch = NULL;
    buffer_clear(&self->encoded);
    qsort(self->order, self->count, sizeof *self->order, asker_compare);
    for (size_t i = 0; i < self->count;) {
        if (!batch || batch->shard != self->order[i]->shard) {
            self->starts[batches] = i;
            batch = &self->batches[batches++];
            *batch = (struct batch){.shard = self->order[i]->shard,
                                    .groups = &self->groups[groups]};
        }
        i += group_make(self, i, batch->count++, &self->groups[groups++]);
    }
    self->starts[batches] = self->count;
    const char *bytes = self->encoded.data;
    for (size_t i = 0; i < groups; bytes += self->groups[i++].length)
        self->groups[i].bytes = bytes;
    return batches;
}
