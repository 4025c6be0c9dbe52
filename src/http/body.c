/* SPDX-License-Identifier: MIT */
#include "http/body.h"

#include <string.h>

#include "common/clock.h"

enum {
    CHUNK_BYTES = 16384, /* read at a time when the length is not known */
    LINGER_BYTES = 4096,
    LINGER_BYTES_MAX = 256 << 20,
};

static enum problem read_sized(struct exchange *x, size_t length)
{
    struct buffer *body = &x->worker->body;
    char *to = buffer_reserve(body, length);
    while (body->length < length) {
        int count = mg_read(x->connection, to + body->length, length - body->length);
        if (count <= 0)
            return PROBLEM_TRUNCATED;
        body->length += (size_t) count;
    }
    return PROBLEM_NONE;
}

static enum problem read_chunked(struct exchange *x, size_t length_max)
{
    struct buffer *body = &x->worker->body;
    for (;;) {
        /* mg_read() waits for all that it is asked for: never for more than shows
         * that the limit is passed. */
        size_t left = length_max + 1 - body->length;
        size_t wanted = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        char *to = buffer_reserve(body, wanted);
        int count = mg_read(x->connection, to, wanted);
        if (count < 0)
            return PROBLEM_BAD_REQUEST;
        if (count == 0)
            return PROBLEM_NONE;
        body->length += (size_t) count;
        if (body->length > length_max)
            return PROBLEM_CONTENT_TOO_LARGE;
    }
}

enum problem body_read(struct exchange *x)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct head *head = &x->head;
    buffer_clear(&x->worker->body);
    if (!x->body_unread)
        return PROBLEM_NONE;

    if (head->expects_continue && !head->old_protocol)
        mg_write(x->connection, go_on, sizeof go_on - 1);
    watch_enter(x->worker->slot, PHASE_BODY, x->started_us);
    size_t length_max = x->worker->front->config->max_body;
    enum problem problem = head->chunked ? read_chunked(x, length_max)
                                         : read_sized(x, (size_t) head->content_length);
    if (problem != PROBLEM_NONE && problem != PROBLEM_CONTENT_TOO_LARGE)
        x->body_cut = watch_elapsed_us(x->worker->slot) >= WATCH_BODY_MS * INT64_C(1000);
    x->body_cut |= watch_enter(x->worker->slot, PHASE_BUSY, x->started_us);
    x->body_unread = problem != PROBLEM_NONE;
    x->arrived_us = clock_monotonic_us();
    return x->body_cut && problem != PROBLEM_NONE ? PROBLEM_REQUEST_TIMEOUT : problem;
}

void body_linger(struct exchange *x)
{
    char dropped[LINGER_BYTES];
    size_t total = 0;
    int count = x->body_cut ? 0 : 1;
    watch_enter(x->worker->slot, PHASE_LINGER, clock_monotonic_us());
    while (count > 0 && total < LINGER_BYTES_MAX) {
        count = mg_read(x->connection, dropped, sizeof dropped);
        total += count > 0 ? (size_t) count : 0;
    }
}
