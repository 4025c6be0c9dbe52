/* SPDX-License-Identifier: MIT */
/* answer.h - what handlers have in common: ask an actor, answer by its reply.
 *
 * Each takes a request that is complete but for what the caller keeps, asks, and
 * puts the answer into the exchange; or returns what stands in the way.
 *
 * Called by the exchange's worker thread.
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include "http/exchange.h"
#include "http/objects.h"

/* 204: the change is in the log. */
MUST_CHECK enum problem answer_done(struct exchange *exchange, struct request *request);

/* 200 with the one object that was asked for. */
MUST_CHECK enum problem answer_one(struct exchange *exchange, struct request *request,
                                   object_writer *writer);

/* 200 with an array, and the Link field. */
MUST_CHECK enum problem answer_page(struct exchange *exchange, struct request *request,
                                    object_writer *writer);

/* 201 with the number of a new chat or message and where it is, or what the
 * idempotency key stands for already. */
MUST_CHECK enum problem answer_numbered(struct exchange *exchange, struct request *request);

/* 201, with where the thing is that the reply says was created, and whether it was
 * created before. The body is the caller's. */
void answer_created(struct exchange *exchange, const struct request *request,
                    const struct reply *reply);

#endif
