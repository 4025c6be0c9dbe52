/* SPDX-License-Identifier: MIT */
#include "http/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

enum { POLL_ENDS_MS = 5 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* 0: not an internet address. */
static uint16_t address_port(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohs(address->v4.sin_port);
    return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

static bool address_is(const union address *address, const char *host)
{
    char text[INET6_ADDRSTRLEN];
    bool v4 = address->any.sa_family == AF_INET;
    const void *bytes = v4 ? (const void *) &address->v4.sin_addr : &address->v6.sin6_addr;
    return inet_ntop(address->any.sa_family, bytes, text, sizeof text) && strcmp(text, host) == 0;
}

static uint16_t local_port(int fd)
{
    union address address;
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) != 0)
        return 0;
    return address_port(&address);
}

static bool has_peer(int fd, union address *ret_address)
{
    socklen_t size = sizeof *ret_address;
    return getpeername(fd, &ret_address->any, &size) == 0;
}

/* Calls `visit` for each socket of the port until it returns false. */
static void sockets_walk(uint16_t port, bool (*visit)(int fd, void *context), void *context)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    struct dirent *entry;
    bool more = true;
    while (more && (entry = readdir(folder))) {
        int fd = atoi(entry->d_name);
        if (fd > 2 && fd != dirfd(folder) && local_port(fd) == port)
            more = visit(fd, context);
    }
    closedir(folder);
}

struct search {
    const struct mg_request_info *info;
    int found;
};

static bool visit_to_find(int fd, void *context)
{
    struct search *search = context;
    union address address;
    if (!has_peer(fd, &address) || address_port(&address) != search->info->remote_port ||
        !address_is(&address, search->info->remote_addr))
        return true;
    search->found = fd;
    return false;
}

int sockets_find(const struct mg_request_info *info)
{
    struct search search = {.info = info, .found = -1};
    if (info)
        sockets_walk((uint16_t) info->server_port, visit_to_find, &search);
    return search.found;
}

static bool visit_to_count(int fd, void *context)
{
    size_t *count = context;
    union address address;
    *count += has_peer(fd, &address);
    return true;
}

size_t sockets_count(uint16_t port)
{
    size_t count = 0;
    sockets_walk(port, visit_to_count, &count);
    return count;
}

/* A socket that does not listen any more would make civetweb's poll() return at
 * once, for ever. So something quiet takes over its number, but not before the
 * poll() that is under way has returned: it would find the quiet one behind the
 * number and sleep on without having been noted there. */
static bool visit_to_stop(int fd, void *context)
{
    int listening = 0, quiet = *(int *) context;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening) {
        shutdown(fd, SHUT_RD);
        poll(NULL, 0, POLL_ENDS_MS);
        dup2(quiet, fd);
    }
    return true;
}

int sockets_stop_listening(uint16_t port)
{
    int quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (quiet >= 0)
        sockets_walk(port, visit_to_stop, &quiet);
    return quiet;
}

static bool visit_to_wake(int fd, void *context)
{
    (void) context;
    shutdown(fd, SHUT_RD);
    return true;
}

void sockets_wake_all(uint16_t port)
{
    sockets_walk(port, visit_to_wake, NULL);
}

void sockets_drop(int fd, int ms)
{
    char dropped[4096];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    int64_t end_us = clock_monotonic_us() + ms * INT64_C(1000), left_us = end_us;
    ssize_t count = 1;
    while (count > 0 && (left_us = end_us - clock_monotonic_us()) > 0 &&
           poll(&poll_fd, 1, (int) (left_us / 1000) + 1) == 1)
        count = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);
}

uint64_t sockets_received(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_bytes_received;
}
