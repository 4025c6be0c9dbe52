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

/* What every actor is given; what is left out is 0. */
struct actor_args {
    const struct config *config;
    uint64_t run;     /* this life of the embedded journal */
    unsigned servers; /* how many the journal has, by journal_servers(); 0: one */
    unsigned server;  /* numbering_actor(): for the shards of which of them, from 0 */
};

/* Whether other processes may serve the same data set: its store is a server. */
bool actor_shares(const struct config *config);

enum { ENDPOINT_SIZE = 64 };
/* Where the numbering actor of args->server binds: `endpoint` itself, or, if the journal
 * has several servers, one of SERVER_ENDPOINT_FORMAT. */
void actor_endpoint(char ret_endpoint[ENDPOINT_SIZE], const char *endpoint,
                    const struct actor_args *args);

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
