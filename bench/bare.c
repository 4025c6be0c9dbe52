/* SPDX-License-Identifier: MIT */
/* bare.c - civetweb with nothing behind it: reads a request's body, replies 201.
 *
 * The yardstick of bench/embedded. It has the options of confab's own server that
 * matter for speed, so that a ratio of 1 would mean: everything that confab does
 * (checking, numbering, logging, answering) costs nothing.
 *
 *     bare PORT
 */
#include <civetweb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int reply(struct mg_connection *connection)
{
    static const char created[] = "HTTP/1.1 201 Created\r\n"
                                  "Content-Type: application/json; charset=utf-8\r\n"
                                  "Content-Length: 23\r\n\r\n"
                                  "{\"message_number\":1234}";
    char body[4096];
    while (mg_read(connection, body, sizeof body) > 0)
        ;
    mg_write(connection, created, sizeof created - 1);
    return 201;
}

int main(int argc, char **argv)
{
    char address[32];
    if (argc != 2 || atoi(argv[1]) <= 0) {
        fprintf(stderr, "usage: bare PORT\n");
        return 2;
    }
    snprintf(address, sizeof address, "127.0.0.1:%d", atoi(argv[1]));
    /* clang-format off */
    const char *options[] = {
        "listening_ports", address,
        "num_threads", "256",
        "enable_keep_alive", "yes",
        "keep_alive_timeout_ms", "10000",
        "tcp_nodelay", "1",
        "listen_backlog", "1024",
        "connection_queue", "1024",
        "decode_url", "no",
        NULL,
    };
    /* clang-format on */
    const struct mg_callbacks callbacks = {.begin_request = reply};
    struct mg_context *context = mg_start(&callbacks, NULL, options);
    if (!context) {
        fprintf(stderr, "bare: cannot listen on %s\n", address);
        return 1;
    }
    pause();
    mg_stop(context);
    return 0;
}
