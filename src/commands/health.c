/* SPDX-License-Identifier: MIT */
/* health.c - confab health: asks a running server how it is, for containers and
 * scripts that have no HTTP client at hand. The settings of that server tell where
 * it listens, so that the same environment serves both. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "commands/command.h"
#include "commands/options.h"
#include "common/clock.h"

const char command_health_help[] =
    "confab health asks the server that was started with the same settings how it is, and\n"
    "prints what it says: on --admin if that is given, else on --listen. It is what a\n"
    "container's health check runs.\n"
    "\n"
    "Usage: confab health [--ready]\n"
    "\n"
    "  --ready  may requests be sent to it (/readyz)? Without: does it serve (/healthz)?\n"
    "\n"
    "Exit: 0 yes; 1 no, or there was no answer within 5 s; 2 called in the wrong way.\n"
    "\n"
    "Example: confab health --listen 127.0.0.1:4000\n";

enum { PATIENCE_US = 5000000, REPLY_BYTES = 4096 };

/* The form was checked when the settings were read. */
static struct sockaddr_in address_read(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strchr(text, ':');
    assert(colon && (size_t) (colon - text) < sizeof host);
    memcpy(host, text, (size_t) (colon - text));
    int read = inet_pton(AF_INET, host, &address.sin_addr);
    assert(read == 1);
    if (address.sin_addr.s_addr == htonl(INADDR_ANY)) /* on every address: ours too */
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t) strtol(colon + 1, NULL, 10));
    return address;
}

/* Whatever comes next on the socket ends at `end_us`. */
static void socket_limit(int fd, int64_t end_us)
{
    int64_t left_us = end_us - clock_monotonic_us();
    if (left_us < 1)
        left_us = 1;
    const struct timeval left = {left_us / 1000000, left_us % 1000000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left); /* of connect(), too */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left);
}

/* Sends the request and reads until the server closes. False: errno tells. */
static bool server_ask(int fd, const struct sockaddr_in *address, const char *path,
                       char reply[REPLY_BYTES])
{
    char request[128];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: confab\r\nConnection: close\r\n\r\n", path);
    int64_t end_us = clock_monotonic_us() + PATIENCE_US;
    socket_limit(fd, end_us);
    if (connect(fd, (const struct sockaddr *) address, sizeof *address) != 0 ||
        send(fd, request, (size_t) length, MSG_NOSIGNAL) != length)
        return false;
    size_t got = 0;
    ssize_t more = 1;
    while (more > 0 && got < REPLY_BYTES - 1) {
        socket_limit(fd, end_us);
        more = recv(fd, reply + got, REPLY_BYTES - 1 - got, 0);
        got += more > 0 ? (size_t) more : 0;
    }
    reply[got] = 0;
    return more >= 0;
}

int command_health(const struct config *config, int argc, char **argv)
{
    struct option options[] = {{.name = "ready", .kind = OPTION_SWITCH}};
    int words;
    if (!options_read("health", argc, argv, options, 1, 0, &words, stderr))
        return 2;
    const char *where = *config->admin ? config->admin : config->listen;
    const struct sockaddr_in address = address_read(where);

    char reply[REPLY_BYTES] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answered = fd >= 0 &&
                    server_ask(fd, &address, options[0].given ? "/readyz" : "/healthz", reply);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (!answered) {
        const char *text = reason == EAGAIN || reason == EINPROGRESS ? "it takes too long"
                                                                     : strerror(reason);
        fprintf(stderr, "confab health: no answer from %s: %s\n", where, text);
        return 1;
    }
    const char *body = strstr(reply, "\r\n\r\n");
    if (!body || strncmp(reply, "HTTP/1.1 ", 9) != 0) {
        fprintf(stderr, "confab health: what answers at %s is no confab\n", where);
        return 1;
    }
    printf("%s\n", body + 4);
    return strncmp(reply + 9, "200 ", 4) == 0 ? 0 : 1;
}
