/* SPDX-License-Identifier: MIT */
#include "http/server.h"

#include <assert.h>
#include <civetweb.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "http/exchange.h"
#include "http/openapi.h"
#include "http/sockets.h"
#include "http/watch.h"
#include "http/worker.h"

/* Options of civetweb are texts. */
#define REQUEST_BYTES \
    "131072"                   /* well above HEAD_BYTES_MAX: what is larger cannot be told
                                        * from what is malformed but by asking the kernel */
#define KEEP_ALIVE "30000"     /* ms without a request, while nobody waits */
#define WAIT_FOR_BYTES "60000" /* ms; the watch is stricter */
/* Connections that wait for a thread; fewer where open files are few. */
enum { QUEUE_MIN = 32, QUEUE_MAX = 1024 };
/* Open files: of the actors and databases; of a worker (its connection and a DEALER
 * to each of two actors). */
enum { FILES_OWN = 192, FILES_PER_WORKER = 3 };

enum {
    REQUEST_BYTES_MAX = 131072,
    KEEP_ALIVE_MS = 30000,
    ADMIN_THREADS = 8, /* of their own: they answer when all others are held */
    DRAIN_MS = 10000,
    DRAIN_TICK_MS = 5,
    ERROR_BYTES = 256,
};

struct http {
    struct front front;
    struct door public_door, admin_door;
    struct mg_context *public_context, *admin_context;
    uint16_t public_port, admin_port;
    int listener; /* what is left of the public one after the drain, or -1 */
};

/* Threads of other types have nothing to do with connections. */
enum { THREAD_IS_WORKER = 1 };

static void *on_thread_start(const struct mg_context *context, int type)
{
    if (type != THREAD_IS_WORKER)
        return NULL;
    /* Wakes up later but in larger batches: a fifth more requests. */
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_BATCH, &none);
    return worker_open(mg_get_user_data(context));
}

static void on_thread_end(const struct mg_context *context, int type, void *pointer)
{
    (void) context;
    worker_t *worker = pointer;
    if (type == THREAD_IS_WORKER)
        worker_close(&worker);
}

static int on_connect(const struct mg_connection *connection, void **ret_data)
{
    (void) ret_data;
    worker_t *worker = mg_get_thread_pointer(connection);
    watch_connect(worker->slot, connection);
    return 0;
}

static void on_close(const struct mg_connection *connection)
{
    worker_t *worker = mg_get_thread_pointer(connection);
    watch_enter(worker->slot, PHASE_FREE, 0);
}

static int on_request(struct mg_connection *connection)
{
    return exchange_run(mg_get_thread_pointer(connection), connection);
}

/* Too large a head on a new connection, if we find the socket that tells: -1 else. */
static int find_overflow(const struct mg_request_info *info)
{
    int fd = sockets_find(info);
    return fd >= 0 && sockets_received(fd) >= REQUEST_BYTES_MAX ? fd : -1;
}

/* What civetweb refuses by itself: a head that is malformed, larger than its
 * buffer, or late. It says the same of all three. */
static int on_error(struct mg_connection *connection, int status, const char *message)
{
    (void) status;
    (void) message;
    worker_t *worker = mg_get_thread_pointer(connection);
    bool is_new = watch_phase(worker->slot) == PHASE_HEAD;
    int64_t limit_ms = is_new ? WATCH_HEAD_MS : KEEP_ALIVE_MS;
    bool late = watch_elapsed_us(worker->slot) >= limit_ms * 1000;
    late |= watch_enter(worker->slot, PHASE_BUSY, clock_monotonic_us());
    int fd = is_new && !late ? find_overflow(mg_get_request_info(connection)) : -1;
    enum problem problem = late ? PROBLEM_REQUEST_TIMEOUT : PROBLEM_BAD_REQUEST;
    exchange_refuse(worker, connection, fd >= 0 ? PROBLEM_HEADERS_TOO_LARGE : problem);
    if (fd >= 0)
        sockets_drop(fd, WATCH_LINGER_MS);
    return 0;
}

static int on_message(const struct mg_connection *connection, const char *message)
{
    (void) connection;
    log_warning("civetweb", "message=\"%s\"", message);
    return 1;
}

static const struct mg_callbacks callbacks = {
    .init_thread = on_thread_start,
    .exit_thread = on_thread_end,
    .init_connection = on_connect,
    .connection_close = on_close,
    .begin_request = on_request,
    .http_error = on_error,
    .log_message = on_message,
};

size_t http_files_min(const struct config *config)
{
    return FILES_OWN + QUEUE_MIN + FILES_PER_WORKER * (config->threads + ADMIN_THREADS);
}

