/* SPDX-License-Identifier: MIT */
#include "actors/query.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/query_front.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/metrics.h"

static status_t query_open(query_t *self, zsock_t *pipe, const struct actor_args *args);
static bool query_wait(query_t *self);
static void query_gather(query_t *self);
static void query_close(query_t **self_p);

void query_actor(zsock_t *pipe, void *args)
{
    query_t *self = (query_t *) calloc(1, sizeof *self);
    assert(self);
    status_t status = query_open(self, pipe, (const struct actor_args *) args);
    actor_ready(pipe, status);

    while (status == OK && query_wait(self)) {
        query_collect(self);  /* what workers answered, how far the store got */
        query_gather(self);   /* what is asked now */
        query_look(self);     /* one look at the journal for all of it */
        query_unpark(self);   /* what the store has reached by now */
        query_dispatch(self); /* only what is ready goes to the pool */
    }
    query_close(&self);
}

/* ---- open, wait ---- */

static status_t sockets_open(query_t *self)
{
    self->requests = zsock_new(ZMQ_ROUTER);
    self->wakeups = zsock_new(ZMQ_SUB);
    if (!self->requests || !self->wakeups)
        return ERR_OVERLOADED;
    zsock_set_router_mandatory(self->requests, 1);
    zsock_set_subscribe(self->wakeups, "");
    return zsock_bind(self->requests, QUERY_ENDPOINT) < 0 ||
                   zsock_connect(self->wakeups, WAKE_PERSISTENCE_ENDPOINT) < 0
               ? ERR_CONFIG
               : OK;
}

/* Until a look tells, each shard is where a new data set would have it. */
static void homes_open(query_t *self)
{
    self->servers = journal_servers(self->journal);
    self->homes = (unsigned *) calloc(self->shards, sizeof *self->homes);
    self->pauses = (int64_t *) calloc(self->servers, sizeof *self->pauses);
    assert(self->homes && self->pauses);
    for (unsigned shard = 0; shard < self->shards; shard++)
        self->homes[shard] = shard % self->servers;
}

static status_t query_open(query_t *self, zsock_t *pipe, const struct actor_args *args)
{
    self->pipe = pipe;
    self->shared = actor_shares(args->config);
    self->shards = (unsigned) args->config->shards;
    self->positions_us = INT64_MIN / 2; /* ask at once */
    self->tickets = (struct ticket *) calloc(TICKETS_MAX, sizeof *self->tickets);
    self->waits = (struct wait *) calloc(TICKETS_MAX * self->shards, sizeof *self->waits);
    self->positions = (struct position *) calloc(self->shards, sizeof *self->positions);
    assert(self->tickets && self->waits && self->positions);
    for (uint32_t i = 0; i < TICKETS_MAX; i++) {
        self->tickets[i].waits = &self->waits[i * self->shards];
        self->tickets[i].task.ticket = i;
        queue_put(&self->free, i);
    }

    const struct journal_options options = {.url = args->config->journal, .run = args->run};
    status_t status = journal_open(&options, &self->journal);
    if (status == OK)
        homes_open(self);
    for (size_t i = 0; status == OK && i < WORKERS; i++)
        self->workers[i].actor = actor_start(query_worker_actor, args, &status);
    return status == OK ? sockets_open(self) : status;
}

static bool query_wait(query_t *self)
{
    zmq_pollitem_t items[3 + WORKERS] = {
        {zsock_resolve(self->pipe), 0, ZMQ_POLLIN, 0},
        /* With no ticket free they wait at the socket. */
        {zsock_resolve(self->requests), 0, self->free.count > 0 ? ZMQ_POLLIN : 0, 0},
        {zsock_resolve(self->wakeups), 0, ZMQ_POLLIN, 0},
    };
    for (size_t i = 0; i < WORKERS; i++)
        items[3 + i] = (zmq_pollitem_t){zsock_resolve(self->workers[i].actor), 0, ZMQ_POLLIN, 0};
    bool waiting = self->parked.count > 0 || self->incoming.count > 0;
    long wait_ms = waiting ? LOOK_SHARED_MS : 10 * LOOK_MS;
    while (zmq_poll(items, 3 + WORKERS, wait_ms) < 0 && errno == EINTR)
        ;
    return !(items[0].revents & ZMQ_POLLIN && actor_stopped(self->pipe));
}

