/* SPDX-License-Identifier: MIT */
/* serve.c - confab serve: starts every actor and the HTTP front, waits for a
 * signal, and stops them in reverse order, so that what was accepted is answered
 * and what was acknowledged reaches the store. */
#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "actors/counting.h"
#include "actors/indexing.h"
#include "actors/numbering.h"
#include "actors/persistence.h"
#include "actors/query.h"
#include "commands/command.h"
#include "commands/data_set.h"
#include "common/actor.h"
#include "http/server.h"
#include "storage/history.h"

const char command_serve_help[] =
    "confab serve runs the server: it makes the data set if there is none, takes requests on\n"
    "--listen, and stops at SIGTERM or SIGINT after answering what it accepted.\n"
    "\n"
    "Usage: confab serve\n"
    "\n"
    "Exit: 0 told to stop; 1 could not start; 2 called in the wrong way.\n"
    "\n"
    "Example: confab serve --listen 127.0.0.1:4000 --data /var/lib/confab\n";

enum { ACTORS_MAX = 5 };

struct server {
    data_set_t *data_set;
    struct actor_args args;
    zactor_t *actors[ACTORS_MAX]; /* in the order in which they were started */
    size_t actor_count;
    http_t *http;
};

/* Signals are taken by this thread alone, in signal_wait(). */
static void signals_block(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static status_t process_prepare(const struct config *config)
{
    struct rlimit files;
    /* An arena of malloc for each of hundreds of threads would cost far more
     * memory than the lock that they share costs time. */
    mallopt(M_ARENA_MAX, 2);
    /* Pages of some MiB go back to the system when they were sent. Left alone, malloc
     * would raise this limit at the first of them, and keep all that follow. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < http_files_min(config)) {
        log_error("open_files",
                  "limit=%llu needed=%zu threads=%llu reason=\"each HTTP thread needs some\" "
                  "do=\"raise the limit (ulimit -n) or lower threads\"",
                  (unsigned long long) files.rlim_cur, http_files_min(config),
                  (unsigned long long) config->threads);
        return ERR_CONFIG;
    }
    zsys_handler_set(NULL); /* czmq leaves our signals alone */
    zsys_init();
    zsys_set_logstream(stderr);
    return OK;
}

static void rebuild_say(void *context, const char *sentence)
{
    (void) context;
    log_info("rebuild", "%s", sentence);
}

/* Closed shards: reads go on, writes are refused, until somebody rebuilds; or at
 * once if the configuration says so. */
static status_t history_prepare(data_set_t *data_set)
{
    status_t status = data_set_check(data_set);
    if (status != ERR_CLOSED || strcmp(data_set->config.rebuild, "auto") != 0)
        return status == ERR_CLOSED ? OK : status;
    status = OK;
    for (unsigned shard = 0; status == OK && shard < data_set->config.shards; shard++) {
        const struct rebuild rebuild = {.say = rebuild_say};
        struct rebuild_report report;
        struct history_reason reason = {""};
        status = history_rebuild(data_set->journal, data_set->store, shard, &rebuild, &report,
                                 &reason);
        if (status == ERR_EXISTS) /* this shard is fine */
            status = OK;
        if (status != OK)
            log_error("rebuild_failed", "shard=%u status=%s reason=\"%s\"", shard,
                      status_name(status), reason.text);
    }
    return status == OK ? data_set_check(data_set) : status;
}

static status_t server_start(struct server *server)
{
    static const struct {
        const char *name;
        zactor_fn *function;
    } actors[ACTORS_MAX] = {
        {"persistence", persistence_actor},
        {"counting", counting_actor},
        {"indexing", indexing_actor},
        {"numbering", numbering_actor},
        {"query", query_actor},
    };
    status_t status = history_prepare(server->data_set);
    for (size_t i = 0; status == OK && i < ACTORS_MAX; i++) {
        if (actors[i].function == indexing_actor && !server->data_set->search)
            continue;
        zactor_t *actor = actor_start(actors[i].function, &server->args, &status);
        if (actor)
            server->actors[server->actor_count++] = actor;
        else
            log_error("actor_failed", "actor=%s status=%s reason=\"%s\"", actors[i].name,
                      status_name(status), status_text(status));
    }
    return status == OK ? http_start(server->args.config, &server->http) : status;
}

static void server_stop(struct server *server)
{
    if (server->http)
        http_drain(server->http);
    http_stop(&server->http);
    /* Those who ask first; then the followers in the order in which they feed
     * one another, each finishing what is in the log. */
    for (size_t i = server->actor_count; i-- > 3 - (server->data_set->search == NULL);)
        zactor_destroy(&server->actors[i]);
    for (size_t i = 0; i < server->actor_count; i++)
        zactor_destroy(&server->actors[i]);
}

int command_serve(const struct config *config, int argc, char **argv)
{
    sigset_t signals;
    struct server server = {0};
    if (argc > 0) {
        fprintf(stderr, "confab serve: '%s' is not an option\n", argv[0]);
        return 2;
    }
    signals_block(&signals);
    if (process_prepare(config) != OK ||
        data_set_open(config, DATA_SET_MAKE, &server.data_set) != OK)
        return 1;
    server.args = (struct actor_args){&server.data_set->config, server.data_set->run};

    status_t status = server_start(&server);
    if (status == OK) {
        int signal_number;
        log_info("serving", "version=%s listen=%s journal=\"%s\" search=\"%s\"", CONFAB_VERSION,
                 config->listen, config->journal, config->search);
        sigwait(&signals, &signal_number);
        log_info("stopping", "signal=%s", strsignal(signal_number));
    }
    server_stop(&server);
    data_set_close(&server.data_set);
    zsys_shutdown();
    if (status == OK)
        log_info("stopped", "reason=\"told to\"");
    return status == OK ? 0 : 1;
}
