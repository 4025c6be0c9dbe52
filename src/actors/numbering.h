/* SPDX-License-Identifier: MIT */
/* numbering.h - the actor that numbers chats and messages, and logs them.
 *
 *     http  ──request──▶  numbering  ──append──▶  journal
 *           ◀──reply────      │
 *                             └──wake──▶ persistence
 *
 * Only numbering actors write to the journal, and any number of them may: the
 * journal numbers, atomically. A client hears of its number after the record is
 * durable and never before: that is all a 201 means.
 *
 * A journal that began another life is checked against the store before it takes
 * anything (storage/history.h): only then is a store needed.
 *
 * Nobody who asks is left without a reply, but for those who are gone: every
 * request of a batch is answered with its own status, or with the batch's.
 */
#ifndef ACTORS_NUMBERING_H
#define ACTORS_NUMBERING_H

#include <czmq.h>

/* For actor_start(); `args` is a const struct actor_args *. With several journal servers
 * there is one for each (args->server), behind the one of actors/spread.h. */
void numbering_actor(zsock_t *pipe, void *args);

#endif