/* ---- answers ---- */

static void ticket_free(query_t *self, struct ticket *ticket)
{
    zmq_msg_close(&ticket->frame);
    queue_put(&self->free, ticket->task.ticket);
}

/* Sends the frame that a worker made. */
void ticket_forward(query_t *self, struct ticket *ticket, zmq_msg_t *reply)
{
    if (!frame_forward_pair(zsock_resolve(self->requests), &ticket->sender, reply))
        metrics_add(METRIC_REPLIES_DROPPED, 1);
    ticket_free(self, ticket);
}

void ticket_fail(query_t *self, struct ticket *ticket, status_t status)
{
    const struct reply reply = {.id = ticket->request.id, .status = status};
    reply_encode(&self->frame, &reply);
    if (!frame_answer(zsock_resolve(self->requests), &ticket->sender, &self->frame))
        metrics_add(METRIC_REPLIES_DROPPED, 1);
    ticket_free(self, ticket);
}

/* ---- gather ---- */

/* Whether the request is of a kind for this actor and complete. */
static bool request_is_good(const struct request *request)
{
    bool whole = request->type == REQUEST_APPLICATIONS || request->type == REQUEST_STATE;
    return request->type >= REQUEST_APPLICATIONS &&
           (whole || token_valid(request->token, request->token_length));
}

/* Takes one request into the ticket; false when none is waiting. A frame that makes
 * no sense is dropped. */
static bool gather_one(query_t *self, struct ticket *ticket, bool *ret_good)
{
    bool whole;
    if (!frame_receive_pair(zsock_resolve(self->requests), &ticket->sender, &ticket->frame, &whole))
        return false;
    *ret_good = whole &&
                request_decode(zmq_msg_data(&ticket->frame), zmq_msg_size(&ticket->frame),
                               &ticket->request) == OK &&
                request_is_good(&ticket->request);
    if (*ret_good)
        return true;
    metrics_add(METRIC_REPLIES_DROPPED, 1);
    if (whole) {
        zmq_msg_close(&ticket->sender);
        zmq_msg_close(&ticket->frame);
    }
    return true;
}

static void query_gather(query_t *self)
{
    while (self->free.count > 0 && self->incoming.count < BATCH_MAX) {
        struct ticket *ticket = &self->tickets[queue_first(&self->free)];
        bool good;
        if (!gather_one(self, ticket, &good))
            break;
        if (!good)
            continue;
        queue_take(&self->free);
        uint32_t park_ms = ticket->request.wait_ms_max < PARK_MS_MAX ? ticket->request.wait_ms_max
                                                                     : PARK_MS_MAX;
        ticket->deadline_us = clock_monotonic_us() + (int64_t) park_ms * 1000;
        queue_put(&self->incoming, ticket->task.ticket);
    }
}

static void queue_close(query_t *self, struct queue *queue)
{
    while (queue->count > 0) {
        struct ticket *ticket = &self->tickets[queue_take(queue)];
        zmq_msg_close(&ticket->sender);
        zmq_msg_close(&ticket->frame);
    }
}

/* Also undoes a query_open() that failed half way. */
static void query_close(query_t **self_p)
{
    query_t *self = *self_p;
    for (size_t i = 0; i < WORKERS; i++)
        zactor_destroy(&self->workers[i].actor);
    queue_close(self, &self->incoming);
    queue_close(self, &self->parked);
    queue_close(self, &self->light);
    queue_close(self, &self->heavy);
    queue_close(self, &self->states);
    journal_close(&self->journal);
    zsock_destroy(&self->wakeups);
    actor_unbind(&self->requests, QUERY_ENDPOINT);
    buffer_free(&self->frame);
    free(self->tickets);
    free(self->waits);
    free(self->positions);
    free(self->homes);
    free(self->pauses);
    free(self);
    *self_p = NULL;
}
