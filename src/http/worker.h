/* SPDX-License-Identifier: MIT */
/* worker.h - what a worker thread keeps from one request to the next.
 *
 * Its buffers grow with the requests and are given back after a large one: a
 * worker may be one of hundreds. Its stack is small (100 KiB), so what is large
 * lives here.
 *
 * One thread per handle; struct front is shared by all.
 */
#ifndef HTTP_WORKER_H
#define HTTP_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/buffer.h"
#include "common/config.h"
#include "http/caller.h"
#include "http/idempotency.h"
#include "http/watch.h"

/* What all workers share; only what is atomic changes. */
struct front {
    const struct config *config;
    watch_t *watch;
    struct buffer openapi; /* the whole reply */
    atomic_bool draining;
};

/* An address that people come in by. */
struct door {
    struct front *front;
    bool operations_only;
};

enum {
    REQUEST_ID_MADE = 16, /* characters */
    REQUEST_ID_MAX = 128,
    DATE_LINE = 37, /* "Date: Tue, 24 Nov 2026 04:09:53 GMT\r\n" */
};

typedef struct worker {
    const struct door *door;
    struct front *front; /* the door's */
    struct watch_slot *slot;
    caller_t *caller;

    struct buffer target; /* path and query, decoded in place */
    struct buffer body;   /* of the request, decoded in place */
    struct buffer fields; /* header lines of the reply besides the usual */
    struct buffer out;    /* the reply */
    char key[IDEMPOTENCY_KEY_MAX];

    time_t date_second; /* that date_line tells */
    char date_line[DATE_LINE + 1];
    uint64_t request_id_seed;
    char request_id[REQUEST_ID_MADE];
} worker_t;

/* NULL: there are more workers than the watch has slots for. */
worker_t *worker_open(const struct door *door);

/* Accepts NULL. */
void worker_close(worker_t **worker_p);

/* Gives back what a large request left. */
void worker_tidy(worker_t *worker);

/* The line of this second. */
const char *worker_date_line(worker_t *worker);

/* Draws an id for a request that came without one: REQUEST_ID_MADE characters. */
const char *worker_draw_request_id(worker_t *worker);

#endif
