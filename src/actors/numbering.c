/* SPDX-License-Identifier: MIT */
#include "actors/numbering.h"

#include <assert.h>
#include <stdlib.h>

#include "common/actor.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/message.h"
#include "common/metrics.h"
#include "storage/journal.h"

/* A producer that was idle for longer may have been forgotten by the journal (it
 * keeps them for a day): it takes a new name, so as not to look like a gap. */
#define PRODUCER_IDLE_US (3600 * (int64_t) 1000000)
#define RESEND_PAUSE_MS 20
/* What an encoded group has beside its text, at most. */
#define GROUP_BYTES 128

/* A request of the batch at hand: whom to answer, and the frame that it came in. */
struct asker {
    zmq_msg_t sender, frame;
    struct request request; /* its strings lie in `frame` */
    unsigned shard;
    size_t group;   /* in which it went to the journal */
    uint32_t place; /* in that group */
};

/* Under which name, and with what, this actor appends to a shard. */
struct producer {
    uint64_t epoch;        /* 0: ask the journal */
    uint64_t id, sequence; /* of the next batch */
    int64_t used_us;       /* monotonic */
};

typedef struct {
    zsock_t *pipe;     /* borrowed from our zactor */
    zsock_t *requests; /* ROUTER, MANDATORY: [sender][request] */
    zsock_t *wakeups;  /* PUB: hints, losing one costs 100 ms */
    const struct config *config;
    journal_t *journal;
    struct producer *producers; /* one a shard */

    size_t count; /* askers in the batch at hand */
    struct asker askers[BATCH_RECORDS_MAX];
    struct asker *order[BATCH_RECORDS_MAX]; /* sorted as the groups stand */
    struct record_group groups[BATCH_RECORDS_MAX];
    struct group_record records[BATCH_RECORDS_MAX];
    struct buffer encoded; /* the groups' bytes */
    struct buffer frame;   /* the reply being made */
} numbering_t;

static status_t numbering_open(numbering_t *self, zsock_t *pipe, const struct actor_args *args);
static bool numbering_wait(numbering_t *self);
static void numbering_gather(numbering_t *self);
static void numbering_append(numbering_t *self);
static void numbering_close(numbering_t **self_p);

void numbering_actor(zsock_t *pipe, void *args)
{
    numbering_t *self = (numbering_t *) calloc(1, sizeof *self);
    assert(self);
    status_t status = numbering_open(self, pipe, (const struct actor_args *) args);
    actor_ready(pipe, status);

    while (status == OK && numbering_wait(self)) {
        numbering_gather(self); /* what is here now, up to a batch */
        numbering_append(self); /* one round trip a shard; only then are they answered */
    }
    numbering_close(&self);
}

static status_t numbering_open(numbering_t *self, zsock_t *pipe, const struct actor_args *args)
{
    self->pipe = pipe;
    self->config = args->config;
    self->producers = (struct producer *) calloc(args->config->shards, sizeof *self->producers);
    assert(self->producers);

    const struct journal_options options = {
        .url = args->config->journal,
        .run = args->run,
        .keys_max = args->config->keys_max,
        .backlog_records_max = args->config->backlog_records,
        .backlog_bytes_max = args->config->backlog_bytes,
    };
    status_t status = journal_open(&options, &self->journal);
    if (status != OK)
        return status;

    self->requests = zsock_new(ZMQ_ROUTER);
    self->wakeups = zsock_new(ZMQ_PUB);
    if (!self->requests || !self->wakeups)
        return ERR_OVERLOADED;
    zsock_set_router_mandatory(self->requests, 1);
    return zsock_bind(self->requests, NUMBERING_ENDPOINT) < 0 ||
                   zsock_bind(self->wakeups, WAKE_NUMBERING_ENDPOINT) < 0
               ? ERR_CONFIG
               : OK;
}

/* Sleeps until there is work. False when told to stop. */
static bool numbering_wait(numbering_t *self)
{
    zmq_pollitem_t items[] = {
        {zsock_resolve(self->pipe), 0, ZMQ_POLLIN, 0},
        {zsock_resolve(self->requests), 0, ZMQ_POLLIN, 0},
    };
    while (zmq_poll(items, 2, -1) < 0 && errno == EINTR)
        ;
    return !(items[0].revents & ZMQ_POLLIN && actor_stopped(self->pipe));
}

/* ---- gather ---- */

