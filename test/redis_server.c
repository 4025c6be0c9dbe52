/* SPDX-License-Identifier: MIT */
#include "redis_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

enum { STARTS_MAX = 5, WAITS_MAX = 1500, WAIT_US = 10000 };

struct redis_server {
    char *folder;
    const char *url, *config, *password;
    unsigned port;
    pid_t pid; /* 0: it does not run */
};

/* Somebody else may take it before the server does; then another one is tried. */
static unsigned port_free(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int failed = bind(fd, (struct sockaddr *) &address, length) ||
                 getsockname(fd, (struct sockaddr *) &address, &length);
    assert(!failed);
    close(fd);
    return ntohs(address.sin_port);
}

/* ---- the process ---- */

/* It ends with the thread that starts it. Not by fork(): czmq's handlers in the child let
 * go of mutexes that the thread sanitizer did not see them take. */
static void spawn(redis_server_t *server)
{
    const char *named = getenv("CONFAB_TEST_REDIS");
    const char *binary = named && *named ? named : "redis-server";
    const char *const words[] = {"setpriv", "--pdeathsig", "KILL", binary, server->config, NULL};
    posix_spawn_file_actions_t actions;
    int failed =
        posix_spawn_file_actions_init(&actions) ||
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, text_of("%s/log", server->folder),
                                         O_WRONLY | O_CREAT | O_APPEND, 0600) ||
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO) ||
        posix_spawnp(&server->pid, words[0], &actions, NULL, (char *const *) words, environ);
    assert(!failed);
    posix_spawn_file_actions_destroy(&actions);
}

static void reap(redis_server_t *server)
{
    if (server->pid == 0)
        return;
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    server->pid = 0;
}

static redisContext *connection(const redis_server_t *server)
{
    redisContext *context = redisConnectWithTimeout("127.0.0.1", (int) server->port,
                                                    (struct timeval){.tv_sec = 2});
    assert(context);
    if (context->err) {
        redisFree(context);
        return NULL;
    }
    redisSetTimeout(context, (struct timeval){.tv_sec = 5});
    if (server->password)
        freeReplyObject(redisCommand(context, "AUTH %s", server->password));
    return context;
}

/* False: it has ended. */
static bool answers(redis_server_t *server)
{
    for (int i = 0; i < WAITS_MAX; i++) {
        redisContext *context = connection(server);
        redisReply *reply = context ? redisCommand(context, "PING") : NULL;
        bool ready = reply && reply->type == REDIS_REPLY_STATUS;
        freeReplyObject(reply);
        if (context)
            redisFree(context);
        if (ready && waitpid(server->pid, NULL, WNOHANG) == 0)
            return true;
        if (!ready && waitpid(server->pid, NULL, WNOHANG) != 0)
            return false;
        usleep(WAIT_US);
    }
    return false;
}

static void complain(const redis_server_t *server)
{
    char *log = file_read(text_of("%s/log", server->folder), NULL);
    fprintf(stderr, "Redis does not start:\n%s\n", log ? log : "");
    free(log);
    abort();
}

/* ---- starting and ending ---- */

static void config_write(redis_server_t *server, const char *options)
{
    server->port = port_free();
    server->url = text_of("redis://127.0.0.1:%u", server->port);
    server->config = text_of("%s/redis.conf", server->folder);
    FILE *file = fopen(server->config, "we");
    assert(file);
    fprintf(file,
            "port %u\nbind 127.0.0.1\ndir %s\nappendonly yes\nappendfsync always\nsave \"\"\n"
            "auto-aof-rewrite-percentage 0\nenable-debug-command yes\n%s",
            server->port, server->folder, options ? options : "");
    fclose(file);
}

redis_server_t *redis_server_start(const char *options)
{
    redis_server_t *server = calloc(1, sizeof *server);
    assert(server);
    server->folder = folder_make();
    const char *password = options ? strstr(options, "requirepass ") : NULL;
    if (password) {
        password += strlen("requirepass ");
        server->password = text_of("%.*s", (int) strcspn(password, "\n"), password);
    }
    for (int i = 0; i < STARTS_MAX; i++) {
        config_write(server, options);
        spawn(server);
        if (answers(server))
            return server;
        server->pid = 0;
    }
    complain(server);
    return NULL;
}

void redis_server_kill(redis_server_t *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    reap(server);
}

void redis_server_stop(redis_server_t **server_p)
{
    redis_server_t *server = *server_p;
    if (!server)
        return;
    redis_server_kill(server);
    folder_remove(&server->folder);
    free(server);
    *server_p = NULL;
}

void redis_server_restart(redis_server_t *server)
{
    redis_server_kill(server);
    spawn(server);
    if (!answers(server))
        complain(server);
}

void redis_server_pause(redis_server_t *server)
{
    kill(server->pid, SIGSTOP);
    while (waitpid(server->pid, NULL, WUNTRACED) < 0 && errno == EINTR)
        continue;
}

void redis_server_resume(redis_server_t *server)
{
    kill(server->pid, SIGCONT);
}

/* ---- what is said of it ---- */

const char *redis_server_url(const redis_server_t *server)
{
    return server->url;
}

unsigned redis_server_port(const redis_server_t *server)
{
    return server->port;
}

const char *redis_server_folder(const redis_server_t *server)
{
    return server->folder;
}

static void answer_add(struct buffer *buffer, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        buffer_append_text(buffer, "-");
    if (reply->type == REDIS_REPLY_INTEGER)
        buffer_printf(buffer, "%lld", reply->integer);
    else if (reply->type != REDIS_REPLY_ARRAY && reply->str)
        buffer_append(buffer, reply->str, reply->len);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (i > 0)
            buffer_append_text(buffer, "\n");
        answer_add(buffer, reply->element[i]);
    }
}

const char *redis_server_ask(redis_server_t *server, const char *command)
{
    redisContext *context = connection(server);
    redisReply *reply = context ? redisCommand(context, command) : NULL;
    struct buffer buffer = {0};
    if (reply)
        answer_add(&buffer, reply);
    else
        buffer_append_text(&buffer, "-no answer");
    char *text = text_of("%s", buffer.data ? buffer.data : "");
    buffer_free(&buffer);
    freeReplyObject(reply);
    if (context)
        redisFree(context);
    return text;
}