/* How many connections may wait: civetweb accepts them, so each has a file open. */
static size_t queue_size(const struct config *config)
{
    struct rlimit files;
    size_t needed = http_files_min(config) - QUEUE_MIN / 2; /* half is admin's */
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= needed + QUEUE_MAX)
        return QUEUE_MAX;
    return files.rlim_cur > needed ? files.rlim_cur - needed : 1;
}

static status_t door_open(struct door *door, const char *address, uint64_t threads, size_t queue,
                          struct mg_context **ret_context)
{
    char thread_text[24], queue_text[24], error_text[ERROR_BYTES] = "";
    unsigned error_code = 0;
    snprintf(thread_text, sizeof thread_text, "%llu", (unsigned long long) threads);
    snprintf(queue_text, sizeof queue_text, "%zu", queue);
    /* clang-format off */
    const char *options[] = {
        "listening_ports", address,
        "num_threads", thread_text,
        "max_request_size", REQUEST_BYTES,
        "request_timeout_ms", WAIT_FOR_BYTES,
        "keep_alive_timeout_ms", KEEP_ALIVE,
        "enable_keep_alive", "yes",
        "tcp_nodelay", "1",
        "listen_backlog", "1024",
        "connection_queue", queue_text,
        "decode_url", "no",
        "enable_auth_domain_check", "no",
        "enable_directory_listing", "no",
        NULL,
    };
    /* clang-format on */
    struct mg_init_data init = {&callbacks, door, options};
    struct mg_error_data error = {&error_code, error_text, sizeof error_text};
    *ret_context = mg_start2(&init, &error);
    if (*ret_context)
        return OK;
    log_error("listen_failed", "address=\"%s\" reason=\"%s\"", address, error_text);
    return ERR_CONFIG;
}

static uint16_t context_port(const struct mg_context *context)
{
    struct mg_server_port port = {0};
    if (!context || mg_get_server_ports(context, 1, &port) != 1)
        return 0;
    return (uint16_t) port.port;
}

status_t http_start(const struct config *config, http_t **ret_http)
{
    assert(sodium_init() >= 0);
    http_t *self = calloc(1, sizeof *self);
    assert(self);
    self->listener = -1;
    self->front.config = config;
    self->public_door.front = self->admin_door.front = &self->front;
    self->admin_door.operations_only = true;
    openapi_write(&self->front.openapi, *config->api_key);
    mg_init_library(0);

    status_t status = watch_open(config->threads + ADMIN_THREADS, &self->front.watch);
    if (status == OK)
        status = door_open(&self->public_door, config->listen, config->threads, queue_size(config),
                           &self->public_context);
    if (status == OK && *config->admin)
        status = door_open(&self->admin_door, config->admin, ADMIN_THREADS, QUEUE_MIN / 2,
                           &self->admin_context);
    if (status != OK) {
        http_stop(&self);
        return status;
    }
    self->public_port = context_port(self->public_context);
    self->admin_port = context_port(self->admin_context);
    watch_queue(self->front.watch, self->public_port, config->threads);
    *ret_http = self;
    return OK;
}

void http_drain(http_t *self)
{
    const struct timespec tick = {.tv_nsec = DRAIN_TICK_MS * 1000000L};
    int64_t end_us = clock_monotonic_us() + DRAIN_MS * INT64_C(1000);
    atomic_store(&self->front.draining, true);
    if (self->listener < 0)
        self->listener = sockets_stop_listening(self->public_port);
    /* One look more than needed: a request may have begun before it could see
     * that the end has. */
    for (int quiet = 0; quiet < 2 && clock_monotonic_us() < end_us;) {
        nanosleep(&tick, NULL);
        quiet = watch_in_flight(self->front.watch) ? 0 : quiet + 1;
    }
    size_t left = watch_in_flight(self->front.watch);
    if (left)
        log_warning("requests_abandoned", "count=%zu", left);
}

void http_stop(http_t **http_p)
{
    http_t *self = *http_p;
    if (!self)
        return;
    atomic_store(&self->front.draining, true);
    /* mg_stop() waits for threads that wait at sockets. */
    if (self->listener >= 0)
        eventfd_write(self->listener, 1);
    if (self->front.watch)
        watch_hurry(self->front.watch, self->public_port, self->admin_port);
    mg_stop(self->admin_context);
    mg_stop(self->public_context);
    watch_close(&self->front.watch);
    mg_exit_library();
    if (self->listener >= 0)
        close(self->listener);
    buffer_free(&self->front.openapi);
    free(self);
    *http_p = NULL;
}
