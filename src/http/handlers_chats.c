/* SPDX-License-Identifier: MIT */
#include "http/answer.h"
#include "http/handlers.h"
#include "http/input.h"

enum problem list_chats(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHATS, .text = ""};
    enum problem problem = input_page(x, &request, LIST_LIMIT, LIST_LIMIT_MAX, false);
    if (!problem)
        problem = input_application(x, &request);
    return problem ? problem : answer_page(x, &request, object_write_chat);
}

enum problem create_chat(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHAT_CREATE};
    bool given = false;
    enum problem problem = input_chat_name(x, &request, &given);
    if (!problem)
        problem = input_application(x, &request);
    return problem ? problem : answer_numbered(x, &request);
}

enum problem get_chat(struct exchange *x)
{
    struct request request = {
        .type = REQUEST_CHAT, .text = "", .stale_allowed = x->head.stale_allowed};
    enum problem problem = input_chat(x, &request);
    return problem ? problem : answer_one(x, &request, object_write_chat);
}

/* Without a name nothing changes, but the chat must exist. */
enum problem rename_chat(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHAT_RENAME};
    bool given = false;
    enum problem problem = input_chat_name(x, &request, &given);
    if (!problem)
        problem = input_chat(x, &request);
    if (!given)
        request.type = REQUEST_CHAT;
    return problem ? problem : answer_done(x, &request);
}

enum problem delete_chat(struct exchange *x)
{
    struct request request = {.type = REQUEST_CHAT_DELETE, .text = ""};
    enum problem problem = input_chat(x, &request);
    return problem ? problem : answer_done(x, &request);
}
