/* SPDX-License-Identifier: MIT */
/* body.h - the body of a request, read to its end or refused.
 *
 * Bounded in size and time whatever the client sends, or does not send.
 *
 * Called by the exchange's worker thread.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/exchange.h"

/* Reads the whole body into worker->body; says 100 Continue first if the client
 * waits for it. Nothing is read when there is none. On a problem (too large, too
 * slow, too short, badly framed) the connection is of no further use. */
enum problem body_read(struct exchange *exchange);

/* After the answer to a request whose body is unread: reads and drops what the
 * client still sends, for a moment, since closing a socket with unread bytes
 * would take the answer away from a client that has not read it yet. */
void body_linger(struct exchange *exchange);

#endif
