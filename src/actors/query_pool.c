/* SPDX-License-Identifier: MIT */
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
    size_t end = !heavy && self->heavy.count > 0 ? 1 : WORKERS;
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

/* Asks how far the store got: at the start, and while reads wait for it. */
static void positions_dispatch(query_t *self)
{
    int64_t now = clock_monotonic_us();
    int64_t pause_us = (self->parked.count > 0 ? LOOK_MS : 10 * LOOK_MS) * 1000;
    struct worker *worker = worker_choose(self, false);
    if (self->positions_asked || now < self->positions_us + pause_us || !worker)
        return;
    const struct task task = {.ticket = POSITIONS_TICKET, .positions = true};
    zmq_msg_t nothing;
    zmq_msg_init(&nothing);
    worker_give(worker, &task, &nothing);
    self->positions_asked = true;
    self->positions_us = now;
}

void query_dispatch(query_t *self)
{
    queue_dispatch(self, &self->heavy, true);
    queue_dispatch(self, &self->light, false);
    positions_dispatch(self);
}
