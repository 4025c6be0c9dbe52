/* SPDX-License-Identifier: MIT */
/* persistence.h - the follower that brings the log into the store.
 *
 *     journal ──entries──▶ persistence ──rows and position, one transaction──▶ store
 *                              │  └──trims the log up to the slowest follower
 *                              └──wake──▶ query, indexing, counting
 *
 * One bad record must not stop the rest: it is looked for by halves and put into
 * dead_records, loudly. Between batches it removes what deleted chats left.
 */
#ifndef ACTORS_PERSISTENCE_H
#define ACTORS_PERSISTENCE_H

#include <czmq.h>

/* For actor_start(); `args` is a const struct actor_args *. */
void persistence_actor(zsock_t *pipe, void *args);

#endif
