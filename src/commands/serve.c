/* SPDX-License-Identifier: MIT */
/* serve.c - confab serve: starts every actor and the HTTP front, waits for a
 * signal, and stops them in reverse order, so that what was accepted is answered
 * and what was acknowledged reaches the store. */
#include <assert.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "actors/counting.h"
#include "actors/indexing.h"
#include "actors/numbering.h"
#include "actors/persistence.h"
#include "actors/query.h"
#include "actors/spread.h"
#include "commands/advice.h"
#include "commands/command.h"
#include "commands/data_set.h"
#include "common/actor.h"
#include "common/clock.h"
#include "common/text.h"
#include "common/url.h"
#include "http/server.h"
#include "storage/history.h"

const char command_serve_help[] =
    "confab serve runs the server: it makes the data set if there is none, takes requests on\n"
    "--listen, and stops at SIGTERM or SIGINT after answering what it accepted.\n"
    "\n"
    "Where journal, store or index are servers, they may be started later than this: it waits,\n"
    "and says what for. A password or an address that can never be right ends it. Any number\n"
    "of servers may serve the same Redis, MySQL and Elasticsearch at the same time.\n"
    "\n"
    "Usage: confab serve\n"
    "\n"
    "Exit: 0 told to stop; 1 could not start; 2 called in the wrong way.\n"
    "\n"
    "Examples: confab serve --listen 127.0.0.1:4000 --data /var/lib/confab\n"
    "          confab serve --journal redis://127.0.0.1:6379 --search none \\\n"
    "                       --store mysql://confab:secret@127.0.0.1:3306/confab\n";

enum {
    FOLLOWERS_MAX = 3,
    ACTORS_MAX = FOLLOWERS_MAX + SHARDS_MAX + 2, /* numbering for each server, spread, query */
    TRY_MS = 250,
    TELL_US = 5000000,
};

