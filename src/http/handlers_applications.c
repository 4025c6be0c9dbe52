/* SPDX-License-Identifier: MIT */
#include "http/handlers.h"
#include "http/input.h"
#include "http/keyed.h"
#include "http/link.h"
#include "http/objects.h"
#include "http/response.h"

enum problem list_applications(struct exchange *x)
{
    struct request request = {.type = REQUEST_APPLICATIONS, .token = ""};
    struct reply reply;
    struct item last;
    enum problem problem = input_application_page(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        problem = problem_of_status(
            object_write_list(response_body(x), &request, &reply, object_write_application, &last));
    if (problem == PROBLEM_INVALID_CURSOR)
        x->parameter = router_param_name(PARAM_AFTER);
    if (problem)
        return problem;
    link_write(x, &last, reply.more, false);
    x->status = 200;
    return PROBLEM_NONE;
}

/* The answer is the application as it was created, also if it was renamed or
 * deleted since and this is a repetition. */
static void answer_created(struct exchange *x, const struct request *request,
                           const struct reply *reply)
{
    struct item item = {
        .token = reply->token,
        .token_length = reply->token_length,
        .text = request->text,
        .text_length = request->text_length,
        .created = reply->time,
        .updated = reply->time,
    };
    object_write_application(response_body(x), &item);
    struct buffer *fields = &x->worker->fields;
    buffer_append_text(fields, "Location: /api/v1/applications/");
    buffer_append(fields, reply->token, reply->token_length);
    buffer_append(fields, "\r\n", 2);
    if (reply->replayed)
        response_field(x, "Idempotent-Replayed", "true");
    x->status = 201;
}

enum problem create_application(struct exchange *x)
{
    char token[TOKEN_ISSUED];
    struct request request = {.type = REQUEST_APPLICATION_CREATE, .token = ""};
    struct reply reply;
    enum problem problem = input_application_name(x, &request);
    if (problem)
        return problem;
    keyed_apply(x, &request);
    keyed_draw_token(&request, (unsigned) x->worker->front->config->shards, token);
    request.token = token;
    request.token_length = sizeof token;
    problem = exchange_ask(x, &request, &reply);
    if (problem)
        return problem;
    answer_created(x, &request, &reply);
    return PROBLEM_NONE;
}

enum problem get_application(struct exchange *x)
{
    struct request request = {
        .type = REQUEST_APPLICATION, .text = "", .stale_allowed = x->head.stale_allowed};
    struct reply reply;
    enum problem problem = input_application(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        problem = problem_of_status(
            object_write_one(response_body(x), &request, &reply, object_write_application));
    if (!problem)
        x->status = 200;
    return problem;
}

enum problem rename_application(struct exchange *x)
{
    struct request request = {.type = REQUEST_APPLICATION_RENAME};
    struct reply reply;
    enum problem problem = input_application_name(x, &request);
    if (!problem)
        problem = input_application(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}

enum problem delete_application(struct exchange *x)
{
    struct request request = {.type = REQUEST_APPLICATION_DELETE, .text = ""};
    struct reply reply;
    enum problem problem = input_application(x, &request);
    if (!problem)
        problem = exchange_ask(x, &request, &reply);
    if (!problem)
        x->status = 204;
    return problem;
}
