/* SPDX-License-Identifier: MIT */
/* keyed.h - creations with an Idempotency-Key: what the journal remembers.
 *
 * Both hashes are BLAKE2b of 16 bytes over parts of which each is preceded by
 * its length (8 bytes, little-endian), so that no two lists of parts look alike:
 *
 *     key      collection, token, chat number, key
 *     request  method, path of the route, token, chat number, and the decoded
 *              value of each parameter that the route knows, in the route's
 *              order; absent counts as empty
 *
 * The collection is the path of the route. Numbers are 8 bytes, little-endian;
 * POST /applications has an empty token and chat number 0. The hashes are kept
 * for a day, so a change here makes a day's keys unknown.
 *
 * No state: any thread may call anything.
 */
#ifndef HTTP_KEYED_H
#define HTTP_KEYED_H

#include "http/exchange.h"

/* If the exchange has a key, makes the request a keyed one. To be called when
 * everything else in the request but a new token is set. */
void keyed_apply(const struct exchange *exchange, struct request *request);

/* Draws the token of a new application: TOKEN_ISSUED random characters. That of
 * a keyed request falls into the key's shard, where a repetition finds the key. */
void keyed_draw_token(const struct request *request, unsigned shards, char token[TOKEN_ISSUED]);

#endif
