/* SPDX-License-Identifier: MIT */
/* server.h - the HTTP front of confab: the only door that clients come through.
 *
 *     client ──HTTP──▶ worker thread of civetweb ──struct request──▶ numbering, query
 *            ◀─────────                          ◀──struct reply────
 *
 * Every connection has a worker thread of its own, for as long as it is open.
 * The thread checks a request (docs/API.md, "Rules for every request"), asks
 * the actors at NUMBERING_ENDPOINT and QUERY_ENDPOINT where it must, and writes
 * one reply. For the actors it never waits longer than the deadline of the
 * configuration; for the client, as long as docs/API.md says.
 *
 * To be called by one thread, which must not be a worker.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "common/config.h"
#include "common/status.h"

typedef struct http http_t;

/* Listens on config->listen, and on config->admin if there is one, where only
 * the operations routes are served. `config` must outlive the server. The
 * actors need not be there yet: who asks for them meanwhile gets 503.
 * ERR_CONFIG: an address is wrong or taken; the reason is logged. */
MUST_CHECK status_t http_start(const struct config *config, http_t **ret_http);

/* Open files that the process needs at the least to serve as configured. With fewer
 * http_start() must not be called: sockets would fail to be made. */
size_t http_files_min(const struct config *config);

/* Begins the end: connections to the HTTP address are refused, readyz says 503,
 * requests on open connections are refused with 503 shutting_down, every reply
 * closes its connection. Returns when the last request in flight was answered,
 * but after ten seconds at most. The actors must still answer while this runs. */
void http_drain(http_t *http);

/* Stops listening, ends the workers and closes their sockets; call it before
 * the actors are stopped. Requests still in flight lose their replies: drain
 * first. Accepts NULL. */
void http_stop(http_t **http_p);

#endif
