/* SPDX-License-Identifier: MIT */
#include "http/handlers.h"
#include "http/input.h"
#include "http/json_writer.h"
#include "http/keyed.h"
#include "http/link.h"
#include "http/objects.h"
#include "http/response.h"

enum problem list_chats(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHATS, .text = ""};
    struct reply reply;
    struct item last;
    enum problem problem = input_page(x, &request, LIST_LIMIT, LIST_LIMIT_MAX, false);
    if (!problem)
        problem = input_application(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        problem = problem_of_status(
            object_write_list(response_body(x), &request, &reply, object_write_chat, &last));
    if (problem)
        return problem;
    link_write(x, &last, reply.more, request.descending);
    x->status = 200;
    return PROBLEM_NONE;
}

static void answer_created(struct exchange *x, const struct request *request,
                           const struct reply *reply)
{
    struct buffer *body = response_body(x), *fields = &x->worker->fields;
    buffer_append_text(body, "{\"chat_number\":");
    json_write_number(body, reply->number);
    buffer_append_text(body, "}");

    buffer_append_text(fields, "Location: /api/v1/applications/");
    buffer_append(fields, request->token, request->token_length);
    buffer_append_text(fields, "/chats/");
    json_write_number(fields, reply->number);
    buffer_append(fields, "\r\n", 2);
    if (reply->replayed)
        response_field(x, "Idempotent-Replayed", "true");
    x->status = 201;
}

enum problem create_chat(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHAT_CREATE};
    struct reply reply;
    bool given;
    enum problem problem = input_chat_name(x, &request, &given);
    if (!problem)
        problem = input_application(x, &request);
    if (problem)
        return problem;
    keyed_apply(x, &request);
    problem = exchange_ask(x, &request, &reply);
    if (problem)
        return problem;
    answer_created(x, &request, &reply);
    return PROBLEM_NONE;
}

enum problem get_chat(struct exchange *x)
{
    struct request request = {
        .type = REQUEST_CHAT, .text = "", .stale_allowed = x->head.stale_allowed};
    struct reply reply;
    enum problem problem = input_chat(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        problem = problem_of_status(
            object_write_one(response_body(x), &request, &reply, object_write_chat));
    if (!problem)
        x->status = 200;
    return problem;
}

/* Without a name nothing changes, but the chat must exist. */
enum problem rename_chat(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHAT_RENAME};
    struct reply reply;
    bool given;
    enum problem problem = input_chat_name(x, &request, &given);
    if (!problem)
        problem = input_chat(x, &request);
    if (problem)
        return problem;
    if (!given)
        request.type = REQUEST_CHAT;
    problem = exchange_ask(x, &request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}

enum problem delete_chat(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHAT_DELETE, .text = ""};
    struct reply reply;
    enum problem problem = input_chat(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}
