/* SPDX-License-Identifier: MIT */
/* http_client.h - a raw client for tests: it sends what it is told, right or wrong.
 *
 * One thread per connection. cmocka's asserts are in here.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_BYTES_MAX = 32768 };

struct answer {
    int status; /* 0: the connection ended without one */
    char head[ANSWER_BYTES_MAX];
    char body[ANSWER_BYTES_MAX];
};

/* A port that nobody listens at. */
uint16_t client_free_port(void);

/* A connection to the port of this host. */
int client_connect(uint16_t port);

/* True if nobody listens at the port, within a second. */
bool client_is_refused(uint16_t port);

/* Sends a text. */
void client_send(int fd, const char *text);

/* Waits for one answer; that to a HEAD has no body. */
void client_receive(int fd, bool to_head, struct answer *ret_answer);

/* Sends a text on a new connection, waits for the answer and closes. */
void client_ask(uint16_t port, const char *text, struct answer *ret_answer);

/* True if the server ends the connection within `ms`; false if it is still open. */
bool client_is_closed(int fd, int ms);

/* True if the head has a line that begins so, whatever the case. */
bool answer_has(const struct answer *answer, const char *line);

#endif
