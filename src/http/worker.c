/* SPDX-License-Identifier: MIT */
#include "http/worker.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* A buffer above it is given back. */
enum { BUFFER_BYTES_KEPT = 32768 };

worker_t *worker_open(const struct door *door)
{
    struct watch_slot *slot = watch_join(door->front->watch, !door->operations_only);
    if (!slot)
        return NULL;
    worker_t *self = calloc(1, sizeof *self);
    assert(self);
    self->door = door;
    self->front = door->front;
    self->slot = slot;
    self->caller = caller_open();
    randombytes_buf(&self->request_id_seed, sizeof self->request_id_seed);
    return self;
}

void worker_close(worker_t **worker_p)
{
    worker_t *self = *worker_p;
    if (!self)
        return;
    caller_close(&self->caller);
    watch_leave(self->slot);
    buffer_free(&self->target);
    buffer_free(&self->body);
    buffer_free(&self->fields);
    buffer_free(&self->out);
    free(self);
    *worker_p = NULL;
}

void worker_tidy(worker_t *self)
{
    struct buffer *buffers[] = {&self->target, &self->body, &self->fields, &self->out};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (buffers[i]->capacity > BUFFER_BYTES_KEPT)
            buffer_free(buffers[i]);
    caller_tidy(self->caller);
}

const char *worker_date_line(worker_t *self)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != self->date_second) {
        struct tm utc;
        gmtime_r(&now.tv_sec, &utc);
        size_t length = strftime(self->date_line, sizeof self->date_line,
                                 "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
        assert(length == DATE_LINE); /* in the C locale, until the year 10000 */
        self->date_second = now.tv_sec;
    }
    return self->date_line;
}

/* SplitMix64: different for 2^64 requests, and nobody needs to guess it. */
const char *worker_draw_request_id(worker_t *self)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t mixed = self->request_id_seed += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    for (int i = 0; i < REQUEST_ID_MADE; i++, mixed >>= 4)
        self->request_id[i] = digits[mixed & 15];
    return self->request_id;
}