static bool request_is_good(struct asker *asker)
{
    struct request *request = &asker->request;
    return request_decode(zmq_msg_data(&asker->frame), zmq_msg_size(&asker->frame), request) ==
               OK &&
           request->type <= REQUEST_MESSAGE_DELETE && request->text_length <= BODY_BYTES_MAX &&
           token_valid(request->token, request->token_length);
}

/* Takes one request; false when none is waiting. A frame that makes no sense is
 * dropped: its sender is of our own process or was checked by a relay. */
static bool gather_one(numbering_t *self, struct asker *asker, bool *ret_good)
{
    bool whole;
    if (!frame_receive_pair(zsock_resolve(self->requests), &asker->sender, &asker->frame, &whole))
        return false;
    *ret_good = whole && request_is_good(asker);
    if (!*ret_good) {
        metrics_add(METRIC_REPLIES_DROPPED, 1);
        if (whole) {
            zmq_msg_close(&asker->sender);
            zmq_msg_close(&asker->frame);
        }
        return true;
    }
    asker->shard = token_shard(asker->request.token, asker->request.token_length,
                               (unsigned) self->config->shards);
    return true;
}

/* Ends while the largest request there can be would still fit. */
static void numbering_gather(numbering_t *self)
{
    size_t bytes = 0;
    self->count = 0;
    while (self->count < BATCH_RECORDS_MAX &&
           bytes <= BATCH_BYTES_MAX - BODY_BYTES_MAX - GROUP_BYTES) {
        struct asker *asker = &self->askers[self->count];
        bool good;
        if (!gather_one(self, asker, &good))
            break;
        if (good) {
            bytes += asker->request.text_length + GROUP_BYTES;
            self->order[self->count++] = asker;
        }
    }
}

/* ---- append ---- */

/* All creations of messages in one chat without a key are one group. */
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

/* Makes the groups of askers order[from..to), which are of one shard. */
static size_t groups_make(numbering_t *self, size_t from, size_t to)
{
    size_t count = 0, starts[BATCH_RECORDS_MAX];
    buffer_clear(&self->encoded);
    for (size_t i = from; i < to;) {
        uint32_t members = 0;
        do {
            struct asker *asker = self->order[i + members];
            asker->group = count;
            asker->place = members;
            self->records[members++] = (struct group_record){
                .text = asker->request.text,
                .text_length = asker->request.text_length,
                .number = asker->request.number,
            };
        } while (i + members < to && asker_same_group(self->order[i], self->order[i + members]));

        const struct request *request = &self->order[i]->request;
        struct record_group *group = &self->groups[count];
        *group = group_of(request, members);
        starts[count++] = self->encoded.length;
        group_encode(&self->encoded, group->type, group->token, group->token_length, group->chat,
                     self->records, members);
        group->length = self->encoded.length - starts[count - 1];
        i += members;
    }
    for (size_t i = 0; i < count; i++)
        self->groups[i].bytes = self->encoded.data + starts[i];
    return count;
}

/* Sees to it that the producer has an epoch and a name. */
static status_t producer_prepare(numbering_t *self, unsigned shard)
{
    struct producer *producer = &self->producers[shard];
    int64_t now = clock_monotonic_us();
    if (producer->epoch == 0) {
        struct journal_meta meta;
        bool found;
        status_t status = journal_meta(self->journal, shard, &meta, &found);
        if (status != OK || !found)
            return status != OK ? status : ERR_CLOSED;
        *producer = (struct producer){.epoch = meta.epoch};
    }
    if (producer->id == 0 || now - producer->used_us > PRODUCER_IDLE_US) {
        producer->id = journal_random();
        producer->sequence = 1;
    }
    producer->used_us = now;
    return OK;
}

/* Until when a batch without an answer goes again: half of the time that the most
 * impatient of its askers has. */
static int64_t deadline_of(const numbering_t *self, size_t from, size_t to)
{
    uint32_t wait_ms = UINT32_MAX;
    for (size_t i = from; i < to; i++)
        if (self->order[i]->request.wait_ms_max < wait_ms)
            wait_ms = self->order[i]->request.wait_ms_max;
    return clock_monotonic_us() + (int64_t) wait_ms * 1000 / 2;
}

/* Whether trying again can help: only the stored reply tells what became of an
 * earlier try, and a shard that is closed or of another epoch will not give it. */
static bool status_may_pass(status_t status)
{
    return status != OK && status != ERR_CLOSED && status != ERR_EPOCH && status != ERR_UNCHECKED;
}

/* Without an answer the same batch goes again, under the same sequence, until it
 * is time to give up: then nobody knows what became durable, and a new producer
 * keeps the next batch from being taken for this one. That a later try could not
 * be made says nothing about the first. */
