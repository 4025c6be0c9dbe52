/* SPDX-License-Identifier: MIT */
#include "http/answer.h"
#include "http/handlers.h"
#include "http/input.h"

enum problem list_messages(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGES, .text = ""};
    enum problem problem = input_page(x, &request, LIST_LIMIT, LIST_LIMIT_MAX, false);
    if (!problem)
        problem = input_chat(x, &request);
    return problem ? problem : answer_page(x, &request, object_write_message);
}

enum problem search_messages(struct exchange *x)
{
    struct request request = {.type = REQUEST_SEARCH};
    enum problem problem = input_query(x, &request);
    if (!problem)
        problem = input_page(x, &request, SEARCH_LIMIT, SEARCH_LIMIT_MAX, true);
    if (!problem)
        problem = input_chat(x, &request);
    return problem ? problem : answer_page(x, &request, object_write_hit);
}

enum problem create_message(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGE_CREATE};
    enum problem problem = input_message_body(x, &request);
    if (!problem)
        problem = input_chat(x, &request);
    return problem ? problem : answer_numbered(x, &request);
}

enum problem get_message(struct exchange *x)
{
    struct request request = {
        .type = REQUEST_MESSAGE, .text = "", .stale_allowed = x->head.stale_allowed};
    enum problem problem = input_message(x, &request);
    return problem ? problem : answer_one(x, &request, object_write_message);
}

/* Whether a message lives is known to the store only, so it is asked first. The
 * log's order decides between this and a deletion at the same time. */
enum problem edit_message(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGE_EDIT};
    struct request lookup = {.type = REQUEST_MESSAGE, .text = ""};
    struct reply reply;
    enum problem problem = input_message_body(x, &request);
    if (!problem)
        problem = input_message(x, &lookup);
    if (!problem)
        problem = exchange_ask(x, &lookup, &reply);
    request.token = lookup.token;
    request.token_length = lookup.token_length;
    request.chat = lookup.chat;
    request.number = lookup.number;
    return problem ? problem : answer_done(x, &request);
}

enum problem delete_message(struct exchange *x)
{
    struct request request = {.type = REQUEST_MESSAGE_DELETE, .text = ""};
    enum problem problem = input_message(x, &request);
    return problem ? problem : answer_done(x, &request);
}
