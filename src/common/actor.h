/* SPDX-License-Identifier: MIT */
/* actor.h - threads with one loop, started and stopped the czmq way.
 *
 * An actor opens its own resources inside its own thread and reports by
 * actor_ready(); a start can fail. It ends at $TERM on its pipe.
 */
#ifndef COMMON_ACTOR_H
#define COMMON_ACTOR_H

#include <czmq.h>

#include "common/config.h"
#include "common/status.h"

/* What every actor is given. */
struct actor_args {
    const struct config *config;
    uint64_t run; /* this life of the embedded journal */
};

/* Starts the actor and waits until it is ready. NULL: it did not start, and its
 * thread has ended; *ret_status says why. `args` must outlive the actor.
 * Stop it with zactor_destroy(). */
zactor_t *actor_start(zactor_fn *function, const void *args, status_t *ret_status);

/* The actor's side, once, before its loop: reports whether it could start. */
void actor_ready(zsock_t *pipe, status_t status);

/* True if $TERM (or an interrupt) is waiting on the pipe; never blocks. */
bool actor_stopped(zsock_t *pipe);

/* Destroys a socket that was bound to the endpoint, or should have been; accepts
 * NULL. The name is free when this returns, which destroying alone leaves to later. */
void actor_unbind(zsock_t **socket_p, const char *endpoint);

#endif