static status_t batch_append(numbering_t *self, struct batch *batch, int64_t deadline_us)
{
    struct producer *producer = &self->producers[batch->shard];
    status_t status = journal_append(self->journal, batch);
    if (status == ERR_OUTCOME_UNKNOWN) {
        while (status_may_pass(status) && clock_monotonic_us() < deadline_us) {
            zclock_sleep(RESEND_PAUSE_MS);
            status = journal_append(self->journal, batch);
        }
        if (status != OK)
            status = ERR_OUTCOME_UNKNOWN;
    }
    switch ((int) status) {
    case OK:
        producer->sequence++;
        break;
    case ERR_OUTCOME_UNKNOWN:
    case ERR_SEQUENCE:
        producer->id = 0;
        break;
    case ERR_EPOCH:
        *producer = (struct producer){0};
        break;
    default:
        break;
    }
    return status;
}

static void answer(numbering_t *self, struct asker *asker, const struct record_group *group,
                   status_t status)
{
    struct reply reply = {.id = asker->request.id, .status = status};
    if (status == OK)
        reply.status = group->status;
    if (reply.status == OK) {
        reply.number = group->first_number ? group->first_number + asker->place : 0;
        reply.time = group->time;
        reply.token = group->result_token;
        reply.token_length = group->result_token_length;
        reply.replayed = group->replayed;
    }
    metrics_add(METRIC_IDEMPOTENT_REPLAYS, reply.replayed);
    reply_encode(&self->frame, &reply);
    void *socket = zsock_resolve(self->requests);
    if (!frame_forward(socket, &asker->sender, ZMQ_SNDMORE) ||
        !frame_send(socket, self->frame.data, self->frame.length, 0))
        metrics_add(METRIC_REPLIES_DROPPED, 1); /* a slow or dead asker blocks nobody */
    zmq_msg_close(&asker->frame);
}

static void wake_followers(numbering_t *self, const struct batch *batch)
{
    const struct wake wake = {WAKE_APPENDED, batch->shard, batch->epoch, batch->last_seq};
    wake_encode(&self->frame, &wake);
    frame_send(zsock_resolve(self->wakeups), self->frame.data, self->frame.length, 0);
}

static void appended_count(const struct batch *batch)
{
    uint64_t records = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->groups[i].status == OK && !batch->groups[i].replayed)
            records += batch->groups[i].count;
    histogram_add(&metrics_batch_records, (double) records);
    metrics_add(METRIC_RECORDS_APPENDED, records);
}

/* Appends what askers order[from..to) want, all of one shard, and answers them. */
static void append_shard(numbering_t *self, size_t from, size_t to)
{
    struct batch batch = {.shard = self->order[from]->shard, .groups = self->groups};
    status_t status = producer_prepare(self, batch.shard);
    if (status == OK) {
        const struct producer *producer = &self->producers[batch.shard];
        batch.count = groups_make(self, from, to);
        batch.epoch = producer->epoch;
        batch.producer = producer->id;
        batch.sequence = producer->sequence;
        status = batch_append(self, &batch, deadline_of(self, from, to));
    }
    if (status == OK) {
        appended_count(&batch);
    } else {
        metrics_add(METRIC_APPENDS_FAILED, 1);
        log_warning("append_failed", "shard=%u requests=%zu status=%s reason=\"%s\" detail=\"%s\"",
                    batch.shard, to - from, status_name(status), status_text(status),
                    journal_errmsg(self->journal));
    }
    for (size_t i = from; i < to; i++)
        answer(self, self->order[i], &self->groups[self->order[i]->group], status);
    if (status == OK)
        wake_followers(self, &batch);
}

static void numbering_append(numbering_t *self)
{
    qsort(self->order, self->count, sizeof *self->order, asker_compare);
    for (size_t from = 0, to; from < self->count; from = to) {
        for (to = from + 1; to < self->count; to++)
            if (self->order[to]->shard != self->order[from]->shard)
                break;
        append_shard(self, from, to);
    }
}

/* Also undoes a numbering_open() that failed half way. */
static void numbering_close(numbering_t **self_p)
{
    numbering_t *self = *self_p;
    journal_close(&self->journal);
    actor_unbind(&self->wakeups, WAKE_NUMBERING_ENDPOINT);
    actor_unbind(&self->requests, NUMBERING_ENDPOINT);
    buffer_free(&self->encoded);
    buffer_free(&self->frame);
    free(self->producers);
    free(self);
    *self_p = NULL;
}
