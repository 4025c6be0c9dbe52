/* SPDX-License-Identifier: MIT */
#include "actors/numbering.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/numbering_batch.h"
#include "actors/numbering_log.h"
#include "common/actor.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "common/message.h"
#include "common/metrics.h"
#include "storage/journal.h"

/* What an encoded group has beside its text, at most. */
#define GROUP_BYTES 128

typedef struct {
    zsock_t *pipe;     /* borrowed from our zactor */
    zsock_t *requests; /* [sender][request]: ROUTER, MANDATORY; behind a spread actor DEALER */
    zsock_t *wakeups;  /* PUB: hints, losing one costs 100 ms */
    char requests_at[ENDPOINT_SIZE], wakes_at[ENDPOINT_SIZE];
    unsigned shards;
    numbering_log_t *log;
    struct asker_batch batch; /* at hand */
    struct buffer frame;      /* the reply being made */
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
        numbering_append(self); /* one round trip; only then are they answered */
    }
    numbering_close(&self);
}

/* Behind a spread actor there is one peer: no address is needed, and it takes back
 * whatever it is given. */
static status_t sockets_open(numbering_t *self, const struct actor_args *args)
{
    bool alone = args->servers <= 1;
    actor_endpoint(self->requests_at, NUMBERING_ENDPOINT, args);
    actor_endpoint(self->wakes_at, WAKE_NUMBERING_ENDPOINT, args);
    self->requests = zsock_new(alone ? ZMQ_ROUTER : ZMQ_DEALER);
    self->wakeups = zsock_new(ZMQ_PUB);
    if (!self->requests || !self->wakeups)
        return ERR_OVERLOADED;
    if (alone)
        zsock_set_router_mandatory(self->requests, 1);
    else
        zsock_set_sndhwm(self->requests, 0); /* one reply for each request that it let in */
    return zsock_bind(self->requests, "%s", self->requests_at) < 0 ||
                   zsock_bind(self->wakeups, "%s", self->wakes_at) < 0
               ? ERR_CONFIG
               : OK;
}

static status_t numbering_open(numbering_t *self, zsock_t *pipe, const struct actor_args *args)
{
    self->pipe = pipe;
    self->shards = (unsigned) args->config->shards;
    status_t status = numbering_log_open(args, &self->log);
    return status == OK ? sockets_open(self, args) : status;
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
    asker->shard = token_shard(asker->request.token, asker->request.token_length, self->shards);
    return true;
}

/* Ends while the largest request there can be would still fit. */
static void numbering_gather(numbering_t *self)
{
    struct asker_batch *batch = &self->batch;
    size_t bytes = 0;
    batch->count = 0;
    while (batch->count < BATCH_RECORDS_MAX &&
           bytes <= BATCH_BYTES_MAX - BODY_BYTES_MAX - GROUP_BYTES) {
        struct asker *asker = &batch->askers[batch->count];
        bool good;
        if (!gather_one(self, asker, &good))
            break;
        if (good) {
            bytes += asker->request.text_length + GROUP_BYTES;
            batch->order[batch->count++] = asker;
        }
    }
}

/* ---- append ---- */

/* Until when a batch without an answer goes again: half of the time that the most
 * impatient of its askers has. */
static int64_t deadline_of(const struct asker_batch *batch, size_t from, size_t to)
{
    uint32_t wait_ms = UINT32_MAX;
    for (size_t i = from; i < to; i++)
        if (batch->order[i]->request.wait_ms_max < wait_ms)
            wait_ms = batch->order[i]->request.wait_ms_max;
    return clock_monotonic_us() + (int64_t) wait_ms * 1000 / 2;
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
    if (!frame_answer(zsock_resolve(self->requests), &asker->sender, &self->frame))
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

/* The batch is on disk, or was refused as a whole. */
static void batch_answer(numbering_t *self, const struct batch *batch, size_t from, size_t to)
{
    struct asker_batch *askers = &self->batch;
    if (batch->status == OK) {
        appended_count(batch);
    } else {
        metrics_add(METRIC_APPENDS_FAILED, 1);
        log_warning("append_failed", "shard=%u requests=%zu status=%s reason=\"%s\" detail=\"%s\"",
                    batch->shard, to - from, status_name(batch->status), status_text(batch->status),
                    numbering_log_errmsg(self->log));
    }
    for (size_t i = from; i < to; i++)
        answer(self, askers->order[i], &batch->groups[askers->order[i]->group], batch->status);
    if (batch->status == OK)
        wake_followers(self, batch);
}

static void numbering_append(numbering_t *self)
{
    struct asker_batch *askers = &self->batch;
    int64_t deadlines_us[SHARDS_MAX];
    size_t count = asker_batch_make(askers);
    for (size_t i = 0; i < count; i++)
        deadlines_us[i] = deadline_of(askers, askers->starts[i], askers->starts[i + 1]);
    numbering_log_append(self->log, askers->batches, count, deadlines_us);
    for (size_t i = 0; i < count; i++)
        batch_answer(self, &askers->batches[i], askers->starts[i], askers->starts[i + 1]);
}

/* Also undoes a numbering_open() that failed half way. */
static void numbering_close(numbering_t **self_p)
{
    numbering_t *self = *self_p;
    numbering_log_close(&self->log);
    actor_unbind(&self->wakeups, self->wakes_at);
    actor_unbind(&self->requests, self->requests_at);
    buffer_free(&self->batch.encoded);
    buffer_free(&self->frame);
    free(self);
    *self_p = NULL;
}
