/* SPDX-License-Identifier: MIT */
/* watch.h - an eye on every connection: none may wait or hold a thread too long.
 *
 *     connection:  free ─▶ head ─▶ busy ─▶ (body) ─▶ (reply) ─▶ (linger) ─▶ idle ─▶ busy …
 *     limit:              10 s            30 s      60 s       1 s        see below
 *
 * civetweb limits how long it waits for the next byte, not how long it goes on
 * getting single bytes. The watch does that: it shuts the socket down for
 * reading, whereupon the worker wakes up and finds that it was cut.
 *
 * A connection holds its worker thread, also while it is idle. When all threads
 * are held and further connections wait, the next replies close theirs
 * (watch_yield), one for each that waits; if that does not help, connections that
 * have been idle for half a second are cut, and new ones that did not get through
 * with their head in two. So more clients than threads take turns.
 *
 * A slot belongs to one worker thread, which calls what takes a slot. The watch
 * has a thread of its own.
 */
#ifndef HTTP_WATCH_H
#define HTTP_WATCH_H

#include <civetweb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/status.h"

enum phase {
    PHASE_FREE,   /* no connection */
    PHASE_HEAD,   /* a new connection: its first head is on the way */
    PHASE_IDLE,   /* a kept connection: the next head may come */
    PHASE_BUSY,   /* a request is worked on */
    PHASE_BODY,   /* its body is on the way */
    PHASE_REPLY,  /* a long reply is on the way */
    PHASE_LINGER, /* what the client still sends is read and dropped */
    PHASE_COUNT
};

enum {
    WATCH_HEAD_MS = 10000,
    WATCH_BODY_MS = 30000,
    WATCH_REPLY_MS = 60000,
    WATCH_LINGER_MS = 1000,
    WATCH_HEAD_PRESSED_MS = 2000, /* while others wait */
    WATCH_IDLE_MS = 500,          /* likewise; otherwise civetweb's keep-alive limit */
};

typedef struct watch watch_t;
struct watch_slot;

/* Watches over the connections of `slots` worker threads. */
MUST_CHECK status_t watch_open(size_t slots, watch_t **ret_watch);

/* Ends the thread. Accepts NULL. The workers have left. */
void watch_close(watch_t **watch_p);

/* From now on connections to this port may wait for one of `threads` threads. */
void watch_queue(watch_t *watch, uint16_t local_port, size_t threads);

/* A worker's slot, for the worker's life; `queued` if it is one of those threads
 * that connections may wait for. More workers than slots: NULL. */
struct watch_slot *watch_join(watch_t *watch, bool queued);
void watch_leave(struct watch_slot *slot);

/* The worker has a new connection: PHASE_HEAD begins. */
void watch_connect(struct watch_slot *slot, const struct mg_connection *connection);

/* Begins another phase, at this moment of the monotonic clock. True if the
 * connection was cut in the one that ends. */
bool watch_enter(struct watch_slot *slot, enum phase phase, int64_t now_us);

enum phase watch_phase(const struct watch_slot *slot);

/* How long ago the phase began. */
int64_t watch_elapsed_us(const struct watch_slot *slot);

/* True if this reply should close its connection because another one waits; each
 * call that says so counts for one of them. */
bool watch_yield(watch_t *watch);

/* Requests that are being worked on. Any thread. */
size_t watch_in_flight(const watch_t *watch);

/* The server is being stopped: wakes everybody who waits at a socket of these
 * ports, until watch_close(). Any thread. */
void watch_hurry(watch_t *watch, uint16_t local_port, uint16_t other_port);

#endif
