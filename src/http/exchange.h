/* SPDX-License-Identifier: MIT */
/* exchange.h - one request and its answer.
 *
 *     head ─▶ path ─▶ method ─▶ API key ─▶ open? ─▶ expectation ─▶ length ─▶ type
 *       ─▶ body ─▶ query ─▶ form or JSON ─▶ Idempotency-Key ─▶ handler ─▶ reply
 *
 * The steps are tried in this order, which docs/API.md promises; the first that
 * finds a problem ends the walk, and the problem is the answer.
 *
 * An exchange lives on the stack of its worker thread and is used by no other.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <civetweb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"
#include "http/head.h"
#include "http/params.h"
#include "http/path.h"
#include "http/problem.h"
#include "http/router.h"
#include "http/worker.h"

struct exchange {
    worker_t *worker;
    struct mg_connection *connection;
    int64_t started_us; /* monotonic */
    int64_t arrived_us; /* when it was there, body and all: the deadline counts from here */

    /* The request. */
    struct head head;
    const char *request_id; /* not terminated */
    size_t request_id_length;
    struct path path;
    enum pattern pattern;
    const struct route *route;             /* NULL until the path and the method fit */
    struct param params[ROUTE_PARAMS_MAX]; /* that the route knows, in its order */
    size_t param_count;
    bool body_unread; /* the connection is of no further use */
    bool body_cut;    /* the watch ended it */
    bool form_looks_like_json;
    size_t key_length; /* of worker->key; 0: no Idempotency-Key */

    /* The answer. */
    int status; /* 0 until there is one */
    const char *content_type;
    enum problem problem;
    const char *parameter; /* of which the problem speaks, or NULL */
    bool closes;           /* the connection */
};

/* Answers one request. Returns the HTTP status that was sent. */
int exchange_run(worker_t *worker, struct mg_connection *connection);

/* Answers what could not even be read as a request; the connection ends. */
void exchange_refuse(worker_t *worker, struct mg_connection *connection, enum problem problem);

/* A parameter that the route knows (asserted). */
const struct param *exchange_param(const struct exchange *exchange, enum param_id id);

/* Asks an actor, within what is left of the deadline, and notes in the answer's
 * header what the reply says about its own age. */
MUST_CHECK enum problem exchange_ask(struct exchange *exchange, struct request *request,
                                     struct reply *ret_reply);

#endif
