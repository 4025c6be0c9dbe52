/* SPDX-License-Identifier: MIT */
#include "http/caller.h"

#include <assert.h>
#include <czmq.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/frame.h"

/* Above it a request's encoding is not kept for the next one. */
enum { REQUEST_BYTES_KEPT = 16384 };

enum peer { PEER_NUMBERING, PEER_QUERY, PEER_COUNT };

/* A way to one actor. */
struct line {
    zsock_t *socket; /* NULL until the first request */
    int wait_ms;     /* what the socket's receive timeout is set to */
};

struct caller {
    struct line lines[PEER_COUNT];
    uint64_t last_id;
    struct buffer request;
    zmq_msg_t reply; /* what the last *ret_reply points into */
};

caller_t *caller_open(void)
{
    caller_t *self = zmalloc(sizeof *self);
    assert(self);
    zmq_msg_init(&self->reply);
    return self;
}

void caller_close(caller_t **caller_p)
{
    caller_t *self = *caller_p;
    if (!self)
        return;
    for (int i = 0; i < PEER_COUNT; i++)
        zsock_destroy(&self->lines[i].socket);
    zmq_msg_close(&self->reply);
    buffer_free(&self->request);
    free(self);
    *caller_p = NULL;
}

static bool is_write(enum request_type type)
{
    return type < REQUEST_APPLICATIONS;
}

static status_t no_reply(enum request_type type)
{
    if (is_write(type))
        return ERR_OUTCOME_UNKNOWN;
    return type == REQUEST_SEARCH ? ERR_SEARCH : ERR_STORE;
}

static struct line *caller_line(caller_t *self, enum request_type type)
{
    enum peer peer = is_write(type) ? PEER_NUMBERING : PEER_QUERY;
    struct line *line = &self->lines[peer];
    if (!line->socket) {
        line->socket = zsock_new(ZMQ_DEALER);
        line->wait_ms = -1;
        if (line->socket &&
            zsock_connect(line->socket, peer == PEER_QUERY ? QUERY_ENDPOINT : NUMBERING_ENDPOINT))
            zsock_destroy(&line->socket);
    }
    return line->socket ? line : NULL;
}

/* Waits for a frame, whatever it says. False at the deadline. */
static bool line_receive(struct line *line, zmq_msg_t *frame, int64_t deadline_us)
{
    void *socket = zsock_resolve(line->socket);
    for (;;) {
        int64_t left_us = deadline_us - clock_monotonic_us();
        int wait_ms = left_us > 0 ? (int) ((left_us + 999) / 1000) : 0;
        if (wait_ms != line->wait_ms)
            zsock_set_rcvtimeo(line->socket, line->wait_ms = wait_ms);
        if (zmq_msg_recv(frame, socket, 0) >= 0)
            return true;
        if (errno != EINTR || left_us <= 0)
            return false;
    }
}

static status_t caller_await(caller_t *self, struct line *line, const struct request *request,
                             int64_t deadline_us, struct reply *ret_reply)
{
    struct reply reply;
    do {
        if (!line_receive(line, &self->reply, deadline_us))
            return errno == ETERM ? ERR_STOPPED : no_reply(request->type);
        if (reply_decode(zmq_msg_data(&self->reply), zmq_msg_size(&self->reply), &reply) != OK)
            reply.id = 0; /* nobody's */
    } while (reply.id != request->id);
    *ret_reply = reply;
    return reply.status;
}

status_t caller_ask(caller_t *self, struct request *request, int64_t deadline_us,
                    struct reply *ret_reply)
{
    struct line *line = caller_line(self, request->type);
    if (!line)
        return ERR_STOPPED;

    int64_t left_us = deadline_us - clock_monotonic_us();
    if (left_us <= 0)
        return is_write(request->type) ? ERR_OVERLOADED : no_reply(request->type);
    request->id = ++self->last_id;
    request->wait_ms_max = (uint32_t) ((left_us + 999) / 1000);
    request_encode(&self->request, request);
    bool sent = frame_send(zsock_resolve(line->socket), self->request.data, self->request.length,
                           0);
    status_t refusal = errno == ETERM ? ERR_STOPPED : ERR_OVERLOADED;
    if (self->request.capacity > REQUEST_BYTES_KEPT)
        buffer_free(&self->request);
    return sent ? caller_await(self, line, request, deadline_us, ret_reply) : refusal;
}

void caller_tidy(caller_t *self)
{
    zmq_msg_close(&self->reply);
    zmq_msg_init(&self->reply);
}
