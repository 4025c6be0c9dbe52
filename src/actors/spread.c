/* SPDX-License-Identifier: MIT */
#include "actors/spread.h"

#include <assert.h>
#include <stdlib.h>

#include "common/actor.h"
#include "common/frame.h"
#include "common/message.h"
#include "common/metrics.h"
#include "storage/journal.h"

typedef struct {
    zsock_t *pipe;     /* borrowed from our zactor */
    zsock_t *requests; /* ROUTER, MANDATORY: [sender][request] */
    unsigned server_count, shards;
    zsock_t **servers;     /* DEALER to each one's numbering actor: the same frames */
    zmq_pollitem_t *items; /* pipe, requests, then the servers */
    unsigned *homes;       /* by shard: its server */
    struct buffer frame;   /* the refusal being made */
} spread_t;

static status_t spread_open(spread_t *self, zsock_t *pipe, const struct actor_args *args);
static bool spread_wait(spread_t *self);
static void spread_requests(spread_t *self);
static void spread_replies(spread_t *self);
static void spread_close(spread_t **self_p);

void spread_actor(zsock_t *pipe, void *args)
{
    spread_t *self = (spread_t *) calloc(1, sizeof *self);
    assert(self);
    status_t status = spread_open(self, pipe, (const struct actor_args *) args);
    actor_ready(pipe, status);

    while (status == OK && spread_wait(self)) {
        spread_requests(self); /* each to its server's queue, or refused */
        spread_replies(self);  /* each back to who asked */
    }
    spread_close(&self);
}

/* Asks where the shards are, once. Of one that is not known, since a server does not
 * answer, it is where a new data set would have it. Should that be wrong, it is numbered
 * all the same: each numbering actor can reach every server. */
static status_t homes_find(spread_t *self, const struct actor_args *args)
{
    const struct journal_options options = {
        .url = args->config->journal, .read_only = true, .run = args->run};
    journal_t *journal = NULL;
    status_t status = journal_open(&options, &journal);
    for (unsigned shard = 0; status == OK && shard < self->shards; shard++) {
        unsigned server;
        bool known = journal_server_of(journal, shard, &server);
        self->homes[shard] = known ? server : shard % self->server_count;
        assert(self->homes[shard] < self->server_count);
    }
    journal_close(&journal);
    return status;
}

static status_t sockets_open(spread_t *self, const struct actor_args *args)
{
    self->requests = zsock_new(ZMQ_ROUTER);
    if (!self->requests)
        return ERR_OVERLOADED;
    zsock_set_router_mandatory(self->requests, 1);
    self->items[0] = (zmq_pollitem_t){zsock_resolve(self->pipe), 0, ZMQ_POLLIN, 0};
    self->items[1] = (zmq_pollitem_t){zsock_resolve(self->requests), 0, ZMQ_POLLIN, 0};
    for (unsigned i = 0; i < self->server_count; i++) {
        struct actor_args server = *args;
        char endpoint[ENDPOINT_SIZE];
        server.server = i;
        actor_endpoint(endpoint, NUMBERING_ENDPOINT, &server);
        self->servers[i] = zsock_new(ZMQ_DEALER);
        if (!self->servers[i])
            return ERR_OVERLOADED;
        zsock_set_rcvhwm(self->servers[i], 0); /* one reply for each request that it let in */
        if (zsock_connect(self->servers[i], "%s", endpoint) < 0)
            return ERR_CONFIG;
        self->items[2 + i] = (zmq_pollitem_t){zsock_resolve(self->servers[i]), 0, ZMQ_POLLIN, 0};
    }
    return zsock_bind(self->requests, NUMBERING_ENDPOINT) < 0 ? ERR_CONFIG : OK;
}

static status_t spread_open(spread_t *self, zsock_t *pipe, const struct actor_args *args)
{
    assert(args->servers > 1);
    self->pipe = pipe;
    self->server_count = args->servers;
    self->shards = (unsigned) args->config->shards;
    self->homes = (unsigned *) calloc(self->shards, sizeof *self->homes);
    self->servers = (zsock_t **) calloc(self->server_count, sizeof *self->servers);
    self->items = (zmq_pollitem_t *) calloc(2 + self->server_count, sizeof *self->items);
    assert(self->homes && self->servers && self->items);
    status_t status = homes_find(self, args);
    return status == OK ? sockets_open(self, args) : status;
}

/* Sleeps until there is something to pass on. False when told to stop. */
static bool spread_wait(spread_t *self)
{
    while (zmq_poll(self->items, 2 + (int) self->server_count, -1) < 0 && errno == EINTR)
        ;
    return !(self->items[0].revents & ZMQ_POLLIN && actor_stopped(self->pipe));
}

/* ---- requests ---- */

static void refuse(spread_t *self, zmq_msg_t *sender, uint64_t id)
{
    const struct reply reply = {.id = id, .status = ERR_OVERLOADED};
    reply_encode(&self->frame, &reply);
    if (!frame_answer(zsock_resolve(self->requests), sender, &self->frame))
        metrics_add(METRIC_REPLIES_DROPPED, 1);
}

/* Puts it into the queue of its server, if that has room. */
static void request_forward(spread_t *self, zmq_msg_t *sender, zmq_msg_t *frame)
{
    struct request request;
    if (request_decode(zmq_msg_data(frame), zmq_msg_size(frame), &request) != OK ||
        !token_valid(request.token, request.token_length)) {
        metrics_add(METRIC_REPLIES_DROPPED, 1);
        zmq_msg_close(sender);
        zmq_msg_close(frame);
        return;
    }
    unsigned shard = token_shard(request.token, request.token_length, self->shards);
    zsock_t *server = self->servers[self->homes[shard]];
    if (!(zsock_events(server) & ZMQ_POLLOUT)) {
        refuse(self, sender, request.id);
        zmq_msg_close(frame);
    } else if (!frame_forward_pair(zsock_resolve(server), sender, frame)) {
        metrics_add(METRIC_REPLIES_DROPPED, 1);
    }
}

static void spread_requests(spread_t *self)
{
    zmq_msg_t sender, frame;
    bool whole;
    for (size_t i = 0; i < BATCH_RECORDS_MAX; i++) { /* then replies have their turn */
        if (!frame_receive_pair(zsock_resolve(self->requests), &sender, &frame, &whole))
            break;
        if (whole)
            request_forward(self, &sender, &frame);
        else
            metrics_add(METRIC_REPLIES_DROPPED, 1);
    }
}

/* ---- replies ---- */

static void spread_replies(spread_t *self)
{
    zmq_msg_t sender, frame;
    bool whole;
    for (unsigned i = 0; i < self->server_count; i++)
        while (frame_receive_pair(zsock_resolve(self->servers[i]), &sender, &frame, &whole))
            if (whole && !frame_forward_pair(zsock_resolve(self->requests), &sender, &frame))
                metrics_add(METRIC_REPLIES_DROPPED, 1);
}

/* Also undoes a spread_open() that failed half way. */
static void spread_close(spread_t **self_p)
{
    spread_t *self = *self_p;
    actor_unbind(&self->requests, NUMBERING_ENDPOINT);
    for (unsigned i = 0; i < self->server_count; i++)
        zsock_destroy(&self->servers[i]);
    buffer_free(&self->frame);
    free(self->homes);
    free(self->servers);
    free(self->items);
    free(self);
    *self_p = NULL;
}
