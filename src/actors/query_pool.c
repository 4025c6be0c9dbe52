/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "actors/query_front.h"
#include "common/clock.h"
#include "common/frame.h"

/* ---- collect ---- */

/* Epoch 0: it could not be told. */
static void position_reached(query_t *self, unsigned shard, const struct position *position)
{
    if (shard < self->shards && position->epoch != 0 &&
        (position->epoch != self->positions[shard].epoch ||
         position->seq > self->positions[shard].seq))
        self->positions[shard] = *position;
}

static void positions_take(query_t *self, zmq_msg_t *frame)
{
    struct position position;
    const char *data = (const char *) zmq_msg_data(frame);
    size_t count = zmq_msg_size(frame) / sizeof position;
    for (size_t i = 0; i < count; i++) {
        memcpy(&position, data + i * sizeof position, sizeof position);
        position_reached(self, (unsigned) i, &position);
    }
    self->positions_asked = false;
    zmq_msg_close(frame);
}

static void worker_collect(query_t *self, struct worker *worker)
{
    void *socket = zsock_resolve(worker->actor);
    zmq_msg_t head, reply;
    while (frame_receive(socket, &head)) {
        uint32_t number;
        bool received = frame_receive(socket, &reply);
        assert(received && zmq_msg_size(&head) == sizeof number);
        memcpy(&number, zmq_msg_data(&head), sizeof number);
        zmq_msg_close(&head);
        worker->outstanding--;
        if (number == POSITIONS_TICKET) {
            positions_take(self, &reply);
            continue;
        }
        struct ticket *ticket = &self->tickets[number];
        if (request_is_heavy(&ticket->request))
            worker->heavy = false;
        ticket_forward(self, ticket, &reply);
    }
}

void query_collect(query_t *self)
{
    struct wake wake;
    zmq_msg_t frame;
    for (size_t i = 0; i < WORKERS; i++)
        worker_collect(self, &self->workers[i]);
    while (frame_receive(zsock_resolve(self->wakeups), &frame)) {
        if (wake_decode(zmq_msg_data(&frame), zmq_msg_size(&frame), &wake) == OK &&
            wake.topic == WAKE_PERSISTED && wake.shard < self->shards) {
            struct position position = self->positions[wake.shard];
            position.epoch = wake.epoch;
            position.seq = wake.seq;
            position.time = clock_us();
            position_reached(self, wake.shard, &position);
        }
        zmq_msg_close(&frame);
    }
}

/* ---- dispatch ---- */

/* The worker to give it to, or NULL: all have enough. Heavy work goes to a worker
 * that has nothing else, and never to the first one; while it waits, the others get
 * nothing more, or single reads would keep them for ever. */
static struct worker *worker_choose(query_t *self, bool heavy)
{
    struct worker *best = NULL;
    size_t end = !heavy && self->heavy.count > 0 ? 1 : READERS;
    for (size_t i = heavy ? 1 : 0; i < end; i++) {
        struct worker *worker = &self->workers[i];
        if (worker->heavy || worker->outstanding >= (heavy ? 1 : WORKER_DEPTH))
            continue;
        if (!best || worker->outstanding < best->outstanding)
            best = worker;
    }
    return best;
}

static void worker_give(struct worker *worker, const struct task *task, zmq_msg_t *frame)
{
    void *socket = zsock_resolve(worker->actor);
    bool sent = frame_send(socket, task, sizeof *task, ZMQ_SNDMORE) &&
                frame_forward(socket, frame, 0);
    assert(sent); /* the pipe holds a thousand, a worker gets a few */
    worker->outstanding++;
}

static void queue_dispatch(query_t *self, struct queue *queue, bool heavy)
{
    struct worker *worker;
    while (queue->count > 0 && (worker = worker_choose(self, heavy))) {
        struct ticket *ticket = &self->tickets[queue_take(queue)];
        worker->heavy = heavy;
        worker_give(worker, &ticket->task, &ticket->frame);
        zmq_msg_init(&ticket->frame); /* the worker has it now */
    }
}

/* One after the other, by the worker that has nothing else to do. */
static void states_dispatch(query_t *self)
{
    struct worker *worker = &self->workers[READERS];
    if (self->states.count == 0 || worker->outstanding > 0)
        return;
    struct ticket *ticket = &self->tickets[queue_take(&self->states)];
    worker_give(worker, &ticket->task, &ticket->frame);
    zmq_msg_init(&ticket->frame); /* the worker has it now */
}

/* Which shards are waited for; without a read that waits, all. */
static void positions_wanted(const query_t *self, bool wanted[])
{
    memset(wanted, self->parked.count == 0, self->shards);
    for (size_t i = 0; i < self->parked.count; i++) {
        uint32_t number = self->parked.tickets[(self->parked.first + i) % TICKETS_MAX];
        const struct ticket *ticket = &self->tickets[number];
        for (unsigned wait = 0; wait < ticket->wait_count; wait++)
            wanted[ticket->waits[wait].shard] = true;
    }
}

/* Asks how far the store got: at the start, and while reads wait for it. */
static void positions_dispatch(query_t *self)
{
    int64_t now = clock_monotonic_us();
    int64_t pause_ms = self->parked.count == 0 ? 10 * LOOK_MS
                       : self->shared          ? LOOK_SHARED_MS
                                               : LOOK_MS;
    struct worker *worker = worker_choose(self, false);
    if (self->positions_asked || now < self->positions_us + pause_ms * 1000 || !worker)
        return;
    const struct task task = {.ticket = POSITIONS_TICKET, .positions = true};
    bool wanted[SHARDS_MAX];
    zmq_msg_t frame;
    positions_wanted(self, wanted);
    if (zmq_msg_init_size(&frame, self->shards) < 0)
        abort();
    memcpy(zmq_msg_data(&frame), wanted, self->shards);
    worker_give(worker, &task, &frame);
    self->positions_asked = true;
    self->positions_us = now;
}

void query_dispatch(query_t *self)
{
    queue_dispatch(self, &self->heavy, true);
    queue_dispatch(self, &self->light, false);
    states_dispatch(self);
    positions_dispatch(self);
}
