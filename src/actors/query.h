/* SPDX-License-Identifier: MIT */
/* query.h - the actor that answers reads.
 *
 *     http  ──request──▶  front  ──task──▶  pool of workers ──▶ store, search
 *           ◀──reply────    │    ◀──reply──
 *                           └──look──▶ journal
 *
 * Every read sees every write that was acknowledged before it was sent. The front
 * takes what waits, looks at the journal once for all of it, and answers at once
 * what does not exist. A read that needs a change which the store has not reached
 * is parked, up to that very change: idle chats never wait, busy ones delay nobody
 * else. After a second it is 503, or an old state if the request allows one.
 *
 * When the journal cannot be asked, reads go on from the store, and say so.
 */
#ifndef ACTORS_QUERY_H
#define ACTORS_QUERY_H

#include <czmq.h>

/* For actor_start(); `args` is a const struct actor_args *. */
void query_actor(zsock_t *pipe, void *args);

#endif
