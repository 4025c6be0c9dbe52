/* SPDX-License-Identifier: MIT */
/* spread.h - the actor that stands before several numbering actors.
 *
 *     http  ──request──▶  spread  ──▶  numbering-0  ──append──▶  journal server 0
 *           ◀──reply────          └─▶  numbering-1  ──append──▶  journal server 1
 *
 * Only where the journal has several servers: each has a numbering actor of its own, so
 * that one which does not answer holds up nobody but its own shards. A request goes to
 * the server of its token's shard; what is queued there is bounded, and what does not
 * fit is answered at once: too much.
 */
#ifndef ACTORS_SPREAD_H
#define ACTORS_SPREAD_H

#include <czmq.h>

/* For actor_start(); `args` is a const struct actor_args *, whose `servers` is 2 or more;
 * a numbering_actor() is to be started for each of them. */
void spread_actor(zsock_t *pipe, void *args);

#endif
