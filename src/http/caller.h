/* SPDX-License-Identifier: MIT */
/* caller.h - asks an actor and waits for its reply.
 *
 *     caller ──struct request, id 7──▶ numbering or query
 *            ◀─struct reply, id 6───── (too late: dropped)
 *            ◀─struct reply, id 7─────
 *
 * A caller has one request on its way at any time, so an actor never owes it
 * more than one reply that is still wanted. Whatever comes too late for its
 * request is recognised by the id and dropped.
 *
 * One thread per handle: every worker thread has its own.
 */
#ifndef HTTP_CALLER_H
#define HTTP_CALLER_H

#include <stdint.h>

#include "common/message.h"
#include "common/status.h"

typedef struct caller caller_t;

/* The sockets are made when they are first needed: most of their memory is
 * spent then. Cannot fail. */
caller_t *caller_open(void);

/* Accepts NULL. */
void caller_close(caller_t **caller_p);

/* Sends the request to the actor of its type and waits for the reply until
 * `deadline_us` of the monotonic clock. Sets the request's id and wait_ms_max.
 * Returns the status of the reply, and sets *ret_reply when there was one; its
 * strings last until the next call.
 * ERR_OVERLOADED: the actor's queue is full; nothing was sent.
 * ERR_OUTCOME_UNKNOWN: no reply to a write in time; it may still be done.
 * ERR_STORE, ERR_SEARCH: no reply to a read in time.
 * ERR_STOPPED: the process is ending.
 *
 * A write is never sent twice: inside one process nothing is lost on the way.
 * Should that change, only a request that surely was not taken, or a keyed one,
 * may be repeated. */
MUST_CHECK status_t caller_ask(caller_t *caller, struct request *request, int64_t deadline_us,
                               struct reply *ret_reply);

/* Gives the last reply's memory back, and with it what *ret_reply pointed into. */
void caller_tidy(caller_t *caller);

#endif
