/* SPDX-License-Identifier: MIT */
/* counting.h - the follower that writes chats_count and messages_count.
 *
 *     journal ──entries──▶ counting ──absolute counts, each counts_flush──▶ store
 *
 * It collects which chats and applications were touched up to the persisted
 * position, with the highest number it saw in each, and writes each once a flush,
 * however many messages it got. Numbers are dense and never reused, so a count is
 * the highest number less the tally of deletions. Its position moves at the flush.
 */
#ifndef ACTORS_COUNTING_H
#define ACTORS_COUNTING_H

#include <czmq.h>

/* For actor_start(); `args` is a const struct actor_args *. */
void counting_actor(zsock_t *pipe, void *args);

#endif
