/* SPDX-License-Identifier: MIT */
/* frame.h - one frame a message, without czmq's pictures: the hot path. */
#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include <errno.h>
#include <stdbool.h>
#include <zmq.h>

#include "common/buffer.h"

/* Receives the next frame without waiting; false when there is none. The caller
 * closes it with zmq_msg_close(). `message` is not initialised before. */
static inline bool frame_receive(void *socket, zmq_msg_t *message)
{
    zmq_msg_init(message);
    int result;
    do
        result = zmq_msg_recv(message, socket, ZMQ_DONTWAIT);
    while (result < 0 && errno == EINTR);
    if (result >= 0)
        return true;
    zmq_msg_close(message);
    return false;
}

/* Receives the next message, which should have two frames, without waiting; false
 * when there is none. One of another shape is dropped: *ret_whole is false, and
 * there is nothing to close. */
static inline bool frame_receive_pair(void *socket, zmq_msg_t *first, zmq_msg_t *second,
                                      bool *ret_whole)
{
    if (!frame_receive(socket, first))
        return false;
    bool two = zmq_msg_more(first) && frame_receive(socket, second);
    bool more = two && zmq_msg_more(second);
    *ret_whole = two && !more;
    if (*ret_whole)
        return true;
    zmq_msg_close(first);
    if (two)
        zmq_msg_close(second);
    while (more && frame_receive(socket, first)) {
        more = zmq_msg_more(first);
        zmq_msg_close(first);
    }
    return true;
}

/* Sends a copy of the bytes without waiting; false if the peer is gone or full. */
static inline bool frame_send(void *socket, const void *data, size_t length, int flags)
{
    int result;
    do
        result = zmq_send(socket, data, length, flags | ZMQ_DONTWAIT);
    while (result < 0 && errno == EINTR);
    return result >= 0;
}

/* Sends and takes over the frame; when it cannot be sent it is closed: false. */
static inline bool frame_forward(void *socket, zmq_msg_t *message, int flags)
{
    int result;
    do
        result = zmq_msg_send(message, socket, flags | ZMQ_DONTWAIT);
    while (result < 0 && errno == EINTR);
    if (result < 0)
        zmq_msg_close(message);
    return result >= 0;
}

/* The same for a message of two frames, a ROUTER's [sender][frame] among them. */
static inline bool frame_forward_pair(void *socket, zmq_msg_t *first, zmq_msg_t *second)
{
    if (frame_forward(socket, first, ZMQ_SNDMORE))
        return frame_forward(socket, second, 0);
    zmq_msg_close(second);
    return false;
}

/* Sends a copy of the bytes to whom a frame came from; takes over `sender`. */
static inline bool frame_answer(void *socket, zmq_msg_t *sender, const struct buffer *bytes)
{
    return frame_forward(socket, sender, ZMQ_SNDMORE) &&
           frame_send(socket, bytes->data, bytes->length, 0);
}

#endif
