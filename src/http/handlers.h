/* SPDX-License-Identifier: MIT */
/* handlers.h - one function per route: parameters to a request of an actor, its
 * reply to HTTP.
 *
 * A handler checks the parameters, then what the path names, then asks. It
 * returns PROBLEM_NONE after it has put its answer into the exchange, or what
 * stands in the way; neither is sent here.
 *
 * Called by worker threads, each with its own exchange.
 */
#ifndef HTTP_HANDLERS_H
#define HTTP_HANDLERS_H

#include "http/exchange.h"
#include "http/problem.h"

enum problem list_applications(struct exchange *exchange);
enum problem create_application(struct exchange *exchange);
enum problem get_application(struct exchange *exchange);
enum problem rename_application(struct exchange *exchange);
enum problem delete_application(struct exchange *exchange);

enum problem list_chats(struct exchange *exchange);
enum problem create_chat(struct exchange *exchange);
enum problem get_chat(struct exchange *exchange);
enum problem rename_chat(struct exchange *exchange);
enum problem delete_chat(struct exchange *exchange);

enum problem list_messages(struct exchange *exchange);
enum problem create_message(struct exchange *exchange);
enum problem get_message(struct exchange *exchange);
enum problem edit_message(struct exchange *exchange);
enum problem delete_message(struct exchange *exchange);
enum problem search_messages(struct exchange *exchange);

enum problem get_openapi(struct exchange *exchange);
enum problem get_health(struct exchange *exchange);
enum problem get_readiness(struct exchange *exchange);
enum problem get_metrics(struct exchange *exchange);
enum problem get_version(struct exchange *exchange);

#endif