struct server {
    data_set_t *data_set;
    struct actor_args args;
    struct actor_args numbering[SHARDS_MAX]; /* one for each of the journal's servers */
    zactor_t *actors[ACTORS_MAX];            /* in the order in which they were started */
    size_t actor_count, follower_count;
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

static status_t one_start(struct server *server, const char *name, zactor_fn *function,
                          const struct actor_args *args)
{
    status_t status = OK;
    zactor_t *actor = actor_start(function, args, &status);
    if (actor)
        server->actors[server->actor_count++] = actor;
    else
        log_error("actor_failed", "actor=%s status=%s reason=\"%s\"", name, status_name(status),
                  status_text(status));
    return status;
}

static status_t followers_start(struct server *server)
{
    status_t status = one_start(server, "persistence", persistence_actor, &server->args);
    if (status == OK)
        status = one_start(server, "counting", counting_actor, &server->args);
    if (status == OK && server->data_set->search)
        status = one_start(server, "indexing", indexing_actor, &server->args);
    server->follower_count = server->actor_count;
    return status;
}

/* A journal of several servers has a numbering actor for each, behind one that spreads. */
static status_t numbering_start(struct server *server)
{
    unsigned servers = server->args.servers;
    status_t status = OK;
    for (unsigned i = 0; status == OK && i < servers; i++) {
        server->numbering[i] = server->args;
        server->numbering[i].server = i;
        status = one_start(server, "numbering", numbering_actor, &server->numbering[i]);
    }
    if (status == OK && servers > 1)
        status = one_start(server, "spread", spread_actor, &server->args);
    return status;
}

static status_t server_start(struct server *server)
{
    data_set_t *data_set = server->data_set;
    server->args = (struct actor_args){
        .config = &data_set->config,
        .run = data_set->run,
        .servers = journal_servers(data_set->journal),
    };
    status_t status = history_prepare(data_set);
    if (status == OK)
        status = followers_start(server);
    if (status == OK)
        status = numbering_start(server);
    if (status == OK)
        status = one_start(server, "query", query_actor, &server->args);
    return status == OK ? http_start(server->args.config, &server->http) : status;
}

static void server_stop(struct server *server)
{
    if (server->http)
        http_drain(server->http);
    http_stop(&server->http);
    /* Those who ask first; then the followers in the order in which they feed
     * one another, each finishing what is in the log. */
    for (size_t i = server->actor_count; i-- > server->follower_count;)
        zactor_destroy(&server->actors[i]);
    for (size_t i = 0; i < server->follower_count; i++)
        zactor_destroy(&server->actors[i]);
    server->actor_count = server->follower_count = 0;
    data_set_close(&server->data_set);
}

/* ---- starting, with parts that may be started later ---- */

static void advice_say(void *context, const char *sentence)
{
    (void) context;
    log_write(LEVEL_WARNING, NULL, "journal_settings", "reason=\"%s\"", sentence);
}

/* What is no reason not to serve. */
static void warnings_say(data_set_t *data_set)
{
    struct position position;
    bool found;
    if (journal_advice(data_set->journal, advice_say, NULL) != OK)
        log_warning("journal_settings", "reason=\"they cannot be read: %s\"",
                    journal_errmsg(data_set->journal));
    if (!data_set->search || search_position(data_set->search, 0, &position, &found) == OK)
        return;
    char public[URL_PUBLIC_SIZE];
    const char *url = data_set->config.search, *detail = search_errmsg(data_set->search);
    log_warning(
        "search_away",
        "url=\"%s\" detail=\"%s\" reason=\"searches are 503 until it can be used, all else "
        "goes on\" do=\"%s\"",
        url_public(url, public), detail,
        advice_about(ADVICE_SEARCH, !text_has_scheme(url, "sqlite"), ERR_SEARCH, detail).todo);
}

/* True if a part is away that was there a moment before, or if another server was
 * rebuilding at the same time. */
static bool passing(const struct config *config, status_t status)
{
    return (status == ERR_CONFLICT && data_set_shared(config)) ||
           (status == ERR_JOURNAL && !text_has_scheme(config->journal, "sqlite")) ||
           (status == ERR_STORE && !text_has_scheme(config->store, "sqlite"));
}

static bool signal_came(const sigset_t *signals, int *ret_signal)
{
    const struct timespec pause = {.tv_nsec = TRY_MS * 1000000L};
    *ret_signal = sigtimedwait(signals, NULL, &pause);
    return *ret_signal > 0;
}

/* One attempt; of one that failed nothing is left. */
static status_t server_try(struct server *server, const struct config *config,
                           struct data_set_problem *problem)
{
    status_t status = data_set_try(config, DATA_SET_MAKE, &server->data_set, problem);
    if (status != OK)
        return status;
    status = server_start(server);
    if (status == OK) {
        warnings_say(server->data_set);
        return OK;
    }
    server_stop(server);
    problem->event = "start_failed";
    problem->passing = passing(config, status);
    snprintf(problem->words, sizeof problem->words, "status=%s reason=\"%s\"", status_name(status),
             status_text(status));
    return status;
}

/* Again and again while a part is away. ERR_STOPPED: a signal came. */
static status_t server_open(struct server *server, const struct config *config,
                            const sigset_t *signals)
{
    struct data_set_problem problem;
    int64_t tell_us = clock_monotonic_us();
    int number;
    for (;;) {
        status_t status = server_try(server, config, &problem);
        if (status == OK)
            return OK;
        if (!problem.passing) {
            log_error(problem.event, "%s", problem.words);
            return status;
        }
        if (clock_monotonic_us() >= tell_us) {
            log_warning("waiting", "for=%s %s", problem.event, problem.words);
            tell_us = clock_monotonic_us() + TELL_US;
        }
        if (signal_came(signals, &number)) {
            log_info("stopping", "signal=%s", strsignal(number));
            return ERR_STOPPED;
        }
    }
}

/* ---- the command ---- */

static void serve(struct server *server, const sigset_t *signals)
{
    int signal_number;
    char journal[URL_PUBLIC_SIZE], store[URL_PUBLIC_SIZE], search[URL_PUBLIC_SIZE];
    const struct config *config = &server->data_set->config;
    log_info("serving",
             "version=%s listen=%s journal=\"%s\" store=\"%s\" search=\"%s\" shards=%llu",
             CONFAB_VERSION, config->listen, url_public(config->journal, journal),
             url_public(config->store, store), url_public(config->search, search),
             (unsigned long long) config->shards);
    sigwait(signals, &signal_number);
    log_info("stopping", "signal=%s", strsignal(signal_number));
    server_stop(server);
}

int command_serve(const struct config *config, int argc, char **argv)
{
    sigset_t signals;
    static struct server server; /* too large for the stack */
    if (argc > 0) {
        fprintf(stderr, "confab serve: '%s' is not an option\n", argv[0]);
        return 2;
    }
    signals_block(&signals);
    if (process_prepare(config) != OK)
        return 1;
    status_t status = server_open(&server, config, &signals);
    if (status == OK)
        serve(&server, &signals);
    zsys_shutdown();
    if (status != OK && status != ERR_STOPPED)
        return 1;
    log_info("stopped", "reason=\"told to\"");
    return 0;
}
