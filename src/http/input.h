/* SPDX-License-Identifier: MIT */
/* input.h - what a client asks for, checked: parameters and path to a request.
 *
 * Each function fills its part of a struct request, or returns the problem and
 * says in the exchange which parameter it is about. Texts are not copied.
 *
 * Called by the exchange's worker thread.
 */
#ifndef HTTP_INPUT_H
#define HTTP_INPUT_H

#include "http/exchange.h"

enum {
    QUERY_CHARACTERS_MAX = 256,
    LIST_LIMIT = 100,
    LIST_LIMIT_MAX = 1000,
    SEARCH_LIMIT = 20,
    SEARCH_LIMIT_MAX = 100,
};

/* `name` of an application: required. */
enum problem input_application_name(struct exchange *exchange, struct request *request);

/* `name` of a chat: optional; *ret_given false if it is absent. */
enum problem input_chat_name(struct exchange *exchange, struct request *request, bool *ret_given);

enum problem input_message_body(struct exchange *exchange, struct request *request);

enum problem input_query(struct exchange *exchange, struct request *request);

/* `limit` and, as text, the cursor `after` of the list of applications. */
enum problem input_application_page(struct exchange *exchange, struct request *request);

/* `limit`, `after`, `before` and `order`; order=desc if `descending` and none is given. */
enum problem input_page(struct exchange *exchange, struct request *request, unsigned limit,
                        unsigned limit_max, bool descending);

/* What the path names. A token or number of the wrong form names nothing; for
 * the number, who is above it is asked first, since they may not exist either. */
enum problem input_application(struct exchange *exchange, struct request *request);
enum problem input_chat(struct exchange *exchange, struct request *request);
enum problem input_message(struct exchange *exchange, struct request *request);

#endif
