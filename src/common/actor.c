/* SPDX-License-Identifier: MIT */
#include "common/actor.h"

#include "common/message.h"
#include "common/text.h"

bool actor_shares(const struct config *config)
{
    return text_has_scheme(config->store, "mysql");
}

void actor_endpoint(char ret_endpoint[ENDPOINT_SIZE], const char *endpoint,
                    const struct actor_args *args)
{
    if (args->servers > 1)
        snprintf(ret_endpoint, ENDPOINT_SIZE, SERVER_ENDPOINT_FORMAT, endpoint, args->server);
    else
        snprintf(ret_endpoint, ENDPOINT_SIZE, "%s", endpoint);
}

zactor_t *actor_start(zactor_fn *function, const void *args, status_t *ret_status)
{
    /* zactor_new() waits for the actor's first signal but drops its value, so
     * readiness is a second signal. */
    zactor_t *actor = zactor_new(function, (void *) args);
    if (!actor) {
        *ret_status = ERR_OVERLOADED;
        return NULL;
    }
    *ret_status = (status_t) zsock_wait(actor);
    if (*ret_status != OK)
        zactor_destroy(&actor);
    return actor;
}

void actor_ready(zsock_t *pipe, status_t status)
{
    zsock_signal(pipe, 0);
    zsock_signal(pipe, (byte) status);
}

bool actor_stopped(zsock_t *pipe)
{
    if (!(zsock_events(pipe) & ZMQ_POLLIN))
        return false;
    char *command = zstr_recv(pipe);
    bool stopped = !command || streq(command, "$TERM");
    zstr_free(&command);
    return stopped;
}

void actor_unbind(zsock_t **socket_p, const char *endpoint)
{
    if (*socket_p)
        zsock_unbind(*socket_p, "%s", endpoint);
    zsock_destroy(socket_p);
}
