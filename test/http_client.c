/* SPDX-License-Identifier: MIT */
#include "http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

uint16_t client_free_port(void)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

int client_connect(uint16_t port)
{
    struct sockaddr_in address = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof address), 0);
    return fd;
}

bool client_is_refused(uint16_t port)
{
    struct sockaddr_in address = address_of(port);
    bool refused = false;
    for (int i = 0; i < 100 && !refused; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        refused = connect(fd, (struct sockaddr *) &address, sizeof address) != 0;
        close(fd);
        if (!refused)
            poll(NULL, 0, 10);
    }
    return refused;
}

void client_send(int fd, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server has heard enough */
        text += sent;
        length -= (size_t) sent;
    }
}

/* One byte at a time: what comes behind an answer is the next one's. */
static bool receive_byte(int fd, char *ret_byte)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
        fail_msg("no answer in %d ms", PATIENCE_MS);
    return recv(fd, ret_byte, 1, 0) == 1;
}

void client_receive(int fd, bool to_head, struct answer *answer)
{
    memset(answer, 0, sizeof *answer);
    size_t length = 0;
    while (length < ANSWER_BYTES_MAX - 1 && !strstr(answer->head, "\r\n\r\n"))
        if (!receive_byte(fd, &answer->head[length++]))
            return;
    answer->status = atoi(answer->head + strlen("HTTP/1.1 "));
    const char *field = strcasestr(answer->head, "\r\nContent-Length: ");
    size_t body_length = field && !to_head ? strtoul(field + 18, NULL, 10) : 0;
    assert_true(body_length < ANSWER_BYTES_MAX);
    for (size_t i = 0; i < body_length; i++)
        assert_true(receive_byte(fd, &answer->body[i]));
}

void client_ask(uint16_t port, const char *text, struct answer *answer)
{
    int fd = client_connect(port);
    client_send(fd, text);
    client_receive(fd, strncmp(text, "HEAD ", 5) == 0, answer);
    close(fd);
}

bool client_is_closed(int fd, int ms)
{
    char byte;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, ms) == 1 && recv(fd, &byte, 1, MSG_PEEK) <= 0;
}

bool answer_has(const struct answer *answer, const char *line)
{
    for (const char *at = answer->head; (at = strstr(at, "\r\n")); at += 2)
        if (strncasecmp(at + 2, line, strlen(line)) == 0)
            return true;
    return false;
}
